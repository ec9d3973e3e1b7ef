//! The half that needs a network: keys by themselves, and questions to the authority.

mod activity;
mod ask;
mod discovery;
mod feed;
mod fetcher;
mod http;
mod once;
mod questions;
mod tickets;
mod url;

pub use self::feed::Relay;
pub use self::http::FetchError;
pub use self::tickets::Redeemed;

use self::activity::Reporter;
use self::feed::{Clock, Feed, KeysOf, Options, Start};
use self::fetcher::{Fetched, Fetcher, Pace, Wanted};
use self::http::Http;
use self::once::Uses;
use self::questions::{About, Answer, Questions};
use self::tickets::Tickets;
use self::url::Issuer;
use crate::activity::Activity;
use crate::proof::Name;
use crate::status::Status;
use crate::verifier::{Standing, settled};
use crate::{Builder, Now, Policy, Presented, Rejected, SetupError, Unknown, Verified, Verifier};
use ::http::{HeaderValue, Uri};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

/// How long a request waits for keys that it needs. Inclusive.
const KEYS_WAIT_MAX: Duration = Duration::from_secs(2);

/// The least that the refetch interval may be: an authority's keys do not change faster. Inclusive.
const INTERVAL_MIN: Duration = Duration::from_secs(1);

/// What a builder knows about the network.
pub(crate) struct Settings {
    api_key: Option<Box<str>>,
    through: Option<Box<str>>,
    pace: Pace,
    feed: Options,
    report_activity: bool,
}

impl Settings {
    /// Whether there is an API key to ask with; there must be where something cannot be done without asking.
    fn asks(&self, must: bool) -> Result<bool, SetupError> {
        match self.api_key.is_some() || self.feed.api_key.is_some() {
            false if must => Err(SetupError::NoApiKey),
            asks => Ok(asks),
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        let (interval, max_age) = (Duration::from_secs(30), Duration::from_secs(5 * 60));
        let (pace, feed) = (Pace { interval, max_age }, Options::default());
        Self { api_key: None, through: None, pace, feed, report_activity: false }
    }
}

impl Builder {
    /// An API key of scope `revocations:read`, with which the authority may be asked about tokens.
    ///
    /// Security: without one, only [`Policy::offline`] ever lets anyone in. The key is sent to the issuer's
    /// own host alone and reaches no log. Give each verifier its own, so that one can be revoked.
    #[must_use]
    pub fn introspection(mut self, api_key: &str) -> Self {
        self.net.api_key = Some(api_key.into());
        self
    }

    /// Where the issuer is reached, if not at its own name: a sidecar on this machine, or the address of an
    /// authority behind its balancer. Keys, feed and questions go there; tokens are still the issuer's.
    ///
    /// Security: the API key goes there too, so it must be https, or http on the loopback. Whoever answers there
    /// can withhold the feed, which makes it old, and has the last word about the keys: use it for what you run.
    #[must_use]
    pub fn through(mut self, url: &str) -> Self {
        self.net.through = Some(url.into());
        self
    }

    /// At least this lies between two fetches of the keys, whatever tokens name. Default: 30 s; less than
    /// a second counts as that.
    ///
    /// Security: a stranger can write any `kid`; this is what keeps them from flooding the authority. A key
    /// that is used without having been announced may be refused this long, unless the feed tells of it: that is
    /// looked into within a second.
    #[must_use]
    pub fn key_refetch_interval(mut self, interval: Duration) -> Self {
        self.net.pace.interval = interval.max(INTERVAL_MIN);
        self
    }

    /// Keys are fetched again at this age. Default: 5 min; less than a second counts as that.
    ///
    /// Security: this is how long a key that the authority has withdrawn is trusted. While fetches fail the old
    /// keys stay, since an outage of the authority must not close every service.
    #[must_use]
    pub fn key_max_age(mut self, age: Duration) -> Self {
        self.net.pace.max_age = age.max(INTERVAL_MIN);
        self
    }

    /// Tells the authority once a minute which sessions were used, so that those whose client never renews, because
    /// its token cannot change, do not end as unused while they are in use. Needs the API key of [`Builder::feed`] or
    /// [`Builder::introspection`]. Default: off.
    ///
    /// It is off because a client that renews needs none of it: its renewals are its uses, and each report costs
    /// the authority a look at every session in it. Where it is on, turn it on in every service that such a session
    /// uses; a use that nobody reports is none.
    ///
    /// A session is noted at most once a minute and told within two; the authority moves its idle end when half of it
    /// has gone by, or an hour. So an idle time of ten minutes is the least that is kept exactly, and while the
    /// authority is away for longer than half the idle time sessions end in spite of their use. Uses of 65,536 sessions
    /// wait for it, the oldest leave first, and those that were not told yet end with the process. A session ends at
    /// its absolute end in any case.
    ///
    /// Security: whoever has a stolen token keeps its session from idling out, up to the absolute end; that is what
    /// sliding means. What is sent are names of sessions and times, over the same connection as everything else.
    /// Only requests that were let in count: one that was refused for its scope, or for anything else, does not.
    #[must_use]
    pub const fn report_activity(mut self, report: bool) -> Self {
        self.net.report_activity = report;
        self
    }

    /// Finds the issuer's keys and makes a verifier that keeps them fresh by tasks of its own, which end with the
    /// last clone. With [`Builder::feed`] it then waits, 10 s at the most, until everything that is revoked is
    /// known.
    ///
    /// Security: keys come from `/.well-known/oauth-authorization-server` of the issuer over https (or http
    /// on the loopback), and only if the document there names exactly this issuer.
    ///
    /// # Errors
    /// A wrong setting; the first fetch failed, which is not tried again; or the feed refused us or did not
    /// become whole in time.
    pub async fn connect(self) -> Result<Verifier, ConnectError> {
        let verifier = self.connect_lazily().map_err(ConnectError::Setup)?;
        let net = verifier.net.as_ref().expect("a connected verifier has its network half");
        net.first_fetch().await.map_err(ConnectError::Fetch)?;
        if let Some(feed) = &net.feed {
            feed.first().await.map_err(ConnectError::Feed)?;
        }
        Ok(verifier)
    }

    /// The same without waiting: for a service that starts beside its authority, in any order.
    ///
    /// Until the first keys have come, which is tried again and again, no token is let in; and until the feed is
    /// whole every request is asked about, as far as the authority can be asked.
    ///
    /// # Errors
    /// A wrong setting, or no tokio runtime.
    pub fn connect_lazily(self) -> Result<Verifier, SetupError> {
        let mut expected = self.expected()?;
        expected.activity = self.net.report_activity.then(|| Arc::new(Activity::new()));
        expected.asks = self.net.asks(expected.allowlist)?;
        let expected = Arc::new(expected);
        let issuer = match &self.net.through {
            Some(url) => Issuer::through(&self.issuer, url)?,
            None => Issuer::parse(&self.issuer)?,
        };
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| SetupError::Runtime)?;
        let http = Arc::new(Http::new()?);
        let Settings { api_key, pace, feed: options, report_activity, .. } = self.net;
        let asks_with = api_key.as_deref().or(options.api_key.as_deref());
        let authorization_of_questions = asks_with.map(authorization).transpose()?;
        let reports_with = match (report_activity, &authorization_of_questions) {
            (true, None) => return Err(SetupError::NoApiKey),
            (true, Some(key)) => Some(key.clone()),
            (false, _) => None,
        };
        let follows_with = options.api_key.as_deref().map(authorization).transpose()?;
        let tickets = authorization_of_questions
            .clone()
            .map(|key| Tickets::new(Arc::clone(&http), issuer.clone(), key));
        let uses = authorization_of_questions
            .clone()
            .map(|key| Uses::new(Arc::clone(&http), issuer.clone(), key));
        let questions =
            authorization_of_questions.map(|key| Questions::new(Arc::clone(&http), key));
        let (sender, fetched) = watch::channel(Fetched::default());
        let wanted = Arc::new(Wanted::default());
        let fetcher = Fetcher {
            http: Arc::clone(&http),
            issuer: issuer.clone(),
            expected: Arc::clone(&expected),
            pace,
            wanted: Arc::clone(&wanted),
            fetched: sender,
        };
        let reporter = reports_with.map(|authorization| Reporter {
            http: Arc::clone(&http),
            issuer: issuer.clone(),
            authorization,
            expected: Arc::clone(&expected),
        });
        let mut verifier = Verifier { expected, net: None };
        let clock = Arc::clone(&options.clock);
        let interval = pace.interval;
        let keys = KeysOf { wanted: Arc::clone(&wanted), fetched: fetched.clone() };
        let feed = follows_with.map(|authorization| {
            Feed::start(Start { http, issuer, authorization, options, keys }, &verifier, &runtime)
        });
        let feed = feed.transpose()?;
        let mut tasks = JoinSet::new();
        tasks.spawn_on(fetcher.run(), &runtime);
        if let Some(reporter) = reporter {
            tasks.spawn_on(reporter.run(), &runtime);
        }
        verifier.net = Some(Arc::new(Net {
            wanted,
            fetched,
            questions,
            tickets,
            uses,
            interval,
            _tasks: tasks,
            feed,
            clock,
        }));
        Ok(verifier)
    }
}

fn authorization(api_key: &str) -> Result<HeaderValue, SetupError> {
    let mut value =
        HeaderValue::try_from(format!("Bearer {api_key}")).map_err(|_| SetupError::ApiKey)?;
    value.set_sensitive(true);
    Ok(value)
}

impl Verifier {
    /// Checks a token and asks about it what the verifier does not know by itself: a key that is newer than
    /// its own, whether the session lives, and what a token stands for that is opaque, or stale and lasting.
    ///
    /// Without [`Builder::feed`] every request under a policy other than [`Policy::offline`] is asked about; with it
    /// only those under [`Policy::bounded`] while the feed is late, and each token of the two kinds whenever nothing
    /// that was told of it holds any more.
    ///
    /// # Errors
    /// Why the request is not let in. An authority that cannot be reached is [`Rejected::Unverifiable`].
    pub async fn admit(
        &self,
        presented: &Presented<'_>,
        policy: &Policy,
    ) -> Result<Verified, Rejected> {
        let admitted = self.look_or_ask(presented, policy).await;
        admitted.inspect_err(|rejected| self.expected.rejections.count(rejected))
    }

    async fn look_or_ask(
        &self,
        presented: &Presented<'_>,
        policy: &Policy,
    ) -> Result<Verified, Rejected> {
        let looked = match self.genuine(presented, policy) {
            Err(Rejected::Unverifiable(Unknown::Keys | Unknown::Key)) if self.net.is_some() => {
                self.newer_keys().await;
                self.genuine(presented, policy).map_err(|still| self.judge_unknown(still))
            }
            checked => checked.map_err(settled),
        };
        let (verified, proof) = match looked {
            Ok((verified, Ok(()), proof)) => (verified, proof),
            Ok((signed, Err(Rejected::Ask), proof)) if signed.claims().one_use => {
                return self.use_once(presented.token, policy, (signed, proof)).await;
            }
            Ok((signed, Err(Rejected::Ask), proof)) => {
                (self.ask(presented, policy, Some(signed)).await?, proof)
            }
            Err(Rejected::Ask) => (self.ask(presented, policy, None).await?, None),
            Ok((_, Err(rejected), _)) | Err(rejected) => return Err(rejected),
        };
        policy.permits(&verified.claims(), self.now().wall)?;
        self.expected.spend(proof, self.now())?;
        self.expected.note_use(&verified.claims(), self.now());
        Ok(verified)
    }

    /// Waits until the first keys have come and, with a feed, all that is revoked is known. At once for a verifier
    /// that fetches none.
    pub async fn ready(&self) {
        if let Some(net) = &self.net {
            net.ready().await;
            if let Some(feed) = &net.feed {
                feed.ready().await;
            }
        }
    }

    /// Whether keys have come and, with a feed, all that is revoked is known: whether tokens can be verified here.
    pub fn is_ready(&self) -> bool {
        let follows = self.net.as_ref().is_some_and(|net| net.feed.is_some());
        let known = self.expected.mirror.age(self.now().monotonic).is_some();
        self.expected.keys.current().is_some() && (known || !follows)
    }

    fn now(&self) -> Now {
        self.net.as_ref().map_or_else(Now::read, |net| (net.clock)())
    }

    /// All that the token itself can tell, and what is known of its session.
    fn genuine(
        &self,
        presented: &Presented<'_>,
        policy: &Policy,
    ) -> Result<(Verified, Standing, Option<Name>), Rejected> {
        self.expected.check(presented, policy, self.now(), |claims, standing| {
            Ok((claims.to_verified().of(&self.expected), standing, claims.proof))
        })
    }

    async fn newer_keys(&self) {
        if let Some(net) = &self.net {
            // Nobody's answer is needed: if no keys came in time, the second look says so.
            let _ = timeout(KEYS_WAIT_MAX, net.newer_keys()).await;
        }
    }

    /// A key that is still unknown after a good look is no key of the issuer; after a failed one, who knows.
    fn judge_unknown(&self, rejected: Rejected) -> Rejected {
        match self.net.as_ref().is_some_and(|net| net.looked_lately()) {
            true => settled(rejected),
            false => rejected,
        }
    }
}

/// The network half of a verifier; its tasks end with it.
pub(crate) struct Net {
    wanted: Arc<Wanted>,
    fetched: watch::Receiver<Fetched>,
    questions: Option<Questions>,
    tickets: Option<Tickets>,
    uses: Option<Uses>,
    interval: Duration,
    _tasks: JoinSet<()>,
    feed: Option<Feed>,
    clock: Clock,
}

impl Net {
    pub(crate) fn tell_of_the_feed(&self, status: &mut Status) {
        if let Some(feed) = &self.feed {
            feed.tell(status);
        }
    }

    /// Asks for a fetch, which happens if the last one is long enough ago.
    pub(crate) fn want_keys(&self) {
        self.wanted.by_token();
    }

    /// Waits for the first keys, or for those of a fetch that is allowed now.
    async fn newer_keys(&self) {
        let mut fetched = self.fetched.clone();
        let last = fetched.borrow_and_update().clone();
        if !last.ready {
            return self.ready().await;
        }
        if self.may_fetch(&last) {
            self.want_keys();
            // An error would say that the task is gone; then there is nothing to wait for either.
            let _ = fetched.changed().await;
        }
    }

    fn may_fetch(&self, fetched: &Fetched) -> bool {
        fetched.last.as_ref().is_none_or(|(ended, _)| self.interval <= ended.elapsed())
    }

    /// Whether the keys are as new as the interval allows.
    fn looked_lately(&self) -> bool {
        let fetched = self.fetched.borrow();
        fetched.ready && !self.may_fetch(&fetched) && matches!(fetched.last, Some((_, Ok(()))))
    }

    async fn ready(&self) {
        // As above: without the task nothing will ever change.
        let _ = self.fetched.clone().wait_for(|fetched| fetched.ready).await;
    }

    async fn first_fetch(&self) -> Result<(), FetchError> {
        let mut fetched = self.fetched.clone();
        let last: Option<(Instant, Result<(), FetchError>)> = fetched
            .wait_for(|fetched| fetched.last.is_some())
            .await
            .ok()
            .and_then(|f| f.last.clone());
        last.map_or(Err(FetchError::Unreachable), |(_, outcome)| outcome)
    }

    async fn ask(&self, about: About<'_>) -> Answer {
        let at: Option<Uri> = self.fetched.borrow().introspection.clone();
        match (&self.questions, at) {
            (Some(questions), Some(at)) => questions.ask(&at, about).await,
            (None, _) => {
                tracing::debug!("no API key to ask the authority with");
                Answer::None
            }
            (Some(_), None) => {
                tracing::warn!("the authority names no introspection endpoint on its own host");
                Answer::None
            }
        }
    }
}

/// Why a verifier could not connect.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ConnectError {
    /// The caller's mistake, the same at every try.
    Setup(SetupError),
    /// Another try may go better.
    Fetch(FetchError),
    /// Keys came; the feed did not. Another try may go better.
    Feed(FetchError),
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setup(why) => why.fmt(f),
            Self::Fetch(why) | Self::Feed(why) => why.fmt(f),
        }
    }
}

impl std::error::Error for ConnectError {}
