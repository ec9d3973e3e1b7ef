//! What is counted, in OpenMetrics' words; served on a listener of its own.

mod gauges;
mod windows;

pub use gauges::Scrape;

use windows::Windows;

use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use std::fmt;
use std::sync::Arc;
use symbolon_core::{ClientId, Denial, Outcome, Reason, Timestamp};
use symbolon_wire::OneTimeKind;

/// A client and a stable word: both bounded by the configuration and the code.
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct ClientAnd {
    client: String,
    what: &'static str,
}

/// A stable word.
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct What {
    what: &'static str,
}

/// Of which kind something is, and what became of it.
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct KindAnd {
    kind: &'static str,
    what: &'static str,
}

/// What became of a check, and by which rule; both bounded by the configuration and the code.
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct RuleAnd {
    rule: RuleName,
    what: &'static str,
}

/// A rule's name, shared with the configuration; none: no rule decided.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct RuleName(Option<Arc<str>>);

impl EncodeLabelValue for RuleName {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), fmt::Error> {
        self.0.as_deref().unwrap_or_default().encode(encoder)
    }
}

/// The counters of this process.
pub struct Metrics {
    registry: Registry,
    grants: Family<ClientAnd, Counter>,
    refusals: Family<ClientAnd, Counter>,
    alerts: Family<ClientAnd, Counter>,
    ended: Family<ClientAnd, Counter>,
    reloads: Family<What, Counter>,
    checks: Family<RuleAnd, Counter>,
    uses: Family<What, Counter>,
    once: Family<KindAnd, Counter>,
    introspections: Family<What, Counter>,
    from_memory: Counter,
    unanswered: Counter,
    credentials: Counter,
    windows: Windows,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut this = Self {
            registry: Registry::with_prefix("symbolon"),
            grants: Family::default(),
            refusals: Family::default(),
            alerts: Family::default(),
            ended: Family::default(),
            reloads: Family::default(),
            checks: Family::default(),
            uses: Family::default(),
            once: Family::default(),
            introspections: Family::default(),
            from_memory: Counter::default(),
            unanswered: Counter::default(),
            credentials: Counter::default(),
            windows: Windows::default(),
        };
        let registry = &mut this.registry;
        registry.register("grants", "Answers with tokens, by outcome", this.grants.clone());
        registry.register("refusals", "Refused requests, by kind", this.refusals.clone());
        registry.register("alerts", "Theft that a setting let pass", this.alerts.clone());
        registry.register(
            "sessions_ended",
            "Sessions ended, by client and reason",
            this.ended.clone(),
        );
        let about = "Configurations read again while running, by what became of them";
        registry.register("config_reloads", about, this.reloads.clone());
        let about = "Requests at gateways, by the rule that decided and what became of them";
        registry.register("gateway_checks", about, this.checks.clone());
        let about = "Uses of sessions that verifiers reported, by what became of them";
        registry.register("activity", about, this.uses.clone());
        let about = "Operation tokens and tickets, by what became of them";
        registry.register("one_time", about, this.once.clone());
        let about = "Questions about tokens, by what was answered";
        registry.register("introspections", about, this.introspections.clone());
        let about = "Requests that a gateway let in by what this process knows of the feed, without the store";
        registry.register("gateway_from_memory", about, this.from_memory.clone());
        registry.register("unanswered", "Requests answered 503", this.unanswered.clone());
        registry.register(
            "failed_credentials",
            "Wrong API keys and client secrets",
            this.credentials.clone(),
        );
        this
    }
}

impl Metrics {
    /// Tokens were answered at `at`.
    pub fn granted(
        &self,
        client: &ClientId,
        outcome: Outcome,
        alert: Option<Reason>,
        at: Timestamp,
    ) {
        let what = match outcome {
            Outcome::Started => "started",
            Outcome::Advanced => "advanced",
            Outcome::Repeated => "repeated",
            Outcome::FastForwarded => "fast_forwarded",
            Outcome::SteppedUp => "stepped_up",
        };
        if matches!(outcome, Outcome::Advanced | Outcome::FastForwarded) {
            self.windows.opened(client, at);
        }
        self.grants.get_or_create(&label(client, what)).inc();
        if let Some(reason) = alert {
            self.alert(client, reason);
        }
    }

    /// A setting let pass what would have ended or refused something for this.
    pub fn alert(&self, client: &ClientId, reason: Reason) {
        self.alerts.get_or_create(&label(client, reason.as_str())).inc();
    }

    /// A client was given a token of its own.
    pub fn granted_to_client(&self, client: &ClientId) {
        self.grants.get_or_create(&label(client, "client_credentials")).inc();
    }

    /// The configuration was to be read again: `applied` or `refused`.
    pub fn reloaded(&self, what: &'static str) {
        self.reloads.get_or_create(&What { what }).inc();
    }

    /// A gateway asked about a request, and this rule, if any, decided.
    pub fn checked(&self, rule: Option<&Arc<str>>, what: &'static str) {
        let rule = RuleName(rule.map(Arc::clone));
        self.checks.get_or_create(&RuleAnd { rule, what }).inc();
    }

    /// So many uses that a verifier reported were `accepted` or `ignored`, or so many sessions `extended`.
    pub fn used(&self, what: &'static str, count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.uses.get_or_create(&What { what }).inc_by(count);
    }

    /// An operation token or a ticket was `made`, `redeemed`, or refused for this.
    pub fn once(&self, kind: OneTimeKind, what: &'static str) {
        let kind = match kind {
            OneTimeKind::Operation => "operation",
            OneTimeKind::Ticket => "ticket",
        };
        self.once.get_or_create(&KindAnd { kind, what }).inc();
    }

    /// A gateway's request was let in without the store.
    pub fn answered_from_memory(&self) {
        self.from_memory.inc();
    }

    /// Somebody asked about a token.
    pub fn introspected(&self, active: bool) {
        let what = if active { "active" } else { "inactive" };
        self.introspections.get_or_create(&What { what }).inc();
    }

    /// A request was refused.
    pub fn refused(&self, client: &ClientId, denial: Denial) {
        let what = match denial {
            Denial::UnknownSession => "unknown_session",
            Denial::ForeignToken => "foreign_token",
            Denial::ClientDisabled => "client_disabled",
            Denial::Ended(reason) => reason.as_str(),
            Denial::Replayed => "replayed",
            Denial::ProofNeeded => "proof_needed",
            Denial::Banned(_) => "banned",
            Denial::DeviceLimit => "device_limit",
        };
        self.refusals.get_or_create(&label(client, what)).inc();
    }

    /// A session ended.
    pub fn ended(&self, client: &ClientId, reason: Reason) {
        self.ended_many(client, reason, 1);
    }

    /// So many sessions of a client ended at once.
    pub fn ended_many(&self, client: &ClientId, reason: Reason, count: u64) {
        self.ended.get_or_create(&label(client, reason.as_str())).inc_by(count);
    }

    /// A request was answered 503.
    pub fn unanswered(&self) {
        self.unanswered.inc();
    }

    /// An API key or a client secret was wrong.
    pub fn failed_credential(&self) {
        self.credentials.inc();
    }

    /// Everything as text: what was counted, and what is measured for this answer alone.
    pub fn render(&self, scrape: &Scrape<'_>) -> String {
        self.render_with(&scrape.registry(&self.windows))
    }

    /// The same with what another process than the authority measures.
    pub fn render_with(&self, measured: &Registry) -> String {
        let mut text = String::new();
        let written = encode_registry(&mut text, &self.registry)
            .and_then(|()| encode_registry(&mut text, measured))
            .and_then(|()| encode_eof(&mut text));
        // Writing to a String cannot fail; an empty answer would show if it ever did.
        if written.is_err() {
            text.clear();
        }
        text
    }
}

fn label(client: &ClientId, what: &'static str) -> ClientAnd {
    ClientAnd { client: client.as_str().to_owned(), what }
}
