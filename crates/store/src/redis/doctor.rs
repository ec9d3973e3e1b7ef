//! What `symbolon doctor` is told of the servers.

use super::address::Address;
use super::link::{Link, Trouble, field};
use super::map::Map;
use super::rows::Answer;
use super::scripts::Keys;
use crate::latency;
use std::time::Duration;

/// How long asking may take in all.
const DOCTOR_MAX: Duration = Duration::from_secs(10);

/// What is known of one primary, as it said itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// The server, without user and password.
    pub server: String,
    /// Its version; Valkey says which Redis it is like.
    pub version: String,
    /// How many replicas follow it now.
    pub replicas: u64,
    /// Whether every write is appended to a file.
    pub appends: bool,
    /// When that file is synced; `None`: it did not say (no right to `CONFIG GET`).
    pub appendfsync: Option<String>,
    /// What it does when memory is short; anything but `noeviction` is refused.
    pub maxmemory_policy: String,
    /// How much memory it uses, in bytes.
    pub used_memory: u64,
    /// How much it may use, in bytes; 0: as much as there is.
    pub maxmemory: u64,
    /// Its clock, in milliseconds since 1970.
    pub clock_ms: u64,
    /// How long it took to say so: the clock's error is half of it at most.
    pub latency: Duration,
}

/// Asks every primary of a store how it is.
///
/// # Errors
/// A server could not be reached or asked: which, and why.
pub async fn doctor(address: &Address) -> Result<Vec<Finding>, String> {
    let found = tokio::time::timeout(DOCTOR_MAX, findings(address)).await;
    found.unwrap_or_else(|_| Err(format!("{address} did not answer in time")))
}

async fn findings(address: &Address) -> Result<Vec<Finding>, String> {
    let keys = Keys::new(&address.prefix);
    let map = Map::find(address, &keys).await.map_err(Trouble::text)?;
    let mut findings = Vec::with_capacity(map.links().len());
    for link in map.links() {
        findings.push(finding(link).await.map_err(Trouble::text)?);
    }
    Ok(findings)
}

async fn finding(link: &Link) -> Result<Finding, Trouble> {
    let (server, memory) = (link.info("server").await?, link.info("memory").await?);
    let (replication, kept) = (link.info("replication").await?, link.info("persistence").await?);
    let number = |told: &str, name| field(told, name).and_then(|value| value.parse().ok());
    let text = |told: &str, name| field(told, name).unwrap_or("unknown").to_owned();
    let asked = latency::now();
    let clock = link.ask(&redis::cmd("TIME")).await?;
    let latency = asked.elapsed();
    Ok(Finding {
        server: link.name(),
        version: text(&server, "redis_version"),
        replicas: number(&replication, "connected_slaves").unwrap_or(0),
        appends: field(&kept, "aof_enabled") == Some("1"),
        appendfsync: appendfsync(link).await,
        maxmemory_policy: text(&memory, "maxmemory_policy"),
        used_memory: number(&memory, "used_memory").unwrap_or(0),
        maxmemory: number(&memory, "maxmemory").unwrap_or(0),
        clock_ms: millis(clock).ok_or_else(|| Trouble::Refused("TIME cannot be read".into()))?,
        latency,
    })
}

fn millis(clock: redis::Value) -> Option<u64> {
    let mut clock = Answer::of(clock).ok()?;
    let (seconds, micros) = (clock.number().ok()?, clock.number().ok()?);
    seconds.checked_mul(1000)?.checked_add(micros / 1000)
}

async fn appendfsync(link: &Link) -> Option<String> {
    let told = link.ask(redis::cmd("CONFIG").arg("GET").arg("appendfsync")).await.ok()?;
    let mut told = Answer::of(told).ok()?;
    let _name = told.must().ok()?;
    String::from_utf8(told.must().ok()?).ok()
}
