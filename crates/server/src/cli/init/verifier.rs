//! Who verifies, and what they can read as they come.

use clap::ValueEnum;
use symbolon_wire::{Algorithm, Type};

/// A kind of verifier.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(super) enum Verifier {
    /// symbolon-verify, or the sidecar
    Symbolon,
    /// Node, Deno, Bun and browsers with the `jose` package
    Jose,
    /// Go with golang-jwt or go-jose
    Go,
    /// Python with PyJWT and cryptography
    Python,
    /// ASP.NET Core: no EdDSA as it comes
    Dotnet,
    /// Spring Security: neither EdDSA nor at+jwt as it comes
    Spring,
    /// Anything else: what every verifier of JWTs can read
    Other,
}

impl Verifier {
    /// What it verifies as it comes, the best first.
    const fn alg(self) -> Algorithm {
        match self {
            Self::Symbolon | Self::Jose | Self::Go | Self::Python => Algorithm::EdDsa,
            Self::Dotnet => Algorithm::Es256,
            Self::Spring | Self::Other => Algorithm::Rs256,
        }
    }

    const fn typ(self) -> Type {
        match self {
            Self::Symbolon | Self::Jose | Self::Go | Self::Python | Self::Dotnet => {
                Type::AccessTokenJwt
            }
            Self::Spring | Self::Other => Type::Jwt,
        }
    }
}

/// The algorithm and type that all of them can read.
pub(super) fn common(verifiers: &[Verifier]) -> (Algorithm, Type) {
    // The order of `Algorithm` is the order in which verifiers came to know them, newest first.
    let alg = verifiers.iter().map(|verifier| verifier.alg()).max().unwrap_or(Algorithm::EdDsa);
    let any_jwt = verifiers.iter().any(|verifier| verifier.typ() == Type::Jwt);
    (alg, if any_jwt { Type::Jwt } else { Type::AccessTokenJwt })
}

#[cfg(test)]
mod tests {
    use super::*;
    use Verifier::{Dotnet, Jose, Spring, Symbolon};

    #[test]
    fn what_is_chosen_is_what_all_of_them_can_read() {
        assert_eq!(common(&[]), (Algorithm::EdDsa, Type::AccessTokenJwt));
        assert_eq!(common(&[Symbolon, Jose]), (Algorithm::EdDsa, Type::AccessTokenJwt));
        assert_eq!(common(&[Symbolon, Dotnet]), (Algorithm::Es256, Type::AccessTokenJwt));
        assert_eq!(common(&[Symbolon, Spring, Dotnet]), (Algorithm::Rs256, Type::Jwt));
    }
}
