//! What is used once: made without a write, spent with one (DESIGN.md §4.2).

use super::problem::Problem;
use crate::app::App;
use crate::config::Client;
use axum::http::StatusCode;
use symbolon_core::{
    Denial, Digest, Duration, Fault, Loaded, OneTime, SessionId, Timestamp, Unfit,
};
use symbolon_wire::{Malformed, OneTimeKind, SecretText, parse_session_id};

/// The session that a body names.
///
/// # Errors
/// It names none.
pub fn session_id(text: &str) -> Result<SessionId, Problem> {
    let wrong = |_| Problem::member("session_id", "must be 22 characters of base64url");
    parse_session_id(text).map_err(wrong)
}

/// What is kept of one that was used; its name says all.
const USED: &[u8] = b"used";

/// Why a one-time credential was not redeemed.
pub enum Unredeemed {
    /// It is none of ours.
    Malformed(Malformed),
    /// There is no such session, or it is out of reach.
    Unknown,
    /// It may not be used for this, or not any more.
    Unfit(Unfit),
    /// Somebody was first.
    Used,
    /// It could not be found out, and perhaps it was spent.
    Fault(Fault),
}

impl From<Malformed> for Unredeemed {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

impl From<Unfit> for Unredeemed {
    fn from(unfit: Unfit) -> Self {
        Self::Unfit(unfit)
    }
}

impl From<Fault> for Unredeemed {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Unredeemed {
    /// The word that it is counted under.
    const fn as_str(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "forged",
            Self::Unknown => "unknown_session",
            Self::Unfit(Unfit::Denied(_)) => "session_over",
            Self::Unfit(Unfit::Forgotten) => "older_store_epoch",
            Self::Unfit(Unfit::Expired) => "expired",
            Self::Unfit(Unfit::OtherPurpose) => "other_purpose",
            Self::Used => "used",
            Self::Fault(_) => "fault",
        }
    }
}

impl From<Unredeemed> for Problem {
    fn from(unredeemed: Unredeemed) -> Self {
        let conflict = StatusCode::CONFLICT;
        match unredeemed {
            Unredeemed::Malformed(malformed) => malformed.into(),
            Unredeemed::Unknown => Denial::UnknownSession.into(),
            Unredeemed::Unfit(Unfit::Denied(denial)) => denial.into(),
            Unredeemed::Unfit(Unfit::Forgotten) => {
                let detail = "The store lost writes since this was made, so that it may have been \
                              used. Make another.";
                Problem::new(conflict, "already-used", "Perhaps used", detail)
            }
            Unredeemed::Used => {
                let detail = "It was redeemed before, and is good for once. Make another.";
                Problem::new(conflict, "already-used", "Already used", detail)
            }
            Unredeemed::Unfit(Unfit::Expired) => {
                Problem::new(conflict, "expired", "Expired", "Its time is over. Make another.")
            }
            Unredeemed::Unfit(Unfit::OtherPurpose) => {
                let detail = "It is good, and for something else than this. It was not used up.";
                Problem::new(conflict, "other-purpose", "For something else", detail)
            }
            Unredeemed::Fault(fault) => fault.into(),
        }
    }
}

/// Makes a one-time credential of a session, for the purpose of that digest.
///
/// # Errors
/// The session is over, or its client is switched off; the system has no randomness.
pub fn make(
    app: &App,
    (kind, purpose, life): (OneTimeKind, Digest, Duration),
    loaded: &Loaded,
    at: Timestamp,
) -> Result<SecretText, Problem> {
    let policy = app.policies.of(&loaded.session.client);
    let says = loaded.once(purpose, life, &policy, at)?;
    let text = app.keys.one_time.mint(kind, &says, &app.random()?);
    app.metrics.once(kind, "made");
    Ok(text)
}

/// A session that a one-time credential was redeemed for.
pub struct Redeemed<'a> {
    /// The session.
    pub loaded: Loaded,
    /// Its client.
    pub client: &'a Client,
    /// When.
    pub at: Timestamp,
}

/// Redeems a one-time credential: of all who ask, at every node, one.
///
/// # Errors
/// Why not; it is spent by whoever is told that it was good, and by nobody else.
pub async fn redeem<'a>(
    app: &'a App,
    (kind, text): (OneTimeKind, &str),
    purpose: Digest,
    reaches: impl Fn(&Loaded) -> bool,
) -> Result<Redeemed<'a>, Unredeemed> {
    let redeemed = spend(app, &app.keys.one_time.open(kind, text)?, purpose, reaches).await;
    let what = redeemed.as_ref().err().map_or("redeemed", Unredeemed::as_str);
    app.metrics.once(kind, what);
    redeemed
}

async fn spend<'a>(
    app: &'a App,
    shown: &OneTime,
    purpose: Digest,
    reaches: impl Fn(&Loaded) -> bool,
) -> Result<Redeemed<'a>, Unredeemed> {
    let at = app.now()?;
    let found = app.store.session(shown.sid()).await?.filter(reaches);
    let loaded = found.ok_or(Unredeemed::Unknown)?;
    let client = app.config.clients.get(&loaded.session.client).ok_or(Unredeemed::Unknown)?;
    loaded.may_spend(shown, purpose, &client.policy, at)?;
    let name = shown.name().0;
    match app.store.spend(name, USED, shown.remembered_until(), at).await? {
        None => Ok(Redeemed { loaded, client, at }),
        Some(_) => Err(Unredeemed::Used),
    }
}

/// How long something is to live that lives so long at most, by default so long.
///
/// # Errors
/// Zero, or more.
pub fn life(asked: Option<u64>, max: Duration) -> Result<Duration, Problem> {
    match asked.map(Duration::from_secs) {
        None => Ok(max),
        Some(life) if (Duration::from_secs(1)..=max).contains(&life) => Ok(life),
        Some(_) => {
            let why = format!("must be a number of seconds from 1 to {}", max.as_secs());
            Err(Problem::member("expires_in", why))
        }
    }
}
