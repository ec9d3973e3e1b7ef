//! The back ends that are asked about renewals: whether anything answers there.

use super::Finding;
use crate::cli::net::{Net, at};
use crate::config::{Client, Config, Hook, OnFailure};
use bytes::Bytes;
use http::{Request, Uri, header};
use http_body_util::Full;

const WHAT: &str = "hook";

pub(super) async fn look(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    for client in config.clients.values() {
        if let Some(hook) = &client.hook {
            findings.push(one(client, hook).await);
        }
    }
    findings
}

/// The URL is not shown: there may be a secret in its path.
async fn one(client: &Client, hook: &Hook) -> Finding {
    let id = client.id.as_str();
    let next = "start it, or see whether this machine may reach it; its URL is `hook.url`";
    match (answers(&hook.url).await, hook.on_failure) {
        (Some(status), _) => {
            Finding::good(WHAT, format!("the back end of client {id} answers ({status})"))
        }
        (None, OnFailure::LastKnown) => {
            let found = format!("the back end of client {id} does not answer: it renews unasked");
            Finding::warn(WHAT, found, next)
        }
        (None, OnFailure::Refuse) => {
            let found =
                format!("the back end of client {id} does not answer: nothing of it renews");
            Finding::bad(WHAT, found, next)
        }
    }
}

/// Whatever it says to a question that means nothing: it is asked about nobody.
async fn answers(url: &str) -> Option<u16> {
    let base: Uri = url.parse().ok()?;
    let mut connection = Net::new(None).ok()?.connect(&base).await.ok()?;
    let host = at(&base, "").authority()?.as_str().to_owned();
    let request = Request::options(base.path_and_query()?.as_str()).header(header::HOST, host);
    let answer = connection.send(request.body(Full::new(Bytes::new())).ok()?).await.ok()?;
    Some(answer.status.as_u16())
}
