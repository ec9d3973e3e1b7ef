//! What a thief gets of a client, by what was stolen, and which settings make that more.

use crate::config::{Client, Config, Preset, duration_text};
use serde::Serialize;
use std::time::Duration;
use symbolon_core::device::Overflow;
use symbolon_core::{ClientPolicy, Replay};

/// Something stolen.
#[derive(Serialize)]
pub(super) struct Theft {
    /// What.
    pub(super) stolen: &'static str,
    /// What it is worth, and what ends that.
    pub(super) worth: String,
}

/// Everything worth stealing.
pub(super) fn thefts(config: &Config, client: &Client) -> Vec<Theft> {
    let theft = |stolen, worth: String| Theft { stolen, worth };
    let mut all = vec![
        theft("access token", access_token(client)),
        theft("refresh token", refresh_token(client)),
        theft("cookie", cookie(client)),
        theft("copy of the database", database(client.preset)),
        theft("signing key", signing_key(config, client)),
        theft(
            "master key",
            "everything: refresh tokens, handles and API keys depend on it".to_owned(),
        ),
    ];
    all.extend(decryption_key(config, client).map(|worth| theft("decryption key", worth)));
    all
}

/// Where the tokens are encrypted for their audience.
fn decryption_key(config: &Config, client: &Client) -> Option<String> {
    let name = client.audience.first()?;
    config.audience(name)?.encrypt.as_ref()?;
    Some(format!(
        "what every token for {name} says that is or was seen on its way; nobody gets in with it, since what is inside \
         is signed"
    ))
}

fn access_token(client: &Client) -> String {
    let ttl = duration_text(client.policy.access_ttl);
    let absolute = duration_text(client.policy.absolute);
    let to = client.audience.len();
    let opens = if to == 1 { "one service".to_owned() } else { format!("{to} services") };
    match client.preset {
        Preset::DualToken | Preset::GatewaySession => {
            format!("{opens} for up to {ttl}, or until the session ends; it cannot be renewed")
        }
        Preset::SlidingSession | Preset::OpaqueSession => format!(
            "{opens}, and the person's own devices, until the session ends: {absolute} at the latest, since the \
             thief's use slides it as well as the owner's. Signing out ends it at once"
        ),
        Preset::Service => {
            format!(
                "{opens} for up to {ttl}, or until the client is disabled; it cannot be renewed"
            )
        }
    }
}

fn refresh_token(client: &Client) -> String {
    let policy = &client.policy;
    if !client.preset.has_refresh_tokens() {
        return "there is none".to_owned();
    }
    let needs = match client.is_confidential() {
        true => "nothing without the client's secret; with it, ",
        false => "",
    };
    let (grace, absolute) = (duration_text(policy.grace), duration_text(policy.absolute));
    let idle = duration_text(policy.idle);
    match policy.replay {
        Replay::Enforce => format!(
            "{needs}the session, until thief and owner use one generation more than {grace} apart: then both are out. \
             A thief who always follows within {grace} is not noticed, nor one whose owner never comes back: \
             {absolute} at the latest. Unused, it dies after {idle}"
        ),
        Replay::Report | Replay::Off => format!(
            "{needs}the session for up to {absolute}: `replay = \"{}\"` sees the theft or not, and does not end it",
            policy.replay.as_str()
        ),
    }
}

fn cookie(client: &Client) -> String {
    match client.preset {
        Preset::GatewaySession => format!(
            "the session, until it ends: {} at the latest. A script in the page cannot read it, so it takes the \
             browser's own files, or its owner's machine",
            duration_text(client.policy.absolute)
        ),
        Preset::DualToken | Preset::SlidingSession | Preset::OpaqueSession | Preset::Service => {
            "there is none".to_owned()
        }
    }
}

fn database(preset: Preset) -> String {
    let none = match preset {
        Preset::DualToken => "no refresh token is stored, nor a digest of one",
        Preset::GatewaySession | Preset::SlidingSession | Preset::OpaqueSession => {
            "no token is stored, nor a digest of one"
        }
        Preset::Service => "the secret stands there as a digest alone",
    };
    format!(
        "nothing that opens anything ({none}), without the master key. It tells who signed in, when, on what and \
         from where"
    )
}

fn signing_key(config: &Config, client: &Client) -> String {
    let symmetric = client
        .audience
        .iter()
        .filter_map(|name| config.audience(name))
        .any(|audience| audience.alg.is_symmetric());
    if symmetric {
        return "tokens of anybody for that audience, which holds the secret itself, until the secret is changed"
            .to_owned();
    }
    let forges = match client.preset {
        Preset::OpaqueSession => {
            "no token of this client, which are not signed; a JWT of anybody for services that take JWTs too"
        }
        Preset::DualToken | Preset::GatewaySession | Preset::SlidingSession | Preset::Service => {
            "access tokens of anybody, for every service that takes its algorithm"
        }
    };
    let then = match client.preset {
        Preset::SlidingSession => {
            ". Revoking it signs everybody out of this client, whose one token cannot be made anew"
        }
        Preset::DualToken | Preset::GatewaySession | Preset::Service => {
            ". Revoking it signs nobody out: the next renewal is under another key"
        }
        Preset::OpaqueSession => "",
    };
    format!("{forges}, until `symbolon keys revoke`, which verifiers hear of within 100 ms{then}")
}

/// The longest that is usual for a token that can be renewed. Exclusive.
const LONG_TTL: Duration = Duration::from_secs(15 * 60);

/// The longest windows and lives that are usual. Exclusive.
const LONG_GRACE: Duration = Duration::from_secs(120);
const LONG_IDLE: Duration = Duration::from_secs(31 * 24 * 60 * 60);
const LONG_ABSOLUTE: Duration = Duration::from_secs(180 * 24 * 60 * 60);

/// More sessions of one person than anybody looks through.
const MANY_DEVICES: u16 = 50;

/// The settings that make a theft worth more than it would have to be, each with the reason.
pub(super) fn weaker_by(config: &Config, client: &Client) -> Vec<String> {
    let mut weaker = Vec::new();
    let ClientPolicy { access_ttl, idle, absolute, grace, replay, ref devices, .. } = client.policy;
    let rotates = client.preset.has_refresh_tokens();
    let mut when = |is: bool, setting: String, why: &str| {
        if is {
            weaker.push(format!("{setting}: {why}"));
        }
    };
    let set = |name: &str, life| format!("{name} = {:?}", duration_text(life));
    when(
        !client.preset.tokens_last() && LONG_TTL < access_ttl,
        set("access_token.ttl", access_ttl),
        "whoever verifies without the feed accepts an ended session for so long",
    );
    when(
        client.preset == Preset::SlidingSession,
        set("access_token.ttl", access_ttl),
        "the one token is worth the whole session; make sure that every service follows the feed",
    );
    when(
        rotates && LONG_GRACE < grace,
        set("refresh.grace", grace),
        "a thief who uses a refresh token so soon after its owner is not noticed",
    );
    when(
        rotates && replay != Replay::Enforce,
        format!("refresh.replay = {:?}", replay.as_str()),
        "a stolen refresh token that comes back does not end its session",
    );
    let of_people = client.preset.has_sessions();
    when(
        of_people && LONG_IDLE < idle,
        set("refresh.idle", idle),
        "a device that was lost stays signed in for so long",
    );
    when(
        of_people && LONG_ABSOLUTE < absolute,
        set("refresh.absolute", absolute),
        "a thief who is never noticed stays for so long",
    );
    when(
        rotates && !client.is_confidential() && !client.origins.is_empty(),
        "no secret, and `origins`".to_owned(),
        "the refresh token is in the page, where a script that slips in can take it",
    );
    when(
        of_people && devices.overflow == Overflow::Refuse,
        "devices.overflow = \"refuse\"".to_owned(),
        "a thief who is signed in keeps the owner out",
    );
    when(
        of_people && MANY_DEVICES < devices.per_subject,
        format!("devices.per_subject = {}", devices.per_subject),
        "nobody notices one device more",
    );
    let symmetric = |name| config.audience(name).is_some_and(|own| own.alg.is_symmetric());
    when(
        client.audience.iter().any(|name| symmetric(name)),
        "alg = \"HS256\"".to_owned(),
        "whoever verifies could sign as well",
    );
    when(
        client.preset.tokens_last() && 1 < client.audience.len(),
        format!("audience = {:?}", client.audience),
        "one token opens all of them, and each of them could use it at the others",
    );
    weaker
}
