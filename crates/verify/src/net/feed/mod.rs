//! The feed of revocations over the network: one task follows it, three small ones stand beside it.

mod backoff;
mod beside;
mod lead;
mod options;
mod random;

pub(super) use lead::rest;
pub use options::Relay;
pub(crate) use options::{Clock, Options};
pub(super) use random::jitter;

use super::fetcher::{Fetched, Wanted};
use super::http::{FetchError, Http};
use super::url::Issuer;
use crate::feed::{Follower, Gap, Heard};
use crate::status::{Mode, Status};
use crate::verifier::Expected;
use crate::{SetupError, Verifier};
use http::{HeaderValue, Uri};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// How long after somebody asked for a report each further revocation is reported at once: what they wait for
/// may follow their question.
const PROMPT: Duration = Duration::from_secs(2);

/// How long `connect` waits for the feed. Inclusive.
pub(super) const READY_MAX: Duration = Duration::from_secs(10);

/// The longest name of an instance, in characters. Inclusive.
const INSTANCE_CHARS_MAX: usize = 64;

/// What the tasks of the feed share.
struct Shared {
    http: Arc<Http>,
    issuer: Issuer,
    authorization: HeaderValue,
    expected: Arc<Expected>,
    options: Options,
    instance: String,
    follower: Mutex<Follower>,
    /// The follower will be busy for a noticeable time.
    takes_snapshot: AtomicBool,
    keys: KeysOf,
    now: Mutex<Lately>,
    /// Somebody waits for a report.
    report: Notify,
    /// The authority should be asked for the time.
    time: Notify,
    progress: watch::Sender<Progress>,
}

/// How to come by newer keys.
pub(super) struct KeysOf {
    pub(super) wanted: Arc<Wanted>,
    pub(super) fetched: watch::Receiver<Fetched>,
}

/// What happened lately: to be read at any time, also while a snapshot is taken.
#[derive(Default)]
struct Lately {
    mode: Mode,
    prompt_until: Option<Instant>,
    resyncs: u64,
    position: Option<(u32, u64)>,
}

/// How far the start has come.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Progress {
    Begun,
    /// The last try failed; there will be others.
    Failed(FetchError),
    Ready,
}

/// The feed as a connected verifier holds it; its tasks end with it.
pub(super) struct Feed {
    shared: Arc<Shared>,
    progress: watch::Receiver<Progress>,
    _tasks: JoinSet<()>,
}

/// What a feed is started with.
pub(super) struct Start {
    pub(super) http: Arc<Http>,
    pub(super) issuer: Issuer,
    pub(super) authorization: HeaderValue,
    pub(super) options: Options,
    pub(super) keys: KeysOf,
}

impl Feed {
    pub(super) fn start(
        start: Start,
        verifier: &Verifier,
        runtime: &Handle,
    ) -> Result<Self, SetupError> {
        let Start { http, issuer, authorization, options, keys } = start;
        let instance = options.instance.clone().unwrap_or_else(random::name);
        let visible = instance.bytes().all(|byte| byte.is_ascii_graphic());
        if !visible || !(1..=INSTANCE_CHARS_MAX).contains(&instance.len()) {
            return Err(SetupError::Instance);
        }
        let (sender, progress) = watch::channel(Progress::Begun);
        let shared = Arc::new(Shared {
            http,
            issuer,
            authorization,
            expected: Arc::clone(&verifier.expected),
            options,
            instance,
            follower: Mutex::new(Follower::new(verifier)),
            takes_snapshot: false.into(),
            keys,
            now: Mutex::default(),
            report: Notify::new(),
            time: Notify::new(),
            progress: sender,
        });
        let mut tasks = JoinSet::new();
        tasks.spawn_on(lead::lead(Arc::clone(&shared)), runtime);
        tasks.spawn_on(beside::keep_time(Arc::clone(&shared)), runtime);
        tasks.spawn_on(beside::report(Arc::clone(&shared)), runtime);
        tasks.spawn_on(beside::ask_for_the_ended(Arc::clone(&shared)), runtime);
        Ok(Self { shared, progress, _tasks: tasks })
    }

    /// Waits until the mirror is whole and its age known.
    pub(super) async fn ready(&self) {
        // Without the task nothing will ever change.
        let _ = self.progress.clone().wait_for(|now| *now == Progress::Ready).await;
    }

    /// The same for [`READY_MAX`] at the most, and not where the authority refuses.
    pub(super) async fn first(&self) -> Result<(), FetchError> {
        let mut progress = self.progress.clone();
        let decided = progress.wait_for(|now| match now {
            Progress::Ready => true,
            Progress::Failed(why) => matches!(why, FetchError::Status(401 | 403 | 404)),
            Progress::Begun => false,
        });
        let waited = tokio::time::timeout(READY_MAX, decided).await.is_ok();
        match &*self.progress.borrow() {
            Progress::Ready => Ok(()),
            Progress::Failed(why) => Err(why.clone()),
            Progress::Begun if waited => Err(FetchError::Unreachable),
            Progress::Begun => Err(FetchError::Late),
        }
    }

    pub(super) fn tell(&self, status: &mut Status) {
        let lately = self.shared.lately();
        (status.mode, status.resyncs) = (lately.mode, lately.resyncs);
        (status.epoch, status.position) = lately.position.unzip();
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.shared.expected.sessions.close();
    }
}

impl Shared {
    fn follower(&self) -> MutexGuard<'_, Follower> {
        self.follower.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The follower, unless it takes a snapshot: nobody who shares a thread with others waits for that.
    fn free_follower(&self) -> Option<MutexGuard<'_, Follower>> {
        let busy = self.takes_snapshot.load(Ordering::Acquire);
        (!busy).then(|| self.follower())
    }

    /// Remembers where the follower stands.
    fn note(&self) {
        let (resyncs, position) = {
            let follower = self.follower();
            (follower.resyncs(), follower.position())
        };
        let mut lately = self.lately();
        (lately.resyncs, lately.position) = (resyncs, position);
    }

    fn lately(&self) -> MutexGuard<'_, Lately> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn at(&self, path: &str) -> Uri {
        self.issuer.at(path)
    }

    fn age(&self) -> Option<Duration> {
        self.expected.mirror.age((self.options.clock)().monotonic)
    }

    /// Takes in what came, and does what it asks for.
    fn hear(&self, bytes: &[u8]) -> Result<Heard, Gap> {
        let heard = self.follower().on_bytes(bytes, (self.options.clock)());
        self.note();
        let heard = heard?;
        self.pass_on(Relay::Frames(bytes));
        let now = Instant::now();
        let mut lately = self.lately();
        if heard.report {
            lately.prompt_until = Some(now + PROMPT);
        }
        let prompt = heard.applied > 0 && lately.prompt_until.is_some_and(|until| now < until);
        drop(lately);
        if heard.report || prompt {
            self.report.notify_one();
        }
        if heard.keys {
            self.keys.wanted.by_feed();
        }
        self.look_ready();
        Ok(heard)
    }

    fn pass_on(&self, heard: Relay<'_>) {
        if let Some(to) = &self.options.pass_on {
            to(heard);
        }
    }

    fn look_ready(&self) {
        let became_ready = |progress: &mut Progress| {
            let is = *progress != Progress::Ready && self.age().is_some();
            if is {
                *progress = Progress::Ready;
            }
            is
        };
        if self.progress.send_if_modified(became_ready) {
            self.report.notify_one();
        }
    }
}
