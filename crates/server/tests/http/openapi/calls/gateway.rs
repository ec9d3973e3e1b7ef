//! The calls of proxies.

use super::super::call::{Call, Refusal};
use serde_json::json;

const TAG: &str = "Gateways";

const ABOUT: &str = "\
The request that is meant stands behind `/gateway/check`, or, from proxies that \
`gateway.trusted_proxies` lists, in `X-Forwarded-Uri` and `X-Forwarded-Method` or `X-Original-URI` and \
`X-Original-Method`; what is told twice must be told alike. `Authorization`, or the cookie of a \
gateway session, is what its sender shows; `Origin`, `Sec-Fetch-Site` and `X-Symbolon-CSRF` go along with a cookie.\n\n\
200 has `X-Symbolon-Subject`, `-Session`, `-Client`, `-Scope`, `-Roles` and `-Token`, unless the path \
is public: visible ASCII, everything else and `%` percent-encoded, lists by one space, what is empty \
left out. Every method is answered alike.\n\n\
Where the rule says `renews`, an access token that is expired or stale is renewed by what came beside it \
(`X-Refresh-Token`, or the cookie of a refresh token): 200 then has `X-Access-Token` and `X-Refresh-Token` or `Set-Cookie` \
too, for whoever asked.";

const REFUSALS: [Refusal; 8] = [
    (401, "insufficient-user-authentication"),
    (401, "invalid-token"),
    (401, "unauthorized"),
    (403, "ambiguous-target"),
    (403, "csrf"),
    (403, "insufficient-scope"),
    (403, "no-rule"),
    (403, "unknown-target"),
];

/// All of them.
pub(super) fn all() -> Vec<Call> {
    let path = "/envoy.service.auth.v3.Authorization/Check";
    let target = json!({"type": "string"});
    let check = |path, id, summary| {
        Call::new("get", path, TAG, id, summary)
            .about(ABOUT)
            .any_method()
            .answers_nothing(200, "It may pass.")
            .with(200, "Cache-Control")
            .answers_nothing(302, "A page without a right token, to `gateway.login_url`.")
            .with(302, "Location")
            .with(302, "Cache-Control")
            .refuses(&REFUSALS)
            .refuses(&super::super::refusals::FAULTS)
    };
    vec![
        check("/gateway/check", "checkRequest", "Ask about the request that headers describe"),
        check("/gateway/check/", "checkRoot", "Ask about the request for `/`"),
        check("/gateway/check/{path}", "checkPath", "Ask about the request for a path").path(
            "path",
            target,
            "The path and query, as they were sent.",
        ),
        Call::new("post", path, TAG, "checkByEnvoy", "Ask in Envoy's words, over gRPC")
            .about(
                "`envoy.service.auth.v3.Authorization/Check`: a `CheckRequest` of at most 256 KiB, \
                 answered by a `CheckResponse`; what is no question by `grpc-status: 3`.",
            )
            .answers_nothing(200, "A `CheckResponse`, and `grpc-status` in the trailers."),
    ]
}
