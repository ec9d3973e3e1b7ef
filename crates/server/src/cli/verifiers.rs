//! `symbolon verifiers`: who verifies, and how far each has come.

use crate::cli::api::{Api, ApiArgs};
use crate::cli::show::{text, time};
use crate::cli::{Failure, out};
use clap::Args;
use http::Method;
use serde_json::Value;

/// How to list.
#[derive(Args)]
pub struct VerifiersArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Lists the verifiers.
///
/// # Errors
/// It was refused, or the authority did not answer.
pub async fn run(args: VerifiersArgs) -> Result<(), Failure> {
    let answer = Api::new(args.api)?.call(Method::GET, "/v1/verifiers", None).await?;
    if args.json {
        out::json(&answer);
        return Ok(());
    }
    let items = answer["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    let head =
        ["VERIFIER", "INSTANCE", "LIVE", "LAST SEEN", "LAG", "AGE", "BOUND", "OFFLINE ROUTES"];
    out::table(&head, items.iter().map(row).collect());
    if items.is_empty() {
        out::note("No verifier has reported yet.");
    }
    Ok(())
}

fn row(verifier: &Value) -> Vec<String> {
    let known = |member: &str, unit: &str| match &verifier[member] {
        Value::Null => "-".to_owned(),
        number => format!("{}{unit}", text(number)),
    };
    vec![
        text(&verifier["name"]),
        text(&verifier["instance"]),
        if verifier["live"] == true { "yes" } else { "no" }.to_owned(),
        time(&verifier["last_seen"]),
        known("lag", ""),
        known("age_ms", " ms"),
        known("max_staleness_ms", " ms"),
        text(&verifier["offline_routes"]),
    ]
}
