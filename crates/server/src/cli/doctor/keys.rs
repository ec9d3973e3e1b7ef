//! The master key, the signing keys and the clients' secrets.

use super::Finding;
use crate::config::{Config, MasterKeySource};
use symbolon_store::{Kind, Store};
use symbolon_wire::{MasterKey, SigningKey, parse_key_id};

/// Secrets that stand in somebody's example and are tried first by everybody.
const KNOWN: &[&str] = &[
    "secret",
    "client-secret",
    "client_secret",
    "changeme",
    "changeit",
    "password",
    "admin",
    "123456",
    "12345678",
    "test",
    "demo",
    "service",
    "symbolon",
    "my-secret",
    "mysecret",
    "your-secret",
    "your_secret",
    "your-client-secret",
    "your-256-bit-secret",
    "s3cr3t",
    "default",
    "SecretKey012345678901234567890123456789012345678901234567890123456789",
];

/// What can be said without the store.
pub(super) fn secrets(config: &Config) -> Vec<Finding> {
    let mut findings = vec![match config.master_key.read() {
        Ok(Some(_)) => Finding::good("master key", "it can be read and looks random"),
        Ok(None) => Finding::bad(
            "master key",
            "none is given",
            "set `master_key_file`; `symbolon config init` makes one",
        ),
        Err(why) => Finding::bad("master key", why, "give the key that the store was made with"),
    }];
    if let MasterKeySource::Env(_) = &config.master_key {
        let next = "prefer `master_key_file` or a systemd credential: an environment is inherited and dumped";
        findings.push(Finding::warn("master key", "it stands in the environment", next));
    }
    let weak = |hash: &symbolon_wire::SecretHash| KNOWN.iter().any(|known| hash.is_of(known));
    for client in config.clients.values() {
        if client.secret_hashes.iter().any(weak)
            || client.secret_hashes.iter().any(|hash| hash.is_of(client.id.as_str()))
        {
            let found =
                format!("client {:?} has a secret that everybody tries first", client.id.as_str());
            let next = "draw one: symbolon config init --service NAME";
            findings.push(Finding::bad("client secret", found, next));
        }
    }
    findings
}

/// Whether the signing keys open under the master key.
pub(super) async fn look(config: &Config, store: &Store) -> Vec<Finding> {
    let Ok(Some(master)) = config.master_key.read() else { return Vec::new() };
    match opened(&master, store).await {
        Ok(0) => vec![Finding::warn(
            "signing keys",
            "there are none yet",
            "`symbolon serve` makes them at its first start",
        )],
        Ok(count) => {
            vec![Finding::good("signing keys", format!("{count} open under the master key"))]
        }
        Err(why) => vec![Finding::bad(
            "signing keys",
            why,
            "start with the master key that the store was made with",
        )],
    }
}

async fn opened(master: &MasterKey, store: &Store) -> Result<usize, String> {
    let sealer = master.sealer();
    let records = store.records(Kind::SigningKey).await.map_err(|fault| fault.to_string())?;
    for record in &records {
        let kid = parse_key_id(&record.name).map_err(|why| why.to_string())?;
        SigningKey::from_sealed(&sealer, kid, &record.value)
            .map_err(|_| "they were sealed under another master key".to_owned())?;
    }
    Ok(records.len())
}
