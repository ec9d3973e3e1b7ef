//! `[gateway]`: whom to believe, and the rules.

use crate::config::build::{name, read};
use crate::config::check::Members;
use crate::config::network::Network;
use crate::config::place::Problems;
use crate::config::{Audience, url};
use std::net::IpAddr;
use std::sync::Arc;
use symbolon_core::gateway::{Asks, Needs, Paths, Rule, Rules, is_rule_method};
use symbolon_core::scope::is_scope;

/// What proxies are told about requests.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Gateway {
    /// Who is believed about what they were asked, and by whom.
    pub trusted_proxies: Vec<Network>,
    /// Where a page without a right token is sent.
    pub login_url: Option<Arc<str>>,
    /// Whether only tokens are let in of which the authority itself says that they are its own.
    pub allowlist: bool,
    /// What is asked of whom.
    pub rules: Rules,
}

impl Gateway {
    /// Whether somebody at this address is believed.
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|network| network.contains(address))
    }
}

/// Builds what stands under `[gateway]`, if anything does.
pub(crate) fn gateway(
    table: Option<&Members>,
    audiences: &[Audience],
    problems: &mut Problems,
) -> Gateway {
    let Some(table) = table else { return Gateway::default() };
    let login_url = read(table, "login_url", problems, url::page);
    let usual = audience(table, audiences, problems).or(match audiences {
        [only] => Some(Arc::clone(&only.name)),
        _ => None,
    });
    let rows = table.rows("rules").iter();
    let rules: Vec<_> = rows
        .filter_map(|row| {
            let rule = rule(row, audiences, usual.as_ref(), problems)?;
            Some((row, rule))
        })
        .collect();
    let (rows, rules): (Vec<_>, Vec<_>) = rules.into_iter().unzip();
    let rules = Rules(rules);
    told_apart(&rows, &rules, problems);
    let allowlist = table.is_on("allowlist");
    Gateway { trusted_proxies: proxies(table, problems), login_url, allowlist, rules }
}

fn proxies(table: &Members, problems: &mut Problems) -> Vec<Network> {
    let mut networks = Vec::new();
    for (place, text) in table.texts("trusted_proxies") {
        match Network::parse(text) {
            Ok(network) => networks.push(network),
            Err(what) => problems.add(place, table.path_of("trusted_proxies"), what),
        }
    }
    networks
}

/// An audience that is named here and configured above.
fn audience(row: &Members, audiences: &[Audience], problems: &mut Problems) -> Option<Arc<str>> {
    let known = |text: &str| {
        let found = audiences.iter().find(|audience| *audience.name == *text);
        found.map(|audience| Arc::clone(&audience.name)).ok_or_else(|| {
            let names: Vec<_> = audiences.iter().map(|audience| &*audience.name).collect();
            format!("there is no audience {text:?}; there are: {}", names.join(", "))
        })
    };
    read(row, "audience", problems, known)
}

fn rule(
    row: &Members,
    audiences: &[Audience],
    usual: Option<&Arc<str>>,
    problems: &mut Problems,
) -> Option<Rule> {
    let name = read(row, "name", problems, name);
    let paths = paths(row, problems);
    let method = |text: &str| match is_rule_method(text) {
        true => Ok(()),
        false => Err(format!("{text:?} is not a method; write it in capitals, such as \"GET\"")),
    };
    let methods = listed(row, "methods", problems, method);
    let asks = asks(row, audiences, usual, problems);
    Some(Rule { name: name?, paths: paths?, methods, asks: asks? })
}

fn paths(row: &Members, problems: &mut Problems) -> Option<Paths> {
    let unusable = |why| format!("cannot be used: {why}");
    let prefix = read(row, "prefix", problems, |text| Paths::prefix(text).map_err(unusable));
    let pattern = read(row, "pattern", problems, |text| Paths::pattern(text).map_err(unusable));
    match (row.has("prefix"), row.has("pattern")) {
        (true, true) => {
            let what = "`prefix` is given as well; keep one, so that it is plain which holds";
            problems.add(row.place_of("pattern"), row.path_of("pattern"), what);
        }
        (false, false) if row.sound => {
            let what = "is missing, and so is `pattern`: say which paths the rule is about; \
                        \"/\" is all of them";
            problems.add(&row.place, row.path_of("prefix"), what);
        }
        (true, false) | (false, true) | (false, false) => {}
    }
    prefix.or(pattern)
}

fn asks(
    row: &Members,
    audiences: &[Audience],
    usual: Option<&Arc<str>>,
    problems: &mut Problems,
) -> Option<Asks> {
    let word = |text: &str| match is_scope(text) && !text.is_empty() && !text.contains(' ') {
        true => Ok(()),
        false => Err(format!("{text:?} is not one scope (RFC 6749 §3.3)")),
    };
    let role = |text: &str| match text.is_empty() {
        true => Err("\"\" is not a role".to_owned()),
        false => Ok(()),
    };
    let level = |text: &str| match text.is_empty() || !text.bytes().all(|b| b.is_ascii_graphic()) {
        true => Err(format!("{text:?} is not a level: visible ASCII without spaces")),
        false => Ok(()),
    };
    let scopes = listed(row, "scopes", problems, word);
    let roles = listed(row, "roles", problems, role);
    let acr = listed(row, "acr", problems, level);
    let own = audience(row, audiences, problems);
    if row.is_on("public") {
        for name in ASKING.into_iter().filter(|name| row.has(name)) {
            let what = "asks for something, and `public = true` asks for nothing; keep one";
            problems.add(row.place_of(name), row.path_of(name), what);
        }
        return Some(Asks::Nothing);
    }
    let Some(audience) = own.or_else(|| usual.cloned()) else {
        if row.sound && !row.has("audience") {
            let what = "is missing: say here, or once for all rules at `gateway.audience`, whom \
                        tokens must be for (RFC 9068 §4)";
            problems.add(&row.place, row.path_of("audience"), what);
        }
        return None;
    };
    let (max_age, tickets) = (row.duration("max_age"), row.is_on("tickets"));
    let renews = row.is_on("renews");
    Some(Asks::Token(Arc::new(Needs { audience, scopes, roles, max_age, acr, tickets, renews })))
}

/// What makes no sense beside `public = true`.
const ASKING: [&str; 7] = ["scopes", "roles", "audience", "max_age", "acr", "tickets", "renews"];

/// A list of texts, each of which is looked at.
fn listed(
    row: &Members,
    name: &str,
    problems: &mut Problems,
    check: impl Fn(&str) -> Result<(), String>,
) -> Vec<Arc<str>> {
    let mut texts = Vec::new();
    for (place, text) in row.texts(name) {
        match check(text) {
            Ok(()) => texts.push(text.as_str().into()),
            Err(what) => problems.add(place, row.path_of(name), what),
        }
    }
    texts
}

/// Names are unique, and every rule can decide about something.
fn told_apart(rows: &[&Members], rules: &Rules, problems: &mut Problems) {
    for (at, rule) in rules.0.iter().enumerate() {
        if rules.0.iter().take(at).any(|earlier| earlier.name == rule.name) {
            let what = format!("there is another rule {:?}; names are unique", rule.name);
            problems.add(rows[at].place_of("name"), rows[at].path_of("name"), what);
        }
    }
    for (at, earlier) in rules.hidden() {
        let what = format!(
            "never decides: {:?} above it takes all its requests; put it before that rule",
            earlier.name
        );
        problems.add(&rows[at].place, &rows[at].path, what);
    }
}
