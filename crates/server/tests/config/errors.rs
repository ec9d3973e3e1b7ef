//! What is said of a wrong configuration, word by word: people read it at bad moments.

use std::path::Path;
use symbolon::config::{Config, Sources};

fn said(text: &str, variables: &[(&str, &str)], flags: &[&str]) -> Vec<String> {
    let variables: Vec<_> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let flags: Vec<_> = flags.iter().map(|flag| (*flag).to_owned()).collect();
    let (name, base) = ("symbolon.toml", Path::new("/etc/symbolon"));
    let sources = Sources { name, text, base, variables: &variables, flags: &flags };
    match Config::read(&sources) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

const GOOD: &str = r#"issuer = "https://id.example.com"
store = "sqlite:symbolon.db"

[[audiences]]
name = "demo-api"

[[clients]]
client_id = "web"
audience = ["demo-api"]
"#;

/// The good file with further lines in the client.
fn client(lines: &str) -> String {
    format!("{GOOD}{lines}\n")
}

fn one(text: &str) -> String {
    let said = said(text, &[], &[]);
    assert_eq!(said.len(), 1, "{said:#?}");
    said.into_iter().next().unwrap()
}

#[test]
fn a_good_file_is_accepted() {
    assert_eq!(said(GOOD, &[], &[]), Vec::<String>::new());
}

#[test]
fn an_unknown_name_is_refused_with_its_place_and_the_nearest_one() {
    assert_eq!(
        one(&client("refresh = { grcae = \"5s\" }")),
        "symbolon.toml:10:13: clients.web.refresh: there is no setting `grcae`; did you mean `grace`?"
    );
    assert_eq!(
        one(&GOOD.replace("issuer", "isuer")),
        "symbolon.toml:1:1: there is no setting `isuer`; did you mean `issuer`?"
    );
}

#[test]
fn a_name_in_the_wrong_table_is_sent_to_the_right_one() {
    assert_eq!(
        one(&client("grace = \"5s\"")),
        "symbolon.toml:10:1: clients.web: there is no setting `grace` here; \
         it stands at `clients.refresh.grace`"
    );
}

#[test]
fn a_name_like_no_other_is_answered_with_those_there_are() {
    assert_eq!(
        one(&client("access_token = { lifetime_seconds = 5 }")),
        "symbolon.toml:10:18: clients.web.access_token: there is no setting `lifetime_seconds`; \
         there are `ttl`, `format`, `claims`, `alg`, `audience`"
    );
}

#[test]
fn every_mistake_is_reported_in_the_order_of_the_file() {
    let text = r#"issuer = "http://id.example.com/"
listen = "localhost:8620"
store = "redis+cluster://u:hunter2@h/3"
log = "jsno"
[[audiences]]
name = "demo-api"
alg = "eddsa"
[[clients]]
client_id = "web"
audience = ["demo-ap"]
origins = ["https://*.example.com", 5]
refresh = { idle = "14 d", replay = 1 }
devices = { per_subject = 0 }
"#;
    assert_eq!(
        said(text, &[], &[]),
        [
            "symbolon.toml:1:10: issuer: \"http://id.example.com/\" is http, and only loopback may go \
             without TLS; write https",
            "symbolon.toml:2:10: listen: \"localhost:8620\" is not an IP address and a port, such as \
             \"127.0.0.1:8620\" or \"[::]:8620\"",
            "symbolon.toml:3:9: store: a Redis Cluster has database 0 alone: leave the number out",
            "symbolon.toml:4:7: log: \"jsno\" is none of \"human\" or \"json\"; did you mean \"json\"?",
            "symbolon.toml:7:7: audiences.demo-api.alg: \"eddsa\" is none of \"EdDSA\", \"ES256\", \
             \"RS256\" or \"HS256\"; did you mean \"EdDSA\"?",
            "symbolon.toml:10:13: clients.web.audience[0]: there is no audience \"demo-ap\"; \
             did you mean \"demo-api\"?",
            "symbolon.toml:11:37: clients.web.origins[1]: an integer is not a text",
            "symbolon.toml:12:20: clients.web.refresh.idle: \"14 d\" is not a duration; \
             write an integer and ms, s, min, h or d, such as \"10s\" or \"5min\"",
            "symbolon.toml:12:37: clients.web.refresh.replay: an integer is none of \"enforce\", \
             \"report\" or \"off\"",
            "symbolon.toml:13:27: clients.web.devices.per_subject: 0 is below the least, 1",
        ]
    );
}

#[test]
fn what_is_no_toml_is_refused_with_its_place() {
    let said = said("issuer = \n", &[], &[]);
    assert!(said[0].starts_with("symbolon.toml:1:"), "{said:?}");
    assert!(said[0].contains("not TOML"), "{said:?}");
}

#[test]
fn a_name_given_twice_is_refused_and_the_rest_is_checked_all_the_same() {
    let text = format!("log = \"x\"\nlog = \"json\"\n{GOOD}");
    assert_eq!(
        said(&text, &[], &[]),
        [
            "symbolon.toml:1:7: log: \"x\" is none of \"human\" or \"json\"",
            "symbolon.toml:2:1: `log` is given twice; keep one",
        ]
    );
}

#[test]
fn what_is_missing_is_named() {
    assert_eq!(
        said("", &[], &[]),
        [
            "symbolon.toml: issuer: is missing. The authority's public URL: `iss` of every token, \
             compared byte by byte.",
            "symbolon.toml: store: is missing. Where state lives.",
        ]
    );
    let said = one(&GOOD.replace("audience = [\"demo-api\"]\n", ""));
    assert_eq!(
        said,
        "symbolon.toml:7:1: clients.web.audience: is missing: \
         name at least one of [[audiences]] that its tokens are for"
    );
}

#[test]
fn a_window_that_outlives_half_the_token_is_refused_with_both_ways_out() {
    assert_eq!(
        one(&client("access_token = { ttl = \"10s\" }\nrefresh = { grace = \"6s\" }")),
        "symbolon.toml:11:21: clients.web.refresh.grace: a grace window of 6s with access tokens of \
         10s could answer a token that is about to end; make ttl at least 12s, or grace at most 5s"
    );
    assert_eq!(
        one(&client("access_token = { ttl = \"15s\" }")),
        "symbolon.toml:10:24: clients.web.access_token.ttl: a grace window of 10s with access tokens \
         of 15s could answer a token that is about to end; make ttl at least 20s, or grace at most 7500ms"
    );
    assert_eq!(said(&client("access_token = { ttl = \"20s\" }"), &[], &[]), Vec::<String>::new());
}

#[test]
fn lives_that_contradict_each_other_are_refused() {
    assert_eq!(
        one(&client("refresh = { idle = \"4min\" }")),
        "symbolon.toml:10:20: clients.web.refresh.idle: 4min is shorter than an access token's life, \
         5min; a session must outlive its access tokens"
    );
    assert_eq!(
        one(&client("access_token = { ttl = \"90500ms\" }")),
        "symbolon.toml:10:24: clients.web.access_token.ttl: 90500ms is not whole seconds, \
         and `exp` counts seconds"
    );
    assert_eq!(
        one(&client("access_token = { ttl = \"25h\" }")),
        "symbolon.toml:10:24: clients.web.access_token.ttl: 25h is longer than 1d, the most for a token \
         that can be renewed; a token that lasts as long as its session is preset \"sliding-session\""
    );
}

#[test]
fn a_binding_that_its_preset_cannot_hold_is_refused() {
    for (preset, part, why) in [
        ("opaque-session", "key", "stands in a token, and an opaque one says nothing"),
        ("gateway-session", "key", "cannot be proved by a browser beside its cookie"),
    ] {
        let lines = format!("preset = \"{preset}\"\nbinding = {{ {part} = \"report\" }}");
        let said = one(&client(&lines));
        assert!(said.contains(&format!("clients.web.binding.{part}: {why}")), "{said}");
        let off = client(&format!("preset = \"{preset}\"\nbinding = {{ {part} = \"off\" }}"));
        assert_eq!(self::said(&off, &[], &[]), Vec::<String>::new());
    }
    for preset in ["dual-token", "sliding-session", "opaque-session", "gateway-session"] {
        let held = "binding = { features = \"enforce\", network = \"report\" }";
        let held = client(&format!("preset = \"{preset}\"\n{held}"));
        assert_eq!(self::said(&held, &[], &[]), Vec::<String>::new(), "{preset}");
    }
    let said = one(&client("binding = { key = \"always\" }"));
    assert!(said.contains("clients.web.binding.key"), "{said}");
}

#[test]
fn a_secret_is_never_repeated() {
    let secret = "hunter2hunter2";
    let in_file = one(&client(&format!("secret_hash = \"{secret}\"")));
    assert_eq!(
        in_file,
        "symbolon.toml:10:15: clients.web.secret_hash: must be sha256: and 43 characters of \
         base64url, never the secret itself; `symbolon config secret` draws a secret and prints both"
    );
    let key = format!("master_key = \"{secret}\"\n{GOOD}");
    assert_eq!(
        one(&key),
        "symbolon.toml:1:14: master_key: is a secret: it may stand in the environment alone; \
         use `master_key_file` here"
    );
    let flag = said(GOOD, &[], &[&format!("master_key={secret}")]);
    assert_eq!(
        flag,
        ["--set master_key: master_key: is a secret: it may stand in the environment alone; \
          use `master_key_file` here"]
    );
}

#[test]
fn two_secrets_are_the_most_and_stand_in_one_place() {
    let hash = |secret: &str| format!("{:?}", symbolon_wire::SecretHash::of(secret).to_text());
    let (one_hash, other) = (hash("a"), hash("b"));
    for (lines, wrong) in [
        (
            format!("secret_hash = {one_hash}\nsecret_hashes = [{other}]"),
            "11:17: clients.web.secret_hashes: `secret_hash` is given as well; put both hashes into \
             this list, and leave it out",
        ),
        (
            format!("secret_hashes = [{one_hash}, {one_hash}]"),
            "10:72: clients.web.secret_hashes[1]: is the same as the one before; keep one",
        ),
        (
            format!("secret_hashes = [{one_hash}, \"hunter2hunter2\"]"),
            "10:72: clients.web.secret_hashes[1]: must be sha256: and 43 characters of base64url, \
             never the secret itself; `symbolon config secret` draws a secret and prints both",
        ),
        (
            format!("secret_hashes = [{one_hash}, {other}, {}]", hash("c")),
            "10:17: clients.web.secret_hashes: has 3 texts; 2 is the most",
        ),
    ] {
        assert_eq!(one(&client(&lines)), format!("symbolon.toml:{wrong}"));
    }
}

#[test]
fn a_service_has_a_secret_and_nothing_of_a_browser() {
    assert_eq!(
        said(&client("preset = \"service\"\nrefresh = {}\norigins = []"), &[], &[]),
        [
            "symbolon.toml:7:1: clients.web.secret_hash: is missing: a service signs in with a \
             secret; `symbolon config init --service NAME` draws one",
            "symbolon.toml:11:11: clients.web.refresh: a service has no refresh tokens; leave it \
             out, or use preset \"dual-token\"",
            "symbolon.toml:12:11: clients.web.origins: a service runs in no browser; leave it out, \
             or use preset \"dual-token\"",
        ]
    );
}

#[test]
fn names_are_unique() {
    let text = format!("{GOOD}[[clients]]\nclient_id = \"web\"\naudience = [\"demo-api\"]\n");
    assert_eq!(
        one(&text),
        "symbolon.toml:11:13: clients.web.client_id: there is another client \"web\"; ids are unique"
    );
    let text = format!("{GOOD}[[audiences]]\nname = \"demo-api\"\n");
    assert_eq!(
        one(&text),
        "symbolon.toml:11:8: audiences.demo-api.name: there is another audience \"demo-api\"; \
         names are unique"
    );
    let text = GOOD.replace("name = \"demo-api\"", "name = \"https://id.example.com\"");
    let text = text.replace("[\"demo-api\"]", "[\"https://id.example.com\"]");
    assert_eq!(
        one(&text),
        "symbolon.toml:5:8: audiences.\"https://id.example.com\".name: is the issuer, which is an \
         audience of its own (`/v1/me`); rename it"
    );
}

#[test]
fn a_client_whose_audiences_read_different_tokens_is_refused() {
    let text = GOOD.replace("[\"demo-api\"]", "[\"demo-api\", \"spring\"]");
    let text = format!("{text}[[audiences]]\nname = \"spring\"\nalg = \"RS256\"\ntyp = \"JWT\"\n");
    assert_eq!(
        one(&text),
        "symbolon.toml:9:25: clients.web.audience[1]: \"spring\" wants RS256 and JWT, but \
         \"demo-api\" wants EdDSA and at+jwt, and one token cannot be both; give them the same alg \
         and typ, or two clients"
    );
}

#[test]
fn a_wrong_variable_or_flag_is_named_as_it_was_given() {
    assert_eq!(
        said(
            GOOD,
            &[("SYMBOLON_LISTN", "x"), ("SYMBOLON_CLIENTS__WEB__REFRESH__GRACE", "10")],
            &["clients.wbe.scope=x", "listen", "clients.web.devices.per_subject=many"],
        ),
        [
            "SYMBOLON_CLIENTS__WEB__REFRESH__GRACE: clients.web.refresh.grace: \"10\" is not a \
             duration; write an integer and ms, s, min, h or d, such as \"10s\" or \"5min\"",
            "SYMBOLON_LISTN: there is no setting `listn`; did you mean `listen`?",
            "--set clients.wbe.scope: no clients have client_id \"wbe\"; did you mean \"web\"?",
            "--set clients.web.devices.per_subject: clients.web.devices.per_subject: \
             a text is not a number from 1 to 1000",
            "--set listen: write --set path=value, such as --set listen=127.0.0.1:8620",
        ]
    );
}

#[test]
fn no_text_however_broken_makes_the_reader_panic() {
    let good = client("refresh = { idle = \"14d\" }\ndevices = { per_class = { web = 3 } }");
    for at in 0..good.len() {
        said(&good[..at], &[], &[]);
        for other in ["\"", "[", "]", "{", "}", "=", ".", "\n", "\0", "é", "9"] {
            said(&format!("{}{other}{}", &good[..at], &good[at + 1..]), &[], &[]);
        }
    }
    for flag in ["=", "..=1", "\"=1", "a\nb=1", "clients=[", "clients..x=1", "clients.web=1", "#=1"]
    {
        assert!(!said(&good, &[], &[flag]).is_empty(), "{flag}");
    }
}

/// The good file with further lines in its audience.
fn audience(lines: &str) -> String {
    GOOD.replace("name = \"demo-api\"\n", &format!("name = \"demo-api\"\n{lines}\n"))
}

#[test]
fn an_hs256_audience_has_a_secret_and_no_other_has() {
    assert_eq!(
        one(&audience("alg = \"HS256\"")),
        "symbolon.toml:4:1: audiences.demo-api.secret_file: is missing: HS256 is for an audience \
         that holds the secret which signs"
    );
    assert_eq!(
        one(&audience("secret_file = \"s\"")),
        "symbolon.toml:6:15: audiences.demo-api.secret_file: is for `alg = \"HS256\"` alone; other \
         audiences read the published keys"
    );
    assert_eq!(
        said(&audience("alg = \"HS256\"\nsecret_file = \"s\""), &[], &[]),
        Vec::<String>::new()
    );
}

#[test]
fn an_hs256_audience_stands_beside_no_other() {
    let secret = "alg = \"HS256\"\nsecret_file = \"s\"\n[[audiences]]\nname = \"other\"";
    let text = audience(secret).replace("[\"demo-api\"]", "[\"demo-api\", \"other\"]");
    let said = one(&text);
    assert!(
        said.contains("\"other\" cannot stand beside \"demo-api\": an HS256 audience"),
        "{said}"
    );
    let text = audience(secret).replace("[\"demo-api\"]", "[\"other\", \"demo-api\"]");
    let said = one(&text);
    assert!(
        said.contains("\"demo-api\" cannot stand beside \"other\": an HS256 audience"),
        "{said}"
    );
}

#[test]
fn an_audience_whose_tokens_are_encrypted_has_one_right_key() {
    const POINT: &str = r#""kty":"EC","crv":"P-256","x":"weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ","y":"e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck""#;
    for (lines, expected) in [
        (
            "encrypt = {}".to_owned(),
            "symbolon.toml:6:11: audiences.demo-api.encrypt.jwk: is missing: this algorithm needs the audience's \
             public key alone; `symbolon config encryption-key` draws one",
        ),
        (
            "encrypt = { alg = \"dir\" }".to_owned(),
            "symbolon.toml:6:11: audiences.demo-api.encrypt.key_file: is missing: this algorithm has a secret that \
             both sides know; `symbolon config encryption-key` draws one",
        ),
        (
            format!("encrypt = {{ jwk = '{{{POINT},\"d\":\"hunter2\"}}' }}"),
            "symbolon.toml:6:19: audiences.demo-api.encrypt.jwk: is no public key to encrypt for: d: makes this a \
             private key: give the public half alone, and make a new pair",
        ),
        (
            format!("encrypt = {{ jwk = '{{{POINT}}}', key_file = \"k\" }}"),
            "symbolon.toml:6:160: audiences.demo-api.encrypt.key_file: is not for \"ECDH-ES+A256KW\": this algorithm \
             needs the audience's public key alone; leave it out",
        ),
        (
            "encrypt = { alg = \"RSA1_5\" }".to_owned(),
            "symbolon.toml:6:19: audiences.demo-api.encrypt.alg: \"RSA1_5\" is none of \"ECDH-ES+A256KW\", \"A256KW\" \
             or \"dir\"",
        ),
    ] {
        assert_eq!(one(&audience(&lines)), expected);
    }
    let sealed = format!("encrypt = {{ jwk = '{{{POINT}}}' }}");
    assert_eq!(said(&audience(&sealed), &[], &[]), Vec::<String>::new());
    let beside = audience(&format!("{sealed}\n[[audiences]]\nname = \"other\""));
    let said = one(&beside.replace("[\"demo-api\"]", "[\"demo-api\", \"other\"]"));
    assert!(
        said.contains("\"other\" cannot stand beside \"demo-api\": an encrypted token"),
        "{said}"
    );
}

#[test]
fn a_key_is_announced_for_less_time_than_another_signs() {
    let keys = format!("keys = {{ rotate_every = \"1d\", announce = \"1d\" }}\n{GOOD}");
    let said = one(&keys);
    assert!(said.contains("keys.announce: must be shorter than `rotate_every`"), "{said}");
    let keys = format!("keys = {{ rotate_every = \"30d\" }}\n{GOOD}");
    assert_eq!(self::said(&keys, &[], &[]), Vec::<String>::new());
}

#[test]
fn a_refresh_token_travels_in_a_cookie_only_where_that_can_work() {
    const PAGE: &str = "origins = [\"https://app.example.com\"]";
    for (lines, wrong) in [
        (
            "delivery = \"cookie\"".to_owned(),
            "clients.web.delivery: \"cookie\" needs `origins`: the cookie is read where a page of one of them asks, \
             and nowhere else",
        ),
        (
            format!("delivery = \"cookie\"\n{PAGE}\nrefresh = {{ grace = \"59s\" }}"),
            "clients.web.refresh.grace: a grace window of 59s is too short for a refresh token in a cookie: an \
             answer that comes late puts an older token back into the browser; make it at least 1min",
        ),
        (
            "delivery = \"headers\"\nrefresh = { grace = \"59s\" }".to_owned(),
            "clients.web.refresh.grace: a grace window of 59s is too short for a refresh token in headers: an \
             answer that comes late brings an older token back; make it at least 1min",
        ),
        (
            format!("delivery = \"cookie\"\n{PAGE}\naccess_token = {{ ttl = \"1min\" }}"),
            "clients.web.access_token.ttl: a grace window of 1min with access tokens of 1min could answer a token \
             that is about to end; make ttl at least 2min, or grace at most 30s",
        ),
        (
            format!("preset = \"gateway-session\"\ndelivery = \"cookie\"\n{PAGE}"),
            "clients.web.delivery: is about refresh tokens, and preset \"gateway-session\" has none: its sessions \
             live in a cookie anyway; leave it out",
        ),
        (
            "preset = \"opaque-session\"\ndelivery = \"body\"".to_owned(),
            "clients.web.delivery: is about refresh tokens, and this preset has none; leave it out, or use preset \
             \"dual-token\"",
        ),
    ] {
        let said = one(&client(&lines));
        assert!(said.ends_with(wrong), "{said}");
    }
    for good in [&*format!("delivery = \"cookie\"\n{PAGE}"), "delivery = \"headers\""] {
        assert_eq!(said(&client(good), &[], &[]), Vec::<String>::new());
    }
}

#[test]
fn a_back_end_is_asked_only_over_tls_and_where_something_is_renewed() {
    const URL: &str = "url = \"https://app.example.com/renewals\"";
    for (lines, wrong) in [
        (
            "hook = { url = \"http://app.example.com/renewals\" }".to_owned(),
            "clients.web.hook.url: \"http://app.example.com/renewals\" is http, and only loopback may go without TLS; \
             write https",
        ),
        (
            "hook = { url = \"https://app.example.com/#a\" }".to_owned(),
            "clients.web.hook.url: \"https://app.example.com/#a\" has a fragment, which is never sent; leave it out",
        ),
        (
            format!("hook = {{ {URL}, timeout = \"6s\" }}"),
            "clients.web.hook.timeout: 6s is above the most, 5s",
        ),
        (
            format!("preset = \"sliding-session\"\nhook = {{ {URL} }}"),
            "clients.web.hook: is asked where a refresh token is used, and preset \"sliding-session\" has none: \
             nothing of it is renewed; leave it out, or use preset \"dual-token\"",
        ),
        (
            format!("preset = \"gateway-session\"\nhook = {{ {URL} }}"),
            "clients.web.hook: is asked where a refresh token is used, and preset \"gateway-session\" has none: \
             its cookie never changes, and what changes is in force at the next request; leave it out, or use preset \
             \"dual-token\"",
        ),
    ] {
        let said = one(&client(&lines));
        assert!(said.ends_with(wrong), "{said}");
    }
    assert!(
        one(&client("hook = { timeout = \"1s\" }")).contains("clients.web.hook.url: is missing")
    );
    let good = "hook = { url = \"http://127.0.0.1:9000/renewals?key=1\", on_failure = \"refuse\" }";
    assert_eq!(said(&client(good), &[], &[]), Vec::<String>::new());
}

#[test]
fn tokens_are_thin_only_where_they_are_renewed() {
    for (preset, why) in [
        ("sliding-session", "preset \"sliding-session\" renews nothing"),
        ("opaque-session", "says nothing anyway"),
    ] {
        let lines = format!("preset = \"{preset}\"\naccess_token = {{ claims = \"thin\" }}");
        let said = one(&client(&lines));
        assert!(said.contains("clients.web.access_token.claims: ") && said.contains(why), "{said}");
    }
    for preset in ["dual-token", "gateway-session"] {
        let lines = format!("preset = \"{preset}\"\naccess_token = {{ claims = \"thin\" }}");
        assert_eq!(said(&client(&lines), &[], &[]), Vec::<String>::new());
    }
}
