//! The tree held against the table of settings: unknown names, wrong kinds, values out of bounds.

use crate::config::duration::{duration_text, parse_duration};
use crate::config::place::{Place, Problems, nearest};
use crate::config::settings::{Kind, SETTINGS, Setting, walk};
use crate::config::tree::{Node, Table, Value};
use std::collections::BTreeMap;
use std::time::Duration;

/// A value that is what its setting may be.
pub(crate) enum Given {
    Text(String),
    Word(&'static str),
    Duration(Duration),
    Count(u64),
    Switch(bool),
    Texts(Vec<(Place, String)>),
    Table(Members),
    Rows(Vec<Members>),
}

/// The settings of one table that were given, and given rightly.
pub(crate) struct Members {
    /// Where the table stands.
    pub(crate) place: Place,
    /// Its path, such as `clients.web`; empty at the top.
    pub(crate) path: String,
    /// Whether nothing in it was wrong. Only then may settings be compared with each other.
    pub(crate) sound: bool,
    given: BTreeMap<&'static str, (Place, Given)>,
}

impl Members {
    /// The path of a member.
    pub(crate) fn path_of(&self, name: &str) -> String {
        member_path(&self.path, name)
    }

    /// Where a member stands; where the table does, if it was not given.
    pub(crate) fn place_of(&self, name: &str) -> &Place {
        self.given.get(name).map_or(&self.place, |(place, _)| place)
    }

    /// Whether a member was given.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.given.contains_key(name)
    }

    /// A text or a word.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        match self.given.get(name) {
            Some((_, Given::Text(text))) => Some(text),
            Some((_, Given::Word(word))) => Some(word),
            Some(_) | None => None,
        }
    }

    /// A duration.
    pub(crate) fn duration(&self, name: &str) -> Option<Duration> {
        match self.given.get(name) {
            Some((_, Given::Duration(duration))) => Some(*duration),
            Some(_) | None => None,
        }
    }

    /// A number.
    pub(crate) fn count(&self, name: &str) -> Option<u64> {
        match self.given.get(name) {
            Some((_, Given::Count(count))) => Some(*count),
            Some(_) | None => None,
        }
    }

    /// A switch; off if it was not given.
    pub(crate) fn is_on(&self, name: &str) -> bool {
        matches!(self.given.get(name), Some((_, Given::Switch(true))))
    }

    /// A list of texts; empty if it was not given.
    pub(crate) fn texts(&self, name: &str) -> &[(Place, String)] {
        match self.given.get(name) {
            Some((_, Given::Texts(texts))) => texts,
            Some(_) | None => &[],
        }
    }

    /// A table within.
    pub(crate) fn table(&self, name: &str) -> Option<&Self> {
        match self.given.get(name) {
            Some((_, Given::Table(members))) => Some(members),
            Some(_) | None => None,
        }
    }

    /// Tables within; none if they were not given.
    pub(crate) fn rows(&self, name: &str) -> &[Self] {
        match self.given.get(name) {
            Some((_, Given::Rows(rows))) => rows,
            Some(_) | None => &[],
        }
    }
}

/// A member's path; a name with a dot in it is quoted, as TOML would.
pub(crate) fn member_path(above: &str, name: &str) -> String {
    let name = if name.contains('.') { format!("{name:?}") } else { name.to_owned() };
    if above.is_empty() { name } else { format!("{above}.{name}") }
}

/// Checks a whole configuration.
pub(crate) fn check(tree: Table, place: Place, problems: &mut Problems) -> Members {
    Check { problems, whole: true }.table(tree, SETTINGS, place, String::new())
}

/// The same for whoever needs a part of it: what must stand at the top may be left out.
pub(crate) fn check_part(tree: Table, place: Place, problems: &mut Problems) -> Members {
    Check { problems, whole: false }.table(tree, SETTINGS, place, String::new())
}

struct Check<'p> {
    problems: &'p mut Problems,
    whole: bool,
}

impl Check<'_> {
    fn table(
        &mut self,
        table: Table,
        settings: &'static [Setting],
        place: Place,
        path: String,
    ) -> Members {
        let mut members = Members { place, path, sound: true, given: BTreeMap::new() };
        let tried: Vec<String> = table.0.keys().cloned().collect();
        for (name, (name_at, node)) in table.0 {
            let Some(setting) = settings.iter().find(|setting| setting.name == name) else {
                self.problems.add(&name_at, &members.path, unknown(&name, settings));
                members.sound = false;
                continue;
            };
            let place = node.place.clone();
            match self.value(node, setting, members.path_of(setting.name)) {
                Some(given) => {
                    members.sound &= is_sound(&given);
                    members.given.insert(setting.name, (place, given));
                }
                None => members.sound = false,
            }
        }
        let whole = self.whole || !members.path.is_empty();
        let required = settings.iter().filter(|setting| matches!(setting.kind, Kind::Required));
        for setting in required.filter(|_| whole) {
            self.require(setting, &mut members, &tried);
        }
        members
    }

    /// What was tried and went wrong, or was misspelled, has been reported already.
    fn require(&mut self, setting: &Setting, members: &mut Members, tried: &[String]) {
        let meant = |name: &String| nearest(name, [setting.name]).is_some();
        if !tried.iter().any(meant) {
            let what = format!("is missing. {}", setting.about);
            self.problems.add(&members.place, members.path_of(setting.name), what);
            members.sound = false;
        }
    }

    fn value(&mut self, node: Node, setting: &'static Setting, path: String) -> Option<Given> {
        let place = node.place.clone();
        let read = match (&setting.kind, node.value) {
            (Kind::Table(inner), Value::Table(table)) => {
                return Some(Given::Table(self.table(table, inner, place, path)));
            }
            (Kind::Rows { key, max, settings }, Value::List(rows)) if rows.len() <= *max => {
                let path = RowPath { above: path, key };
                return Some(Given::Rows(self.rows(rows, settings, &path)));
            }
            (Kind::Texts(max), Value::List(list)) if list.len() <= *max => {
                return self.texts(list, &path).map(Given::Texts);
            }
            (kind, value) => simple(kind, value, &place),
        };
        read.map_err(|what| self.problems.add(&place, path, what)).ok()
    }

    fn rows(
        &mut self,
        rows: Vec<Node>,
        settings: &'static [Setting],
        path: &RowPath,
    ) -> Vec<Members> {
        let mut checked = Vec::new();
        for (at, row) in rows.into_iter().enumerate() {
            let path = path.of(at, &row);
            match row.value {
                Value::Table(table) => checked.push(self.table(table, settings, row.place, path)),
                Value::Text(_)
                | Value::Integer(_)
                | Value::Switch(_)
                | Value::List(_)
                | Value::Other(_) => {
                    let what = format!("{} is not a table", row.value.what());
                    self.problems.add(&row.place, path, what);
                }
            }
        }
        checked
    }

    fn texts(&mut self, list: Vec<Node>, path: &str) -> Option<Vec<(Place, String)>> {
        let mut texts = Some(Vec::new());
        for (at, node) in list.into_iter().enumerate() {
            match (node.value, &mut texts) {
                (Value::Text(text), Some(texts)) => texts.push((node.place, text)),
                (Value::Text(_), None) => {}
                (other, _) => {
                    let what = format!("{} is not a text", other.what());
                    self.problems.add(&node.place, format!("{path}[{at}]"), what);
                    texts = None;
                }
            }
        }
        texts
    }
}

/// How rows are named in a message: by their key where they have one, else by their number.
struct RowPath {
    above: String,
    key: &'static str,
}

impl RowPath {
    fn of(&self, at: usize, row: &Node) -> String {
        let key = match &row.value {
            Value::Table(table) => table.0.get(self.key).map(|(_, node)| &node.value),
            Value::Text(_)
            | Value::Integer(_)
            | Value::Switch(_)
            | Value::List(_)
            | Value::Other(_) => None,
        };
        match key {
            Some(Value::Text(name)) => member_path(&self.above, name),
            Some(_) | None => format!("{}[{at}]", self.above),
        }
    }
}

/// Whether nothing in it was wrong.
fn is_sound(given: &Given) -> bool {
    match given {
        Given::Table(members) => members.sound,
        Given::Rows(_)
        | Given::Text(_)
        | Given::Word(_)
        | Given::Duration(_)
        | Given::Count(_)
        | Given::Switch(_)
        | Given::Texts(_) => true,
    }
}

fn simple(kind: &Kind, value: Value, place: &Place) -> Result<Given, String> {
    match (kind, value) {
        (Kind::Text | Kind::Required, Value::Text(text)) => Ok(Given::Text(text)),
        (Kind::Secret, Value::Text(text)) if matches!(place, Place::Variable(_)) => {
            Ok(Given::Text(text))
        }
        (Kind::Duration(min, max), Value::Text(text)) => {
            within(parse_duration(&text)?, (*min, *max), duration_text).map(Given::Duration)
        }
        (Kind::Count(min, max), Value::Integer(number)) => match u64::try_from(number) {
            Ok(count) => within(count, (*min, *max), |count| count.to_string()).map(Given::Count),
            Err(_) => Err(format!("{number} is below the least, {min}")),
        },
        (Kind::Switch, Value::Switch(on)) => Ok(Given::Switch(on)),
        (Kind::Word(now, later), Value::Text(text)) => word(&text, now, later).map(Given::Word),
        (kind, value) => Err(expected(kind, &value)),
    }
}

fn within<T: PartialOrd + Copy>(
    given: T,
    (min, max): (T, T),
    text: impl Fn(T) -> String,
) -> Result<T, String> {
    if given < min {
        return Err(format!("{} is below the least, {}", text(given), text(min)));
    }
    if max < given {
        return Err(format!("{} is above the most, {}", text(given), text(max)));
    }
    Ok(given)
}

fn word(text: &str, now: &[&'static str], later: &[&'static str]) -> Result<&'static str, String> {
    if let Some(word) = now.iter().find(|word| **word == text) {
        return Ok(word);
    }
    let words = quoted(now);
    if later.contains(&text) {
        return Err(format!("{text:?} comes with a later version; use {words}"));
    }
    match nearest(text, now.iter().copied()) {
        Some(near) => Err(format!("{text:?} is none of {words}; did you mean {near:?}?")),
        None => Err(format!("{text:?} is none of {words}")),
    }
}

/// Words in a sentence: `"a", "b" or "c"`.
pub(crate) fn quoted(words: &[&str]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("{word:?}")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}

fn expected(kind: &Kind, value: &Value) -> String {
    let what = value.what();
    let many = if let Value::List(list) = value { list.len() } else { 0 };
    match kind {
        Kind::Texts(max) if *max < many => format!("has {many} texts; {max} is the most"),
        Kind::Text | Kind::Required => format!("{what} is not a text; put it in quotes"),
        Kind::Secret => "is a secret: it may stand in the environment alone; \
                         use `master_key_file` here"
            .to_owned(),
        Kind::Duration(..) => format!(
            "{what} is not a duration; \
             write an integer and ms, s, min, h or d in quotes, such as \"10s\""
        ),
        Kind::Count(min, max) => format!("{what} is not a number from {min} to {max}"),
        Kind::Switch => format!("{what} is neither true nor false"),
        Kind::Word(now, _) => format!("{what} is none of {}", quoted(now)),
        Kind::Texts(max) => format!("{what} is not a list of at most {max} texts"),
        Kind::Table(_) => format!("{what} is not a table"),
        Kind::Rows { max, .. } => format!("{what} is not a list of at most {max} tables"),
    }
}

/// What to say of a name that is no setting here: the nearest one, or where it does belong.
pub(crate) fn unknown(name: &str, settings: &'static [Setting]) -> String {
    let names = settings.iter().map(|setting| setting.name);
    if let Some(near) = nearest(name, names.clone()) {
        return format!("there is no setting `{name}`; did you mean `{near}`?");
    }
    let mut elsewhere = None;
    walk(SETTINGS, "", &mut |path, setting| {
        if setting.name == name && elsewhere.is_none() {
            elsewhere = Some(path);
        }
    });
    match elsewhere {
        Some(path) => format!("there is no setting `{name}` here; it stands at `{path}`"),
        None => {
            let names: Vec<_> = names.map(|name| format!("`{name}`")).collect();
            format!("there is no setting `{name}`; there are {}", names.join(", "))
        }
    }
}
