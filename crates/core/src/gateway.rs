//! What a gateway asks of a request: a list of rules, of which the first that fits decides.
//!
//! No rule fits: refused. Whoever forgets a path has closed it, which somebody notices, and not opened it,
//! which nobody does.

use crate::target::{Ambiguous, Target, fold, is_method};
use crate::time::{Duration, Timestamp};
use std::fmt;
use std::sync::Arc;

/// The rules of a gateway, in their order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Rules(pub Vec<Rule>);

/// One rule: which requests it is about, and what it asks of them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rule {
    /// What it is called, in metrics and when somebody asks.
    pub name: Arc<str>,
    /// The paths that it is about.
    pub paths: Paths,
    /// The methods that it is about, exactly as they are sent; empty: every one.
    pub methods: Vec<Arc<str>>,
    /// What it asks.
    pub asks: Asks,
}

/// The paths that a rule is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Paths {
    /// A path and everything below it.
    Prefix(Fixed),
    /// Segment by segment.
    Pattern(Vec<Part>),
}

/// A piece of a path that is written out, and how it looks without the difference between capital and
/// small letters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fixed {
    text: Box<str>,
    folded: Box<str>,
}

/// One segment of a pattern.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Part {
    /// This one.
    Fixed(Fixed),
    /// `{name}`: any one.
    Any,
    /// `{*name}`: one or more, to the end.
    Rest,
}

impl fmt::Display for Paths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prefix(prefix) => write!(f, "{} and below", prefix.text),
            Self::Pattern(parts) => parts.iter().try_for_each(|part| match part {
                Part::Fixed(fixed) => write!(f, "/{}", fixed.text),
                Part::Any => f.write_str("/{}"),
                Part::Rest => f.write_str("/{*}"),
            }),
        }
    }
}

/// What a rule asks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Asks {
    /// Nothing: the path is public.
    Nothing,
    /// A token.
    Token(Arc<Needs>),
}

/// What a token must say.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Needs {
    /// It is for this audience.
    pub audience: Arc<str>,
    /// It has every one of these scopes.
    pub scopes: Vec<Arc<str>>,
    /// It has every one of these roles.
    pub roles: Vec<Arc<str>>,
    /// The person was authenticated at most so long ago; `None`: whenever.
    pub max_age: Option<Duration>,
    /// The person was authenticated at one of these levels; none: at any.
    pub acr: Vec<Arc<str>>,
    /// A ticket in the query will do where there is no header.
    pub tickets: bool,
    /// What is over is renewed at once by what renews it, where that came along.
    pub renews: bool,
}

/// How a request meets a rule.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Meeting {
    /// It is about this request.
    Fits,
    /// It is about other paths.
    OtherPath,
    /// It is about this path, and other methods.
    OtherMethod,
    /// It would be about this request if capital and small letters were the same: whether they are, the
    /// upstream alone knows.
    OtherCase,
}

/// Why no rule decides.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unruled<'r> {
    /// None fits.
    NoRule,
    /// The path is this rule's, if the upstream takes capital and small letters for the same.
    OtherCase(&'r Rule),
}

/// Why a text does not say which paths are meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unusable {
    /// It could mean two things.
    Ambiguous(Ambiguous),
    /// It ends in a slash.
    Slash,
    /// It has a query.
    Query,
    /// `{` or `}` stands where no part can be read.
    Part,
    /// `{*name}` is not at the end.
    RestBeforeEnd,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ambiguous(why) => {
                write!(f, "{why}, and no request with such a path gets that far")
            }
            Self::Slash => {
                f.write_str("it ends in a slash, which makes no difference: leave it out")
            }
            Self::Query => f.write_str("it has a `?`, and rules look at paths alone"),
            Self::Part => f.write_str("a part is `{name}` or `{*name}`, with nothing beside it"),
            Self::RestBeforeEnd => f.write_str("`{*name}` stands for the rest, so it comes last"),
        }
    }
}

impl Rules {
    /// The rule that decides about a request: the first that fits.
    ///
    /// # Errors
    /// None fits, or one would but for capital and small letters.
    pub fn decide(&self, method: &str, target: &Target) -> Result<&Rule, Unruled<'_>> {
        for rule in &self.0 {
            match rule.meets(method, target) {
                Meeting::Fits => return Ok(rule),
                Meeting::OtherCase => return Err(Unruled::OtherCase(rule)),
                Meeting::OtherPath | Meeting::OtherMethod => {}
            }
        }
        Err(Unruled::NoRule)
    }

    /// Rules that never decide, each with the earlier one that takes all its requests.
    pub fn hidden(&self) -> impl Iterator<Item = (usize, &Rule)> {
        self.0.iter().enumerate().filter_map(|(at, later)| {
            let before = self.0.iter().take(at);
            before.clone().find(|earlier| earlier.covers(later)).map(|earlier| (at, earlier))
        })
    }
}

impl Rule {
    /// How a request meets this rule.
    pub fn meets(&self, method: &str, target: &Target) -> Meeting {
        let alike = |own: fn(&Fixed) -> &str, path| self.paths.fit(own, path);
        let own_method = self.methods.is_empty() || self.methods.iter().any(|own| **own == *method);
        match (alike(|own| &own.text, target.path()), alike(|own| &own.folded, target.folded())) {
            (true, _) if own_method => Meeting::Fits,
            (false, true) if own_method => Meeting::OtherCase,
            (true, _) | (false, true) => Meeting::OtherMethod,
            (false, false) => Meeting::OtherPath,
        }
    }

    /// Whether it takes every request that a later rule is about.
    fn covers(&self, later: &Self) -> bool {
        let takes = |method| self.methods.iter().any(|own| own == method);
        let methods = self.methods.is_empty()
            || (!later.methods.is_empty() && later.methods.iter().all(takes));
        match (&self.paths, &later.paths) {
            (own, other) if own == other => methods,
            (Paths::Prefix(own), other) => methods && below(&own.text, &other.head()),
            (Paths::Pattern(_), _) => false,
        }
    }
}

impl Paths {
    /// A path and everything below it, such as `/orders`.
    ///
    /// # Errors
    /// The text does not say which paths are meant.
    pub fn prefix(text: &str) -> Result<Self, Unusable> {
        Ok(Self::Prefix(Fixed::new(plain(text)?.path())))
    }

    /// Paths segment by segment, such as `/orders/{id}/items` or `/files/{*rest}`.
    ///
    /// # Errors
    /// The text does not say which paths are meant.
    pub fn pattern(text: &str) -> Result<Self, Unusable> {
        let target = plain(text)?;
        let inner = target.path().trim_start_matches('/');
        let parts = inner.split('/').filter(|text| !text.is_empty()).map(part);
        let parts: Vec<Part> = parts.collect::<Result<_, _>>()?;
        let before_end = parts.iter().rev().skip(1);
        match before_end.into_iter().any(|part| *part == Part::Rest) {
            true => Err(Unusable::RestBeforeEnd),
            false => Ok(Self::Pattern(parts)),
        }
    }

    /// Whether a path is among them, by one of the two ways to look at letters.
    fn fit(&self, own: fn(&Fixed) -> &str, path: &str) -> bool {
        match self {
            Self::Prefix(prefix) => below(own(prefix), path),
            Self::Pattern(parts) => {
                let mut segments = path.split('/').filter(|segment| !segment.is_empty());
                let fits = parts.iter().all(|part| match (part, segments.next()) {
                    (Part::Fixed(fixed), Some(segment)) => own(fixed) == segment,
                    (Part::Any, Some(_)) => true,
                    (Part::Rest, Some(_)) => {
                        segments.by_ref().for_each(drop);
                        true
                    }
                    (Part::Fixed(_) | Part::Any | Part::Rest, None) => false,
                });
                fits && segments.next().is_none()
            }
        }
    }

    /// The path under which all of them lie.
    fn head(&self) -> String {
        match self {
            Self::Prefix(fixed) => fixed.text.to_string(),
            Self::Pattern(parts) => {
                let fixed = parts.iter().map_while(|part| match part {
                    Part::Fixed(fixed) => Some(&*fixed.text),
                    Part::Any | Part::Rest => None,
                });
                format!("/{}", fixed.collect::<Vec<_>>().join("/"))
            }
        }
    }
}

impl Fixed {
    fn new(text: &str) -> Self {
        Self { text: text.into(), folded: fold(text) }
    }
}

impl Needs {
    /// Whether somebody who has these scopes and roles, exactly so named, has enough.
    pub fn are_met(
        &self,
        has_scope: impl Fn(&str) -> bool,
        has_role: impl Fn(&str) -> bool,
    ) -> bool {
        self.scopes.iter().all(|needed| has_scope(needed))
            && self.roles.iter().all(|needed| has_role(needed))
    }

    /// Whether somebody who was authenticated then, at that level, is authenticated well enough at `at`.
    pub fn are_proved(
        &self,
        auth_time: Option<Timestamp>,
        acr: Option<&str>,
        at: Timestamp,
    ) -> bool {
        let recent = |age| auth_time.is_some_and(|proved| at <= proved.after(age));
        let named = |acr: &str| self.acr.iter().any(|own| **own == *acr);
        self.max_age.is_none_or(recent) && (self.acr.is_empty() || acr.is_some_and(named))
    }
}

/// Whether a rule may name this method: as it is sent, and methods that people name are sent in capitals.
pub fn is_rule_method(text: &str) -> bool {
    is_method(text) && !text.bytes().any(|byte| byte.is_ascii_lowercase())
}

/// Whether a path is `prefix` or below it; a prefix ends where a segment ends.
fn below(prefix: &str, path: &str) -> bool {
    let rest = path.strip_prefix(prefix);
    prefix == "/" || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn plain(text: &str) -> Result<Target, Unusable> {
    match text {
        text if text.contains('?') => Err(Unusable::Query),
        "/" => Target::parse(text).map_err(Unusable::Ambiguous),
        text if text.ends_with('/') => Err(Unusable::Slash),
        text => Target::parse(text).map_err(Unusable::Ambiguous),
    }
}

fn part(text: &str) -> Result<Part, Unusable> {
    let Some(inner) = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else {
        let fixed = !text.contains(['{', '}']);
        return fixed.then(|| Part::Fixed(Fixed::new(text))).ok_or(Unusable::Part);
    };
    let (name, part) = match inner.strip_prefix('*') {
        Some(name) => (name, Part::Rest),
        None => (inner, Part::Any),
    };
    let named = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    named.then_some(part).ok_or(Unusable::Part)
}
