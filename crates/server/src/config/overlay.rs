//! Settings that were given outside the file: in the environment and with `--set`.

use crate::config::check::unknown;
use crate::config::place::{Place, Problems, nearest};
use crate::config::settings::{Kind, SETTINGS, Setting};
use crate::config::tree::{Node, Table, Value, read_value};
use toml::de::{DeTable, DeValue};

/// What every variable that is a setting begins with.
pub(crate) const PREFIX: &str = "SYMBOLON_";

/// Variables of that prefix that are not settings: those of the command line, and those that
/// Kubernetes sets for a service named `symbolon`.
const NOT_SETTINGS: [&str; 4] =
    ["SYMBOLON_URL", "SYMBOLON_API_KEY", "SYMBOLON_CA_FILE", "SYMBOLON_CONFIG"];
const KUBERNETES: [&str; 2] = ["SYMBOLON_SERVICE_", "SYMBOLON_PORT"];

/// Lays the environment over the file.
pub(crate) fn lay_environment(
    tree: &mut Table,
    variables: &[(String, String)],
    problems: &mut Problems,
) {
    for (variable, text) in variables {
        let foreign = NOT_SETTINGS.contains(&variable.as_str())
            || KUBERNETES.iter().any(|prefix| variable.starts_with(prefix));
        if let Some(path) = variable.strip_prefix(PREFIX).filter(|_| !foreign) {
            let path = path.split("__").map(str::to_lowercase).collect();
            let place = Place::Variable(variable.as_str().into());
            Overlay { place, text, loose: true, problems }.lay(tree, path);
        }
    }
}

/// Lays `--set path=value` over what is there, in the order given.
pub(crate) fn lay_flags(tree: &mut Table, flags: &[String], problems: &mut Problems) {
    for flag in flags {
        let Some((path, text)) = flag.split_once('=') else {
            let what = "write --set path=value, such as --set listen=127.0.0.1:8620";
            problems.add(&Place::Flag(format!("--set {flag}").into()), "", what);
            continue;
        };
        let place = Place::Flag(format!("--set {}", path.trim()).into());
        match split_path(path) {
            Some(path) => Overlay { place, text, loose: false, problems }.lay(tree, path),
            None => problems.add(&place, "", "is not a path such as clients.web.refresh.grace"),
        }
    }
}

/// Splits a path as TOML splits a dotted name, so that `clients."a.b".scope` works.
fn split_path(path: &str) -> Option<Vec<String>> {
    if path.chars().any(|c| c.is_control() || c == '#' || c == '=') {
        return None;
    }
    let text = format!("{path} = 0");
    let mut names = Vec::new();
    let mut table = DeTable::parse(&text).ok()?.into_inner();
    loop {
        let (name, node) = std::mem::take(&mut table).into_iter().next()?;
        names.push(name.into_inner().into_owned());
        match node.into_inner() {
            DeValue::Table(inner) => table = inner,
            DeValue::Integer(_) => return Some(names),
            DeValue::String(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_) => return None,
        }
    }
}

/// One value on its way into the tree.
struct Overlay<'a> {
    place: Place,
    text: &'a str,
    /// Whether rows are found by a spelling that an environment variable can have.
    loose: bool,
    problems: &'a mut Problems,
}

impl Overlay<'_> {
    fn lay(&mut self, tree: &mut Table, path: Vec<String>) {
        if let Err(what) = self.descend(tree, SETTINGS, &path) {
            self.problems.add(&self.place, "", what);
        }
    }

    fn descend(
        &self,
        table: &mut Table,
        settings: &'static [Setting],
        path: &[String],
    ) -> Result<(), String> {
        let (name, below) = path.split_first().ok_or("is not the path of a setting")?;
        let found = settings.iter().find(|setting| setting.name == name);
        let setting = found.ok_or_else(|| unknown(name, settings))?;
        match (&setting.kind, below) {
            (_, []) => {
                let node = self.node(&setting.kind)?;
                table.0.insert(name.clone(), (self.place.clone(), node));
                Ok(())
            }
            (Kind::Table(inner), _) => self.descend(self.table(table, name)?, inner, below),
            (Kind::Rows { key, settings, .. }, [row, below @ ..]) => {
                self.descend(self.row(table, name, (key, row))?, settings, below)
            }
            (_, [further, ..]) => Err(format!("`{name}` has no `{further}` in it")),
        }
    }

    /// The table of that name, made if it is not there.
    fn table<'t>(&self, above: &'t mut Table, name: &str) -> Result<&'t mut Table, String> {
        let empty = || {
            let node = Node { place: self.place.clone(), value: Value::Table(Table::default()) };
            (self.place.clone(), node)
        };
        match &mut above.0.entry(name.to_owned()).or_insert_with(empty).1.value {
            Value::Table(table) => Ok(table),
            Value::Text(_)
            | Value::Integer(_)
            | Value::Switch(_)
            | Value::List(_)
            | Value::Other(_) => Err(format!("`{name}` is not a table in the file")),
        }
    }

    /// The one row whose key is that name, or the row of that number.
    fn row<'t>(
        &self,
        above: &'t mut Table,
        rows: &str,
        (key, name): (&str, &str),
    ) -> Result<&'t mut Table, String> {
        let list = match above.0.get_mut(rows).map(|(_, node)| &mut node.value) {
            Some(Value::List(list)) => list,
            Some(_) | None => return Err(format!("there are no `{rows}` in the file to change")),
        };
        let keys: Vec<String> = list.iter().map(|row| key_text(row, key)).collect();
        let mut same = keys.iter().enumerate().filter(|(_, found)| self.names(found, name));
        let at = match (same.next(), same.next()) {
            (Some((at, _)), None) => Some(at),
            (Some(_), Some(_)) => return Err(format!("several {rows} are spelled {name:?} so")),
            (None, _) => name.parse::<usize>().ok(),
        };
        match at.and_then(|at| list.get_mut(at)).map(|row| &mut row.value) {
            Some(Value::Table(table)) => Ok(table),
            Some(_) | None => Err(no_row(rows, (key, name), &keys)),
        }
    }

    fn names(&self, key: &str, segment: &str) -> bool {
        let spelled =
            |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
        if self.loose { key.chars().map(spelled).eq(segment.chars()) } else { key == segment }
    }

    fn node(&self, kind: &Kind) -> Result<Node, String> {
        let node = |value| Ok(Node { place: self.place.clone(), value });
        match kind {
            Kind::Text | Kind::Required | Kind::Secret | Kind::Duration(..) | Kind::Word(..) => {
                node(Value::Text(self.text.to_owned()))
            }
            Kind::Count(..) => node(match self.text.parse() {
                Ok(number) => Value::Integer(number),
                Err(_) => Value::Text(self.text.to_owned()),
            }),
            Kind::Switch => node(match self.text {
                "true" => Value::Switch(true),
                "false" => Value::Switch(false),
                other => Value::Text(other.to_owned()),
            }),
            Kind::Texts(_) if !self.text.trim_start().starts_with('[') => {
                let texts = self.text.split(',').map(str::trim).filter(|text| !text.is_empty());
                let list = texts.map(|text| node(Value::Text(text.to_owned())));
                node(Value::List(list.collect::<Result<_, String>>()?))
            }
            Kind::Texts(_) | Kind::Table(_) | Kind::Rows { .. } => {
                read_value(self.text, &self.place)
                    .map_err(|why| format!("must be written as a TOML value: {why}"))
            }
        }
    }
}

fn key_text(row: &Node, key: &str) -> String {
    let Value::Table(table) = &row.value else { return String::new() };
    match table.0.get(key).map(|(_, node)| &node.value) {
        Some(Value::Text(text)) => text.clone(),
        Some(_) | None => String::new(),
    }
}

fn no_row(rows: &str, (key, name): (&str, &str), keys: &[String]) -> String {
    match nearest(name, keys.iter().map(String::as_str)) {
        Some(near) => format!("no {rows} have {key} {name:?}; did you mean {near:?}?"),
        None => format!("no {rows} have {key} {name:?}; there are: {}", keys.join(", ")),
    }
}
