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
    let settings: Vec<_> = told.as_array().unwrap().iter().map(|l| text(l, "setting")).collect();
    assert!(settings.contains(&"refresh.grace") && settings.contains(&"access_token.ttl"));
    let service = symbolon(Path::new("."), &["explain", "client", "web", "--preset", "service"]);
    assert!(!service.ok().out.contains("refresh.grace"));
    let unknown = symbolon(Path::new("."), &["explain", "client", "wbe"]);
    assert_eq!(unknown.code, 1);
    assert!(unknown.err.contains("app, service, web"), "{}", unknown.err);
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
