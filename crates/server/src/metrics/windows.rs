//! How many windows are open: rotations whose grace has not passed. Counted in whole seconds.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use symbolon_core::{ClientId, Duration, Timestamp};

/// The longest time that is looked back, in seconds: the longest grace window. Exclusive.
const SECONDS_MAX: usize = 601;

/// Rotations of each client in each of the last seconds.
#[derive(Default)]
pub(super) struct Windows(Mutex<BTreeMap<ClientId, VecDeque<(u64, u64)>>>);

impl Windows {
    /// A family of a client advanced.
    pub(super) fn opened(&self, client: &ClientId, at: Timestamp) {
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !clients.contains_key(client) {
            clients.insert(client.clone(), VecDeque::new());
        }
        let Some(seconds) = clients.get_mut(client) else { return };
        match seconds.back_mut() {
            Some((second, count)) if at.as_seconds() <= *second => *count += 1,
            Some(_) | None => seconds.push_back((at.as_seconds(), 1)),
        }
        if SECONDS_MAX < seconds.len() {
            seconds.pop_front();
        }
    }

    /// How many are open at `at`, to within a second.
    pub(super) fn open(&self, client: &ClientId, grace: Duration, at: Timestamp) -> u64 {
        let clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = at.before(grace).as_seconds();
        let own = clients.get(client).into_iter().flatten();
        own.filter(|(second, _)| since < *second).map(|(_, count)| count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_counts_until_its_grace_has_passed() {
        let (windows, web) = (Windows::default(), ClientId::parse("web").unwrap());
        let grace = Duration::from_secs(10);
        for second in [100, 100, 104] {
            windows.opened(&web, Timestamp::from_seconds(second));
        }
        let open = |second| windows.open(&web, grace, Timestamp::from_seconds(second));
        assert_eq!([open(104), open(109), open(110), open(114)], [3, 3, 1, 0]);
    }

    #[test]
    fn no_more_seconds_are_kept_than_the_longest_window_has() {
        let (windows, web) = (Windows::default(), ClientId::parse("web").unwrap());
        for second in 0..5_000 {
            windows.opened(&web, Timestamp::from_seconds(second));
        }
        let kept = windows.0.lock().unwrap().get(&web).unwrap().len();
        assert_eq!(kept, SECONDS_MAX);
    }
}
