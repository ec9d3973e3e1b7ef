//! A configuration file for `dev --config` and for `apikey`, beside the data directory.

use std::path::{Path, PathBuf};
use symbolon_wire::SecretHash;

/// The issuer of every configured server: it stays the same when the port does not.
pub(crate) const ISSUER: &str = "http://127.0.0.1:8620";

/// The secret of the client `service` in every configuration.
pub(crate) const SERVICE_SECRET: &str = "sym_cs_of_the_tests_which_is_long_enough_to_be_one";

/// What the clients of a test are like.
#[derive(Clone, Default)]
pub(crate) struct Configuration {
    issuer: Option<String>,
    store: Option<String>,
    head: String,
    audiences: String,
    clients: String,
}

impl Configuration {
    /// Client `service`, and no other yet; audiences `demo-api` and `billing`.
    pub(crate) fn new() -> Self {
        let hash = SecretHash::of(SERVICE_SECRET).to_text();
        let service = format!("preset = \"service\"\nsecret_hash = \"{hash}\"");
        Self::default().client("service", &service)
    }

    /// No client yet.
    pub(crate) fn empty() -> Self {
        Self::default()
    }

    /// Another issuer than the usual one.
    pub(crate) fn issuer(self, url: &str) -> Self {
        Self { issuer: Some(url.to_owned()), ..self }
    }

    /// Another store than a file in the data directory.
    pub(crate) fn store(self, url: &str) -> Self {
        Self { store: Some(url.to_owned()), ..self }
    }

    /// Lines of TOML before everything else.
    pub(crate) fn head(mut self, lines: &str) -> Self {
        self.head.push_str(&format!("{lines}\n"));
        self
    }

    /// One more audience; `settings` are lines of TOML.
    pub(crate) fn audience(mut self, name: &str, settings: &str) -> Self {
        self.audiences.push_str(&format!("\n[[audiences]]\nname = \"{name}\"\n{settings}\n"));
        self
    }

    /// One more client, with audience, scope and all as these lines of TOML say.
    pub(crate) fn bare_client(mut self, id: &str, settings: &str) -> Self {
        self.clients.push_str(&format!("\n[[clients]]\nclient_id = \"{id}\"\n{settings}\n"));
        self
    }

    /// One more client; `settings` are lines of TOML.
    pub(crate) fn client(self, id: &str, settings: &str) -> Self {
        let usual = "audience = [\"demo-api\", \"billing\"]\nscope = \"orders:read orders:write\"";
        self.bare_client(id, &format!("{usual}\n{settings}"))
    }

    /// `[gateway]`; these are lines of TOML below it.
    pub(crate) fn gateway(mut self, lines: &str) -> Self {
        self.clients.push_str(&format!("\n[gateway]\n{lines}\n"));
        self
    }

    /// Writes it into a folder, for a data directory.
    pub(crate) fn write(&self, folder: &Path, data: &Path) -> PathBuf {
        let Self { issuer, store, head, audiences, clients } = self;
        let (issuer, data) = (issuer.as_deref().unwrap_or(ISSUER), data.display());
        let file = format!("sqlite:{data}/symbolon.db");
        let store = store.as_deref().unwrap_or(&file);
        let text = format!(
            "{head}issuer = \"{issuer}\"\nstore = \"{store}\"\n\
             master_key_file = \"{data}/master.key\"\n\n\
             [[audiences]]\nname = \"demo-api\"\n\n[[audiences]]\nname = \"billing\"\n{audiences}{clients}"
        );
        let path = folder.join("symbolon.toml");
        std::fs::write(&path, text).unwrap();
        path
    }
}
