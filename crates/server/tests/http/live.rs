//! `/live` of both demo APIs beside a real authority: the feed closes it, not the next look at its token.

use crate::common::Server;
use std::net::TcpStream;
use symbolon::demo_api::CHECK_EVERY;
use tokio::task::spawn_blocking;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Message, WebSocket, client};

/// How often it is tried on a machine with other work; what waits for its look at the token is never in time.
const TRIES: usize = 20;

pub(crate) type Socket = WebSocket<TcpStream>;

/// Opens a socket and reads its greeting, beside the test's own thread.
pub(crate) async fn open(demo: &str, token: &str) -> Socket {
    let address = demo.strip_prefix("http://").unwrap().to_owned();
    let mut request = format!("ws://{address}/live").into_client_request().unwrap();
    let bearer = format!("Bearer {token}").parse().unwrap();
    request.headers_mut().insert("authorization", bearer);
    let open = move || {
        let (mut socket, _) = client(request, TcpStream::connect(address).unwrap()).unwrap();
        assert!(socket.read().unwrap().is_text(), "it is greeted");
        socket
    };
    spawn_blocking(open).await.unwrap()
}

/// The first thing that comes, which must be a close: its code and reason.
pub(crate) async fn closed(mut socket: Socket) -> (u16, String) {
    let first = spawn_blocking(move || socket.read().unwrap()).await.unwrap();
    let Message::Close(Some(frame)) = first else { panic!("{first:?}") };
    (frame.code.into(), frame.reason.to_string())
}

#[tokio::test]
async fn a_kick_closes_a_socket_at_once_and_a_renewal_does_not() {
    let server = Server::followed(&[]).await;
    for demo in ["demo_api", "second_demo_api"] {
        let demo = server.told[demo].as_str().unwrap();
        let mut in_time = false;
        for _ in 0..TRIES {
            let tokens = server.sign_in("alice").await;
            let began = Instant::now();
            let socket = open(demo, &tokens.access).await;
            server.renew(&tokens.refresh).await;
            server.kick(&tokens.sid).await.expect(200);
            assert_eq!(closed(socket).await, (4401, "kicked".into()));
            in_time = began.elapsed() < CHECK_EVERY;
            if in_time {
                break;
            }
        }
        assert!(in_time, "{demo} waits for its next look at the token");
    }
}

#[tokio::test]
async fn a_socket_closes_when_its_token_expires() {
    let server = Server::followed(&["--access-token-ttl", "2s", "--grace", "1s"]).await;
    let tokens = server.sign_in("alice").await;
    let socket = open(server.told["demo_api"].as_str().unwrap(), &tokens.access).await;
    assert_eq!(closed(socket).await, (4401, "expired".into()));
}
