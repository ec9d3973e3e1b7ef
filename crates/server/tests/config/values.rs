//! What a right configuration comes to, and which source goes before which.

use std::path::Path;
use std::time::Duration;
use symbolon::config::{Client, Config, LogFormat, MasterKeySource, Preset, Sources, StoreUrl};
use symbolon_core::device::{DeviceClass, Overflow};
use symbolon_core::{ClientId, ClientPolicy, Replay};
use symbolon_wire::{Algorithm, SecretHash, Type};

fn read(text: &str, variables: &[(&str, &str)], flags: &[&str]) -> Config {
    let variables: Vec<_> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let flags: Vec<_> = flags.iter().map(|flag| (*flag).to_owned()).collect();
    let (name, base) = ("symbolon.toml", Path::new("/etc/symbolon"));
    Config::read(&Sources { name, text, base, variables: &variables, flags: &flags })
        .unwrap_or_else(|problems| panic!("{problems:#?}"))
}

fn client<'a>(config: &'a Config, id: &str) -> &'a Client {
    &config.clients[&ClientId::parse(id).unwrap()]
}

/// The file of INTERFACE.md, with a SQLite path.
const INTERFACE: &str = r#"
issuer = "https://id.example.com"
listen = "127.0.0.1:8620"
metrics_listen = "127.0.0.1:8629"
store = "sqlite:/var/lib/symbolon/symbolon.db"
master_key_file = "/etc/symbolon/master.key"

[[audiences]]
name = "demo-api"
alg = "EdDSA"
typ = "at+jwt"

[[clients]]
client_id = "web"
preset = "dual-token"
origins = ["https://app.example.com"]
audience = ["demo-api"]
scope = "orders:read"
access_token = { ttl = "5min", format = "jwt" }
refresh = { idle = "14d", absolute = "90d", grace = "10s", replay = "enforce" }
devices = { per_subject = 10, per_class = { web = 3 }, overflow = "evict_idle" }
"#;

const SHORT: &str = r#"
issuer = "https://id.example.com"
store = "sqlite:symbolon.db"
[[audiences]]
name = "demo-api"
[[clients]]
client_id = "web"
audience = ["demo-api"]
[[clients]]
client_id = "com.example.app"
audience = ["demo-api"]
"#;

#[test]
fn the_file_of_the_interface_is_read_as_it_says() {
    let config = read(INTERFACE, &[], &[]);
    assert_eq!(&*config.issuer, "https://id.example.com");
    assert_eq!(config.listen.to_string(), "127.0.0.1:8620");
    assert_eq!(config.metrics_listen.unwrap().to_string(), "127.0.0.1:8629");
    assert_eq!(config.store, StoreUrl::Sqlite("/var/lib/symbolon/symbolon.db".into()));
    assert!(matches!(&config.master_key,
        MasterKeySource::File(path) if path == Path::new("/etc/symbolon/master.key")));
    let web = client(&config, "web");
    assert_eq!(web.preset, Preset::DualToken);
    assert!(!web.is_confidential());
    assert_eq!(*web.origins, [std::sync::Arc::<str>::from("https://app.example.com")]);
    assert_eq!(*web.audience, [std::sync::Arc::<str>::from("demo-api")]);
    assert_eq!(&*web.policy.scope, "orders:read");
    assert_eq!(web.policy.devices.per_class[&DeviceClass::Web], 3);
    let audience = config.audience("demo-api").unwrap();
    assert_eq!((audience.alg, audience.typ), (Algorithm::EdDsa, Type::AccessTokenJwt));
}

#[test]
fn what_is_left_out_has_the_defaults_of_the_rules() {
    let config = read(SHORT, &[], &[]);
    assert_eq!(config.listen.to_string(), "127.0.0.1:8620");
    assert_eq!(config.metrics_listen.unwrap().to_string(), "127.0.0.1:8629");
    assert_eq!(config.log, LogFormat::Human);
    assert!(matches!(config.master_key, MasterKeySource::None));
    assert_eq!(client(&config, "web").policy, ClientPolicy::default());
    assert_eq!(config.policies().of(&ClientId::parse("web").unwrap()), ClientPolicy::default());
}

#[test]
fn a_stores_password_may_stand_in_a_file_or_in_the_environment_and_is_shown_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, "hunter2\n").unwrap();
    let url = |password: &str| format!("redis://u{password}@127.0.0.1:6379");
    let with = |store: String, more: &str, variables: &[(&str, &str)]| {
        let text = SHORT.replace("sqlite:symbolon.db", &store);
        read(&format!("{more}{text}"), variables, &[]).store
    };
    let inside = with(url(":hunter2"), "", &[]);
    let beside = format!("store_password_file = \"{}\"\n", file.display());
    assert!(with(url(""), &beside, &[]) == inside);
    assert!(with(url(""), "", &[("SYMBOLON_STORE_PASSWORD", "hunter2")]) == inside);
    assert!(with(url(""), "", &[]) != inside);
    assert!(!format!("{inside} {inside:?}").contains("hunter2"));
}

#[test]
fn the_admin_socket_lies_where_data_says_or_beside_the_file() {
    let config = read(SHORT, &[], &[]);
    assert_eq!(config.data_directory().as_deref(), Some(Path::new("/etc/symbolon")));
    let redis = SHORT.replace("sqlite:symbolon.db", "redis://127.0.0.1");
    assert_eq!(read(&redis, &[], &[]).data_directory(), None);
    let config = read(&format!("data = \"run\"\n{redis}"), &[], &[]);
    assert_eq!(config.data_directory().as_deref(), Some(Path::new("/etc/symbolon/run")));
}

#[test]
fn relative_paths_of_a_file_are_taken_from_its_directory() {
    let text = format!("master_key_file = \"master.key\"\n{SHORT}");
    let config = read(&text, &[], &[]);
    assert_eq!(config.store, StoreUrl::Sqlite("/etc/symbolon/symbolon.db".into()));
    assert!(matches!(&config.master_key,
        MasterKeySource::File(path) if path == Path::new("/etc/symbolon/master.key")));
    let config = read(&text, &[("SYMBOLON_STORE", "sqlite:here.db")], &[]);
    assert_eq!(config.store, StoreUrl::Sqlite("here.db".into()));
}

#[test]
fn set_goes_before_the_environment_and_the_environment_before_the_file() {
    let grace = |variables: &[(&str, &str)], flags: &[&str]| {
        let text = format!("{INTERFACE}\n");
        client(&read(&text, variables, flags), "web").policy.grace
    };
    let variable = ("SYMBOLON_CLIENTS__WEB__REFRESH__GRACE", "20s");
    assert_eq!(grace(&[], &[]), Duration::from_secs(10));
    assert_eq!(grace(&[variable], &[]), Duration::from_secs(20));
    assert_eq!(grace(&[variable], &["clients.web.refresh.grace=0s"]), Duration::ZERO);
    let twice = ["clients.web.refresh.grace=1s", "clients.web.refresh.grace=2s"];
    assert_eq!(grace(&[variable], &twice), Duration::from_secs(2));
}

#[test]
fn clients_are_addressed_by_their_id_however_it_is_spelled_there() {
    let variables = [("SYMBOLON_CLIENTS__COM_EXAMPLE_APP__SCOPE", "a b")];
    let config =
        read(SHORT, &variables, &["clients.\"com.example.app\".origins=https://a.example.com"]);
    let app = client(&config, "com.example.app");
    assert_eq!(&*app.policy.scope, "a b");
    assert_eq!(*app.origins, [std::sync::Arc::<str>::from("https://a.example.com")]);
    let config = read(SHORT, &[], &["clients.1.devices.overflow=refuse"]);
    assert_eq!(client(&config, "com.example.app").policy.devices.overflow, Overflow::Refuse);
}

#[test]
fn a_whole_configuration_can_stand_in_the_environment() {
    let config = read(
        "",
        &[
            ("SYMBOLON_ISSUER", "https://id.example.com"),
            ("SYMBOLON_STORE", "sqlite:/data/symbolon.db"),
            ("SYMBOLON_MASTER_KEY", "not looked at here"),
            ("SYMBOLON_METRICS_LISTEN", "off"),
            ("SYMBOLON_LOG", "json"),
            ("SYMBOLON_AUDIENCES", "[{ name = \"api\" }]"),
            ("SYMBOLON_CLIENTS", "[{ client_id = \"web\", audience = [\"api\"] }]"),
            ("SYMBOLON_CLIENTS__WEB__DEVICES__PER_CLASS__MINI_PROGRAM", "1"),
            ("SYMBOLON_CLIENTS__WEB__ORIGINS", "https://a.example.com, https://b.example.com"),
        ],
        &[],
    );
    assert_eq!(config.metrics_listen, None);
    assert_eq!(config.log, LogFormat::Json);
    assert!(matches!(&config.master_key,
        MasterKeySource::Env(key) if key.expose() == "not looked at here"));
    let web = client(&config, "web");
    assert_eq!(web.policy.devices.per_class[&DeviceClass::MiniProgram], 1);
    assert_eq!(web.origins.len(), 2);
}

#[test]
fn variables_of_kubernetes_and_of_the_command_line_are_no_settings() {
    let variables = [
        ("SYMBOLON_SERVICE_HOST", "10.0.0.1"),
        ("SYMBOLON_PORT", "tcp://10.0.0.1:8620"),
        ("SYMBOLON_PORT_8620_TCP_ADDR", "10.0.0.1"),
        ("SYMBOLON_API_KEY", "x"),
        ("SYMBOLON_URL", "x"),
        ("SYMBOLON_CONFIG", "x"),
    ];
    read(SHORT, &variables, &[]);
}

#[test]
fn a_service_has_no_window_and_knows_its_secret() {
    let hash = SecretHash::of("s3cr3t").to_text();
    let text = format!(
        "{SHORT}[[clients]]\nclient_id = \"jobs\"\npreset = \"service\"\n\
         secret_hash = \"{hash}\"\naudience = [\"demo-api\"]\naccess_token = {{ ttl = \"5s\" }}\n"
    );
    let config = read(&text, &[], &[]);
    let jobs = client(&config, "jobs");
    assert!(jobs.has_secret("s3cr3t") && !jobs.has_secret("S3cr3t") && !jobs.has_secret(""));
    assert_eq!(jobs.policy.grace, Duration::ZERO);
    assert!(!client(&config, "web").has_secret(""));
}

#[test]
fn while_a_secret_is_changed_the_old_and_the_new_one_hold() {
    let [old, new] = ["old-s3cr3t", "new-s3cr3t"].map(|secret| SecretHash::of(secret).to_text());
    let text = format!(
        "{SHORT}[[clients]]\nclient_id = \"jobs\"\npreset = \"service\"\n\
         secret_hashes = [\"{old}\", \"{new}\"]\naudience = [\"demo-api\"]\n"
    );
    let both = read(&text, &[], &[]);
    let one = read(&text, &[("SYMBOLON_CLIENTS__JOBS__SECRET_HASHES", &*new)], &[]);
    let (both, one) = (client(&both, "jobs"), client(&one, "jobs"));
    assert!(both.has_secret("old-s3cr3t") && both.has_secret("new-s3cr3t"));
    assert!(!one.has_secret("old-s3cr3t") && one.has_secret("new-s3cr3t"));
    assert!(both.is_confidential() && !both.has_secret("") && !both.has_secret(&new));
}

#[test]
fn every_rule_of_a_client_can_be_set() {
    let text = format!(
        "{SHORT}refresh = {{ idle = \"1h\", absolute = \"2h\", grace = \"0s\", replay = \"off\" }}\n\
         devices = {{ per_subject = 2, per_class = {{ app = 1, iot = 2 }}, overflow = \"evict_oldest\" }}\n\
         access_token = {{ ttl = \"1s\" }}\n"
    );
    let config = read(&text, &[], &[]);
    let policy = &client(&config, "com.example.app").policy;
    assert_eq!(policy.access_ttl, Duration::from_secs(1));
    assert_eq!(policy.idle, Duration::from_secs(3600));
    assert_eq!(policy.absolute, Duration::from_secs(7200));
    assert_eq!(policy.grace, Duration::ZERO);
    assert_eq!(policy.replay, Replay::Off);
    assert_eq!(policy.devices.per_subject, 2);
    assert_eq!(policy.devices.per_class[&DeviceClass::App], 1);
    assert_eq!(policy.devices.overflow, Overflow::EvictOldest);
}

#[test]
fn flags_change_the_lives_of_every_client_and_are_checked_like_a_file() {
    let mut config = read(SHORT, &[], &[]);
    let second = Duration::from_secs(1);
    assert!(config.override_lives(Some(second), Some(Duration::ZERO)).is_ok());
    assert!(config.clients.values().all(|client| client.policy.access_ttl == second));
    let problems = config.override_lives(None, Some(second)).err().unwrap();
    assert_eq!(
        problems[0].to_string(),
        "--grace and --access-token-ttl: clients.com.example.app.refresh.grace: a grace window of 1s \
         with access tokens of 1s could answer a token that is about to end; make ttl at least 2s, \
         or grace at most 500ms"
    );
}
