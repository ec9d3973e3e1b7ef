//! Log lines on standard error, for people or for machines.
//!
//! Secrets have no `Debug` and no `Display`, so none can stand in a line; `sid`, `jti` and client
//! names may.

use crate::config::{LogFormat, LogLevel};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt};

/// Starts to log; the second call in a process changes nothing.
pub fn start(format: LogFormat, level: LogLevel) {
    let lines = fmt::layer().with_writer(std::io::stderr).with_target(false);
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match format {
        LogFormat::Human => {
            Box::new(lines.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())))
        }
        LogFormat::Json => Box::new(lines.json().flatten_event(true)),
    };
    // An error means that somebody logs already: a test, or an earlier call.
    let _ = tracing_subscriber::registry().with(lines.with_filter(filter(level))).try_init();
}

/// Our own lines from `level` on; the libraries' only from warnings on, whatever was asked for.
fn filter(level: LogLevel) -> Targets {
    let own = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    Targets::new().with_default(LevelFilter::WARN.min(own)).with_target("symbolon", own)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::Level;

    #[test]
    fn our_crates_obey_the_level_and_libraries_only_warn() {
        let debug = filter(LogLevel::Debug);
        assert!(debug.would_enable("symbolon::http", &Level::DEBUG));
        assert!(debug.would_enable("symbolon_store::sqlite", &Level::DEBUG));
        assert!(!debug.would_enable("hyper", &Level::INFO));
        assert!(debug.would_enable("hyper", &Level::WARN));
        assert!(!filter(LogLevel::Error).would_enable("hyper", &Level::WARN));
    }
}
