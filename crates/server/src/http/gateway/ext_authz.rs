//! `POST /envoy.service.auth.v3.Authorization/Check`: the same question over gRPC, as Envoy asks it.
//!
//! A question holds the whole request, and its answer is good for nobody else; so whoever may connect may
//! ask, and no proxy need be listed.

use super::Gateway;
use super::answer::{Answer, IDENTITY};
use super::described::Described;
use crate::http::edge::Context;
use crate::http::forwarded::described_address;
use crate::http::problem::Problem;
use axum::Extension;
use axum::body::Body;
use axum::extract::{FromRef, State};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full, Limited};
use symbolon_wire::ext_authz::{CheckRequest, CheckResponse};

/// The longest question, in bytes: a request's head as a proxy takes it, and Envoy's words around it.
/// Inclusive.
pub const QUESTION_BYTES_MAX: usize = 256 * 1024;

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");

/// gRPC's `INVALID_ARGUMENT`, to which Envoy lets nobody pass.
const INVALID_ARGUMENT: HeaderValue = HeaderValue::from_static("3");

/// Answers Envoy.
pub async fn post<S>(
    State(state): State<S>,
    Extension(context): Extension<Context>,
    body: Body,
) -> Response
where
    Gateway: FromRef<S>,
{
    let Some(asked) = read(body).await else { return refused() };
    // Rules and keys as they are once the question is there, however long it took.
    let gateway = Gateway::from_ref(&state);
    let headers = http_headers(&asked);
    let described = Described {
        method: &asked.method,
        target: &asked.path,
        site: asked_of(&headers),
        ip: described_address(&gateway.settings, &headers),
    };
    let answer = gateway.answer(&described, &headers, &context).await;
    answered(&message(&asked, &answer, &context).await)
}

/// The scheme and the host that Envoy was asked for, which it puts among the headers itself.
fn asked_of(headers: &HeaderMap) -> Option<(&str, &str)> {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    Some((text("x-forwarded-proto").unwrap_or("https"), text("host")?))
}

/// One question in one frame, not compressed.
async fn read(body: Body) -> Option<CheckRequest> {
    let whole = Limited::new(body, QUESTION_BYTES_MAX).collect().await.ok()?.to_bytes();
    let (head, message) = whole.split_first_chunk::<5>()?;
    let [0, length @ ..] = *head else { return None };
    let same = usize::try_from(u32::from_be_bytes(length)).ok()? == message.len();
    CheckRequest::parse(message).ok().filter(|_| same)
}

/// The headers that can be headers; Envoy has joined those of one name.
fn http_headers(asked: &CheckRequest) -> HeaderMap {
    let parsed = asked.headers.iter().filter_map(|(name, value)| {
        Some((name.parse::<HeaderName>().ok()?, HeaderValue::from_str(value).ok()?))
    });
    let mut headers = HeaderMap::new();
    for (name, value) in parsed {
        headers.append(name, value);
    }
    headers
}

async fn message(asked: &CheckRequest, answer: &Answer<'_>, context: &Context) -> Vec<u8> {
    match answer.identity() {
        Some(identity) => {
            let headers = texts(&identity);
            // What is not set is taken out: a client may have written it.
            let absent = IDENTITY.iter().filter(|name| !identity.contains_key(*name));
            let disguised = asked.headers.iter().map(|(name, _)| &**name).filter(is_disguised);
            let remove: Vec<_> = absent.map(HeaderName::as_str).chain(disguised).collect();
            let back = answer.back().map(texts).unwrap_or_default();
            CheckResponse::Ok { headers: &headers, remove: &remove, back: &back }.to_bytes()
        }
        None => {
            let mut refusal = answer.refusal();
            let problem = refusal.extensions_mut().remove::<Problem>();
            let mut status = refusal.status();
            let mut body = String::new();
            if let Some(problem) = problem {
                let rendered = problem.render(&context.request_id, refusal.headers_mut());
                status = rendered.0;
                let whole = rendered.1.collect().await.map(|whole| whole.to_bytes());
                body = String::from_utf8_lossy(&whole.unwrap_or_default()).into_owned();
            }
            let headers = texts(refusal.headers());
            CheckResponse::Denied { status: status.as_u16(), headers: &headers, body: &body }
                .to_bytes()
        }
    }
}

/// Whether some application may take a name for one of ours that is another: `x.symbolon.subject`, say.
fn is_disguised(name: &&str) -> bool {
    fn letters(name: &str) -> impl Iterator<Item = u8> + '_ {
        name.bytes().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_lowercase())
    }
    let is_like =
        |own: &HeaderName| own.as_str() != *name && letters(own.as_str()).eq(letters(name));
    IDENTITY.iter().any(is_like)
}

fn texts(headers: &HeaderMap) -> Vec<(&str, &str)> {
    let pair =
        |(name, value)| (HeaderName::as_str(name), HeaderValue::to_str(value).unwrap_or_default());
    headers.iter().map(pair).collect()
}

/// A message and the status that says that it is one.
fn answered(message: &[u8]) -> Response {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes();
    let mut frame = BytesMut::with_capacity(5 + message.len());
    frame.extend_from_slice(&[0]);
    frame.extend_from_slice(&length);
    frame.extend_from_slice(message);
    let mut trailers = HeaderMap::new();
    trailers.insert(GRPC_STATUS, HeaderValue::from_static("0"));
    let body = Full::<Bytes>::from(frame.freeze()).with_trailers(async { Some(Ok(trailers)) });
    ([(CONTENT_TYPE, GRPC)], Body::new(body)).into_response()
}

/// No question at all: gRPC says so in a header, and there is no message.
fn refused() -> Response {
    ([(CONTENT_TYPE, GRPC), (GRPC_STATUS, INVALID_ARGUMENT)], Body::empty()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_some_application_may_take_for_ours_are_taken_out() {
        for name in ["x.symbolon.subject", "x_symbolon_roles", "xsymbolontoken", "x-symbolon.scope"]
        {
            assert!(is_disguised(&name), "{name}");
        }
        for name in ["x-symbolon-subject", "x-symbolon-csrf", "x-subject", "authorization", "x"] {
            assert!(!is_disguised(&name), "{name}");
        }
    }
}
