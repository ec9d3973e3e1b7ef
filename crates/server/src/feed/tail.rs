//! The task that reads the store's events and makes of them what followers are sent.

use super::entries::Entries;
use super::log::{FRAMES_MAX, Log, Sent, base};
use super::reading::{Answered, Reading, Stopped};
use super::{Feed, State};
use crate::app::{App, Live};
use crate::http::Stop;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;
use symbolon_core::{Duration, Fault, KeyId, StoreEpoch, Timestamp};
use symbolon_store::EVENTS_MAX;
use symbolon_wire::feed::{Checkpoint, Cursor, ENTRIES_MAX, Frame, KeyNotice, Revocation};
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// How often the store is asked for its head, whatever it says by itself, and a checkpoint signed.
pub const TICK: Duration = Duration::from_secs(1);

/// Why the feed could not go on.
enum Halt {
    /// Nothing could be read, or signed, just now.
    Fault(Fault),
    /// What was read is not what follows what was sent: it must be read anew.
    Broken(&'static str),
}

impl From<Fault> for Halt {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Stopped<Halt>> for Halt {
    fn from(stopped: Stopped<Self>) -> Self {
        match stopped {
            Stopped::Broken(why) => Self::Broken(why),
            Stopped::Unsigned(halt) => halt,
        }
    }
}

impl fmt::Display for Halt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fault(fault) => fault.fmt(f),
            Self::Broken(why) => f.write_str(why),
        }
    }
}

/// Reads the events until told to stop, and begins anew when what it read does not hold any more.
pub async fn run(live: Live, mut stop: Stop) {
    let feed = Arc::clone(&live.now().feed);
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let reading = async {
        let mut round = 0;
        loop {
            round += 1;
            let halt = match Tail::begin(&live, round).await {
                Ok(tail) => tail.follow(&mut tick).await,
                Err(halt) => halt,
            };
            feed.state_mut().readable = false;
            tracing::error!(why = %halt, "the feed could not be read; reading it anew");
            tick.tick().await;
        }
    };
    tokio::select! {
        () = reading => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
    feed.close();
}

/// Where reading stands.
struct Tail {
    live: Live,
    feed: Arc<Feed>,
    heads: watch::Receiver<u64>,
    /// Tells when the store's log was asked for its head; `None`: nobody else writes to it.
    asks: Option<watch::Receiver<Instant>>,
    reading: Reading,
    /// What each signing key was when it was told last.
    keys: BTreeMap<KeyId, &'static str>,
    /// The store could be read when it was asked last.
    readable: bool,
}

impl Tail {
    /// Reads all that is still needed, and the newest part whole; then puts it in place.
    async fn begin(live: &Live, round: u64) -> Result<Self, Halt> {
        let app = live.now();
        let (store, at) = (&app.store, app.now()?);
        app.feed.verifiers.load(store).await?;
        let mut heads = store.heads();
        let (epoch, head) = (store.cutoffs().epoch, *heads.borrow_and_update());
        let entries = needed(&app, head, at).await?;
        let (base, is_whole) = oldest(&app, epoch, head).await?;
        let feed = Arc::clone(&app.feed);
        let (live, keys) = (live.clone(), states(&app, at));
        let (asks, reading) = (store.asks(), Reading::at(base));
        let mut tail = Self { live, feed, heads, asks, reading, keys, readable: true };
        let mut log = Log::new(round, base, is_whole);
        while tail.reading.cursor().position < head {
            let from = tail.reading.cursor().position;
            let mut events = app.store.events_after(from, EVENTS_MAX).await?;
            events.retain(|(position, _)| *position <= head);
            let sign = |cursor, read_at| sign(&app, cursor, read_at);
            for (sent, _) in tail.reading.fold(&events, None, &app.keys.targets, sign)? {
                log.push(sent);
            }
            tokio::task::yield_now().await;
        }
        {
            let mut state = tail.feed.state_mut();
            let (signed_at, closing) = (state.signed_at, state.closing);
            *state = State { log: Some(log), entries, readable: true, signed_at, closing };
        }
        let taken_up = tail.catch_up().await;
        if taken_up.is_err() {
            tail.feed.state_mut().log = None;
        }
        taken_up?;
        tracing::info!(position = tail.reading.cursor().position, "the feed is ready");
        Ok(tail)
    }

    /// Goes on for as long as it can.
    async fn follow(mut self, tick: &mut Interval) -> Halt {
        loop {
            let (feed, epoch) = (Arc::clone(&self.feed), self.reading.cursor().epoch);
            let beats = tokio::select! {
                // A feed that never rests still has its checkpoint each second.
                biased;
                _ = tick.tick() => true,
                () = feed.turned.notified() => {
                    self.tell_keys();
                    continue;
                }
                () = another_epoch(&self.live, &mut self.asks, epoch) => false,
                changed = self.heads.changed() => {
                    if changed.is_err() {
                        return Halt::Broken("the store is closed");
                    }
                    false
                }
            };
            match self.step(beats).await {
                Ok(()) => self.note(None),
                Err(Halt::Fault(fault)) => self.note(Some(fault)),
                Err(broken @ Halt::Broken(_)) => {
                    // Nobody is sent more of it, and nobody may begin with it.
                    self.feed.state_mut().log = None;
                    self.feed.wake();
                    return broken;
                }
            }
        }
    }

    async fn step(&mut self, beats: bool) -> Result<(), Halt> {
        self.catch_up().await?;
        if beats { self.beat() } else { Ok(()) }
    }

    /// Says once that the store cannot be read, and once that it can again.
    fn note(&mut self, fault: Option<Fault>) {
        match &fault {
            Some(fault) if self.readable => {
                tracing::error!(%fault, "no checkpoint: the feed could not be read up to its head");
            }
            None if !self.readable => tracing::info!("the feed is read up to its head again"),
            Some(_) | None => {}
        }
        self.readable = fault.is_none();
        self.feed.state_mut().readable = self.readable;
    }

    /// Reads what was committed since, and looks whether what was read before is still there.
    async fn catch_up(&mut self) -> Result<(), Halt> {
        loop {
            let app = self.live.now();
            // Before the store is asked: what it answers held at this instant, or later.
            let at = match app.store.head_asked() {
                // What others committed since their log was asked may not be among it yet.
                Some(asked) => app.clock.at(asked)?,
                None => app.now()?,
            };
            let epoch = app.store.cutoffs().epoch;
            let events = app.store.events_after(self.reading.from(), EVENTS_MAX).await?;
            let head_at = (events.len() < EVENTS_MAX).then_some(at);
            let answered = Answered { epoch, events, head_at };
            let sign = |cursor, read_at| sign(&app, cursor, read_at);
            // What was folded and not sent can only be read anew.
            let added = self.reading.go_on(answered, &app.keys.targets, sign);
            let added = added.map_err(|stopped| match stopped {
                Stopped::Unsigned(_) => Halt::Broken("the end of a block could not be signed"),
                Stopped::Broken(why) => Halt::Broken(why),
            })?;
            let moved = !added.is_empty();
            if moved && app.nodes.are_shared() {
                // Before anybody can report what was added.
                self.feed.awaited.hear(&app.store, app.clock.wall()).await;
            }
            self.put(added, head_at);
            if moved {
                self.feed.wake();
            }
            if moved && app.nodes.are_shared() && self.feed.awaited.holds(app.clock.wall()) {
                self.feed.ask_for_reports();
            }
            if head_at.is_some() {
                return Ok(());
            }
        }
    }

    /// Puts what was folded in place for all who follow.
    fn put(&self, added: Vec<(Sent, Revocation)>, head_at: Option<Timestamp>) {
        let mut state = self.feed.state_mut();
        let State { log: Some(log), entries, .. } = &mut *state else { return };
        for (sent, revocation) in added {
            log.push(sent);
            entries.push(&revocation.entry);
        }
        if let Some(at) = head_at {
            log.read_up_to_head(at);
        }
    }

    /// Signs that all up to here is all there is.
    fn beat(&mut self) -> Result<(), Halt> {
        let app = self.live.now();
        let at = app.now()?;
        let frame = sign(&app, self.reading.cursor(), self.reading.read_at())?;
        let fits_again = {
            let mut state = self.feed.state_mut();
            state.signed_at = Some(at);
            state.entries.prune(at);
            if let Some(log) = &mut state.log {
                log.beat(frame);
            }
            state.entries.is_overfull() && state.entries.len() < ENTRIES_MAX / 2
        };
        self.feed.wake();
        self.tell_keys();
        match fits_again {
            true => {
                Err(Halt::Broken("more was revoked than a snapshot holds, and it is fewer now"))
            }
            false => Ok(()),
        }
    }

    /// Tells which signing keys changed: a hint to fetch the key set.
    fn tell_keys(&mut self) {
        let app = self.live.now();
        let now = states(&app, app.clock.wall());
        if now == self.keys {
            return;
        }
        let cutoffs = app.store.cutoffs();
        let left = |kid: &KeyId| match cutoffs.keys.contains_key(kid) {
            true => "revoked",
            false => "gone",
        };
        let changed = now.iter().filter(|(kid, state)| self.keys.get(kid) != Some(state));
        let gone = self.keys.keys().filter(|kid| !now.contains_key(kid));
        let told = changed.map(|(kid, state)| (*kid, *state));
        let told: Vec<_> = told.chain(gone.map(|kid| (*kid, left(kid)))).collect();
        if let Some(log) = &mut self.feed.state_mut().log {
            for (kid, state) in told {
                let notice = KeyNotice { kid, state: state.to_owned() };
                log.hint(Frame::Key(notice).to_text().into());
            }
        }
        self.keys = now;
        self.feed.wake();
    }
}

/// Waits until the store is in another epoch than this: another node opened one, or its primary changed.
async fn another_epoch(
    live: &Live,
    asks: &mut Option<watch::Receiver<Instant>>,
    epoch: StoreEpoch,
) {
    while let Some(asked) = asks {
        if asked.changed().await.is_err() {
            break;
        }
        if live.now().store.cutoffs().epoch != epoch {
            return;
        }
    }
    std::future::pending().await
}

/// What each signing key does now.
fn states(app: &App, at: Timestamp) -> BTreeMap<KeyId, &'static str> {
    app.keys.views(at).into_iter().map(|key| (key.kid, key.state.as_str())).collect()
}

fn sign(app: &App, cursor: Cursor, read_at: Timestamp) -> Result<axum::body::Bytes, Halt> {
    // A clock that was set back a little does not make it signed before it was read.
    let (iss, now) = (app.config.issuer.to_string(), app.now()?.max(read_at));
    let checkpoint = Checkpoint { iss, cursor, read_at, now, nonce: None, snapshot: None };
    let signed = app.keys.sign_checkpoint(&checkpoint);
    let signed = signed.map_err(|_| Fault::Store("a checkpoint could not be signed".into()))?;
    Ok(Frame::Checkpoint(signed).to_text().into())
}

/// All up to the head that a mirror must still know.
async fn needed(app: &App, head: u64, at: Timestamp) -> Result<Entries, Halt> {
    let (mut entries, mut after) = (Entries::default(), Some(0));
    while let Some(from) = after.filter(|from| *from < head) {
        let part = app.store.needed(from, at).await?;
        for (_, event) in part.events.iter().filter(|(position, _)| *position <= head) {
            entries.push(&Revocation::of(event, &app.keys.targets).entry);
        }
        after = part.next;
        tokio::task::yield_now().await;
    }
    Ok(entries)
}

/// Where the newest part that is kept begins, and whether a reader may stand there.
async fn oldest(app: &App, epoch: StoreEpoch, head: u64) -> Result<(Cursor, bool), Halt> {
    let wanted = Cursor::block(epoch, head.saturating_sub(FRAMES_MAX as u64));
    let first = app.store.events_after(wanted.position, 1).await?;
    Ok(base(wanted, head, first.first().map(|(first, _)| *first)))
}
