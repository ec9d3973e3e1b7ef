//! Which cluster, and which of its timelines, the rows are of. PostgreSQL keeps what it acknowledged, so a restart
//! changes nothing; a standby that was promoted, or a backup that was put back, may lack what was acknowledged,
//! and goes on under a timeline or a cluster of another name. Then a new store epoch is opened, once.

use super::ask::Ask;
use super::place::{Connection, Place};
use super::rows;
use super::trouble::Trouble;
use crate::codec;
use std::sync::Arc;
use symbolon_core::{Cutoffs, StoreEpoch};

/// The cluster's name and the timeline that is written now. Not of the last checkpoint, which a promotion is not
/// yet in.
const NOW: &str = "SELECT (SELECT system_identifier FROM pg_control_system())::text \
     || '/' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)";

/// How far the version of the cut-offs goes on with an epoch: beyond any that was lost.
const VERSIONS_AT_EPOCH: u64 = 1 << 32;

/// Why an epoch may have to be opened.
#[derive(Clone, Copy)]
pub(super) enum Cause<'a> {
    /// This is what the server says that it is.
    Origin(&'a str),
    /// It has fewer events than it had, while the cut-offs are of this version.
    Fewer(u64),
}

/// Asks the server what it is; `None`: it does not say, or may not say it to us.
pub(super) async fn now(connection: &Connection) -> Result<Option<String>, Trouble> {
    match connection.look(NOW).await {
        Ok(all) => all.first().map_or(Ok(None), |row| rows::column(row, 0)),
        Err(error) if error.as_db_error().is_some() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Makes sure that the rows are known to be this server's before anything is done with them.
pub(super) async fn agree(connection: &Connection, place: &Arc<Place>) -> Result<(), Trouble> {
    let Some(origin) = now(connection).await? else { return Ok(()) };
    if place.origin().as_ref() == Some(&origin) {
        return Ok(());
    }
    open_epoch(connection, Cause::Origin(&origin)).await?;
    place.set_origin(Some(origin));
    Ok(())
}

/// Opens a store epoch, unless another did, or there is no need.
pub(super) async fn open_epoch(connection: &Connection, cause: Cause<'_>) -> Result<(), Trouble> {
    let opened = open(connection, cause).await;
    match &opened {
        Ok(Some(epoch)) => {
            tracing::warn!(epoch = epoch.0, "PostgreSQL is not where it was: a new store epoch");
        }
        Ok(None) => {}
        Err(_) => connection.roll_back().await,
    }
    opened.map(|_| ())
}

async fn open(connection: &Connection, cause: Cause<'_>) -> Result<Option<StoreEpoch>, Trouble> {
    // Nobody else reads or writes the cut-offs for a commit from here on.
    connection.begin(true).await?;
    let known = (Arc::new(Cutoffs::default()), 0);
    let (written, found) =
        tokio::join!(biased; connection.ask(Ask::Origin, []), connection.ask(Ask::Cutoffs, []));
    let written: Option<String> =
        written?.first().map(|row| rows::column(row, 0)).transpose()?.flatten();
    let found = found?;
    let row = found.first().ok_or_else(|| Trouble::again("there are no cut-offs"))?;
    let (cutoffs, version) = rows::cutoffs(row, 0, &known)?;
    let needed = match (cause, &written) {
        (Cause::Origin(now), Some(written)) => written != now,
        (Cause::Origin(_), None) => false,
        (Cause::Fewer(seen), _) => seen == version,
    };
    let mut opened = None;
    if needed {
        let mut next = Cutoffs::clone(&cutoffs);
        next.epoch = StoreEpoch(next.epoch.0.saturating_add(1));
        let version = rows::int(version.saturating_add(VERSIONS_AT_EPOCH));
        let value = codec::subject::encode_cutoffs(&next);
        connection.ask(Ask::SetCutoffs, [&version, &value]).await?;
        opened = Some(next.epoch);
    }
    if let Cause::Origin(now) = cause {
        connection.ask(Ask::SetOrigin, [&now]).await?;
    }
    connection.run("COMMIT").await?;
    Ok(opened)
}
