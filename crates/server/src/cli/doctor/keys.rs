//! The master key, the signing keys and the clients' secrets.

use super::Finding;
use crate::clock::civil_now;
use crate::config::{Config, MasterKeySource};
use crate::keys::{self, Ring};
use symbolon_core::KeyState;
use symbolon_store::Store;

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
    findings.extend(brought(config));
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

/// Signing keys and shared secrets that somebody brings in files.
fn brought(config: &Config) -> Vec<Finding> {
    let mut wrong = keys::brought_wrong(config);
    let missing = config.brought_files().filter(|path| !path.exists());
    wrong.extend(missing.map(|path| format!("there is no {}", path.display())));
    let next = "draw a secret: openssl rand -base64 48; give a key as PKCS #8 in PEM";
    if wrong.is_empty() && config.brought_files().next().is_some() {
        return vec![Finding::good(
            "brought keys",
            "their files hold keys, and secrets that look random",
        )];
    }
    wrong.into_iter().map(|why| Finding::bad("brought keys", why, next)).collect()
}

/// Whether the signing keys open under the master key.
pub(super) async fn look(config: &Config, store: &Store) -> Vec<Finding> {
    let Ok(Some(master)) = config.master_key.read() else { return Vec::new() };
    match keys::look(&master, store).await {
        Ok(ring) if ring.keys().is_empty() => vec![Finding::warn(
            "signing keys",
            "there are none yet",
            "`symbolon serve` makes them at its first start",
        )],
        Ok(ring) => {
            let found = format!("{} open under the master key", ring.keys().len());
            let mut findings = vec![Finding::good("signing keys", found)];
            findings.extend(ages(config, &ring));
            findings
        }
        Err(why) => vec![Finding::bad(
            "signing keys",
            why.to_string(),
            "start with the master key that the store was made with",
        )],
    }
}

/// Whether they turn as planned: a key that is overdue means that no authority runs, or that it cannot.
fn ages(config: &Config, ring: &Ring) -> Vec<Finding> {
    let at = civil_now();
    let mut findings = Vec::new();
    for (kid, state) in ring.states(at) {
        let Some(key) = ring.keys().iter().find(|key| key.life.kid == kid) else { continue };
        if state != KeyState::Current {
            continue;
        }
        let (alg, age) = (key.alg.name(), at.since(key.life.current_from));
        let days = age.as_secs() / (24 * 60 * 60);
        let overdue = config.keys.rotate_every + config.keys.announce < age;
        findings.push(if overdue {
            let found = format!("the {alg} key has signed for {days} days, longer than planned");
            let next = "see why the running authority does not turn it: symbolon keys list";
            Finding::warn("signing keys", found, next)
        } else {
            Finding::good("signing keys", format!("the {alg} key has signed for {days} days"))
        });
    }
    findings
}
