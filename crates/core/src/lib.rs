//! The rules of a login state: values and pure decisions.
//!
//! Nothing here does I/O, awaits, asks for the time or draws randomness; every decision is a function
//! of what it is given, so a store may ask again and a test may replay it.
//!
//! # The words
//! - *subject* (`sub`): whom a session is for. *client*: the application that asks.
//! - *session* (`sid`): one sign-in on one device; also the family that its refresh tokens form.
//! - *generation*: the number of a refresh token in its family. A family has one newest generation.
//! - *advance*: the newest generation is used, the next takes its place, and the used one's *window*
//!   opens: until it closes, the used one still earns the newest.
//! - *fast-forward*: a store that lost writes learns from a token of its older *store epoch* where the
//!   family is.
//! - *epoch*, `ver`: counters of store, subject, client and everything. A *bump* raises one and sets a
//!   *bound*: tokens below it are *stale* (must renew) or *revoked* (must sign in).
//! - *event*: one revocation, committed with the change that caused it; a *change* is an event that hits nothing.
//!
//! # Where things are
//! [`refresh`] is the heart: the table of DESIGN.md §4.1. [`sign_in`] has device limits and sign-out of
//! many, [`activity`] use that verifiers report, [`handle`] credentials that never change, [`lasting`] tokens that nobody can renew, [`one_time`] those that are used once, [`step_up`] what a person proves later, [`import`] sessions of other systems, [`person`] profiles, bans and erasure, [`loaded`] what a rule is given and gives back,
//! [`credentials`] what a client earns for itself, [`switches`] what an operator sets of one, [`change`] what the history has of acts that revoke nothing, [`scope`] and
//! [`audience`] what of a grant still holds, [`epoch`] the counters, [`by_name`] tokens and keys that are revoked by name, [`revocation`] events
//! and reasons, [`binding`] what a holder must also show, [`dpop`] proofs of a key, [`gateway`] what a gateway asks of a request, whose [`target`] means one thing or is refused, [`csrf`] whether the page that a cookie is for meant it.

pub mod activity;
pub mod audience;
pub mod binding;
pub mod by_name;
pub mod change;
pub mod client;
pub mod credentials;
pub mod csrf;
pub mod denial;
pub mod device;
pub mod dpop;
pub mod epoch;
pub mod gateway;
pub mod grant;
pub mod handle;
pub mod id;
pub mod import;
pub mod imprint;
pub mod lasting;
pub mod loaded;
pub mod one_time;
pub mod person;
pub mod place;
pub mod refresh;
pub mod renewal;
pub mod revocation;
pub mod scope;
pub mod session;
pub mod sign_in;
pub mod signing;
pub mod step_up;
pub mod subject;
pub mod switches;
pub mod target;
pub mod time;

pub use activity::Used;
pub use change::Change;
pub use client::{BindingMode, BindingPolicy, ClientPolicy, Policies, Replay};
pub use denial::{Denial, Fault};
pub use epoch::{Cutoffs, Ver};
pub use grant::{Grant, Outcome, Terms};
pub use handle::{Handle, Shown};
pub use id::{
    ClientId, Digest, Generation, KeyId, NotAName, Salt, SessionId, Shard, StoreEpoch, Subject,
};
pub use import::{Arrival, Import, Imported};
pub use loaded::{Decision, Loaded, Verdict};
pub use one_time::{Once, OneTime, Unfit};
pub use refresh::{Refresh, RefreshToken};
pub use revocation::{Act, Actor, Below, Effect, Event, Reason, Target};
pub use session::{Session, SessionState, Standing};
pub use sign_in::{LoadedSubject, Start, SubjectDecision, Which};
pub use signing::{KeyLife, KeyPlan, KeyState};
pub use step_up::StepUp;
pub use subject::SubjectState;
pub use time::{Duration, Timestamp};
