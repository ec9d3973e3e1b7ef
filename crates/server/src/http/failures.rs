//! Slows down guessing of API keys and client secrets. A right credential is never delayed, and a refused
//! refresh token never counts: it cannot be guessed, and counting it would lock out honest clients.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use symbolon_core::{Duration, Timestamp};

/// How many failures an address may have within [`SPAN`], at all nodes together. Inclusive.
pub const FAILURES_MAX: u32 = 20;

/// How long a failure counts.
pub const SPAN: Duration = Duration::from_secs(60);

/// How many addresses are watched; when there are more, all that have cooled down are forgotten, and if
/// none has, new ones share one count.
pub const ADDRESSES_MAX: usize = 10_000;

/// Failed attempts by address.
#[derive(Default)]
pub struct Failures(Mutex<HashMap<Option<IpAddr>, Count>>);

#[derive(Clone, Copy)]
struct Count {
    since: Timestamp,
    failures: u32,
}

impl Failures {
    /// Notes a failure at one of `nodes`, which share the bound: the seconds to wait if there were too many. Nothing of it
    /// goes to the store: a stranger's failures would be writes there. Whoever always comes to the same node has less
    /// than the bound, and one failure at least.
    pub fn note(&self, address: IpAddr, at: Timestamp, nodes: usize) -> Option<u64> {
        let most = FAILURES_MAX / u32::try_from(nodes.max(1)).unwrap_or(FAILURES_MAX);
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let address = network(address);
        if counts.len() >= ADDRESSES_MAX && !counts.contains_key(&Some(address)) {
            counts.retain(|_, count| at.since(count.since) < SPAN);
        }
        let full = counts.len() >= ADDRESSES_MAX && !counts.contains_key(&Some(address));
        let key = if full { None } else { Some(address) };
        let count = counts.entry(key).or_insert(Count { since: at, failures: 0 });
        if SPAN <= at.since(count.since) {
            *count = Count { since: at, failures: 0 };
        }
        count.failures = count.failures.saturating_add(1);
        let wait = SPAN.saturating_sub(at.since(count.since)).as_secs().max(1);
        (most.max(1) < count.failures).then_some(wait)
    }
}

/// An IPv6 host has a whole /64 to come from.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn the_twenty_first_failure_in_a_minute_must_wait_and_the_next_minute_is_new() {
        let failures = Failures::default();
        let at = Timestamp::from_seconds(1_000);
        assert!((0..FAILURES_MAX).all(|_| failures.note(HOST, at, 1).is_none()));
        assert_eq!(failures.note(HOST, at, 1), Some(60));
        assert_eq!(failures.note(HOST, at.after(SPAN), 1), None);
    }

    #[test]
    fn many_nodes_share_the_bound_and_each_allows_one() {
        let (three, many) = (Failures::default(), Failures::default());
        let at = Timestamp::from_seconds(1_000);
        let allowed = |failures: &Failures, nodes| {
            (0..100).take_while(|_| failures.note(HOST, at, nodes).is_none()).count()
        };
        assert_eq!((allowed(&three, 3), allowed(&many, 64)), (6, 1));
    }

    #[test]
    fn memory_is_bounded_and_strangers_beyond_it_share_a_count() {
        let failures = Failures::default();
        let at = Timestamp::from_seconds(1_000);
        for n in 0..20_000_u32 {
            failures.note(IpAddr::V4(n.into()), at, 1);
        }
        assert!(failures.0.lock().unwrap().len() <= ADDRESSES_MAX + 1);
    }

    #[test]
    fn neighbours_in_a_v6_network_share_a_count() {
        let failures = Failures::default();
        let at = Timestamp::from_seconds(1_000);
        for n in 0..FAILURES_MAX {
            failures.note(format!("2001:db8::{n:x}").parse().unwrap(), at, 1);
        }
        assert!(failures.note("2001:db8::ffff".parse().unwrap(), at, 1).is_some());
    }
}
