//! The one table of settings: it drives the check of names and values, the environment, `--set`,
//! `symbolon config schema`, and the test that each setting stands in the guide.

use std::time::Duration;
use symbolon_core::client::ACCESS_TTL_MAX;
use symbolon_core::device::DeviceClass;

/// The shortest that the answer of a hook may be waited for. Inclusive.
pub(crate) const HOOK_TIMEOUT_MIN: Duration = Duration::from_millis(10);

/// The longest that the answer of a hook may be waited for. Inclusive.
pub(crate) const HOOK_TIMEOUT_MAX: Duration = Duration::from_secs(5);

/// How many clients a configuration may have. Inclusive.
pub(crate) const CLIENTS_MAX: usize = 1000;

/// How many audiences a configuration may have. Inclusive.
pub(crate) const AUDIENCES_MAX: usize = 100;

/// How many signing keys from files a configuration may have. Inclusive.
pub(crate) const KEY_FILES_MAX: usize = 16;

/// The shortest that a key of our own is published before it signs: longer than the key set is cached.
/// Inclusive.
pub(crate) const ANNOUNCE_MIN: Duration = Duration::from_secs(10 * 60);

/// The longest that a key of our own is published before it signs. Inclusive.
pub(crate) const ANNOUNCE_MAX: Duration = Duration::from_secs(30 * 24 * 3600);

/// The shortest that a key of our own signs. Inclusive.
pub(crate) const ROTATE_EVERY_MIN: Duration = Duration::from_secs(24 * 3600);

/// How many origins, or audiences, one client may list. Inclusive.
pub(crate) const LISTED_MAX: usize = 64;

/// How many rules a gateway may have. Inclusive.
pub(crate) const RULES_MAX: usize = 200;

/// How many schedules there may be. Inclusive.
pub(crate) const SCHEDULES_MAX: usize = 50;

/// The shortest and the longest of `every`. Inclusive.
pub(crate) const EVERY_MIN: Duration = Duration::from_secs(60);
/// See [`EVERY_MIN`].
pub(crate) const EVERY_MAX: Duration = Duration::from_secs(31 * 24 * 3600);

/// How many secrets of one client may hold at once. Inclusive.
pub(crate) const SECRETS_MAX: usize = 2;

/// The longest grace window. Inclusive.
pub(crate) const GRACE_MAX: Duration = Duration::from_secs(600);

/// The longest that a session may live. Inclusive.
pub(crate) const LIFE_MAX: Duration = Duration::from_secs(400 * 24 * 3600);

/// The oldest knowledge that a client may ask for. Inclusive: no verifier trusts older.
pub(crate) const STALENESS_MAX: Duration = Duration::from_secs(24 * 3600);

/// How many sessions a subject may have, of one class or in all. Inclusive.
pub const DEVICES_MAX: u64 = 1000;

/// One setting.
pub(crate) struct Setting {
    /// Its name in its table.
    pub(crate) name: &'static str,
    /// What it may be.
    pub(crate) kind: Kind,
    /// What holds when it is not given, as it would be written; empty if nothing does.
    pub(crate) default: &'static str,
    /// What it is, as a sentence.
    pub(crate) about: &'static str,
}

/// What a setting may be.
pub(crate) enum Kind {
    /// A text; what it must look like is checked where it is read.
    Text,
    /// A text that must be given.
    Required,
    /// A text that must stand neither in a file nor on a command line.
    Secret,
    /// An integer and a unit. Both ends inclusive.
    Duration(Duration, Duration),
    /// An integer. Both ends inclusive.
    Count(u64, u64),
    /// `true` or `false`.
    Switch,
    /// One of these words; the second ones are promised, and refused for now.
    Word(&'static [&'static str], &'static [&'static str]),
    /// A list of at most that many texts.
    Texts(usize),
    /// A table of settings.
    Table(&'static [Setting]),
    /// Tables under `[[name]]`, at most `max`, told apart by their member `key`.
    Rows { key: &'static str, max: usize, settings: &'static [Setting] },
}

const fn setting(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    about: &'static str,
) -> Setting {
    Setting { name, kind, default, about }
}

const fn count(class: DeviceClass) -> Setting {
    setting(class.as_str(), Kind::Count(1, DEVICES_MAX), "", "Sessions of this class at once.")
}

const SECOND: Duration = Duration::from_secs(1);

/// The words of `preset` that exist now.
pub(crate) const PRESETS: &[&str] =
    &["dual-token", "gateway-session", "sliding-session", "opaque-session", "service"];

/// Every setting there is.
pub(crate) const SETTINGS: &[Setting] = &[
    setting(
        "issuer",
        Kind::Required,
        "",
        "The authority's public URL: `iss` of every token, compared byte by byte.",
    ),
    setting("listen", Kind::Text, "127.0.0.1:8620", "Where the authority answers."),
    setting(
        "metrics_listen",
        Kind::Text,
        "127.0.0.1:8629",
        "Where `/metrics` answers; `off` for nowhere.",
    ),
    setting("store", Kind::Required, "", "Where state lives."),
    setting("store_password_file", Kind::Text, "", "The file that holds the store's password."),
    setting(
        "store_password",
        Kind::Secret,
        "",
        "The store's password itself; in the environment alone.",
    ),
    setting(
        "data",
        Kind::Text,
        "",
        "The directory of the admin socket; that of the store, where it is a file.",
    ),
    setting("master_key_file", Kind::Text, "", "The file that holds the master key."),
    setting(
        "master_key_credential",
        Kind::Text,
        "",
        "The systemd credential (LoadCredential=) that holds the master key.",
    ),
    setting("master_key", Kind::Secret, "", "The master key itself; in the environment alone."),
    setting(
        "tls",
        Kind::Table(TLS),
        "",
        "The authority's own TLS; without it plain HTTP is spoken, to a proxy that has TLS.",
    ),
    setting("keys", Kind::Table(KEYS), "", "When the authority's own signing keys turn."),
    setting(
        "signing_keys",
        Kind::Rows { key: "file", max: KEY_FILES_MAX, settings: SIGNING_KEY },
        "[]",
        "Signing keys that you bring, in place of those that the authority makes.",
    ),
    setting("log", Kind::Word(&["human", "json"], &[]), "human", "How log lines look."),
    setting(
        "log_level",
        Kind::Word(&["error", "warn", "info", "debug", "trace"], &[]),
        "info",
        "The least important lines that are still written.",
    ),
    setting(
        "audiences",
        Kind::Rows { key: "name", max: AUDIENCES_MAX, settings: AUDIENCE },
        "[]",
        "The resource servers that access tokens are for.",
    ),
    setting(
        "clients",
        Kind::Rows { key: "client_id", max: CLIENTS_MAX, settings: CLIENT },
        "[]",
        "The applications that ask for tokens.",
    ),
    setting("gateway", Kind::Table(GATEWAY), "", "What proxies are told about requests."),
    setting(
        "schedules",
        Kind::Rows { key: "name", max: SCHEDULES_MAX, settings: SCHEDULE },
        "[]",
        "Sessions that end because it is time.",
    ),
];

const SCHEDULE: &[Setting] = &[
    setting("name", Kind::Required, "", "What the history and metrics call it."),
    setting("at", Kind::Texts(LISTED_MAX), "", "Times of the day, such as `03:30`, in UTC."),
    setting("days", Kind::Texts(7), "[]", "Days of the week, such as `sun`, in UTC; none: each."),
    setting(
        "every",
        Kind::Duration(EVERY_MIN, EVERY_MAX),
        "",
        "In place of `at`: each time that so long has passed since 1970-01-01 00:00 UTC.",
    ),
    setting("clients", Kind::Texts(CLIENTS_MAX), "[]", "Through which clients; none: through any."),
    setting("device_classes", Kind::Texts(LISTED_MAX), "[]", "On which device classes; none: any."),
    setting(
        "older_than",
        Kind::Duration(SECOND, LIFE_MAX),
        "",
        "Only sessions that began so long ago, or longer.",
    ),
    setting(
        "unused_for",
        Kind::Duration(SECOND, LIFE_MAX),
        "",
        "Only sessions that nobody used for so long, or longer.",
    ),
    setting(
        "reason",
        Kind::Word(&["expired", "admin", "signed_out", "permissions_changed"], &[]),
        "expired",
        "What the people are told.",
    ),
];

const TLS: &[Setting] = &[
    setting("certificate_file", Kind::Required, "", "The certificate and those above it, in PEM."),
    setting("key_file", Kind::Required, "", "Its private key, in PEM."),
];

const KEYS: &[Setting] = &[
    setting(
        "rotate_every",
        Kind::Duration(ROTATE_EVERY_MIN, LIFE_MAX),
        "90d",
        "How long a key signs until the next one takes its place.",
    ),
    setting(
        "announce",
        Kind::Duration(ANNOUNCE_MIN, ANNOUNCE_MAX),
        "1d",
        "How long a key is published before it signs.",
    ),
];

const SIGNING_KEY: &[Setting] = &[
    setting("file", Kind::Required, "", "The private key: PKCS #8 in PEM."),
    setting(
        "use",
        Kind::Word(&["sign", "verify"], &[]),
        "sign",
        "Whether it signs, or is published alone: before its time, or after it.",
    ),
];

const AUDIENCE: &[Setting] = &[
    setting("name", Kind::Required, "", "`aud` of the tokens for it."),
    setting(
        "alg",
        Kind::Word(&["EdDSA", "ES256", "RS256", "HS256"], &[]),
        "EdDSA",
        "How tokens for it are signed.",
    ),
    setting("secret_file", Kind::Text, "", "The secret that an HS256 audience shares with us."),
    setting(
        "typ",
        Kind::Word(&["at+jwt", "JWT"], &[]),
        "at+jwt",
        "What tokens for it declare themselves to be.",
    ),
    setting(
        "accepts",
        Kind::Texts(LISTED_MAX),
        "[]",
        "Other algorithms that whoever verifies for it takes, for clients that name one.",
    ),
    setting(
        "one_use",
        Kind::Switch,
        "false",
        "Whether a token for it lets in once, at one of all that verify for it.",
    ),
    setting(
        "encrypt",
        Kind::Table(ENCRYPT),
        "",
        "How tokens for it are encrypted, so that nobody else reads them; without it they are signed alone.",
    ),
];

const ENCRYPT: &[Setting] = &[
    setting(
        "alg",
        Kind::Word(&["ECDH-ES+A256KW", "A256KW", "dir"], &[]),
        "ECDH-ES+A256KW",
        "How the audience gets at the key of a token.",
    ),
    setting("enc", Kind::Word(&["A256GCM"], &[]), "A256GCM", "How the content is encrypted."),
    setting(
        "jwk",
        Kind::Text,
        "",
        "The audience's public key, a JWK in quotes, for ECDH-ES+A256KW.",
    ),
    setting("key_file", Kind::Text, "", "The secret that it shares with us, for A256KW and dir."),
];

const CLIENT: &[Setting] = &[
    setting("client_id", Kind::Required, "", "The client's name."),
    setting("preset", Kind::Word(PRESETS, &[]), "dual-token", "How its sessions are renewed."),
    setting(
        "secret_hash",
        Kind::Text,
        "",
        "What is kept of a confidential client's secret; without it the client is public.",
    ),
    setting(
        "secret_hashes",
        Kind::Texts(SECRETS_MAX),
        "[]",
        "The same for two secrets that hold at once, while one takes the place of the other.",
    ),
    setting("origins", Kind::Texts(LISTED_MAX), "[]", "Web origins whose pages may call."),
    setting("audience", Kind::Texts(LISTED_MAX), "", "The audiences its tokens are for."),
    setting("scope", Kind::Text, "", "The scope values it may be granted."),
    setting("access_token", Kind::Table(ACCESS_TOKEN), "", "Its access tokens."),
    setting("refresh", Kind::Table(REFRESH), "", "Its refresh tokens, and how long sessions last."),
    setting(
        "devices",
        Kind::Table(DEVICES),
        "",
        "How many sessions a subject may have through it.",
    ),
    setting("binding", Kind::Table(BINDING), "", "What a token's holder must also show."),
    setting(
        "delivery",
        Kind::Word(&["body", "cookie", "headers"], &[]),
        "body",
        "How its refresh tokens travel: in bodies, in a cookie that no script can read, or in headers.",
    ),
    setting("hook", Kind::Table(HOOK), "", "Its back end, asked before a session is renewed."),
    setting(
        "staleness",
        Kind::Duration(SECOND, STALENESS_MAX),
        "",
        "How old a verifier's knowledge of revocations may be when it lets one of its tokens in.",
    ),
];

const ACCESS_TOKEN: &[Setting] = &[
    setting(
        "ttl",
        Kind::Duration(SECOND, ACCESS_TTL_MAX),
        "5min",
        "How long an access token lives; 1d for `sliding-session`.",
    ),
    setting(
        "format",
        Kind::Word(&["jwt", "opaque"], &[]),
        "jwt",
        "What an access token is; `opaque` for `opaque-session`.",
    ),
    setting(
        "claims",
        Kind::Word(&["full", "thin"], &[]),
        "full",
        "Whether an access token says roles and claims, or services ask for them once.",
    ),
    setting(
        "alg",
        Kind::Word(&["EdDSA", "ES256", "RS256"], &[]),
        "",
        "How they are signed, where each of its audiences accepts that; else as the audience says.",
    ),
    setting(
        "audience",
        Kind::Texts(LISTED_MAX),
        "",
        "Those of its audiences that they are for where nobody asks for one; else all of them.",
    ),
];

const REFRESH: &[Setting] = &[
    setting(
        "idle",
        Kind::Duration(SECOND, LIFE_MAX),
        "14d",
        "A session unused for this long ends; 2h for `sliding-session` and `opaque-session`.",
    ),
    setting(
        "absolute",
        Kind::Duration(SECOND, LIFE_MAX),
        "90d",
        "A session this old ends, however much it is used; 1d for `sliding-session` and `opaque-session`.",
    ),
    setting(
        "grace",
        Kind::Duration(Duration::ZERO, GRACE_MAX),
        "10s",
        "How long after its first use a refresh token still earns the current successor.",
    ),
    setting(
        "replay",
        Kind::Word(&["enforce", "report", "off"], &[]),
        "enforce",
        "What a used refresh token does after its window.",
    ),
];

const HOOK: &[Setting] = &[
    setting(
        "url",
        Kind::Required,
        "",
        "Where the back end is asked: https, or http on this machine.",
    ),
    setting(
        "timeout",
        Kind::Duration(HOOK_TIMEOUT_MIN, HOOK_TIMEOUT_MAX),
        "500ms",
        "How long its answer is waited for.",
    ),
    setting(
        "on_failure",
        Kind::Word(&["last-known", "refuse"], &[]),
        "last-known",
        "What is done without an answer: what was known stands, or the renewal has to wait.",
    ),
];

const BINDING: &[Setting] = &[
    setting("key", MODE, "off", "A proof of the device's key (DPoP, RFC 9449)."),
    setting("features", MODE, "off", "The features that the client had at sign-in."),
    setting("network", MODE, "off", "An address of the network of the sign-in."),
];

const MODE: Kind = Kind::Word(&["off", "report", "enforce"], &[]);

const DEVICES: &[Setting] = &[
    setting("per_subject", Kind::Count(1, DEVICES_MAX), "10", "Sessions of a subject at once."),
    setting("per_class", Kind::Table(PER_CLASS), "{}", "The same for one device class."),
    setting(
        "overflow",
        Kind::Word(&["evict_idle", "evict_oldest", "refuse"], &[]),
        "evict_idle",
        "Who leaves when a sign-in makes too many.",
    ),
];

const PER_CLASS: &[Setting] = &[
    count(DeviceClass::Web),
    count(DeviceClass::App),
    count(DeviceClass::MiniProgram),
    count(DeviceClass::Desktop),
    count(DeviceClass::Iot),
    count(DeviceClass::Service),
    count(DeviceClass::Other),
];

const GATEWAY: &[Setting] = &[
    setting(
        "trusted_proxies",
        Kind::Texts(LISTED_MAX),
        "[]",
        "Networks of the proxies that are believed when they say what they were asked, and by whom.",
    ),
    setting("audience", Kind::Text, "", "Whom tokens must be for where a rule names nobody else."),
    setting("login_url", Kind::Text, "", "Where a page without a right token is sent."),
    setting(
        "allowlist",
        Kind::Switch,
        "false",
        "Whether only tokens are let in of which the authority says that they are its own.",
    ),
    setting(
        "rules",
        Kind::Rows { key: "name", max: RULES_MAX, settings: RULE },
        "[]",
        "What is asked of whom: the first rule that fits decides, and without one nobody passes.",
    ),
];

const RULE: &[Setting] = &[
    setting(
        "name",
        Kind::Required,
        "",
        "What the rule is called, in metrics and by `gateway try`.",
    ),
    setting("prefix", Kind::Text, "", "A path; the rule is about it and everything below it."),
    setting("pattern", Kind::Text, "", "A path with parts that may be anything, such as `{id}`."),
    setting("methods", Kind::Texts(LISTED_MAX), "[]", "The methods it is about; none: every one."),
    setting("public", Kind::Switch, "false", "Whether everybody passes, with or without a token."),
    setting("audience", Kind::Text, "", "Whom the token must be for."),
    setting("scopes", Kind::Texts(LISTED_MAX), "[]", "Scopes that the token must all have."),
    setting("roles", Kind::Texts(LISTED_MAX), "[]", "Roles that the token must all have."),
    setting(
        "max_age",
        Kind::Duration(SECOND, LIFE_MAX),
        "",
        "How long ago the person may have been authenticated; whoever was before steps up.",
    ),
    setting(
        "acr",
        Kind::Texts(LISTED_MAX),
        "[]",
        "Levels of authentication, one of which the token must have.",
    ),
    setting("tickets", Kind::Switch, "false", "Whether a ticket in the query lets in, once."),
    setting(
        "renews",
        Kind::Switch,
        "false",
        "Whether a check renews; only where the proxy hands on what the check answers.",
    ),
];

/// Every setting's path, such as `clients.refresh.grace`, in the order of the table.
pub fn setting_paths() -> Vec<String> {
    let mut paths = Vec::new();
    walk(SETTINGS, "", &mut |path, _| paths.push(path));
    paths
}

/// Calls `visit` for each setting with its path, a table before what stands in it.
pub(crate) fn walk(
    settings: &'static [Setting],
    above: &str,
    visit: &mut impl FnMut(String, &'static Setting),
) {
    for setting in settings {
        let path = format!("{above}{}", setting.name);
        visit(path.clone(), setting);
        match setting.kind {
            Kind::Table(inner) | Kind::Rows { settings: inner, .. } => {
                walk(inner, &format!("{path}."), visit);
            }
            Kind::Text
            | Kind::Required
            | Kind::Secret
            | Kind::Duration(..)
            | Kind::Count(..)
            | Kind::Switch
            | Kind::Word(..)
            | Kind::Texts(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::duration::parse_duration;
    use symbolon_core::ClientPolicy;

    fn default_of(path: &str) -> Duration {
        let mut found = None;
        walk(SETTINGS, "", &mut |at, setting| {
            if at == path {
                found = parse_duration(setting.default).ok();
            }
        });
        found.unwrap()
    }

    #[test]
    fn the_table_says_the_defaults_that_the_rules_have() {
        let policy = ClientPolicy::default();
        assert_eq!(default_of("clients.access_token.ttl"), policy.access_ttl);
        assert_eq!(default_of("clients.refresh.idle"), policy.idle);
        assert_eq!(default_of("clients.refresh.absolute"), policy.absolute);
        assert_eq!(default_of("clients.refresh.grace"), policy.grace);
        assert_eq!(policy.devices.per_subject, 10);
    }

    #[test]
    fn every_device_class_can_be_limited() {
        assert_eq!(PER_CLASS.len(), DeviceClass::ALL.len());
    }

    #[test]
    fn a_duration_that_is_a_default_lies_within_its_bounds() {
        walk(SETTINGS, "", &mut |path, setting| {
            if let Kind::Duration(min, max) = setting.kind
                && !setting.default.is_empty()
            {
                let default = parse_duration(setting.default).unwrap();
                assert!(min <= default && default <= max, "{path}");
            }
        });
    }
}
