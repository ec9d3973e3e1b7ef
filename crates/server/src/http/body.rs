//! Reading bodies: bounded, typed, strict. What is wrong is told by member.

use super::oauth_error::OAuthError;
use super::problem::Problem;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, Deserializer, MapAccess, Visitor};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use tokio::time::{Duration, timeout};

/// The largest body of any call, in bytes. Inclusive.
pub const BODY_BYTES_MAX: usize = 64 * 1024;

/// How much of a body that is too large is heard to its end, in bytes. Inclusive; a longer one is cut off.
pub const OVERHEARD_MAX: u64 = 4 << 20;

/// The most parameters in a form. Inclusive.
pub const FORM_PARAMETERS_MAX: usize = 32;

/// How long a client may take to send a body.
pub const BODY_TIME_MAX: Duration = Duration::from_secs(10);

/// Why a body could not be had.
enum Unread {
    TooLarge,
    TooSlow,
    Broken,
}

/// Reads a body of at most so many bytes. One that says beforehand that it is longer is heard to its end and
/// thrown away, if that is near: who is refused while they still send may never hear why.
async fn read(body: Body, bytes_max: usize) -> Result<Bytes, Unread> {
    let announced = body.size_hint().lower();
    if OVERHEARD_MAX < announced {
        return Err(Unread::TooLarge);
    }
    if (bytes_max as u64) < announced {
        let _ = timeout(BODY_TIME_MAX, overhear(body)).await;
        return Err(Unread::TooLarge);
    }
    match timeout(BODY_TIME_MAX, Limited::new(body, bytes_max).collect()).await {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Unread::TooLarge),
        Ok(Err(_)) => Err(Unread::Broken),
        Err(_) => Err(Unread::TooSlow),
    }
}

async fn overhear(mut body: Body) {
    while let Some(Ok(_)) = body.frame().await {}
}

fn is(headers: &HeaderMap, wanted: &str) -> bool {
    let mut all = headers.get_all(CONTENT_TYPE).iter();
    let (Some(Ok(given)), None) = (all.next().map(|value| value.to_str()), all.next()) else {
        return false;
    };
    given.split(';').next().is_some_and(|essence| essence.trim().eq_ignore_ascii_case(wanted))
}

/// Reads the bytes of a JSON body.
///
/// # Errors
/// Not `application/json`, too large, or cut off.
pub async fn json_bytes(headers: &HeaderMap, body: Body) -> Result<Bytes, Problem> {
    if !is(headers, "application/json") {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported-media-type",
            "Unsupported media type",
            "Send `Content-Type: application/json`.",
        ));
    }
    bytes(body, BODY_BYTES_MAX).await
}

/// Whether a body is JSON lines: one JSON object a line.
pub fn is_json_lines(headers: &HeaderMap) -> bool {
    is(headers, "application/x-ndjson") || is(headers, "application/jsonl")
}

/// Reads the bytes of a body that may be longer than others.
///
/// # Errors
/// Too large, too slow, or cut off.
pub async fn bytes(body: Body, bytes_max: usize) -> Result<Bytes, Problem> {
    read(body, bytes_max).await.map_err(|unread| match unread {
        Unread::TooLarge => Problem::of_status(StatusCode::PAYLOAD_TOO_LARGE),
        Unread::TooSlow => Problem::of_status(StatusCode::REQUEST_TIMEOUT),
        Unread::Broken => Problem::member("body", "ended before it was complete"),
    })
}

/// Refuses a body where a call takes none: what it says would be ignored.
///
/// # Errors
/// There is one.
pub async fn none(body: Body) -> Result<(), Problem> {
    match read(body, 0).await {
        Ok(_) => Ok(()),
        Err(_) => Err(Problem::member(
            "body",
            "must be empty, since this call would ignore it: what it takes stands in the path and the query",
        )),
    }
}

/// Turns JSON bytes into a request: one object, no unknown or repeated member.
///
/// # Errors
/// What is wrong, and in which member.
pub fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let text =
        std::str::from_utf8(bytes).map_err(|_| Problem::member("body", "is not valid UTF-8"))?;
    let mut json = serde_json::Deserializer::from_str(text);
    let parsed: Result<Object<T>, _> = serde_path_to_error::deserialize(&mut json);
    let parsed = parsed.map_err(|error| {
        let path = error.path().to_string();
        at_fault(path.trim_matches('.'), &error.into_inner().to_string())
    })?;
    json.end().map_err(|_| Problem::member("body", "goes on after the JSON object"))?;
    Ok(parsed.0)
}

/// Names the member at fault and says why, without repeating any value: it may be a token in a wrong place.
fn at_fault(path: &str, why: &str) -> Problem {
    let plain: Vec<_> = path.split('.').take_while(|part| is_plain(part)).collect();
    let path = &plain.join(".");
    let named = why.split('`').nth(1).filter(|name| is_plain(name));
    let inner = |name: &str| match path.as_str() {
        "" => name.to_owned(),
        path if path.ends_with(name) => path.to_owned(),
        path => format!("{path}.{name}"),
    };
    let at = if path.is_empty() { "body" } else { path };
    let expected = why.split_once("expected ").map(|(_, rest)| rest.split(" at line").next());
    match (why.split(' ').next(), named) {
        (Some("number"), _) => Problem::member(at, "has a number that is too large"),
        (Some("missing"), Some(name)) => Problem::member(inner(name), "is missing"),
        (Some("duplicate"), Some(name)) => Problem::member(inner(name), "is repeated"),
        (Some("unknown"), Some(name)) => {
            Problem::member(inner(name), "is not a member of this call")
        }
        (Some("unknown"), None) => Problem::member(at, "has a member that this call does not know"),
        (Some("invalid"), _) => match expected {
            Some(Some(expected)) => Problem::member(at, format!("must be {}", in_words(expected))),
            Some(None) | None => Problem::member(at, "has a value that it cannot have"),
        },
        _ => Problem::member(at, "is not valid JSON"),
    }
}

/// What was expected, without the names of our own types.
fn in_words(expected: &str) -> &str {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number that is not negative",
        "i8" | "i16" | "i32" | "i64" => "a whole number",
        "f32" | "f64" => "a number",
        expected => expected,
    }
}

/// Whether a foreign name is short and plain enough to be repeated.
pub fn is_plain(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_[]".contains(&byte);
    (1..=32).contains(&name.len()) && name.bytes().all(plain)
}

/// A value that must be written as a JSON object: serde would take an array in its place.
#[derive(Clone, Debug)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct OnlyMaps<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for OnlyMaps<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
        }
        from.deserialize_map(OnlyMaps(PhantomData)).map(Object)
    }
}

/// The parameters of a form, each named once.
pub struct Form(BTreeMap<String, String>);

impl Form {
    /// Reads an `application/x-www-form-urlencoded` body (RFC 6749 Appendix B).
    ///
    /// # Errors
    /// Another content type, too large, invalid UTF-8, or a repeated parameter (RFC 6749 §3.2).
    pub async fn read(headers: &HeaderMap, body: Body) -> Result<Self, OAuthError> {
        if !is(headers, "application/x-www-form-urlencoded") {
            let description = "Send `Content-Type: application/x-www-form-urlencoded`.";
            return Err(OAuthError::bad_body(StatusCode::UNSUPPORTED_MEDIA_TYPE, description));
        }
        let bytes = read(body, BODY_BYTES_MAX).await.map_err(|unread| match unread {
            Unread::TooLarge => {
                OAuthError::bad_body(StatusCode::PAYLOAD_TOO_LARGE, "The body is too large.")
            }
            Unread::TooSlow => {
                OAuthError::bad_body(StatusCode::REQUEST_TIMEOUT, "The body took too long.")
            }
            Unread::Broken => OAuthError::invalid_request("The body ended before it was complete."),
        })?;
        Self::parse(&bytes)
    }

    /// Reads the text of a form, or of a query.
    ///
    /// # Errors
    /// Invalid UTF-8, a repeated parameter, or too many of them.
    pub fn parse(bytes: &[u8]) -> Result<Self, OAuthError> {
        let not_utf8 = || OAuthError::invalid_request("The form is not valid UTF-8.");
        let text = std::str::from_utf8(bytes).map_err(|_| not_utf8())?;
        let mut parameters = BTreeMap::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode(name).ok_or_else(not_utf8)?;
            let value = decode(value).ok_or_else(not_utf8)?;
            if parameters.len() == FORM_PARAMETERS_MAX {
                return Err(OAuthError::invalid_request("The form has too many parameters."));
            }
            if parameters.insert(name.clone(), value).is_some() {
                let description = format!("The parameter `{}` is repeated.", printable(&name));
                return Err(OAuthError::invalid_request(description));
            }
        }
        Ok(Self(parameters))
    }

    /// A parameter; one without a value counts as omitted (RFC 6749 §3.1).
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The names of all parameters.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// A parameter that must be there.
    ///
    /// # Errors
    /// It is missing.
    pub fn require(&self, name: &str) -> Result<&str, OAuthError> {
        let missing = || OAuthError::invalid_request(format!("The parameter `{name}` is missing."));
        self.get(name).ok_or_else(missing)
    }
}

fn decode(text: &str) -> Option<String> {
    let spaced: Cow<'_, str> =
        if text.contains('+') { text.replace('+', " ").into() } else { text.into() };
    percent_decode_str(&spaced).decode_utf8().ok().map(Cow::into_owned)
}

fn printable(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize, Debug)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[expect(dead_code, reason = "only its presence is parsed")]
        class: String,
    }

    #[derive(Deserialize, Debug)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[expect(dead_code, reason = "only its presence is parsed")]
        device: Object<Inner>,
    }

    fn wrong_member(json: &str) -> String {
        format!("{:?}", parse_json::<Outer>(json.as_bytes()).unwrap_err())
    }

    #[test]
    fn a_wrong_member_is_named_with_its_path() {
        assert!(wrong_member(r#"{"device":{"class":7}}"#).contains("device.class"));
        assert!(wrong_member(r#"{"device":{"class":"web","x":1}}"#).contains("`device.x`"));
        let token = wrong_member(r#"{"device":{"class":"web","sym_rt_AAAA-1":1}}"#);
        assert!(!token.contains("sym_rt_") && token.contains("device"), "{token}");
        assert!(!wrong_member(r#"{"device":"sym_rt_AAAA"}"#).contains("sym_rt_"));
        assert!(wrong_member(r#"{"device":{"class":"web","class":"app"}}"#).contains("class"));
        assert!(wrong_member(r#"{}"#).contains("`device` is missing"));
    }

    #[test]
    fn an_array_is_no_object_at_any_level() {
        assert!(wrong_member(r#"[{"class":"web"}]"#).contains("object"));
        assert!(wrong_member(r#"{"device":["web"]}"#).contains("object"));
        assert!(wrong_member(r#"{"device":{"class":"web"}} x"#).contains("goes on"));
    }

    #[test]
    fn a_repeated_parameter_is_refused_and_an_empty_one_is_absent() {
        assert!(Form::parse(b"a=1&a=1").is_err());
        assert!(Form::parse(b"a=1&%61=1").is_err());
        let form = Form::parse(b"a=&b=x+y%20z&c").unwrap();
        assert_eq!((form.get("a"), form.get("b"), form.get("c")), (None, Some("x y z"), None));
    }

    #[test]
    fn invalid_utf8_and_too_many_parameters_are_refused() {
        assert!(Form::parse(b"a=%ff").is_err());
        assert!(Form::parse(b"a=\xff").is_err());
        let many: Vec<_> = (0..=FORM_PARAMETERS_MAX).map(|n| format!("p{n}=1")).collect();
        assert!(Form::parse(many.join("&").as_bytes()).is_err());
    }
}
