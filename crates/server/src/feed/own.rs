//! The authority as a verifier of its own: it follows its own feed, so that a gateway is answered from memory.
//!
//! What is said here is never older than the store: somebody is let in only if everything that was committed
//! before the question is known, under the configuration and the keys of the question. Every other answer, each
//! no included, is the store's. Where other nodes write to the store, that is everything up to its last poll, which was
//! [`KNOWN_FOR_MAX`] ago at the most.

use super::Next;
use crate::app::{App, Live};
use crate::clock::{instant, monotonic};
use crate::config::Config;
use crate::http::Stop;
use crate::keys::Keys;
use crate::presence::Online;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use symbolon_core::{ClientPolicy, Duration, Fault, Loaded, SessionId, Timestamp};
use symbolon_verify::feed::{Follower, Gap, Want};
use symbolon_verify::{Builder, Now, Policy, Presented, SetupError, Verified, Verifier};
use symbolon_wire::feed::{Cursor, ENTRIES_MAX};
use symbolon_wire::{KeySet, Malformed};
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};

/// What the authority knows of its own feed, as whoever verifies does.
#[derive(Default)]
pub struct Own {
    known: RwLock<Option<Arc<Known>>>,
    /// One more than the position up to which everything is known; zero while nothing is.
    applied: AtomicU64,
    uses: Uses,
}

/// How long ago the log of a store that others write to may have been asked for its head, for an answer from memory: no
/// longer than a revocation may take to be known everywhere. Inclusive.
const KNOWN_FOR_MAX: Duration = Duration::from_millis(100);

/// How many sessions are remembered with their last use. Inclusive; beyond it all are forgotten, and asked for anew.
const USES_MAX: usize = 1 << 16;

/// When sessions that nobody renews were last used, as far as the store is known to know.
#[derive(Default)]
struct Uses(RwLock<HashMap<SessionId, Timestamp>>);

impl Uses {
    /// Whether the store needs not be told of a use at `at`.
    fn are_noted(&self, sid: &SessionId, policy: &ClientPolicy, at: Timestamp) -> bool {
        let last = self.0.read().unwrap_or_else(PoisonError::into_inner).get(sid).copied();
        last.is_some_and(|last| at.since(last) <= policy.activity_step())
    }

    fn note(&self, sid: SessionId, at: Timestamp) {
        let mut last = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if last.len() == USES_MAX {
            last.clear();
        }
        last.insert(sid, at);
    }
}

/// Verifiers under one configuration and one set of keys.
struct Known {
    config: Arc<Config>,
    keys: Arc<Keys>,
    by_audience: BTreeMap<Arc<str>, Verifier>,
}

impl Known {
    fn is_of(&self, app: &App) -> bool {
        Arc::ptr_eq(&self.config, &app.config) && Arc::ptr_eq(&self.keys, &app.keys)
    }
}

impl Own {
    /// What a token says that is good for an audience now; `None`: the store must be asked.
    pub fn look(
        &self,
        app: &App,
        (shown, audience): (&Presented<'_>, &str),
        at: Timestamp,
    ) -> Option<Verified> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).clone()?;
        let verifier = known.by_audience.get(audience).filter(|_| known.is_of(app))?;
        // Before the token is looked at: what is applied later can only take away.
        if self.applied.load(Ordering::Acquire) <= app.store.head() {
            return None;
        }
        let asked = app.store.head_asked();
        let is_late = |asked| KNOWN_FOR_MAX < instant().saturating_duration_since(asked);
        if asked.is_some_and(is_late) {
            return None;
        }
        let now = Now { wall: at, monotonic: monotonic() };
        let verified = verifier.verify(shown, &Policy::offline(), now).ok()?;
        let claims = verified.claims();
        // What is only reported is counted where the store is asked.
        if claims.imprints().only_report() {
            return None;
        }
        // What was issued before a loss of writes, the store alone knows; of that no feed tells.
        let of_now = claims.ver.store == app.store.cutoffs().epoch;
        let client = app.client(claims.client_id).filter(|_| of_now)?;
        // Where nobody renews, the store must hear of use in time: until then it is the one to ask.
        let noted = !client.preset.tokens_last()
            || claims.sid.is_some_and(|sid| self.uses.are_noted(&sid, &client.policy, at));
        noted.then_some(verified)
    }

    /// The store has just let in whoever holds a token of this session.
    pub fn used(&self, app: &App, session: Option<&Loaded>, at: Timestamp) {
        let Some(Loaded { session, .. }) = session else { return };
        app.presence.note(session.sid, Online::of(session, at));
        let client = app.config.clients.get(&session.client);
        if let Some(client) = client.filter(|client| client.preset.tokens_last()) {
            let slid = client.policy.activity_step() < at.since(session.last_used_at);
            self.uses.note(session.sid, if slid { at } else { session.last_used_at });
        }
    }

    fn know(&self, known: Known) {
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(known));
    }

    fn knows(&self, app: &App) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().is_some_and(|known| known.is_of(app))
    }

    fn applied(&self, position: Option<(u32, u64)>) {
        let position = position.map_or(0, |(_, position)| position.saturating_add(1));
        self.applied.store(position, Ordering::Release);
    }
}

/// One time of following, with a mirror of its own: what is known by it goes with it, however it ends.
struct Round<'a>(&'a Own);

impl Drop for Round<'_> {
    fn drop(&mut self) {
        self.0.applied(None);
        *self.0.known.write().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Follows the own feed until told to stop, wherever a gateway has rules.
pub async fn run(live: Live, mut stop: Stop) {
    let following = async {
        let mut tick = interval(super::TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            if live.now().config.gateway.rules.0.is_empty() {
                continue;
            }
            if let Err(why) = follow(&live).await {
                tracing::warn!(%why, "gateways are answered from the store");
            }
        }
    };
    tokio::select! {
        () = following => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
}

/// Goes on for as long as it can: `Ok` when the feed was read anew.
async fn follow(live: &Live) -> Result<(), Halt> {
    let app = live.now();
    let verifier = Verifier::builder(&app.config.issuer).audience(&app.config.issuer);
    let verifier = verifier.cache(0).offline(KeySet::parse(&app.keys.jwks())?)?;
    let mut follower = Follower::new(&verifier);
    app.feed.caught_up(&app.store).await.map_err(|_| Halt::NotReady)?;
    let snapshot = app.feed.snapshot(&app).await?.map_err(|_| Halt::NotReady)?;
    let now = Now { wall: app.now()?, monotonic: monotonic() };
    // A million entries take a while: not on a thread that others need.
    let taken = spawn_blocking(move || {
        let taken = follower.on_snapshot(&snapshot, now);
        (taken, follower)
    });
    let (taken, mut follower) = taken.await.map_err(|_| Halt::NotReady)?;
    taken?;
    let feed = Arc::clone(&app.feed);
    let mut moved = feed.moved.subscribe();
    let Want::Stream { after } = follower.wants() else { return Err(Halt::NotReady) };
    let cursor = Cursor::parse(&after)?;
    let Some(mut place) = feed.state().log.as_ref().and_then(|log| log.place(Some(cursor))) else {
        return Ok(());
    };
    drop(app);
    let _round = Round(&feed.own);
    loop {
        moved.borrow_and_update();
        let app = live.now();
        if !feed.own.knows(&app) {
            feed.own.know(known(&app, &verifier)?);
        }
        loop {
            let frame = match feed.next(&mut place) {
                Some(Next::Frame(frame)) => frame,
                Some(Next::Nothing) => break,
                Some(Next::Gone) | None => return Ok(()),
            };
            let now = Now { wall: app.clock.wall(), monotonic: monotonic() };
            follower.on_bytes(&frame, now)?;
            whole(&verifier, &app)?;
            feed.own.applied(follower.position());
        }
        whole(&verifier, &app)?;
        feed.own.applied(follower.position());
        if moved.changed().await.is_err() {
            return Ok(());
        }
    }
}

/// That the mirror kept all that it was told: what it had no room for, it cannot refuse.
fn whole(verifier: &Verifier, app: &App) -> Result<(), Halt> {
    let room = verifier.status(monotonic()).entries < ENTRIES_MAX && !app.feed.is_overfull();
    if room { Ok(()) } else { Err(Halt::NotReady) }
}

/// Verifiers for the audiences of a configuration. One whose tokens are signed with a secret has none: its tokens
/// are verified anew each time, so that a mirror would save little.
fn known(app: &App, verifier: &Verifier) -> Result<Known, Halt> {
    verifier.replace_keys(KeySet::parse(&app.keys.jwks())?);
    let published = app.config.audiences.iter().filter(|own| !own.alg.is_symmetric());
    let by_audience = published.map(|own| {
        let builder = Verifier::builder(&app.config.issuer).audience(&own.name);
        let builder = own.algorithms().fold(builder, Builder::algorithm);
        let verifier = builder.typ(own.typ).sharing(verifier)?;
        Ok((Arc::clone(&own.name), verifier))
    });
    Ok(Known {
        config: Arc::clone(&app.config),
        keys: Arc::clone(&app.keys),
        by_audience: by_audience.collect::<Result<_, Halt>>()?,
    })
}

/// Why the own feed cannot be followed just now.
enum Halt {
    Fault(Fault),
    Setup(SetupError),
    Malformed(Malformed),
    Gap(Gap),
    NotReady,
}

impl From<Fault> for Halt {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<SetupError> for Halt {
    fn from(error: SetupError) -> Self {
        Self::Setup(error)
    }
}

impl From<Malformed> for Halt {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

impl From<Gap> for Halt {
    fn from(gap: Gap) -> Self {
        Self::Gap(gap)
    }
}

impl fmt::Display for Halt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fault(fault) => fault.fmt(f),
            Self::Setup(error) => error.fmt(f),
            Self::Malformed(malformed) => malformed.fmt(f),
            Self::Gap(gap) => gap.fmt(f),
            Self::NotReady => f.write_str("the feed is not ready"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use symbolon_store::{Role, Store};
    use symbolon_wire::MasterKey;
    use tempfile::TempDir;

    #[tokio::test]
    async fn what_was_known_by_a_mirror_goes_with_it() {
        let folder = TempDir::new().unwrap();
        let text = "issuer = \"https://id.example.com\"\nstore = \"sqlite:s.db\"\n";
        let config = Config::from_text("symbolon.toml", text).ok().unwrap();
        let store = Store::open_sqlite(&folder.path().join("s.db"), Role::Serve).ok().unwrap();
        let master = "8b5f0d2e7a91c4463fd0b2a6917e53c81d64af90e273bc585902cd7f16ea3b4d";
        let master = Arc::new(MasterKey::parse(master).ok().unwrap());
        let at = Timestamp::from_seconds(1_700_000_000);
        let keys = Keys::open(master, &store, &config, at).await.ok().unwrap();
        let own = Own::default();
        let (config, keys, by_audience) = (Arc::new(config), Arc::new(keys), BTreeMap::new());
        own.know(Known { config, keys, by_audience });
        own.applied(Some((1, 5)));
        drop(Round(&own));
        assert!(own.known.read().unwrap().is_none());
        assert_eq!(own.applied.load(Ordering::Acquire), 0);
    }
}
