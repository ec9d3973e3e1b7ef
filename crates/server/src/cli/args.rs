//! Flags that several files read.

use crate::config::{Preset, parse_duration};
use clap::Args;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// An authority to try things with: nothing to configure, nothing to lose.
#[derive(Args, Clone, Debug, Default)]
pub struct DevArgs {
    /// Print one line of JSON when ready, and nothing else
    #[arg(long)]
    pub json: bool,
    /// Where the authority answers [default: 127.0.0.1:8620]; port 0 picks a free one
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// Where the demo API answers [default: 127.0.0.1:8621]; port 0 picks a free one. The second one answers
    /// at 127.0.0.1:8622, or at a free port
    #[arg(long, value_name = "ADDRESS")]
    pub demo_listen: Option<SocketAddr>,
    /// Keep everything in this directory [default: a fresh temporary one]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Keep state there instead of in the data directory, such as sqlite:/tmp/dev.db
    #[arg(long, value_name = "URL")]
    pub store: Option<String>,
    /// The preset of client `web` [default: dual-token]
    #[arg(long, value_name = "NAME", value_parser = preset)]
    pub preset: Option<Preset>,
    /// How long access tokens of every client live, such as 5min
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub access_token_ttl: Option<Duration>,
    /// The grace window of every client, such as 10s
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub grace: Option<Duration>,
    /// Take audiences and clients from this file
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// The authority itself.
#[derive(Args, Clone, Debug)]
pub struct ServeArgs {
    /// Where the configuration is, and what goes before it
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// Where the configuration is, and what goes before it.
#[derive(Args, Clone, Debug, Default)]
pub struct ConfigArgs {
    /// The configuration file [default: symbolon.toml, where there is one]
    #[arg(long = "config", value_name = "FILE", env = "SYMBOLON_CONFIG")]
    pub file: Option<PathBuf>,
    /// Set one setting; goes before the environment and the file, and may be repeated
    #[arg(long, value_name = "PATH=VALUE")]
    pub set: Vec<String>,
}

fn preset(word: &str) -> Result<Preset, String> {
    let words = Preset::ALL.map(Preset::as_str);
    Preset::parse(word).ok_or_else(|| format!("is none of {}", words.join(", ")))
}
