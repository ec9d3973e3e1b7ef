//! The settings of a client that rules obey.

use crate::device::{DevicePolicy, Overflow};
use crate::id::ClientId;
use crate::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The longest that an access token may live. Inclusive. A bump of a client is remembered for so long.
pub const ACCESS_TTL_MAX: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// What happens when a used refresh token comes back after its window.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Replay {
    /// The session ends (RFC 9700 §4.14.2).
    #[default]
    Enforce,
    /// The newest token is answered again, audited and alerted.
    Report,
    /// Refused; the session lives.
    Off,
}

impl Replay {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Enforce, Self::Report, Self::Off];

    /// The word in a configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Report => "report",
            Self::Off => "off",
        }
    }

    /// What a word names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|replay| replay.as_str() == word)
    }
}

/// Whether a session's binding is looked at.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum BindingMode {
    /// Recorded, not looked at.
    #[default]
    Off,
    /// A mismatch is audited, and the request goes on.
    Report,
    /// A mismatch is theft: the session ends.
    Enforce,
}

impl BindingMode {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Off, Self::Report, Self::Enforce];

    /// The word in a configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Report => "report",
            Self::Enforce => "enforce",
        }
    }

    /// What a word names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == word)
    }
}

/// What the holder of a session's tokens must also show, each by a mode of its own.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct BindingPolicy {
    /// A proof of the device's key (RFC 9449).
    pub key: BindingMode,
    /// The features that the client had at sign-in.
    pub features: BindingMode,
    /// An address of the network of the sign-in.
    pub network: BindingMode,
}

/// The rules that a client's sessions live under.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClientPolicy {
    /// The scope values that it may be granted, separated by one space. What its sessions were granted
    /// before is worth no more than this. Default: none.
    pub scope: Arc<str>,
    /// Life of an access token. Whole seconds, at least 1 s and at least twice `grace`. Default: 5 min.
    pub access_ttl: Duration,
    /// A session unused for this long ends. Default: 14 d.
    pub idle: Duration,
    /// A session this old ends, however much it is used. Default: 90 d.
    pub absolute: Duration,
    /// How long after its first use a refresh token still earns the current successor, for tabs and
    /// retries that raced. Default: 10 s.
    pub grace: Duration,
    /// What a used refresh token does after its window. Default: `Enforce`.
    pub replay: Replay,
    /// How old a verifier's knowledge of revocations may be when it lets a token of this client in; whole seconds.
    /// Default: each route says.
    pub staleness: Option<Duration>,
    /// Whether the session's key, features or network are demanded. Default: none is.
    pub binding: BindingPolicy,
    /// How many sessions a subject may have, and who leaves when there are more.
    pub devices: DevicePolicy,
}

impl Default for ClientPolicy {
    fn default() -> Self {
        const DAY: u64 = 24 * 60 * 60;
        Self {
            scope: "".into(),
            access_ttl: Duration::from_secs(5 * 60),
            idle: Duration::from_secs(14 * DAY),
            absolute: Duration::from_secs(90 * DAY),
            grace: Duration::from_secs(10),
            replay: Replay::Enforce,
            staleness: None,
            binding: BindingPolicy::default(),
            devices: DevicePolicy {
                per_subject: 10,
                per_class: BTreeMap::new(),
                overflow: Overflow::EvictIdle,
            },
        }
    }
}

/// The rules of every configured client.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Policies(pub BTreeMap<ClientId, ClientPolicy>);

impl Policies {
    /// A client's rules; a client that left the configuration keeps the defaults, since its sessions
    /// can be listed and ended but no longer renewed.
    pub fn of(&self, client: &ClientId) -> ClientPolicy {
        self.0.get(client).cloned().unwrap_or_default()
    }
}
