//! What every handler may use.

use crate::clock::Clock;
use crate::config::{Client, Config};
use crate::feed::Feed;
use crate::hook::Hooks;
use crate::http::dpop::OwnProofs;
use crate::http::failures::Failures;
use crate::http::gateway::behind::Kept;
use crate::keys::{Keys, KeysUnavailable, Recipients, Signer};
use crate::metrics::Metrics;
use crate::nodes::Nodes;
use crate::people::People;
use crate::presence::Presence;
use crate::tls::Certificate;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use axum::extract::FromRef;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use symbolon_core::audience::Offered;
use symbolon_core::signing::Wish;
use symbolon_core::{
    ClientId, Fault, Policies, RefreshToken, Salt, SessionId, Subject, Terms, Timestamp, audience,
};
use symbolon_store::Store;
use symbolon_wire::{Algorithm, Cookies, Type};
use tokio::sync::Mutex;

/// The authority of this process, as one request sees it from its beginning to its end.
#[derive(Clone)]
pub struct App {
    /// What the requests of this process are named after.
    pub name: Arc<str>,
    /// How it was configured.
    pub config: Arc<Config>,
    /// The rules of its clients.
    pub policies: Arc<Policies>,
    /// Where its state lives.
    pub store: Store,
    /// Its keys.
    pub keys: Arc<Keys>,
    /// When the process started.
    pub started: Timestamp,
    /// Its clocks.
    pub clock: Arc<Clock>,
    /// What its own TLS shows; `None`: it speaks plain HTTP.
    pub certificate: Option<Arc<Certificate>>,
    /// What it counts.
    pub metrics: Arc<Metrics>,
    /// The feed of revocations.
    pub feed: Arc<Feed>,
    /// Who watches their own sessions.
    pub people: Arc<People>,
    /// Who is online.
    pub presence: Arc<Presence>,
    /// Who failed to authenticate lately.
    pub failures: Arc<Failures>,
    /// How cookies are called and set.
    pub cookies: Cookies,
    /// Whether any client has sessions that live in a cookie.
    pub has_gateway_sessions: bool,
    /// What stands behind such cookies, under this configuration.
    pub kept: Arc<Kept>,
    /// The back ends that are asked before a session is renewed.
    pub hooks: Arc<Hooks>,
    /// The proofs of bound tokens that were shown to the authority itself.
    pub proofs: Arc<OwnProofs>,
    /// The other processes that answer for the same store.
    pub nodes: Arc<Nodes>,
    random: Arc<SystemRandom>,
}

/// The authority through all its changes: a reload or a turn of the keys puts a new [`App`] in place, and
/// requests under way keep theirs.
#[derive(Clone)]
pub struct Live {
    app: Arc<RwLock<Arc<App>>>,
    /// Held by whoever opens keys and puts them in place: an older set never takes the place of a newer.
    turning: Arc<Mutex<()>>,
}

impl Live {
    /// Begins with this one.
    pub fn new(app: App) -> Self {
        Self { app: Arc::new(RwLock::new(Arc::new(app))), turning: Arc::default() }
    }

    /// As it is now.
    pub fn now(&self) -> Arc<App> {
        Arc::clone(&self.app.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes it for the requests that come from now on.
    pub fn change(&self, change: impl FnOnce(&App) -> App) {
        let mut current = self.app.write().unwrap_or_else(PoisonError::into_inner);
        *current = Arc::new(change(&current));
    }

    /// Turns the keys as planned and as wished, under another configuration if one is given, and puts both
    /// in place.
    ///
    /// # Errors
    /// As [`Keys::turn`]'s; the clocks contradict each other. Then everything stays as it is.
    pub async fn turn_keys(
        &self,
        config: Option<Config>,
        wishes: BTreeMap<Algorithm, Wish>,
    ) -> Result<(), KeysUnavailable> {
        let _alone = self.turning.lock().await;
        let app = self.now();
        let at = app.now()?;
        let new = config.as_ref().unwrap_or(&app.config);
        let keys = app.keys.turn(&app.store, new, wishes, at).await?;
        self.change(|app| match config {
            Some(config) => app.under(config).with_keys(keys),
            None => app.with_keys(keys),
        });
        app.feed.keys_turned();
        Ok(())
    }
}

impl FromRef<Live> for Arc<App> {
    fn from_ref(live: &Live) -> Self {
        live.now()
    }
}

impl App {
    /// Puts the parts together.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn new(config: Config, store: Store, keys: Keys, clock: Clock) -> Result<Self, Fault> {
        let random = SystemRandom::new();
        let name = u32::from_be_bytes(draw(&random)?);
        Ok(Self {
            name: format!("{name:08x}").into(),
            policies: Arc::new(config.policies()),
            metrics: Arc::default(),
            feed: Arc::default(),
            people: Arc::default(),
            presence: Arc::default(),
            failures: Arc::default(),
            cookies: Cookies { secure: config.issuer.starts_with("https://") },
            has_gateway_sessions: config.has_gateway_sessions(),
            kept: Arc::default(),
            hooks: Arc::new(Hooks::new(&config)?),
            // Those of the token endpoint: a client keeps one nonce for each server.
            proofs: Arc::new(OwnProofs::new(keys.dpop_nonces.clone(), store.cutoffs().epoch)),
            nodes: Arc::new(Nodes::of(&store)),
            random: Arc::new(random),
            config: Arc::new(config),
            keys: Arc::new(keys),
            started: clock.wall(),
            clock: Arc::new(clock),
            certificate: None,
            store,
        })
    }

    /// The same authority under another configuration.
    pub fn under(&self, config: Config) -> Self {
        let policies = Arc::new(config.policies());
        Self {
            cookies: Cookies { secure: config.issuer.starts_with("https://") },
            has_gateway_sessions: config.has_gateway_sessions(),
            // What was made under other settings is made again.
            kept: Arc::default(),
            hooks: Arc::new(self.hooks.under(&config)),
            config: Arc::new(config),
            policies,
            ..self.clone()
        }
    }

    /// The same authority by another clock.
    pub fn with_clock(&self, clock: Clock) -> Self {
        Self { clock: Arc::new(clock), ..self.clone() }
    }

    /// The same authority with other keys.
    pub fn with_keys(&self, keys: Keys) -> Self {
        let keys = Arc::new(keys);
        self.keys.followed_by(&keys);
        Self { keys, ..self.clone() }
    }

    /// The terms under which a client's tokens are made.
    ///
    /// # Errors
    /// No key signs for them: the start-up makes one for every audience, so this is our own bug.
    pub fn terms<'a>(&'a self, client: &'a Client, signer: &Signer) -> Result<Terms<'a>, Fault> {
        let none = || Fault::Store(format!("no key signs for {signer:?}"));
        self.keys.terms(&client.policy, signer).ok_or_else(none)
    }

    /// The instant that rules act at.
    ///
    /// # Errors
    /// The clocks contradict each other.
    pub fn now(&self) -> Result<Timestamp, Fault> {
        self.clock.now()
    }

    /// A configured client.
    pub fn client(&self, id: &str) -> Option<&Client> {
        self.config.clients.get(&ClientId::parse(id).ok()?)
    }

    /// The refresh token that a text is: one of ours, or the old one of a session that was imported.
    /// `None`: it is neither.
    ///
    /// # Errors
    /// The store could not be read.
    pub async fn refresh_token(&self, text: &str) -> Result<Option<RefreshToken>, Fault> {
        if let Ok(own) = self.keys.refresh_tokens.open(text) {
            return Ok(Some(own));
        }
        match self.keys.imported_tokens.of_text(text) {
            Some(digest) => self.store.imported(&digest).await,
            None => Ok(None),
        }
    }

    /// Names a new session of a subject, with a salt of its own.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn name_session(&self, subject: &Subject) -> Result<(SessionId, Salt), Fault> {
        let (name, salt) = (self.random()?, self.random()?);
        Ok((SessionId::new(self.keys.shards.shard(subject.as_str()), name), Salt(salt)))
    }

    /// Bytes that nobody can guess.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn random<const N: usize>(&self) -> Result<[u8; N], Fault> {
        draw(&self.random)
    }

    /// Whom an access token of a client is for: the `resource` asked for (RFC 8707), else the session's
    /// own audience, else the client's. `None` if the resource is not among them, or nobody is left. The
    /// issuer may be asked for wherever there is a person, whose own devices are managed with such a token.
    pub fn recipients(
        &self,
        client: &Client,
        own: &[Arc<str>],
        resource: Option<&str>,
    ) -> Option<Recipients> {
        let of_person = client.preset.has_sessions();
        let found = match resource {
            Some(name) if of_person && name == &*self.config.issuer => Some(self.to_issuer()),
            resource => {
                let offered = Offered { all: &client.audience, usual: &client.usual_audience };
                let names = audience::narrow(own, offered, resource)?;
                self.recipients_of(client, names, of_person && !client.preset.has_refresh_tokens())
            }
        };
        found.map(|recipients| Recipients { thin: client.thin, ..recipients })
    }

    /// `beside`: the issuer is among them, since whoever has the one token for everything can ask for no other.
    fn recipients_of(
        &self,
        client: &Client,
        names: Arc<[Arc<str>]>,
        beside: bool,
    ) -> Option<Recipients> {
        let audience = self.config.audience(names.first()?)?;
        let one_use =
            names.iter().any(|name| self.config.audience(name).is_some_and(|own| own.one_use));
        // Whoever shares a secret with us could make tokens that open the owner's devices.
        let names = match beside && !audience.alg.is_symmetric() {
            true => names.iter().chain([&self.config.issuer]).cloned().collect(),
            false => names,
        };
        let signer = match audience.alg.is_symmetric() {
            true => Signer::Shared(Arc::clone(&audience.name)),
            false => Signer::Own(client.alg.unwrap_or(audience.alg)),
        };
        Some(Recipients { signer, typ: audience.typ, names, one_use, thin: false })
    }

    /// Tokens for the authority itself: for a person's own devices.
    fn to_issuer(&self) -> Recipients {
        Recipients {
            names: [Arc::clone(&self.config.issuer)].into(),
            signer: Signer::Own(Algorithm::EdDsa),
            typ: Type::AccessTokenJwt,
            one_use: false,
            thin: false,
        }
    }
}

/// Bytes that nobody can guess.
fn draw<const N: usize>(random: &SystemRandom) -> Result<[u8; N], Fault> {
    let mut bytes = [0; N];
    let filled = random.fill(&mut bytes);
    filled.map_err(|_| Fault::Store("the system has no randomness".into()))?;
    Ok(bytes)
}
