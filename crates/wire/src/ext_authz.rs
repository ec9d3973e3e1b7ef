//! Envoy's question whether a request may pass (`envoy.service.auth.v3`), and the answer: the few fields that
//! count, in protobuf's own encoding.
//!
//! Strict where protobuf is lax: a field that decides and is there twice is refused, since proxies and we
//! must read the same one.

use crate::Malformed;
use crate::protobuf::{Field, Fields, Writer};
use std::fmt;

/// The most headers of a question that are read. Inclusive.
pub const ASKED_HEADERS_MAX: usize = 256;

/// Envoy's question: `CheckRequest`.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct CheckRequest {
    /// The method, as it was sent.
    pub method: String,
    /// The target, as it was sent: path and query.
    pub path: String,
    /// The headers, by names in small letters.
    pub headers: Vec<(String, String)>,
}

/// Never the target nor what headers hold: both may be credentials.
impl fmt::Debug for CheckRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        let mut told = f.debug_struct("CheckRequest");
        told.field("method", &self.method).field("headers", &names).finish_non_exhaustive()
    }
}

/// The answer: `CheckResponse`.
pub enum CheckResponse<'a> {
    /// It may pass.
    Ok {
        /// What is put into the request, in the place of what was there.
        headers: &'a [(&'a str, &'a str)],
        /// What is taken out of it.
        remove: &'a [&'a str],
        /// What is put into the answer to whoever asked, beside what is there.
        back: &'a [(&'a str, &'a str)],
    },
    /// It may not.
    Denied {
        /// The status of the answer.
        status: u16,
        /// Its headers.
        headers: &'a [(&'a str, &'a str)],
        /// Its body.
        body: &'a str,
    },
}

/// `google.rpc.Code.PERMISSION_DENIED`: any but 0 is a no.
const PERMISSION_DENIED: u64 = 7;

/// `OVERWRITE_IF_EXISTS_OR_ADD`.
const OVERWRITE: u64 = 2;

impl CheckRequest {
    /// Reads a question.
    ///
    /// # Errors
    /// It is none, or asks about two requests at once.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let attributes = only(bytes, 1, "attributes")?;
        let request = only(attributes, 4, "attributes.request")?;
        let http = only(request, 2, "attributes.request.http")?;
        let (mut method, mut path, mut headers) = (None, None, Vec::new());
        for field in Fields::of(http) {
            match field? {
                (2, Field::Bytes(text)) => once(&mut method, text, "method")?,
                (4, Field::Bytes(text)) => once(&mut path, text, "path")?,
                (3, Field::Bytes(entry)) => headers.push(header(entry)?),
                (13, Field::Bytes(map)) => {
                    for line in Fields::of(map) {
                        if let (1, Field::Bytes(entry)) = line? {
                            headers.push(header(entry)?);
                        }
                    }
                }
                (_, Field::Bytes(_) | Field::Number(_) | Field::Fixed) => {}
            }
            if ASKED_HEADERS_MAX < headers.len() {
                return Err(Malformed::new("headers", "are too many"));
            }
        }
        let missing = |name| Malformed::new(name, "is missing");
        Ok(Self {
            method: method.ok_or(missing("method"))?,
            path: path.ok_or(missing("path"))?,
            headers,
        })
    }
}

impl CheckResponse<'_> {
    /// The answer's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut answer = Writer::default();
        match self {
            Self::Ok { headers, remove, back } => {
                answer.message(1, &Writer::default());
                let mut ok = Writer::default();
                headers.iter().for_each(|header| ok.message(2, &option(*header)));
                remove.iter().for_each(|name| ok.bytes(5, name.as_bytes()));
                back.iter().for_each(|header| ok.message(6, &added(*header)));
                answer.message(3, &ok);
            }
            Self::Denied { status, headers, body } => {
                let mut code = Writer::default();
                code.number(1, PERMISSION_DENIED);
                answer.message(1, &code);
                let mut denied = Writer::default();
                let mut http = Writer::default();
                http.number(1, u64::from(*status));
                denied.message(1, &http);
                headers.iter().for_each(|header| denied.message(2, &option(*header)));
                denied.bytes(3, body.as_bytes());
                answer.message(2, &denied);
            }
        }
        answer.into_bytes()
    }
}

/// `HeaderValueOption`: in the place of every header of that name.
fn option((name, value): (&str, &str)) -> Writer {
    let mut header = Writer::default();
    header.bytes(1, name.as_bytes());
    header.bytes(2, value.as_bytes());
    let mut option = Writer::default();
    option.message(1, &header);
    option.number(3, OVERWRITE);
    option
}

/// `HeaderValueOption`: beside every header of that name, in the old way of saying so and in the new one, which is its
/// default.
fn added((name, value): (&str, &str)) -> Writer {
    let (mut header, mut append, mut option) = <(Writer, Writer, Writer)>::default();
    header.bytes(1, name.as_bytes());
    header.bytes(2, value.as_bytes());
    append.number(1, 1);
    option.message(1, &header);
    option.message(2, &append);
    option
}

/// The one field of that number that a message must have.
fn only<'b>(message: &'b [u8], number: u64, name: &'static str) -> Result<&'b [u8], Malformed> {
    let mut found = None;
    for field in Fields::of(message) {
        match field? {
            (own, Field::Bytes(bytes)) if own == number => {
                if found.replace(bytes).is_some() {
                    return Err(Malformed::new(name, "is there twice"));
                }
            }
            (_, Field::Bytes(_) | Field::Number(_) | Field::Fixed) => {}
        }
    }
    found.ok_or(Malformed::new(name, "is missing"))
}

fn once(slot: &mut Option<String>, bytes: &[u8], name: &'static str) -> Result<(), Malformed> {
    match slot.replace(text(bytes)?) {
        Some(_) => Err(Malformed::new(name, "is there twice")),
        None => Ok(()),
    }
}

/// An entry of a map, or a `HeaderValue`, whose value may stand under another number when it is raw.
fn header(entry: &[u8]) -> Result<(String, String), Malformed> {
    let (mut name, mut value) = (None, None);
    for field in Fields::of(entry) {
        match field? {
            (1, Field::Bytes(bytes)) => once(&mut name, bytes, "headers")?,
            (2 | 3, Field::Bytes(bytes)) => once(&mut value, bytes, "headers")?,
            (_, Field::Bytes(_) | Field::Number(_) | Field::Fixed) => {}
        }
    }
    Ok((name.unwrap_or_default(), value.unwrap_or_default()))
}

fn text(bytes: &[u8]) -> Result<String, Malformed> {
    let text = std::str::from_utf8(bytes).map_err(|_| Malformed::new("text", "is no UTF-8"))?;
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A question as Envoy writes it, with fields that are not read between those that are.
    fn question(http: &[(u64, &[u8])]) -> Vec<u8> {
        let mut inner = Writer::default();
        inner.bytes(1, b"an id");
        http.iter().for_each(|(number, bytes)| inner.bytes(*number, bytes));
        inner.number(9, u64::MAX);
        let mut request = Writer::default();
        request.message(2, &inner);
        let mut attributes = Writer::default();
        attributes.bytes(10, b"");
        attributes.message(4, &request);
        let mut all = Writer::default();
        all.message(1, &attributes);
        all.into_bytes()
    }

    const BEARER: &[u8] = b"\x0a\x0dauthorization\x12\x08Bearer x";

    #[test]
    fn a_question_is_read() {
        let bytes = question(&[(2, b"GET"), (3, BEARER), (4, b"/a?b"), (5, b"host")]);
        let read = CheckRequest::parse(&bytes).unwrap();
        assert_eq!((&*read.method, &*read.path), ("GET", "/a?b"));
        assert_eq!(read.headers, [("authorization".to_owned(), "Bearer x".to_owned())]);
    }

    #[test]
    fn a_question_about_two_requests_is_none() {
        for wrong in [
            question(&[(2, b"GET"), (4, b"/a"), (4, b"/b")]),
            question(&[(2, b"GET"), (2, b"PUT"), (4, b"/a")]),
            question(&[(2, b"GET")]),
            question(&[(4, b"/a")]),
            question(&[(2, b"GET"), (4, b"/\xff")]),
            [question(&[(2, b"GET"), (4, b"/a")]), question(&[(2, b"GET"), (4, b"/b")])].concat(),
            Vec::new(),
            b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f".to_vec(),
            b"\x0a\x05\x01".to_vec(),
        ] {
            assert!(CheckRequest::parse(&wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn headers_are_counted() {
        let many = vec![(3, BEARER); ASKED_HEADERS_MAX + 1];
        let whole = [&[(2, &b"GET"[..]), (4, b"/a")], &many[..]].concat();
        assert!(CheckRequest::parse(&question(&whole)).is_err());
        assert!(CheckRequest::parse(&question(&whole[..ASKED_HEADERS_MAX + 2])).is_ok());
    }

    #[test]
    fn the_answers_are_what_envoy_reads() {
        let ok = CheckResponse::Ok { headers: &[("a", "b")], remove: &["c"], back: &[] };
        let ok = ok.to_bytes();
        assert_eq!(ok, b"\x0a\x00\x1a\x0f\x12\x0a\x0a\x06\x0a\x01a\x12\x01b\x18\x02\x2a\x01c");
        let back = CheckResponse::Ok { headers: &[], remove: &[], back: &[("a", "b")] };
        let appended = b"\x32\x0c\x0a\x06\x0a\x01a\x12\x01b\x12\x02\x08\x01";
        assert_eq!(back.to_bytes(), [&b"\x0a\x00\x1a\x0e"[..], appended].concat());
        let denied = CheckResponse::Denied { status: 401, headers: &[], body: "no" }.to_bytes();
        assert_eq!(denied, b"\x0a\x02\x08\x07\x12\x09\x0a\x03\x08\x91\x03\x1a\x02no");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = CheckRequest::parse(&bytes);
        }

        #[test]
        fn a_question_cut_anywhere_is_none(cut in 0..40_usize) {
            let whole = question(&[(2, b"GET"), (3, BEARER), (4, b"/a")]);
            prop_assert!(CheckRequest::parse(&whole[..cut.min(whole.len() - 1)]).is_err());
        }
    }
}
