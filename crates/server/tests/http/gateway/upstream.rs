//! An application that serves everything, and says what it received.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// What it says before what it received.
const MARK: &str = "the application received:\n";

/// An application behind a proxy.
pub(super) struct Upstream {
    pub(super) address: SocketAddr,
    served: Arc<AtomicUsize>,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Upstream {
    /// Serves on a free port until the process ends.
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (served, heads) = (Arc::default(), Arc::default());
        let own = Self { address, served, heads };
        let (served, heads) = (Arc::clone(&own.served), Arc::clone(&own.heads));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (served, heads) = (Arc::clone(&served), Arc::clone(&heads));
                thread::spawn(move || serve(stream, &served, &heads));
            }
        });
        own
    }

    /// How many requests have reached it.
    pub(super) fn served(&self) -> usize {
        self.served.load(Ordering::SeqCst)
    }

    /// The heads of the requests that have reached it since the last call.
    pub(super) fn received(&self) -> Vec<String> {
        std::mem::take(&mut *self.heads.lock().unwrap())
    }
}

/// One request a connection, so that nothing is left of it for the next.
fn serve(mut stream: TcpStream, served: &AtomicUsize, heads: &Mutex<Vec<String>>) {
    let mut head = Vec::new();
    let mut chunk = [0; 4096];
    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
        match stream.read(&mut chunk) {
            Ok(read @ 1..) => head.extend_from_slice(&chunk[..read]),
            Ok(0) | Err(_) => return,
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    heads.lock().unwrap().push(head.clone());
    served.fetch_add(1, Ordering::SeqCst);
    let body = format!("{MARK}{head}");
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    );
    // Whoever asked may be gone; what counts was written down above.
    let _ = stream.write_all(answer.as_bytes());
}
