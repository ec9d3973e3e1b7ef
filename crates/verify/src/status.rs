//! How a verifier is doing, for metrics and for health checks.

use crate::{Rejected, Verifier};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// How a verifier is doing; [`Verifier::status`] reads it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Status {
    /// How the feed is followed.
    pub mode: Mode,
    /// How old the knowledge of revocations is; none before it is whole.
    pub age: Option<Duration>,
    /// The authority's store epoch.
    pub epoch: Option<u32>,
    /// How many revocations of that epoch's feed were applied.
    pub position: Option<u64>,
    /// How many revocations the mirror holds.
    pub entries: usize,
    /// How often a token was found verified already.
    pub cache_hits: u64,
    /// How often the feed had to be taken up by a snapshot again.
    pub resyncs: u64,
    /// How many wait for the end of a session.
    pub watched: usize,
    /// How many sessions were used and wait to be reported; see `Builder::report_activity`.
    pub uses_waiting: usize,
    /// How many were forgotten untold: too many waited, or the authority took none.
    pub uses_dropped: u64,
    /// How many requests were let in without a good proof of the key that their token is bound to; see
    /// [`Policy::report_bindings`](crate::Policy::report_bindings).
    pub bindings_reported: u64,
    /// How many requests were rejected, by the word of [`Rejected::reason`] or `missing` and
    /// `insufficient_scope`, `insufficient_user_authentication`.
    pub rejected: [(&'static str, u64); REASONS.len()],
}

/// How the feed is followed.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub enum Mode {
    /// Not at all (now): no feed was asked for, or there is no connection.
    #[default]
    Off,
    /// As a stream of events.
    Stream,
    /// By long polls: something between here and the authority holds streams back.
    Poll,
}

impl Mode {
    /// The word for metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Stream => "stream",
            Self::Poll => "poll",
        }
    }
}

/// What rejections are counted by.
const REASONS: [&str; 11] = [
    "missing",
    "malformed",
    "untrusted",
    "expired",
    "stale",
    "revoked",
    "unverifiable",
    "binding",
    "proof",
    "insufficient_scope",
    "insufficient_user_authentication",
];

/// On how many lines hits are counted.
const STRIPES: usize = 16;

/// What was found verified already, counted: on a line of its thread's own, since a line that every thread writes
/// at every check would make them wait for each other.
#[derive(Default)]
pub(crate) struct Hits([Stripe; STRIPES]);

#[derive(Default)]
#[repr(align(64))]
struct Stripe(AtomicU64);

/// How many threads have counted anything so far.
static THREADS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static STRIPE: usize = THREADS.fetch_add(1, Ordering::Relaxed) % STRIPES;
}

impl Hits {
    #[inline]
    pub(crate) fn add(&self) {
        STRIPE.with(|own| self.0[*own].0.fetch_add(1, Ordering::Relaxed));
    }

    fn read(&self) -> u64 {
        self.0.iter().map(|stripe| stripe.0.load(Ordering::Relaxed)).sum()
    }
}

/// Rejections, counted where one is made and nowhere else; apart from what every check reads.
#[derive(Default)]
#[repr(align(64))]
pub(crate) struct Rejections([AtomicU64; REASONS.len()], AtomicU64);

impl Rejections {
    pub(crate) fn count(&self, rejected: &Rejected) {
        let other = match rejected {
            Rejected::Missing => "missing",
            Rejected::InsufficientScope { .. } => "insufficient_scope",
            Rejected::InsufficientAuthentication { .. } => "insufficient_user_authentication",
            Rejected::Malformed(_)
            | Rejected::Untrusted(_)
            | Rejected::Expired
            | Rejected::Stale
            | Rejected::Revoked { .. }
            | Rejected::Unverifiable(_)
            | Rejected::Binding
            | Rejected::Elsewhere
            | Rejected::Proof(_)
            | Rejected::Ask => "",
        };
        let word = rejected.reason().unwrap_or(other);
        if let Some(at) = REASONS.iter().position(|reason| *reason == word) {
            self.0[at].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts what would have been rejected for its proof.
    pub(crate) fn report(&self) {
        self.1.fetch_add(1, Ordering::Relaxed);
    }

    fn read(&self) -> [(&'static str, u64); REASONS.len()] {
        let mut read = REASONS.map(|reason| (reason, 0));
        for (at, count) in self.0.iter().enumerate() {
            read[at].1 = count.load(Ordering::Relaxed);
        }
        read
    }
}

impl Verifier {
    /// How it is doing. Ages are measured against `monotonic`, a reading of the clock that checks are given.
    pub fn status(&self, monotonic: Duration) -> Status {
        let expected = &self.expected;
        let mut status = Status {
            mode: Mode::Off,
            age: expected.mirror.age(monotonic),
            epoch: None,
            position: None,
            entries: expected.mirror.len(),
            cache_hits: expected.hits.read(),
            resyncs: 0,
            watched: 0,
            uses_waiting: 0,
            uses_dropped: 0,
            bindings_reported: expected.rejections.1.load(Ordering::Relaxed),
            rejected: expected.rejections.read(),
        };
        self.tell_of_the_feed(&mut status);
        status
    }

    #[cfg(feature = "net")]
    fn tell_of_the_feed(&self, status: &mut Status) {
        status.watched = self.expected.sessions.len();
        if let Some(activity) = &self.expected.activity {
            (status.uses_waiting, status.uses_dropped) = activity.figures();
        }
        if let Some(net) = &self.net {
            net.tell_of_the_feed(status);
        }
    }

    #[cfg(not(feature = "net"))]
    const fn tell_of_the_feed(&self, _: &mut Status) {}
}
