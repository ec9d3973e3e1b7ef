//! The floor: SQLite alone, on a copy of the store's file.

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// After so many rows the log is written back, as the store does.
const CHECKPOINT_ROWS: usize = 16_384;

pub(crate) struct Bare {
    connection: Connection,
    path: PathBuf,
    rows: Vec<([u8; 16], Vec<u8>)>,
    next: usize,
    since: usize,
    beside: Option<JoinHandle<()>>,
    passed: Arc<AtomicUsize>,
}

fn connect(path: &Path) -> Connection {
    let connection = Connection::open(path).unwrap();
    connection.pragma_update(None, "synchronous", "FULL").unwrap();
    connection.query_row("PRAGMA wal_autocheckpoint = 0", [], |_| Ok(())).unwrap();
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).unwrap();
    connection.pragma_update(None, "cell_size_check", true).unwrap();
    connection.pragma_update(None, "cache_size", -128 * 1024).unwrap();
    connection
}

fn checkpoint(connection: &Connection) {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).unwrap();
}

impl Bare {
    pub(crate) fn open(path: &Path, sessions: u32) -> Self {
        let connection = connect(path);
        let mut rows = connection.prepare("SELECT sid, row FROM sessions").unwrap();
        let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        let mut rows: Vec<_> = rows.collect::<Result<_, _>>().unwrap();
        assert_eq!(rows.len(), sessions as usize);
        shuffle(&mut rows);
        let (path, passed) = (path.to_owned(), Arc::default());
        let connection = connect(&path);
        Self { connection, path, rows, next: 0, since: 0, beside: None, passed }
    }

    /// Rows updated per second.
    pub(crate) fn run(&mut self, batch: usize, span: Duration) -> f64 {
        let (begun, mut count) = (Instant::now(), 0);
        while begun.elapsed() < span {
            self.commit(batch);
            self.write_back(batch);
            count += batch;
        }
        count as f64 / begun.elapsed().as_secs_f64()
    }

    fn commit(&mut self, batch: usize) {
        let run = |sql| self.connection.prepare_cached(sql).unwrap().execute([]).unwrap();
        run("BEGIN IMMEDIATE");
        for _ in 0..batch {
            self.next = (self.next + 1) % self.rows.len();
            let (sid, row) = &self.rows[self.next];
            let mut update = self
                .connection
                .prepare_cached(
                    "UPDATE sessions SET version = version + 1, row = ?2 WHERE sid = ?1",
                )
                .unwrap();
            assert_eq!(update.execute((sid, row)).unwrap(), 1);
        }
        run("COMMIT");
    }

    fn write_back(&mut self, rows: usize) {
        self.since += rows;
        if self.passed.swap(0, Ordering::AcqRel) != 0 {
            checkpoint(&self.connection);
        }
        if self.since < CHECKPOINT_ROWS
            || self.beside.as_ref().is_some_and(|one| !one.is_finished())
        {
            return;
        }
        self.since = 0;
        let (path, passed) = (self.path.clone(), Arc::clone(&self.passed));
        self.beside = Some(std::thread::spawn(move || {
            let connection = connect(&path);
            checkpoint(&connection);
            checkpoint(&connection);
            passed.store(1, Ordering::Release);
        }));
    }
}

fn shuffle<T>(rows: &mut [T]) {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    for last in (1..rows.len()).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        rows.swap(last, (state % (last as u64 + 1)) as usize);
    }
}
