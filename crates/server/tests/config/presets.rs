//! The five presets: what each comes to where nothing else is said, and what does not go with which, and why.

use std::path::Path;
use symbolon::config::{Config, Preset, Sources, duration_text};
use symbolon_core::ClientId;

fn read(lines: &str) -> Result<Config, Vec<String>> {
    let text = format!(
        "issuer = \"https://id.example.com\"\nstore = \"sqlite:symbolon.db\"\n\n[[audiences]]\n\
         name = \"demo-api\"\n\n[[clients]]\nclient_id = \"web\"\naudience = [\"demo-api\"]\n{lines}\n"
    );
    let (name, base) = ("symbolon.toml", Path::new("/etc/symbolon"));
    let sources = Sources { name, text: &text, base, variables: &[], flags: &[] };
    Config::read(&sources).map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

/// `service` signs in with a secret; the others need nothing.
fn lines(preset: Preset) -> String {
    let hash = symbolon_wire::SecretHash::of("a secret").to_text();
    let secret = match preset {
        Preset::Service => format!("secret_hash = \"{hash}\"\n"),
        Preset::DualToken
        | Preset::GatewaySession
        | Preset::SlidingSession
        | Preset::OpaqueSession => String::new(),
    };
    format!("{secret}preset = \"{}\"\n", preset.as_str())
}

#[test]
fn each_preset_has_lives_of_its_own_where_nothing_is_said() {
    // Format, life of an access token, idle, absolute.
    let expected = [
        (Preset::DualToken, ["jwt", "5min", "14d", "90d"]),
        (Preset::GatewaySession, ["jwt", "5min", "14d", "90d"]),
        (Preset::SlidingSession, ["jwt", "1d", "2h", "1d"]),
        (Preset::OpaqueSession, ["opaque", "5min", "2h", "1d"]),
        (Preset::Service, ["jwt", "5min", "14d", "90d"]),
    ];
    assert_eq!(expected.map(|(preset, _)| preset), Preset::ALL);
    for (preset, lives) in expected {
        let config = read(&lines(preset)).unwrap();
        let client = &config.clients[&ClientId::parse("web").unwrap()];
        let policy = &client.policy;
        let [ttl, idle, absolute] =
            [policy.access_ttl, policy.idle, policy.absolute].map(duration_text);
        let told = [preset.format().as_str(), &ttl, &idle, &absolute];
        assert_eq!((client.preset, told), (preset, lives));
    }
}

#[test]
fn the_session_of_one_token_is_as_long_as_its_token() {
    let config =
        read(&format!("{}access_token = {{ ttl = \"7d\" }}", lines(Preset::SlidingSession)));
    let config = config.unwrap();
    let policy = &config.clients[&ClientId::parse("web").unwrap()].policy;
    assert_eq!(duration_text(policy.absolute), "7d");
    let config =
        read(&format!("{}access_token = {{ ttl = \"1h\" }}", lines(Preset::SlidingSession)));
    let config = config.unwrap();
    let policy = &config.clients[&ClientId::parse("web").unwrap()].policy;
    assert_eq!(duration_text(policy.idle), "1h", "it cannot idle for longer than it lasts");
}

#[test]
fn what_does_not_go_with_a_preset_is_refused_with_the_reason_and_the_way_out() {
    use Preset::{DualToken, GatewaySession, OpaqueSession, Service, SlidingSession};
    let opaque = "an opaque token lasts as long as its session, so that there is nothing to renew: use \
                  preset \"opaque-session\"";
    let about = |preset: Preset| {
        format!(
            "is about refresh tokens, and preset {:?} has none; leave it out, or use preset \
             \"dual-token\"",
            preset.as_str()
        )
    };
    let long = "8d is above the most, 7d";
    let cases: Vec<(Preset, &str, &str, String)> = vec![
        (DualToken, "access_token.format = \"opaque\"", "access_token.format", opaque.into()),
        (SlidingSession, "access_token.format = \"opaque\"", "access_token.format", opaque.into()),
        (
            OpaqueSession,
            "access_token.format = \"jwt\"",
            "access_token.format",
            "a JWT that lasts as long as its session is preset \"sliding-session\"".into(),
        ),
        (
            GatewaySession,
            "access_token.format = \"opaque\"",
            "access_token.format",
            "what the browser holds is opaque already, and upstreams verify a JWT; leave it out"
                .into(),
        ),
        (
            Service,
            "access_token.format = \"opaque\"",
            "access_token.format",
            "an opaque token stands for a session, and a service has none".into(),
        ),
        (GatewaySession, "refresh.grace = \"5s\"", "refresh.grace", about(GatewaySession)),
        (SlidingSession, "refresh.grace = \"5s\"", "refresh.grace", about(SlidingSession)),
        (OpaqueSession, "refresh.grace = \"5s\"", "refresh.grace", about(OpaqueSession)),
        (OpaqueSession, "refresh.replay = \"off\"", "refresh.replay", about(OpaqueSession)),
        (
            SlidingSession,
            "refresh.absolute = \"30d\"",
            "refresh.absolute",
            "30d is longer than the life of its one token, 1d, and no other token can follow it; make \
             them equal, or use preset \"opaque-session\""
                .into(),
        ),
        (SlidingSession, "access_token.ttl = \"8d\"", "access_token.ttl", long.into()),
        (
            OpaqueSession,
            "access_token.ttl = \"2d\"",
            "access_token.ttl",
            "2d is longer than 1d, the most for a token that can be renewed; a token that lasts as long \
             as its session is preset \"sliding-session\""
                .into(),
        ),
        (
            Service,
            "devices.per_subject = 3",
            "devices",
            "a service has no devices; leave it out, or use preset \"dual-token\"".into(),
        ),
    ];
    for (preset, line, path, why) in cases {
        let said = read(&format!("{}{line}", lines(preset))).err().unwrap_or_default();
        let [said] = &*said else { panic!("{preset:?} {line}: {said:?}") };
        let said = said.split_once(": clients.web.").unwrap().1;
        assert_eq!(said, format!("{path}: {why}"), "{preset:?} {line}");
    }
}
