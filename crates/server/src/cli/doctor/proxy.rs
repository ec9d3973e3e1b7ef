//! The feed through the public URL, as a verifier far away opens it: a proxy that gathers an answer before it
//! passes it on makes every mirror old.

use super::Finding;
use crate::cli::api::{Api, ApiArgs};
use crate::config::Config;
use http::Uri;
use std::time::Duration;
use symbolon_wire::feed::{Frame, FrameReader};
use tokio::time::timeout;

const WHAT: &str = "public feed";

/// How long the first checkpoint may take: one leaves each second, and after this a verifier asks by polls.
const CHECKPOINT_MAX: Duration = Duration::from_secs(3);

/// What became of the first checkpoint.
enum Came {
    /// It was there in time.
    InTime,
    /// The answer began, and none was there in time.
    Late,
}

pub(super) async fn look(config: &Config, args: &ApiArgs) -> Finding {
    let next = "give an API key with the scope revocations:read: SYMBOLON_API_KEY";
    let key = args.api_key.clone().filter(|key| !key.is_empty());
    let (Some(key), Ok(url)) = (key, config.issuer.parse::<Uri>()) else {
        return Finding::good(WHAT, format!("not looked at; {next}"));
    };
    let args = ApiArgs { url: Some(url), api_key: Some(key), data: None, ..args.clone() };
    match ask(args).await {
        Ok(Came::InTime) => {
            Finding::good(WHAT, format!("checkpoints come through {} as they are", config.issuer))
        }
        Ok(Came::Late) => {
            let seconds = CHECKPOINT_MAX.as_secs();
            let found = format!("no checkpoint within {seconds} s through {}", config.issuer);
            let next = "a proxy in between buffers: switch that off for /v1/feed (nginx: \
                        proxy_buffering off); verifiers ask by polls meanwhile";
            Finding::bad(WHAT, found, next)
        }
        // A machine need not reach its own public URL.
        Err(why) => {
            let found = why.lines().next().unwrap_or_default().to_owned();
            Finding::warn(
                WHAT,
                found,
                "see whether the public URL leads to the authority; then again",
            )
        }
    }
}

async fn ask(args: ApiArgs) -> Result<Came, String> {
    let mut api = Api::new(args).map_err(|why| why.to_string())?;
    // A proxy may hold the head of the answer back as well.
    let opening = timeout(CHECKPOINT_MAX, api.open("/v1/feed"));
    let Ok(opened) = opening.await else { return Ok(Came::Late) };
    let mut stream = opened.map_err(|why| why.to_string())?;
    let reading = async {
        let mut reader = FrameReader::default();
        loop {
            while let Some(frame) = reader.next_frame() {
                let frame = frame.map_err(|why| why.to_string())?;
                if matches!(frame, Frame::Checkpoint(_)) {
                    return Ok(Came::InTime);
                }
                if matches!(frame, Frame::Bye(_)) {
                    return Err("the authority ended the feed".to_owned());
                }
            }
            match stream.next().await {
                Ok(Some(piece)) => reader.push(&piece),
                Ok(None) => return Err("the feed ended without a goodbye".to_owned()),
                Err(why) => return Err(why.to_string()),
            }
        }
    };
    timeout(CHECKPOINT_MAX, reading).await.unwrap_or(Ok(Came::Late))
}
