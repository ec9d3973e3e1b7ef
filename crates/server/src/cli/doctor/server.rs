//! The running authority, if there is one, and what the system lets it have.

use super::Finding;
use crate::authority::take_descriptors;
use crate::cli::dev::setup::authority_url;
use crate::cli::net::{Net, at};
use crate::config::Config;
use crate::http::serve::{CONNECTIONS_MAX, connections_max};
use bytes::Bytes;
use http::{Request, Uri, header};
use http_body_util::Full;

pub(super) fn descriptors() -> Finding {
    let served = connections_max(take_descriptors());
    let found = format!("{served} connections can be open at once");
    match served < CONNECTIONS_MAX {
        true => Finding::warn("descriptors", found, "raise LimitNOFILE= (or ulimit -n) to 16384"),
        false => Finding::good("descriptors", found),
    }
}

/// Asks the authority on this machine whether it is ready.
pub(super) async fn look(config: &Config) -> Finding {
    const WHAT: &str = "authority";
    if config.tls.is_some() {
        return Finding::good(WHAT, "it speaks TLS; ask its /readyz by its name");
    }
    let url = authority_url(config.listen);
    match ready(&url).await {
        None => Finding::good(WHAT, format!("none is running at {url}")),
        Some(200) => Finding::good(WHAT, format!("the one at {url} is ready")),
        Some(status) => {
            let found = format!("the one at {url} is not ready: /readyz answers {status}");
            Finding::bad(WHAT, found, "its log says why; see docs/runbook.md")
        }
    }
}

async fn ready(url: &str) -> Option<u16> {
    let base: Uri = url.parse().ok()?;
    let mut connection = Net::new(None).ok()?.connect(&base).await.ok()?;
    let request = Request::get("/readyz").header(header::HOST, at(&base, "").authority()?.as_str());
    let answer = connection.send(request.body(Full::new(Bytes::new())).ok()?).await.ok()?;
    Some(answer.status.as_u16())
}
