//! Answers as people read them.

use crate::cli::net::escape;
use crate::cli::out;
use serde_json::Value;

/// A value as people read it.
pub fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => printable(text),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(" "),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => printable(&value.to_string()),
    }
}

/// A foreign text that cannot move a terminal's cursor.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// An instant as people read it; nothing if there is none.
pub fn time(value: &Value) -> String {
    value.as_u64().map(out::utc).unwrap_or_default()
}

/// A path with those parameters that are given.
pub fn with_query(path: String, members: &[(&str, Option<&str>)]) -> String {
    let given = members.iter().filter_map(|(name, value)| Some((name, (*value)?)));
    let query: Vec<_> = given.map(|(name, value)| format!("{name}={}", escape(value))).collect();
    if query.is_empty() { path } else { format!("{path}?{}", query.join("&")) }
}
