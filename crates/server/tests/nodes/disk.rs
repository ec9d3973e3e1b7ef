//! A small disk, which can be filled.

use crate::postgres::{directory, must, text};
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::process::Command;

/// How large it is: room for an empty PostgreSQL, its log of writes, and a minute of load.
const SIZE: &str = "size=192m,mode=0777";

/// Its place is unmounted by whoever stops the server on it, at the latest when this program ends.
pub(crate) struct Disk {
    pub(crate) place: PathBuf,
}

impl Disk {
    /// Memory that is mounted as a disk, which root alone may do: who is not asks for it without being asked anything.
    pub(crate) fn mounted() -> Self {
        let place = directory();
        let is_root = rustix::process::geteuid().is_root();
        let mut mount = Command::new(if is_root { "mount" } else { "sudo" });
        mount.args(["-n", "mount"].iter().filter(|_| !is_root));
        must(mount.args(["-t", "tmpfs", "-o", SIZE, "none", text(&place)]));
        Self { place }
    }

    /// Writes until nothing more can be written.
    pub(crate) fn fill(&self) {
        let mut file = File::options().create(true).append(true).open(self.filler()).unwrap();
        let mut size = 1 << 20;
        while 0 < size {
            match file.write(&vec![0; size]) {
                Ok(_) => {}
                Err(why) if why.kind() == ErrorKind::StorageFull => size /= 2,
                Err(why) => panic!("{why}"),
            }
        }
    }

    /// Makes room again.
    pub(crate) fn free(&self) {
        fs::remove_file(self.filler()).unwrap();
    }

    fn filler(&self) -> PathBuf {
        self.place.join("filler")
    }
}
