//! `POST /v1/revocations` as JSON lines: many subjects or sessions in one call, each answered by a line.

use super::body::{Object, bytes, parse_json};
use super::problem::Problem;
use super::revocation_request::{Revocation, RevocationRequest, Wanted};
use super::revocations::{Asker, Outcome};
use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tokio::task::JoinSet;

/// How many lines a batch may have. Inclusive.
pub const LINES_MAX: usize = 1000;

/// The largest batch, in bytes. Inclusive.
pub const BATCH_BYTES_MAX: usize = 1 << 20;

/// How many lines are worked on at once.
const AT_ONCE: usize = 128;

/// What is said of one line.
#[derive(Serialize)]
struct Line {
    line: usize,
    status: u16,
    #[serde(flatten)]
    said: Said,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Said {
    Done(Outcome),
    Refused { detail: String },
}

/// Reads all lines, then does what they say. A line that is wrong refuses the whole batch, before anything is
/// done; a line that could not be done is answered so, and the others are.
///
/// # Errors
/// A line is wrong, or there are too many.
pub(super) async fn answer(asker: Asker, body: Body) -> Result<Response, Problem> {
    let asked = read(&asker, &bytes(body, BATCH_BYTES_MAX).await?)?;
    let mut left = asked.into_iter();
    let (mut running, mut lines) = (JoinSet::new(), Vec::new());
    loop {
        while running.len() < AT_ONCE
            && let Some((line, revocation)) = left.next()
        {
            let asker = asker.clone();
            running.spawn(async move { (line, asker.revoke(&revocation).await) });
        }
        let Some(done) = running.join_next().await else { break };
        if let Ok((line, outcome)) = done {
            lines.push(said(line, outcome));
        }
    }
    lines.sort_unstable_by_key(|line| line.line);
    let mut text = String::new();
    for line in &lines {
        text.push_str(&serde_json::to_string(line).unwrap_or_default());
        text.push('\n');
    }
    Ok(([(CONTENT_TYPE, "application/x-ndjson")], text).into_response())
}

fn read(asker: &Asker, text: &[u8]) -> Result<Vec<(usize, Revocation)>, Problem> {
    let mut asked = Vec::new();
    let lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    for (at, line) in lines.enumerate().filter(|(_, line)| !line.is_empty()) {
        if asked.len() == LINES_MAX {
            return Err(Problem::member("body", "has more than 1000 lines"));
        }
        let number = at + 1;
        let revocation = one(line).and_then(|asked| asker.may(&asked.wanted).map(|()| asked));
        asked.push((number, revocation.map_err(|problem| problem.in_line(number))?));
    }
    match asked.is_empty() {
        true => Err(Problem::member("body", "has no line")),
        false => Ok(asked),
    }
}

fn one(line: &[u8]) -> Result<Revocation, Problem> {
    let Object(request): Object<RevocationRequest> = parse_json(line)?;
    let revocation = request.check()?;
    match revocation.wanted {
        Wanted::Session(_) | Wanted::Subject(_) => Ok(revocation),
        Wanted::Token(_)
        | Wanted::Client(_)
        | Wanted::Key(_)
        | Wanted::Everything
        | Wanted::Filter(_) => {
            Err(Problem::member("target", "must be a `sub` or a `sid` in a batch"))
        }
    }
}

fn said(line: usize, outcome: Result<Outcome, Problem>) -> Line {
    match outcome {
        Ok(outcome) => Line { line, status: 200, said: Said::Done(outcome) },
        Err(problem) => {
            let (status, detail, _) = problem.into_parts();
            Line { line, status: status.as_u16(), said: Said::Refused { detail } }
        }
    }
}
