//! Walking over many rows for a few: a bounded number of them a call, in chunks, whatever they are read from.

use crate::{EXAMINED_MAX, History, PAGE_MAX, Page, Query};
use symbolon_core::{Event, Fault, Loaded, SessionId};

/// How many rows are read at once, between which other work of the caller's task can go on.
pub(crate) const CHUNK_ROWS: usize = 512;

/// The sessions that `query` asks for and `keep` wants; `chunk` reads at most [`CHUNK_ROWS`] after a name.
pub(crate) async fn page<F>(
    query: &Query,
    keep: impl Fn(&Loaded) -> bool + Send + Sync,
    chunk: impl Fn(Option<SessionId>) -> F + Send + Sync,
) -> Result<Page, Fault>
where
    F: Future<Output = Result<Vec<Loaded>, Fault>> + Send,
{
    let limit = query.limit.clamp(1, PAGE_MAX);
    let mut page = Page { sessions: Vec::new(), next: query.after };
    for _ in 0..EXAMINED_MAX / CHUNK_ROWS {
        let rows = chunk(page.next).await?;
        let last = rows.len() < CHUNK_ROWS;
        for loaded in rows {
            page.next = Some(loaded.session.sid);
            let of = query.subject.as_ref();
            let meant = of.is_none_or(|(subject, _)| loaded.session.subject == *subject);
            if meant && keep(&loaded) {
                page.sessions.push(loaded);
            }
            if page.sessions.len() == limit {
                return Ok(page);
            }
        }
        if last {
            return Ok(Page { next: None, ..page });
        }
    }
    Ok(page)
}

/// The events after a position that `keep` wants; `chunk` reads at most [`CHUNK_ROWS`] after a position.
pub(crate) async fn history<F>(
    (after, limit): (u64, usize),
    keep: impl Fn(&Event) -> bool + Send + Sync,
    chunk: impl Fn(u64) -> F + Send + Sync,
) -> Result<History, Fault>
where
    F: Future<Output = Result<Vec<(u64, Event)>, Fault>> + Send,
{
    let limit = limit.clamp(1, PAGE_MAX);
    let (mut events, mut at) = (Vec::new(), after);
    for _ in 0..EXAMINED_MAX / CHUNK_ROWS {
        let rows = chunk(at).await?;
        // A short chunk is not the last one: it ends where an engine left positions out.
        if rows.is_empty() {
            return Ok(History { events, next: None });
        }
        for (position, event) in rows {
            at = position;
            if keep(&event) {
                events.push((position, event));
            }
            if events.len() == limit {
                return Ok(History { events, next: Some(at) });
            }
        }
    }
    Ok(History { events, next: Some(at) })
}
