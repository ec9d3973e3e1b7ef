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
    /// It has fewer events than this process was told of.
    Fewer,
}

/// What this process was told of before: the head, and in which store epoch.
#[derive(Clone, Copy)]
pub(super) struct Told {
    pub(super) epoch: StoreEpoch,
    pub(super) head: u64,
}

/// What the server has, once that is settled.
pub(super) struct Settled {
    pub(super) cutoffs: Arc<Cutoffs>,
    /// That of the cut-offs.
    pub(super) version: u64,
    pub(super) head: u64,
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
    // One of our connections at a time: until one has agreed, none has committed there, and what we were told of is
    // what we were told of before.
    let _turn = place.settling().await;
    if place.origin().as_ref() == Some(&origin) {
        return Ok(());
    }
    settle(connection, place, Cause::Origin(&origin), place.told()).await?;
    place.set_origin(Some(origin));
    Ok(())
}

/// Opens a store epoch, unless another did, or there is no need; counts what was lost of what we were told of.
pub(super) async fn settle(
    connection: &Connection,
    place: &Arc<Place>,
    cause: Cause<'_>,
    told: Told,
) -> Result<(), Trouble> {
    match open(connection, cause, told).await {
        Ok(settled) => {
            place.settled(told, &settled);
            Ok(())
        }
        Err(trouble) => {
            connection.roll_back().await;
            Err(trouble)
        }
    }
}

async fn open(connection: &Connection, cause: Cause<'_>, told: Told) -> Result<Settled, Trouble> {
    // Nobody else reads or writes the cut-offs for a commit from here on.
    connection.begin(true).await?;
    let known = (Arc::new(Cutoffs::default()), 0);
    let (written, found, head) = tokio::join!(
        biased;
        connection.ask(Ask::Origin, []),
        connection.ask(Ask::Cutoffs, []),
        connection.ask(Ask::Head, []),
    );
    let written: Option<String> =
        written?.first().map(|row| rows::column(row, 0)).transpose()?.flatten();
    let (found, head) = (found?, head?);
    let row = found.first().ok_or_else(|| Trouble::again("there are no cut-offs"))?;
    let (mut cutoffs, mut version) = rows::cutoffs(row, 0, &known)?;
    let row = head.first().ok_or_else(|| Trouble::again("the store has no head"))?;
    let head = rows::number(row, 0)?;
    let needed = match (cause, &written) {
        (Cause::Origin(now), Some(written)) => written != now,
        (Cause::Origin(_), None) => false,
        (Cause::Fewer, _) => told.epoch == cutoffs.epoch,
    };
    if needed {
        (cutoffs, version) = next(connection, &cutoffs, version).await?;
        let epoch = i64::from(cutoffs.epoch.0);
        connection.ask(Ask::Lose, [&epoch, &rows::int(told.head)]).await?;
    } else {
        let epoch = i64::from(told.epoch.0);
        connection.ask(Ask::LoseMore, [&epoch, &rows::int(told.head)]).await?;
    }
    if let Cause::Origin(now) = cause {
        connection.ask(Ask::SetOrigin, [&now]).await?;
    }
    connection.run("COMMIT").await?;
    if needed {
        let epoch = cutoffs.epoch.0;
        tracing::warn!(epoch, "PostgreSQL is not where it was: a new store epoch");
    }
    Ok(Settled { cutoffs, version, head })
}

/// Writes the cut-offs of the next epoch.
async fn next(
    connection: &Connection,
    cutoffs: &Cutoffs,
    version: u64,
) -> Result<(Arc<Cutoffs>, u64), Trouble> {
    let mut next = Cutoffs::clone(cutoffs);
    next.epoch = StoreEpoch(next.epoch.0.saturating_add(1));
    let version = version.saturating_add(VERSIONS_AT_EPOCH);
    let value = codec::subject::encode_cutoffs(&next);
    connection.ask(Ask::SetCutoffs, [&rows::int(version), &value]).await?;
    Ok((Arc::new(next), version))
}
