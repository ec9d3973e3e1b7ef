//! What every handler may use.

use crate::clock::Clock;
use crate::config::{Client, Config};
use crate::http::failures::Failures;
use crate::keys::{Keys, Recipients};
use crate::metrics::Metrics;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use std::sync::Arc;
use symbolon_core::{ClientId, Fault, Policies, Salt, SessionId, Subject, Terms, Timestamp};
use symbolon_store::Store;
use symbolon_wire::{Algorithm, Type};

/// The authority of this process.
pub struct App {
    /// What the requests of this process are named after.
    pub name: String,
    /// How it was configured.
    pub config: Config,
    /// The rules of its clients.
    pub policies: Policies,
    /// Where its state lives.
    pub store: Store,
    /// Its keys.
    pub keys: Keys,
    /// Its clocks.
    pub clock: Clock,
    /// What it counts.
    pub metrics: Metrics,
    /// Who failed to authenticate lately.
    pub failures: Failures,
    random: SystemRandom,
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
            name: format!("{name:08x}"),
            policies: config.policies(),
            metrics: Metrics::default(),
            failures: Failures::default(),
            random,
            config,
            store,
            keys,
            clock,
        })
    }

    /// The terms under which a client's tokens are made.
    ///
    /// # Errors
    /// No key signs this algorithm: the start-up makes one for every audience, so this is our own bug.
    pub fn terms<'a>(&'a self, client: &'a Client, alg: Algorithm) -> Result<Terms<'a>, Fault> {
        let none = || Fault::Store(format!("no key signs {}", alg.name()));
        self.keys.terms(&client.policy, alg).ok_or_else(none)
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
    /// own audience, else the client's. `None` if the resource is not among them.
    pub fn recipients(
        &self,
        client: &Client,
        own: &[Arc<str>],
        resource: Option<&str>,
    ) -> Option<Recipients> {
        let all = if own.is_empty() { &client.audience[..] } else { own };
        match resource {
            Some(name) if name == &*self.config.issuer => Some(self.to_issuer()),
            Some(name) => {
                let one = all.iter().find(|audience| ***audience == *name)?;
                self.recipients_of(&[Arc::clone(one)])
            }
            None => self.recipients_of(all),
        }
    }

    fn recipients_of(&self, names: &[Arc<str>]) -> Option<Recipients> {
        let Some(first) = names.first() else { return Some(self.to_issuer()) };
        let audience = self.config.audiences.iter().find(|audience| audience.name == *first)?;
        Some(Recipients { names: names.into(), alg: audience.alg, typ: audience.typ })
    }

    /// Tokens for the authority itself: for a person's own devices.
    fn to_issuer(&self) -> Recipients {
        Recipients {
            names: [Arc::clone(&self.config.issuer)].into(),
            alg: Algorithm::EdDsa,
            typ: Type::AccessTokenJwt,
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
