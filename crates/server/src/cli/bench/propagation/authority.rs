//! The authority that is measured: the user's own, or one that is started for the purpose.

use super::PropagationArgs;
use crate::cli::Failure;
use crate::cli::net::parse_url;
use http::Uri;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// Where sessions are started and ended, and as whom. It holds an API key, so it has no `Debug`.
pub(super) struct Authority {
    pub(super) url: Uri,
    pub(super) api_key: String,
    own: Option<Child>,
}

impl Authority {
    pub(super) fn of(args: &PropagationArgs) -> Result<Self, Failure> {
        match (&args.url, &args.api_key) {
            (Some(url), Some(api_key)) => {
                Ok(Self { url: url.clone(), api_key: api_key.clone(), own: None })
            }
            (None, _) => Self::start(),
            (Some(_), None) => Err(Failure::wrong_usage("--url needs --api-key")),
        }
    }

    /// Starts `symbolon dev` on free ports.
    fn start() -> Result<Self, Failure> {
        let failed = || Failure::could_not("could not start an authority to measure");
        let mut own = this_program()?
            .args(["dev", "--json", "--listen", "127.0.0.1:0", "--demo-listen", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|why| failed().because(why))?;
        let mut line = String::new();
        let stdout = own.stdout.take().ok_or_else(failed)?;
        let read = BufReader::new(stdout).read_line(&mut line);
        let mut this = Self { url: Uri::default(), api_key: String::new(), own: Some(own) };
        read.map_err(|why| failed().because(why))?;
        let ready: Value = serde_json::from_str(&line)
            .map_err(|_| failed().next("symbolon dev says why, started by hand"))?;
        let text = |member: &str| ready[member].as_str().unwrap_or_default().to_owned();
        this.url = parse_url(&text("authority")).map_err(|why| failed().because(why))?;
        this.api_key = text("api_key");
        Ok(this)
    }

    /// Its name in tokens.
    pub(super) fn issuer(&self) -> String {
        self.url.to_string().trim_end_matches('/').to_owned()
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        if let Some(own) = &mut self.own {
            // It removes what it wrote, which it could not if it were killed.
            let _ = kill_process(Pid::from_child(own), Signal::TERM);
            let _ = own.wait();
        }
    }
}

/// This program again, without the settings of the shell that began.
pub(super) fn this_program() -> Result<Command, Failure> {
    let path = std::env::current_exe();
    let path =
        path.map_err(|why| Failure::could_not("could not find this program").because(why))?;
    let mut command = Command::new(path);
    command.env_remove("SYMBOLON_URL").env_remove("SYMBOLON_API_KEY");
    Ok(command)
}
