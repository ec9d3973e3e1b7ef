//! Sessions of other systems: looked at and decided on in chunks.

use super::{About, Arriving, Awaited, Engine, Remote};
use crate::change::FIRST_VERSION;
use crate::codec;
use crate::import::{Looked, after, bounded, brought, looked};
use crate::{Brought, Incoming, OldToken, RACES_MAX};
use std::collections::HashMap;
use symbolon_core::{
    Arrival, Cutoffs, Denial, Digest, Fault, Import, Imported, RefreshToken, Subject, SubjectState,
};

impl<E: Engine> Remote<E> {
    pub(crate) async fn import(
        &self,
        chunk: &[Incoming],
        decide: impl Fn(&Import, &SubjectState, &Cutoffs) -> Result<Imported, Denial> + Send + Sync,
    ) -> Result<Vec<Brought>, Fault> {
        for _ in 0..RACES_MAX {
            let awaited = self.awaited(chunk).await?;
            let looked = look(chunk, &awaited, &decide);
            let rows: Vec<_> = looked
                .iter()
                .zip(&awaited.of_each)
                .filter_map(|(looked, (_, moves, _))| {
                    looked.as_ref().ok().map(|arrival| arriving(arrival, *moves))
                })
                .collect();
            if rows.is_empty() {
                return Ok(looked.iter().map(brought).collect());
            }
            let latest = rows.iter().map(|row| row.at).max();
            let arriving = self.engine().arrive(awaited.cutoffs_version, rows);
            if let Some(created) = self.0.shared.writing(arriving).await? {
                self.0.shared.saw_latest(latest.unwrap_or_default());
                return Ok(after(&looked, &created));
            }
        }
        Err(Fault::Contention)
    }

    pub(crate) async fn would_import(
        &self,
        chunk: &[Incoming],
        decide: impl Fn(&Import, &SubjectState, &Cutoffs) -> Result<Imported, Denial> + Send + Sync,
    ) -> Result<Vec<Brought>, Fault> {
        let awaited = self.awaited(chunk).await?;
        Ok(look(chunk, &awaited, &decide).iter().map(brought).collect())
    }

    pub(crate) async fn know_tokens(&self, tokens: &[OldToken]) -> Result<(), Fault> {
        bounded(tokens.len())?;
        self.0.shared.writing(self.engine().know(tokens)).await
    }

    pub(crate) async fn imported(&self, digest: &Digest) -> Result<Option<RefreshToken>, Fault> {
        let Some(sid) = self.engine().imported(digest).await? else { return Ok(None) };
        let stored = self.engine().session(sid).await?;
        Ok(stored.map(|stored| RefreshToken::assume_imported(&stored.session)))
    }

    async fn awaited(&self, chunk: &[Incoming]) -> Result<Awaited, Fault> {
        bounded(chunk.len())?;
        let of = |incoming: &Incoming| {
            let start = &incoming.import.start;
            (start.subject.clone(), start.sid.shard(), incoming.digest)
        };
        let of: Vec<_> = chunk.iter().map(of).collect();
        self.engine().awaited(&of).await
    }
}

/// Decides on each, given what those before it in the chunk make known of its subject.
fn look(
    chunk: &[Incoming],
    awaited: &Awaited,
    decide: &impl Fn(&Import, &SubjectState, &Cutoffs) -> Result<Imported, Denial>,
) -> Vec<Looked> {
    let mut made_known: HashMap<&Subject, SubjectState> = HashMap::new();
    let mut all = Vec::with_capacity(chunk.len());
    for (incoming, (state, _, is_there)) in chunk.iter().zip(&awaited.of_each) {
        let subject = &incoming.import.start.subject;
        let state = made_known.get(subject).unwrap_or(state);
        let looked = match is_there {
            true => Err(Brought::AlreadyThere),
            false => looked(decide(&incoming.import, state, &awaited.cutoffs)),
        };
        let known = looked.as_ref().ok().and_then(|arrival| arrival.subject.clone());
        made_known.extend(known.map(|state| (subject, state)));
        all.push(looked);
    }
    all
}

fn arriving(arrival: &Arrival, moves: u64) -> Arriving {
    let session = &arrival.session;
    let about = About { subject: session.subject.clone(), shard: session.sid.shard(), moves };
    Arriving {
        sid: session.sid,
        about,
        row: codec::session::encode(session, FIRST_VERSION),
        known: arrival.subject.as_ref().map(codec::subject::encode),
        at: session.last_used_at,
    }
}
