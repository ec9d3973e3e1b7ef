//! Before a map is used: is this the store that we know, on primaries that it knows, and are all lanes at
//! the log's version? Else a store epoch opens, or the store is refused.

use super::link::Trouble;
use super::links::{Links, LogState, next_version};
use super::map::Map;
use super::rows::{Answer, LANES, read_version, version_of};
use super::scripts::{Call, Place, Script, lane, log};
use crate::codec;
use redis::{Pipeline, Value};
use std::sync::atomic::Ordering;
use symbolon_core::{Cutoffs, Fault, StoreEpoch, Timestamp};

/// What the keys are written as.
pub(super) const SCHEMA: u64 = 1;

/// How many positions a store epoch has. More than can be lost at once: positions of the next epoch were
/// never given out.
const POSITIONS: u64 = 1 << 32;

/// How many primaries are remembered. Exclusive.
const PRIMARIES_MAX: u64 = 1024;

/// How often opening an epoch is tried again when others do it too.
const TRIES_MAX: usize = 16;

/// The first store epoch is the second at which the store was made, counted from 2026 on: a store that is
/// made again where another was lost has no epoch twice.
const FIRST_EPOCH_AT: u64 = 1_767_225_600;

/// Why a map is not used.
#[derive(Debug)]
pub(super) enum Unsettled {
    /// Try again.
    Trouble(Trouble),
    /// There was a store and it is gone.
    Gone(String),
    /// A later version of this program wrote it.
    Newer(u64),
    /// What is there is no store of this program.
    Foreign(String),
}

impl From<Trouble> for Unsettled {
    fn from(trouble: Trouble) -> Self {
        if let Trouble::Refused(text) = &trouble
            && text.contains("WRONGTYPE")
        {
            return Self::Foreign(text.clone());
        }
        Self::Trouble(trouble)
    }
}

impl From<Fault> for Unsettled {
    fn from(fault: Fault) -> Self {
        Self::Foreign(fault.to_string())
    }
}

/// What the lanes say of themselves.
pub(super) struct Lanes {
    /// `None`: the lane has never been written.
    pub(super) versions: [Option<u64>; LANES as usize],
    pub(super) ends: [u64; LANES as usize],
    pub(super) latest: Timestamp,
}

impl Links {
    /// Makes a map fit for use; `opening`: nothing was served from the store yet, so there may be none.
    pub(super) async fn settle(&self, map: &Map, opening: bool) -> Result<(), Unsettled> {
        for _ in 0..TRIES_MAX {
            let lanes = self.lanes(map).await?;
            let Some(state) = self.log_of(map).await? else {
                self.create(map, &lanes, opening).await?;
                continue;
            };
            if SCHEMA < state.schema {
                return Err(Unsettled::Newer(state.schema));
            }
            if *self.made.get_or_init(|| state.made.clone()) != state.made {
                return Err(Unsettled::Gone(
                    "another store was made in the place of this one: restart to use that".into(),
                ));
            }
            let newest = lanes.versions.iter().flatten().max().copied().unwrap_or(0);
            let primaries = map.links().iter().map(|link| link.primary.as_bytes());
            let known = primaries.clone().all(|id| state.primaries.iter().any(|own| own == id));
            let holes = state.is_ready && lanes.versions.contains(&None);
            let behind = state.above.1 < newest || state.above.1 < self.shared.seen().1;
            if !known || holes || behind {
                self.open_epoch(map, &state, newest).await?;
                continue;
            }
            if self.remembers_more(&state) {
                self.restore(map, &state).await?;
                continue;
            }
            if let Some(known) = self.heard_beyond(&state) {
                self.count_missed(map, &state, known).await?;
                continue;
            }
            self.fence(map, &state, &lanes).await?;
            self.shared.saw_cutoffs(&state.above.0, state.above.1);
            self.shared.saw_head(state.head);
            self.shared.saw_latest(lanes.latest);
            self.lost.fetch_max(state.lost, Ordering::AcqRel);
            self.before.store(state.known.unwrap_or(0), Ordering::Release);
            return Ok(());
        }
        Err(Unsettled::Trouble(Trouble::Elsewhere("others keep opening store epochs".into())))
    }

    pub(super) async fn log_of(&self, map: &Map) -> Result<Option<LogState>, Unsettled> {
        let mut answer = Answer::of(map.call(&self.state_call()).await?)?;
        Ok(LogState::read(&mut answer)?)
    }

    /// Asks all lanes at once, each server in one go.
    pub(super) async fn lanes(&self, map: &Map) -> Result<Lanes, Unsettled> {
        let mut lanes = Lanes {
            versions: [None; LANES as usize],
            ends: [0; LANES as usize],
            latest: Timestamp::default(),
        };
        for (number, link) in map.links().iter().enumerate() {
            let own: Vec<u8> =
                (0..LANES).filter(|lane| map.number(Place::Lane(*lane)) == number).collect();
            if own.is_empty() {
                continue;
            }
            let mut all = Pipeline::with_capacity(own.len());
            for at in &own {
                let key = |kind| self.keys.at(Place::Lane(*at), kind, b"");
                let keys = [key(lane::VERSION), key(lane::END), key(lane::LATEST)];
                all.cmd("MGET").arg(&keys[0]).arg(&keys[1]).arg(&keys[2]);
            }
            let answers = link.asks(&all, own.len()).await?;
            for (at, value) in own.iter().zip(answers) {
                lanes.take(usize::from(*at), value)?;
            }
        }
        Ok(lanes)
    }

    /// Makes an empty store, where there is nothing at all.
    async fn create(&self, map: &Map, lanes: &Lanes, opening: bool) -> Result<(), Unsettled> {
        if !opening || lanes.versions.iter().any(Option::is_some) {
            return Err(Unsettled::Gone(format!(
                "the store's log is gone from {}: put the data back, or remove all keys of the \
                 prefix {} and restart to begin an empty store",
                map.link(Place::Log).name(),
                self.address.prefix
            )));
        }
        let (epoch, made) = self.first_epoch(map).await?;
        let cutoffs = Cutoffs { epoch, ..Cutoffs::default() };
        let mut call = Call::new(Place::Log, Script::Create)
            .key(self.log_key(log::STATE))
            .key(self.log_key(log::CUTOFFS))
            .key(self.log_key(log::PRIMARIES))
            .bytes(version_of(cutoffs.epoch, 0))
            .argument(codec::subject::encode_cutoffs(&cutoffs))
            .number(SCHEMA)
            .argument(made);
        for link in map.links() {
            call.push(link.primary.as_bytes());
        }
        // Lost to another node that makes it too is as good.
        map.call(&call).await?;
        Ok(())
    }

    /// The epoch, and when by the server's clock: what tells this store from another at its place.
    async fn first_epoch(&self, map: &Map) -> Result<(StoreEpoch, String), Unsettled> {
        let mut told = Answer::of(map.link(Place::Log).ask(&redis::cmd("TIME")).await?)?;
        let (seconds, micros) = (told.number()?, told.number()?);
        let since = seconds.saturating_sub(FIRST_EPOCH_AT);
        let epoch = StoreEpoch(u32::try_from(since).unwrap_or(u32::MAX / 2).max(1));
        Ok((epoch, format!("{seconds}.{micros:06}")))
    }

    /// Opens a store epoch, beyond any that the log, a lane or this node knows; cut-offs that the log lost
    /// and this node remembers are in force again. Another node may have come first: look again.
    async fn open_epoch(&self, map: &Map, state: &LogState, newest: u64) -> Result<(), Unsettled> {
        let seen = self.shared.seen();
        let base = if state.above.1 < seen.1 { seen } else { state.above.clone() };
        let epoch = (newest.max(base.1) >> 32) + 1;
        let epoch = StoreEpoch(u32::try_from(epoch).unwrap_or(u32::MAX));
        let cutoffs = Cutoffs { epoch, ..Cutoffs::clone(&base.0) };
        let head = self.shared.head();
        let lost = self.given_out(state.head, head);
        let mut call = Call::new(Place::Log, Script::Epoch)
            .key(self.log_key(log::STATE))
            .key(self.log_key(log::CUTOFFS))
            .key(self.log_key(log::PRIMARIES))
            .bytes(state.above.1)
            .bytes(next_version(state.above.1, &cutoffs))
            .argument(codec::subject::encode_cutoffs(&cutoffs))
            .number(head)
            .number(lost)
            .number(POSITIONS)
            .number(PRIMARIES_MAX)
            .bytes(base.1);
        for link in map.links() {
            call.push(link.primary.as_bytes());
        }
        let mut answer = Answer::of(map.call(&call).await?)?;
        if answer.must()? == b"done" {
            tracing::warn!(
                epoch = epoch.0,
                lost,
                "a primary of the store changed or restarted: a new store epoch"
            );
        }
        Ok(())
    }

    /// Whether another node opened the epoch from older cut-offs than this one had heard of, and nothing was
    /// decided above all subjects since.
    fn remembers_more(&self, state: &LogState) -> bool {
        let seen = self.shared.seen().1;
        let first = version_of(state.above.0.epoch, 0);
        state.above.1 == first
            && state.base < seen
            && seen < first
            && seen >> 32 == state.base >> 32
    }

    /// Puts cut-offs in force again that the log lost and that another node did not remember. Another may have
    /// come first: look again.
    async fn restore(&self, map: &Map, state: &LogState) -> Result<(), Unsettled> {
        let remembered = self.shared.seen().0;
        let cutoffs = Cutoffs { epoch: state.above.0.epoch, ..Cutoffs::clone(&remembered) };
        let call = Call::new(Place::Log, Script::Bump)
            .key(self.log_key(log::STATE))
            .key(self.log_key(log::EVENTS))
            .key(self.log_key(log::CUTOFFS))
            .bytes(state.above.1)
            .bytes(state.above.1 + 1)
            .argument(codec::subject::encode_cutoffs(&cutoffs))
            .argument(self.keys.channel.as_str());
        map.call(&call).await?;
        Ok(())
    }

    /// Up to where it is counted what the log lost when its store epoch opened, if this node heard of more: another
    /// opened it that had come later, or had not polled yet.
    fn heard_beyond(&self, state: &LogState) -> Option<u64> {
        let head = self.shared.head();
        let is_of_before = head / POSITIONS < state.head / POSITIONS;
        state.known.filter(|known| is_of_before && *known < head)
    }

    /// Counts the others. Another may have come first: look again.
    async fn count_missed(&self, map: &Map, state: &LogState, known: u64) -> Result<(), Unsettled> {
        let head = self.shared.head();
        let lost = self.given_out(known, head);
        let call = Call::new(Place::Log, Script::Miss)
            .key(self.log_key(log::STATE))
            .bytes(state.above.1)
            .number(known)
            .number(head)
            .number(lost);
        let mut answer = Answer::of(map.call(&call).await?)?;
        if answer.must()? == b"done" {
            tracing::error!(
                lost,
                "the store forgot events that nobody knew of who opened its epoch"
            );
        }
        Ok(())
    }

    fn given_out(&self, from: u64, to: u64) -> u64 {
        given_out(from, to, self.before.load(Ordering::Acquire))
    }

    /// Brings every lane that is behind to the log's version.
    pub(super) async fn fence(
        &self,
        map: &Map,
        state: &LogState,
        lanes: &Lanes,
    ) -> Result<(), Unsettled> {
        let behind = (0..LANES).zip(&lanes.versions).zip(&state.marks);
        for ((at, version), mark) in behind {
            if version.is_some_and(|version| state.above.1 <= version) {
                continue;
            }
            let call = self.fence_call(at, state.above.1, *mark);
            let mut answer = Answer::of(map.call(&call).await?)?;
            answer.must()?;
            let lost = answer.number()?;
            if lost > 0 {
                self.note_lost(map, at, lost).await?;
            }
        }
        if !state.is_ready {
            let mut ready = redis::cmd("HSET");
            ready.arg(self.log_key(log::STATE)).arg("ready").arg(1);
            map.link(Place::Log).ask(&ready).await?;
        }
        Ok(())
    }

    pub(super) fn fence_call(&self, at: u8, version: u64, mark: u64) -> Call {
        let place = Place::Lane(at);
        Call::new(place, Script::Fence)
            .key(self.keys.at(place, lane::VERSION, b""))
            .key(self.keys.at(place, lane::END, b""))
            .bytes(version)
            .number(mark)
    }

    /// A lane forgot commits whose events the log has.
    async fn note_lost(&self, map: &Map, lane: u8, lost: u64) -> Result<(), Unsettled> {
        tracing::error!(lane, lost, "the store forgot commits that verifiers were told of");
        let mut count = redis::cmd("HINCRBY");
        count.arg(self.log_key(log::STATE)).arg("lost").arg(lost);
        map.link(Place::Log).ask(&count).await?;
        self.lost.fetch_add(lost, Ordering::AcqRel);
        Ok(())
    }
}

/// How many positions were given out after `from` and up to `to`: those that an epoch leaves out were not. `before` is the
/// last one that was known of the epoch before that of `to`; what there was in epochs between is not known here.
const fn given_out(from: u64, to: u64, before: u64) -> u64 {
    if from / POSITIONS == to / POSITIONS {
        return to.saturating_sub(from);
    }
    if to < from {
        return 0;
    }
    let is_of_from = before / POSITIONS == from / POSITIONS;
    let until = if is_of_from { before.saturating_sub(from) } else { 0 };
    to % POSITIONS + until
}

impl Lanes {
    fn take(&mut self, lane: usize, value: Value) -> Result<(), Fault> {
        let mut answer = Answer::of(value)?;
        let version = answer.bytes()?;
        self.versions[lane] = version.map(|version| read_version(&version)).transpose()?;
        self.ends[lane] = answer.bytes()?.map_or(Ok(0), |end| super::rows::number_of(&end))?;
        let latest = answer.bytes()?.map_or(Ok(0), |millis| super::rows::number_of(&millis))?;
        self.latest = self.latest.max(Timestamp::from_millis(latest));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_that_an_epoch_leaves_out_are_not_lost() {
        assert_eq!(given_out(7, 12, 0), 5);
        assert_eq!(given_out(12, 7, 0), 0);
        // A primary was promoted that lacks the epoch of before, with three of its events, and two of the one before that.
        assert_eq!(given_out(10, 2 * POSITIONS + 3, 12), 5);
        assert_eq!(given_out(POSITIONS + 10, 2 * POSITIONS, POSITIONS + 10), 0);
        assert_eq!(
            given_out(10, 3 * POSITIONS + 3, 2 * POSITIONS + 9),
            3,
            "what is between is unknown"
        );
        assert_eq!(given_out(3 * POSITIONS, 2 * POSITIONS + 3, 9), 0);
    }
}
