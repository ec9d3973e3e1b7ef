//! Files that lie beside a database, and how one takes another's place.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Result};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Who may read what we write: its owner.
const MODE: u32 = 0o600;

/// The file of that ending beside another.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut beside = path.as_os_str().to_owned();
    beside.push(ending);
    beside.into()
}

/// Makes an empty file that its owner alone may read, in place of what is there.
pub(super) fn create(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(MODE).open(path)?;
    file.set_permissions(std::fs::Permissions::from_mode(MODE))?;
    Ok(file)
}

/// Removes a file, if it is there.
pub(super) fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Gives a file another name, if it is there.
pub(super) fn rename(from: &Path, to: &Path) -> Result<()> {
    match std::fs::rename(from, to) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Brings a file to the disk.
pub(super) fn sync(path: &Path) -> Result<()> {
    File::open(path)?.sync_all()
}

/// Brings to the disk which names a file's directory has.
pub(super) fn sync_directory_of(path: &Path) -> Result<()> {
    let directory = path.parent().filter(|parent| *parent != Path::new(""));
    sync(directory.unwrap_or(Path::new(".")))
}
