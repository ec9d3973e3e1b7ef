//! The table of settings as a JSON Schema, for editors and for other programs.

use crate::config::duration::duration_text;
use crate::config::settings::{Kind, SETTINGS, Setting};
use serde_json::{Map, Value, json};

/// The settings as JSON Schema 2020-12.
pub fn schema() -> Value {
    let mut schema = table(SETTINGS);
    schema.insert("$schema".into(), "https://json-schema.org/draft/2020-12/schema".into());
    schema.insert("title".into(), "symbolon.toml".into());
    Value::Object(schema)
}

fn table(settings: &[Setting]) -> Map<String, Value> {
    let accepted = |setting: &&Setting| !matches!(setting.kind, Kind::Secret);
    let properties: Map<String, Value> = settings
        .iter()
        .filter(accepted)
        .map(|setting| (setting.name.to_owned(), Value::Object(property(setting))))
        .collect();
    let required: Vec<_> = settings
        .iter()
        .filter(|setting| matches!(setting.kind, Kind::Required))
        .map(|setting| setting.name)
        .collect();
    Map::from_iter([
        ("type".to_owned(), json!("object")),
        ("additionalProperties".to_owned(), json!(false)),
        ("required".to_owned(), json!(required)),
        ("properties".to_owned(), Value::Object(properties)),
    ])
}

fn property(setting: &Setting) -> Map<String, Value> {
    let mut property = shape(&setting.kind);
    property.insert("description".into(), setting.about.into());
    if let Some(default) = default(setting) {
        property.insert("default".into(), default);
    }
    property
}

fn shape(kind: &Kind) -> Map<String, Value> {
    let shape = match kind {
        Kind::Text | Kind::Required | Kind::Secret => json!({ "type": "string" }),
        Kind::Duration(min, max) => json!({
            "type": "string",
            "pattern": "^(0|[1-9][0-9]*)(ms|s|min|h|d)$",
            "$comment": format!("{} to {}, both included", duration_text(*min), duration_text(*max)),
        }),
        Kind::Count(min, max) => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Kind::Switch => json!({ "type": "boolean" }),
        Kind::Word(now, _) => json!({ "enum": now }),
        Kind::Texts(max) => {
            json!({ "type": "array", "items": { "type": "string" }, "maxItems": max })
        }
        Kind::Table(settings) => return table(settings),
        Kind::Rows { max, settings, .. } => {
            json!({ "type": "array", "maxItems": max, "items": table(settings) })
        }
    };
    shape.as_object().cloned().unwrap_or_default()
}

fn default(setting: &Setting) -> Option<Value> {
    match setting.kind {
        Kind::Count(..) | Kind::Switch | Kind::Texts(_) | Kind::Table(_) | Kind::Rows { .. } => {
            serde_json::from_str(setting.default).ok()
        }
        Kind::Text | Kind::Required | Kind::Secret | Kind::Duration(..) | Kind::Word(..) => {
            Some(setting.default).filter(|text| !text.is_empty()).map(Into::into)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_knows_names_bounds_and_defaults() {
        let schema = schema();
        let client = &schema["properties"]["clients"]["items"]["properties"];
        assert_eq!(client["refresh"]["properties"]["grace"]["default"], "10s");
        assert_eq!(client["devices"]["properties"]["per_subject"]["maximum"], 1000);
        assert_eq!(client["devices"]["properties"]["per_subject"]["default"], 10);
        assert_eq!(schema["required"], json!(["issuer", "store"]));
        assert_eq!(schema["additionalProperties"], false);
    }

    #[test]
    fn what_may_not_stand_in_a_file_is_not_in_the_schema() {
        let schema = schema();
        assert!(schema["properties"]["master_key"].is_null());
        assert_eq!(schema["properties"]["issuer"]["type"], "string");
    }
}
