//! Many nodes on one store, real processes all, while things go wrong: what was answered holds afterwards.
//!
//! A run takes `FAULT_SECONDS` of load (10 without it): `./scripts/long` gives a minute. With `FAULT_NAMESPACES=1`, which
//! root alone can do, nodes that are to be cut off stand in network namespaces of their own, and their cables are pulled;
//! without it a proxy before the store cuts.

#[cfg(test)]
#[path = "../http/common/answer.rs"]
#[expect(dead_code, reason = "shared with the tests of one authority, which ask more")]
mod answer;
#[cfg(test)]
#[path = "../http/common/ask.rs"]
#[expect(dead_code, reason = "shared with the tests of one authority, which ask more")]
mod ask;
#[cfg(test)]
mod balancer;
#[cfg(test)]
mod disk;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod history;
#[cfg(test)]
mod house;
#[cfg(test)]
mod load;
#[cfg(test)]
mod network;
#[cfg(test)]
mod node;
#[cfg(test)]
#[path = "../../../store/tests/postgres/server.rs"]
#[expect(dead_code, reason = "shared with the tests of the store, which ask more")]
mod postgres;
#[cfg(test)]
mod proxy;
#[cfg(test)]
#[path = "../../../store/tests/redis/servers.rs"]
#[expect(dead_code, reason = "shared with the tests of the store, which ask more")]
mod redis;
#[cfg(test)]
mod soon;

use answer::Answer;
use ask::Ask;
use soon::{SOON, pass, until};
use std::time::Duration;

/// How long the load runs while things go wrong.
fn run_time() -> Duration {
    let seconds = from_environment("FAULT_SECONDS").and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(10))
}

/// Whether nodes that are to be cut off stand in network namespaces.
fn namespaces() -> bool {
    from_environment("FAULT_NAMESPACES").is_some_and(|text| text == "1")
}

#[expect(clippy::disallowed_methods, reason = "how long to run is the caller's to say")]
fn from_environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
