//! Every way of saying no: status, word, meaning. A word that is in the code and not here fails a test.

use super::call::Refusal;

/// What any call that touches the store may be answered.
pub(super) const FAULTS: [Refusal; 7] = [
    (503, "busy"),
    (503, "clock"),
    (503, "contention"),
    (503, "exhausted"),
    (503, "store"),
    (503, "store-lost-writes"),
    (503, "timeout"),
];

/// The codes of `type`, behind `urn:symbolon:`.
pub(super) const PROBLEMS: [(u16, &str, &str); 46] = [
    (400, "malformed", "The request is wrong; `member` says where."),
    (400, "proof-needed", "Show a fresh proof of the session's key."),
    (401, "unauthorized", "No credentials, or an API key that is not known or was revoked."),
    (
        401,
        "invalid-token",
        "The access token is not for the authority, or no longer in force; `reason` says why.",
    ),
    (
        401,
        "insufficient-user-authentication",
        "The person must be authenticated anew, or more strongly, for this path (RFC 9470).",
    ),
    (
        403,
        "ambiguous-target",
        "The path or the method could mean two things; upstreams differ in what they make of it.",
    ),
    (403, "banned", "The subject is not allowed to sign in."),
    (403, "client-disabled", "The client is switched off."),
    (
        403,
        "csrf",
        "Another site may have written this request: a session's cookie alone does not say that a page meant it.",
    ),
    (403, "foreign-origin", "The page's origin is not listed by the client."),
    (403, "insufficient-scope", "The API key, or the token at a gateway, lacks a scope or a role."),
    (403, "key-limited", "The API key is limited to named clients, and this goes beyond them."),
    (403, "no-rule", "No rule of the gateway is about this request."),
    (
        403,
        "unknown-target",
        "Nobody who is believed said which request this is about, or it was told twice.",
    ),
    (403, "withheld", "The application does not let the session be renewed now; it lives."),
    (404, "not-found", "There is no such thing, or it is not within this key's reach."),
    (405, "method-not-allowed", "This path has other methods: see `Allow`."),
    (408, "timeout", "The body was not complete within 10 s."),
    (409, "already-used", "It was redeemed before, or may have been; make another."),
    (409, "device_limit", "The subject has as many sessions as the client allows; end one first."),
    (409, "expired", "The time of the token or ticket is over; make another."),
    (409, "key-from-file", "The key comes from a file: take it out of the configuration."),
    (
        409,
        "more-than-expected",
        "More sessions match than were to be hit; `matched` says how many. Nothing was done.",
    ),
    (
        409,
        "other-purpose",
        "The token is for another request, or the ticket for another audience. It was not used up.",
    ),
    (409, "session-ended", "The session that this is about is over; `reason` says why."),
    (409, "too-many-keys", "Too many keys of this algorithm are in use; wait, or revoke one."),
    (409, "stale", "What the token says has changed since; renew, and come again."),
    (
        409,
        "too-many-revoked",
        "Too many tokens or keys are revoked by name; wait, or revoke more at once.",
    ),
    (409, "too-many-verifiers", "As many verifiers are live as are counted."),
    (410, "cursor-gone", "The cursor is too old, or of another feed: begin again with a snapshot."),
    (412, "version-mismatch", "It is at another version than `If-Match` names."),
    (413, "too-large", "The body is larger than 64 KiB; JSON lines than 1 MiB."),
    (415, "unsupported-media-type", "Send `application/json`."),
    (
        422,
        "idempotency-conflict",
        "This `Idempotency-Key` was used with another body within 24 hours.",
    ),
    (
        429,
        "too-many-failures",
        "Too many wrong credentials from this address; a right one still works.",
    ),
    (500, "refused", "The request could not be answered."),
    (503, "busy", "The store has too much to do. Nothing was done."),
    (503, "clock", "The clocks contradict each other; nothing is decided on a lie."),
    (503, "contention", "Too many others wrote the same at once. Nothing was done."),
    (503, "exhausted", "A counter is at its end. Nothing was done."),
    (503, "feed-crowded", "As many follow the feed as may; try again."),
    (503, "feed-not-ready", "The feed is being read, or the store cannot be read; try again."),
    (503, "stopping", "The process stops: what comes now belongs elsewhere."),
    (503, "store", "The store failed."),
    (503, "store-lost-writes", "The store lost writes that it had acknowledged."),
    (
        503,
        "timeout",
        "No answer within 15 s; the request may have taken effect. Asking twice does no harm.",
    ),
];

/// The words of `error` (RFC 6749 §5.2, RFC 7009 §2.2.1, RFC 8707 §2).
pub(super) const OAUTH: [(u16, &str, &str); 18] = [
    (
        400,
        "access_denied",
        "The application does not let the session be renewed now; it lives. The `reason`, if it gave one.",
    ),
    (400, "invalid_dpop_proof", "The header `DPoP` is no proof for this request; make another."),
    (400, "invalid_grant", "The refresh token is not acceptable; its holder is told the `reason`."),
    (400, "invalid_request", "A parameter is missing, repeated or unreadable."),
    (400, "invalid_scope", "A refresh may narrow the scope, never widen it."),
    (400, "invalid_target", "`resource` is not an audience of this client."),
    (400, "unauthorized_client", "This client may not do this."),
    (400, "unsupported_grant_type", "The grant type is not offered."),
    (400, "unsupported_token_type", "Send the refresh token: revoking it ends its access tokens."),
    (400, "use_dpop_nonce", "The proof must repeat the header `DPoP-Nonce` of this answer."),
    (401, "invalid_client", "The client is unknown or did not authenticate."),
    (
        403,
        "unauthorized_client",
        "The page's origin is not listed by the client, or the API key lacks the scope.",
    ),
    (408, "invalid_request", "The body was not complete within 10 s."),
    (413, "invalid_request", "The body is larger than 64 KiB."),
    (415, "invalid_request", "Send `application/x-www-form-urlencoded`."),
    (
        429,
        "invalid_client",
        "Too many wrong credentials from this address; a right one still works.",
    ),
    (500, "server_error", "Roles and claims no longer fit into an access token of 4 KiB."),
    (
        503,
        "temporarily_unavailable",
        "The authority could not do this now. Asking twice does no harm.",
    ),
];
