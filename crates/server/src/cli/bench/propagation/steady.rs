//! The clock that all processes of a machine share, waiting until it shows an instant, and loops that burn time.

use rustix::time::{ClockId, clock_gettime};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What `CLOCK_MONOTONIC` shows, in microseconds.
pub(super) fn now_us() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let (seconds, nanoseconds) = (now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs());
    seconds * 1_000_000 + nanoseconds / 1000
}

/// When the DELETE of that number is due.
pub(super) const fn due_us(start_us: u64, rate: u32, number: usize) -> u64 {
    start_us + number as u64 * 1_000_000 / rate as u64
}

/// Waits, on a thread of its own, until the clock shows `at`.
#[expect(clippy::disallowed_methods, reason = "an open loop is a matter of waiting for instants")]
pub(super) fn wait_until(at_us: u64) {
    loop {
        match at_us.saturating_sub(now_us()) {
            0 => return,
            left => std::thread::sleep(Duration::from_micros(left)),
        }
    }
}

/// Threads that burn time until this is dropped.
pub(super) struct Busy(Arc<AtomicBool>);

/// Starts so many.
pub(super) fn burn(threads: usize) -> Busy {
    let stop = Arc::new(AtomicBool::new(false));
    for _ in 0..threads {
        let stop = Arc::clone(&stop);
        std::thread::spawn(move || while !stop.load(Ordering::Relaxed) {});
    }
    Busy(stop)
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_spread_evenly_and_the_clock_reaches_them() {
        assert_eq!([0, 1, 499, 500].map(|n| due_us(7, 500, n)), [7, 2_007, 998_007, 1_000_007]);
        let at = now_us() + 2_000;
        wait_until(at);
        assert!(at <= now_us());
    }
}
