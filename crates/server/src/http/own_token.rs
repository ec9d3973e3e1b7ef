//! An access token that this authority wrote, and what holds of it now: one of its own signature, or a handle.

use crate::app::App;
use crate::config::Client;
use crate::keys::{Recipients, client_subject};
use serde_json::{Map, Value};
use symbolon_core::imprint::Imprints;
use symbolon_core::lasting::{Lasting, Worth};
use symbolon_core::{
    ClientId, Decision, Denial, Digest, Fault, Grant, Handle, Loaded, SessionId, Shown, Timestamp,
    Ver, Verdict,
};
use symbolon_wire::{HandleKind, Jti, ParsedClaims, imprints};

/// An access token that this authority wrote, in force or not.
pub enum OwnToken {
    /// One that says something itself.
    Signed(Box<Signed>),
    /// One that names its session, and nothing else.
    Handle(Handle),
}

/// What a token says that we signed.
pub struct Signed {
    holder: Holder,
    audience: Vec<String>,
    expires_at: Timestamp,
    /// The thumbprint of the key that whoever shows it must prove (RFC 9449 §6.1).
    jkt: Option<Digest>,
    /// What whoever shows it has around them.
    imprints: Imprints,
    claims: Map<String, Value>,
    jti: [u8; 16],
    ver: Ver,
}

/// In whose name a token speaks.
enum Holder {
    /// A person's session.
    Session(SessionId),
    /// A client itself.
    Client(ClientId),
}

/// What holds of a token now.
pub struct Held {
    /// Whom it is for.
    pub audience: Vec<String>,
    /// Its session; a client's own token has none.
    pub session: Option<Loaded>,
    /// What whoever shows it must have around them.
    pub imprints: Imprints,
    /// What is to be believed of whoever shows it; else why nothing is.
    pub says: Result<Map<String, Value>, Unheld>,
}

/// Why a token is worth nothing now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unheld {
    /// It has expired by itself.
    Expired,
    /// Something happened to what it stands on. Never `Live`.
    By(Verdict),
}

impl OwnToken {
    /// Reads a text; `None` if we did not write it as an access token. Forged text dies here, before any store.
    pub fn read(app: &App, text: &str) -> Option<Self> {
        if let Ok(handle) = app.keys.handles.open(HandleKind::AccessToken, text) {
            return Some(Self::Handle(handle));
        }
        let payload = app.keys.verify(text)?;
        // What else we sign, a checkpoint of the feed say, is no access token (RFC 8725 §3.11).
        payload.typ()?;
        let claims = ParsedClaims::of(&payload).ok()?;
        if *claims.iss != *app.config.issuer {
            return None;
        }
        Some(Self::Signed(Box::new(Signed {
            holder: holder(&claims)?,
            audience: claims.aud.iter().map(str::to_owned).collect(),
            expires_at: claims.exp,
            jkt: claims.jkt,
            imprints: claims.imprints,
            claims: serde_json::from_slice(payload.bytes()).ok()?,
            jti: Jti::parse(&claims.jti).ok()?.0,
            ver: claims.ver,
        })))
    }

    /// What it says itself; a handle says nothing.
    pub fn claims(&self) -> Option<&Map<String, Value>> {
        match self {
            Self::Signed(signed) => Some(&signed.claims),
            Self::Handle(_) => None,
        }
    }

    /// The thumbprint of the key that whoever shows it must prove (RFC 9449 §6.1).
    pub fn jkt(&self) -> Option<Digest> {
        match self {
            Self::Signed(signed) => signed.jkt,
            Self::Handle(_) => None,
        }
    }

    /// What holds of it now; `None` if its session, or its client, is not there any more. Showing a token that
    /// lasts as long as its session is a use of the session.
    ///
    /// # Errors
    /// The store could not be read, or could not write the use.
    pub async fn held(self, app: &App, at: Timestamp) -> Result<Option<Held>, Fault> {
        match self {
            Self::Handle(handle) => of_handle(app, &handle, at).await,
            Self::Signed(signed) if signed.expires_at <= at => {
                let says = Err(Unheld::Expired);
                Ok(Some(Held {
                    audience: signed.audience,
                    session: None,
                    imprints: signed.imprints,
                    says,
                }))
            }
            Self::Signed(signed) => match signed.holder {
                Holder::Session(sid) => signed.of_session(app, sid, at).await,
                Holder::Client(ref id) => Ok(signed.of_client(app, id)),
            },
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

impl Signed {
    fn of_client(&self, app: &App, id: &ClientId) -> Option<Held> {
        app.config.clients.get(id)?;
        let says = match app.store.cutoffs().judge_client(id, &self.jti, &self.ver) {
            Verdict::Live => Ok(self.claims.clone()),
            verdict @ (Verdict::Stale(_) | Verdict::Revoked(_)) => Err(Unheld::By(verdict)),
        };
        let (audience, imprints) = (self.audience.clone(), self.imprints);
        Some(Held { audience, session: None, imprints, says })
    }

    async fn of_session(
        self: Box<Self>,
        app: &App,
        sid: SessionId,
        at: Timestamp,
    ) -> Result<Option<Held>, Fault> {
        let decide = |client: &Client, loaded| self.judged(app, client, loaded, at);
        let Some((worth, session)) = decided(app, sid, decide).await? else { return Ok(None) };
        let (audience, imprints) = (self.audience.clone(), self.imprints);
        let says = match worth {
            Ok(Worth::AsItSays) => Ok(self.claims),
            Ok(Worth::AsOfNow(grant)) => Ok(self.as_of_now(app, &grant)?),
            Err(verdict) => Err(Unheld::By(verdict)),
        };
        Ok(Some(Held { audience, session: Some(session), imprints, says }))
    }

    /// The rule for what its client can do when it is stale: renew it, or nothing.
    fn judged(
        &self,
        app: &App,
        client: &Client,
        loaded: Loaded,
        at: Timestamp,
    ) -> Result<Decision<Result<Worth, Verdict>>, Fault> {
        let Self { jti, ver, .. } = *self;
        let lasts = client.preset.tokens_last();
        let to = lasts.then(|| app.recipients(client, &loaded.session.audience, None)).flatten();
        let Some(recipients) = to else {
            return Ok(Decision::unchanged(match loaded.judge(&jti, &ver, &client.policy, at) {
                Verdict::Live => Ok(Worth::AsItSays),
                verdict @ (Verdict::Stale(_) | Verdict::Revoked(_)) => Err(verdict),
            }));
        };
        let terms = app.terms(client, &recipients.signer)?;
        Ok(loaded.by_lasting_token(&Lasting { jti, ver, terms }, at))
    }

    /// What holds now, under the name, the dates and the audience of the token that was shown: those stay its own, and so
    /// does what it is bound to.
    fn as_of_now(&self, app: &App, grant: &Grant) -> Result<Map<String, Value>, Fault> {
        let mut claims = described(app, grant, &[])?;
        for name in ["aud", "iat", "exp", "jti"] {
            let own = self.claims.get(name).cloned();
            claims.insert(name.to_owned(), own.unwrap_or_default());
        }
        for name in ["cnf", "cnf_reported"] {
            claims.remove(name);
            claims.extend(self.claims.get(name).cloned().map(|own| (name.to_owned(), own)));
        }
        Ok(claims)
    }
}

/// Whom the tokens of a handle's session are for, and what it earns.
type OfHandle = (Recipients, Result<Box<Grant>, Denial>);

async fn of_handle(app: &App, handle: &Handle, at: Timestamp) -> Result<Option<Held>, Fault> {
    let decide = |client: &Client, loaded: Loaded| {
        let Some(to) = app.recipients(client, &loaded.session.audience, None) else {
            return Ok(Decision::unchanged(None));
        };
        let terms = app.terms(client, &to.signer)?;
        let decision = loaded.by_handle(&Shown { handle, terms }, at);
        Ok(decision.map(|answer| Some((to, answer.map(Box::new)))))
    };
    match decided(app, handle.sid(), decide).await? {
        Some((Some(decided), session)) => held_by_handle(app, decided, session),
        Some((None, _)) | None => Ok(None),
    }
}

/// Decides about a session, and turns to the writer only if something changes. `None`: there is no such session, or
/// its client is not configured any more.
async fn decided<R>(
    app: &App,
    sid: SessionId,
    decide: impl Fn(&Client, Loaded) -> Result<Decision<R>, Fault> + Send + Sync,
) -> Result<Option<(R, Loaded)>, Fault> {
    let decide = |loaded: Loaded| {
        let Some(client) = app.config.clients.get(&loaded.session.client) else {
            return Ok(Decision::unchanged(None));
        };
        let session = loaded.clone();
        let decision = decide(client, loaded)?;
        let ended = decision.events.first().map(|event| event.reason);
        Ok(decision.map(|reply| Some((reply, session, ended))))
    };
    let Some(loaded) = app.store.session(sid).await? else { return Ok(None) };
    let mut decision = decide(loaded)?;
    if decision.session.is_some() {
        let Some(done) = app.store.step(sid, decide).await? else { return Ok(None) };
        decision.reply = done.reply;
    }
    Ok(decision.reply.map(|(reply, session, ended)| {
        if let Some(reason) = ended {
            app.metrics.ended(&session.session.client, reason);
        }
        (reply, session)
    }))
}

fn held_by_handle(
    app: &App,
    (to, answer): OfHandle,
    session: Loaded,
) -> Result<Option<Held>, Fault> {
    let audience: Vec<_> = to.names.iter().map(|name| (**name).to_owned()).collect();
    let mut bound = Imprints::default();
    let says = match answer {
        Ok(grant) => {
            bound = imprints(&grant);
            let claims = described(app, &grant, &audience)?;
            // What is known by name is known of the JWT that a handle stands for, by verifiers too.
            match revoked_by_name(&claims, &grant) {
                Some(verdict) => Err(Unheld::By(verdict)),
                None => Ok(claims),
            }
        }
        Err(denial) => match Verdict::of_denial(denial) {
            Some(verdict) => Err(Unheld::By(verdict)),
            None => return Ok(None),
        },
    };
    Ok(Some(Held { audience, session: Some(session), imprints: bound, says }))
}

fn revoked_by_name(claims: &Map<String, Value>, grant: &Grant) -> Option<Verdict> {
    let jti = Jti::parse(claims.get("jti")?.as_str()?).ok()?;
    grant.named(&jti.0)
}

/// The claims that a grant's JWT would have.
fn described(app: &App, grant: &Grant, to: &[String]) -> Result<Map<String, Value>, Fault> {
    let names: Vec<_> = to.iter().map(String::as_str).collect();
    let payload = app.keys.describe(&app.config.issuer, grant, &names);
    let payload = payload.map_err(|_| Fault::Store("stored claims cannot be read".into()))?;
    serde_json::from_slice(&payload).map_err(|_| Fault::Store("claims cannot be written".into()))
}
