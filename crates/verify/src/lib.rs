//! Verify access tokens locally: what a resource server or a gateway embeds.
//!
//! An access token of Symbolon is a signed text (RFC 9068) that anyone can verify alone. This crate does it
//! strictly, tells the caller in RFC 6750's words why a request is not let in, and knows from the authority's feed of
//! revocations whether the session still lives: from memory, milliseconds after it ended.
//!
//! # Let a request in
//!
//! ```no_run
//! # #[cfg(feature = "net")] mod example {
//! use symbolon_verify::{Policy, Presented, Rejected, Verifier};
//!
//! async fn start() -> Result<Verifier, Box<dyn std::error::Error>> {
//!     Ok(Verifier::builder("https://id.example.com") // whose tokens; compared exactly
//!         .audience("demo-api")                      // what their `aud` must contain
//!         .feed("sym_ak_…")                          // scope revocations:read
//!         .connect()                                 // keys, then all that is revoked; both kept fresh
//!         .await?)
//! }
//!
//! async fn orders(verifier: &Verifier, authorization: Option<&str>) -> Result<String, Rejected> {
//!     let policy = Policy::default().scope("orders:read");
//!     let presented = Presented::from_authorization(authorization)?;
//!     let verified = verifier.admit(&presented, &policy).await?;
//!     Ok(format!("the orders of {}", verified.claims().sub))
//! }
//!
//! /// Whatever outlives a request, such as a WebSocket, ends with the session.
//! async fn live(verifier: &Verifier, presented: &Presented<'_>) -> Result<(), Rejected> {
//!     let verified = verifier.admit(presented, &Policy::default()).await?;
//!     let ended = verified.ended();
//!     tokio::select! {
//!         () = serve_the_socket() => {}
//!         reason = ended => println!("closed: {}", reason.map_or("unknown", |why| why.as_str())),
//!     }
//!     Ok(())
//! }
//! # async fn serve_the_socket() {}
//! # }
//! ```
//!
//! A [`Rejected`] knows what to answer: [`Rejected::status`], and [`Rejected::challenge`] for
//! `WWW-Authenticate`. A client reads its `reason` and acts on it:
//!
//! | `reason` | what the client does |
//! |---|---|
//! | `expired`, `stale` | renews in silence and tries again |
//! | `revoked` | lets the person sign in again; `ended` says why, where it is known. Without `ended` (introspection tells no reason) it renews once before |
//! | `unverifiable` | tries again later: nothing is wrong with the token so far as is known |
//! | `binding` | under the challenge `DPoP`: shows the token with a proof of the key that it is bound to; under `Bearer`: lets the person sign in again, since it is bound to other features or another network |
//! | `proof` | makes a new proof and tries again; with the nonce of the header `DPoP-Nonce`, if there is one |
//! | `malformed`, `untrusted` | throws the token away: it is not one for this place |
//!
//! [`Rejected::InsufficientAuthentication`] has the challenge of RFC 9470 instead: the client has the person authenticate
//! anew, and comes again. `Verifier::redeem` takes a ticket in place of a token, where a browser cannot send one.
//!
//! # Verify without a server
//!
//! Without the feature `net` there is no tokio and no HTTP in here, and keys are given. The time is an argument
//! everywhere, so a test may say what time it is.
//!
//! ```
//! use std::time::Duration;
//! use symbolon_verify::{KeySet, Now, Policy, Presented, Rejected, Timestamp, Verifier};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // The issuer's published keys, from a file.
//! let keys = KeySet::parse(r#"{"keys":[{"crv":"Ed25519","kty":"OKP","use":"sig","alg":"EdDSA",
//!     "x":"W2fgJ9DBOKe--T-W-Lnp0LJqfx6xetelbIIlkhmpf7I","kid":"6AmZtNrT1xMscjt7"}]}"#)?;
//! let token = "eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCIsImtpZCI6IjZBbVp0TnJUMXhNc2NqdDcifQ.\
//!     eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUuY29tIiwic3ViIjoiMTAwODYiLCJhdWQiOiJkZW1vLWFwaSIsImNsaWVudF\
//!     9pZCI6IndlYiIsImlhdCI6MTcwMDAwMDAwMCwiZXhwIjoxNzAwMDAwMzAwLCJqdGkiOiJqLTEiLCJzY29wZSI6Im9yZGVy\
//!     czpyZWFkIiwidmVyIjpbMCwwLDAsMF19.\
//!     gdnMGl6hxytCWZUK_ftljH8_m8rdXpzFNvB17wbY1T4CSklO6viYN3QiO6D7uIEKErVnZU2Eu2FVqDRdyug3CA";
//!
//! let verifier = Verifier::builder("https://id.example.com").audience("demo-api").offline(keys)?;
//! let policy = Policy::offline().scope("orders:read");
//! let presented = Presented::bearer(token);
//!
//! // In a program: `Now::read()`.
//! let mut now = Now { wall: Timestamp::from_seconds(1_700_000_010), monotonic: Duration::ZERO };
//! let subject = verifier.check(&presented, &policy, now, |claims| claims.sub.to_owned());
//! assert_eq!(subject.as_deref(), Ok("10086"));
//!
//! now.wall = Timestamp::from_seconds(1_700_000_300);
//! let rejected = verifier.check(&presented, &policy, now, |_| ()).unwrap_err();
//! assert_eq!(rejected, Rejected::Expired);
//! assert_eq!(rejected.challenge(), r#"Bearer error="invalid_token", reason="expired""#);
//! # Ok(())
//! # }
//! ```
//!
//! # What is checked
//!
//! RFC 9068 §4, and nothing is optional: the signature, by a key of the issuer and an algorithm that is
//! pinned here; `typ`; `iss` and `aud` by exact comparison; `exp`, `nbf`, `iat`; that a token which is bound to a
//! key did not come as a bearer token (RFC 9449 §7.2); every claim that RFC 9068 requires. A header that names
//! another algorithm, brings a key, or has a `crit` is refused, and so is a refresh token, which is no JWT.
//! Strangers' bytes are parsed by `symbolon-wire` alone, strictly, and bounded before anything is verified.
//!
//! # Tokens that are encrypted
//!
//! An authority may encrypt the tokens for an audience (RFC 7516), so that their client cannot read them. Give their
//! resource server its key with [`Builder::decrypt_with`]; everything else stays as it is. A token is opened once, with
//! one key agreement (`ECDH-ES+A256KW`) or none (`A256KW`, `dir`), and then verified; when it comes again it is found
//! as any other, by its whole text. Where the authority must be asked about one, it is asked about the signed token
//! inside, since it cannot open what it sealed for somebody else's key.
//!
//! # What is known of revocations, and how fresh it is
//!
//! Each route says with its [`Policy`] how old that knowledge may be:
//!
//! | policy | an ended session is refused | while the authority is away longer than the bound |
//! |---|---|---|
//! | [`Policy::strict`] | at once, and within its bound at the latest | nobody is let in |
//! | [`Policy::bounded`], the default with 5 s | at once, and within its bound at the latest | it is asked about each request, and nobody is let in whom it does not answer for |
//! | [`Policy::offline`] | at once, and when its token expires at the latest, 5 min by default | all is as before |
//!
//! A verifier with `Builder::feed` holds a mirror of everything that is revoked, and follows the authority's
//! log of it: as a stream, or by polls where something on the way holds streams back. It is ready after a signed
//! snapshot and an answer that says what time it is at the authority. What is lost, doubled, reordered or forged
//! on the way is noticed; [`feed`] says how, and is the door for programs without tokio. `Verifier::status` shows
//! age, place and mode for metrics.
//!
//! What the mirror knows against a token is said under every policy and however old it is ([`Rejected::Revoked`], with
//! the reason, and [`Rejected::Stale`]); its age decides what is made of its silence, and before it is ready
//! it is older than every bound. The age is the authority's time less the instant up to which the mirror was
//! read, both signed, and is measured with the steady clock: neither a proxy that holds frames back nor a wall clock
//! that jumps makes it younger.
//!
//! Without a feed, [`Verifier::check`] and [`Verifier::verify`] say yes under [`Policy::offline`] alone and end in
//! [`Rejected::Ask`] otherwise; `Verifier::admit` then asks the authority about every request (RFC 7662).
//!
//! # What is remembered
//!
//! A token that was verified is found by its whole text when it comes again ([`Builder::cache`]); its signature is then
//! not computed again. Everything that can change is checked again: time, session, scopes and roles. Once a
//! key is gone from the set, what it had signed is no longer known.
//!
//! # Tokens that are asked about
//!
//! An opaque token (`sym_at_…`, preset `opaque-session`) says nothing itself. `Verifier::admit` asks what it stands for
//! (RFC 7662) and keeps the answer where verified tokens are, until its `exp` at the latest: the next request is judged
//! as that of any known token, from memory. When the feed tells of a change that concerns it, the next request asks
//! again; when its session ends, it is refused at once, with the reason. An answer from before an event never lets
//! anyone in once the event is known, whichever of the two arrives first. A no is not kept.
//!
//! A signed token that lasts as long as its session (preset `sliding-session`) becomes stale by a change of roles, and
//! its client cannot replace it. It is asked about once, and what it stands for now is kept until the next change.
//!
//! A verifier that cannot wait says [`Rejected::Ask`] to both: that is [`Verifier::check`], and the interceptor of tonic,
//! behind which such tokens are `UNAVAILABLE`; put the layer around the server instead. One that has nobody to
//! ask says [`Unknown::Opaque`], and [`Rejected::Stale`] of the others.
//!
//! # Tokens that are bound to a key
//!
//! A token with `cnf.jkt` (DPoP, RFC 9449) is good for nothing without a proof of that key, made for this very request:
//! its method, its URL, this token, not a minute ago, and never used before. All of that is checked at every request,
//! also of a token that was verified before. [`Builder::public_url`] says under which URL this service is reached, since
//! what the caller wrote into `Host` cannot; [`Presented::request`] and [`Presented::proof`] bring the rest, and
//! the layers do so themselves. A proof that is late, or not made yet by its maker's clock, is asked for again with a nonce
//! ([`Rejected::Proof`]), and then that clock does not matter. A good proof by another key is [`Rejected::Binding`].
//!
//! # Tokens that are bound to features or a network
//!
//! Such a token says in `cnf.features` and `cnf.network` what they must be, as a digest that is made together with the
//! name of its session. [`Presented::features`] and [`Presented::ip`] bring those of the request, and are compared at every
//! request; others are [`Rejected::Elsewhere`]. A program that brings neither lets no such token in
//! ([`Unknown::Features`], [`Unknown::Address`]). The layers read the header `X-Symbolon-Features` by themselves, and are
//! told by `layer::Admit::ip_from` where requests come from. What stands in `cnf_reported` refuses nobody and is
//! counted ([`Status::bindings_reported`]).
//!
//! # Sessions that live by use
//!
//! A client whose token cannot change never renews, and nobody asks the authority about its requests: its session would
//! end as unused while it is in use. `Builder::report_activity` has the uses told, in batches, once a minute.
//!
//! # Keys
//!
//! A connected verifier fetches the key set at start, every five minutes, and when a token names a key that is
//! not in it, but then at most once in 30 seconds, since anyone can write any `kid`. A failed fetch
//! keeps the old keys. A withdrawn key is forgotten at the next fetch. `Builder::connect` fails if the first
//! fetch does; `Builder::connect_lazily` goes on trying, and lets nobody in until it succeeds. The feed announces
//! new keys, which are then fetched early.
//!
//! # Bounds
//!
//! Tokens 16 KiB, headers 2 KiB, key sets 64 KiB and 64 keys, answers 64 KiB; 1,024 requests may wait for
//! the authority, 64 questions are open at once, one for each token, and none is waited for longer than 2 s. Half of
//! either may be about opaque tokens of which nothing is known: anyone can write text of that form. Frames of
//! the feed 16 KiB, answers to polls 1 MiB, snapshots 16,777,216 entries; 131,072 may wait for the end of a session.
//! Uses of 65,536 sessions may wait to be reported; beyond that the oldest are forgotten. Whatever else is beyond a bound is
//! refused. A mirror holds 16,777,216 marks, at most 48 bytes each; one that could not
//! hold more is as good as none until that has ended. The cache keeps about 16,384 tokens. Proofs are 8 KiB, their keys at
//! most 4096 bits of RSA; 1,048,576 that were used are remembered for two to three minutes, and while there are more, no
//! bound token is let in.

#[cfg(feature = "net")]
mod activity;
mod builder;
mod cache;
mod claims;
pub mod feed;
mod kept;
mod keys;
#[cfg(feature = "tower")]
pub mod layer;
#[doc(hidden)]
pub mod measure;
mod mirror;
#[cfg(feature = "net")]
mod net;
mod now;
mod policy;
mod presented;
mod proof;
mod rejected;
#[cfg(feature = "net")]
mod sessions;
mod status;
mod surroundings;
mod told;
mod verifier;

pub use builder::{Builder, SetupError};
pub use claims::{Claims, Verified};
#[cfg(feature = "net")]
pub use net::{ConnectError, FetchError, Redeemed, Relay};
pub use now::Now;
pub use policy::{LEEWAY_MAX, Policy, Staleness};
pub use presented::Presented;
pub use proof::{BadProof, Proofs};
pub use rejected::{Distrust, Rejected, Unknown};
#[cfg(feature = "net")]
pub use sessions::Ended;
pub use status::{Mode, Status};
pub use surroundings::Surroundings;
pub use symbolon_core::imprint::{Bound, Imprint, Imprints};
pub use symbolon_core::{Digest, Reason, SessionId, Timestamp, Ver};
pub use symbolon_wire::{
    Algorithm, DecryptionKey, DpopNonces, KeyManagement, KeySet, Malformed, Type,
};
pub use verifier::Verifier;
