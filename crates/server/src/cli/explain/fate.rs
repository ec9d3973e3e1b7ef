//! Which event of the history an access token fell to: what a verifier that follows the feed refuses it for.

use super::Explanation;
use super::story::{self, Asking};
use crate::cli::{Failure, out};
use crate::clock::civil_now;
use serde_json::Value;
use symbolon_core::Ver;
use symbolon_wire::{ParsedClaims, UnverifiedAccessToken, session_id_text};

/// How much the clocks of an authority's nodes may differ, in seconds: a bound may be that much older than a
/// token below it.
const CLOCKS_APART_SECONDS: u64 = 60;

/// What of a token an event can name.
pub(super) struct Fate {
    jti: String,
    kid: Option<String>,
    sid: Option<String>,
    sub: String,
    client_id: String,
    ver: Ver,
    issued_at: u64,
    expires_at: u64,
}

impl Fate {
    pub(super) fn of(token: &UnverifiedAccessToken, claims: &ParsedClaims<'_>) -> Self {
        Self {
            jti: (*claims.jti).to_owned(),
            kid: token.kid.as_deref().map(str::to_owned),
            sid: claims.sid.map(session_id_text),
            sub: (*claims.sub).to_owned(),
            client_id: (*claims.client_id).to_owned(),
            ver: claims.ver,
            issued_at: claims.iat.as_seconds(),
            expires_at: claims.exp.as_seconds(),
        }
    }

    /// Adds the events that hit the token, and which of them decided.
    ///
    /// # Errors
    /// The history was refused, or did not come.
    pub(super) async fn tell(
        &self,
        asking: &mut Asking,
        told: &mut Explanation,
    ) -> Result<(), Failure> {
        let from = self.issued_at.saturating_sub(CLOCKS_APART_SECONDS);
        let mut hits = asking.between(from, self.expires_at).await?;
        hits.retain(|event| self.is_hit_by(event));
        let said = self.verdict(&hits, &told.so);
        for event in hits {
            if !told.events.iter().any(|known| known["position"] == event["position"]) {
                told.events.push(event);
            }
        }
        told.events.sort_by_key(|event| event["position"].as_u64());
        said.into_iter().for_each(|said| told.so(said));
        Ok(())
    }

    /// The first event that revoked it, or else the first that made it stale; oldest first they come.
    fn verdict(&self, hits: &[Value], told: &[String]) -> Option<String> {
        let first = |effect: &str| hits.iter().find(|event| event["effect"] == effect);
        let (event, did) = match (first("revoked"), first("stale")) {
            (Some(event), _) => (event, "killed the token"),
            (None, Some(event)) => (event, "made the token stale, so it must renew"),
            (None, None) if self.expires_at <= civil_now().as_seconds() => return None,
            (None, None) => {
                let until = out::utc(self.expires_at);
                return Some(format!("No event has hit the token: it is good until {until}."));
            }
        };
        let (position, sentence) = (&event["position"], story::sentence(event));
        // What ended the session has been told.
        Some(match told.iter().any(|line| line.ends_with(&sentence)) {
            true => format!("Event {position} of the feed {did}."),
            false => format!("Event {position} of the feed {did}: {sentence}"),
        })
    }

    /// Whether the token is what the event is about, or below its bound.
    fn is_hit_by(&self, event: &Value) -> bool {
        let names = |member: &str, own: &str| event[member] == own;
        let below = |counter: u64| bound(event).is_some_and(|at| (self.ver.store.0, counter) < at);
        if event["effect"] == "none" {
            return false;
        }
        match event["kind"].as_str() {
            Some("token") => names("jti", &self.jti),
            Some("session") => self.sid.as_deref().is_some_and(|sid| names("session_id", sid)),
            Some("key") => self.kid.as_deref().is_some_and(|kid| names("kid", kid)),
            Some("subject") => names("subject", &self.sub) && below(self.ver.subject),
            Some("client") => names("client_id", &self.client_id) && below(self.ver.client),
            Some("everything") => below(self.ver.everything),
            Some(_) | None => false,
        }
    }
}

/// The store epoch and the counter of a bound.
fn bound(event: &Value) -> Option<(u32, u64)> {
    let (epoch, counter) = event["below"].as_str()?.split_once('.')?;
    Some((epoch.parse().ok()?, counter.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use symbolon_core::StoreEpoch;

    fn fate() -> Fate {
        Fate {
            jti: "j".into(),
            kid: Some("k".into()),
            sid: Some("s".into()),
            sub: "10086".into(),
            client_id: "web".into(),
            ver: Ver { store: StoreEpoch(1), subject: 2, client: 3, everything: 4 },
            issued_at: 100,
            expires_at: 400,
        }
    }

    #[test]
    fn an_event_hits_a_token_by_name_or_as_a_bound_above_it() {
        for (event, hits) in [
            (json!({"kind": "token", "jti": "j"}), true),
            (json!({"kind": "token", "jti": "i"}), false),
            (json!({"kind": "session", "session_id": "s"}), true),
            (json!({"kind": "session", "session_id": "t"}), false),
            (json!({"kind": "key", "kid": "k"}), true),
            (json!({"kind": "key", "kid": "l"}), false),
            (json!({"kind": "key", "kid": "k", "effect": "none"}), false),
            (json!({"kind": "subject", "subject": "10086", "below": "1.3"}), true),
            (json!({"kind": "subject", "subject": "10086", "below": "1.2"}), false),
            (json!({"kind": "subject", "subject": "10087", "below": "1.3"}), false),
            (json!({"kind": "client", "client_id": "web", "below": "2.0"}), true),
            (json!({"kind": "client", "client_id": "web", "below": "1.3"}), false),
            (json!({"kind": "client", "client_id": "app", "below": "2.0"}), false),
            (json!({"kind": "everything", "below": "1.5"}), true),
            (json!({"kind": "everything", "below": "1.4"}), false),
            (json!({"kind": "everything"}), false),
        ] {
            assert_eq!(fate().is_hit_by(&event), hits, "{event}");
        }
    }

    #[test]
    fn a_revocation_decides_over_an_earlier_stale_bound() {
        let event = |position, effect| json!({"position": position, "effect": effect, "reason": "admin", "at": 1, "by": "x"});
        let hits = [event(1, "stale"), event(2, "revoked"), event(3, "revoked")];
        let said = fate().verdict(&hits, &[]).unwrap();
        assert!(said.starts_with("Event 2 of the feed killed the token: admin at "), "{said}");
        let said = fate().verdict(&hits[..1], &[]).unwrap();
        assert!(said.starts_with("Event 1 of the feed made the token stale"), "{said}");
        assert_eq!(fate().verdict(&[], &[]), None, "it has expired, and nothing hit it");
    }
}
