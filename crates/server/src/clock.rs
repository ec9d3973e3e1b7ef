//! The one place that asks what time it is.
//!
//! The wall clock may be stepped by hand, by a hypervisor or by a bad time server. The boot clock only
//! counts, suspended time included. While both tell the same story the wall clock is believed; when
//! they part by more than a minute, rules stop with a [`Fault::Clock`] instead of deciding on a lie.

use rustix::time::{ClockId, clock_gettime};
use symbolon_core::{Duration, Fault, Timestamp};

/// The clocks of this process.
pub struct Clock {
    started_wall: Timestamp,
    started_boot: Duration,
    store_latest: Timestamp,
}

impl Clock {
    /// Starts to watch both clocks; `store_latest` is the newest instant that the store has seen.
    pub fn start(store_latest: Timestamp) -> Self {
        Self { started_wall: wall(), started_boot: boot(), store_latest }
    }

    /// The instant that rules act at.
    ///
    /// # Errors
    /// [`Fault::Clock`] while the wall clock contradicts the boot clock, or lies before what the store
    /// has already seen.
    pub fn now(&self) -> Result<Timestamp, Fault> {
        let wall = wall();
        let carried = self.started_wall.after(boot().saturating_sub(self.started_boot));
        let behind_store = wall < self.store_latest && !wall.agrees_with(self.store_latest);
        if behind_store || !wall.agrees_with(carried) { Err(Fault::Clock) } else { Ok(wall) }
    }

    /// What the wall clock says, believed or not: for logs and headers, never for a rule.
    pub fn wall(&self) -> Timestamp {
        wall()
    }
}

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

/// A monotonic instant for measuring how long something took; no rule sees it.
pub fn monotonic() -> Duration {
    boot()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_agrees_is_believed() {
        assert!(Clock::start(Timestamp::default()).now().is_ok());
    }

    #[test]
    fn a_wall_clock_far_behind_the_store_is_a_fault() {
        let ahead = wall().after(Duration::from_secs(3_600));
        assert_eq!(Clock::start(ahead).now(), Err(Fault::Clock));
        let near = wall().after(Duration::from_secs(30));
        assert!(Clock::start(near).now().is_ok());
    }

    #[test]
    fn a_wall_clock_that_left_the_boot_clock_is_a_fault() {
        let mut clock = Clock::start(Timestamp::default());
        clock.started_wall = wall().after(Duration::from_secs(120));
        assert_eq!(clock.now(), Err(Fault::Clock));
    }
}
