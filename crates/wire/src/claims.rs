//! Reading the claims of an access token (RFC 7519 §4, RFC 9068 §2.2).
//!
//! A claim that cannot be read is an error, never an absence (advisory CVE-2026-25537), and a
//! claim that we need is never filled in.

use crate::json::{self, Names, Object};
use crate::jws::Payload;
use crate::plain::{Plain, each_plain_member};
use crate::{Malformed, base64url};
use serde_json::value::RawValue;
use std::borrow::Cow;
use symbolon_core::imprint::{Bound, Imprint, Imprints};
use symbolon_core::{Digest, SessionId, StoreEpoch, Timestamp, Ver};

/// The latest instant that a claim may name, in seconds: the end of the year 9999. Inclusive.
pub const SECONDS_MAX: u64 = 253_402_300_799;

/// What an access token says, borrowed from its payload.
#[derive(Debug)]
#[non_exhaustive]
pub struct ParsedClaims<'a> {
    /// Who issued it.
    pub iss: Cow<'a, str>,
    /// Whom it is about.
    pub sub: Cow<'a, str>,
    /// Whom it is for.
    pub aud: Audience<'a>,
    /// Through which client.
    pub client_id: Cow<'a, str>,
    /// When it was issued.
    pub iat: Timestamp,
    /// Until when it is good. Exclusive.
    pub exp: Timestamp,
    /// From when it is good, if it says so. Inclusive.
    pub nbf: Option<Timestamp>,
    /// Its name.
    pub jti: Cow<'a, str>,
    /// What it allows, names separated by one space.
    pub scope: Option<Cow<'a, str>>,
    /// The session, if it has one.
    pub sid: Option<SessionId>,
    /// The counters that revocation compares.
    pub ver: Ver,
    /// When the subject last signed in.
    pub auth_time: Option<Timestamp>,
    /// How strongly.
    pub acr: Option<Cow<'a, str>>,
    /// By which methods.
    pub amr: Names<'a>,
    /// The subject's roles.
    pub roles: Names<'a>,
    /// The thumbprint of the key that the holder must show.
    pub jkt: Option<Digest>,
    /// What the holder's features and network are compared with; never without a session.
    pub imprints: Imprints,
    extra: Extra<'a>,
}

/// Whom a token is for: one name, or several (RFC 7519 §4.1.3).
#[derive(Debug)]
pub enum Audience<'a> {
    /// One name.
    One(Cow<'a, str>),
    /// Several names; never none.
    Many(Names<'a>),
}

impl Audience<'_> {
    /// Whether exactly this name is among them.
    pub fn contains(&self, name: &str) -> bool {
        self.iter().any(|aud| aud == name)
    }

    /// The names.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let (one, many) = match self {
            Self::One(name) => (Some(&**name), None),
            Self::Many(names) => (None, Some(names)),
        };
        one.into_iter().chain(many.into_iter().flat_map(Names::iter))
    }
}

impl<'a> ParsedClaims<'a> {
    /// Reads the claims of a payload that was verified.
    ///
    /// # Errors
    /// Not an object of the right claims; the member that is wrong.
    pub fn of(payload: &'a Payload<'_>) -> Result<Self, Malformed> {
        Self::parse_unverified(payload.bytes())
    }

    /// Reads claims that nobody has vouched for: to explain a token, never to let someone in.
    ///
    /// # Errors
    /// Not an object of the right claims; the member that is wrong.
    pub fn parse_unverified(payload: &'a [u8]) -> Result<Self, Malformed> {
        let text =
            std::str::from_utf8(payload).map_err(|_| Malformed::new("claims", "are not UTF-8"))?;
        let mut read = match Read::plain(text) {
            Ok(read) => return read.finish(),
            Err(extra) => Read { extra, ..Read::default() },
        };
        json::each_member(text, "claims", |name, value| read.claim(name, value))?;
        read.finish()
    }

    /// Reads the claims in an answer about a token, whose own members are no claims (RFC 7662 §2.2).
    pub(crate) fn told(text: &'a str) -> Result<Self, Malformed> {
        let mut read = Read::default();
        json::each_member(text, "answer", |name, value| match &*name {
            "active" | "token_type" => Ok(()),
            _ => read.claim(name, value),
        })?;
        read.finish()
    }

    /// The text of a claim that we give no meaning to.
    pub fn extra(&self, name: &str) -> Option<&'a RawValue> {
        self.extra.iter().find(|(claim, _)| claim == name).map(|(_, value)| *value)
    }

    /// All claims that we give no meaning to, in their order.
    pub fn extras(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.extra.iter().map(|(name, value)| (name.as_ref(), *value))
    }

    /// The names in `scope`.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.scope.as_deref().unwrap_or_default().split(' ').filter(|name| !name.is_empty())
    }
}

/// The claims that we give no meaning to.
type Extra<'a> = Vec<(Cow<'a, str>, &'a RawValue)>;

/// The claims found so far.
#[derive(Default)]
struct Read<'a> {
    iss: Option<Cow<'a, str>>,
    sub: Option<Cow<'a, str>>,
    aud: Option<Audience<'a>>,
    client_id: Option<Cow<'a, str>>,
    iat: Option<Timestamp>,
    exp: Option<Timestamp>,
    nbf: Option<Timestamp>,
    jti: Option<Cow<'a, str>>,
    scope: Option<Cow<'a, str>>,
    sid: Option<SessionId>,
    ver: Option<Ver>,
    auth_time: Option<Timestamp>,
    acr: Option<Cow<'a, str>>,
    amr: Names<'a>,
    roles: Names<'a>,
    jkt: Option<Digest>,
    enforced: Named,
    reported: Named,
    extra: Extra<'a>,
}

impl<'a> Read<'a> {
    /// Reads claims as our authority writes them.
    ///
    /// # Errors
    /// All others, whatever they are; gives back the room for extra claims, emptied.
    fn plain(text: &'a str) -> Result<Self, Extra<'a>> {
        let mut read = Self::default();
        let whole = each_plain_member(text, |name, value, raw| read.plain_claim(name, value, raw));
        if !whole {
            read.extra.clear();
            return Err(read.extra);
        }
        Ok(read)
    }

    /// Takes one claim that is there for the first time and right; says whether it was.
    fn plain_claim(&mut self, name: &'a str, value: Plain<'a>, raw: &'a str) -> bool {
        match (name, value) {
            ("iss", Plain::Text(text)) => once(&mut self.iss, text.into()),
            ("sub", Plain::Text(text)) => once(&mut self.sub, text.into()),
            ("aud", Plain::Texts(list)) => {
                let names = Names::plain(list);
                names.iter().all(|name| !name.is_empty())
                    && once(&mut self.aud, Audience::Many(names))
            }
            ("aud", Plain::Text(text)) => {
                !text.is_empty() && once(&mut self.aud, Audience::One(text.into()))
            }
            ("client_id", Plain::Text(text)) => once(&mut self.client_id, text.into()),
            ("iat", Plain::Number(seconds)) => once_instant(&mut self.iat, seconds),
            ("exp", Plain::Number(seconds)) => once_instant(&mut self.exp, seconds),
            ("nbf", Plain::Number(seconds)) => once_instant(&mut self.nbf, seconds),
            ("auth_time", Plain::Number(seconds)) => once_instant(&mut self.auth_time, seconds),
            ("jti", Plain::Text(text)) => once(&mut self.jti, text.into()),
            ("scope", Plain::Text(text)) => once(&mut self.scope, text.into()),
            ("sid", Plain::Text(text)) => {
                crate::shard::parse_session_id(text).is_ok_and(|sid| once(&mut self.sid, sid))
            }
            ("ver", Plain::Counters([store, subject, client, everything])) => u32::try_from(store)
                .is_ok_and(|store| {
                    let store = StoreEpoch(store);
                    once(&mut self.ver, Ver { store, subject, client, everything })
                }),
            ("acr", Plain::Text(text)) => once(&mut self.acr, text.into()),
            // Lists have no place for "not yet"; one that is not empty was there.
            ("amr", Plain::Texts(list)) => once_names(&mut self.amr, list),
            ("roles", Plain::Texts(list)) => once_names(&mut self.roles, list),
            _ => self.plain_extra(name, raw),
        }
    }

    /// Takes a claim that is none of ours; one of ours in another form is for the general reader.
    fn plain_extra(&mut self, name: &'a str, raw: &'a str) -> bool {
        let ours = OURS.contains(&name) || self.extra.iter().any(|(seen, _)| *seen == name);
        if ours || self.extra.len() == EXTRA_MAX {
            return false;
        }
        match serde_json::from_str(raw) {
            Ok(value) => {
                self.give_no_meaning(name.into(), value);
                true
            }
            Err(_) => false,
        }
    }

    /// Takes one claim; that none comes twice is the object's promise.
    fn claim(&mut self, name: Cow<'a, str>, value: &'a RawValue) -> Result<(), Malformed> {
        match &*name {
            "iss" => self.iss = Some(json::string(value, "iss")?),
            "sub" => self.sub = Some(json::string(value, "sub")?),
            "aud" => self.aud = Some(audience(value)?),
            "client_id" => self.client_id = Some(json::string(value, "client_id")?),
            "iat" => self.iat = Some(instant(value, "iat")?),
            "exp" => self.exp = Some(instant(value, "exp")?),
            "nbf" => self.nbf = Some(instant(value, "nbf")?),
            "jti" => self.jti = Some(json::string(value, "jti")?),
            "scope" => self.scope = Some(json::string(value, "scope")?),
            "sid" => self.sid = Some(session(value)?),
            "ver" => self.ver = Some(counters(value)?),
            "auth_time" => self.auth_time = Some(instant(value, "auth_time")?),
            "acr" => self.acr = Some(json::string(value, "acr")?),
            "amr" => self.amr = json::names(value, "amr")?,
            "roles" => self.roles = json::names(value, "roles")?,
            "cnf" => (self.jkt, self.enforced) = confirmation(value)?,
            "cnf_reported" => self.reported = reported(value)?,
            _ if !json::is_strict(value, 1) => {
                return Err(Malformed::new("claims", "name a member twice or nest too deep"));
            }
            _ => self.give_no_meaning(name, value),
        }
        Ok(())
    }

    /// Room for all at once: a token costs two allocations at most, its payload and this.
    fn give_no_meaning(&mut self, name: Cow<'a, str>, value: &'a RawValue) {
        if self.extra.is_empty() {
            self.extra.reserve_exact(json::MEMBERS_MAX);
        }
        self.extra.push((name, value));
    }

    fn finish(self) -> Result<ParsedClaims<'a>, Malformed> {
        let imprints = self.imprints()?;
        Ok(ParsedClaims {
            iss: text(self.iss, "iss")?,
            sub: text(self.sub, "sub")?,
            aud: present(self.aud, "aud")?,
            client_id: text(self.client_id, "client_id")?,
            iat: present(self.iat, "iat")?,
            exp: present(self.exp, "exp")?,
            nbf: self.nbf,
            jti: text(self.jti, "jti")?,
            scope: self.scope,
            sid: self.sid,
            ver: present(self.ver, "ver")?,
            auth_time: self.auth_time,
            acr: self.acr,
            amr: self.amr,
            roles: self.roles,
            jkt: self.jkt,
            imprints,
            extra: self.extra,
        })
    }

    /// One that is of no session could be compared with nothing, and must not pass as if there were none.
    fn imprints(&self) -> Result<Imprints, Malformed> {
        let imprints = Imprints {
            features: one(self.enforced.features, self.reported.features)?,
            network: one(self.enforced.network, self.reported.network)?,
        };
        match imprints.is_empty() || self.sid.is_some() {
            true => Ok(imprints),
            false => Err(Malformed::new("sid", "is missing, and `cnf` is about a session")),
        }
    }
}

/// The imprints of one claim.
#[derive(Clone, Copy, Default)]
struct Named {
    features: Option<Imprint>,
    network: Option<Imprint>,
}

fn one(
    enforced: Option<Imprint>,
    reported: Option<Imprint>,
) -> Result<Option<Bound<Imprint>>, Malformed> {
    match (enforced, reported) {
        (None, None) => Ok(None),
        (Some(to), None) => Ok(Some(Bound { to, enforced: true })),
        (None, Some(to)) => Ok(Some(Bound { to, enforced: false })),
        (Some(_), Some(_)) => Err(Malformed::new("cnf_reported", "repeats what `cnf` has")),
    }
}

/// The claims that we give a meaning to.
const OURS: [&str; 17] = [
    "iss",
    "sub",
    "aud",
    "client_id",
    "iat",
    "exp",
    "nbf",
    "jti",
    "scope",
    "sid",
    "ver",
    "auth_time",
    "acr",
    "amr",
    "roles",
    "cnf",
    "cnf_reported",
];

/// So many others and all of ours are no more than an object may have.
const EXTRA_MAX: usize = json::MEMBERS_MAX - OURS.len();

/// Takes a claim unless it was there before; says whether it did.
fn once<T>(claim: &mut Option<T>, value: T) -> bool {
    claim.replace(value).is_none()
}

fn once_instant(claim: &mut Option<Timestamp>, seconds: u64) -> bool {
    seconds <= SECONDS_MAX && once(claim, Timestamp::from_seconds(seconds))
}

fn once_names<'a>(claim: &mut Names<'a>, list: &'a str) -> bool {
    let first = claim.is_nothing();
    *claim = Names::plain(list);
    first
}

fn present<T>(claim: Option<T>, name: &'static str) -> Result<T, Malformed> {
    claim.ok_or(Malformed::new(name, "is missing"))
}

fn text<'a>(claim: Option<Cow<'a, str>>, name: &'static str) -> Result<Cow<'a, str>, Malformed> {
    match present(claim, name)? {
        text if text.is_empty() => Err(Malformed::new(name, "is empty")),
        text => Ok(text),
    }
}

/// A NumericDate in whole seconds: RFC 7519 §2 would allow fractions, our authority writes none,
/// and two readings of one instant are one too many.
pub(crate) fn instant(value: &RawValue, name: &'static str) -> Result<Timestamp, Malformed> {
    // A JSON number that Rust reads as a `u64` has no sign, fraction or exponent.
    match value.get().parse() {
        Ok(seconds @ 0..=SECONDS_MAX) => Ok(Timestamp::from_seconds(seconds)),
        _ => Err(Malformed::new(name, "must be a whole number of seconds before the year 10000")),
    }
}

fn audience(value: &RawValue) -> Result<Audience<'_>, Malformed> {
    let aud = match value.get().starts_with('[') {
        true => Audience::Many(json::names(value, "aud")?),
        false => Audience::One(json::string(value, "aud")?),
    };
    match aud.iter().next().is_none() || aud.iter().any(str::is_empty) {
        true => Err(Malformed::new("aud", "is empty")),
        false => Ok(aud),
    }
}

fn session(value: &RawValue) -> Result<SessionId, Malformed> {
    crate::shard::parse_session_id(&json::string(value, "sid")?)
}

fn counters(value: &RawValue) -> Result<Ver, Malformed> {
    let (store, subject, client, everything) = serde_json::from_str(value.get())
        .map_err(|_| Malformed::new("ver", "must be an array of four whole numbers"))?;
    Ok(Ver { store: StoreEpoch(store), subject, client, everything })
}

/// A token that is bound in a way that we do not know must not pass as a bearer token.
fn confirmation(value: &RawValue) -> Result<(Option<Digest>, Named), Malformed> {
    let cnf = Object::parse(value.get(), "cnf")?;
    let ours = |name| CONFIRMING.contains(&name);
    if !cnf.members().any(|(name, _)| ours(name)) {
        return Err(Malformed::new("cnf.jkt", "is missing"));
    }
    if !cnf.members().all(|(name, _)| ours(name)) {
        return Err(Malformed::new("cnf", "has a member that is not understood"));
    }
    let jkt = cnf.string("jkt").map_err(|wrong| wrong.within("cnf"))?;
    let jkt = jkt.map(|jkt| base64url::decode_exact(&jkt, "cnf.jkt").map(Digest)).transpose()?;
    Ok((jkt, named(&cnf).map_err(|wrong| wrong.within("cnf"))?))
}

/// What may stand in `cnf`.
const CONFIRMING: [&str; 3] = ["jkt", "features", "network"];

/// What is compared and refuses nobody.
fn reported(value: &RawValue) -> Result<Named, Malformed> {
    let object = Object::parse(value.get(), "cnf_reported")?;
    named(&object).map_err(|wrong| wrong.within("cnf_reported"))
}

fn named(object: &Object<'_>) -> Result<Named, Malformed> {
    let imprint = |name| {
        let text = object.string(name)?;
        text.map(|text| base64url::decode_exact(&text, name).map(Imprint)).transpose()
    };
    Ok(Named { features: imprint("features")?, network: imprint("network")? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::sample::select;

    /// What the general reader says.
    fn general(text: &str) -> Result<ParsedClaims<'_>, Malformed> {
        let mut read = Read::default();
        json::each_member(text, "claims", |name, value| read.claim(name, value))?;
        read.finish()
    }

    const WHOLE: &str = r#"{"iss":"i","sub":"s","aud":"a","client_id":"c","iat":1,"exp":2,"nbf":1,"jti":"j","scope":"x y","sid":"AAAAAAAAAAAAAAAAAAAAAA","ver":[1,7,3,2],"auth_time":1,"acr":"1","amr":["pwd"],"roles":["r","用"],"tenant":"t","plan":7}"#;

    #[test]
    fn what_our_authority_writes_takes_the_short_way() {
        assert!(Read::plain(WHOLE).is_ok());
        let nested = WHOLE.replace("\"t\"", "{\"id\":7}");
        assert!(Read::plain(&nested).is_err() && general(&nested).is_ok());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn the_short_way_reads_what_the_general_one_reads_or_nothing(
            members in prop::collection::vec((
                select([&OURS[..], &["tenant", "", "plan"]].concat()),
                select(&["\"\"", "\"s\"", "\"AAAAAAAAAAAAAAAAAAAAAA\"", "0", "7", "253402300800",
                    "[\"a\"]", "[\"a\",\"\"]", "[]", "[1,2,3,4]", "[4294967296,2,3,4]", "null", "{}",
                    "\"\\u0061\"", "1.0"]),
            ), 0..4),
            all in any::<bool>(),
        ) {
            let mut text = if all { WHOLE.trim_matches(['{', '}']).to_owned() } else { String::new() };
            for (name, value) in members {
                let comma = if text.is_empty() { "" } else { "," };
                text += &format!("{comma}\"{name}\":{value}");
            }
            let text = format!("{{{text}}}");
            if let Ok(read) = Read::plain(&text) {
                let short = read.finish().map(|claims| format!("{claims:?}"));
                prop_assert_eq!(short, general(&text).map(|claims| format!("{claims:?}")));
            }
        }
    }
}
