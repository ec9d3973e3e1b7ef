//! `/metrics` of a sidecar, on a listener of its own.

use super::Sidecar;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use std::sync::atomic::AtomicU64;
use symbolon_verify::{Mode, Now, Status};

/// An audience; bounded by the configuration.
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Of {
    audience: String,
}

/// An audience and a stable word.
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct OfAnd {
    audience: String,
    what: &'static str,
}

/// A stable word.
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct What {
    what: &'static str,
}

/// All counters, in OpenMetrics.
pub(super) async fn get(State(sidecar): State<Sidecar>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let text = sidecar.inner.metrics.render_with(&sidecar.measured());
    ([(CONTENT_TYPE, kind)], text).into_response()
}

impl Sidecar {
    fn measured(&self) -> Registry {
        let mut registry = Registry::with_prefix("symbolon");
        let status = self.status();
        knowledge(&mut registry, &status);
        self.checks(&mut registry);
        let answers = Family::<What, Counter>::default();
        for (what, count) in self.inner.introspections.read() {
            answers.get_or_create(&What { what }).inc_by(count);
        }
        registry.register("introspections", "Questions about tokens, by their answer", answers);
        let relayed = self.inner.relay.feed.figures(Now::read().wall);
        let help = "Verifiers that follow the feed through this sidecar now";
        registry.register("feed_followers", help, gauge(relayed.followers as u64));
        let dropped: Counter = Counter::default();
        dropped.inc_by(relayed.dropped);
        let help = "Followers that fell behind what is kept, and began anew";
        registry.register("feed_followers_dropped", help, dropped);
        let started = gauge(self.inner.started.as_seconds());
        let help = "When the process started, since 1970";
        registry.register_with_unit("start_time", help, Unit::Seconds, started);
        let version = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "What is running", version);
        registry
    }

    fn checks(&self, registry: &mut Registry) {
        let (hits, rejected) =
            (Family::<Of, Counter>::default(), Family::<OfAnd, Counter>::default());
        for (audience, verifier) in self.inner.verifiers.iter() {
            let (audience, status) = (audience.to_string(), verifier.status(Now::read().monotonic));
            hits.get_or_create(&Of { audience: audience.clone() }).inc_by(status.cache_hits);
            for (what, count) in status.rejected {
                let of = OfAnd { audience: audience.clone(), what };
                rejected.get_or_create(&of).inc_by(count);
            }
        }
        registry.register("verifier_cache_hits", "Tokens that were known already", hits);
        registry.register("verifier_rejected", "Tokens that were not let in, by reason", rejected);
    }
}

/// What the verifiers share.
fn knowledge(registry: &mut Registry, status: &Status) {
    let entries = gauge(status.entries as u64);
    registry.register("verifier_entries", "Revocations that are known", entries);
    let resyncs: Counter = Counter::default();
    resyncs.inc_by(status.resyncs);
    registry.register("verifier_resyncs", "Times that the feed was taken up anew", resyncs);
    let modes = Family::<What, Gauge>::default();
    for mode in [Mode::Off, Mode::Stream, Mode::Poll] {
        let is = i64::from(mode == status.mode);
        modes.get_or_create(&What { what: mode.as_str() }).set(is);
    }
    registry.register("verifier_mode", "How the feed is followed: 1 for the way it is", modes);
    // Before anything is known there are none of these, which an alert can ask for.
    if let Some(position) = status.position {
        registry.register("verifier_position", "How far the feed is applied", gauge(position));
    }
    if let Some(age) = status.age {
        let staleness = Gauge::<f64, AtomicU64>::default();
        staleness.set(age.as_secs_f64());
        let help = "How old what is known of revocations is";
        registry.register_with_unit("verifier_staleness", help, Unit::Seconds, staleness);
    }
}

fn gauge(value: u64) -> Gauge {
    let gauge: Gauge = Gauge::default();
    gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
    gauge
}
