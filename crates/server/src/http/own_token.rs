//! An access token that this authority signed, and what holds of it now.

use crate::app::App;
use crate::keys::client_subject;
use serde_json::{Map, Value};
use symbolon_core::{ClientId, Digest, Fault, SessionId, Timestamp, Ver, Verdict};
use symbolon_wire::{Jti, ParsedClaims};

/// An access token that this authority signed, in force or not.
pub struct OwnToken {
    /// In whose name it speaks.
    pub holder: Holder,
    /// Whom it is for.
    pub audience: Vec<String>,
    /// When it expires. Exclusive.
    pub expires_at: Timestamp,
    /// The thumbprint of the key that whoever shows it must prove (RFC 9449 §6.1).
    pub jkt: Option<Digest>,
    /// All its claims.
    pub claims: Map<String, Value>,
    jti: [u8; 16],
    ver: Ver,
}

/// In whose name a token speaks.
pub enum Holder {
    /// A person's session.
    Session(SessionId),
    /// A client itself.
    Client(ClientId),
}

impl OwnToken {
    /// Reads a text; `None` if we did not sign it, or not for those who could have shown it.
    pub fn read(app: &App, text: &str) -> Option<Self> {
        let payload = app.keys.verify(text)?;
        // What else we sign, a checkpoint of the feed say, is no access token (RFC 8725 §3.11).
        payload.typ()?;
        let claims = ParsedClaims::of(&payload).ok()?;
        if *claims.iss != *app.config.issuer {
            return None;
        }
        Some(Self {
            holder: holder(&claims)?,
            audience: claims.aud.iter().map(str::to_owned).collect(),
            expires_at: claims.exp,
            jkt: claims.jkt,
            claims: serde_json::from_slice(payload.bytes()).ok()?,
            jti: Jti::parse(&claims.jti).ok()?.0,
            ver: claims.ver,
        })
    }

    /// What holds of it now; `None` if its session, or its client, is not there any more.
    ///
    /// # Errors
    /// The store could not be read.
    pub async fn verdict(&self, app: &App, at: Timestamp) -> Result<Option<Verdict>, Fault> {
        match &self.holder {
            Holder::Session(sid) => {
                let Some(loaded) = app.store.session(*sid).await? else { return Ok(None) };
                let client = app.config.clients.get(&loaded.session.client);
                Ok(client.map(|own| loaded.judge(&self.jti, &self.ver, &own.policy, at)))
            }
            Holder::Client(id) => {
                let known = app.config.clients.contains_key(id);
                let judge = || app.store.cutoffs().judge_client(id, &self.jti, &self.ver);
                Ok(known.then(judge))
            }
        }
    }
}

fn holder(claims: &ParsedClaims<'_>) -> Option<Holder> {
    if let Some(sid) = claims.sid {
        return Some(Holder::Session(sid));
    }
    let client = ClientId::parse(&claims.client_id).ok()?;
    (*claims.sub == *client_subject(&client)).then_some(Holder::Client(client))
}
