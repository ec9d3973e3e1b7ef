//! Sessions of other systems: looked at and decided on in chunks, each chunk one commit.

use super::change::{Arriving, Imports, Seen, Task};
use super::{Sqlite, fault, read};
use crate::codec;
use crate::import::{Looked, after, bounded, brought, looked};
use crate::{Brought, Incoming, OldToken, RACES_MAX};
use rusqlite::Connection;
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use symbolon_core::{
    Arrival, Cutoffs, Denial, Digest, Fault, Import, Imported, RefreshToken, Subject, SubjectState,
};

impl Sqlite {
    pub(crate) async fn import(
        &self,
        chunk: &[Incoming],
        decide: impl Fn(&Import, &SubjectState, &Cutoffs) -> Result<Imported, Denial> + Send + Sync,
    ) -> Result<Vec<Brought>, Fault> {
        self.serving()?;
        for _ in 0..RACES_MAX {
            let seen = self.0.shared.seen();
            let looked = self.look(chunk, &seen, &decide)?;
            let arrivals = looked.iter().filter_map(|looked| looked.as_ref().ok());
            let rows = arrivals.map(|arrival| self.arriving(arrival)).collect();
            let imports = Imports { seen, rows };
            if imports.rows.is_empty() {
                return Ok(looked.iter().map(brought).collect());
            }
            let done = self.submit(Task::Import(imports)).await?;
            if done.applied {
                return Ok(after(&looked, &done.created));
            }
        }
        Err(Fault::Contention)
    }

    pub(crate) async fn know_tokens(&self, tokens: &[OldToken]) -> Result<(), Fault> {
        self.serving()?;
        bounded(tokens.len())?;
        self.0.shared.imported.store(true, Ordering::Release);
        self.submit(Task::Know(tokens.to_vec())).await.map(|_| ())
    }

    pub(crate) async fn would_import(
        &self,
        chunk: &[Incoming],
        decide: impl Fn(&Import, &SubjectState, &Cutoffs) -> Result<Imported, Denial>,
    ) -> Result<Vec<Brought>, Fault> {
        self.serving()?;
        let looked = self.look(chunk, &self.0.shared.seen(), &decide)?;
        Ok(looked.iter().map(brought).collect())
    }

    pub(crate) async fn imported(&self, digest: &Digest) -> Result<Option<RefreshToken>, Fault> {
        self.serving()?;
        if !self.0.shared.imported.load(Ordering::Acquire) {
            return Ok(None);
        }
        self.0.readers.with(|connection| {
            let Some(sid) = read::imported(connection, digest)? else { return Ok(None) };
            let stored = read::session(connection, sid)?;
            Ok(stored.map(|stored| RefreshToken::assume_imported(&stored.session)))
        })
    }

    /// Decides on each, given what those before it in the chunk make known of its subject.
    fn look(
        &self,
        chunk: &[Incoming],
        seen: &Seen,
        decide: &impl Fn(&Import, &SubjectState, &Cutoffs) -> Result<Imported, Denial>,
    ) -> Result<Vec<Looked>, Fault> {
        bounded(chunk.len())?;
        let any = self.0.shared.imported.load(Ordering::Acquire);
        let mut made_known: HashMap<&Subject, SubjectState> = HashMap::new();
        self.0.readers.with(|connection| {
            let snapshot = connection.transaction().map_err(|error| fault(&error))?;
            let mut all = Vec::with_capacity(chunk.len());
            for incoming in chunk {
                let subject = &incoming.import.start.subject;
                let state = match made_known.get(subject) {
                    Some(state) => state.clone(),
                    None => read::subject(&snapshot, subject)?,
                };
                let decided = decide(&incoming.import, &state, &seen.cutoffs);
                let looked = match any && is_there(&snapshot, &incoming.digest)? {
                    true => Err(Brought::AlreadyThere),
                    false => looked(decided),
                };
                let known = looked.as_ref().ok().and_then(|arrival| arrival.subject.clone());
                made_known.extend(known.map(|state| (subject, state)));
                all.push(looked);
            }
            Ok(all)
        })
    }

    fn arriving(&self, arrival: &Arrival) -> Arriving {
        let session = &arrival.session;
        Arriving {
            sid: session.sid,
            subject: session.subject.clone(),
            hash: self.0.shared.hash(&session.subject),
            row: codec::session::encode(session, crate::change::FIRST_VERSION),
            known: arrival.subject.as_ref().map(codec::subject::encode),
            at: session.last_used_at,
        }
    }
}

fn is_there(connection: &Connection, digest: &Digest) -> Result<bool, Fault> {
    read::imported(connection, digest).map(|sid| sid.is_some())
}
