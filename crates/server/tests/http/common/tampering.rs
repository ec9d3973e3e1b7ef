//! Tricks that the system plays on a server: calls about its store's files fail, by way of `strace`.

use super::{SOON, Server};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

const STRACE: &str = "strace";

/// Calls that fail until this is undone.
pub(crate) struct Tampering(Child);

impl Tampering {
    /// Begins: `trick` is what `strace -e inject=` takes. Calls are counted from now on.
    pub(crate) async fn with(server: &Server, trick: &str) -> Self {
        let mut command = Command::new(STRACE);
        command.args(["-f", "-o", "/dev/null", "-p", &server.process().to_string()]);
        let child =
            meaning(&mut command, &server.home.data(), trick).stderr(Stdio::piped()).spawn();
        let mut child = child.unwrap_or_else(|why| missing(&why));
        let said = BufReader::new(child.stderr.take().unwrap());
        let (tell, attached) = oneshot::channel();
        std::thread::spawn(move || {
            let (mut tell, mut all) = (Some(tell), String::new());
            // Read to its end: it says so of every thread that comes later, and would die of a closed pipe.
            for line in said.lines().map_while(Result::ok) {
                all.push_str(&line);
                if let Some(tell) = tell.take_if(|_| line.contains(" attached")) {
                    let _ = tell.send(Ok(()));
                }
            }
            tell.map(|tell| tell.send(Err(all)));
        });
        let attached = timeout(SOON, attached).await.expect("strace attaches soon").unwrap();
        attached.unwrap_or_else(|said| panic!("strace could not attach: {said}"));
        Self(child)
    }

    /// Undoes it: every call is the system's own again.
    pub(crate) async fn stop(mut self) {
        kill_process(Pid::from_child(&self.0), Signal::INT).unwrap();
        spawn_blocking(move || self.0.wait().unwrap()).await.unwrap();
    }
}

/// A program that is played tricks on from its beginning.
pub(crate) fn tampered(data: &Path, trick: &str, program: &str) -> Command {
    let found = Command::new(STRACE).arg("--version").stdout(Stdio::null()).status();
    found.unwrap_or_else(|why| missing(&why));
    let mut command = Command::new(STRACE);
    // With -D the program is our child, and strace nobody's.
    command.env_clear().stdin(Stdio::null()).args(["-D", "-f", "-q", "-o", "/dev/null"]);
    meaning(&mut command, data, trick).arg(program);
    command
}

/// The store's files alone: what else the process writes is not what is being tested.
fn meaning<'a>(command: &'a mut Command, data: &Path, trick: &str) -> &'a mut Command {
    for ending in ["", "-wal", ".ends"] {
        command.arg("-P").arg(data.join(format!("symbolon.db{ending}")));
    }
    let calls = trick.split(':').next().unwrap();
    command.args(["-e", &format!("trace={calls}"), "-e", &format!("inject={trick}")])
}

fn missing<T>(why: &std::io::Error) -> T {
    panic!("{STRACE}: {why}; run: apt-get install {STRACE}")
}
