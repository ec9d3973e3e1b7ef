//! The authority: HTTP, configuration, processes. It holds no rule; `symbolon-core` does.
//!
//! The binary is a rim around [`cli`]; `serve` and `dev` build an [`app::App`] and hand it to [`http`].

pub mod admin_socket;
pub mod api_keys;
pub mod app;
pub mod authority;
pub mod cli;
pub mod clock;
pub mod config;
pub mod demo_api;
pub mod feed;
pub mod hook;
pub mod http;
pub mod keys;
pub mod log;
pub mod metrics;
pub mod migration;
pub mod nodes;
pub mod outbound;
pub mod people;
pub mod playground;
pub mod presence;
pub mod sidecar;
pub mod standing;
pub mod task;
pub mod tls;
