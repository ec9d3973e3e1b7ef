//! Holds a value against a schema. Knows the keywords that the document uses, and refuses others: one
//! that is passed over would be a check that is not made.

use serde_json::Value;

/// What is checked against, and how strictly.
#[derive(Clone, Copy)]
pub(super) struct Checker<'a> {
    document: &'a Value,
}

impl<'a> Checker<'a> {
    pub(super) fn new(document: &'a Value) -> Self {
        Self { document }
    }

    /// What a reference leads to.
    pub(super) fn follow(&self, value: &'a Value) -> &'a Value {
        let Some(reference) = value["$ref"].as_str() else { return value };
        let pointer = reference.strip_prefix('#').unwrap();
        let found = self.document.pointer(pointer);
        found.unwrap_or_else(|| panic!("{reference} leads nowhere"))
    }

    /// Every way in which a value is not what the schema says. A member that the schema does not name
    /// is wrong too: answers may grow, and then the document grows with them.
    pub(super) fn wrong(&self, schema: &'a Value, value: &Value, at: &str) -> Vec<String> {
        let mut wrong = Vec::new();
        for (keyword, bound) in schema.as_object().unwrap() {
            match keyword.as_str() {
                "$ref" => wrong.extend(self.wrong(self.follow(schema), value, at)),
                "properties" => wrong.extend(self.members(schema, value, at)),
                "items" => wrong.extend(self.items(bound, value, at)),
                "oneOf" => wrong.extend(self.one_of(bound, value, at)),
                "anyOf" => wrong.extend(self.any_of(bound, value, at)),
                _ if holds(keyword, bound, value) => {}
                _ => wrong.push(format!("{at}: {value} breaks {keyword} {bound}")),
            }
        }
        wrong
    }

    fn members(&self, schema: &'a Value, value: &Value, at: &str) -> Vec<String> {
        let known = schema["properties"].as_object().unwrap();
        let open = schema["additionalProperties"] == true;
        let mut wrong = Vec::new();
        for (name, member) in value.as_object().into_iter().flatten() {
            let at = format!("{at}.{name}");
            match known.get(name) {
                Some(schema) => wrong.extend(self.wrong(schema, member, &at)),
                None if open => {}
                None => wrong.push(format!("{at} is not described")),
            }
        }
        wrong
    }

    fn items(&self, schema: &'a Value, value: &Value, at: &str) -> Vec<String> {
        let items = value.as_array().into_iter().flatten().enumerate();
        items.flat_map(|(n, item)| self.wrong(schema, item, &format!("{at}[{n}]"))).collect()
    }

    fn one_of(&self, choices: &'a Value, value: &Value, at: &str) -> Option<String> {
        let fitting = self.fitting(choices, value, at);
        (fitting != 1).then(|| format!("{at}: {value} fits {fitting} of the choices"))
    }

    fn any_of(&self, choices: &'a Value, value: &Value, at: &str) -> Option<String> {
        let none = self.fitting(choices, value, at) == 0;
        none.then(|| format!("{at}: {value} fits none of the choices"))
    }

    fn fitting(&self, choices: &'a Value, value: &Value, at: &str) -> usize {
        let choices = choices.as_array().unwrap().iter();
        choices.filter(|choice| self.wrong(choice, value, at).is_empty()).count()
    }
}

/// Whether a value obeys one keyword; a keyword about another type says nothing.
fn holds(keyword: &str, bound: &Value, value: &Value) -> bool {
    let length = || value.as_str().map(|text| text.chars().count() as u64);
    let entries = || value.as_array().map(|list| list.len() as u64);
    let members = || value.as_object().map(|object| object.len() as u64);
    let at_most = |size: Option<u64>| size <= bound.as_u64();
    let at_least = |size: Option<u64>| size.is_none() || bound.as_u64() <= size;
    match keyword {
        "type" => is(bound.as_str().unwrap(), value),
        "const" => bound == value,
        "enum" => bound.as_array().unwrap().contains(value),
        "required" => bound.as_array().unwrap().iter().all(|name| has(value, name)),
        "minLength" => at_least(length()),
        "maxLength" => at_most(length()),
        "maxItems" => at_most(entries()),
        "minProperties" => at_least(members()),
        "maxProperties" => at_most(members()),
        "minimum" => value.as_i64().is_none_or(|n| bound.as_i64() <= Some(n)),
        "maximum" => value.as_i64().is_none_or(|n| Some(n) <= bound.as_i64()),
        "pattern" => value.as_str().is_none_or(|text| fits(bound.as_str().unwrap(), text)),
        "description" | "default" | "examples" | "format" | "additionalProperties" => true,
        _ => panic!("the checker does not know `{keyword}`; teach it"),
    }
}

fn is(kind: &str, value: &Value) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        _ => panic!("the checker does not know the type `{kind}`; teach it"),
    }
}

fn has(value: &Value, name: &Value) -> bool {
    value.as_object().is_none_or(|object| object.contains_key(name.as_str().unwrap()))
}

/// The patterns that are used, written out: no engine for eight of them.
fn fits(pattern: &str, text: &str) -> bool {
    let base64url = |length: usize| {
        text.len() == length
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match pattern {
        "^[A-Za-z0-9_-]{16}$" => base64url(16),
        "^[A-Za-z0-9_-]{22}$" => base64url(22),
        "^[A-Za-z0-9_-]{38}$" => base64url(38),
        "^[A-Za-z0-9_-]{43}$" => base64url(43),
        "^[!-~]+$" => !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic()),
        "^/[!-~]*$" => text.starts_with('/') && text.bytes().all(|b| b.is_ascii_graphic()),
        "^[0-9]+$" => digits(text),
        "^[0-9]+\\.[0-9]+$" => text.split_once('.').is_some_and(|(a, b)| digits(a) && digits(b)),
        _ => panic!("the checker does not know the pattern `{pattern}`; teach it"),
    }
}

#[test]
fn the_checker_finds_what_is_wrong() {
    use serde_json::json;
    let document = json!({"s": {
        "type": "object", "required": ["a"],
        "properties": {
            "a": {"type": "string", "minLength": 2, "maxLength": 3},
            "b": {
                "type": "array", "maxItems": 2,
                "items": {"type": "integer", "minimum": 1, "maximum": 9},
            },
            "c": {"oneOf": [{"type": "null"}, {"enum": ["x", "y"]}]},
            "d": {"type": "string", "pattern": "^[0-9]+\\.[0-9]+$"},
            "f": {"anyOf": [{"type": "null"}, {"type": "object", "minProperties": 1}]},
        },
    }});
    let checker = Checker::new(&document);
    let wrong = |value: Value| checker.wrong(&document["s"], &value, "it").len();
    assert_eq!(wrong(json!({"a": "ab", "b": [1, 9], "c": null, "d": "0.1"})), 0);
    for broken in [
        json!([]),
        json!({}),
        json!({"a": "a"}),
        json!({"a": "abcd"}),
        json!({"a": 5}),
        json!({"a": "ab", "b": [0]}),
        json!({"a": "ab", "b": [-1]}),
        json!({"a": "ab", "b": [10]}),
        json!({"a": "ab", "b": [1, 2, 3]}),
        json!({"a": "ab", "c": "z"}),
        json!({"a": "ab", "d": "1"}),
        json!({"a": "ab", "e": 1}),
        json!({"a": "ab", "f": {}}),
        json!({"a": "ab", "f": 1}),
    ] {
        assert_ne!(wrong(broken.clone()), 0, "{broken}");
    }
}
