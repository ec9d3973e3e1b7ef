//! The disk under the store: which it is, how full, and how long it takes to keep a promise.

use super::Finding;
use crate::cli::stopwatch::Stopwatch;
use crate::config::Config;
use rustix::fs::{statfs, statvfs};
use std::io::Write;
use std::path::Path;
use std::time::Duration;

/// Under so much free space the next days are at risk; a tenth of it is an emergency.
const FREE_BYTES_MIN: u64 = 1 << 30;

/// How often the disk is asked. Each time is one write and one sync of a page.
const SYNCS: usize = 20;

/// A disk slower than this makes every commit slow, since each waits for one sync.
const SYNC_MAX: Duration = Duration::from_millis(20);

/// File systems on another machine: their locks and syncs are not to be trusted with a database.
const REMOTE: [(u64, &str); 4] =
    [(0x6969, "NFS"), (0xFF53_4D42, "CIFS"), (0xFE53_4D42, "SMB"), (0x0102_1997, "9P")];

pub(super) fn look(config: &Config) -> Vec<Finding> {
    let Some(database) = config.store.file() else { return Vec::new() };
    let directory = match database.parent() {
        Some(parent) if parent != Path::new("") => parent,
        Some(_) | None => Path::new("."),
    };
    if !directory.is_dir() {
        let next = format!("mkdir -p -m 700 {}", directory.display());
        return vec![Finding::bad("data directory", "it is not there", next)];
    }
    [kind(directory), space(directory), Some(sync(directory))].into_iter().flatten().collect()
}

fn kind(directory: &Path) -> Option<Finding> {
    let kind = u64::try_from(statfs(directory).ok()?.f_type).ok()? & 0xFFFF_FFFF;
    let (_, name) = REMOTE.into_iter().find(|(magic, _)| *magic == kind)?;
    let found = format!("the store lies on {name}");
    let next = "move it to a local disk: SQLite's write-ahead log does not work over a network";
    Some(Finding::bad("file system", found, next))
}

fn space(directory: &Path) -> Option<Finding> {
    let disk = statvfs(directory).ok()?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let found = format!("{} MiB are free", free >> 20);
    let next = "make room: while the disk is full, nobody can renew or be ended";
    Some(match free {
        free if free < FREE_BYTES_MIN / 10 => Finding::bad("disk space", found, next),
        free if free < FREE_BYTES_MIN => Finding::warn("disk space", found, next),
        _ => Finding::good("disk space", found),
    })
}

fn sync(directory: &Path) -> Finding {
    let mut times = match measure(directory) {
        Ok(times) => times,
        Err(why) => {
            let found = format!("the data directory cannot be written: {why}");
            return Finding::bad("sync", found, "let the service's user write there");
        }
    };
    times.sort_unstable();
    let (median, worst) = (times[SYNCS / 2], times[SYNCS - 1]);
    let millis = |time: Duration| time.as_secs_f64() * 1000.0;
    let found = format!(
        "a page is on the disk after {:.1} ms, at worst {:.1} ms",
        millis(median),
        millis(worst)
    );
    match median <= SYNC_MAX {
        true => Finding::good("sync", found),
        false => Finding::warn(
            "sync",
            found,
            "use a disk with a shorter sync: every commit waits for one",
        ),
    }
}

fn measure(directory: &Path) -> std::io::Result<Vec<Duration>> {
    let mut file = tempfile::tempfile_in(directory)?;
    let once = |_| {
        let watch = Stopwatch::start();
        file.write_all(&[0; 4096])?;
        file.sync_data()?;
        Ok(watch.elapsed())
    };
    (0..SYNCS).map(once).collect()
}
