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
    clients: String,
}

impl Configuration {
    /// Client `service`, and no other yet; audiences `demo-api` and `billing`.
    pub(crate) fn new() -> Self {
        let hash = SecretHash::of(SERVICE_SECRET).to_text();
        let service = format!("preset = \"service\"\nsecret_hash = \"{hash}\"");
        Self::default().client("service", &service)
    }

    /// One more client; `settings` are lines of TOML.
    pub(crate) fn client(mut self, id: &str, settings: &str) -> Self {
        self.clients.push_str(&format!(
            "\n[[clients]]\nclient_id = \"{id}\"\naudience = [\"demo-api\", \"billing\"]\n\
             scope = \"orders:read orders:write\"\n{settings}\n"
        ));
        self
    }

    /// Writes it into a folder, for a data directory.
    pub(crate) fn write(&self, folder: &Path, data: &Path) -> PathBuf {
        let (clients, data) = (&self.clients, data.display());
        let text = format!(
            "issuer = \"{ISSUER}\"\nstore = \"sqlite:{data}/symbolon.db\"\n\
             master_key_file = \"{data}/master.key\"\n\n\
             [[audiences]]\nname = \"demo-api\"\n\n[[audiences]]\nname = \"billing\"\n{clients}"
        );
        let path = folder.join("symbolon.toml");
        std::fs::write(&path, text).unwrap();
        path
    }
}
