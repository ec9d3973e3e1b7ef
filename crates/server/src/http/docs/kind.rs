//! What a schema allows, in a few words.

use super::page::{code, escape};
use super::words::Words;
use serde_json::Value;

/// The type of a schema, its bounds and its default.
pub(super) fn kind(schema: &Value, words: &Words) -> String {
    let mut parts = vec![bare(schema, words)];
    parts.extend(bounds(schema));
    if let Some(pattern) = schema["pattern"].as_str() {
        parts.push(code(pattern));
    }
    if let Some(default) = schema.get("default") {
        parts.push(format!("({} {})", words.default, code(&plain(default))));
    }
    parts.join(" ")
}

fn bare(schema: &Value, words: &Words) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        let name = escape(name);
        return format!("<a href=\"#schema-{name}\">{name}</a>");
    }
    if let Some(value) = schema.get("const") {
        return code(&plain(value));
    }
    if let Some(values) = schema["enum"].as_array() {
        return values.iter().map(|value| code(&plain(value))).collect::<Vec<_>>().join(" ");
    }
    if let Some(choices) = schema["oneOf"].as_array().or(schema["anyOf"].as_array()) {
        let choices: Vec<_> = choices.iter().map(|choice| kind(choice, words)).collect();
        return choices.join(&format!(" {} ", words.or));
    }
    match schema["type"].as_str() {
        Some("array") => format!("{} {}", words.list_of, kind(&schema["items"], words)),
        Some(name) => escape(name),
        None => String::new(),
    }
}

fn bounds(schema: &Value) -> Option<String> {
    let bound = |names: [&str; 4]| names.iter().find_map(|name| schema[name].as_u64());
    let least = bound(["minLength", "minimum", "minItems", "minProperties"]);
    match (least, bound(["maxLength", "maximum", "maxItems", "maxProperties"])) {
        (Some(least), Some(most)) => Some(format!("{least}–{most}")),
        (None, Some(most)) => Some(format!("≤ {most}")),
        (Some(least), None) => Some(format!("≥ {least}")),
        (None, None) => None,
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::super::words::ENGLISH;
    use super::*;
    use serde_json::json;

    #[test]
    fn a_schema_is_told_in_a_few_words() {
        for (schema, told) in [
            (json!({"type": "string", "minLength": 1, "maxLength": 255}), "string 1–255"),
            (
                json!({"type": "integer", "maximum": 9, "default": 5}),
                "integer ≤ 9 (default <code>5</code>)",
            ),
            (json!({"enum": ["a", "b"]}), "<code>a</code> <code>b</code>"),
            (json!({"type": "array", "items": {"type": "string"}}), "list of string"),
            (
                json!({"oneOf": [{"$ref": "#/components/schemas/Ban"}, {"type": "null"}]}),
                "<a href=\"#schema-Ban\">Ban</a> or null",
            ),
            (json!({"const": "<b>"}), "<code>&lt;b&gt;</code>"),
        ] {
            assert_eq!(kind(&schema, &ENGLISH), told);
        }
    }
}
