//! Who can read the files.

use super::Finding;
use crate::config::{Config, MasterKeySource, StoreUrl};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What others than the owner may do, in a file's mode.
const OTHERS: u32 = 0o077;

pub(super) fn look(config: &Config, file: Option<&Path>) -> Vec<Finding> {
    let loose: Vec<String> = secret_files(config).into_iter().filter_map(loose).collect();
    let mut findings = vec![if loose.is_empty() {
        Finding::good("file modes", "keys and data are readable by their owner alone")
    } else {
        let next = format!("chmod go= {}", loose.join(" "));
        Finding::bad("file modes", format!("others may read {}", loose.join(", ")), next)
    }];
    // A configuration holds no secret, but whoever writes it decides who gets tokens.
    let writable = |path: &&Path| mode(path).is_some_and(|mode| mode & 0o022 != 0);
    if let Some(path) = file.filter(writable) {
        let found = format!("others may write {}", path.display());
        findings.push(Finding::bad("configuration mode", found, "chmod go-w it"));
    }
    findings
}

fn secret_files(config: &Config) -> Vec<PathBuf> {
    let StoreUrl::Sqlite(database) = &config.store;
    let beside = |suffix: &str| {
        let mut path = database.as_os_str().to_owned();
        path.push(suffix);
        PathBuf::from(path)
    };
    let mut files = vec![database.clone(), beside("-wal"), beside(".ends")];
    if let MasterKeySource::File(path) = &config.master_key {
        files.push(path.clone());
    }
    files.extend(config.tls.as_ref().map(|tls| tls.key.clone()));
    files
}

/// The file's name, if it is there and others may read it.
fn loose(path: PathBuf) -> Option<String> {
    let is_loose = mode(&path).is_some_and(|mode| mode & OTHERS != 0);
    is_loose.then(|| path.display().to_string())
}

fn mode(path: &Path) -> Option<u32> {
    std::fs::metadata(path).ok().map(|metadata| metadata.mode())
}
