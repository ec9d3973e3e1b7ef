//! From a line to a session: what of it this authority can take.

use crate::app::App;
use crate::config::Client;
use crate::keys::Signer;
use std::collections::BTreeMap;
use symbolon_core::binding::Binding;
use symbolon_core::{
    ClientId, Cutoffs, Denial, Duration, Fault, Import, Imported, Salt, SessionId, Start,
    SubjectState, Terms, Timestamp, scope,
};
use symbolon_store::{Incoming, OldToken};
use symbolon_wire::{Algorithm, ImportLine};

/// How far ahead a session may end. Inclusive; beyond it the number is in milliseconds, or made up.
const LIFE_MAX: Duration = Duration::from_secs(10 * 366 * 24 * 3600);

/// What lines are read with.
pub(super) struct Reading<'a> {
    app: &'a App,
    /// Of every client that has refresh tokens.
    clients: BTreeMap<&'a ClientId, (&'a Client, Terms<'a>)>,
}

impl<'a> Reading<'a> {
    /// For the clients of an authority.
    pub(super) fn new(app: &'a App) -> Result<Self, Fault> {
        let clients = app.config.clients.values();
        let clients = clients.filter(|client| client.preset.has_refresh_tokens());
        let terms = |client: &'a Client| {
            let recipients = app.recipients(client, &[], None);
            let own = Signer::Own(Algorithm::EdDsa);
            let signer = recipients.map_or(own, |recipients| recipients.signer);
            Ok((&client.id, (client, app.terms(client, &signer)?)))
        };
        Ok(Self { app, clients: clients.map(terms).collect::<Result<_, Fault>>()? })
    }

    /// The old token that a line speaks of, if all of the line is right.
    pub(super) fn token(&self, text: &str, at: Timestamp) -> Result<OldToken, String> {
        let (line, _) = self.line(text, at)?;
        let digest = self.app.keys.imported_tokens.digest(&line.token);
        Ok(OldToken { digest, sid: self.sid(&line), until: line.expires_at })
    }

    /// The session that a line speaks of.
    pub(super) fn incoming(&self, text: &str, at: Timestamp) -> Result<Incoming, String> {
        let (line, scope) = self.line(text, at)?;
        let salt = self.app.random().map_err(|fault| fault.to_string())?;
        let digest = self.app.keys.imported_tokens.digest(&line.token);
        let start = Start {
            sid: self.sid(&line),
            salt: Salt(salt),
            subject: line.subject,
            client: line.client,
            device: line.device,
            scope,
            roles: line.roles,
            claims: "".into(),
            audience: [].into(),
            amr: line.amr,
            acr: None,
            authenticated_at: None,
            expires_at: Some(line.expires_at),
            binding: Binding::default(),
            ip: None,
            user_agent: None,
            started_by: None,
        };
        Ok(Incoming { digest, import: Import { start, created_at: line.created_at } })
    }

    /// What becomes of it.
    pub(super) fn decide(
        &self,
        import: &Import,
        subject: &SubjectState,
        cutoffs: &Cutoffs,
        at: Timestamp,
    ) -> Result<Imported, Denial> {
        let (_, terms) = &self.clients[&import.start.client];
        import.decide(subject, cutoffs, terms, at)
    }

    /// A line, and the scope that it is granted.
    fn line(&self, text: &str, at: Timestamp) -> Result<(ImportLine, std::sync::Arc<str>), String> {
        let line = ImportLine::parse(text).map_err(|why| why.to_string())?;
        let Some((client, _)) = self.clients.get(&line.client) else {
            return Err(NO_CLIENT.into());
        };
        if at.after(LIFE_MAX) < line.expires_at {
            return Err("expires_at: lies more than ten years ahead; it is in seconds".into());
        }
        match scope::narrow(&client.policy.scope, line.scope.as_deref()) {
            Some(scope) => Ok((line, scope)),
            None => Err(BEYOND.into()),
        }
    }

    fn sid(&self, line: &ImportLine) -> SessionId {
        let shard = self.app.keys.shards.shard(line.subject.as_str());
        self.app.keys.imported_tokens.session_id(shard, &line.token)
    }
}

const NO_CLIENT: &str = "client_id: is not a client of this configuration that has refresh tokens";

const BEYOND: &str = "scope: goes beyond the `scope` of this client's configuration, or is not words \
                      separated by single spaces";
