//! Why a request is not let in, and how to tell it (RFC 6750 §3).

use crate::BadProof;
use std::fmt;
use std::time::Duration;
use symbolon_core::Reason;
use symbolon_wire::Malformed;

/// Why a request is not let in.
///
/// [`Rejected::status`] and [`Rejected::challenge`] are what to answer. The details inside are for a log;
/// they hold nothing of the token, and the challenge does not repeat them.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Rejected {
    /// No token was presented.
    Missing,
    /// What was presented is not an access token: perhaps a refresh token, which is none.
    Malformed(Malformed),
    /// It is a token, but not one that this verifier trusts.
    Untrusted(Distrust),
    /// Its life is over: renew it.
    Expired,
    /// What it says has changed since: renew it; nobody is logged out.
    Stale,
    /// Its session is over: sign in again.
    Revoked {
        /// Why, if it is known: introspection does not tell.
        ended: Option<Reason>,
    },
    /// It may be good, but it cannot be known now.
    Unverifiable(Unknown),
    /// It is bound to a key, and came as a bearer token or with a good proof of another key; or it came as bound, and is
    /// not.
    Binding,
    /// It is bound to features or a network, and came with others: sign in again.
    Elsewhere,
    /// It is bound to a key, and the proof beside it must be made anew.
    Proof(BadProof),
    /// It is good, and does not suffice here: 403, not 401.
    InsufficientScope {
        /// The scopes that the route asks for, separated by one space.
        needed: Box<str>,
    },
    /// It is good, and the person must be authenticated anew, or more strongly, before it suffices here: 401 with the
    /// challenge of RFC 9470, upon which a client steps up.
    InsufficientAuthentication {
        /// How long ago the authentication may be, in whole seconds, if the route asks for that.
        max_age: Option<Duration>,
        /// The levels of which one suffices, separated by one space; may be empty.
        acr: Box<str>,
    },
    /// The authority must be asked: whether the session of a genuine token lives, or what a token stands for that
    /// says nothing itself or cannot be replaced.
    ///
    /// Answer of a synchronous check alone; `Verifier::admit` asks. Whoever cannot ask refuses.
    Ask,
}

/// What is wrong with a token that is not trusted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Distrust {
    /// Its algorithm is not one that this verifier pins.
    Algorithm,
    /// No key of the issuer has the name that it gives.
    Key,
    /// The signature is not by the key that it names.
    Signature,
    /// It does not declare itself to be an access token of the expected `typ`.
    Type,
    /// Another issuer's.
    Issuer,
    /// For another audience.
    Audience,
    /// Dated ahead of this clock.
    NotYet,
    /// It is encrypted, and no key that is here opens it.
    Encryption,
    /// It is signed alone, and this verifier takes only what is encrypted.
    NotEncrypted,
}

/// What is not known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Unknown {
    /// Any key of the issuer: none has been fetched yet.
    Keys,
    /// The key that the token names: it may be newer than those that were fetched last.
    Key,
    /// Whether the session lives: the authority could not be asked, or not in time.
    Session,
    /// What an opaque token stands for: this verifier has nobody to ask. It needs the network half
    /// (`Builder::connect`) and an API key (`Builder::feed` or `Builder::introspection`).
    Opaque,
    /// Which request a proof must be for: the verifier was told no method or no URL.
    Url,
    /// Whether a proof is new: more were used lately than are remembered.
    Proofs,
    /// Which features the client has: the verifier was not told what the request says of them.
    Features,
    /// Where the request comes from: the verifier was told no address.
    Address,
}

impl Rejected {
    /// The status to answer with: 403 if the token is good but does not suffice, else 401.
    pub const fn status(&self) -> u16 {
        match self {
            Self::InsufficientScope { .. } => 403,
            Self::Missing
            | Self::Malformed(_)
            | Self::Untrusted(_)
            | Self::Expired
            | Self::Stale
            | Self::Revoked { .. }
            | Self::Unverifiable(_)
            | Self::Binding
            | Self::Elsewhere
            | Self::InsufficientAuthentication { .. }
            | Self::Proof(_)
            | Self::Ask => 401,
        }
    }

    /// The word that tells a client what to do; none if there was no token, or it only lacks rights or an
    /// authentication that is strong or recent enough.
    pub const fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Malformed(_) => Some("malformed"),
            Self::Untrusted(_) => Some("untrusted"),
            Self::Expired => Some("expired"),
            Self::Stale => Some("stale"),
            Self::Revoked { .. } => Some("revoked"),
            Self::Unverifiable(_) | Self::Ask => Some("unverifiable"),
            Self::Binding | Self::Elsewhere => Some("binding"),
            Self::Proof(_) => Some("proof"),
            Self::Missing
            | Self::InsufficientScope { .. }
            | Self::InsufficientAuthentication { .. } => None,
        }
    }

    /// The value of `DPoP-Nonce`, where the next proof must repeat one (RFC 9449 §9).
    pub fn dpop_nonce(&self) -> Option<&str> {
        match self {
            Self::Proof(bad) => bad.nonce(),
            Self::Missing
            | Self::Malformed(_)
            | Self::Untrusted(_)
            | Self::Expired
            | Self::Stale
            | Self::Revoked { .. }
            | Self::Unverifiable(_)
            | Self::Binding
            | Self::Elsewhere
            | Self::InsufficientScope { .. }
            | Self::InsufficientAuthentication { .. }
            | Self::Ask => None,
        }
    }

    /// The value of `WWW-Authenticate`.
    pub fn challenge(&self) -> String {
        match (self, self.reason()) {
            (Self::InsufficientScope { needed }, _) => insufficient(needed),
            (Self::InsufficientAuthentication { max_age, acr }, _) => step_up(*max_age, acr),
            (Self::Revoked { ended: Some(ended) }, Some(reason)) => {
                format!("{INVALID_TOKEN}, reason=\"{reason}\", ended=\"{}\"", ended.as_str())
            }
            (Self::Binding, Some(reason)) => {
                format!("DPoP error=\"invalid_token\", reason=\"{reason}\", {ALGS}")
            }
            (Self::Proof(bad), Some(reason)) => {
                format!("DPoP error=\"{}\", reason=\"{reason}\", {ALGS}", bad.error())
            }
            (_, Some(reason)) => format!("{INVALID_TOKEN}, reason=\"{reason}\""),
            // RFC 6750 §3.1: whoever sent no token is told no error.
            (_, None) => "Bearer".to_owned(),
        }
    }
}

/// What proofs may be signed with (RFC 9449 §7.1).
const ALGS: &str = "algs=\"EdDSA ES256 RS256\"";

const INVALID_TOKEN: &str = "Bearer error=\"invalid_token\"";

/// Names the scopes, unless one is not a scope at all (RFC 6749 §3.3) and would break the header.
fn insufficient(needed: &str) -> String {
    match is_plain(needed) {
        true => format!("Bearer error=\"insufficient_scope\", scope=\"{needed}\""),
        false => "Bearer error=\"insufficient_scope\"".to_owned(),
    }
}

/// RFC 9470 §3.
fn step_up(max_age: Option<Duration>, acr: &str) -> String {
    let mut challenge = "Bearer error=\"insufficient_user_authentication\"".to_owned();
    if let Some(age) = max_age {
        challenge.push_str(&format!(", max_age=\"{}\"", age.as_secs()));
    }
    if is_plain(acr) {
        challenge.push_str(&format!(", acr_values=\"{acr}\""));
    }
    challenge
}

/// Whether words stand in a quoted string as they are.
fn is_plain(words: &str) -> bool {
    let stands = |byte: u8| matches!(byte, b' ' | 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    !words.is_empty() && words.bytes().all(stands)
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("no access token was presented"),
            Self::Malformed(why) => write!(f, "this is not an access token: {why}"),
            Self::Untrusted(what) => what.fmt(f),
            Self::Expired => f.write_str("the token has expired"),
            Self::Stale => f.write_str("the token must be renewed"),
            Self::Revoked { ended: None } => f.write_str("the session is over"),
            Self::Revoked { ended: Some(why) } => {
                write!(f, "the session is over: {}", why.as_str())
            }
            Self::Unverifiable(what) => what.fmt(f),
            Self::Binding => f.write_str("the token is not bound to a key that was proved"),
            Self::Elsewhere => {
                f.write_str("the token is bound to other features or another network")
            }
            Self::Proof(bad) => bad.fmt(f),
            Self::InsufficientScope { .. } => f.write_str("the token does not suffice here"),
            Self::InsufficientAuthentication { .. } => {
                f.write_str("the person must be authenticated anew, or more strongly")
            }
            Self::Ask => f.write_str("the authority must be asked about the token"),
        }
    }
}

impl std::error::Error for Rejected {}

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Algorithm => "the token's algorithm is not the expected one",
            Self::Key => "the token is signed by no key of the issuer",
            Self::Signature => "the token's signature does not verify",
            Self::Type => "the token is not of the expected type",
            Self::Issuer => "the token is another issuer's",
            Self::Audience => "the token is for another audience",
            Self::NotYet => "the token is dated ahead of this clock",
            Self::Encryption => "the token is encrypted, and no key that is here opens it",
            Self::NotEncrypted => "the token is not encrypted, and only encrypted ones are taken",
        })
    }
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Keys => "the issuer's keys are not known yet",
            Self::Key => "the token's key is not known, and may be new",
            Self::Session => "the authority could not be asked whether the session lives",
            Self::Opaque => "the token is opaque, and this verifier has nobody to ask about it",
            Self::Url => {
                "the verifier does not know for which method and URL a proof must be; \
                 `Builder::public_url` says where the service is reached"
            }
            Self::Proofs => "more proofs were used lately than are remembered",
            Self::Features => {
                "the token is bound to features, and the verifier was not told those of the request; \
                 `Presented::features` takes the header `X-Symbolon-Features`"
            }
            Self::Address => {
                "the token is bound to a network, and the verifier was not told where the request comes \
                 from; `Presented::ip` and `layer::Admit::ip_from` say it, and a proxy by X-Forwarded-For"
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revoked(ended: Option<Reason>) -> Rejected {
        Rejected::Revoked { ended }
    }

    #[test]
    fn every_rejection_has_its_status_and_challenge() {
        let malformed = Rejected::Malformed(Malformed::new("token", "is none"));
        for (rejected, status, challenge) in [
            (Rejected::Missing, 401, "Bearer"),
            (malformed, 401, r#"Bearer error="invalid_token", reason="malformed""#),
            (
                Rejected::Untrusted(Distrust::Issuer),
                401,
                r#"Bearer error="invalid_token", reason="untrusted""#,
            ),
            (Rejected::Expired, 401, r#"Bearer error="invalid_token", reason="expired""#),
            (Rejected::Stale, 401, r#"Bearer error="invalid_token", reason="stale""#),
            (revoked(None), 401, r#"Bearer error="invalid_token", reason="revoked""#),
            (
                revoked(Some(Reason::Kicked)),
                401,
                r#"Bearer error="invalid_token", reason="revoked", ended="kicked""#,
            ),
            (
                Rejected::Unverifiable(Unknown::Session),
                401,
                r#"Bearer error="invalid_token", reason="unverifiable""#,
            ),
            (
                Rejected::Binding,
                401,
                r#"DPoP error="invalid_token", reason="binding", algs="EdDSA ES256 RS256""#,
            ),
            (Rejected::Elsewhere, 401, r#"Bearer error="invalid_token", reason="binding""#),
            (Rejected::Ask, 401, r#"Bearer error="invalid_token", reason="unverifiable""#),
            (
                Rejected::InsufficientScope { needed: "a b:c".into() },
                403,
                r#"Bearer error="insufficient_scope", scope="a b:c""#,
            ),
            (
                Rejected::InsufficientAuthentication {
                    max_age: Some(Duration::from_secs(300)),
                    acr: "2 urn:x:3".into(),
                },
                401,
                r#"Bearer error="insufficient_user_authentication", max_age="300", acr_values="2 urn:x:3""#,
            ),
            (
                Rejected::InsufficientAuthentication { max_age: None, acr: "a\"b".into() },
                401,
                r#"Bearer error="insufficient_user_authentication""#,
            ),
        ] {
            assert_eq!((rejected.status(), &*rejected.challenge()), (status, challenge));
        }
    }

    #[test]
    fn a_missing_role_names_no_scope_and_no_name_breaks_the_header() {
        for needed in ["", "a\"b", "a\\b", "a\r\nb", "é"] {
            let rejected = Rejected::InsufficientScope { needed: needed.into() };
            assert_eq!(rejected.challenge(), r#"Bearer error="insufficient_scope""#);
        }
    }
}
