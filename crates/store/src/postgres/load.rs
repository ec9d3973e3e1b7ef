//! Loading sessions: those who come together are served by one statement.

use super::ask::Ask;
use super::line::Batch;
use super::place::Connection;
use super::rows;
use super::trouble::Trouble;
use crate::remote::{Shared, Stored};
use std::collections::HashMap;
use std::sync::Arc;
use symbolon_core::SessionId;

/// What is to be loaded.
pub(super) enum Load {
    /// A session with all that a rule looks at.
    Session(SessionId),
    /// The position of the newest event.
    Head,
}

/// What was loaded.
pub(super) enum Loaded {
    Session(Option<Box<Stored>>),
    Head(u64),
}

/// Loads.
pub(super) struct Loads {
    pub(super) shared: Arc<Shared>,
}

impl Batch for Loads {
    type Asked = Load;
    type Answer = Loaded;

    const MAX: usize = 512;

    async fn run(&self, connection: &Connection, asked: &[Load]) -> Result<Vec<Loaded>, Trouble> {
        let mut sids: Vec<&[u8]> = asked.iter().filter_map(Load::sid).collect();
        sids.sort_unstable();
        sids.dedup();
        let known = self.shared.seen();
        let version = rows::int(known.1);
        let wants_head = asked.iter().any(|load| load.sid().is_none());
        let (found, head) = tokio::join!(
            connection.ask_if(!sids.is_empty(), Ask::Load, [&sids, &version]),
            connection.ask_if(wants_head, Ask::Head, []),
        );
        let (found, head) = (found?, head?);
        let head = head.first().map(|row| rows::number(row, 0)).transpose()?.unwrap_or_default();
        let mut sessions = HashMap::with_capacity(found.len());
        for row in &found {
            let stored = rows::stored(row, &known)?;
            self.shared.saw_cutoffs(&stored.cutoffs, stored.cutoffs_version);
            sessions.insert(stored.session.sid, stored);
        }
        let once = asked.iter().filter(|load| load.sid().is_some()).count() == sids.len();
        let mut take =
            |sid: &SessionId| if once { sessions.remove(sid) } else { sessions.get(sid).cloned() };
        let answer = |load: &Load| match load {
            Load::Session(sid) => Loaded::Session(take(sid).map(Box::new)),
            Load::Head => Loaded::Head(head),
        };
        Ok(asked.iter().map(answer).collect())
    }
}

impl Load {
    fn sid(&self) -> Option<&[u8]> {
        match self {
            Self::Session(sid) => Some(sid.as_bytes()),
            Self::Head => None,
        }
    }
}
