//! What a client's settings say of its tokens: whom they are for, how they are signed, what they ask of verifiers.

use std::path::Path;
use std::time::Duration;
use symbolon::config::{Client, Config, Sources};
use symbolon_core::ClientId;
use symbolon_wire::Algorithm;

const HEAD: &str = r#"issuer = "https://id.example.com"
store = "sqlite:symbolon.db"

[[audiences]]
name = "api"
accepts = ["ES256", "RS256"]

[[audiences]]
name = "mail"
alg = "ES256"

[[audiences]]
name = "old"
alg = "HS256"
secret_file = "old.secret"

[[audiences]]
name = "pay"
one_use = true

[[clients]]
client_id = "web"
"#;

fn read(lines: &str) -> Result<Config, Vec<String>> {
    let (name, base) = ("s.toml", Path::new("/etc/symbolon"));
    let text = format!("{HEAD}{lines}\n");
    let sources = Sources { name, text: &text, base, variables: &[], flags: &[] };
    Config::read(&sources).map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

fn web(lines: &str) -> Client {
    let config = read(lines).unwrap_or_else(|said| panic!("{lines}: {said:?}"));
    config.clients[&ClientId::parse("web").unwrap()].clone()
}

#[test]
fn a_client_says_whom_its_tokens_are_for_and_how_they_are_signed() {
    let usual = web("audience = [\"api\", \"pay\"]\naccess_token = { audience = [\"api\"] }");
    assert_eq!(usual.usual_audience, [std::sync::Arc::<str>::from("api")]);
    assert_eq!(usual.alg, None);
    let chosen =
        web("audience = [\"api\"]\naccess_token = { alg = \"RS256\" }\nstaleness = \"2s\"");
    assert_eq!(chosen.alg, Some(Algorithm::Rs256));
    assert_eq!(chosen.policy.staleness, Some(Duration::from_secs(2)));
    let both = web("audience = [\"api\", \"mail\"]\naccess_token = { alg = \"ES256\" }");
    assert_eq!(both.audience.len(), 2, "two audiences of two algorithms take one that both accept");
    assert_eq!(web("audience = [\"api\"]").policy.staleness, None);
}

#[test]
fn what_does_not_go_together_is_refused_with_the_reason_and_the_way_out() {
    for (lines, said) in [
        (
            "audience = [\"mail\"]\naccess_token = { alg = \"EdDSA\" }",
            "access_token.alg: \"mail\" takes ES256 tokens; say `accepts = [\"EdDSA\"]` there once everybody \
             who verifies for it does",
        ),
        (
            "audience = [\"old\"]\naccess_token = { alg = \"EdDSA\" }",
            "access_token.alg: \"old\" takes HS256 alone; leave it out",
        ),
        (
            "audience = [\"api\"]\npreset = \"opaque-session\"\naccess_token = { alg = \"ES256\" }",
            "access_token.alg: an opaque token is not signed; leave it out",
        ),
        (
            "audience = [\"api\"]\naccess_token = { audience = [\"apy\"] }",
            "access_token.audience[0]: \"apy\" is no `audience` of this client; did you mean \"api\"?",
        ),
        (
            "audience = [\"api\"]\naccess_token = { audience = [\"pay\"] }",
            "access_token.audience[0]: \"pay\" is no `audience` of this client; list it there too",
        ),
        (
            "audience = [\"api\"]\naccess_token = { audience = [\"api\", \"api\"] }",
            "access_token.audience[1]: \"api\" is listed twice; keep one",
        ),
        (
            "audience = [\"api\"]\nstaleness = \"1500ms\"",
            "staleness: 1500ms is not whole seconds, and tokens say seconds",
        ),
        ("audience = [\"api\"]\nstaleness = \"2d\"", "staleness: 2d is above the most, 1d"),
        (
            "audience = [\"api\", \"pay\"]",
            "audience: \"pay\" takes each token once, and a token for \"api\" too would be for one use there \
             as well; name the others in `access_token.audience`, so that only who asks for \"pay\" (`resource`) \
             gets one for it",
        ),
        (
            "audience = [\"pay\"]\npreset = \"gateway-session\"",
            "audience: \"pay\" takes each token once, and a gateway uses one token for many requests; make a \
             client of preset \"dual-token\" or \"service\" with \"full\" claims for it",
        ),
        (
            "audience = [\"pay\"]\npreset = \"sliding-session\"",
            "audience: \"pay\" takes each token once, and its one token is for all requests; make a client of \
             preset \"dual-token\" or \"service\" with \"full\" claims for it",
        ),
        (
            "audience = [\"pay\"]\naccess_token = { claims = \"thin\" }",
            "audience: \"pay\" takes each token once, and what its tokens leave out would be asked for with each; \
             make a client of preset \"dual-token\" or \"service\" with \"full\" claims for it",
        ),
    ] {
        let found = read(lines).err().unwrap_or_default();
        let [found] = &*found else { panic!("{lines}: {found:?}") };
        assert_eq!(found.split_once(": clients.web.").unwrap().1, said, "{lines}");
    }
}

#[test]
fn an_audience_accepts_what_has_a_published_key_and_nothing_twice() {
    for (line, said) in [
        (
            "accepts = [\"HS256\"]",
            "HS256 stands alone: whoever shares a secret reads no published key",
        ),
        ("accepts = [\"EdDSA\"]", "\"EdDSA\" is its `alg` already; leave it out"),
        ("accepts = [\"ES256\", \"ES256\"]", "\"ES256\" is listed twice; keep one"),
        ("accepts = [\"none\"]", "\"none\" is none of \"EdDSA\", \"ES256\" or \"RS256\""),
    ] {
        let text = HEAD.replace("accepts = [\"ES256\", \"RS256\"]", line);
        let (name, base) = ("s.toml", Path::new("/etc/symbolon"));
        let text = format!("{text}audience = [\"api\"]\n");
        let sources = Sources { name, text: &text, base, variables: &[], flags: &[] };
        let problems = Config::read(&sources).err().unwrap();
        let [only] = &*problems else { panic!("{line}: {problems:?}") };
        assert!(only.to_string().ends_with(said), "{line}: {only}");
    }
}
