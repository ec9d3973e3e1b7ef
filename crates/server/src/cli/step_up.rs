//! `symbolon sessions step-up`: say that a person proved more, as a back end would.

use crate::cli::api::{Api, ApiArgs};
use crate::cli::net::escape;
use crate::cli::{Failure, out};
use clap::Args;
use http::Method;
use serde_json::json;

/// Which session to raise, and by what.
#[derive(Args)]
pub struct StepUpArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// The session's id: 22 characters, as `sessions list` shows it
    #[arg(allow_hyphen_values = true)]
    sid: String,
    /// A method that the person was authenticated by, such as pwd or otp; may be repeated
    #[arg(long, required = true)]
    amr: Vec<String>,
    /// At which level
    #[arg(long)]
    acr: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Raises it. The tokens in the answer are the person's, and are not shown.
///
/// # Errors
/// It was refused, or the authority did not answer.
pub async fn run(args: StepUpArgs) -> Result<(), Failure> {
    let path = format!("/v1/sessions/{}/step-up", escape(&args.sid));
    let mut body = json!({"amr": args.amr});
    if let Some(acr) = &args.acr {
        body["acr"] = json!(acr);
    }
    Api::new(args.api)?.call(Method::POST, &path, Some(&body)).await?;
    let level = args.acr.as_deref().map(|acr| format!(", level {acr}")).unwrap_or_default();
    let said = format!("stepped up: {}{level}; its next renewal says so", args.amr.join(" "));
    match args.json {
        true => out::json(&json!({"session_id": args.sid, "amr": args.amr, "acr": args.acr})),
        false => out::line(said),
    }
    Ok(())
}
