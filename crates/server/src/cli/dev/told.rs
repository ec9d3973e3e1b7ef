//! What `dev` says when it is ready.

use super::directory::Directory;
use super::setup::{Ports, Setup, authority_url};
use crate::cli::out;
use crate::config::{Client, Preset};
use crate::playground::origin;
use serde_json::{Map, Value, json};

/// Everything that a person or a program needs to go on.
pub struct Told<'a> {
    /// What `dev` runs with.
    pub setup: &'a Setup,
    /// Where it keeps its things.
    pub directory: &'a Directory,
    /// Where it listens.
    pub ports: &'a Ports,
    /// The address of the playground's page, if a client of the configuration is for it.
    pub playground: Option<&'a str>,
    /// A key with all scopes; telling it is the purpose of `dev`.
    pub api_key: &'a str,
}

impl Told<'_> {
    /// Says it, for a person or for a program.
    pub fn tell(&self, as_json: bool) {
        if as_json { out::json(&self.json()) } else { out::line(self.banner()) }
    }

    fn json(&self) -> Value {
        let clients: Map<String, Value> =
            self.setup.config.clients.values().map(|client| self.client(client)).collect();
        let mut told = json!({
            "authority": authority_url(self.ports.api),
            "demo_api": authority_url(self.ports.demo),
            "second_demo_api": authority_url(self.ports.second_demo),
            "metrics": format!("{}/metrics", authority_url(self.ports.metrics)),
            "api_key": self.api_key,
            "data": self.directory.path(),
            "clients": clients,
        });
        if let Some(playground) = self.playground {
            told["playground"] = playground.into();
        }
        told
    }

    fn client(&self, client: &Client) -> (String, Value) {
        let mut shown = json!({
            "client_id": client.id.as_str(),
            "preset": client.preset.as_str(),
            "origins": client.origins,
            "audience": client.audience,
        });
        let has_it = client.preset == Preset::Service;
        if let (true, Some(secret)) = (has_it, &self.setup.service_secret) {
            shown["client_secret"] = secret.expose().into();
        }
        (client.id.as_str().to_owned(), shown)
    }

    fn banner(&self) -> String {
        let kept = match (self.directory.is_temporary(), self.setup.config.store.file()) {
            (false, _) => "kept",
            (true, Some(file)) if file.starts_with(self.directory.path()) => {
                "removed when you stop"
            }
            // Without that key nobody can use the store again.
            (true, _) => "removed when you stop, the store's master key too: name one with --data",
        };
        let (authority, demo) = (&self.setup.config.issuer, authority_url(self.ports.demo));
        let second = authority_url(self.ports.second_demo);
        let metrics = authority_url(self.ports.metrics);
        let (data, key) = (self.directory.path().display(), self.api_key);
        let first = self.playground.map_or_else(
            || format!("(no playground: no public client lists {})", origin(self.ports.playground)),
            ToOwned::to_owned,
        );
        format!(
            "Symbolon is ready. See it in a browser:

  {first}

  authority  {authority}
  demo API   {demo}, and a second one at {second}
  metrics    {metrics}/metrics
  data       {data} ({kept})

In another terminal:

  export SYMBOLON_URL={authority} \\
    SYMBOLON_API_KEY={key}
  alias symbolon=target/release/symbolon
  symbolon demo race
  symbolon demo theft

Ctrl-C stops everything."
        )
    }
}
