//! The feed as a verifier in another house would follow it: with `wire`'s layouts and a fold of its own.

use super::{Ask, SOON, Server};
use http::HeaderMap;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use serde_json::json;
use symbolon_wire::KeySet;
use symbolon_wire::feed::{Checkpoint, Cursor, Entry, Frame, FrameReader, Revocation, Snapshot};
use tokio::net::TcpSocket;
use tokio::time::timeout;

/// A stream that is being read.
pub(crate) struct Follower {
    pub(crate) headers: HeaderMap,
    body: Incoming,
    reader: FrameReader,
}

impl Follower {
    /// Begins; `path` has the query.
    pub(crate) async fn of(server: &Server, path: &str) -> Self {
        Self::asking(server, Ask::get(path).key(server.api_key())).await
    }

    /// Begins with a request of another kind. What it does not read, its own side hardly buffers.
    pub(crate) async fn asking(server: &Server, ask: Ask) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let stream = socket.connect(server.authority.parse().unwrap()).await.unwrap();
        let (mut sender, connection) =
            handshake::<_, Full<Bytes>>(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let request = sender.send_request(ask.request(&server.authority));
        let response = timeout(SOON, request).await.expect("an answer comes soon").unwrap();
        assert_eq!(response.status(), 200, "{response:?}");
        let (parts, body) = response.into_parts();
        Self { headers: parts.headers, body, reader: FrameReader::default() }
    }

    /// The next frame; `None`: the stream has ended.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.reader.next_frame() {
                return Some(frame.unwrap());
            }
            let piece = timeout(SOON, self.body.frame()).await.expect("a frame comes soon")?;
            self.reader.push(piece.ok()?.data_ref().unwrap());
        }
    }

    /// Every frame until the stream ends.
    pub(crate) async fn rest(mut self) -> Vec<Frame> {
        let mut frames = Vec::new();
        while let Some(frame) = self.next().await {
            frames.push(frame);
        }
        frames
    }
}

/// A mirror that keeps everything, and believes nothing that it has not computed itself.
pub(crate) struct Mirror {
    pub(crate) keys: KeySet,
    pub(crate) cursor: Cursor,
    pub(crate) seen: Vec<Revocation>,
    pub(crate) entries: Vec<Entry>,
    /// The newest checkpoint, and up to where it vouched.
    pub(crate) checkpoint: Option<Checkpoint>,
    vouched: u64,
}

impl Mirror {
    /// Begins with a snapshot.
    pub(crate) async fn start(server: &Server) -> Self {
        let keys = KeySet::parse(&server.jwks().await).unwrap();
        let answer = server.ask_as_back_end(Ask::get("/v1/feed/snapshot")).await.expect(200);
        assert_eq!(answer.header("content-type"), "application/octet-stream");
        let snapshot = Snapshot::read(&keys, &answer.body);
        let snapshot = snapshot.unwrap_or_else(|why| panic!("it is signed: {why}"));
        let (cursor, entries) = (snapshot.checkpoint.cursor, snapshot.entries());
        let entries = entries.map(Result::unwrap).collect();
        let (vouched, seen) = (cursor.position, Vec::new());
        let checkpoint = Some(snapshot.checkpoint);
        Self { keys, cursor, seen, entries, checkpoint, vouched }
    }

    /// The path that follows it.
    pub(crate) fn path(&self) -> String {
        format!("/v1/feed?after={}", self.cursor.to_text())
    }

    /// Takes a frame in, and panics where a mirror would notice a gap.
    pub(crate) fn take(&mut self, frame: &Frame) {
        match frame {
            Frame::Revocation(cursor, revocation) => {
                let vouched = !self.cursor.is_boundary() || self.vouched == self.cursor.position;
                assert!(vouched, "a block began that nobody vouched for, at {:?}", self.cursor);
                self.cursor = self.cursor.after(revocation);
                assert_eq!(self.cursor, *cursor, "the digest is not the one that was folded");
                self.seen.push(*revocation);
                self.entries.push(revocation.entry);
            }
            Frame::Checkpoint(jws) => {
                let checkpoint = Checkpoint::read(&self.keys, jws).expect("it is the authority's");
                assert_eq!(checkpoint.cursor, self.cursor, "it vouches for what was folded");
                assert!(checkpoint.read_at <= checkpoint.now);
                self.vouched = self.cursor.position;
                self.checkpoint = Some(checkpoint);
            }
            Frame::Key(_) | Frame::Report | Frame::Bye(_) | Frame::Other | _ => {}
        }
    }

    /// Follows until that many revocations were seen and vouched for.
    pub(crate) async fn follow(&mut self, stream: &mut Follower, position: u64) {
        while self.cursor.position < position || self.vouched < position {
            let frame = stream.next().await.expect("the stream goes on");
            self.take(&frame);
        }
    }
}

impl Server {
    /// Has a hundred people renew ten times over, which is a thousand events. Round 0 signs them in.
    pub(crate) async fn revoke_thousand(&self, round: usize) {
        if round == 0 {
            for number in 0..100 {
                self.sign_in(&format!("s{number}")).await;
            }
        }
        let line = |number: usize| {
            let target = json!({"sub": format!("s{}", number % 100)});
            json!({"target": target, "effect": "stale", "reason": "admin"}).to_string()
        };
        let lines: Vec<_> = (0..1000).map(line).collect();
        let ask = Ask::new("POST", "/v1/revocations").with("content-type", "application/x-ndjson");
        self.ask_as_back_end(ask.body(lines.join("\n"))).await.expect(200);
    }

    /// Says as a verifier that all up to a cursor is applied.
    pub(crate) async fn applied(&self, instance: &str, cursor: Cursor, bound_ms: u64) {
        let body = json!({
            "instance": instance, "cursor": cursor.to_text(), "max_staleness_ms": bound_ms,
        });
        self.ask_as_back_end(Ask::json("/v1/feed/applied", &body)).await.expect(204);
    }
}
