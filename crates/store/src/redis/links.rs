//! Calls: each is answered within a bound, or is a fault that says why.

use super::address::{Address, Form};
use super::link::Trouble;
use super::map::Map;
use super::rows::{Above, Answer, LANES, bytes_of, read_version, version_of};
use super::scripts::{Call, Keys, Place, Script, lane, log};
use super::step::{Load, Update};
use super::together::Queues;
use crate::codec;
use crate::latency;
use crate::remote::Shared;
use redis::{Cmd, Value};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use symbolon_core::{Cutoffs, Fault, Timestamp};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout_at};

/// How long a call may take in all, however often it is asked for again.
pub(super) const CALL_MAX: Duration = Duration::from_secs(2);

/// Whether a call whose answer was lost may be made again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// It changes nothing, or the same thing once.
    Safe,
    /// It may have been done.
    Never,
}

/// What is asked for.
#[derive(Clone, Copy)]
enum Asked<'a> {
    Script(&'a Call),
    /// And replicas must have it.
    Durably(&'a Call),
    Plain(&'a Cmd),
}

/// What callers and the background share.
pub(super) struct Links {
    pub(super) address: Address,
    pub(super) keys: Keys,
    pub(super) shared: Arc<Shared>,
    map: watch::Sender<Option<Arc<Map>>>,
    /// Why there is no map now.
    why: Mutex<String>,
    /// Wakes the background: something came, or the map is wrong.
    pub(super) wake: Notify,
    /// The latest instant that is known to be stored, in milliseconds.
    latest_stored: AtomicU64,
    /// How many events are known to be lost.
    pub(super) lost: AtomicU64,
    /// The last position that was known of the epoch before this one; 0: there was none.
    pub(super) before: AtomicU64,
    /// Which store this is; see [`LogState::made`].
    pub(super) made: OnceLock<Vec<u8>>,
    /// Sessions that are to be loaded.
    pub(super) loads: Queues<Load>,
    /// Usual changes that are to be made.
    pub(super) updates: Queues<Update>,
}

/// What the log says of itself.
pub(super) struct LogState {
    /// The cut-offs; `None`: there is no log.
    pub(super) above: Above,
    pub(super) head: u64,
    pub(super) marks: [u64; LANES as usize],
    pub(super) schema: u64,
    pub(super) is_ready: bool,
    /// The version that the store epoch went on from; 0: it is the first.
    pub(super) base: u64,
    /// The newest position that was known when the store epoch opened: what was lost is counted up to it. `None`: it
    /// is the first.
    pub(super) known: Option<u64>,
    pub(super) lost: u64,
    /// What tells this store from another at its place.
    pub(super) made: Vec<u8>,
    pub(super) primaries: Vec<Vec<u8>>,
}

impl Links {
    pub(super) fn new(address: Address, shared: Arc<Shared>) -> Self {
        let queues = if address.form == Form::Cluster { LANES } else { 1 };
        Self {
            loads: Queues::new(queues),
            updates: Queues::new(queues),
            keys: Keys::new(&address.prefix),
            address,
            shared,
            map: watch::Sender::new(None),
            why: Mutex::new("it was not reached yet".into()),
            wake: Notify::new(),
            latest_stored: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            before: AtomicU64::new(0),
            made: OnceLock::new(),
        }
    }

    pub(super) fn publish(&self, map: Arc<Map>) {
        self.map.send_replace(Some(map));
    }

    pub(super) fn map(&self) -> Option<Arc<Map>> {
        self.map.borrow().clone().filter(|map| !map.is_broken())
    }

    /// Says why callers wait in vain.
    pub(super) fn tell_why(&self, why: String) {
        *self.why.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }

    pub(super) fn fault(&self, why: &str) -> Fault {
        Fault::Store(format!("{}: {why}", self.address))
    }

    async fn usable(&self, until: Instant) -> Result<Arc<Map>, Fault> {
        let mut maps = self.map.subscribe();
        loop {
            if let Some(map) = self.map() {
                return Ok(map);
            }
            self.wake.notify_one();
            maps.mark_unchanged();
            // One that came between the two is looked at again before waiting.
            if self.map().is_some() {
                continue;
            }
            if timeout_at(until, maps.changed()).await.is_err() {
                let why = self.why.lock().unwrap_or_else(PoisonError::into_inner).clone();
                return Err(self.fault(&why));
            }
        }
    }

    /// Calls a script, again where that is safe.
    pub(super) async fn call(&self, call: &Call, again: Again) -> Result<Answer, Fault> {
        Answer::of(self.asking(call.place, Asked::Script(call), again).await?)
    }

    /// The same for what must not be lost: it waits for replicas, if the address says so.
    pub(super) async fn call_durably(&self, call: &Call, again: Again) -> Result<Answer, Fault> {
        Answer::of(self.asking(call.place, Asked::Durably(call), again).await?)
    }

    /// A command that changes nothing, or the same thing once.
    pub(super) async fn read(&self, place: Place, command: &Cmd) -> Result<Value, Fault> {
        self.asking(place, Asked::Plain(command), Again::Safe).await
    }

    async fn asking(&self, place: Place, what: Asked<'_>, again: Again) -> Result<Value, Fault> {
        let until = Instant::from_std(latency::now()) + CALL_MAX;
        loop {
            let map = self.usable(until).await?;
            let link = map.link(place);
            let asked = async {
                match what {
                    Asked::Script(call) => link.call(call).await,
                    Asked::Durably(call) => link.patiently(call, &self.address).await,
                    Asked::Plain(command) => link.ask(command).await,
                }
            };
            let why = match timeout_at(until, asked).await {
                Ok(Ok(value)) => return Ok(value),
                Ok(Err(Trouble::Elsewhere(why))) => why,
                Ok(Err(Trouble::Lost(why))) if again == Again::Safe => why,
                Ok(Err(Trouble::Lost(why))) => {
                    map.mark_broken();
                    self.wake.notify_one();
                    return Err(self.fault(&format!("{why}; it is not known whether it was done")));
                }
                Ok(Err(trouble)) => return Err(self.fault(&trouble.text())),
                Err(_) => {
                    map.mark_broken();
                    self.wake.notify_one();
                    return Err(self.fault("no answer in time"));
                }
            };
            // Only a map that was found since is tried.
            map.mark_broken();
            self.wake.notify_one();
            if until <= Instant::from_std(latency::now()) {
                return Err(self.fault(&why));
            }
        }
    }

    /// The map is wrong: the background finds a new one.
    pub(super) fn distrust(&self) {
        if let Some(map) = self.map() {
            map.mark_broken();
        }
        self.wake.notify_one();
    }

    /// What a script answered that found no store where one was.
    pub(super) fn gone(&self) -> Fault {
        self.distrust();
        self.shared.saw_writes(false);
        self.fault(
            "its data is gone: somebody emptied it, or a primary came back without it; put the data \
             back, or restart to begin with what is there",
        )
    }

    pub(super) fn log_key(&self, kind: &str) -> Vec<u8> {
        self.keys.at(Place::Log, kind, b"")
    }

    pub(super) fn state_call(&self) -> Call {
        Call::new(Place::Log, Script::State)
            .key(self.log_key(log::STATE))
            .key(self.log_key(log::CUTOFFS))
            .key(self.log_key(log::PRIMARIES))
    }

    /// What the log says of itself now.
    pub(super) async fn state(&self) -> Result<LogState, Fault> {
        let mut answer = self.call(&self.state_call(), Again::Safe).await?;
        LogState::read(&mut answer)?.ok_or_else(|| self.gone())
    }

    /// The cut-offs that are at least of this version, which a lane was seen at.
    pub(super) async fn above(&self, version: Option<&[u8]>) -> Result<Above, Fault> {
        let version = read_version(version.ok_or_else(|| self.gone())?)?;
        let seen = self.shared.seen();
        if version <= seen.1 {
            return Ok(seen);
        }
        let state = Box::pin(self.state()).await?;
        if state.above.1 < version {
            // The log forgot what a lane knows: its primary lost writes.
            self.distrust();
            return Err(self.fault("the log is behind its lanes; a new store epoch opens"));
        }
        self.shared.saw_cutoffs(&state.above.0, state.above.1);
        Ok(state.above)
    }

    /// The latest instant, if it is so far beyond the stored one that it must be stored with a commit.
    pub(super) fn latest_to_store(&self, latest: Timestamp) -> Option<u64> {
        const STEP_MS: u64 = 1000;
        let stored = self.latest_stored.load(Ordering::Acquire);
        (stored.saturating_add(STEP_MS) <= latest.as_millis()).then_some(latest.as_millis())
    }

    /// Stores the latest instant by itself, where it is far enough beyond the stored one.
    pub(super) async fn store_latest(&self, place: Place, latest: Timestamp) -> Result<(), Fault> {
        let Some(millis) = self.latest_to_store(latest) else { return Ok(()) };
        let mut put = Cmd::new();
        put.arg("SET").arg(self.keys.at(place, lane::LATEST, b"")).arg(millis);
        self.read(place, &put).await?;
        self.stored_latest(millis);
        Ok(())
    }

    pub(super) fn stored_latest(&self, millis: u64) {
        self.latest_stored.fetch_max(millis, Ordering::AcqRel);
    }
}

impl LogState {
    /// `None`: there is no log.
    pub(super) fn read(answer: &mut Answer) -> Result<Option<Self>, Fault> {
        let fields = answer.list()?;
        let cutoffs = answer.bytes()?;
        let primaries = answer.list()?;
        let pairs = fields.chunks_exact(2);
        let fields: HashMap<&[u8], &[u8]> =
            pairs.filter_map(|pair| Some((&**pair.first()?, &**pair.get(1)?))).collect();
        let (Some(version), Some(cutoffs)) = (fields.get(&b"version"[..]), cutoffs) else {
            return Ok(None);
        };
        let number = |name: &str| {
            fields.get(name.as_bytes()).map_or(Ok(0), |digits| super::rows::number_of(digits))
        };
        let mut marks = [0; LANES as usize];
        for (lane, mark) in marks.iter_mut().enumerate() {
            *mark = number(&format!("mark{lane}"))?;
        }
        let version = read_version(version)?;
        let cutoffs = codec::subject::decode_cutoffs(&cutoffs)?;
        Ok(Some(Self {
            above: (Arc::new(cutoffs), version),
            head: number("head")?,
            marks,
            schema: number("schema")?,
            is_ready: fields.contains_key(&b"ready"[..]),
            base: fields.get(&b"base"[..]).map_or(Ok(0), |base| read_version(base))?,
            known: match fields.contains_key(&b"known"[..]) {
                true => Some(number("known")?),
                false => None,
            },
            lost: number("lost")?,
            made: fields.get(&b"made"[..]).map(|made| made.to_vec()).unwrap_or_default(),
            primaries,
        }))
    }
}

/// The version that follows in the same store epoch, or opens another.
pub(super) fn next_version(before: u64, cutoffs: &Cutoffs) -> u64 {
    let first = version_of(cutoffs.epoch, 0);
    if before < first { first } else { before + 1 }
}

pub(super) fn digits(value: Value) -> Result<u64, Fault> {
    bytes_of(value)?.map_or(Ok(0), |digits| super::rows::number_of(&digits))
}
