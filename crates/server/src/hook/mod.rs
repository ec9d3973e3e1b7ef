//! Refresh hooks: a client's back end is asked before a session of it is renewed.
//!
//! What its word is worth is decided in `symbolon_core::told`; here it is asked: once for all who show the same token
//! at the same time, never for longer than the setting says, and not at all while it does not answer anybody.

mod answer;
mod call;
mod flights;
mod pause;

use crate::app::App;
use crate::clock::monotonic;
use crate::config::{Client, Config, Hook, OnFailure};
use crate::outbound::{Outbound, outbound};
use axum::http::Uri;
use call::{Signed, Unheard};
use flights::{About, Flights};
use pause::Pause;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use symbolon_core::told::Refused;
use symbolon_core::{ClientId, Fault, Loaded, RefreshToken, Timestamp, Word};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// How many questions may be with one back end at once. Inclusive; more wait for their turn.
pub const OPEN_MAX: usize = 32;

/// How many may be there or wait. Inclusive; one more is not asked.
pub const WAITING_MAX: usize = 512;

/// The back ends of all clients that have one.
pub struct Hooks {
    outbound: Outbound,
    by_client: BTreeMap<ClientId, Arc<BackEnd>>,
}

/// One back end, and how it fares.
struct BackEnd {
    hook: Hook,
    uri: Uri,
    waiting: Semaphore,
    open: Semaphore,
    flights: Flights,
    pause: Mutex<Pause>,
}

/// A renewal that a back end is asked about.
pub struct Renewal<'a> {
    /// The authority.
    pub app: &'a App,
    /// The client.
    pub client: &'a Client,
    /// The session as it is.
    pub loaded: &'a Loaded,
    /// What was shown.
    pub token: &'a RefreshToken,
    /// When.
    pub at: Timestamp,
}

/// Nobody said anything, and nothing is renewed without a word.
pub struct Away;

impl Hooks {
    /// Those of a configuration.
    ///
    /// # Errors
    /// There is no TLS.
    pub fn new(config: &Config) -> Result<Self, Fault> {
        let no_tls = |why: rustls::Error| Fault::Store(format!("TLS is not available: {why}"));
        let none = Self { outbound: outbound().map_err(no_tls)?, by_client: BTreeMap::new() };
        Ok(none.under(config))
    }

    /// Those of another configuration; what is known of a back end stays where its settings do.
    pub fn under(&self, config: &Config) -> Self {
        let back_end = |client: &Client| {
            let hook = client.hook.clone()?;
            let known = self.by_client.get(&client.id).filter(|known| known.hook == hook);
            let own = known.map(Arc::clone).or_else(|| BackEnd::new(hook).map(Arc::new))?;
            Some((client.id.clone(), own))
        };
        let by_client = config.clients.values().filter_map(back_end).collect();
        Self { outbound: self.outbound.clone(), by_client }
    }

    /// Whether no client has one.
    pub fn is_empty(&self) -> bool {
        self.by_client.is_empty()
    }

    /// What the client's back end says.
    ///
    /// # Errors
    /// Nothing, and the setting does not let what is known stand.
    pub async fn word(&self, renewal: &Renewal<'_>) -> Result<Word, Away> {
        let Some(own) = self.by_client.get(&renewal.client.id) else { return Ok(Word::AsKnown) };
        match (own.ask(&self.outbound, renewal).await, own.hook.on_failure) {
            (Ok(word), _) => Ok(word),
            (Err(_), OnFailure::LastKnown) => Ok(Word::AsKnown),
            (Err(_), OnFailure::Refuse) => Err(Away),
        }
    }
}

impl BackEnd {
    /// `None`: the URL is none, which the configuration has ruled out.
    fn new(hook: Hook) -> Option<Self> {
        Some(Self {
            uri: hook.url.parse().ok()?,
            hook,
            waiting: Semaphore::new(WAITING_MAX),
            open: Semaphore::new(OPEN_MAX),
            flights: Flights::default(),
            pause: Mutex::default(),
        })
    }

    /// Asks, or waits for what somebody else is asking about the same token.
    async fn ask(&self, outbound: &Outbound, renewal: &Renewal<'_>) -> Result<Word, Unheard> {
        let about = About::token(renewal.token, renewal.loaded.version());
        let Some(flight) = self.flights.join(about, renewal.at) else {
            return self.note(renewal, Err(Unheard::Crowded));
        };
        let mut asked = false;
        // If the first one who asks goes away, the next one of those who wait asks in their place.
        let call = || {
            asked = true;
            self.call(outbound, renewal)
        };
        let said = flight.get_or_init(call).await.clone();
        if said.is_err() {
            self.flights.leave(about, &flight);
        }
        match said {
            // Whoever asked has it written down.
            Ok(Word::Refused(told)) => Ok(Word::Refused(Refused { noted: !asked, ..told })),
            said => said,
        }
    }

    async fn call(&self, outbound: &Outbound, renewal: &Renewal<'_>) -> Result<Word, Unheard> {
        if self.pause().holds(renewal.at) {
            return self.note(renewal, Err(Unheard::Paused));
        }
        let began = monotonic();
        let said = self.exchange(outbound, renewal).await;
        let took = monotonic().saturating_sub(began);
        renewal.app.metrics.hook_took(&renewal.client.id, took);
        match said.as_ref().map_or_else(|why| why.is_there(), |_| Some(true)) {
            Some(true) => self.pause().answered(),
            Some(false) => {
                let [chance] = renewal.app.random().unwrap_or_default();
                self.pause().failed(renewal.at, renewal.at.after(took), chance);
            }
            None => {}
        }
        self.note(renewal, said)
    }

    async fn exchange(&self, outbound: &Outbound, renewal: &Renewal<'_>) -> Result<Word, Unheard> {
        let Renewal { app, client, loaded, token: _, at } = *renewal;
        let _place = self.waiting.try_acquire().map_err(|_| Unheard::Crowded)?;
        let signed = Signed::new((app, client), (&self.hook, &self.uri), loaded, at);
        let signed = signed.map_err(|_| Unheard::Unable)?;
        let asking = async {
            let _turn = self.open.acquire().await.map_err(|_| Unheard::Crowded)?;
            signed.send(outbound).await
        };
        timeout(self.hook.timeout, asking).await.unwrap_or(Err(Unheard::Late))
    }

    fn note(&self, renewal: &Renewal<'_>, said: Result<Word, Unheard>) -> Result<Word, Unheard> {
        let client = &renewal.client.id;
        let what = match &said {
            Ok(Word::Refused(_)) => "refused",
            Ok(Word::Allowed(_) | Word::AsKnown | Word::Unasked) => "allowed",
            Err(why) => why.as_str(),
        };
        renewal.app.metrics.hooked(client, what);
        if let Err(why) = said {
            self.log(renewal, why);
        }
        said
    }

    /// While it is left alone, each renewal is counted and not logged: an outage is told by its first failures.
    fn log(&self, renewal: &Renewal<'_>, why: Unheard) {
        let client_id = renewal.client.id.as_str();
        let (what, on_failure) = (why.as_str(), self.hook.on_failure.as_str());
        match why {
            Unheard::Paused => tracing::debug!(client_id, what, "a back end is left alone"),
            Unheard::Status(status) => {
                tracing::warn!(client_id, what, status, on_failure, "a back end says nothing");
            }
            Unheard::Unreachable
            | Unheard::Late
            | Unheard::Oversized
            | Unheard::Malformed
            | Unheard::Crowded
            | Unheard::Unable => {
                tracing::warn!(client_id, what, on_failure, "a back end says nothing");
            }
        }
    }

    fn pause(&self) -> MutexGuard<'_, Pause> {
        self.pause.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
