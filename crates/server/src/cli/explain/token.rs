//! What a token says, and what the authority says of it.

use super::fate::Fate;
use super::story::{self, Asking};
use super::{Explanation, Told};
use crate::cli::{Exit, Failure};
use crate::clock::civil_now;
use serde_json::json;
use symbolon_core::Ver;
use symbolon_wire::{
    Algorithm, HandleKind, KeySet, ParsedClaims, UnverifiedAccessToken, UnverifiedJwe,
    UnverifiedRefreshToken, is_encrypted, session_id_text, unverified_api_key_id,
    unverified_handle, verify,
};

/// Explains a token; the text itself is never repeated. What it says by itself is told even where nobody
/// answers.
///
/// # Errors
/// It is no token that this house reads.
pub(super) async fn explain(text: &str, asking: Option<Asking>) -> Result<Told, Failure> {
    match text {
        text if text.starts_with("sym_rt_") => refresh_token(text, asking).await,
        text if text.starts_with("sym_at_") => opaque_token(text, asking).await,
        text if text.starts_with("sym_ak_") => api_key(text).map(Told::Whole),
        text if text.starts_with("sym_cs_") => {
            let mut told = Explanation::new("a client secret");
            told.so("It names nobody; the client whose configuration has its hash may use it.");
            Ok(Told::Whole(told))
        }
        text if text.starts_with("sym_op_") => {
            Ok(Told::Whole(once("an operation token", OPERATION)))
        }
        text if text.starts_with("sym_tk_") => Ok(Told::Whole(once("a ticket", TICKET))),
        text if is_encrypted(text) => encrypted(text).map(Told::Whole),
        text => access_token(text, asking).await,
    }
}

/// Only its recipient reads more than the header.
fn encrypted(text: &str) -> Result<Explanation, Failure> {
    let token = UnverifiedJwe::read(text).map_err(|why| no_token(&why.to_string()))?;
    let mut told = Explanation::new("an encrypted access token (RFC 7516)");
    told.fact("alg", &*token.alg);
    told.fact("enc", &*token.enc);
    told.fact("kid", token.kid.as_deref());
    told.so(ENCRYPTED);
    Ok(told)
}

const ENCRYPTED: &str = "Whose it is and what it allows stands inside, and only the resource server whose key that is can \
                         open it. Its log, or that of the session, says more: symbolon sessions list --subject NAME";

/// What is good once says nothing that its finder could use.
fn once(what: &'static str, so: &str) -> Explanation {
    let mut told = Explanation::new(what);
    told.so(so);
    told
}

const OPERATION: &str = "It is good for one request of one session, once, for a minute at most. A service redeems it with \
                         POST /v1/operations/redeem just before it acts.";

const TICKET: &str = "It is good for one request without a header, once, for half a minute at most; a gateway or a service \
                      redeems it. In a log it is worth nothing any more.";

fn api_key(text: &str) -> Result<Explanation, Failure> {
    let id = unverified_api_key_id(text).map_err(|_| no_token("it is cut off or changed"))?;
    let mut told = Explanation::new("an API key");
    told.fact("id", id.to_text());
    told.so("symbolon apikey list says whose it is and whether it was revoked; if it was seen by \
         others: symbolon apikey revoke");
    Ok(told)
}

async fn refresh_token(text: &str, asking: Option<Asking>) -> Result<Told, Failure> {
    let token = UnverifiedRefreshToken::read(text);
    let token = token.map_err(|_| no_token("it is cut off or changed"))?;
    let mut told = Explanation::new("a refresh token; whether it is genuine was not checked");
    let sid = session_id_text(token.sid);
    told.fact("session_id", &*sid);
    told.fact("generation", token.generation.0);
    told.fact("store_epoch", token.epoch.0);
    let Some(mut asking) = asking else {
        told.so(ASK_TOO);
        return Ok(Told::Whole(told));
    };
    let session = match story::of_session(&mut asking, &sid, &mut told).await {
        Ok(session) => session,
        Err(why) => return Ok(part(told, why)),
    };
    if session["state"] == "active" {
        let newest = session["generation"].as_u64().unwrap_or_default();
        told.so(generations(u64::from(token.generation.0), newest));
    }
    Ok(Told::Whole(told))
}

/// It names its session and nothing else, so the session's story is its own.
async fn opaque_token(text: &str, asking: Option<Asking>) -> Result<Told, Failure> {
    let sid = unverified_handle(HandleKind::AccessToken, text);
    let sid = session_id_text(sid.map_err(|_| no_token("it is cut off or changed"))?);
    let mut told =
        Explanation::new("an opaque access token; whether it is genuine was not checked");
    told.fact("session_id", &*sid);
    told.so("It stays the same as long as its session, and is worth what the session is worth.");
    let Some(mut asking) = asking else {
        told.so(ASK_TOO);
        return Ok(Told::Whole(told));
    };
    match story::of_session(&mut asking, &sid, &mut told).await {
        Ok(_) => Ok(Told::Whole(told)),
        Err(why) => Ok(part(told, why)),
    }
}

/// What the token says by itself, and that the authority had nothing to add to it.
fn part(mut told: Explanation, why: Failure) -> Told {
    told.so(match why.exit {
        Exit::Refused => NO_SESSION,
        Exit::WrongUsage | Exit::CouldNot => NO_ANSWER,
    });
    Told::Part(told, why)
}

const NO_ANSWER: &str = "This is what it says by itself. The authority did not answer, so whether its \
                         session is alive is not known.";

const NO_SESSION: &str = "This is what it says by itself. The authority knows no such session, or does not \
                          show it: it is forgotten (ended more than 30 days ago), or of another authority.";

fn generations(own: u64, newest: u64) -> String {
    match own.cmp(&newest) {
        std::cmp::Ordering::Equal => {
            format!("It is the newest of its family, generation {own}: it renews.")
        }
        std::cmp::Ordering::Less => format!(
            "It was used: the family is at generation {newest}. Within the grace window after its \
             first use it earns the newest again; after it, it is a replay and ends the session."
        ),
        std::cmp::Ordering::Greater => format!(
            "It is ahead of the store, which knows generation {newest}: the store was restored or \
             lost writes. If no restore opened a new epoch: symbolon restore --in-place"
        ),
    }
}

async fn access_token(text: &str, asking: Option<Asking>) -> Result<Told, Failure> {
    let token = UnverifiedAccessToken::read(text).map_err(|why| no_token(&why.to_string()))?;
    let claims = token.claims().map_err(|why| no_token(&why.to_string()))?;
    let mut told = Explanation::new("an access token (RFC 9068); its signature was not checked");
    facts(&mut told, &token, &claims);
    let (now, expires) = (civil_now(), claims.exp);
    if expires <= now {
        told.so("It has expired: the client renews it, and nothing is wrong with that.");
    }
    let Some(mut asking) = asking else {
        told.so(ASK_TOO);
        return Ok(Told::Whole(told));
    };
    match signature(text, &token.alg, &mut asking).await {
        Ok(what) => told.what = what,
        Err(why) => return Ok(part(told, why)),
    }
    match story_and_fate(&mut asking, (&token, &claims), &mut told).await {
        Ok(()) => Ok(Told::Whole(told)),
        Err(why) => Ok(part(told, why)),
    }
}

async fn story_and_fate(
    asking: &mut Asking,
    (token, claims): (&UnverifiedAccessToken, &ParsedClaims<'_>),
    told: &mut Explanation,
) -> Result<(), Failure> {
    match claims.sid {
        Some(sid) => {
            story::of_session(asking, &session_id_text(sid), told).await?;
        }
        None => told.so("It belongs to no session: a service got it with its own credentials."),
    }
    Fate::of(token, claims).tell(asking, told).await
}

fn facts(told: &mut Explanation, token: &UnverifiedAccessToken, claims: &ParsedClaims<'_>) {
    told.fact("issuer", &*claims.iss);
    told.fact("subject", &*claims.sub);
    told.fact("client_id", &*claims.client_id);
    told.fact("audience", claims.aud.iter().collect::<Vec<_>>().join(" "));
    told.fact("issued_at", claims.iat.as_seconds());
    told.fact("expires_at", claims.exp.as_seconds());
    told.fact("jti", &*claims.jti);
    told.fact("scope", claims.scope.as_deref());
    told.fact("roles", claims.roles.iter().collect::<Vec<_>>().join(" "));
    told.fact("alg", &*token.alg);
    told.fact("typ", token.typ.as_deref());
    told.fact("kid", token.kid.as_deref());
    let Ver { store, subject, client, everything } = claims.ver;
    told.fact("ver", json!([store.0, subject, client, everything]));
    told.fact("session_id", claims.sid.map(session_id_text));
}

/// Checks the signature against the keys that the authority publishes. A secret is never among them.
async fn signature(text: &str, alg: &str, asking: &mut Asking) -> Result<String, Failure> {
    if Algorithm::from_name(alg).is_some_and(Algorithm::is_symmetric) {
        return Ok(format!(
            "an access token (RFC 9068) under a secret ({alg}); its signature cannot be checked here: only \
             the authority and the audience know the secret"
        ));
    }
    let keys = asking.get("/.well-known/jwks.json").await?;
    let genuine = KeySet::parse(&keys.to_string()).ok().zip(Algorithm::from_name(alg));
    Ok(match genuine.is_some_and(|(keys, alg)| verify(&keys, alg, text).is_ok()) {
        true => "an access token (RFC 9068) that this authority signed".to_owned(),
        false => {
            "an access token (RFC 9068) that no key of this authority's JWKS signed".to_owned()
        }
    })
}

const ASK_TOO: &str = "Whether its session is alive only the authority knows: set SYMBOLON_URL and \
                       SYMBOLON_API_KEY (scopes sessions:read, events:read) and ask again.";

fn no_token(why: &str) -> Failure {
    Failure::refused("this is no token that can be read").because(why).next(
        "give a whole access token (JWT or sym_at_\u{2026}), sym_rt_\u{2026} or sym_ak_\u{2026}",
    )
}
