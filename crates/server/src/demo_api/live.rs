//! `/live`: a WebSocket that closes when its session is over.
//!
//! It is let in like any request, by the `Authorization` header of its handshake, or by `?ticket=`, since a browser
//! cannot set a header there. The end of its session is heard at once where the feed is followed; besides, its
//! token is checked about once a second. So it also closes when its token expires: what asks with a token
//! learns of its session no longer than the token lives.

use super::answer::Problem;
use super::guard::{Admitted, Guard};
use crate::http::Stop;
use axum::Extension;
use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::http::StatusCode;
use axum::http::header::{HeaderValue, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use std::ops::ControlFlow;
use std::sync::Arc;
use symbolon_verify::{Rejected, Unknown};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Duration, Instant, MissedTickBehavior, interval_at, timeout};

/// Closed because the session is over, or the token no longer good: 401 in the private range.
const UNAUTHORIZED: u16 = 4401;

/// Closed because the server stops (RFC 6455 §7.4.1).
const GOING_AWAY: u16 = 1001;

/// How often a token is checked again, for the first time so long after it was let in.
pub const CHECK_EVERY: Duration = Duration::from_secs(1);

/// How long a socket stays open on its last yes while the authority cannot be asked. Inclusive.
const UNANSWERED_MAX: Duration = Duration::from_secs(5);

/// How long a peer may take to read what it is sent. Inclusive.
const SEND_MAX: Duration = Duration::from_secs(5);

/// The largest message that is read, in bytes; none is acted upon.
const MESSAGE_BYTES_MAX: usize = 4 * 1024;

/// What a socket needs.
#[derive(Clone)]
pub(super) struct Live {
    guard: Guard,
    sockets: Arc<Semaphore>,
    stop: Stop,
}

impl Live {
    pub(super) fn new(guard: Guard, sockets: Arc<Semaphore>, stop: Stop) -> Self {
        Self { guard, sockets, stop }
    }
}

/// Opens a socket for a request that was let in.
pub(super) async fn open(
    State(live): State<Live>,
    Extension(admitted): Extension<Admitted>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let Ok(upgrade) = upgrade else {
        let (status, why) = (StatusCode::UPGRADE_REQUIRED, "This is a WebSocket.");
        let response = Problem::new(status, "upgrade-required", why).into_response();
        return with(response, ("upgrade", "websocket"));
    };
    let Ok(place) = Arc::clone(&live.sockets).try_acquire_owned() else {
        let (status, why) = (StatusCode::SERVICE_UNAVAILABLE, "Too many sockets are open.");
        let response = Problem::new(status, "busy", why).into_response();
        return with(response, (RETRY_AFTER.as_str(), "5"));
    };
    upgrade
        .max_message_size(MESSAGE_BYTES_MAX)
        .max_frame_size(MESSAGE_BYTES_MAX)
        .on_upgrade(move |socket| live.keep(socket, admitted, place))
}

fn with(mut response: Response, (name, value): (&'static str, &'static str)) -> Response {
    response.headers_mut().insert(name, HeaderValue::from_static(value));
    response
}

impl Live {
    /// Holds a socket, and its place among the [`super::SOCKETS_MAX`], until it is to be closed.
    async fn keep(
        mut self,
        mut socket: WebSocket,
        admitted: Admitted,
        _place: OwnedSemaphorePermit,
    ) {
        let claims = admitted.verified.claims();
        let hello = json!({ "sub": claims.sub, "sid": claims.session_id() }).to_string();
        if !sent(&mut socket, Message::Text(hello.into())).await {
            return;
        }
        if let Some((code, reason)) = self.watch(&mut socket, &admitted).await {
            let close = CloseFrame { code, reason: reason.into() };
            sent(&mut socket, Message::Close(Some(close))).await;
        }
    }

    /// Why the socket is to be closed; `None` if its peer has left.
    async fn watch(
        &mut self,
        socket: &mut WebSocket,
        admitted: &Admitted,
    ) -> Option<(u16, &'static str)> {
        let (mut ended, mut heard) = (admitted.verified.ended(), true);
        let mut tick = interval_at(Instant::now() + CHECK_EVERY, CHECK_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last_yes = Instant::now();
        loop {
            tokio::select! {
                reason = &mut ended, if heard => match reason {
                    Some(reason) => return Some((UNAUTHORIZED, reason.as_str())),
                    // Nobody would say it: there are only the checks.
                    None => heard = false,
                },
                _ = tick.tick() => {
                    let checked = self.guard.check(admitted.token.expose()).await.map(|_| ());
                    if let ControlFlow::Break(reason) = judge(checked, &mut last_yes) {
                        return Some((UNAUTHORIZED, reason));
                    }
                }
                message = socket.recv() => {
                    message?.ok()?;
                }
                () = stopped(&mut self.stop) => return Some((GOING_AWAY, "stopping")),
            }
        }
    }
}

/// Waits until the server stops; one that is gone has stopped too.
async fn stopped(stop: &mut Stop) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Whether a socket may stay open after an answer.
fn judge(checked: Result<(), Rejected>, last_yes: &mut Instant) -> ControlFlow<&'static str> {
    match checked {
        Ok(()) => {
            *last_yes = Instant::now();
            ControlFlow::Continue(())
        }
        Err(Rejected::Unverifiable(Unknown::Session)) if last_yes.elapsed() <= UNANSWERED_MAX => {
            ControlFlow::Continue(())
        }
        Err(Rejected::Revoked { ended: Some(ended) }) => ControlFlow::Break(ended.as_str()),
        Err(rejected) => ControlFlow::Break(rejected.reason().unwrap_or("unauthorized")),
    }
}

/// Whether it was sent; a peer that does not read is left.
async fn sent(socket: &mut WebSocket, message: Message) -> bool {
    matches!(timeout(SEND_MAX, socket.send(message)).await, Ok(Ok(())))
}
