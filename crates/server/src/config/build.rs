//! What passed the table, turned into a [`Config`]; what settings must be to each other.

use crate::config::check::Members;
use crate::config::place::{Place, Problems};
use crate::config::store::StoreUrl;
use crate::config::url::issuer;
use crate::config::{
    Audience, Client, Config, KeyFile, LogFormat, LogLevel, MasterKeySource, Shared, client,
    encrypt, environment, gateway, schedules,
};
use crate::tls::TlsFiles;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use symbolon_core::{ClientId, KeyPlan};
use symbolon_wire::{Algorithm, SecretText, Type};

const LISTEN: SocketAddr = local(8620);
const METRICS_LISTEN: SocketAddr = local(8629);

const fn local(port: u16) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), port)
}

/// Builds a configuration; `None`, or with problems added, if it does not hold together.
pub(crate) fn config(root: &Members, base: &Path, problems: &mut Problems) -> Option<Config> {
    let issuer = read(root, "issuer", problems, issuer);
    let listen = read(root, "listen", problems, address).unwrap_or(LISTEN);
    let metrics_listen = read(root, "metrics_listen", problems, address_or_off);
    let store_password_file = store_password_file(root, base, problems);
    let store = store(root, (base, store_password_file.as_deref()), problems);
    let data_base = base_of(root, "data", base);
    let data = read(root, "data", problems, |text| path(text, data_base));
    let tls = root.table("tls").and_then(|table| tls(table, base, problems));
    let master_key = master_key(root, base, problems);
    let keys = key_plan(root, problems);
    let signing_keys = signing_keys(root, base, problems);
    let audiences = audiences(root, issuer.as_deref(), base, problems);
    let clients = clients(root, &audiences, problems);
    let gateway = gateway::gateway(root.table("gateway"), &audiences, problems);
    let schedules = schedules::schedules(root, &clients, problems);
    Some(Config {
        issuer: issuer?,
        listen,
        metrics_listen: metrics_listen.unwrap_or(Some(METRICS_LISTEN)),
        tls,
        store: store?,
        store_password_file,
        data,
        master_key,
        keys,
        signing_keys,
        audiences,
        clients,
        gateway: Arc::new(gateway),
        schedules,
        log: log_format(root),
        log_level: log_level(root),
    })
}

/// Builds what a sidecar reads of a configuration.
pub(crate) fn shared(root: &Members, base: &Path, problems: &mut Problems) -> Shared {
    let issuer = read(root, "issuer", problems, issuer);
    let audiences = audiences(root, issuer.as_deref(), base, problems);
    let gateway = gateway::gateway(root.table("gateway"), &audiences, problems).into();
    let (log, log_level) = (log_format(root), log_level(root));
    Shared { issuer, audiences, gateway, log, log_level }
}

/// Reads a text that was given; what is wrong with it becomes a problem.
pub(crate) fn read<T>(
    members: &Members,
    name: &str,
    problems: &mut Problems,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Option<T> {
    let parsed = parse(members.text(name)?);
    parsed.map_err(|what| problems.add(members.place_of(name), members.path_of(name), what)).ok()
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let example = "an IP address and a port, such as \"127.0.0.1:8620\" or \"[::]:8620\"";
    text.parse().map_err(|_| format!("{text:?} is not {example}"))
}

fn address_or_off(text: &str) -> Result<Option<SocketAddr>, String> {
    if text == "off" {
        return Ok(None);
    }
    address(text).map(Some).map_err(|what| format!("{what}, and not \"off\""))
}

/// Relative paths in a file are taken from the file's directory, others from the working directory.
pub(crate) fn base_of<'a>(members: &Members, name: &str, base: &'a Path) -> &'a Path {
    match members.place_of(name) {
        Place::File { .. } | Place::Whole(_) => base,
        Place::Variable(_) | Place::Flag(_) => Path::new(""),
    }
}

fn store(
    root: &Members,
    (base, password_file): (&Path, Option<&Path>),
    problems: &mut Problems,
) -> Option<StoreUrl> {
    let password = store_password(root, password_file, problems);
    let base = base_of(root, "store", base);
    read(root, "store", problems, |text| StoreUrl::parse(text, base, password.as_ref()))
}

const STORE_PASSWORD_FILE: &str = "store_password_file";

fn store_password_file(root: &Members, base: &Path, problems: &mut Problems) -> Option<PathBuf> {
    let base = base_of(root, STORE_PASSWORD_FILE, base);
    read(root, STORE_PASSWORD_FILE, problems, |text| path(text, base))
}

/// The store's password, where it does not stand in its URL.
fn store_password(
    root: &Members,
    file: Option<&Path>,
    problems: &mut Problems,
) -> Option<SecretText> {
    let place = root.place_of(STORE_PASSWORD_FILE);
    match (root.text("store_password"), file) {
        (None, None) => None,
        (Some(password), None) => Some(SecretText::new(password.to_owned())),
        (Some(_), Some(_)) => {
            let what = "`store_password` is given as well; keep one";
            problems.add(place, STORE_PASSWORD_FILE, what);
            None
        }
        (None, Some(file)) => match std::fs::read_to_string(file) {
            Ok(text) => Some(SecretText::new(text.trim_end_matches(['\r', '\n']).to_owned())),
            Err(why) => {
                let what = format!("{} could not be read: {why}", file.display());
                problems.add(place, STORE_PASSWORD_FILE, what);
                None
            }
        },
    }
}

fn master_key(root: &Members, base: &Path, problems: &mut Problems) -> MasterKeySource {
    const SOURCES: [&str; 3] = ["master_key_file", "master_key_credential", "master_key"];
    let given: Vec<_> = SOURCES.into_iter().filter(|name| root.has(name)).collect();
    if let [first, second, ..] = given[..] {
        let what = format!("`{first}` is given as well; keep one, so that it is plain which holds");
        problems.add(root.place_of(second), second, what);
    }
    let base = base_of(root, "master_key_file", base);
    if let Some(file) = read(root, "master_key_file", problems, |text| path(text, base)) {
        return MasterKeySource::File(file);
    }
    if let Some(file) = read(root, "master_key_credential", problems, credential) {
        return MasterKeySource::Credential(file);
    }
    match root.text("master_key") {
        Some(key) => MasterKeySource::Env(SecretText::new(key.to_owned())),
        None => usual_credential().map_or(MasterKeySource::None, MasterKeySource::Credential),
    }
}

/// A credential of the usual name needs no setting.
fn usual_credential() -> Option<PathBuf> {
    let path = environment::credentials_directory()?.join("master.key");
    path.exists().then_some(path)
}

pub(crate) fn path(text: &str, base: &Path) -> Result<PathBuf, String> {
    match text {
        "" => Err("is empty; name a file".to_owned()),
        text => Ok(base.join(text)),
    }
}

fn tls(table: &Members, base: &Path, problems: &mut Problems) -> Option<TlsFiles> {
    let mut file = |name| {
        let base = base_of(table, name, base);
        read(table, name, problems, |text| path(text, base))
    };
    let (certificate, key) = (file("certificate_file"), file("key_file"));
    Some(TlsFiles { certificate: certificate?, key: key? })
}

fn credential(name: &str) -> Result<PathBuf, String> {
    if name.is_empty() || name.contains('/') || name == "." || name == ".." {
        return Err(format!("{name:?} is not the name of a credential, such as \"master.key\""));
    }
    match environment::credentials_directory() {
        Some(directory) => Ok(directory.join(name)),
        None => Err("systemd gave this process no credentials; \
                     add LoadCredential= to the unit, or use `master_key_file`"
            .to_owned()),
    }
}

fn key_plan(root: &Members, problems: &mut Problems) -> KeyPlan {
    let usual = KeyPlan::default();
    let Some(table) = root.table("keys") else { return usual };
    let plan = KeyPlan {
        rotate_every: table.duration("rotate_every").unwrap_or(usual.rotate_every),
        announce: table.duration("announce").unwrap_or(usual.announce),
    };
    if plan.rotate_every <= plan.announce {
        let what = "must be shorter than `rotate_every`: a key is announced while another signs";
        problems.add(table.place_of("announce"), table.path_of("announce"), what);
    }
    plan
}

fn signing_keys(root: &Members, base: &Path, problems: &mut Problems) -> Vec<KeyFile> {
    let mut key = |row: &Members| {
        let base = base_of(row, "file", base);
        let path = read(row, "file", problems, |text| path(text, base))?;
        Some(KeyFile { path, signs: row.text("use") != Some("verify") })
    };
    root.rows("signing_keys").iter().filter_map(&mut key).collect()
}

fn audiences(
    root: &Members,
    issuer: Option<&str>,
    base: &Path,
    problems: &mut Problems,
) -> Vec<Audience> {
    let mut audiences: Vec<Audience> = Vec::new();
    for row in root.rows("audiences") {
        let Some(name) = read(row, "name", problems, name) else { continue };
        if audiences.iter().any(|other| other.name == name) {
            let what = format!("there is another audience {name:?}; names are unique");
            problems.add(row.place_of("name"), row.path_of("name"), what);
        }
        if issuer == Some(&*name) {
            let what = "is the issuer, which is an audience of its own (`/v1/me`); rename it";
            problems.add(row.place_of("name"), row.path_of("name"), what);
        }
        let alg = row.text("alg").and_then(Algorithm::from_name).unwrap_or(Algorithm::EdDsa);
        let typ = row.text("typ").and_then(Type::from_name).unwrap_or(Type::AccessTokenJwt);
        let secret = secret_file(row, alg, base, problems);
        let encrypt = encrypt::encrypt(row.table("encrypt"), base, problems);
        let accepts = accepts(row, alg, problems);
        let one_use = row.is_on("one_use");
        audiences.push(Audience { name, alg, typ, secret, encrypt, accepts, one_use });
    }
    audiences
}

/// What a client may choose in place of the audience's own algorithm: what has a published key.
fn accepts(row: &Members, alg: Algorithm, problems: &mut Problems) -> Vec<Algorithm> {
    let mut found = Vec::new();
    for (at, (place, name)) in row.texts("accepts").iter().enumerate() {
        let what = match Algorithm::from_name(name) {
            None => format!("{name:?} is none of \"EdDSA\", \"ES256\" or \"RS256\""),
            Some(other) if other == alg => format!("{name:?} is its `alg` already; leave it out"),
            Some(other) if found.contains(&other) => format!("{name:?} is listed twice; keep one"),
            Some(other) if other.is_symmetric() || alg.is_symmetric() => {
                "HS256 stands alone: whoever shares a secret reads no published key".to_owned()
            }
            Some(other) => {
                found.push(other);
                continue;
            }
        };
        problems.add(place, format!("{}[{at}]", row.path_of("accepts")), what);
    }
    found
}

/// An HS256 audience has a secret, and no other has.
fn secret_file(
    row: &Members,
    alg: Algorithm,
    base: &Path,
    problems: &mut Problems,
) -> Option<PathBuf> {
    let base = base_of(row, "secret_file", base);
    let file = read(row, "secret_file", problems, |text| path(text, base));
    let place = row.place_of("secret_file");
    match (alg.is_symmetric(), row.has("secret_file")) {
        (true, false) if row.sound => {
            let what = "is missing: HS256 is for an audience that holds the secret which signs";
            problems.add(place, row.path_of("secret_file"), what);
        }
        (false, true) => {
            let what = "is for `alg = \"HS256\"` alone; other audiences read the published keys";
            problems.add(place, row.path_of("secret_file"), what);
        }
        (true, _) | (false, false) => {}
    }
    file
}

pub(crate) fn name(text: &str) -> Result<Arc<str>, String> {
    symbolon_core::id::name(text).map_err(|why| format!("{text:?} {why}"))
}

fn clients(
    root: &Members,
    audiences: &[Audience],
    problems: &mut Problems,
) -> BTreeMap<ClientId, Client> {
    let mut clients = BTreeMap::new();
    for row in root.rows("clients") {
        let Some(client) = client::client(row, audiences, problems) else { continue };
        let id = client.id.clone();
        if clients.insert(id.clone(), client).is_some() {
            let what = format!("there is another client {:?}; ids are unique", id.as_str());
            problems.add(row.place_of("client_id"), row.path_of("client_id"), what);
        }
    }
    clients
}

fn log_format(root: &Members) -> LogFormat {
    match root.text("log") {
        Some("json") => LogFormat::Json,
        Some(_) | None => LogFormat::Human,
    }
}

fn log_level(root: &Members) -> LogLevel {
    match root.text("log_level") {
        Some("error") => LogLevel::Error,
        Some("warn") => LogLevel::Warn,
        Some("debug") => LogLevel::Debug,
        Some("trace") => LogLevel::Trace,
        Some(_) | None => LogLevel::Info,
    }
}
