//! Following the authority's feed of revocations without I/O: bytes and clock readings in, what to do next out.
//!
//! The network half (`net`) drives a [`Follower`] by itself. Whoever brings another runtime drives one with
//! their own requests, all with an API key of scope `revocations:read` as `Authorization: Bearer …`:
//!
//! ```no_run
//! use symbolon_verify::feed::{Follower, Gap, Want};
//! use symbolon_verify::{KeySet, Now, Verifier};
//! # fn get(_: &str) -> Vec<u8> { Vec::new() }
//! # fn read(_: &mut ()) -> Option<Vec<u8>> { None }
//! # fn random() -> [u8; 16] { [0; 16] }
//!
//! fn follow(verifier: &Verifier, follower: &mut Follower) -> Result<(), Gap> {
//!     match follower.wants() {
//!         Want::Keys => {
//!             let text = String::from_utf8(get("/.well-known/jwks.json")).unwrap_or_default();
//!             if let Ok(keys) = KeySet::parse(&text) {
//!                 verifier.replace_keys(keys);
//!             }
//!             follower.on_keys();
//!         }
//!         Want::Snapshot => follower.on_snapshot(&get("/v1/feed/snapshot"), Now::read())?,
//!         Want::Stream { after } => {
//!             // What time it is at the authority: at once, and again whenever it is due.
//!             if let Some(question) = follower.ask_time(random(), Now::read()) {
//!                 follower.on_time(&get(&question.path()), Now::read())?;
//!             }
//!             // A status 410 here: `follower.on_gone()`.
//!             let mut stream = (/* GET /v1/feed?after={after} */);
//!             while let Some(bytes) = read(&mut stream) {
//!                 follower.on_bytes(&bytes, Now::read())?;
//!             }
//!             follower.on_end();
//!         }
//!         _ => {}
//!     }
//!     Ok(())
//! }
//! ```
//!
//! # What makes it sound
//!
//! * **A gap is always noticed.** Every frame of the feed carries the running digest after it; what was lost,
//!   doubled, reordered or changed gives another. Who relays the feed could compute that digest too, but each
//!   second the authority signs it in a checkpoint, and only what a checkpoint vouches for counts as known.
//! * **Whatever was not vouched for is fetched again.** After a broken connection the feed is taken up at the last
//!   checkpoint, not at the last frame.
//! * **A mirror adds and never forgets** but by the feed's own time. A forged frame can therefore refuse a token,
//!   and never let one in; a replayed old snapshot takes nothing away, and its age is that of its signature.
//! * **The age cannot be made to look young.** It is the authority's time less the instant at which the authority
//!   read its own log, both signed; the authority's time is known by an answer to a nonce of our own and counted
//!   from the instant *before* it was asked for, by a clock that never steps.

mod clock;
mod follower;
mod gap;

pub use follower::{Follower, Heard, TimeQuestion, Want};
pub use gap::Gap;
