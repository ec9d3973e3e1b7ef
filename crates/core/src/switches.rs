//! What an operator sets of a client while the authority runs: off or on, lenient about replays for a while.

use crate::change::Change;
use crate::epoch::{Bump, ClientState, Cutoffs, ReplayFor};
use crate::id::ClientId;
use crate::person::Replaced;
use crate::revocation::{Below, Event, Reason};
use crate::time::{Duration, Timestamp};

/// The longest that replays may be treated otherwise than the configuration says. Inclusive. What is to
/// last longer belongs into the configuration.
pub const REPLAY_FOR_MAX: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// What an operator wants of a client.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Switches {
    /// Refused in every grant.
    pub disabled: bool,
    /// What is done about replays for a while; `None`: what the configuration says.
    pub replay: Option<ReplayFor>,
}

impl ClientState {
    /// The switches that are in force at `at`.
    pub fn switches(&self, at: Timestamp) -> Switches {
        let replay = self.replay.filter(|own| at < own.until);
        Switches { disabled: self.disabled, replay }
    }
}

impl Cutoffs {
    /// A client's version: another after every change of its state. Its counter, and the store epoch.
    pub fn client_version(&self, client: &ClientId) -> Below {
        Below { epoch: self.epoch, counter: self.client(client).epochs.counter }
    }

    /// Replaces a client's switches as a whole, at the bump's instant. Switching off is a stale bump; every
    /// other change raises the counter and sets no bound, so that it is seen in the version and hits no
    /// token. Each change is in the history. Nothing changed: nothing happens.
    ///
    /// # Errors
    /// The version, if it is none of `expected`, where that is given.
    pub fn replace_switches(
        &mut self,
        client: &ClientId,
        new: &Switches,
        expected: Option<&[Below]>,
        bump: &Bump,
    ) -> Result<(Replaced, Vec<Event>), Below> {
        let version = self.client_version(client);
        if expected.is_some_and(|expected| !expected.contains(&version)) {
            return Err(version);
        }
        let before = self.client(client).switches(bump.at);
        if before == *new {
            return Ok((Replaced { version, changed: false }, Vec::new()));
        }
        let bumped = self.set_client_disabled(client, new.disabled, bump);
        let state = self.clients.entry(client.clone()).or_default();
        state.replay = new.replay;
        if bumped.is_none() {
            state.epochs.counter = state.epochs.counter.saturating_add(1);
        }
        let changes = changes(client, &before, new).map(|change| line_of(change, bump));
        let version = self.client_version(client);
        Ok((Replaced { version, changed: true }, bumped.into_iter().chain(changes).collect()))
    }
}

/// What of a replacement revokes nothing.
fn changes(client: &ClientId, before: &Switches, new: &Switches) -> impl Iterator<Item = Change> {
    let enabled = (before.disabled && !new.disabled).then(|| Change::ClientEnabled(client.clone()));
    let replay = (before.replay != new.replay).then(|| match new.replay {
        Some(own) => Change::ReplaySet(client.clone(), own),
        None => Change::ReplayEnded(client.clone()),
    });
    enabled.into_iter().chain(replay)
}

/// The line of a change in the history. What is said of replays is not why a client was switched off.
fn line_of(change: Change, bump: &Bump) -> Event {
    let of_replays = matches!(change, Change::ReplaySet(..) | Change::ReplayEnded(_));
    let event = change.event(bump);
    match (event.reason, of_replays) {
        (Reason::ClientDisabled, true) => Event { reason: Reason::Replayed, ..event },
        _ => event,
    }
}
