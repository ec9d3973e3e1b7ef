//! Where `dev` keeps its things: a directory of the user's, or a fresh one that goes away with it.

use crate::cli::Failure;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use symbolon_wire::{MasterKey, SecretHash, SecretText, client_secret};
use tempfile::TempDir;

/// How many service secrets of earlier starts still work. Inclusive; older ones are forgotten.
const SECRETS_MAX: usize = 64;

/// A directory with a master key in it.
pub struct Directory {
    path: PathBuf,
    // Removes a temporary directory when `dev` ends.
    temporary: Option<TempDir>,
}

#[derive(Serialize, Deserialize, Default)]
struct Remembered {
    service_secret_hashes: Vec<String>,
}

impl Directory {
    /// Opens or makes the directory, and the master key in it.
    ///
    /// # Errors
    /// It cannot be made, or it holds a database without the master key that belongs to it.
    pub fn open(asked: Option<&Path>) -> Result<Self, Failure> {
        let this = match asked {
            Some(path) => {
                let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
                made.map_err(|why| could_not("make", path, &why))?;
                Self { path: path.to_owned(), temporary: None }
            }
            None => {
                let fresh = tempfile::Builder::new().prefix("symbolon-dev-").tempdir();
                let fresh = fresh.map_err(|why| could_not("make", &std::env::temp_dir(), &why))?;
                Self { path: fresh.path().to_owned(), temporary: Some(fresh) }
            }
        };
        this.make_master_key()?;
        Ok(this)
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it goes away when `dev` ends.
    pub fn is_temporary(&self) -> bool {
        self.temporary.is_some()
    }

    /// The file with the master key.
    pub fn master_key(&self) -> PathBuf {
        self.path.join("master.key")
    }

    /// The file of the store, unless another is asked for.
    pub fn database(&self) -> PathBuf {
        self.path.join("symbolon.db")
    }

    /// Draws a secret for the service client, and answers it with the hashes of all that work.
    ///
    /// # Errors
    /// What was remembered cannot be read or written.
    pub fn new_service_secret(&self) -> Result<(SecretText, Vec<SecretHash>), Failure> {
        let path = self.path.join("dev.json");
        let mut remembered: Remembered = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|why| could_not("read", &path, &io::Error::other(why)))?,
            Err(why) if why.kind() == io::ErrorKind::NotFound => Remembered::default(),
            Err(why) => return Err(could_not("read", &path, &why)),
        };
        let secret = client_secret(&random()?);
        remembered.service_secret_hashes.insert(0, SecretHash::of(secret.expose()).to_text());
        remembered.service_secret_hashes.truncate(SECRETS_MAX);
        let text = serde_json::to_vec_pretty(&remembered).unwrap_or_default();
        let fresh = self.path.join("dev.json.new");
        write_private(&fresh, &text, false)
            .and_then(|()| fs::rename(&fresh, &path))
            .map_err(|why| could_not("write", &path, &why))?;
        let read = |text: &String| SecretHash::parse(text);
        let hashes: Result<Vec<_>, _> = remembered.service_secret_hashes.iter().map(read).collect();
        Ok((secret, hashes.map_err(|why| could_not("read", &path, &io::Error::other(why)))?))
    }

    fn make_master_key(&self) -> Result<(), Failure> {
        let path = self.master_key();
        if path.exists() {
            return Ok(());
        }
        if self.database().exists() {
            return Err(Failure::refused(format!(
                "{} has lost its master key",
                self.path.display()
            ))
            .because("symbolon.db is there and master.key is not; one is nothing without the other")
            .next("put master.key back, or name another directory with --data"));
        }
        let (_, text) = MasterKey::generate(&SystemRandom::new()).ok_or_else(no_randomness)?;
        write_private(&path, format!("{}\n", text.expose()).as_bytes(), true)
            .map_err(|why| could_not("write", &path, &why))
    }
}

fn write_private(path: &Path, bytes: &[u8], only_new: bool) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    if only_new {
        options.create_new(true);
    } else {
        options.create(true).truncate(true);
    }
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn random() -> Result<[u8; 32], Failure> {
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).map_err(|_| no_randomness())?;
    Ok(bytes)
}

fn no_randomness() -> Failure {
    Failure::could_not("the system has no randomness")
}

fn could_not(verb: &str, path: &Path, why: &io::Error) -> Failure {
    Failure::could_not(format!("could not {verb} {}", path.display())).because(why)
}
