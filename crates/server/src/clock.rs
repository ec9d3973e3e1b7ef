//! The one place that asks what time it is.
//!
//! The wall clock may be stepped by hand, by a hypervisor or by a bad time server. The boot clock only
//! counts, suspended time included. While both tell the same story the wall clock is believed; when
//! they part by more than a minute, rules stop with a [`Fault::Clock`] instead of deciding on a lie.

use rustix::time::{ClockId, clock_gettime};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use symbolon_core::{Duration, Fault, Timestamp};
use symbolon_store::{Kind, Store};

/// Where the time is read.
#[derive(Clone, Copy)]
pub struct Hands {
    /// The wall clock.
    pub wall: fn() -> Timestamp,
    /// How long the machine has run, suspended time included.
    pub boot: fn() -> Duration,
}

impl Hands {
    /// This machine's.
    pub const MACHINE: Self = Self { wall, boot };
}

/// The clocks of this process.
pub struct Clock {
    hands: Hands,
    started_wall: Timestamp,
    started_boot: Duration,
    store_latest: Timestamp,
    /// How long the machine had slept when [`Self::at`] was asked last, in milliseconds.
    slept: AtomicU64,
}

impl Clock {
    /// Starts to watch both clocks. `store_latest` is the newest instant that the store has seen; what it
    /// saw up to `accepted` is known to have been seen by a wrong clock.
    pub fn start(store_latest: Timestamp, accepted: Timestamp) -> Self {
        Self::by(Hands::MACHINE, store_latest, accepted)
    }

    /// The same by other hands.
    pub fn by(hands: Hands, store_latest: Timestamp, accepted: Timestamp) -> Self {
        let store_latest =
            if store_latest <= accepted { Timestamp::default() } else { store_latest };
        let (started_wall, started_boot) = ((hands.wall)(), (hands.boot)());
        let slept = AtomicU64::new(slept());
        Self { hands, started_wall, started_boot, store_latest, slept }
    }

    /// The same hands, watched from now on, whatever they showed before: what the store saw up to `seen` is
    /// known to have been seen by a wrong clock.
    pub fn accepted(&self, seen: Timestamp) -> Self {
        Self::by(self.hands, seen, seen)
    }

    /// The instant that rules act at.
    ///
    /// # Errors
    /// [`Fault::Clock`] while the wall clock contradicts the boot clock, or lies before what the store
    /// has already seen.
    pub fn now(&self) -> Result<Timestamp, Fault> {
        let (wall, boot) = (self.wall(), (self.hands.boot)());
        let carried = self.started_wall.after(boot.saturating_sub(self.started_boot));
        let behind_store = wall < self.store_latest && !wall.agrees_with(self.store_latest);
        if behind_store || !wall.agrees_with(carried) { Err(Fault::Clock) } else { Ok(wall) }
    }

    /// The instant that rules would have acted at when the process's own clock showed `then`. That clock stands still
    /// while the machine sleeps: what it slept since this was asked last counts as if it had been after `then`, so that
    /// the answer is never too late. To be asked by one task, again and again.
    ///
    /// # Errors
    /// As [`Self::now`]'s.
    pub fn at(&self, then: Instant) -> Result<Timestamp, Fault> {
        let passed = instant().saturating_duration_since(then);
        Ok(self.now()?.before(passed.saturating_add(self.slept_since(slept()))))
    }

    /// How much of what the machine slept was not counted yet.
    fn slept_since(&self, slept: u64) -> Duration {
        let counted = self.slept.swap(slept, Ordering::AcqRel);
        Duration::from_millis(slept.saturating_sub(counted))
    }

    /// What the wall clock says, believed or not: for logs and headers, never for a rule.
    pub fn wall(&self) -> Timestamp {
        (self.hands.wall)()
    }
}

/// Up to which instant what the store has seen was said to be wrong.
///
/// # Errors
/// The store could not be read.
pub async fn accepted(store: &Store) -> Result<Timestamp, Fault> {
    let record = store.record(Kind::Meta, ACCEPTED).await?;
    let bytes = record.and_then(|record| record.value.try_into().ok());
    Ok(Timestamp::from_millis(bytes.map(u64::from_be_bytes).unwrap_or_default()))
}

/// Remembers that what the store has seen up to `seen` was seen by a wrong clock.
///
/// # Errors
/// The store could not be written.
pub async fn accept(store: &Store, seen: Timestamp) -> Result<(), Fault> {
    let before = store.record(Kind::Meta, ACCEPTED).await?.map(|record| record.version);
    let value = seen.as_millis().to_be_bytes();
    match store.put_record(Kind::Meta, ACCEPTED, &value, before).await? {
        true => Ok(()),
        false => Err(Fault::Contention),
    }
}

/// The record that remembers it.
const ACCEPTED: &str = "accepted-clock";

/// What the wall clock of a command says; no rule sees it.
pub fn civil_now() -> Timestamp {
    wall()
}

fn wall() -> Timestamp {
    let now = clock_gettime(ClockId::Realtime);
    Timestamp::from_millis(millis(now.tv_sec, now.tv_nsec))
}

fn boot() -> Duration {
    let now = clock_gettime(ClockId::Boottime);
    Duration::from_millis(millis(now.tv_sec, now.tv_nsec))
}

fn millis(seconds: i64, nanoseconds: i64) -> u64 {
    let seconds = u64::try_from(seconds).unwrap_or(0);
    let nanoseconds = u64::try_from(nanoseconds).unwrap_or(0);
    seconds.saturating_mul(1000).saturating_add(nanoseconds / 1_000_000)
}

/// How long the machine has slept since it was started, in milliseconds.
fn slept() -> u64 {
    let awake = clock_gettime(ClockId::Monotonic);
    let awake = Duration::from_millis(millis(awake.tv_sec, awake.tv_nsec));
    u64::try_from(boot().saturating_sub(awake).as_millis()).unwrap_or(u64::MAX)
}

/// The process's own clock, which a store counts its polls by.
#[expect(clippy::disallowed_methods, reason = "this is the file that may ask")]
pub fn instant() -> Instant {
    Instant::now()
}

/// A monotonic instant for measuring how long something took; no rule sees it.
pub fn monotonic() -> Duration {
    boot()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(store_latest: Timestamp) -> Clock {
        Clock::start(store_latest, Timestamp::default())
    }

    #[test]
    fn what_was_accepted_is_held_against_nobody_and_what_came_later_is() {
        let ahead = wall().after(Duration::from_secs(3_600));
        assert!(Clock::start(ahead, ahead).now().is_ok());
        let later = ahead.after(Duration::from_secs(1));
        assert_eq!(Clock::start(later, ahead).now(), Err(Fault::Clock));
    }

    #[test]
    fn what_was_asked_a_while_ago_is_dated_by_what_passed_since_and_by_what_the_machine_slept() {
        let clock = start(Timestamp::default());
        let minute = Duration::from_secs(60);
        let Some(then) = instant().checked_sub(minute) else { return };
        let told = clock.at(then).unwrap();
        assert!(told <= wall().before(minute) && wall().before(2 * minute) < told, "{told:?}");
        let before = clock.slept.load(Ordering::Acquire);
        assert_eq!(clock.slept_since(before + 7_000), Duration::from_secs(7));
        assert_eq!(clock.slept_since(before + 7_000), Duration::ZERO, "it is counted once");
    }

    #[test]
    fn a_clock_that_agrees_is_believed() {
        assert!(start(Timestamp::default()).now().is_ok());
    }

    #[test]
    fn a_wall_clock_far_behind_the_store_is_a_fault() {
        let ahead = wall().after(Duration::from_secs(3_600));
        assert_eq!(start(ahead).now(), Err(Fault::Clock));
        let near = wall().after(Duration::from_secs(30));
        assert!(start(near).now().is_ok());
    }

    #[test]
    fn a_wall_clock_that_left_the_boot_clock_is_a_fault() {
        let mut clock = start(Timestamp::default());
        clock.started_wall = wall().after(Duration::from_secs(120));
        assert_eq!(clock.now(), Err(Fault::Clock));
    }
}
