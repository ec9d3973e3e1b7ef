//! What a client's settings cost: how long what was revoked still opens doors, and what a request takes.

use crate::config::{Audience, Client, Config, Preset, duration_text};
use serde::Serialize;
use serde_json::json;
use symbolon_core::{ClientPolicy, Duration};
use symbolon_wire::handle::HANDLE_BYTES;
use symbolon_wire::{Algorithm, KeyManagement, Type};

/// How often a person who is active is taken to ask, for figures of reads and writes.
const REQUESTS_APART: Duration = Duration::from_secs(10);

/// How many requests the figures are for.
const REQUESTS: u32 = 1000;

/// How often a verifier tells that a session is used, at most.
const USE_TOLD_EVERY: Duration = Duration::from_secs(60);

/// Within what time whoever follows the feed refuses what was ended, in milliseconds (p99). Exclusive.
const FEED_MS: u64 = 100;

/// About how long a refresh token is: prefix, 50 bytes in base64url.
const REFRESH_TOKEN_BYTES: usize = 74;

/// The whole.
#[derive(Serialize)]
pub(super) struct Costs {
    /// How long what was revoked still opens doors.
    pub(super) revoked_lives: Vec<Life>,
    /// What a verifier must reach.
    pub(super) online: String,
    /// What 1,000 requests of one person take from the store.
    pub(super) per_1000_requests: Vec<Traffic>,
    /// How long the person's use for them is, in seconds, at one request in ten.
    pub(super) over_seconds: u64,
    /// What a request carries.
    pub(super) bytes: Vec<Carried>,
}

/// How long a service still says yes.
#[derive(Serialize)]
pub(super) struct Life {
    /// What kind of service.
    pub(super) of: &'static str,
    /// The most, in milliseconds; `None`: it cannot say yes at all.
    pub(super) at_most_ms: Option<u64>,
    /// In words.
    pub(super) means: String,
}

/// What requests take from the store, at most.
#[derive(Serialize)]
pub(super) struct Traffic {
    /// How tokens are checked.
    pub(super) checked: &'static str,
    /// Times that it is read.
    pub(super) reads: u64,
    /// Times that it is written.
    pub(super) writes: u64,
}

/// Something that travels.
#[derive(Serialize)]
pub(super) struct Carried {
    /// What.
    pub(super) what: &'static str,
    /// How often.
    pub(super) when: &'static str,
    /// About how many bytes.
    pub(super) bytes: usize,
}

impl Life {
    /// The most, as people write it.
    pub(super) fn most(&self) -> String {
        self.at_most_ms.map_or("-".to_owned(), |ms| duration_text(Duration::from_millis(ms)))
    }
}

impl Costs {
    /// Those of a client.
    pub(super) fn of(config: &Config, client: &Client) -> Self {
        let span = REQUESTS_APART * REQUESTS;
        Self {
            revoked_lives: lives(client),
            online: online(client.preset).to_owned(),
            per_1000_requests: traffic(client.preset, &client.policy, span),
            over_seconds: span.as_secs(),
            bytes: carried(config, client),
        }
    }
}

fn lives(client: &Client) -> Vec<Life> {
    let ttl = client.policy.access_ttl;
    let (text, ms) = (duration_text(ttl), u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX));
    let follows = Life {
        of: "follows the feed",
        at_most_ms: Some(FEED_MS),
        means: "symbolon-verify or a sidecar: refused within 100 ms; cut off from the feed it asks after its \
                bound, 5 s, and refuses if nobody answers"
            .to_owned(),
    };
    let asks = Life {
        of: "asks about each request",
        at_most_ms: Some(0),
        means: "the authority's gateway and introspection: refused from the commit on".to_owned(),
    };
    let alone = match client.preset {
        Preset::OpaqueSession => Life {
            of: "asks nobody",
            at_most_ms: None,
            means: format!(
                "nobody can read the token alone; whoever keeps answers and does not follow the feed says yes for \
                 up to {text}"
            ),
        },
        Preset::SlidingSession => Life {
            of: "asks nobody",
            at_most_ms: Some(ms),
            means: format!(
                "an ordinary JWT library, or `offline`: yes to whoever was kicked for up to {text}, the whole life \
                 of the session"
            ),
        },
        Preset::DualToken | Preset::GatewaySession | Preset::Service => Life {
            of: "asks nobody",
            at_most_ms: Some(ms),
            means: format!(
                "an ordinary JWT library, or `offline`: yes to whoever was kicked for up to {text}"
            ),
        },
    };
    vec![follows, asks, alone]
}

const fn online(preset: Preset) -> &'static str {
    match preset {
        Preset::DualToken => {
            "the keys, once; the feed, to refuse what was ended at once. The client reaches the authority once in \
             each token's life"
        }
        Preset::GatewaySession => {
            "upstreams: the keys and the feed, as with any JWT. The gateway reaches the authority whenever a short \
             token runs out: without it, who is signed in stays so for half a token's life at least"
        }
        Preset::SlidingSession => {
            "the keys, once; the feed, to refuse what was ended at once, and to tell of use, without which sessions \
             idle out. After a changed role, the authority once for each session"
        }
        Preset::OpaqueSession => {
            "the authority, for the first request of each session and whenever an answer runs out; the feed, for \
             answers to be kept at all. Without the authority nobody new is let in"
        }
        Preset::Service => {
            "the keys, once; the feed, to refuse what was ended at once. The service reaches the authority once in \
             each token's life"
        }
    }
}

fn traffic(preset: Preset, policy: &ClientPolicy, span: Duration) -> Vec<Traffic> {
    let requests = u64::from(REQUESTS);
    let (renewed, slid) = (times(policy.access_ttl, span), times(policy.activity_step(), span));
    // An answer about a handle is good for half a life at least.
    let asked_again = times(policy.access_ttl / 2, span);
    let row = |checked, reads, writes| Traffic { checked, reads, writes };
    let (follows, asks) = ("by services that follow the feed", "by asking about each request");
    match preset {
        Preset::DualToken => {
            vec![row(follows, renewed, renewed), row(asks, requests + renewed, renewed)]
        }
        Preset::GatewaySession => vec![
            row("by a gateway that keeps the short token", asked_again, slid),
            row("by the authority's own gateway", requests, slid),
        ],
        Preset::SlidingSession => {
            vec![row(follows, times(USE_TOLD_EVERY, span), slid), row(asks, requests, slid)]
        }
        Preset::OpaqueSession => vec![
            row("by services that keep answers and follow the feed", asked_again, slid),
            row(asks, requests, slid),
        ],
        // Nothing about a service is stored but its switches, which are in memory.
        Preset::Service => vec![row(follows, 0, 0), row(asks, 0, 0)],
    }
}

/// How often something that lasts so long is due in a time, rounded up.
fn times(lasts: Duration, span: Duration) -> u64 {
    let times = span.as_millis().div_ceil(lasts.as_millis().max(1));
    u64::try_from(times).unwrap_or(u64::MAX).min(u64::from(REQUESTS))
}

fn carried(config: &Config, client: &Client) -> Vec<Carried> {
    let carried = |what, when, bytes| Carried { what, when, bytes };
    let jwt = jwt_bytes(config, client);
    match client.preset {
        Preset::DualToken => vec![
            carried("access token", "each request", jwt),
            carried("refresh token", "each renewal", REFRESH_TOKEN_BYTES),
        ],
        Preset::GatewaySession => vec![
            carried("cookie", "each request", "__Host-symbolon=".len() + HANDLE_BYTES),
            carried("access token", "each request, behind the gateway alone", jwt),
        ],
        Preset::SlidingSession | Preset::Service => {
            vec![carried("access token", "each request", jwt)]
        }
        Preset::OpaqueSession => vec![carried("access token", "each request", HANDLE_BYTES)],
    }
}

/// About how long an access token is, without roles and claims: those come on top, four for every three bytes.
fn jwt_bytes(config: &Config, client: &Client) -> usize {
    let audience = client.audience.first().and_then(|name| config.audience(name));
    let Audience { alg, typ, encrypt, .. } =
        audience.cloned().unwrap_or_else(|| Audience::by_default(""));
    let name = "A".repeat(22);
    let header = json!({"alg": alg.name(), "typ": typ.name(), "kid": "A".repeat(16)});
    let mut to: Vec<&str> = client.audience.iter().map(|name| &**name).collect();
    let mut claims = json!({
        "iss": &*config.issuer, "sub": "10086", "client_id": client.id.as_str(),
        "iat": 1_700_000_000, "exp": 1_700_000_000, "jti": name, "ver": [0, 1, 0, 1],
    });
    if !client.policy.scope.is_empty() {
        claims["scope"] = (*client.policy.scope).into();
    }
    if client.preset.has_sessions() {
        claims["sid"] = name.into();
        claims["auth_time"] = 1_700_000_000.into();
    }
    if client.preset == Preset::SlidingSession {
        to.push(&config.issuer);
    }
    claims["aud"] = if let [one] = &*to { (*one).into() } else { to.into() };
    let encoded = |bytes: usize| (bytes * 4).div_ceil(3);
    let [header, claims] = [header, claims].map(|part| encoded(part.to_string().len()));
    let signed = header + claims + encoded(signature_bytes(alg)) + 2;
    encrypt.map_or(signed, |how| sealed_bytes(how.alg(), typ, signed))
}

/// About how long a token is once it is encrypted: header, wrapped key, vector and tag go around it.
fn sealed_bytes(alg: KeyManagement, typ: Type, signed: usize) -> usize {
    let mut header = json!({
        "alg": alg.name(), "enc": "A256GCM", "typ": typ.name(), "cty": "JWT", "kid": "A".repeat(16),
    });
    if alg == KeyManagement::EcdhEsA256Kw {
        let coordinate = "A".repeat(43);
        header["epk"] = json!({"kty": "EC", "crv": "P-256", "x": coordinate, "y": coordinate});
    }
    let wrapped = if alg == KeyManagement::Dir { 0 } else { 40 };
    let parts = [header.to_string().len(), wrapped, 12, signed, 16];
    parts.map(|bytes| (bytes * 4).div_ceil(3)).iter().sum::<usize>() + 4
}

const fn signature_bytes(alg: Algorithm) -> usize {
    match alg {
        Algorithm::EdDsa | Algorithm::Es256 => 64,
        Algorithm::Rs256 => 256,
        Algorithm::Hs256 => 32,
    }
}
