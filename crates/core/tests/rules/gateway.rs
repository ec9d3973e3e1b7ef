//! The rules of a gateway: one path means one thing, the first rule that fits decides, none is a refusal.

use proptest::prelude::*;
use std::sync::Arc;
use symbolon_core::gateway::{Asks, Meeting, Needs, Paths, Rule, Rules, Unruled, Unusable};
use symbolon_core::target::{Ambiguous, TARGET_BYTES_MAX, Target, is_method};
use symbolon_core::{Duration, Timestamp};

fn target(text: &str) -> Target {
    Target::parse(text).unwrap_or_else(|why| panic!("{text}: {why}"))
}

fn rule(name: &str, paths: &str, methods: &[&str]) -> Rule {
    let read = if paths.contains('{') { Paths::pattern } else { Paths::prefix };
    let methods = methods.iter().map(|&method| method.into()).collect();
    Rule { name: name.into(), paths: read(paths).unwrap(), methods, asks: Asks::Nothing }
}

fn rules(all: &[(&str, &str, &[&str])]) -> Rules {
    Rules(all.iter().map(|(name, paths, methods)| rule(name, paths, methods)).collect())
}

fn decided<'r>(rules: &'r Rules, method: &str, path: &str) -> Option<&'r str> {
    rules.decide(method, &target(path)).ok().map(|rule| &*rule.name)
}

#[test]
fn a_path_that_could_mean_two_things_means_none() {
    use Ambiguous::{
        Byte, DotSegment, EmptySegment, Escape, Fragment, HiddenDelimiter, LooseEnd,
        NeedlessEscape, NotAPath, NotText, Parameters,
    };
    for (text, why) in [
        ("", NotAPath),
        ("*", NotAPath),
        ("admin", NotAPath),
        ("http://a.example/admin", NotAPath),
        ("a.example:443", NotAPath),
        ("?/admin", NotAPath),
        ("//admin", EmptySegment),
        ("/a//b", EmptySegment),
        ("/a///", EmptySegment),
        ("//", EmptySegment),
        ("/.", DotSegment),
        ("/./admin", DotSegment),
        ("/public/../admin", DotSegment),
        ("/public/..", DotSegment),
        ("/public/../", DotSegment),
        ("/public/..;/admin", Parameters),
        ("/admin;v=1", Parameters),
        ("/admin#", Fragment),
        ("/public?a#/admin", Fragment),
        ("/public\\..\\admin", Ambiguous::Backslash),
        ("/%2e%2e/admin", NeedlessEscape),
        ("/%2E/admin", NeedlessEscape),
        ("/%61dmin", NeedlessEscape),
        ("/public%2f..%2fadmin", HiddenDelimiter),
        ("/public%2Fadmin", HiddenDelimiter),
        ("/public%5cadmin", HiddenDelimiter),
        ("/public%3b/admin", HiddenDelimiter),
        ("/public%3f/admin", HiddenDelimiter),
        ("/public%23/admin", HiddenDelimiter),
        ("/%252e%252e/admin", HiddenDelimiter),
        ("/admin%00", HiddenDelimiter),
        ("/admin%0a", HiddenDelimiter),
        ("/admin%7f", HiddenDelimiter),
        ("/admin%", Escape),
        ("/admin%4", Escape),
        ("/admin%zz", Escape),
        ("/%u0061dmin", Escape),
        ("/admin%c0%af", NotText),
        ("/admin%ff", NotText),
        ("/admin%ed%a0%80", NotText),
        ("/admin.", LooseEnd),
        ("/admin%20", LooseEnd),
        ("/admin./x", LooseEnd),
        ("/.../x", LooseEnd),
        ("/admin x", Byte),
        ("/admin\tx", Byte),
        ("/admin\0", Byte),
        ("/ädmin", Byte),
    ] {
        assert_eq!(Target::parse(text).err(), Some(why), "{text}");
    }
    let long = format!("/{}", "a".repeat(TARGET_BYTES_MAX - 1));
    assert!(Target::parse(&long).is_ok());
    assert_eq!(Target::parse(&format!("{long}a")).err(), Some(Ambiguous::TooLong));
}

#[test]
fn a_path_that_means_one_thing_is_compared_decoded_and_without_its_last_slash() {
    for (text, path) in [
        ("/", "/"),
        ("/?next=/admin/../x;y%2f", "/"),
        ("/orders", "/orders"),
        ("/orders/", "/orders"),
        ("/orders/?a=b", "/orders"),
        ("/%E8%AE%A2%E5%8D%95", "/订单"),
        ("/%e8%ae%a2%e5%8d%95/7", "/订单/7"),
        ("/a%20b", "/a b"),
        ("/.well-known/x", "/.well-known/x"),
        ("/a..b/c:d@e,f=g&h", "/a..b/c:d@e,f=g&h"),
    ] {
        assert_eq!(target(text).path(), path, "{text}");
    }
}

#[test]
fn the_first_rule_that_fits_decides_and_no_rule_is_no() {
    let rules = rules(&[
        ("health", "/health", &["GET", "HEAD"]),
        ("read", "/orders", &["GET"]),
        ("item", "/orders/{id}/items", &[]),
        ("write", "/orders", &[]),
        ("files", "/files/{*rest}", &["GET"]),
    ]);
    for (method, path, expected) in [
        ("GET", "/health", Some("health")),
        ("HEAD", "/health/", Some("health")),
        ("POST", "/health", None),
        ("get", "/health", None),
        ("GET", "/healthy", None),
        ("GET", "/orders/7", Some("read")),
        ("POST", "/orders/7", Some("write")),
        ("POST", "/orders/7/items", Some("item")),
        ("POST", "/orders/7/items/", Some("item")),
        ("POST", "/orders/7/items/8", Some("write")),
        ("POST", "/orders/items", Some("write")),
        ("GET", "/ordersx", None),
        ("GET", "/files/a/b/c", Some("files")),
        ("GET", "/files", None),
        ("GET", "/files/", None),
        ("GET", "/", None),
    ] {
        assert_eq!(decided(&rules, method, path), expected, "{method} {path}");
    }
    assert_eq!(Rules::default().decide("GET", &target("/")), Err(Unruled::NoRule));
}

#[test]
fn a_path_that_is_a_rules_but_for_capital_letters_is_refused() {
    let rules = rules(&[("admin", "/admin", &["GET"]), ("all", "/", &[])]);
    assert_eq!(decided(&rules, "GET", "/admin/x"), Some("admin"));
    for path in ["/Admin", "/ADMIN/x", "/aDmin/"] {
        let unruled = rules.decide("GET", &target(path)).err();
        assert_eq!(unruled, Some(Unruled::OtherCase(&rules.0[0])), "{path}");
    }
    assert_eq!(decided(&rules, "POST", "/ADMIN"), Some("all"), "as the rule says nothing of POST");
    let greek = Rules(vec![rule("σ", "/%CF%83", &[]), rule("all", "/", &[])]);
    assert!(greek.decide("GET", &target("/%CE%A3")).is_err(), "Σ is σ to some");
}

#[test]
fn each_rule_can_say_how_a_request_meets_it() {
    let admin = rule("admin", "/admin", &["GET"]);
    for (method, path, meeting) in [
        ("GET", "/admin", Meeting::Fits),
        ("POST", "/admin", Meeting::OtherMethod),
        ("GET", "/Admin", Meeting::OtherCase),
        ("POST", "/Admin", Meeting::OtherMethod),
        ("GET", "/adm", Meeting::OtherPath),
    ] {
        assert_eq!(admin.meets(method, &target(path)), meeting, "{method} {path}");
    }
}

#[test]
fn a_rule_that_could_never_decide_is_found() {
    let hidden = |all: &[(&str, &str, &[&str])]| {
        let rules = rules(all);
        rules.hidden().map(|(at, by)| (at, by.name.to_string())).collect::<Vec<_>>()
    };
    let all = ("all", "/", &[][..]);
    assert_eq!(hidden(&[all, ("a", "/a", &["GET"])]), [(1, "all".to_owned())]);
    assert_eq!(hidden(&[("a", "/a", &[]), ("p", "/a/{x}", &[])]), [(1, "a".to_owned())]);
    assert_eq!(
        hidden(&[("g", "/a", &["GET", "PUT"]), ("h", "/a/b", &["PUT"])]),
        [(1, "g".to_owned())]
    );
    assert_eq!(hidden(&[("p", "/{x}", &[]), ("q", "/{y}", &[])]), [(1, "p".to_owned())]);
    for fine in [
        &[("a", "/a", &["GET"][..]), all][..],
        &[("g", "/a", &["GET"]), ("h", "/a", &[])],
        &[("a", "/a", &[]), ("ab", "/ab", &[])],
        &[("p", "/{x}", &[]), ("a", "/a", &[])],
    ] {
        assert_eq!(hidden(fine), [], "{fine:?}");
    }
}

#[test]
fn a_rule_whose_paths_could_be_misread_is_refused() {
    for (text, why) in [
        ("orders", Unusable::Ambiguous(Ambiguous::NotAPath)),
        ("/a//b", Unusable::Ambiguous(Ambiguous::EmptySegment)),
        ("/a/%2e", Unusable::Ambiguous(Ambiguous::NeedlessEscape)),
        ("/a/", Unusable::Slash),
        ("/a?b", Unusable::Query),
    ] {
        assert_eq!(Paths::prefix(text).err(), Some(why), "{text}");
        assert_eq!(Paths::pattern(text).err(), Some(why), "{text}");
    }
    for (text, why) in [
        ("/a/{id", Unusable::Part),
        ("/a/x{id}", Unusable::Part),
        ("/a/{}", Unusable::Part),
        ("/a/{*}", Unusable::Part),
        ("/a/{i-d}", Unusable::Part),
        ("/{*rest}/a", Unusable::RestBeforeEnd),
    ] {
        assert_eq!(Paths::pattern(text).err(), Some(why), "{text}");
    }
}

#[test]
fn every_scope_and_every_role_that_is_asked_for_must_be_there() {
    let list = |words: &[&str]| words.iter().map(|&word| word.into()).collect::<Vec<Arc<str>>>();
    let needs = Needs {
        audience: "api".into(),
        scopes: list(&["orders:read", "orders:write"]),
        roles: list(&["manager"]),
        max_age: None,
        acr: Vec::new(),
        tickets: false,
        renews: false,
    };
    let are_met = |scopes: &[&str], roles: &[&str]| {
        needs.are_met(|name| scopes.contains(&name), |name| roles.contains(&name))
    };
    assert!(are_met(&["x", "orders:write", "orders:read"], &["clerk", "manager"]));
    assert!(!are_met(&["orders:read"], &["manager"]));
    assert!(!are_met(&["orders:read", "orders:write"], &["Manager"]));
    assert!(!are_met(&[], &[]));
}

#[test]
fn an_authentication_must_be_recent_and_of_a_level_that_is_named() {
    let (then, at) = (Timestamp::from_seconds(1000), Timestamp::from_seconds);
    let asks = |seconds: Option<u64>, levels: &[&str]| Needs {
        audience: "api".into(),
        scopes: Vec::new(),
        roles: Vec::new(),
        max_age: seconds.map(Duration::from_secs),
        acr: levels.iter().map(|&level| level.into()).collect(),
        tickets: false,
        renews: false,
    };
    let recent = asks(Some(300), &[]);
    assert!(recent.are_proved(Some(then), None, at(1300)));
    assert!(!recent.are_proved(Some(then), Some("2"), at(1301)));
    assert!(!recent.are_proved(None, Some("2"), at(1000)), "a client's own token has no time");
    let strong = asks(None, &["2", "3"]);
    assert!(strong.are_proved(None, Some("3"), at(9999)));
    assert!(!strong.are_proved(Some(then), Some("1"), at(1000)));
    assert!(!strong.are_proved(Some(then), None, at(1000)));
    assert!(asks(None, &[]).are_proved(None, None, at(9999)));
    assert!(!asks(Some(1), &["2"]).are_proved(Some(then), Some("2"), at(1002)));
}

#[test]
fn a_method_is_a_token_and_nothing_else() {
    for good in ["GET", "PATCH", "M-SEARCH", "get", "VERSION-CONTROL"] {
        assert!(is_method(good), "{good}");
    }
    for bad in ["", "GET ", "GET,POST", "GE\tT", "GÉT", "G/T", &"A".repeat(33)] {
        assert!(!is_method(bad), "{bad}");
    }
}

/// What upstreams are known to do to a path before they look at it.
fn readings(raw: &str) -> Vec<Vec<u8>> {
    let path = raw.split(['?', '#']).next().unwrap().as_bytes().to_vec();
    let once = percent(&path);
    let own = [path.clone(), once.clone(), percent(&once)];
    let mut all = Vec::new();
    for text in own {
        let slashes: Vec<u8> =
            text.iter().map(|byte| if *byte == b'\\' { b'/' } else { *byte }).collect();
        for text in [text, slashes] {
            all.push(tidy(&text, false));
            all.push(tidy(&text, true));
        }
    }
    all
}

fn percent(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let hex = text.get(at + 1..at + 3).and_then(|two| std::str::from_utf8(two).ok());
        match hex.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) if text[at] == b'%' => {
                out.push(byte);
                at += 3;
            }
            _ => {
                out.push(text[at]);
                at += 1;
            }
        }
    }
    out
}

/// Segments without empty ones, dots resolved; and, to some, without parameters and loose ends.
fn tidy(text: &[u8], loose: bool) -> Vec<u8> {
    let mut segments: Vec<&[u8]> = Vec::new();
    for segment in text.split(|byte| *byte == b'/') {
        let named = match loose {
            true => segment.split(|byte| *byte == b';').next().unwrap().trim_ascii_end(),
            false => segment,
        };
        match named {
            b"" | b"." => {}
            b".." => drop(segments.pop()),
            named => segments.push(named),
        }
    }
    [b"/", &segments.join(&b'/')[..]].concat()
}

proptest! {
    /// Whatever an upstream does to a path that was let through, it arrives where the rules looked: at the
    /// path as it was sent, or at the same path decoded.
    #[test]
    fn no_upstream_reads_another_path_than_the_one_that_was_judged(
        raw in "/(a|b|/|\\.|\\.\\.|%2e|%2f|%5c|%25|;|\\\\|%|e|2|#|\\?|%C3%A9|%20|A){0,12}"
    ) {
        if let Ok(target) = Target::parse(&raw) {
            let sent = raw.split('?').next().unwrap().trim_end_matches('/');
            let sent = if sent.is_empty() { "/" } else { sent };
            for reading in readings(&raw) {
                let same = reading == target.path().as_bytes() || reading == sent.as_bytes();
                prop_assert!(same, "{raw} is read as {:?}", String::from_utf8_lossy(&reading));
            }
        }
    }

    /// To an upstream that takes capital and small letters for the same, the same rule would decide.
    #[test]
    fn capital_letters_lead_to_no_other_rule(
        paths in proptest::collection::vec("(/(a|B|b|\\{x\\})){1,3}", 1..6),
        raw in "(/(a|A|b|B|c)){1,4}",
    ) {
        let own = |(at, text): (usize, &String)| rule(&at.to_string(), text, &[]);
        let rules = Rules(paths.iter().enumerate().map(own).collect());
        if let Ok(decider) = rules.decide("GET", &target(&raw)) {
            let lower = |text: &String| text.to_lowercase();
            let folded: Vec<_> = paths.iter().map(lower).collect();
            let folded = Rules(folded.iter().enumerate().map(own).collect());
            let found = folded.decide("GET", &target(&raw.to_lowercase())).map(|rule| &rule.name);
            prop_assert_eq!(found, Ok(&decider.name));
        }
    }

    /// What is called hidden is hidden.
    #[test]
    fn a_hidden_rule_decides_about_nothing(
        paths in proptest::collection::vec("(/(a|b|\\{x\\})){1,3}", 1..6),
        raw in "(/(a|b|c)){1,4}",
    ) {
        let own = |(at, text): (usize, &String)| rule(&at.to_string(), text, &[]);
        let rules = Rules(paths.iter().enumerate().map(own).collect());
        let hidden: Vec<_> = rules.hidden().map(|(at, _)| at.to_string()).collect();
        if let Ok(decider) = rules.decide("GET", &target(&raw)) {
            prop_assert!(!hidden.contains(&decider.name.to_string()));
        }
    }

    /// Nothing that strangers send makes the reader panic, and what it accepts it accepts again.
    #[test]
    fn any_text_is_read_or_refused(raw in "\\PC{0,40}") {
        if let Ok(target) = Target::parse(&raw) {
            prop_assert!(target.path().starts_with('/'));
        }
    }
}
