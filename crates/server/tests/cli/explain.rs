//! `symbolon explain`, against a real authority and without one.

use crate::common::{symbolon, symbolon_with};
use crate::live::Dev;
use serde_json::{Value, json};
use std::path::Path;

/// A session as its start answered it.
fn start(dev: &Dev, subject: &str) -> Value {
    let body = json!({"subject": subject, "client_id": "web", "device": {"class": "web"}});
    dev.post("/v1/sessions", &body)
}

fn text<'v>(value: &'v Value, member: &str) -> &'v str {
    value[member].as_str().unwrap()
}

#[test]
fn a_token_is_read_without_any_authority_and_is_never_repeated() {
    let dev = Dev::start(&[]);
    let session = start(&dev, "10086");
    for member in ["access_token", "refresh_token"] {
        let token = text(&session, member);
        let ran = symbolon(Path::new("."), &["explain", token]).ok();
        assert!(ran.out.contains(text(&session, "session_id")), "{}", ran.out);
        assert!(ran.out.contains("was not checked"), "{}", ran.out);
        let (_, tail) = token.split_at(token.len() - 20);
        assert!(!ran.out.contains(tail) && !ran.err.contains(tail), "{}", ran.out);
    }
}

#[test]
fn what_is_good_once_is_named_and_never_repeated() {
    let dev = Dev::start(&[]);
    let session_id = text(&start(&dev, "10086"), "session_id").to_owned();
    let ticket = dev.post("/v1/tickets", &json!({"session_id": session_id}));
    let meant = json!({"session_id": session_id, "method": "POST", "path": "/a"});
    let operation = dev.post("/v1/operations", &meant);
    for (token, what) in [
        (text(&ticket, "ticket"), "a ticket"),
        (text(&operation, "operation_token"), "an operation token"),
    ] {
        let ran = symbolon(Path::new("."), &["explain", token]).ok();
        assert!(ran.out.contains(what) && ran.out.contains("once"), "{}", ran.out);
        assert!(!ran.out.contains(&token[20..]), "{}", ran.out);
    }
}

#[test]
fn an_encrypted_token_says_for_which_key_it_is_and_is_never_repeated() {
    let vectors = include_str!("../../../../api/vectors/jwe.json");
    let vectors: Value = serde_json::from_str(vectors).unwrap();
    let token = text(&vectors["tokens"][0], "text");
    let ran = symbolon(Path::new("."), &["explain", token]).ok();
    for said in [
        "an encrypted access token",
        "ECDH-ES+A256KW",
        "A256GCM",
        "p256",
        "only the resource server",
    ] {
        assert!(ran.out.contains(said), "{}", ran.out);
    }
    assert!(!ran.out.contains(&token[200..]), "{}", ran.out);
}

#[test]
fn a_step_up_on_the_command_line_shows_no_token() {
    let dev = Dev::start(&[]);
    let session = start(&dev, "10086");
    let sid = text(&session, "session_id");
    let flags = ["sessions", "step-up", sid, "--amr", "pwd", "--amr", "otp", "--acr", "2"];
    let said = dev.run(&flags).ok().out;
    assert_eq!(said, "stepped up: pwd otp, level 2; its next renewal says so\n");
    let json = dev.run(&[&flags[..], &["--json"]].concat()).ok().json();
    assert_eq!(json, json!({"session_id": sid, "amr": ["pwd", "otp"], "acr": "2"}));
    let shown = dev.run(&["sessions", "show", sid, "--json"]).ok().json();
    assert_eq!((&shown["acr"], &shown["amr"]), (&json!("2"), &json!(["pwd", "otp"])));
    let gone = dev.run(&["sessions", "step-up", "AAAAAAAAAAAAAAAAAAAAAA", "--amr", "otp"]);
    assert_eq!(gone.code, 1, "{}", gone.err);
}

#[test]
fn a_kicked_person_s_token_says_who_kicked_them_when_and_from_where() {
    let dev = Dev::start(&[]);
    let session = start(&dev, "10086");
    let (token, sid) = (text(&session, "access_token"), text(&session, "session_id"));
    let before = dev.run(&["explain", token, "--json"]).ok().json();
    assert_eq!(before["what"], "an access token (RFC 9068) that this authority signed");
    assert!(before["so"][0].as_str().unwrap().starts_with("The session is active"), "{before}");
    assert!(
        before["so"][1].as_str().unwrap().starts_with("No event has hit the token"),
        "{before}"
    );

    dev.run(&["sessions", "kick", sid, "--note", "ticket 4711"]).ok();
    for about in [vec![token], vec!["--sid", sid], vec!["--subject", "10086"]] {
        let ran = dev.run(&[&["explain"], &about[..]].concat()).ok();
        let mut over = ran.out.lines().filter(|line| line.contains("kicked at 2"));
        let told = over.next_back().unwrap();
        for part in ["by api_key:dev", "from 127.0.0.1", "ticket 4711", "request "] {
            assert!(told.contains(part), "{part}: {}", ran.out);
        }
    }
    let told = dev.run(&["explain", token]).ok().out;
    assert_eq!(told.lines().last(), Some("Event 1 of the feed killed the token."), "{told}");
    let events = dev.run(&["explain", "--sid", sid, "--json"]).ok().json();
    let request = text(&events["events"][0], "request_id").to_owned();
    let told = dev.run(&["explain", "--request-id", &request]).ok().out;
    assert!(told.contains("It had this effect: kicked"), "{told}");
}

#[test]
fn a_changed_permission_is_told_as_renew_and_not_as_sign_in() {
    let dev = Dev::start(&[]);
    let session = start(&dev, "10086");
    dev.run(&["subjects", "roles", "10086", "admin"]).ok();
    let told = dev.run(&["explain", text(&session, "access_token")]).ok().out;
    let stale =
        "Event 1 of the feed made the token stale, so it must renew: permissions_changed at 2";
    assert!(told.contains(stale), "{told}");
    assert!(told.contains("The session is active"), "{told}");
}

#[test]
fn a_token_names_the_event_that_killed_it_though_its_session_goes_on() {
    let dev = Dev::start(&[]);
    let revoke = |target: Value| {
        let body =
            json!({"target": target, "effect": "revoked", "reason": "admin", "note": "4711"});
        dev.post("/v1/revocations", &body)
    };
    let explained = |token: &str| dev.run(&["explain", token]).ok().out;
    let session = start(&dev, "10086");
    let token = text(&session, "access_token");
    let facts = dev.run(&["explain", token, "--json"]).ok().json();
    revoke(json!({"jti": facts["facts"]["jti"]}));
    let told = explained(token);
    assert!(told.contains("Event 1 of the feed killed the token: admin at 2"), "{told}");
    assert!(told.contains("The session is active") && told.contains("4711"), "{told}");

    let other = start(&dev, "10087");
    revoke(json!({"kid": facts["facts"]["kid"]}));
    let told = explained(text(&other, "access_token"));
    assert!(told.contains("Event 2 of the feed killed the token: admin at 2"), "{told}");
}

#[test]
fn the_token_of_a_service_names_its_event_too() {
    let dev = Dev::start(&[]);
    let token = dev.service_token();
    let told = dev.run(&["explain", &token]).ok().out;
    assert!(told.contains("No event has hit the token"), "{told}");
    dev.run(&["clients", "disable", "service"]).ok();
    let told = dev.run(&["explain", &token]).ok().out;
    assert!(told.contains("It belongs to no session"), "{told}");
    let stale = "Event 1 of the feed made the token stale, so it must renew: client_disabled at 2";
    assert!(told.contains(stale), "{told}");
}

#[test]
fn a_refresh_token_says_where_its_family_is() {
    let dev = Dev::start(&[]);
    let session = start(&dev, "10086");
    let token = text(&session, "refresh_token");
    let told = dev.run(&["explain", token]).ok().out;
    assert!(told.contains("It is the newest of its family, generation 0"), "{told}");
    dev.refresh("web", token);
    let told = dev.run(&["explain", token]).ok().out;
    assert!(told.contains("the family is at generation 1"), "{told}");
}

#[test]
fn a_ban_is_told_with_its_end() {
    let dev = Dev::start(&[]);
    start(&dev, "10086");
    dev.run(&["subjects", "ban", "10086", "--for", "7d"]).ok();
    let told = dev.run(&["explain", "--subject", "10086"]).ok().out;
    assert!(told.contains("It is banned (banned) since") && told.contains("until 2"), "{told}");
    assert!(told.contains("Last signed out: banned"), "{told}");
}

#[test]
fn a_token_of_another_authority_is_told_to_be_one() {
    let (dev, other) = (Dev::start(&[]), Dev::start(&[]));
    let session = start(&other, "10086");
    let ran = dev.run(&["explain", text(&session, "access_token")]);
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(ran.err.contains("no session"), "{}", ran.err);
}

#[test]
fn a_client_s_settings_are_explained_without_an_authority() {
    let told = symbolon(Path::new("."), &["explain", "client", "web", "--json"]).ok().json();
    let settings = told["settings"].as_array().unwrap();
    let settings: Vec<_> = settings.iter().map(|line| text(line, "setting")).collect();
    assert!(settings.contains(&"refresh.grace") && settings.contains(&"access_token.ttl"));
    let service = symbolon(Path::new("."), &["explain", "client", "web", "--preset", "service"]);
    assert!(!service.ok().out.contains("refresh.grace"));
    let unknown = symbolon(Path::new("."), &["explain", "client", "wbe"]);
    assert_eq!(unknown.code, 1);
    assert!(unknown.err.contains("app, playground, service, web"), "{}", unknown.err);
}

/// What is told of client `web` under a configuration with these lines in it.
fn told_of(lines: &str) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "issuer = \"https://id.example.com\"\nstore = \"sqlite:symbolon.db\"\n[[audiences]]\n\
         name = \"api\"\n[[clients]]\nclient_id = \"web\"\naudience = [\"api\"]\n{lines}\n"
    );
    std::fs::write(folder.path().join("symbolon.toml"), text).unwrap();
    symbolon(folder.path(), &["explain", "client", "web", "--json"]).ok().json()
}

/// The first figures: milliseconds without the feed, reads and writes of 1,000 requests, bytes of each.
fn figures(told: &Value) -> [Option<u64>; 4] {
    let costs = &told["costs"];
    let (traffic, carried) = (&costs["per_1000_requests"][0], &costs["bytes"][0]);
    [
        &costs["revoked_lives"][2]["at_most_ms"],
        &traffic["reads"],
        &traffic["writes"],
        &carried["bytes"],
    ]
    .map(Value::as_u64)
}

#[test]
fn what_a_preset_costs_is_computed_from_its_settings() {
    let of = |lines: &str| figures(&told_of(lines));
    let [life, reads, writes, bytes] = of("");
    assert_eq!((life, reads, writes), (Some(300_000), Some(34), Some(34)));
    assert!((250..500).contains(&bytes.unwrap()), "{bytes:?}");
    let [life, reads, writes, _] = of("access_token = { ttl = \"20min\" }");
    assert_eq!((life, reads, writes), (Some(1_200_000), Some(9), Some(9)));
    let [life, reads, writes, longer] = of("preset = \"sliding-session\"");
    assert_eq!((life, reads, writes), (Some(86_400_000), Some(167), Some(3)));
    assert!(bytes < longer, "its audience has the issuer too");
    let short = "preset = \"sliding-session\"\nrefresh = { idle = \"20min\" }";
    assert_eq!(of(short)[2], Some(17), "half an idle time is the step");
    let [life, reads, writes, bytes] = of("preset = \"opaque-session\"");
    assert_eq!((life, reads, writes, bytes), (None, Some(67), Some(3), Some(63)));
    assert_eq!(of("preset = \"gateway-session\"")[3], Some(79));
    let wider = figures(&told_of("scope = \"orders:read orders:write bills:read\""));
    assert!(of("")[3] < wider[3]);
}

#[test]
fn every_preset_is_explained_to_its_end_and_another_is_named_for_other_wants() {
    let presets = ["dual-token", "gateway-session", "sliding-session", "opaque-session", "service"];
    for preset in presets {
        let arguments = ["explain", "client", "web", "--preset", preset];
        let said = symbolon(Path::new("."), &arguments).ok().out;
        for head in ["SETTING", "LETS A KICKED PERSON IN FOR", "STORE READS", "STOLEN", "BETTER"] {
            assert!(said.contains(head), "{preset}: {head}\n{said}");
        }
        let json = symbolon(Path::new("."), &[&arguments[..], &["--json"]].concat()).ok().json();
        assert_eq!(json["preset"], preset);
        let stolen: Vec<_> =
            json["thefts"].as_array().unwrap().iter().map(|own| text(own, "stolen")).collect();
        let expected = [
            "access token",
            "refresh token",
            "cookie",
            "copy of the database",
            "signing key",
            "master key",
        ];
        assert_eq!(stolen, expected, "{preset}");
        let instead = json["instead"].as_array().unwrap();
        assert!(instead.iter().all(|own| own["preset"] != preset) && !instead.is_empty());
    }
}

#[test]
fn a_setting_that_makes_a_theft_worth_more_is_named() {
    let weaker = |lines: &str| told_of(lines)["weaker_by"].to_string();
    assert_eq!(weaker(""), "[]");
    for (lines, named) in [
        ("access_token = { ttl = \"1h\" }", "access_token.ttl"),
        ("refresh = { replay = \"off\" }", "refresh.replay"),
        ("refresh = { grace = \"2min\" }\naccess_token = { ttl = \"5min\" }", "[]"),
        ("refresh = { idle = \"90d\" }", "refresh.idle"),
        ("refresh = { absolute = \"400d\" }", "refresh.absolute"),
        ("origins = [\"https://app.example.com\"]", "the refresh token is in the page"),
        ("devices = { overflow = \"refuse\" }", "keeps the owner out"),
        ("devices = { per_subject = 1000 }", "devices.per_subject"),
        ("preset = \"sliding-session\"", "every service follows the feed"),
    ] {
        assert!(weaker(lines).contains(named), "{lines}: {}", weaker(lines));
    }
}

#[test]
fn an_opaque_token_tells_its_session_and_is_never_repeated() {
    let dev = Dev::start(&["--preset", "opaque-session"]);
    let session = start(&dev, "10086");
    let (token, sid) = (text(&session, "access_token"), text(&session, "session_id"));
    let alone = symbolon(Path::new("."), &["explain", token]).ok().out;
    assert!(alone.contains("an opaque access token") && alone.contains(sid), "{alone}");
    let told = dev.run(&["explain", token]).ok().out;
    assert!(told.contains("The session is active"), "{told}");
    dev.run(&["sessions", "kick", sid]).ok();
    let told = dev.run(&["explain", token]).ok().out;
    assert!(told.contains("The session is over: kicked"), "{told}");
    assert!(!told.contains(&token[40..]), "{told}");
    let cut = symbolon(Path::new("."), &["explain", &token[..50]]);
    assert_eq!((cut.code, cut.err.contains(&token[..50])), (1, false));
}

#[test]
fn what_is_no_token_is_refused_and_not_repeated() {
    for text in ["nonsense-of-mine", "sym_rt_nonsense-of-mine", "sym_ak_nonsense-of-mine", "a.b.c"]
    {
        let ran = symbolon(Path::new("."), &["explain", text]);
        assert_eq!(ran.code, 1, "{text}");
        assert!(!ran.err.contains("nonsense") && ran.err.contains("no token"), "{}", ran.err);
    }
    let none = symbolon_with(Path::new("."), &["explain"], &[]);
    assert_eq!(none.code, 2);
}

#[test]
fn a_token_is_read_though_the_authority_does_not_answer() {
    let dev = Dev::start(&[]);
    let session = start(&dev, "10086");
    let nobody = [("SYMBOLON_URL", "http://127.0.0.1:1"), ("SYMBOLON_API_KEY", "sym_ak_x")];
    for member in ["access_token", "refresh_token"] {
        let ran = symbolon_with(Path::new("."), &["explain", text(&session, member)], &nobody);
        assert_eq!(ran.code, 3, "{} {}", ran.out, ran.err);
        assert!(ran.out.contains(text(&session, "session_id")), "{}", ran.out);
        assert!(ran.out.contains("The authority did not answer"), "{}", ran.out);
        assert!(ran.err.contains("no answer from http://127.0.0.1:1"), "{}", ran.err);
    }
    let json = symbolon_with(
        Path::new("."),
        &["explain", text(&session, "refresh_token"), "--json"],
        &nobody,
    );
    assert_eq!(json.json()["facts"]["session_id"], session["session_id"]);
}

#[test]
fn a_refresh_token_of_an_unknown_session_says_what_it_says_and_that_none_is_known() {
    let (dev, other) = (Dev::start(&[]), Dev::start(&[]));
    let session = start(&other, "10086");
    let ran = dev.run(&["explain", text(&session, "refresh_token")]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    for part in [text(&session, "session_id"), "generation", "knows no such session"] {
        assert!(ran.out.contains(part), "{part}: {}", ran.out);
    }
}

#[test]
fn what_a_hook_and_thin_tokens_cost_is_told_and_no_secret_of_a_url_is() {
    let home = tempfile::tempdir().unwrap();
    let config = "issuer = \"https://id.example.com\"\nstore = \"sqlite:s.db\"\n[[audiences]]\nname = \"api\"\n\
        [[clients]]\nclient_id = \"web\"\naudience = [\"api\"]\naccess_token = { claims = \"thin\" }\n\
        hook = { url = \"https://app.example.com/a-secret-path\", on_failure = \"refuse\" }\n";
    std::fs::write(home.path().join("symbolon.toml"), config).unwrap();
    let ran = symbolon(home.path(), &["explain", "client", "web", "--json"]).ok();
    let settings = ran.json()["settings"].clone();
    let line = |name: &str| {
        let found = settings.as_array().unwrap().iter().find(|line| line["setting"] == name);
        found.unwrap_or_else(|| panic!("nothing is said of {name}: {settings}")).clone()
    };
    assert_eq!(line("hook")["value"], "refuse");
    assert!(text(&line("hook"), "means").contains("up to 500ms longer"), "{settings}");
    assert_eq!(line("access_token.claims")["value"], "thin");
    assert!(!ran.out.contains("a-secret-path"), "{}", ran.out);
}
