//! `[gateway]`: what is refused, each with its place and what to do.

use symbolon::config::Config;

const HEAD: &str = "issuer = \"https://id.example.com\"\nstore = \"sqlite:/a.db\"\n\
                    [[audiences]]\nname = \"api\"\n[gateway]\n";

/// What is wrong with the lines below `[gateway]`, which is line 5.
fn problems(lines: &str) -> Vec<String> {
    let text = format!("{HEAD}{lines}");
    let problems = Config::from_text("s.toml", &text).err().unwrap_or_default();
    problems.iter().map(ToString::to_string).collect()
}

#[test]
fn each_mistake_in_a_rule_has_its_place() {
    for (lines, said) in [
        (
            "trusted_proxies = [\"0.0.0.0/0\"]",
            "s.toml:6:20: gateway.trusted_proxies: \"0.0.0.0/0\" is everybody",
        ),
        (
            "trusted_proxies = [\"::1\", \"10.1.1.1/8\"]",
            "s.toml:6:27: gateway.trusted_proxies: \"10.1.1.1/8\" begins inside a network; write \"10.0.0.0/8\"",
        ),
        ("login_url = \"http://login.example.com\"", "s.toml:6:13: gateway.login_url: "),
        (
            "audience = \"apj\"",
            "s.toml:6:12: gateway.audience: there is no audience \"apj\"; there are: api",
        ),
        (
            "rules = [{ name = \"a\", prefix = \"/a\", hosts = [] }]",
            "s.toml:6:39: gateway.rules.a: there is no setting `hosts`",
        ),
        ("rules = [{ name = \"a\", prefix = \"/a\", role = [] }]", "did you mean `roles`?"),
        ("rules = [{ prefix = \"/a\" }]", "gateway.rules[0].name: is missing"),
        ("rules = [{ name = \"a\" }]", "gateway.rules.a.prefix: is missing, and so is `pattern`"),
        (
            "rules = [{ name = \"a\", prefix = \"/a\", pattern = \"/{b}\" }]",
            "gateway.rules.a.pattern: `prefix` is given as well",
        ),
        (
            "rules = [{ name = \"a\", prefix = \"/a/../b\" }]",
            "gateway.rules.a.prefix: cannot be used: the path has a segment `.` or `..`",
        ),
        ("rules = [{ name = \"a\", prefix = \"/a/\" }]", "it ends in a slash"),
        ("rules = [{ name = \"a\", pattern = \"/{*x}/a\" }]", "`{*name}` stands for the rest"),
        (
            "rules = [{ name = \"a\", prefix = \"/a\", methods = [\"get\"] }]",
            "gateway.rules.a.methods: \"get\" is not a method; write it in capitals",
        ),
        (
            "rules = [{ name = \"a\", prefix = \"/a\", public = \"yes\" }]",
            "gateway.rules.a.public: a text is neither true nor false",
        ),
        (
            "rules = [{ name = \"a\", prefix = \"/a\", public = true, roles = [\"x\"] }]",
            "gateway.rules.a.roles: asks for something, and `public = true` asks for nothing",
        ),
        (
            "rules = [{ name = \"a\", prefix = \"/a\", scopes = [\"x y\"] }]",
            "gateway.rules.a.scopes: \"x y\" is not one scope",
        ),
        (
            "rules = [{ name = \"a\", prefix = \"/a\" }, { name = \"a\", prefix = \"/b\" }]",
            "gateway.rules.a.name: there is another rule \"a\"",
        ),
        (
            "rules = [{ name = \"all\", prefix = \"/\" }, { name = \"a\", prefix = \"/a\" }]",
            "gateway.rules.a: never decides: \"all\" above it takes all its requests",
        ),
    ] {
        let problems = problems(lines);
        assert!(problems.iter().any(|problem| problem.contains(said)), "{lines}: {problems:?}");
    }
}

#[test]
fn what_cannot_be_asked_of_an_authentication_has_its_place() {
    for (lines, said) in [
        (
            "rules = [{ name = \"a\", prefix = \"/a\", acr = [\"2 3\"] }]",
            "gateway.rules.a.acr: \"2 3\" is not a level",
        ),
        (
            "rules = [{ name = \"a\", prefix = \"/a\", max_age = \"5\" }]",
            "gateway.rules.a.max_age: \"5\" is not a duration",
        ),
        (
            "rules = [{ name = \"a\", prefix = \"/a\", public = true, tickets = true }]",
            "gateway.rules.a.tickets: asks for something, and `public = true` asks for nothing",
        ),
        (
            "rules = [{ name = \"a\", prefix = \"/a\", public = true, renews = true }]",
            "gateway.rules.a.renews: asks for something, and `public = true` asks for nothing",
        ),
    ] {
        let problems = problems(lines);
        assert!(problems.iter().any(|problem| problem.contains(said)), "{lines}: {problems:?}");
    }
}

#[test]
fn whom_tokens_must_be_for_is_said_or_plain() {
    let rules = "rules = [{ name = \"a\", prefix = \"/a\" }]";
    assert_eq!(problems(rules), [""; 0], "there is one audience alone");
    let two = format!("{HEAD}{rules}\n[[audiences]]\nname = \"other\"\n");
    let said = Config::from_text("s.toml", &two).err().unwrap();
    assert!(said[0].to_string().contains("gateway.rules.a.audience: is missing"), "{said:?}");
    let named = two.replace("[gateway]", "[gateway]\naudience = \"other\"");
    assert!(Config::from_text("s.toml", &named).is_ok());
    let open = two.replace("\"/a\" }", "\"/a\", public = true }");
    assert!(Config::from_text("s.toml", &open).is_ok());
}

#[test]
fn a_switch_can_be_set_from_a_flag() {
    use symbolon::config::Sources;
    use symbolon_core::gateway::Asks;
    let text = format!("{HEAD}rules = [{{ name = \"a\", prefix = \"/a\" }}]");
    for (value, open) in [("true", true), ("false", false)] {
        let flags = [format!("gateway.rules.a.public={value}")];
        let base = std::path::Path::new("");
        let sources = Sources { name: "s", text: &text, base, variables: &[], flags: &flags };
        let config = Config::read(&sources).ok().unwrap();
        assert_eq!(config.gateway.rules.0[0].asks == Asks::Nothing, open);
    }
}
