//! The admin socket: whoever may open it, on the machine itself, may do everything.

use rustix::fs::{Mode, chmod};
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use tokio::net::UnixListener;

/// Its name in the data directory.
pub const NAME: &str = "admin.sock";

/// The socket, while the authority runs; its file goes away with it.
pub struct AdminSocket {
    path: PathBuf,
}

/// Makes the socket in a data directory, in the place of one that a crash left behind.
///
/// # Errors
/// The directory cannot be written to, something else has the name, or another authority answers there.
pub fn open(directory: &Path) -> io::Result<(UnixListener, AdminSocket)> {
    let path = directory.join(NAME);
    match std::fs::symlink_metadata(&path) {
        Ok(found) if found.file_type().is_socket() => {
            if std::os::unix::net::UnixStream::connect(&path).is_ok() {
                return Err(io::Error::other("another authority answers there"));
            }
            std::fs::remove_file(&path)?;
        }
        Ok(_) => return Err(io::Error::other("something else has this name")),
        Err(why) if why.kind() == io::ErrorKind::NotFound => {}
        Err(why) => return Err(why),
    }
    // The process makes every file private; this one is made so in so many words.
    let listener = UnixListener::bind(&path)?;
    chmod(&path, Mode::RUSR | Mode::WUSR)?;
    Ok((listener, AdminSocket { path }))
}

impl Drop for AdminSocket {
    fn drop(&mut self) {
        // The next start takes a leftover away.
        let _ = std::fs::remove_file(&self.path);
    }
}
