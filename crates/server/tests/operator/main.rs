//! What an operator of stores on servers of their own, and of many processes, is told and can rely on: real processes on
//! real servers, which are broken on purpose.

#[cfg(test)]
#[path = "../http/common/mod.rs"]
#[expect(
    dead_code,
    unused_imports,
    reason = "shared with the tests of one authority, which ask more"
)]
mod common;
#[cfg(test)]
mod deploy;
#[cfg(test)]
mod dev;
#[cfg(test)]
mod doctor;
#[cfg(test)]
mod feed;
#[cfg(test)]
mod lost;
#[cfg(test)]
mod machine;
#[cfg(test)]
mod migrate;
#[cfg(test)]
#[path = "../nodes/node.rs"]
#[expect(dead_code, reason = "shared with the runs of faults, which ask more")]
mod node;
#[cfg(test)]
#[path = "../../../store/tests/postgres/server.rs"]
#[expect(dead_code, reason = "shared with the tests of the store, which ask more")]
mod postgres;
#[cfg(test)]
mod ready;
#[cfg(test)]
#[path = "../../../store/tests/redis/servers.rs"]
#[expect(dead_code, reason = "shared with the tests of the store, which ask more")]
mod redis;
#[cfg(test)]
mod together;

#[cfg(test)]
use common::{Answer, Ask, SOON, until};
