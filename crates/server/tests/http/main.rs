//! The authority over real HTTP against the real binary: what issue, guide and SECURITY.md promise.
//!
//! One program, so that what must wait for a stated time does so beside the rest.
//! `CRASH_ROUNDS=50 cargo test -p symbolon --test http crash` kills the server fifty times; `FAULTS_MAX=200`
//! and `FULL_SECONDS=60` lengthen `faults`, `CROWD=9900` and `CROWD_RATIO_MAX=2` `crowd`.

#[cfg(test)]
mod activity;
#[cfg(test)]
mod advisories;
#[cfg(test)]
mod api_keys;
#[cfg(test)]
mod around;
#[cfg(test)]
mod asked;
#[cfg(test)]
mod bad_bodies;
#[cfg(test)]
mod bad_queries;
#[cfg(test)]
mod client_settings;
#[cfg(test)]
mod clients;
#[cfg(test)]
mod clocks;
#[cfg(test)]
mod common;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod crowd;
#[cfg(test)]
mod delivery;
#[cfg(test)]
mod devices;
#[cfg(test)]
mod disabled;
#[cfg(test)]
mod dpop;
#[cfg(test)]
mod dpop_shown;
#[cfg(test)]
mod edges;
#[cfg(test)]
mod encrypted;
#[cfg(test)]
mod ending;
#[cfg(test)]
#[path = "../engines/mod.rs"]
mod engines;
#[cfg(test)]
mod events;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod feed;
#[cfg(test)]
mod feed_links;
#[cfg(test)]
mod feed_wait;
#[cfg(test)]
mod gateway;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod http2;
#[cfg(test)]
mod idempotency;
#[cfg(test)]
mod import;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod lasting;
#[cfg(test)]
mod listed;
#[cfg(test)]
mod live;
#[cfg(test)]
mod matrix;
#[cfg(test)]
mod me;
#[cfg(test)]
mod metrics;
#[cfg(test)]
mod migrate;
#[cfg(test)]
mod one_time;
#[cfg(test)]
mod one_use;
#[cfg(test)]
mod openapi;
#[cfg(test)]
mod playground;
#[cfg(test)]
mod recipes;
#[cfg(test)]
mod refresh;
#[cfg(test)]
mod refresh_hook;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod revocations;
#[cfg(test)]
mod schedules;
#[cfg(test)]
mod services;
#[cfg(test)]
mod shared_store;
#[cfg(test)]
mod sidecar;
#[cfg(test)]
mod smuggling;
#[cfg(test)]
mod step_up;
#[cfg(test)]
mod stopping;
#[cfg(test)]
mod subject_races;
#[cfg(test)]
mod subjects;
#[cfg(test)]
mod switches;
#[cfg(test)]
mod thin;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod tokens;
#[cfg(test)]
mod watching;
