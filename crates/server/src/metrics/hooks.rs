//! What is counted of back ends that are asked about renewals.

use super::{ClientAnd, label};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use symbolon_core::{ClientId, Duration};

/// The bounds of the buckets, in seconds: up to the longest time limit there is.
const BOUNDS: [f64; 9] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// Whose back end.
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Of {
    client: String,
}

/// Calls, and how long they took.
pub(super) struct Hooks {
    calls: Family<ClientAnd, Counter>,
    seconds: Family<Of, Histogram, fn() -> Histogram>,
}

impl Default for Hooks {
    fn default() -> Self {
        let seconds = Family::new_with_constructor(histogram as fn() -> Histogram);
        Self { calls: Family::default(), seconds }
    }
}

fn histogram() -> Histogram {
    Histogram::new(BOUNDS)
}

impl Hooks {
    pub(super) fn register(&self, registry: &mut Registry) {
        let about = "Back ends asked about renewals, by what they said or why they said nothing";
        registry.register("hook_calls", about, self.calls.clone());
        let about = "How long back ends took to say whether a session is renewed";
        registry.register_with_unit("hook", about, Unit::Seconds, self.seconds.clone());
    }

    pub(super) fn called(&self, client: &ClientId, what: &'static str) {
        self.calls.get_or_create(&label(client, what)).inc();
    }

    pub(super) fn took(&self, client: &ClientId, took: Duration) {
        let of = Of { client: client.as_str().to_owned() };
        self.seconds.get_or_create(&of).observe(took.as_secs_f64());
    }
}
