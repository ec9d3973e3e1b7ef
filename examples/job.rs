//! A job that verifies tokens without a server: keys from a file, tokens from standard input, one a line.
//!
//! It knows nothing of revocations, so it says only whether a token is genuine and of this moment.
//!
//! ```sh
//! curl -s http://127.0.0.1:8620/.well-known/jwks.json > keys.json
//! echo "$TOKEN" | cargo run -p symbolon-verify --example job http://127.0.0.1:8620 keys.json
//! ```

use std::error::Error;
use std::io::{BufRead, Write};
use symbolon_verify::{KeySet, Now, Policy, Presented, Verifier};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(issuer), Some(keys)) = (arguments.next(), arguments.next()) else {
        return Err("usage: job ISSUER KEYS.json < TOKENS".into());
    };
    let keys = KeySet::parse(&std::fs::read_to_string(keys)?)?;
    let verifier = Verifier::builder(&issuer).audience("demo-api").offline(keys)?;
    let mut out = std::io::stdout().lock();
    for token in std::io::stdin().lock().lines() {
        let token = token?;
        let says =
            verifier.check(&Presented::bearer(&token), &Policy::offline(), Now::read(), |claims| {
                format!("{} through {}", claims.sub, claims.client_id)
            });
        match says {
            Ok(says) => writeln!(out, "good: {says}")?,
            Err(rejected) => writeln!(out, "refused: {rejected}")?,
        }
    }
    Ok(())
}
