//! The version of a subject or client, and `If-Match` (RFC 9110 §13.1.1).

use super::problem::Problem;
use axum::http::header::IF_MATCH;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use symbolon_core::StoreEpoch;
use symbolon_core::revocation::Below;

/// The most versions that one `If-Match` may name. Inclusive.
pub const VERSIONS_MAX: usize = 16;

/// `<store>.<subject>`, or `<store>.<client>`.
pub fn text(version: Below) -> String {
    format!("{}.{}", version.epoch.0, version.counter)
}

/// The version, quoted, as an `ETag`.
pub fn etag(version: Below) -> HeaderValue {
    let quoted = format!("\"{}\"", text(version));
    HeaderValue::from_str(&quoted).expect("digits, a dot and quotes are a header value")
}

/// The versions that a caller will replace; `None`: whichever there is. A tag that is weak or never
/// was a version of ours names none, and so matches nothing.
///
/// # Errors
/// It is no list of entity tags, or names too many.
pub fn expected(headers: &HeaderMap) -> Result<Option<Vec<Below>>, Problem> {
    let mut versions = Vec::new();
    let mut all = headers.get_all(IF_MATCH).iter().peekable();
    if all.peek().is_none() {
        return Ok(None);
    }
    let wrong = || Problem::member("If-Match", "must be `*` or a version in quotes, as `ETag` has");
    for value in all {
        let value = value.to_str().map_err(|_| wrong())?.trim();
        if value == "*" {
            return Ok(None);
        }
        for tag in value.split(',').map(str::trim) {
            let opaque = tag.strip_prefix("W/").unwrap_or(tag);
            let quoted = opaque.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
            let inner = quoted.filter(|inner| !inner.contains('"')).ok_or_else(wrong)?;
            versions.push((opaque == tag).then(|| parse(inner)).flatten());
        }
    }
    match versions.len() {
        0..=VERSIONS_MAX => Ok(Some(versions.into_iter().flatten().collect())),
        _ => Err(Problem::member("If-Match", "names more than 16 versions")),
    }
}

/// The subject, or client, is at another version than the caller has seen.
pub fn mismatch(what: &str, version: Below) -> Problem {
    let detail = format!(
        "The {what} is at version {}, not at one that `If-Match` names. Nothing was changed: read \
         it again.",
        text(version)
    );
    let status = StatusCode::PRECONDITION_FAILED;
    Problem::new(status, "version-mismatch", "Version mismatch", detail)
}

fn parse(text: &str) -> Option<Below> {
    let (epoch, counter) = text.split_once('.')?;
    let version = Below { epoch: StoreEpoch(epoch.parse().ok()?), counter: counter.parse().ok()? };
    (self::text(version) == text).then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&'static str]) -> Result<Option<Vec<Below>>, Problem> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(IF_MATCH, HeaderValue::from_static(value));
        }
        expected(&headers)
    }

    fn version(epoch: u32, counter: u64) -> Below {
        Below { epoch: StoreEpoch(epoch), counter }
    }

    #[test]
    fn a_version_is_read_as_it_is_written() {
        let own = version(3, 900);
        assert_eq!(etag(own), "\"3.900\"");
        assert_eq!(read(&["\"3.900\""]).unwrap(), Some(vec![own]));
        assert_eq!(read(&["\"0.1\", \"3.900\""]).unwrap(), Some(vec![version(0, 1), own]));
        assert_eq!(read(&["\"0.1\"", "\"3.900\""]).unwrap(), Some(vec![version(0, 1), own]));
    }

    #[test]
    fn whichever_there_is_may_be_asked_for_in_two_ways() {
        assert_eq!(read(&[]).unwrap(), None);
        assert_eq!(read(&["*"]).unwrap(), None);
    }

    #[test]
    fn a_tag_that_is_not_ours_matches_nothing() {
        for tag in ["W/\"3.900\"", "\"3.0900\"", "\"+3.9\"", "\"x\"", "\"\"", "\"3\""] {
            assert_eq!(read(&[tag]).unwrap(), Some(vec![]), "{tag}");
        }
    }

    #[test]
    fn what_is_no_list_of_tags_is_refused() {
        for text in ["", "3.900", "\"3.900", "\"3.900\" \"3.901\"", "\"3.900\","] {
            assert!(read(&[text]).is_err(), "{text}");
        }
        assert!(read(&["\"0.1\""; VERSIONS_MAX]).is_ok());
        assert!(read(&["\"0.1\""; VERSIONS_MAX + 1]).is_err());
    }
}
