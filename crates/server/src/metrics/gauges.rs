//! What is measured at the moment of an answer: the store, open windows, the process.

use super::windows::Windows;
use crate::config::Client;
use crate::feed::Figures;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use std::sync::atomic::AtomicU64;
use symbolon_core::{Duration, Timestamp};
use symbolon_store::Waits;
use symbolon_store::latency::BOUNDS_MICROS;
use symbolon_wire::Algorithm;

/// What is known at the moment of an answer.
pub struct Scrape<'a> {
    /// Now.
    pub at: Timestamp,
    /// The configured clients.
    pub clients: Vec<&'a Client>,
    /// How long commits took.
    pub waits: Waits,
    /// How much waits for its commit.
    pub waiting: usize,
    /// Whether what was written last reached the disk.
    pub takes_writes: bool,
    /// How long ago a store on a server of its own was heard; `None`: it is a file.
    pub poll_age: Option<Duration>,
    /// How many events a store on a server of its own acknowledged and lost; `None`: it is a file.
    pub lost_events: Option<u64>,
    /// The store epoch in force.
    pub store_epoch: u32,
    /// How long the key of each algorithm has signed, where the authority turns it.
    pub key_ages: Vec<(Algorithm, Duration)>,
    /// When the process started.
    pub started: Timestamp,
    /// The feed.
    pub feed: Figures,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Of {
    client: String,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct SignedWith {
    alg: &'static str,
}

impl Scrape<'_> {
    /// All of it as metrics of their own.
    pub(super) fn registry(&self, windows: &Windows) -> Registry {
        let mut registry = Registry::with_prefix("symbolon");
        let open = Family::<Of, Gauge>::default();
        for client in self.clients.iter().filter(|client| client.preset.has_sessions()) {
            let count = windows.open(&client.id, client.policy.grace, self.at);
            let of = Of { client: client.id.as_str().to_owned() };
            open.get_or_create(&of).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        registry.register("windows_open", "Refresh tokens within grace after their use", open);
        self.store(&mut registry);
        let ages = Family::<SignedWith, Gauge>::default();
        for (alg, age) in &self.key_ages {
            let seconds = i64::try_from(age.as_secs()).unwrap_or(i64::MAX);
            ages.get_or_create(&SignedWith { alg: alg.name() }).set(seconds);
        }
        let help = "How long the key that signs now has signed";
        registry.register_with_unit("signing_key_age", help, Unit::Seconds, ages);
        registry.register_with_unit(
            "start_time",
            "When the process started, since 1970",
            Unit::Seconds,
            gauge(self.started.as_seconds()),
        );
        self.feed(&mut registry);
        let version = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "What is running", version);
        registry.register_collector(Box::new(Commits(self.waits)));
        registry
    }

    fn store(&self, registry: &mut Registry) {
        let waiting = gauge(self.waiting as u64);
        registry.register("store_waiting", "Work that waits for its commit", waiting);
        let failing = gauge(u64::from(!self.takes_writes));
        let help = "1 while the last commit did not reach the disk";
        registry.register("store_failing", help, failing);
        if let Some(age) = self.poll_age {
            let gauge = Gauge::<f64, AtomicU64>::default();
            gauge.set(age.as_secs_f64());
            let help = "How long ago the store was heard";
            registry.register_with_unit("store_poll_age", help, Unit::Seconds, gauge);
        }
        if let Some(lost) = self.lost_events {
            let counter: Counter = Counter::default();
            counter.inc_by(lost);
            let help = "Events that the store acknowledged and has no more";
            registry.register("store_lost_events", help, counter);
        }
        let epoch = gauge(self.store_epoch.into());
        registry.register("store_epoch", "The store epoch in force", epoch);
    }

    fn feed(&self, registry: &mut Registry) {
        let feed = &self.feed;
        let figures = [
            ("feed_followers", "Who follows the feed now", feed.followers as u64),
            ("feed_entries", "Revocations that a verifier must know now", feed.entries as u64),
            ("verifiers_live", "Verifiers that may trust what they know", feed.live as u64),
            ("verifiers_lagging", "Those of them that have not applied all", feed.lagging as u64),
        ];
        let set = |gauge: &Gauge, value: u64| gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        for (name, help, value) in figures {
            let gauge = Gauge::default();
            set(&gauge, value);
            registry.register(name, help, gauge);
        }
        let dropped: Counter = Counter::default();
        dropped.inc_by(feed.dropped);
        let help = "Followers that fell behind what is kept, and began anew";
        registry.register("feed_followers_dropped", help, dropped);
        // While the feed is not ready there is neither, which an alert can ask for.
        if let Some(position) = feed.position {
            let gauge = Gauge::default();
            set(&gauge, position);
            registry.register("feed_position", "How far the feed is read", gauge);
        }
        if let Some(age) = feed.checkpoint_age {
            let gauge = Gauge::<f64, AtomicU64>::default();
            gauge.set(age.as_secs_f64());
            let help = "How long ago the newest checkpoint was signed";
            registry.register_with_unit("feed_checkpoint_age", help, Unit::Seconds, gauge);
        }
    }
}

/// How long callers waited for their commits, as a histogram.
#[derive(Debug)]
struct Commits(Waits);

impl Collector for Commits {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let Waits { buckets, micros } = self.0;
        let bounds = BOUNDS_MICROS.iter().map(|bound| seconds(*bound)).chain([f64::INFINITY]);
        let buckets: Vec<_> = bounds.zip(buckets).collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        let help = "How long callers waited until their commit was durable";
        let mut metric = encoder.encode_descriptor(
            "store_commit",
            help,
            Some(&Unit::Seconds),
            MetricType::Histogram,
        )?;
        metric.encode_histogram::<NoLabelSet>(seconds(micros), count, &buckets, None)
    }
}

/// A gauge that stands at this.
fn gauge(value: u64) -> Gauge {
    let gauge: Gauge = Gauge::default();
    gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
    gauge
}

/// Exact up to 285 years.
#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}
