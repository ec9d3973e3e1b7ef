//! `symbolon feed tail`: what verifiers are told, as it happens.

use crate::cli::api::{Api, ApiArgs};
use crate::cli::net::Streamed;
use crate::cli::{Failure, out};
use clap::{Args, Subcommand};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use symbolon_core::Effect;
use symbolon_wire::feed::{Cursor, Frame, FrameReader, Hit, Revocation};
use symbolon_wire::key_id_text;

/// The longest first line of a snapshot, in bytes. Inclusive.
const LINE_BYTES_MAX: usize = 8 * 1024;

/// What may be done with the feed.
#[derive(Subcommand)]
pub enum Command {
    /// Follow the feed of revocations, as a verifier does
    Tail(TailArgs),
}

/// How to follow.
#[derive(Args)]
pub struct TailArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// Show checkpoints and hints too
    #[arg(long)]
    verbose: bool,
    /// Print JSON, one line for each frame
    #[arg(long)]
    json: bool,
}

/// Runs one of them.
///
/// # Errors
/// It was refused, or the feed ended.
pub async fn run(command: Command) -> Result<(), Failure> {
    let Command::Tail(args) = command;
    let mut api = Api::new(args.api.clone())?;
    let start = start(&mut api).await?;
    let cursor = start["cursor"].as_str().unwrap_or_default();
    let position = Cursor::parse(cursor).map(|cursor| cursor.position).unwrap_or_default();
    match args.json {
        true => {
            out::json(&json!({"event": "snapshot", "count": start["count"], "position": position}))
        }
        false => out::line(format!(
            "{} revocations are in force at position {position}; following",
            start["count"]
        )),
    }
    let mut stream = api.open(&format!("/v1/feed?after={cursor}")).await?;
    let mut reader = FrameReader::default();
    loop {
        while let Some(frame) = reader.next_frame() {
            let frame = frame.map_err(|why| unreadable().because(why))?;
            if let Frame::Bye(retry) = frame {
                let after = format!("come back after {} ms", retry.as_millis());
                return Err(Failure::could_not("the authority ended the feed").because(after));
            }
            say(&frame, &args);
        }
        match piece(&mut stream).await? {
            Some(piece) => reader.push(&piece),
            None => return Err(Failure::could_not("the feed ended without a goodbye")),
        }
    }
}

/// The first line of a snapshot: where it stands, and how much is in it. The rest is not read.
async fn start(api: &mut Api) -> Result<Value, Failure> {
    let mut stream = api.open("/v1/feed/snapshot").await?;
    let mut line = Vec::new();
    while line.len() <= LINE_BYTES_MAX {
        let Some(piece) = piece(&mut stream).await? else { break };
        line.extend_from_slice(&piece);
        if let Some(end) = line.iter().position(|byte| *byte == b'\n') {
            return serde_json::from_slice(&line[..end]).map_err(|why| unreadable().because(why));
        }
    }
    Err(unreadable())
}

async fn piece(stream: &mut Streamed) -> Result<Option<bytes::Bytes>, Failure> {
    stream.next().await.map_err(|why| Failure::could_not("the feed broke").because(why))
}

fn unreadable() -> Failure {
    Failure::could_not("what came is not the feed of an authority")
        .next("is --url (SYMBOLON_URL) the URL of a Symbolon authority?")
}

fn say(frame: &Frame, args: &TailArgs) {
    match (frame, args.json) {
        (Frame::Revocation(cursor, revocation), true) => out::json(&as_json(cursor, revocation)),
        (Frame::Revocation(cursor, revocation), false) => out::line(as_line(cursor, revocation)),
        (Frame::Checkpoint(jws), true) if args.verbose => {
            out::json(&json!({"event": "checkpoint", "jws": jws}));
        }
        (Frame::Checkpoint(_), false) if args.verbose => out::line("checkpoint"),
        (Frame::Key(key), json) if args.verbose => {
            let kid = key_id_text(key.kid);
            match json {
                true => out::json(&json!({"event": "key", "kid": kid, "state": key.state})),
                false => out::line(format!("key {kid} {}", key.state)),
            }
        }
        (Frame::Report, false) if args.verbose => out::line("verifiers are asked to report"),
        _ => {}
    }
}

/// What of a target may be told, if anything.
fn name(hit: &Hit) -> Option<String> {
    match hit {
        Hit::Token(digest)
        | Hit::Session(digest)
        | Hit::Subject(digest, _)
        | Hit::Client(digest, _) => Some(BASE64URL_NOPAD.encode(&digest.0)),
        Hit::Key(kid) => Some(key_id_text(*kid)),
        Hit::Everything(_) => None,
    }
}

const fn effect(effect: Effect) -> &'static str {
    match effect {
        Effect::Revoked => "revoked",
        Effect::Stale => "stale",
    }
}

fn as_line(cursor: &Cursor, revocation: &Revocation) -> String {
    let Revocation { at, entry } = revocation;
    let name = name(&entry.hit).map(|name| name[..8].to_owned()).unwrap_or_default();
    let line = format!(
        "{:<6} {} {:<10} {:<7} {:<19} {name}",
        cursor.position,
        out::utc(at.as_seconds()),
        entry.hit.kind(),
        effect(entry.effect),
        entry.reason.as_str(),
    );
    line.trim_end().to_owned()
}

fn as_json(cursor: &Cursor, revocation: &Revocation) -> Value {
    let Revocation { at, entry } = revocation;
    let mut line = json!({
        "event": "revocation",
        "position": cursor.position,
        "at": at.as_seconds(),
        "kind": entry.hit.kind(),
        "effect": effect(entry.effect),
        "reason": entry.reason.as_str(),
        "expires_at": entry.expires_at.as_seconds(),
    });
    if let Some(name) = name(&entry.hit) {
        let member = if matches!(entry.hit, Hit::Key(_)) { "kid" } else { "digest" };
        line[member] = name.into();
    }
    if let Some(below) = entry.hit.below() {
        line["below"] = json!([below.epoch.0, below.counter]);
    }
    line
}
