//! `symbolon doctor`: looks at everything that an authority stands on, and says what is wrong with it.

mod deep;
mod disk;
mod ends;
mod engine;
mod hooks;
mod keys;
mod modes;
mod proxy;
mod server;
mod tls;

use crate::authority::open_store;
use crate::cli::api::{Api, ApiArgs};
use crate::cli::{ConfigArgs, Failure, config, out};
use crate::clock::civil_now;
use crate::config::Config;
use clap::Args;
use http::Method;
use serde::Serialize;
use serde_json::json;
use std::path::Path;
use symbolon_core::Duration;
use symbolon_store::{Role, Store};

/// What is to be looked at.
#[derive(Args)]
pub struct DoctorArgs {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    api: ApiArgs,
    /// Tell the running authority that the wall clock is right, though it or the store disagrees
    #[arg(long)]
    accept_clock: bool,
    /// Read every row and page of the store and compute its checksum, also beside a running authority
    #[arg(long)]
    deep: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// How something looks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Health {
    /// As it should.
    Good,
    /// It will do, and somebody should look at it.
    Warn,
    /// It will not do.
    Bad,
}

/// One thing that was looked at.
#[derive(Serialize)]
struct Finding {
    what: &'static str,
    health: Health,
    found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl Finding {
    fn good(what: &'static str, found: impl Into<String>) -> Self {
        Self { what, health: Health::Good, found: found.into(), next: None }
    }

    fn warn(what: &'static str, found: impl Into<String>, next: impl Into<String>) -> Self {
        Self { health: Health::Warn, next: Some(next.into()), ..Self::good(what, found) }
    }

    fn bad(what: &'static str, found: impl Into<String>, next: impl Into<String>) -> Self {
        Self { health: Health::Bad, ..Self::warn(what, found, next) }
    }
}

/// Looks at everything. Changes nothing, unless the clock is to be accepted.
///
/// # Errors
/// Something is bad; or the authority does not accept the clock.
pub async fn run(args: DoctorArgs) -> Result<(), Failure> {
    if args.accept_clock {
        return accept_clock(args.api).await;
    }
    let config = config::load(&args.config)?;
    let mut findings = examine(&config, args.config.file.as_deref()).await;
    findings.push(proxy::look(&config, &args.api).await);
    if args.deep {
        findings.extend(deep::look(&config));
    }
    let worst = findings.iter().map(|finding| finding.health).max().unwrap_or(Health::Good);
    if args.json {
        out::json(&json!({ "ok": worst < Health::Bad, "findings": findings }));
    } else {
        say(&findings);
    }
    let bad = findings.iter().filter(|finding| finding.health == Health::Bad).count();
    match bad {
        0 => Ok(()),
        1 => Err(Failure::refused("1 thing is bad")),
        bad => Err(Failure::refused(format!("{bad} things are bad"))),
    }
}

async fn accept_clock(api: ApiArgs) -> Result<(), Failure> {
    let body = json!({ "accept": true });
    let answer = Api::new(api)?.call(Method::POST, "/v1/clock", Some(&body)).await?;
    let now = answer["now"].as_u64().map(out::utc).unwrap_or_default();
    out::line(format!("the authority takes {now} for the time from now on"));
    Ok(())
}

async fn examine(config: &Config, file: Option<&Path>) -> Vec<Finding> {
    let mut findings = vec![Finding::good("configuration", "it can be read and holds together")];
    findings.extend(modes::look(config, file));
    findings.extend(keys::secrets(config));
    match open(config).await {
        Ok(store) => {
            let how = match config.store.file() {
                Some(_) => "it opens, and its first and last rows are sound".to_owned(),
                None => format!("{} opens", config.store),
            };
            findings.push(Finding::good("store", how));
            findings.push(clock(&store));
            findings.extend(engine::lost(&store));
            findings.extend(keys::look(config, &store).await);
        }
        Err(finding) => findings.push(finding),
    }
    findings.extend(engine::look(config).await);
    findings.extend(ends::look(config));
    findings.extend(disk::look(config));
    findings.extend(tls::look(config));
    findings.extend(hooks::look(config).await);
    findings.push(server::descriptors());
    findings.push(server::look(config).await);
    findings
}

/// Opens the store beside a running authority. A store that is not there is not made.
async fn open(config: &Config) -> Result<Store, Finding> {
    if let Some(path) = config.store.file().filter(|path| !path.exists()) {
        let found = format!("there is none yet at {}", path.display());
        return Err(Finding::warn("store", found, "`symbolon serve` makes it at its first start"));
    }
    open_store(&config.store, Role::Operate).await.map_err(|refusal| {
        Finding::bad(
            "store",
            refusal.to_string(),
            "see docs/runbook.md, \u{201c}the store is refused\u{201d}",
        )
    })
}

/// How far the wall clock may lie behind what the store has seen.
const AHEAD_MAX: Duration = Duration::from_secs(60);

fn clock(store: &Store) -> Finding {
    let (wall, latest) = (civil_now(), store.latest_instant());
    let ahead = latest.since(wall);
    if ahead <= AHEAD_MAX {
        return Finding::good("clock", "it is not behind what the store has seen");
    }
    let found = format!(
        "the store has seen {}, which is {} s ahead of this machine's clock",
        out::utc(latest.as_seconds()),
        ahead.as_secs()
    );
    let next =
        "set the clock right; if it is right, and was ahead before: symbolon doctor --accept-clock";
    Finding::bad("clock", found, next)
}

fn say(findings: &[Finding]) {
    let row = |finding: &Finding| {
        let health = match finding.health {
            Health::Good => "good",
            Health::Warn => "WARN",
            Health::Bad => "BAD",
        };
        vec![health.to_owned(), finding.what.to_owned(), finding.found.clone()]
    };
    out::table(&["", "WHAT", "FOUND"], findings.iter().map(row).collect());
    for finding in findings {
        if let Some(next) = &finding.next {
            out::line(format!("{}: {next}", finding.what));
        }
    }
}
