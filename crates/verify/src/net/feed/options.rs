//! What a builder knows about the feed.

use crate::{Builder, Now};
use std::fmt;
use std::sync::Arc;

/// Where the time comes from.
pub(crate) type Clock = Arc<dyn Fn() -> Now + Send + Sync>;

/// Where what was heard is passed on to.
pub(super) type PassOn = Arc<dyn Fn(Relay<'_>) + Send + Sync>;

/// What a verifier heard of the feed and took, for whoever passes it on ([`Builder::relay`]).
#[non_exhaustive]
pub enum Relay<'a> {
    /// A snapshot, whole. What comes next goes on from its cursor.
    Snapshot(Arc<Vec<u8>>),
    /// What came next, cut anywhere. After [`Relay::Lost`] it begins at the last checkpoint again, so that some of it
    /// may have been there before.
    Frames(&'a [u8]),
    /// The authority is not heard any more; what was cut off comes again.
    Lost,
}

/// Never what it holds: a snapshot has the key under which targets are digested.
impl fmt::Debug for Relay<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Snapshot(bytes) => write!(f, "Snapshot({} bytes)", bytes.len()),
            Self::Frames(bytes) => write!(f, "Frames({} bytes)", bytes.len()),
            Self::Lost => f.write_str("Lost"),
        }
    }
}

/// What a builder knows about the feed.
pub(crate) struct Options {
    pub(crate) api_key: Option<Box<str>>,
    pub(super) poll_only: bool,
    pub(super) instance: Option<String>,
    pub(super) offline_routes: u32,
    pub(crate) clock: Clock,
    pub(super) pass_on: Option<PassOn>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            api_key: None,
            poll_only: false,
            instance: None,
            offline_routes: 0,
            clock: Arc::new(Now::read),
            pass_on: None,
        }
    }
}

impl Builder {
    /// An API key of scope `revocations:read`, with which the verifier follows the authority's feed: a session that
    /// ended is refused within milliseconds, and no request asks the authority while the feed is heard.
    ///
    /// The same key asks about tokens when the feed is late, unless [`Builder::introspection`] names another.
    ///
    /// Security: the key is sent to the issuer's own host alone and reaches no log. It reads digests of what is
    /// revoked, and lets nobody revoke. Give each service its own.
    #[must_use]
    pub fn feed(mut self, api_key: &str) -> Self {
        self.net.feed.api_key = Some(api_key.into());
        self
    }

    /// Follows the feed by long polls alone, where something on the way is known to hold streams back.
    ///
    /// It is tried by itself anyway when a stream has been silent for 3 s. Security: none; an end is heard a little
    /// later, since each is answered by a request of its own.
    #[must_use]
    pub const fn poll_only(mut self) -> Self {
        self.net.feed.poll_only = true;
        self
    }

    /// The name under which this process reports what it applied: 1–64 visible ASCII characters. Default: drawn by
    /// chance at each start.
    ///
    /// Security: two processes of one API key must not share a name: whoever revokes with `?wait=` would be told
    /// that both have applied what only one has.
    #[must_use]
    pub fn instance(mut self, name: &str) -> Self {
        self.net.feed.instance = Some(name.into());
        self
    }

    /// How many routes of this service check under [`Policy::offline`](crate::Policy::offline), which whoever revokes
    /// with `?wait=` is told. Default: none.
    ///
    /// Security: those routes let an ended session in until its token expires; nobody can know if it is not said.
    #[must_use]
    pub const fn offline_routes(mut self, count: u32) -> Self {
        self.net.feed.offline_routes = count;
        self
    }

    /// Passes on what is heard of the feed, once it was verified and applied here: for a process that serves the feed to
    /// others.
    ///
    /// Security: none for this verifier. Whoever is served must verify for itself. `to` is called by the task that
    /// follows the feed and holds it up for as long as it takes.
    #[must_use]
    pub fn relay(mut self, to: impl Fn(Relay<'_>) + Send + Sync + 'static) -> Self {
        self.net.feed.pass_on = Some(Arc::new(to));
        self
    }

    /// Where the network half reads the time. Default: [`Now::read`].
    ///
    /// Security: the age of what is known is measured by `monotonic`, so every check must be given readings of the
    /// same clock. One that stands still during a suspend makes old knowledge look fresh to a woken machine until
    /// it has asked the authority again.
    #[must_use]
    pub fn clock(mut self, read: impl Fn() -> Now + Send + Sync + 'static) -> Self {
        self.net.feed.clock = Arc::new(read);
        self
    }
}
