//! The one place that asks the environment.

use crate::config::overlay::PREFIX;
use std::path::PathBuf;

/// Every `SYMBOLON_` variable; one that is not UTF-8 is left out, and its setting with it.
pub(crate) fn settings() -> Vec<(String, String)> {
    let ours = |name: &std::ffi::OsString| name.to_string_lossy().starts_with(PREFIX);
    let text = |value: std::ffi::OsString| value.into_string().ok();
    std::env::vars_os()
        .filter(|(name, _)| ours(name))
        .filter_map(|(name, value)| Some((text(name)?, text(value)?)))
        .collect()
}

/// The configuration file that the environment names.
#[expect(clippy::disallowed_methods, reason = "this is the file that reads the environment")]
pub(crate) fn configuration_file() -> Option<PathBuf> {
    std::env::var_os("SYMBOLON_CONFIG").map(PathBuf::from)
}

/// Where systemd put the credentials of this service.
#[expect(clippy::disallowed_methods, reason = "this is the file that reads the environment")]
pub(crate) fn credentials_directory() -> Option<PathBuf> {
    std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from)
}
