//! Where the master key is read.

use crate::config::MasterKeySource;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use symbolon_wire::MasterKey;

/// Anything for others, and writing for the group.
const OPEN_TO_OTHERS: u32 = 0o027;

impl MasterKeySource {
    /// Reads the key; `None` if nothing says where it is.
    ///
    /// # Errors
    /// What is wrong and what to do, as a sentence that never repeats the key.
    pub fn read(&self) -> Result<Option<MasterKey>, String> {
        match self {
            Self::File(path) => from_file(path, "master_key_file").map(Some),
            Self::Credential(path) => from_file(path, "master_key_credential").map(Some),
            Self::Env(text) => MasterKey::parse(text.expose())
                .map(Some)
                .map_err(|malformed| format!("SYMBOLON_MASTER_KEY {}", malformed.why())),
            Self::None => Ok(None),
        }
    }

    /// What to say when the key's file is open to others than its owner and a group that reads it.
    /// (systemd keeps credentials to the service itself.)
    pub fn warning(&self) -> Option<String> {
        let Self::File(path) = self else { return None };
        let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o777;
        let (shown, open) = (path.display(), mode & OPEN_TO_OTHERS != 0);
        open.then(|| {
            format!("others can reach the master key: {shown} has mode {mode:04o}; chmod 600")
        })
    }
}

fn from_file(path: &Path, setting: &str) -> Result<MasterKey, String> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).map(zeroize::Zeroizing::new).map_err(|why| {
        format!("the master key could not be read from {shown} ({setting}): {why}")
    })?;
    MasterKey::parse(&text)
        .map_err(|malformed| format!("the master key in {shown} ({setting}) {}", malformed.why()))
}
