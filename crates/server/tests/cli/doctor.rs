//! `symbolon doctor`, on files of a machine that is well and of machines that are not.

use crate::common::{Ran, symbolon, symbolon_with};
use crate::live::Dev;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use symbolon_wire::SecretHash;
use tempfile::TempDir;

/// A directory as `config init` leaves it.
fn machine() -> TempDir {
    let home = tempfile::tempdir().unwrap();
    let config = "issuer = \"https://id.example.com\"\nstore = \"sqlite:s.db\"\n\
        listen = \"127.0.0.1:1\"\nmaster_key_file = \"master.key\"\n[[audiences]]\nname = \"api\"\n";
    write(home.path(), "symbolon.toml", config);
    write(
        home.path(),
        "master.key",
        "8b5f0d2e7a91c4463fd0b2a6917e53c81d64af90e273bc585902cd7f16ea3b4d",
    );
    home
}

fn write(home: &Path, name: &str, text: &str) {
    fs::write(home.join(name), text).unwrap();
    set_mode(&home.join(name), 0o600);
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn doctor(home: &Path) -> Ran {
    symbolon(home, &["doctor", "--json", "--config", "symbolon.toml"])
}

/// How one thing looks.
fn health(ran: &Ran, what: &str) -> String {
    let json = ran.json();
    let findings = json["findings"].as_array().unwrap();
    let found = findings.iter().find(|finding| finding["what"] == what);
    let found = found.unwrap_or_else(|| panic!("nothing is said of {what}: {json}"));
    found["health"].as_str().unwrap().to_owned()
}

#[test]
fn a_machine_before_its_first_start_is_well() {
    let home = machine();
    let ran = doctor(home.path()).ok();
    assert_eq!(ran.json()["ok"], true);
    for what in ["configuration", "master key", "file modes", "sync"] {
        assert_eq!(health(&ran, what), "good", "{}", ran.out);
    }
    assert_eq!(health(&ran, "store"), "warn", "it is not there yet");
    assert!(!home.path().join("s.db").exists(), "a doctor makes no store");
    let told = symbolon(home.path(), &["doctor", "--config", "symbolon.toml"]).ok().out;
    assert!(told.contains("good") && told.contains("WARN"), "{told}");
}

#[test]
fn a_running_authority_can_be_looked_at() {
    let dev = Dev::start(&[]);
    let data = dev.text("data");
    let listen = dev.text("authority").strip_prefix("http://").unwrap();
    let flags = [
        format!("issuer={}", dev.text("authority")),
        format!("store=sqlite:{data}/symbolon.db"),
        format!("master_key_file={data}/master.key"),
        format!("listen={listen}"),
    ];
    let mut arguments = vec!["doctor", "--json"];
    flags.iter().for_each(|flag| arguments.extend(["--set", flag]));
    let ran = symbolon(Path::new("."), &arguments).ok();
    for what in ["store", "clock", "signing keys", "authority"] {
        assert_eq!(health(&ran, what), "good", "{}", ran.out);
    }
    assert!(ran.out.contains("is ready"), "{}", ran.out);
}

#[test]
fn a_deep_look_finds_a_single_flipped_bit_that_nothing_else_sees() {
    let home = machine();
    let create = [
        "apikey",
        "create",
        "--config",
        "symbolon.toml",
        "--name",
        "of-a-test",
        "--scopes",
        "admin",
    ];
    symbolon(home.path(), &create).ok();
    let deep =
        || symbolon(home.path(), &["doctor", "--deep", "--json", "--config", "symbolon.toml"]);
    assert_eq!(health(&deep().ok(), "store, all of it"), "good");
    let file = home.path().join("s.db");
    let mut bytes = fs::read(&file).unwrap();
    let name = b"of-a-test";
    let at = bytes.windows(name.len()).position(|window| window == name).unwrap();
    bytes[at] ^= 1;
    fs::write(&file, bytes).unwrap();
    let ran = deep();
    assert_eq!((ran.code, &*health(&ran, "store, all of it")), (1, "bad"), "{}", ran.out);
    assert!(!ran.out.contains("of-a-test"), "what a row holds is not told: {}", ran.out);
}

#[test]
fn a_key_that_others_may_read_is_bad_and_the_command_that_heals_it_is_said() {
    let home = machine();
    set_mode(&home.path().join("master.key"), 0o644);
    let ran = doctor(home.path());
    assert_eq!((ran.code, &*health(&ran, "file modes")), (1, "bad"));
    assert!(ran.out.contains("chmod go= "), "{}", ran.out);
    set_mode(&home.path().join("symbolon.toml"), 0o666);
    assert_eq!(health(&doctor(home.path()), "configuration mode"), "bad");
}

#[test]
fn a_master_key_that_is_missing_or_weak_is_bad() {
    let home = machine();
    write(home.path(), "master.key", &"11".repeat(32));
    assert_eq!(health(&doctor(home.path()), "master key"), "bad");
    fs::remove_file(home.path().join("master.key")).unwrap();
    let ran = doctor(home.path());
    assert_eq!((ran.code, &*health(&ran, "master key")), (1, "bad"));
}

#[test]
fn a_secret_that_everybody_tries_first_is_bad_and_never_printed() {
    let home = machine();
    let file = home.path().join("symbolon.toml");
    for weak in ["changeme", "billing"] {
        let hash = SecretHash::of(weak).to_text();
        let text = fs::read_to_string(machine().path().join("symbolon.toml")).unwrap();
        let client = format!(
            "{text}[[clients]]\nclient_id = \"billing\"\npreset = \"service\"\naudience = [\"api\"]\n\
             secret_hash = \"{hash}\"\n"
        );
        fs::write(&file, client).unwrap();
        let ran = doctor(home.path());
        assert_eq!((ran.code, &*health(&ran, "client secret")), (1, "bad"));
        assert!(!ran.out.contains("changeme"), "{}", ran.out);
    }
}

#[test]
fn another_master_key_than_the_store_s_is_bad() {
    let dev = Dev::start(&[]);
    let home = machine();
    let store = format!("store=sqlite:{}/symbolon.db", dev.text("data"));
    let ran =
        symbolon(home.path(), &["doctor", "--json", "--config", "symbolon.toml", "--set", &store]);
    assert_eq!((ran.code, &*health(&ran, "signing keys")), (1, "bad"));
}

#[test]
fn plain_http_to_other_machines_is_warned_of() {
    let home = machine();
    let ran = symbolon(
        home.path(),
        &["doctor", "--json", "--config", "symbolon.toml", "--set", "listen=0.0.0.0:1"],
    );
    assert_eq!(health(&ran, "tls"), "warn");
}

#[test]
fn a_certificate_is_held_against_the_issuer_s_name() {
    let home = machine();
    for (name, expected) in [("id.example.com", "good"), ("other.example.com", "bad")] {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        write(home.path(), "chain.pem", &made.cert.pem());
        write(home.path(), "key.pem", &made.signing_key.serialize_pem());
        let tls = "tls={ certificate_file = \"chain.pem\", key_file = \"key.pem\" }";
        let ran =
            symbolon(home.path(), &["doctor", "--json", "--config", "symbolon.toml", "--set", tls]);
        assert_eq!(health(&ran, "tls name"), expected, "{}", ran.out);
    }
}

#[test]
fn the_clock_of_a_running_authority_can_be_accepted_by_an_operator_alone() {
    let dev = Dev::start(&[]);
    let said = dev.run(&["doctor", "--accept-clock"]).ok().out;
    assert!(said.contains("for the time from now on"), "{said}");
    let url = [("SYMBOLON_URL", dev.text("authority")), ("SYMBOLON_API_KEY", "sym_ak_x")];
    let refused = symbolon_with(Path::new("."), &["doctor", "--accept-clock"], &url);
    assert_ne!(refused.code, 0);
    let ready: Value = dev.run(&["sessions", "list", "--json"]).ok().json();
    assert!(ready["items"].is_array());
}

/// A machine with an audience that holds a secret, and with a signing key of its own.
fn machine_with_keys() -> TempDir {
    let home = machine();
    let more = "[[audiences]]\nname = \"legacy\"\nalg = \"HS256\"\nsecret_file = \"keys/legacy\"\n\
        [[signing_keys]]\nfile = \"keys/own.pem\"\n";
    let text = fs::read_to_string(home.path().join("symbolon.toml")).unwrap();
    write(home.path(), "symbolon.toml", &(text + more));
    fs::create_dir(home.path().join("keys")).unwrap();
    set_mode(&home.path().join("keys"), 0o700);
    write(home.path(), "keys/legacy", "z9Xr2VtQmA7kLw0ePdYfUoBiNsHgCjTq");
    let own = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    write(home.path(), "keys/own.pem", &own.serialize_pem());
    home
}

#[test]
fn keys_that_somebody_brings_are_looked_at_with_their_directory() {
    let home = machine_with_keys();
    let well = doctor(home.path()).ok();
    assert_eq!(
        (health(&well, "file modes"), health(&well, "brought keys")),
        ("good".into(), "good".into())
    );
    for (path, mode, what) in [
        ("keys/legacy", 0o640, "file modes"),
        ("keys/own.pem", 0o604, "file modes"),
        ("keys", 0o770, "directory modes"),
        (".", 0o707, "directory modes"),
    ] {
        let path = home.path().join(path);
        let before = fs::metadata(&path).unwrap().permissions();
        set_mode(&path, mode);
        let ran = doctor(home.path());
        assert_eq!((ran.code, &*health(&ran, what)), (1, "bad"), "{}: {}", path.display(), ran.out);
        fs::set_permissions(&path, before).unwrap();
    }
    write(home.path(), "keys/legacy", "your-256-bit-secret-your-256-bit-secret");
    let ran = doctor(home.path());
    assert_eq!((ran.code, &*health(&ran, "brought keys")), (1, "bad"), "{}", ran.out);
    assert!(!ran.out.contains("256-bit"), "{}", ran.out);
    fs::remove_file(home.path().join("keys/own.pem")).unwrap();
    assert!(doctor(home.path()).out.contains("there is no keys/own.pem"));
}

#[test]
fn an_ends_log_that_is_gone_empty_torn_or_damaged_is_told() {
    let home = crate::serve::home();
    drop(crate::serve::Serving::start(home.path()));
    let log = home.path().join("symbolon.db.ends");
    let mut ends = fs::read(&log).unwrap();
    let look = || {
        let ran = symbolon(home.path(), &["doctor", "--json"]);
        (health(&ran, "ends log"), ran.out)
    };
    assert_eq!(look().0, "good");
    let mut whole = ends.clone();
    whole.extend([7, 0, 0, 0, 1]);
    fs::write(&log, &whole).unwrap();
    let (health, said) = look();
    assert!(health == "warn" && said.contains("5 bytes"), "{said}");
    fs::write(&log, []).unwrap();
    let (health, said) = look();
    assert!(health == "bad" && said.contains("is empty"), "{said}");
    ends[0] ^= 1;
    fs::write(&log, &ends).unwrap();
    assert_eq!(look().0, "bad");
    fs::remove_file(&log).unwrap();
    let (health, said) = look();
    assert!(health == "bad" && said.contains("is gone"), "{said}");
    fs::create_dir(&log).unwrap();
    assert_eq!(look().0, "bad", "it cannot be read");
}

#[test]
fn a_back_end_that_does_not_answer_is_noticed_before_renewals_are() {
    let home = machine();
    let config = fs::read_to_string(home.path().join("symbolon.toml")).unwrap();
    let hook = |on_failure| {
        // Nobody listens on port 1.
        format!(
            "{config}[[clients]]\nclient_id = \"web\"\naudience = [\"api\"]\n\
             hook = {{ url = \"http://127.0.0.1:1/a-secret-path\", on_failure = \"{on_failure}\" }}\n"
        )
    };
    for (on_failure, looks) in [("last-known", "warn"), ("refuse", "bad")] {
        write(home.path(), "symbolon.toml", &hook(on_failure));
        let ran = doctor(home.path());
        assert_eq!(health(&ran, "hook"), looks, "{}", ran.out);
        assert!(!ran.out.contains("a-secret-path"), "{}", ran.out);
    }
    let dev = Dev::start(&[]);
    let answering = hook("refuse").replace("http://127.0.0.1:1", dev.text("authority"));
    write(home.path(), "symbolon.toml", &answering);
    let ran = doctor(home.path());
    assert_eq!(health(&ran, "hook"), "good", "{}", ran.out);
}
