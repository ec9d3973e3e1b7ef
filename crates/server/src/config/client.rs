//! One client's settings, and what they must be to each other.

use crate::config::build::read;
use crate::config::check::Members;
use crate::config::duration::duration_text;
use crate::config::place::{Place, Problems, nearest};
use crate::config::url::web_origin;
use crate::config::{Audience, Client, Delivery, Preset};
use std::collections::BTreeMap;
use std::sync::Arc;
use symbolon_core::device::{DeviceClass, DevicePolicy, Overflow};
use symbolon_core::time::Duration;
use symbolon_core::{BindingMode, BindingPolicy, ClientId, ClientPolicy, Replay};
use symbolon_wire::SecretHash;

/// The longest that an access token may live that another can follow. Inclusive.
const SHORT_TTL_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// The shortest grace window of a refresh token that travels in a cookie or in headers: an answer that comes late puts an
/// older one back, and that must still be good. Inclusive.
const COOKIE_GRACE_MIN: Duration = Duration::from_secs(60);

/// Builds a client; `None` if it has no name to report further mistakes under.
pub(crate) fn client(
    row: &Members,
    audiences: &[Audience],
    problems: &mut Problems,
) -> Option<Client> {
    let id = read(row, "client_id", problems, |text| {
        ClientId::parse(text).map_err(|why| format!("{text:?} {why}"))
    })?;
    let client = Client {
        id,
        preset: preset(row),
        secret_hashes: secret_hashes(row, problems),
        origins: origins(row, problems),
        delivery: delivery(row),
        audience: audience(row, audiences, problems),
        policy: ClientPolicy {
            scope: read(row, "scope", problems, scope).unwrap_or_default(),
            ..policy(row)
        },
    };
    check_preset(row, &client, problems);
    if row.sound {
        let why = Why { row: Some(row), path: &row.path };
        check_lives(&client, &why, problems);
    }
    Some(client)
}

/// Checks a client whose lives were changed by flags.
pub(crate) fn check_flags(client: &Client, problems: &mut Problems) {
    let path = format!("clients.{}", client.id.as_str());
    check_lives(client, &Why { row: None, path: &path }, problems);
}

fn preset(row: &Members) -> Preset {
    row.text("preset").and_then(Preset::parse).unwrap_or(Preset::DualToken)
}

fn delivery(row: &Members) -> Delivery {
    row.text("delivery").and_then(Delivery::parse).unwrap_or_default()
}

/// One, or two while a secret is being changed.
fn secret_hashes(row: &Members, problems: &mut Problems) -> Vec<SecretHash> {
    let mut hashes: Vec<_> = read(row, "secret_hash", problems, secret_hash).into_iter().collect();
    let (path, listed) = (row.path_of("secret_hashes"), row.texts("secret_hashes"));
    if row.has("secret_hash") && row.has("secret_hashes") {
        let what =
            "`secret_hash` is given as well; put both hashes into this list, and leave it out";
        problems.add(row.place_of("secret_hashes"), &path, what);
    }
    for (at, (place, text)) in listed.iter().enumerate() {
        let path = format!("{path}[{at}]");
        match secret_hash(text) {
            Ok(hash) if hashes.contains(&hash) => {
                problems.add(place, path, "is the same as the one before; keep one");
            }
            Ok(hash) => hashes.push(hash),
            Err(what) => problems.add(place, path, what),
        }
    }
    hashes
}

/// Never repeats the text: it may be a secret in clear.
fn secret_hash(text: &str) -> Result<SecretHash, String> {
    SecretHash::parse(text).map_err(|malformed| {
        format!(
            "{}, never the secret itself; \
             `symbolon config secret` draws a secret and prints both",
            malformed.why()
        )
    })
}

fn origins(row: &Members, problems: &mut Problems) -> Vec<Arc<str>> {
    let mut origins = Vec::new();
    for (at, (place, text)) in row.texts("origins").iter().enumerate() {
        match web_origin(text) {
            Ok(origin) => origins.push(origin),
            Err(what) => problems.add(place, format!("{}[{at}]", row.path_of("origins")), what),
        }
    }
    origins
}

fn audience(row: &Members, audiences: &[Audience], problems: &mut Problems) -> Vec<Arc<str>> {
    let path = row.path_of("audience");
    let listed = row.texts("audience");
    if listed.is_empty() && row.sound {
        let what = "is missing: name at least one of [[audiences]] that its tokens are for";
        problems.add(row.place_of("audience"), &path, what);
    }
    let mut found: Vec<&Audience> = Vec::new();
    for (at, (place, name)) in listed.iter().enumerate() {
        match one_audience(name, audiences, &found) {
            Ok(audience) => found.push(audience),
            Err(what) => problems.add(place, format!("{path}[{at}]"), what),
        }
    }
    found.into_iter().map(|audience| audience.name.clone()).collect()
}

fn one_audience<'a>(
    name: &str,
    audiences: &'a [Audience],
    before: &[&Audience],
) -> Result<&'a Audience, String> {
    let Some(audience) = audiences.iter().find(|audience| &*audience.name == name) else {
        let near = nearest(name, audiences.iter().map(|audience| &*audience.name));
        return Err(match near {
            Some(near) => format!("there is no audience {name:?}; did you mean {near:?}?"),
            None => format!("there is no audience {name:?}; add it under [[audiences]]"),
        });
    };
    if before.iter().any(|other| other.name == audience.name) {
        return Err(format!("{name:?} is listed twice; keep one"));
    }
    let alone = |other: &&Audience| other.alg.is_symmetric() || audience.alg.is_symmetric();
    if let Some(other) = before.iter().copied().find(alone) {
        return Err(format!(
            "{name:?} cannot stand beside {:?}: an HS256 audience shares its secret with nobody, so \
             that its tokens are for it alone; make two clients",
            other.name
        ));
    }
    let sealed = |other: &&Audience| other.encrypt.is_some() || audience.encrypt.is_some();
    if let Some(other) = before.iter().copied().find(sealed) {
        return Err(format!(
            "{name:?} cannot stand beside {:?}: an encrypted token is one that a single audience can open; make two \
             clients",
            other.name
        ));
    }
    match before.first() {
        Some(other) if (other.alg, other.typ) != (audience.alg, audience.typ) => Err(format!(
            "{name:?} wants {} and {}, but {:?} wants {} and {}, and one token cannot be both; \
             give them the same alg and typ, or two clients",
            audience.alg.name(),
            audience.typ.name(),
            other.name,
            other.alg.name(),
            other.typ.name()
        )),
        Some(_) | None => Ok(audience),
    }
}

/// Scope values of RFC 6749 §3.3, separated by one space, none twice.
fn scope(text: &str) -> Result<Arc<str>, String> {
    let mut seen = Vec::new();
    for value in text.split(' ').filter(|_| !text.is_empty()) {
        if value.is_empty() {
            return Err("separate values by exactly one space".to_owned());
        }
        if !value.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\') {
            return Err(format!("{value:?} has a character that no scope may have (RFC 6749)"));
        }
        if seen.contains(&value) {
            return Err(format!("{value:?} is listed twice; keep one"));
        }
        seen.push(value);
    }
    Ok(text.into())
}

fn policy(row: &Members) -> ClientPolicy {
    let default = preset(row).policy();
    let refresh = row.table("refresh");
    let life = |name| refresh.and_then(|refresh| refresh.duration(name));
    let ttl = row.table("access_token").and_then(|access_token| access_token.duration("ttl"));
    let access_ttl = ttl.unwrap_or(default.access_ttl);
    // The one token of such a session lives as long as it does.
    let absolute = match preset(row) {
        Preset::SlidingSession => access_ttl,
        Preset::DualToken | Preset::GatewaySession | Preset::OpaqueSession | Preset::Service => {
            default.absolute
        }
    };
    ClientPolicy {
        access_ttl,
        idle: life("idle").unwrap_or(default.idle.min(absolute)),
        absolute: life("absolute").unwrap_or(absolute),
        grace: life("grace").unwrap_or(match delivery(row) {
            Delivery::Body => default.grace,
            Delivery::Cookie | Delivery::Headers => COOKIE_GRACE_MIN,
        }),
        replay: refresh
            .and_then(|refresh| refresh.text("replay"))
            .and_then(Replay::parse)
            .unwrap_or_default(),
        scope: default.scope,
        binding: row.table("binding").map_or(default.binding, binding),
        devices: row
            .table("devices")
            .map_or(default.devices.clone(), |devices| device_policy(devices, &default.devices)),
    }
}

fn binding(given: &Members) -> BindingPolicy {
    let mode = |name| given.text(name).and_then(BindingMode::parse).unwrap_or_default();
    BindingPolicy { key: mode("key"), features: mode("features"), network: mode("network") }
}

fn device_policy(devices: &Members, default: &DevicePolicy) -> DevicePolicy {
    let small = |count: u64| u16::try_from(count).unwrap_or(u16::MAX);
    let of_class = |class: DeviceClass| {
        let count = devices.table("per_class")?.count(class.as_str())?;
        Some((class, small(count)))
    };
    let overflow = match devices.text("overflow") {
        Some("evict_oldest") => Overflow::EvictOldest,
        Some("refuse") => Overflow::Refuse,
        Some(_) | None => default.overflow,
    };
    DevicePolicy {
        per_subject: devices.count("per_subject").map_or(default.per_subject, small),
        per_class: DeviceClass::ALL.into_iter().filter_map(of_class).collect::<BTreeMap<_, _>>(),
        overflow,
    }
}

fn check_preset(row: &Members, client: &Client, problems: &mut Problems) {
    check_format(row, client.preset, problems);
    check_binding(row, client.preset, problems);
    check_delivery(row, client, problems);
    if !client.preset.has_sessions() {
        return check_service(row, problems);
    }
    let refresh = row.table("refresh").filter(|_| !client.preset.has_refresh_tokens());
    for name in ["grace", "replay"] {
        if let Some(refresh) = refresh.filter(|refresh| refresh.has(name)) {
            let what = format!(
                "is about refresh tokens, and preset {:?} has none; leave it out, or use preset \
                 \"dual-token\"",
                client.preset.as_str()
            );
            problems.add(refresh.place_of(name), refresh.path_of(name), what);
        }
    }
}

/// A format that is another preset's is refused by the name of that preset.
fn check_format(row: &Members, preset: Preset, problems: &mut Problems) {
    let Some(access_token) = row.table("access_token") else { return };
    let why = match (preset, access_token.text("format")) {
        (_, None) => return,
        (_, Some(word)) if word == preset.format().as_str() => return,
        (Preset::OpaqueSession, Some(_)) => {
            "a JWT that lasts as long as its session is preset \"sliding-session\""
        }
        (Preset::DualToken | Preset::SlidingSession, Some(_)) => {
            "an opaque token lasts as long as its session, so that there is nothing to renew: use \
             preset \"opaque-session\""
        }
        (Preset::GatewaySession, Some(_)) => {
            "what the browser holds is opaque already, and upstreams verify a JWT; leave it out"
        }
        (Preset::Service, Some(_)) => {
            "an opaque token stands for a session, and a service has none"
        }
    };
    problems.add(access_token.place_of("format"), access_token.path_of("format"), why);
}

/// A cookie is read where a page of the client asks, so that there must be a page, and a refresh token.
fn check_delivery(row: &Members, client: &Client, problems: &mut Problems) {
    if !row.has("delivery") || !row.sound {
        return;
    }
    let what = if client.preset == Preset::GatewaySession {
        "is about refresh tokens, and preset \"gateway-session\" has none: its sessions live in a cookie anyway; \
         leave it out"
    } else if !client.preset.has_refresh_tokens() {
        "is about refresh tokens, and this preset has none; leave it out, or use preset \"dual-token\""
    } else if client.delivery == Delivery::Cookie && client.origins.is_empty() {
        "\"cookie\" needs `origins`: the cookie is read where a page of one of them asks, and nowhere else"
    } else {
        return;
    };
    problems.add(row.place_of("delivery"), row.path_of("delivery"), what);
}

/// What a credential is bound to belongs to a session; a key, to one that can be proved beside it.
fn check_binding(row: &Members, preset: Preset, problems: &mut Problems) {
    let Some(binding) = row.table("binding") else { return };
    let why = |name: &str| match (preset, name) {
        (Preset::DualToken | Preset::SlidingSession, _) => None,
        (Preset::OpaqueSession, "key") => Some("stands in a token, and an opaque one says nothing"),
        (Preset::GatewaySession, "key") => Some("cannot be proved by a browser beside its cookie"),
        (Preset::OpaqueSession | Preset::GatewaySession, _) => None,
        (Preset::Service, _) => {
            Some("belongs to a session; a service binds its tokens by sending a proof (`DPoP`)")
        }
    };
    for name in ["key", "features", "network"] {
        let given = binding.text(name).is_some_and(|word| word != BindingMode::Off.as_str());
        if let Some(why) = why(name).filter(|_| given) {
            let what = format!("{why}; leave it out, or use preset \"dual-token\"");
            problems.add(binding.place_of(name), binding.path_of(name), what);
        }
    }
}

fn check_service(row: &Members, problems: &mut Problems) {
    let given = row.has("secret_hash") || !row.texts("secret_hashes").is_empty();
    if !given && row.sound {
        let what = "is missing: a service signs in with a secret; \
                    `symbolon config init --service NAME` draws one";
        problems.add(row.place_of("secret_hash"), row.path_of("secret_hash"), what);
    }
    for (name, why) in [
        ("refresh", "has no refresh tokens"),
        ("devices", "has no devices"),
        ("origins", "runs in no browser"),
    ] {
        if row.has(name) {
            let what = format!("a service {why}; leave it out, or use preset \"dual-token\"");
            problems.add(row.place_of(name), row.path_of(name), what);
        }
    }
}

/// Where to point when two settings do not fit.
struct Why<'a> {
    row: Option<&'a Members>,
    path: &'a str,
}

impl Why<'_> {
    /// Points at the first of these settings that was given; they are `table.member`.
    fn add(&self, settings: &[&str], problems: &mut Problems, what: String) {
        let given = settings.iter().find_map(|path| {
            let (table, member) = path.split_once('.')?;
            let table = self.row?.table(table).filter(|table| table.has(member))?;
            Some((table.place_of(member), path))
        });
        let flag = Place::Flag("--grace and --access-token-ttl".into());
        let (place, path) = match (given, self.row) {
            (Some((place, path)), _) => (place, *path),
            (None, Some(row)) => (&row.place, settings[0]),
            (None, None) => (&flag, settings[0]),
        };
        problems.add(place, format!("{}.{path}", self.path), what);
    }
}

fn check_lives(client: &Client, why: &Why<'_>, problems: &mut Problems) {
    let ClientPolicy { access_ttl: ttl, idle, absolute, grace, .. } = client.policy;
    let text = duration_text;
    if ttl.subsec_millis() != 0 {
        let what = format!("{} is not whole seconds, and `exp` counts seconds", text(ttl));
        why.add(&["access_token.ttl"], problems, what);
    }
    if client.preset != Preset::SlidingSession && SHORT_TTL_MAX < ttl {
        let what = format!(
            "{} is longer than {}, the most for a token that can be renewed; a token that lasts as long as \
             its session is preset \"sliding-session\"",
            text(ttl),
            text(SHORT_TTL_MAX)
        );
        why.add(&["access_token.ttl"], problems, what);
    }
    match client.preset {
        Preset::DualToken => {}
        Preset::SlidingSession => return check_sliding(client, why, problems),
        Preset::GatewaySession | Preset::OpaqueSession | Preset::Service => return,
    }
    let carried = match client.delivery {
        Delivery::Body => None,
        Delivery::Cookie => {
            Some("in a cookie: an answer that comes late puts an older token back into the browser")
        }
        Delivery::Headers => {
            Some("in headers: an answer that comes late brings an older token back")
        }
    };
    if let Some(carried) = carried.filter(|_| grace < COOKIE_GRACE_MIN) {
        let what = format!(
            "a grace window of {} is too short for a refresh token {carried}; make it at least {}",
            text(grace),
            text(COOKIE_GRACE_MIN)
        );
        why.add(&["refresh.grace"], problems, what);
    }
    if ttl < grace * 2 {
        let what = format!(
            "a grace window of {} with access tokens of {} could answer a token that is about to \
             end; make ttl at least {}, or grace at most {}",
            text(grace),
            text(ttl),
            text(grace * 2),
            text(ttl / 2)
        );
        why.add(&["refresh.grace", "access_token.ttl"], problems, what);
    }
    for (name, life) in [("refresh.idle", idle), ("refresh.absolute", absolute)] {
        if life < ttl {
            let what = format!(
                "{} is shorter than an access token's life, {}; \
                 a session must outlive its access tokens",
                text(life),
                text(ttl)
            );
            why.add(&[name, "access_token.ttl"], problems, what);
        }
    }
}

/// The one token of a sliding session cannot be replaced, so that the session cannot outlive it.
fn check_sliding(client: &Client, why: &Why<'_>, problems: &mut Problems) {
    let ClientPolicy { access_ttl: ttl, absolute, .. } = client.policy;
    if ttl < absolute {
        let what = format!(
            "{} is longer than the life of its one token, {}, and no other token can follow it; \
             make them equal, or use preset \"opaque-session\"",
            duration_text(absolute),
            duration_text(ttl)
        );
        why.add(&["refresh.absolute", "access_token.ttl"], problems, what);
    }
}
