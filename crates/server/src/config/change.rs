//! What a configuration that is read again changes, and what of it cannot change while the authority runs.

use super::{Audience, Client, Config, MasterKeySource};
use std::collections::BTreeMap;
use symbolon_core::{ClientId, ClientPolicy};

/// The settings that differ and take effect at a start alone. No `..`: a new setting belongs on one side.
pub fn fixed(old: &Config, new: &Config) -> Vec<&'static str> {
    let Config {
        issuer,
        listen,
        tls,
        metrics_listen,
        store,
        store_password_file: _,
        data,
        master_key,
        keys: _,
        signing_keys: _,
        audiences: _,
        clients: _,
        gateway: _,
        schedules: _,
        log,
        log_level,
    } = old;
    let differs = [
        ("issuer", *issuer != new.issuer),
        ("listen", *listen != new.listen),
        // The files are read again, and may be others; whether there are any is the listener's nature.
        ("tls", tls.is_some() != new.tls.is_some()),
        ("metrics_listen", *metrics_listen != new.metrics_listen),
        // A password that was changed is for the next start, and no reason to refuse the rest.
        ("store", store.to_string() != new.store.to_string()),
        ("data", *data != new.data),
        ("master_key", !same_source(master_key, &new.master_key)),
        ("log", *log != new.log),
        ("log_level", *log_level != new.log_level),
    ];
    differs.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
}

fn same_source(one: &MasterKeySource, other: &MasterKeySource) -> bool {
    use MasterKeySource::{Credential, Env, File, None};
    match (one, other) {
        (File(one), File(other)) | (Credential(one), Credential(other)) => one == other,
        (Env(one), Env(other)) => one.matches(other.expose()),
        (None, None) => true,
        (File(_) | Credential(_) | Env(_) | None, _) => false,
    }
}

/// What is new, gone or different, one a line, such as `client web: scope, origins`.
pub fn changes(old: &Config, new: &Config) -> Vec<String> {
    let by_name = |config: &Config| -> BTreeMap<String, Audience> {
        config.audiences.iter().map(|own| (own.name.to_string(), own.clone())).collect()
    };
    let by_id = |clients: &BTreeMap<ClientId, Client>| -> BTreeMap<String, Client> {
        clients.iter().map(|(id, client)| (id.as_str().to_owned(), client.clone())).collect()
    };
    let turning = named([("keys", old.keys != new.keys)]);
    let brought = named([("signing_keys", old.signing_keys != new.signing_keys)]);
    let at_gate = named([("gateway", old.gateway != new.gateway)]);
    let due = named([("schedules", old.schedules != new.schedules)]);
    let own = turning.into_iter().chain(brought).chain(at_gate).chain(due);
    let mut lines: Vec<_> = own.map(str::to_owned).collect();
    lines.extend(compare("audience", &by_name(old), &by_name(new), of_audience));
    lines.extend(compare("client", &by_id(&old.clients), &by_id(&new.clients), of_client));
    lines
}

fn compare<T>(
    kind: &str,
    old: &BTreeMap<String, T>,
    new: &BTreeMap<String, T>,
    differences: fn(&T, &T) -> Vec<&'static str>,
) -> Vec<String> {
    let gone = old.keys().filter(|name| !new.contains_key(*name));
    let mut lines: Vec<_> = gone.map(|name| format!("{kind} {name}: gone")).collect();
    for (name, now) in new {
        let Some(before) = old.get(name) else {
            lines.push(format!("{kind} {name}: new"));
            continue;
        };
        let differing = differences(before, now);
        if !differing.is_empty() {
            lines.push(format!("{kind} {name}: {}", differing.join(", ")));
        }
    }
    lines
}

fn of_audience(old: &Audience, new: &Audience) -> Vec<&'static str> {
    let Audience { name: _, alg, typ, secret, encrypt, accepts, one_use } = old;
    named([
        ("alg", *alg != new.alg),
        ("typ", *typ != new.typ),
        ("secret_file", *secret != new.secret),
        ("encrypt", *encrypt != new.encrypt),
        ("accepts", *accepts != new.accepts),
        ("one_use", *one_use != new.one_use),
    ])
}

fn of_client(old: &Client, new: &Client) -> Vec<&'static str> {
    let Client { id: _, preset, secret_hashes, origins, delivery, policy, .. } = old;
    let Client { audience, usual_audience, alg, thin, hook, .. } = old;
    let ClientPolicy { scope, access_ttl, idle, absolute, grace, replay, staleness, .. } = policy;
    let ClientPolicy { binding, devices, .. } = policy;
    let now = &new.policy;
    named([
        ("preset", *preset != new.preset),
        ("secrets", *secret_hashes != new.secret_hashes),
        ("origins", *origins != new.origins),
        ("delivery", *delivery != new.delivery),
        ("audience", *audience != new.audience),
        ("access_token.claims", *thin != new.thin),
        ("hook", *hook != new.hook),
        ("access_token.audience", *usual_audience != new.usual_audience),
        ("access_token.alg", *alg != new.alg),
        ("staleness", *staleness != now.staleness),
        ("scope", *scope != now.scope),
        ("access_token.ttl", *access_ttl != now.access_ttl),
        ("refresh.idle", *idle != now.idle),
        ("refresh.absolute", *absolute != now.absolute),
        ("refresh.grace", *grace != now.grace),
        ("refresh.replay", *replay != now.replay),
        ("binding", *binding != now.binding),
        ("devices", *devices != now.devices),
    ])
}

fn named<const N: usize>(differs: [(&'static str, bool); N]) -> Vec<&'static str> {
    differs.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
}
