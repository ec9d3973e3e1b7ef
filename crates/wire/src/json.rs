//! A strict reader of JSON objects (RFC 8259, RFC 7515 §4, RFC 7519 §4).
//!
//! `serde_json` reads the grammar; this adds what signed text needs: the top level is an object
//! and nothing follows it, no object at any level names a member twice, nesting and the number
//! of members are bounded. Errors name the member and never quote the text.

use crate::Malformed;
use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// How many members the object that we read may have. Inclusive.
pub(crate) const MEMBERS_MAX: usize = 64;

/// How deep objects and arrays may nest, the outermost counted. Inclusive.
pub(crate) const DEPTH_MAX: usize = 16;

/// An object that was read strictly; its members' values are kept as text.
pub(crate) struct Object<'a> {
    members: Vec<(Cow<'a, str>, &'a RawValue)>,
}

impl<'a> Object<'a> {
    /// Reads text that must be one object; `what` names the text in an error.
    pub(crate) fn parse(text: &'a str, what: &'static str) -> Result<Self, Malformed> {
        let mut why = "is not a JSON object";
        let mut json = serde_json::Deserializer::from_str(text);
        let members = json
            .deserialize_map(MembersVisitor { why: &mut why })
            .and_then(|members| json.end().map(|()| members))
            .map_err(|_| Malformed::new(what, why))?;
        Ok(Self { members })
    }

    /// All members in the order of the text.
    pub(crate) fn members(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.members.iter().map(|(name, value)| (name.as_ref(), *value))
    }

    /// Whether a member of that name is there, whatever its value.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.raw(name).is_some()
    }

    /// A member's text.
    pub(crate) fn raw(&self, name: &str) -> Option<&'a RawValue> {
        self.members().find(|(member, _)| *member == name).map(|(_, value)| value)
    }

    /// A member that, if it is there, is a string.
    pub(crate) fn string(&self, name: &'static str) -> Result<Option<Cow<'a, str>>, Malformed> {
        self.raw(name).map(|value| string(value, name)).transpose()
    }

    /// A member that must be there and be a string.
    pub(crate) fn required(&self, name: &'static str) -> Result<Cow<'a, str>, Malformed> {
        self.string(name)?.ok_or(Malformed::new(name, "is missing"))
    }
}

/// Hands over the members of text that must be one object, in their order, and keeps none of them: for the
/// path on which every allocation counts. The first refusal of `take` ends the reading.
pub(crate) fn each_member<'a>(
    text: &'a str,
    what: &'static str,
    take: impl FnMut(Cow<'a, str>, &'a RawValue) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let mut wrong = Malformed::new(what, "is not a JSON object");
    let mut json = serde_json::Deserializer::from_str(text);
    let read = json.deserialize_map(EachMember { wrong: &mut wrong, what, take });
    read.and_then(|()| json.end()).map_err(|_| wrong)
}

/// Reads a value that must be a string.
pub(crate) fn string<'a>(
    value: &'a RawValue,
    member: &'static str,
) -> Result<Cow<'a, str>, Malformed> {
    // The grammar was checked when the object was read, so text without an escape is itself.
    let text = value.get();
    match text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(plain) if !plain.contains('\\') => Ok(Cow::Borrowed(plain)),
        Some(_) | None => match serde_json::from_str::<Text<'a>>(text) {
            Ok(Text(text)) => Ok(text),
            Err(_) => Err(Malformed::new(member, "must be a string")),
        },
    }
}

/// Reads a value that must be an array of strings, and copies none that has no escapes.
pub(crate) fn names<'a>(value: &'a RawValue, member: &'static str) -> Result<Names<'a>, Malformed> {
    let text = value.get();
    if text.contains('\\') {
        return strings(value, member).map(|read| Names(Inner::Read(read)));
    }
    let mut json = serde_json::Deserializer::from_str(text);
    match json.deserialize_seq(OnlyStrings) {
        Ok(()) => Ok(Names::plain(text)),
        Err(_) => Err(Malformed::new(member, "must be an array of strings")),
    }
}

/// An array of strings.
#[derive(Clone, Debug, Default)]
pub struct Names<'a>(Inner<'a>);

#[derive(Clone, Debug)]
enum Inner<'a> {
    /// The array's own text, in which there is no escape, so that what stands between quotes is the string.
    Plain(&'a str),
    Read(Vec<Cow<'a, str>>),
}

impl Default for Inner<'_> {
    fn default() -> Self {
        Self::Plain("[]")
    }
}

impl<'a> Names<'a> {
    /// The strings of an array's text that was read as one of strings without escapes.
    pub(crate) const fn plain(text: &'a str) -> Self {
        Self(Inner::Plain(text))
    }

    /// Whether nothing was read into it: a list that is plain has at least one string.
    pub(crate) fn is_nothing(&self) -> bool {
        matches!(self.0, Inner::Plain("[]"))
    }

    /// The strings, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let (plain, read): (&str, &[_]) = match &self.0 {
            Inner::Plain(text) => (text, &[]),
            Inner::Read(names) => ("", names),
        };
        plain.split('"').skip(1).step_by(2).chain(read.iter().map(AsRef::as_ref))
    }
}

/// Reads a value that must be an array of strings; the text around it bounds how many.
pub(crate) fn strings<'a>(
    value: &'a RawValue,
    member: &'static str,
) -> Result<Vec<Cow<'a, str>>, Malformed> {
    match serde_json::from_str::<Vec<Text<'a>>>(value.get()) {
        Ok(texts) => Ok(texts.into_iter().map(|text| text.0).collect()),
        Err(_) => Err(Malformed::new(member, "must be an array of strings")),
    }
}

/// Whether a value keeps the rules at every level: no duplicates, bounded depth, real strings.
///
/// `depth` is how many levels stand around the value.
pub(crate) fn is_strict(value: &RawValue, depth: usize) -> bool {
    let mut json = serde_json::Deserializer::from_str(value.get());
    Walk { depth }.deserialize(&mut json).is_ok()
}

/// A string, borrowed where it has no escapes. (`Cow` itself always copies in serde.)
struct Text<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_str(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Text(Cow::Owned(text.to_owned())))
    }
}

/// Reads an object's members and says why it would not.
struct MembersVisitor<'w> {
    why: &'w mut &'static str,
}

impl<'de> Visitor<'de> for MembersVisitor<'_> {
    type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members: Self::Value = Vec::with_capacity(16);
        while let Some(Text(name)) = map.next_key()? {
            if members.iter().any(|(seen, _)| *seen == name) {
                *self.why = "names a member twice";
                return Err(de::Error::custom(""));
            }
            if members.len() == MEMBERS_MAX {
                *self.why = "has too many members";
                return Err(de::Error::custom(""));
            }
            members.push((name, map.next_value()?));
        }
        Ok(members)
    }
}

/// Hands over an object's members; says into `wrong` why it would not.
struct EachMember<'w, F> {
    wrong: &'w mut Malformed,
    what: &'static str,
    take: F,
}

impl<'de, F: FnMut(Cow<'de, str>, &'de RawValue) -> Result<(), Malformed>> Visitor<'de>
    for EachMember<'_, F>
{
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        // Names without an escape, which is all of them in practice, are remembered without an allocation.
        let (mut plain, mut plains) = ([""; MEMBERS_MAX], 0);
        let mut escaped: Vec<String> = Vec::new();
        while let Some(Text(name)) = map.next_key()? {
            let seen =
                plain[..plains].contains(&&*name) || escaped.iter().any(|seen| *seen == name);
            let full = plains + escaped.len() == MEMBERS_MAX;
            if seen || full {
                let why = if seen { "names a member twice" } else { "has too many members" };
                *self.wrong = Malformed::new(self.what, why);
                return Err(de::Error::custom(""));
            }
            match &name {
                Cow::Borrowed(name) => {
                    plain[plains] = name;
                    plains += 1;
                }
                Cow::Owned(name) => escaped.push(name.clone()),
            }
            (self.take)(name, map.next_value()?).map_err(|wrong| {
                *self.wrong = wrong;
                de::Error::custom("")
            })?;
        }
        Ok(())
    }
}

/// An array in which there are only strings.
struct OnlyStrings;

impl<'de> Visitor<'de> for OnlyStrings {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of strings")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<(), A::Error> {
        while array.next_element::<Text<'_>>()?.is_some() {}
        Ok(())
    }
}

/// Walks a value of any kind; what it finds is only counted.
#[derive(Clone, Copy)]
struct Walk {
    depth: usize,
}

impl Walk {
    fn deeper<E: de::Error>(self) -> Result<Self, E> {
        let depth = self.depth + 1;
        if depth > DEPTH_MAX { Err(E::custom("nests too deep")) } else { Ok(Self { depth }) }
    }
}

impl<'de> DeserializeSeed<'de> for Walk {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<(), A::Error> {
        let inner = self.deeper()?;
        while array.next_element_seed(inner)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let inner = self.deeper()?;
        let mut names = Vec::new();
        while let Some(Text(name)) = map.next_key()? {
            names.push(name);
            map.next_value_seed(inner)?;
        }
        // Sorted once instead of compared pairwise: a stranger chooses how many there are.
        names.sort_unstable();
        match names.windows(2).any(|pair| pair[0] == pair[1]) {
            true => Err(de::Error::custom("names a member twice")),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(text: &str) -> Option<&'static str> {
        Object::parse(text, "claims").err().map(|e| e.why())
    }

    #[test]
    fn only_an_object_is_an_object() {
        assert_eq!(why("{}"), None);
        assert_eq!(why(" {\"a\" : [1, {}] }\n"), None);
        for text in [
            "",
            "[]",
            "[[\"iss\",1]]",
            "null",
            "\"{}\"",
            "{",
            "{\"a\":1,}",
            "{a:1}",
            "{}{}",
            "{} x",
            "\u{feff}{}",
            "{\"a\":01}",
            "{'a':1}",
            "{\"a\":\"x\ny\"}",
        ] {
            assert!(why(text).is_some(), "{text}");
        }
    }

    #[test]
    fn a_member_named_twice_is_refused_however_it_is_spelled() {
        assert_eq!(why(r#"{"a":1,"a":1}"#), Some("names a member twice"));
        assert_eq!(why(r#"{"a":1,"\u0061":2}"#), Some("names a member twice"));
        let nested: Box<RawValue> = serde_json::from_str(r#"[{"b":{"a":1,"\u0061":2}}]"#).unwrap();
        assert!(!is_strict(&nested, 1));
    }

    #[test]
    fn nesting_and_members_are_bounded() {
        let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        let raw = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
        assert!(is_strict(&raw(&deep(DEPTH_MAX - 1)), 1));
        assert!(!is_strict(&raw(&deep(DEPTH_MAX)), 1));
        let wide = |n| (0..n).map(|i| format!("\"m{i}\":0")).collect::<Vec<_>>().join(",");
        assert_eq!(why(&format!("{{{}}}", wide(MEMBERS_MAX))), None);
        assert_eq!(why(&format!("{{{}}}", wide(MEMBERS_MAX + 1))), Some("has too many members"));
    }

    #[test]
    fn deeply_nested_text_is_refused_without_using_up_the_stack() {
        let text = format!("{{\"a\":{}", "[".repeat(1 << 20));
        assert!(why(&text).is_some());
    }

    #[test]
    fn a_lone_surrogate_is_no_string() {
        let raw = RawValue::from_string("\"\\ud800\"".to_owned()).unwrap();
        assert!(!is_strict(&raw, 1));
        assert!(string(&raw, "sub").is_err());
    }

    #[test]
    fn members_are_typed_strictly() {
        let text = r#"{"s":"a\u0062","n":null,"l":["x"],"i":7}"#;
        let object = Object::parse(text, "header").unwrap();
        assert_eq!(object.required("s").as_deref(), Ok("ab"));
        assert_eq!(object.string("absent"), Ok(None));
        assert!(object.required("absent").is_err());
        assert!(object.string("n").is_err(), "null is not absence");
        assert!(object.string("i").is_err());
        assert!(strings(object.raw("l").unwrap(), "l").is_ok());
        assert!(strings(object.raw("i").unwrap(), "i").is_err());
    }

    #[test]
    fn an_array_of_strings_is_read_the_same_with_and_without_escapes() {
        let all: [(&str, &[&str]); 5] = [
            ("[]", &[]),
            (r#"[""]"#, &[""]),
            (r#"[ "a" , "b,c" ,"]" ]"#, &["a", "b,c", "]"]),
            (r#"["用户",""]"#, &["用户", ""]),
            (r#"["a\"b","\\"]"#, &["a\"b", "\\"]),
        ];
        for (text, expected) in all {
            let raw = RawValue::from_string(text.to_owned()).unwrap();
            assert_eq!(names(&raw, "l").unwrap().iter().collect::<Vec<_>>(), expected, "{text}");
        }
        for text in ["\"a\"", "[1]", "[[\"a\"]]", "{}", "[null]", "[\"a\",1]", "[\"\\ud800\"]"] {
            let raw = RawValue::from_string(text.to_owned()).unwrap();
            assert!(names(&raw, "l").is_err(), "{text}");
        }
    }

    #[test]
    fn members_that_are_handed_over_are_the_same_and_as_strict() {
        let all = |text: &str| {
            let mut seen = Vec::new();
            let take = |name: Cow<'_, str>, value: &RawValue| {
                seen.push((name.into_owned(), value.get().to_owned()));
                Ok(())
            };
            each_member(text, "claims", take).map(|()| seen).map_err(|wrong| wrong.why())
        };
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let text = r#"{"a":1,"\u0062":[2],"":{}}"#;
        assert_eq!(all(text).unwrap(), [pair("a", "1"), pair("b", "[2]"), pair("", "{}")]);
        let wide = |n| (0..n).map(|i| format!("\"m{i}\":0")).collect::<Vec<_>>().join(",");
        assert!(all(&format!("{{{}}}", wide(MEMBERS_MAX))).is_ok());
        for (text, why) in [
            (&*format!("{{{}}}", wide(MEMBERS_MAX + 1)), "has too many members"),
            (r#"{"a":1,"a":1}"#, "names a member twice"),
            (r#"{"a":1,"\u0061":2}"#, "names a member twice"),
            (r#"{"\u0061":1,"a":2}"#, "names a member twice"),
            (r#"{"":1,"":2}"#, "names a member twice"),
            ("[]", "is not a JSON object"),
            ("{} x", "is not a JSON object"),
            ("{\"a\":1", "is not a JSON object"),
        ] {
            assert_eq!(all(text), Err(why), "{text}");
        }
        let refused = |_: Cow<'_, str>, _: &RawValue| Err(Malformed::new("exp", "is missing"));
        assert_eq!(each_member("{\"a\":1}", "claims", refused).unwrap_err().member(), "exp");
    }
}
