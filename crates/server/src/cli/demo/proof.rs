//! `symbolon demo proof`: what a client makes of its key (RFC 9449), to try bound sessions by hand.

use crate::cli::{Failure, out};
use crate::clock::civil_now;
use crate::keys::pem_key;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use clap::Args;
use data_encoding::BASE64URL_NOPAD;
use std::path::PathBuf;
use symbolon_wire::{NewProof, SigningKey};

/// What is to be made, and with which key.
#[derive(Args)]
pub struct ProofArgs {
    /// The device's key: PKCS #8 in PEM, as `openssl genpkey` writes it
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Print `jkt`, the name of the key, instead of a proof
    #[arg(long, conflicts_with_all = ["method", "url", "access_token", "nonce"])]
    thumbprint: bool,
    /// The method of the request, such as POST
    #[arg(required_unless_present = "thumbprint")]
    method: Option<String>,
    /// The URL of the request
    #[arg(required_unless_present = "thumbprint")]
    url: Option<String>,
    /// The access token that goes with it
    #[arg(long, value_name = "TOKEN")]
    access_token: Option<String>,
    /// What the last answer had as `DPoP-Nonce`
    #[arg(long, allow_hyphen_values = true)]
    nonce: Option<String>,
}

/// Prints a proof that is good for one request, or the thumbprint.
///
/// # Errors
/// The key cannot be read, or is a secret; the system has no randomness.
pub(super) fn run(args: &ProofArgs) -> Result<(), Failure> {
    let key = pem_key(&args.key).map_err(|why| Failure::could_not(why.to_string()))?;
    if args.thumbprint {
        out::line(thumbprint(&key)?);
        return Ok(());
    }
    let mut drawn = [0; 16];
    let failed = || Failure::could_not("could not draw a name for the proof");
    SystemRandom::new().fill(&mut drawn).map_err(|_| failed())?;
    let proof = NewProof {
        jti: &BASE64URL_NOPAD.encode(&drawn),
        method: args.method.as_deref().unwrap_or_default(),
        url: args.url.as_deref().unwrap_or_default(),
        at: civil_now(),
        access_token: args.access_token.as_deref(),
        nonce: args.nonce.as_deref(),
    };
    out::line(proof.sign(&key).map_err(|_| Failure::could_not("could not sign the proof"))?);
    Ok(())
}

fn thumbprint(key: &SigningKey) -> Result<String, Failure> {
    let public = key.public_jwk();
    let public = public.ok_or_else(|| Failure::could_not("the key has no public half"))?;
    Ok(BASE64URL_NOPAD.encode(&public.thumbprint()))
}
