//! PostgreSQL and Redis from Debian's packages: started once for a test program, gone with it.

#[path = "../../../store/tests/postgres/server.rs"]
#[expect(dead_code, reason = "shared with the tests of the store, which ask more")]
mod postgres;
#[path = "../../../store/tests/redis/servers.rs"]
#[expect(dead_code, reason = "shared with the tests of the store, which ask more")]
mod redis;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// An engine that a store may live in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Engine {
    Postgres,
    Redis,
}

impl Engine {
    /// The URL of a place in it that nobody has used.
    pub(crate) fn place(self) -> String {
        static PLACES: AtomicUsize = AtomicUsize::new(0);
        let place = format!("place{}", PLACES.fetch_add(1, Ordering::Relaxed));
        match self {
            Self::Postgres => format!("{}?schema={place}", self.url()),
            Self::Redis => format!("{}?prefix={place}", self.url()),
        }
    }

    /// The URL of the server; its default place belongs to whoever asks first.
    fn url(self) -> String {
        static POSTGRES: OnceLock<postgres::Server> = OnceLock::new();
        static REDIS: OnceLock<redis::Server> = OnceLock::new();
        let port = match self {
            Self::Postgres => POSTGRES.get_or_init(|| postgres::Server::new(&["fsync=off"])).port,
            Self::Redis => REDIS.get_or_init(redis).port,
        };
        match self {
            Self::Postgres => format!("postgres://symbolon@127.0.0.1:{port}/postgres"),
            Self::Redis => format!("redis://127.0.0.1:{port}"),
        }
    }
}

/// Waits for it in a runtime of its own: some who ask have none, and who has one may not wait in it.
fn redis() -> redis::Server {
    let starting = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(redis::Server::start("redis-server", &redis::KEEPING))
    };
    std::thread::spawn(starting).join().unwrap()
}
