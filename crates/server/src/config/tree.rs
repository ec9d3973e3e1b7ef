//! A configuration as it was written: values that know where they stand, not yet what they mean.

use crate::config::place::{Place, Problems};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use toml::de::{DeTable, DeValue};

/// A value and where it stands.
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) value: Value,
}

/// A value.
pub(crate) enum Value {
    Text(String),
    Integer(i64),
    Switch(bool),
    List(Vec<Node>),
    Table(Table),
    /// Something that no setting is: its name in a sentence, such as "a boolean".
    Other(&'static str),
}

impl Value {
    /// What it is, in a sentence.
    pub(crate) const fn what(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Integer(_) => "an integer",
            Self::Switch(_) => "a boolean",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Other(what) => what,
        }
    }
}

/// Members by name; each name has a place of its own.
#[derive(Default)]
pub(crate) struct Table(pub(crate) BTreeMap<String, (Place, Node)>);

/// Turns a span of the text into a place.
type PlaceOf<'a> = &'a dyn Fn(Range<usize>) -> Place;

/// Reads a file's text; what is no TOML, and names given twice, are problems.
pub(crate) fn read_file(name: &Arc<str>, text: &str, problems: &mut Problems) -> Option<Table> {
    let place_of = |span: Range<usize>| {
        let (line, column) = line_and_column(text, span.start);
        Place::File { name: name.clone(), line, column }
    };
    let (document, errors) = DeTable::parse_recoverable(text);
    let mut readable = true;
    for error in &errors {
        readable &= error.message() == DUPLICATE;
        let place = place_of(error.span().unwrap_or_default());
        problems.add(&place, "", syntax_message(error.message(), text, error.span()));
    }
    readable.then(|| table(document.into_inner(), &place_of))
}

/// What the TOML reader says of a name that is given twice.
const DUPLICATE: &str = "duplicate key";

fn syntax_message(message: &str, text: &str, span: Option<Range<usize>>) -> String {
    let name = span.and_then(|span| text.get(span)).unwrap_or_default();
    match message {
        DUPLICATE => format!("`{name}` is given twice; keep one"),
        other => format!("not TOML: {other}"),
    }
}

/// Reads one TOML value that was given outside a file.
pub(crate) fn read_value(text: &str, place: &Place) -> Result<Node, String> {
    let value = DeValue::parse(text).map_err(|error| error.message().to_owned())?;
    Ok(Node { place: place.clone(), value: self::value(value.into_inner(), &|_| place.clone()) })
}

fn table(table: DeTable<'_>, place_of: PlaceOf<'_>) -> Table {
    let member = |(name, node): (toml::Spanned<_>, toml::Spanned<DeValue<'_>>)| {
        let (name_at, node_at) = (place_of(name.span()), place_of(node.span()));
        let name: std::borrow::Cow<'_, str> = name.into_inner();
        (
            name.into_owned(),
            (name_at, Node { place: node_at, value: value(node.into_inner(), place_of) }),
        )
    };
    Table(table.into_iter().map(member).collect())
}

fn value(from: DeValue<'_>, place_of: PlaceOf<'_>) -> Value {
    match from {
        DeValue::String(text) => Value::Text(text.into_owned()),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Value::Integer(number),
            Err(_) => Value::Other("an integer beyond 64 bits"),
        },
        DeValue::Float(_) => Value::Other("a number with a fraction"),
        DeValue::Boolean(on) => Value::Switch(on),
        DeValue::Datetime(_) => Value::Other("a date"),
        DeValue::Table(inner) => Value::Table(table(inner, place_of)),
        DeValue::Array(list) => {
            let node = |node: toml::Spanned<DeValue<'_>>| Node {
                place: place_of(node.span()),
                value: value(node.into_inner(), place_of),
            };
            Value::List(list.into_iter().map(node).collect())
        }
    }
}

/// Line and column of a byte; both count from 1, columns in characters.
fn line_and_column(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_lines_count_from_one() {
        let text = "甲乙 = 1\nb = 2\r\nc";
        assert_eq!(line_and_column(text, 0), (1, 1));
        assert_eq!(line_and_column(text, text.find('1').unwrap()), (1, 6));
        assert_eq!(line_and_column(text, text.find('2').unwrap()), (2, 5));
        assert_eq!(line_and_column(text, text.len()), (3, 2));
        assert_eq!(line_and_column(text, 10_000), (3, 2));
    }

    #[test]
    fn a_name_given_twice_is_found_and_the_rest_is_still_read() {
        let mut problems = Problems::default();
        let tree = read_file(&"x.toml".into(), "a = 1\nb = 2\na = 3\n", &mut problems).unwrap();
        assert!(tree.0.contains_key("b"));
        let shown: Vec<_> = problems.into_sorted().iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["x.toml:3:1: `a` is given twice; keep one"]);
    }
}
