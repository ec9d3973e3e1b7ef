//! `[clients.hook]`: the back end that is asked before a session of a client is renewed.

use crate::config::Preset;
use crate::config::build::read;
use crate::config::check::Members;
use crate::config::place::Problems;
use crate::config::url::page;
use std::sync::Arc;
use symbolon_core::Duration;

/// How long an answer is waited for where nothing is said.
const TIMEOUT: Duration = Duration::from_millis(500);

/// Whom to ask, and what holds if nobody answers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hook {
    /// Where: https, or http on this machine.
    pub url: Arc<str>,
    /// How long an answer is waited for.
    pub timeout: Duration,
    /// What is done without one.
    pub on_failure: OnFailure,
}

/// What is done about a renewal of which the back end said nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum OnFailure {
    /// What was known stands: the session goes on with the roles and claims that it has.
    #[default]
    LastKnown,
    /// It has to wait: the client is told to try again, and nothing is lost.
    Refuse,
}

impl OnFailure {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::LastKnown, Self::Refuse];

    /// The word in a configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LastKnown => "last-known",
            Self::Refuse => "refuse",
        }
    }

    /// What a word names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|own| own.as_str() == word)
    }
}

/// Reads a client's hook; where nothing is renewed, there is nothing to ask about.
pub(crate) fn hook(row: &Members, preset: Preset, problems: &mut Problems) -> Option<Hook> {
    let table = row.table("hook")?;
    if !preset.has_refresh_tokens() {
        let what = format!(
            "is asked where a refresh token is used, and preset {:?} has none: {}; leave it out, or use preset \
             \"dual-token\"",
            preset.as_str(),
            instead(preset)
        );
        problems.add(row.place_of("hook"), row.path_of("hook"), what);
    }
    Some(Hook {
        url: read(table, "url", problems, url)?,
        timeout: table.duration("timeout").unwrap_or(TIMEOUT),
        on_failure: table.text("on_failure").and_then(OnFailure::parse).unwrap_or_default(),
    })
}

/// Why there is nothing to ask about.
const fn instead(preset: Preset) -> &'static str {
    match preset {
        Preset::GatewaySession => {
            "its cookie never changes, and what changes is in force at the next request"
        }
        Preset::DualToken | Preset::SlidingSession | Preset::OpaqueSession | Preset::Service => {
            "nothing of it is renewed"
        }
    }
}

fn url(text: &str) -> Result<Arc<str>, String> {
    match text.contains('#') {
        true => Err(format!("{text:?} has a fragment, which is never sent; leave it out")),
        false => page(text),
    }
}
