//! The suite on SQLite, and what is SQLite's alone.

mod backup;
mod conformance;
mod damage;
mod flips;
mod restore;
mod settle;
mod story;

use super::{Role, Sqlite};
use crate::{Refusal, Store};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A directory of stores that is removed when dropped.
struct Places(TempDir);

impl Places {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, place: &str) -> PathBuf {
        self.0.path().join(format!("{place}.db"))
    }

    fn open(&self, place: &str) -> Store {
        open(&self.path(place)).unwrap()
    }
}

fn open(path: &Path) -> Result<Store, Refusal> {
    Sqlite::open(path, Role::Serve).map(Store::Sqlite)
}

/// All files of a store, one after the other.
fn bytes_of(places: &Places) -> Vec<u8> {
    let files = std::fs::read_dir(places.0.path()).unwrap();
    files.flat_map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect()
}
