//! The text of a new configuration.

use symbolon_wire::{Algorithm, SecretHash, Type};

/// What a new configuration says.
pub(super) struct Template<'a> {
    pub(super) issuer: &'a str,
    pub(super) store: &'a str,
    pub(super) master_key_file: &'a str,
    pub(super) audience: &'a str,
    pub(super) alg: Algorithm,
    pub(super) typ: Type,
    pub(super) client: &'a str,
    pub(super) origins: &'a [String],
    pub(super) service: Option<(&'a str, &'a SecretHash)>,
}

impl Template<'_> {
    /// The file's text.
    pub(super) fn text(&self) -> String {
        let mut text = self.head();
        text.push_str(&self.client());
        if let Some((id, hash)) = self.service {
            text.push_str(&self.service(id, hash));
        }
        text
    }

    fn head(&self) -> String {
        format!(
            r#"# Symbolon. Every setting, with units, defaults and bounds: docs/guide/configuration.md.
# `symbolon config check` says what is wrong, with line and column, and what holds.

# Stands in every token as `iss`, and verifiers compare it byte by byte.
issuer = {issuer}
listen = "127.0.0.1:8620"
metrics_listen = "127.0.0.1:8629"

# Relative paths are taken from this file's directory.
store = {store}
# All other secrets derive from it. Keep a copy apart from the store's: without it, no token and no
# API key made so far is of any use, and with it alone neither.
master_key_file = {master_key_file}

# A resource server. alg and typ are what its verifiers can read.
[[audiences]]
name = {audience}
alg = {alg}
typ = {typ}
"#,
            issuer = quoted(self.issuer),
            store = quoted(self.store),
            master_key_file = quoted(self.master_key_file),
            audience = quoted(self.audience),
            alg = quoted(self.alg.name()),
            typ = quoted(self.typ.name()),
        )
    }

    fn client(&self) -> String {
        let origins: Vec<_> = self.origins.iter().map(|origin| quoted(origin)).collect();
        format!(
            r#"
# A browser or native app: short access tokens, renewed with a refresh token that rotates.
[[clients]]
client_id = {client}
preset = "dual-token"
# Exactly as browsers send them, such as "https://app.example.com". Pages of others may not call.
origins = [{origins}]
audience = [{audience}]
scope = ""

[clients.access_token]
ttl = "5min"

[clients.refresh]
idle = "14d"
absolute = "90d"
# How long a used refresh token still earns its successor, for tabs and retries that raced.
grace = "10s"

[clients.devices]
per_subject = 10
overflow = "evict_idle"
"#,
            client = quoted(self.client),
            origins = origins.join(", "),
            audience = quoted(self.audience),
        )
    }

    fn service(&self, id: &str, hash: &SecretHash) -> String {
        format!(
            r#"
# A service that signs in with its own secret; only the secret's hash is kept.
[[clients]]
client_id = {id}
preset = "service"
secret_hash = {hash}
audience = [{audience}]
scope = ""
"#,
            id = quoted(id),
            hash = quoted(&hash.to_text()),
            audience = quoted(self.audience),
        )
    }
}

/// A TOML basic string: JSON's escapes are among TOML's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
