//! Who can read the files.

use super::Finding;
use crate::config::{Config, MasterKeySource};
use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What others than the owner may do, in a file's mode.
const OTHERS: u32 = 0o077;

pub(super) fn look(config: &Config, file: Option<&Path>) -> Vec<Finding> {
    let files = secret_files(config);
    let loose: Vec<String> = files.iter().filter_map(|path| loose(path)).collect();
    let mut findings = vec![if loose.is_empty() {
        Finding::good("file modes", "keys and data are readable by their owner alone")
    } else {
        let next = format!("chmod go= {}", loose.join(" "));
        Finding::bad("file modes", format!("others may read {}", loose.join(", ")), next)
    }];
    // A configuration holds no secret, but whoever writes it decides who gets tokens.
    if let Some(path) = file.filter(|path| writable(path)) {
        let found = format!("others may write {}", path.display());
        findings.push(Finding::bad("configuration mode", found, "chmod go-w it"));
    }
    let directories: BTreeSet<_> = files.iter().map(|path| directory_of(path)).collect();
    let open: Vec<_> = directories.into_iter().filter(|path| writable(path)).collect();
    if !open.is_empty() {
        let shown: Vec<_> = open.iter().map(|path| path.display().to_string()).collect();
        let found = format!("others may put other keys or data into {}", shown.join(", "));
        let next = format!("chmod go-w {}", shown.join(" "));
        findings.push(Finding::bad("directory modes", found, next));
    }
    findings
}

/// Every file that holds a key, a secret or the data.
fn secret_files(config: &Config) -> Vec<PathBuf> {
    let beside = |database: &Path, suffix: &str| {
        let mut path = database.as_os_str().to_owned();
        path.push(suffix);
        PathBuf::from(path)
    };
    let mut files = match config.store.file() {
        Some(path) => vec![path.to_owned(), beside(path, "-wal"), beside(path, ".ends")],
        None => Vec::new(),
    };
    if let MasterKeySource::File(path) = &config.master_key {
        files.push(path.clone());
    }
    files.extend(config.store_password_file.clone());
    files.extend(config.tls.as_ref().map(|tls| tls.key.clone()));
    files.extend(config.brought_files().map(Path::to_owned));
    files
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        Some(_) | None => Path::new("."),
    }
}

/// Whether others than the owner may change the file, or what lies in the directory; where the sticky bit is
/// set, they may not touch what is another's.
fn writable(path: &Path) -> bool {
    mode(path).is_some_and(|mode| mode & 0o022 != 0 && mode & 0o1000 == 0)
}

/// The file's name, if it is there and others may read it.
fn loose(path: &Path) -> Option<String> {
    let is_loose = mode(path).is_some_and(|mode| mode & OTHERS != 0);
    is_loose.then(|| path.display().to_string())
}

fn mode(path: &Path) -> Option<u32> {
    std::fs::metadata(path).ok().map(|metadata| metadata.mode())
}
