//! What `symbolon doctor` says of a server.

use super::address::Address;
use super::origin;
use super::place::{Connection, Place};
use super::tls::Wrapper;
use super::trouble::said;
use crate::latency;
use std::sync::Arc;
use std::time::Duration;
use symbolon_core::Timestamp;

/// How much the server's clock may differ from ours. Inclusive.
const CLOCK_MAX: Duration = Duration::from_secs(1);

/// A longer way there and back makes every answer slow. Inclusive.
const WAY_MAX: Duration = Duration::from_millis(10);

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Level {
    /// As it should be.
    Good,
    /// Something to know or to change.
    Warning,
    /// Nothing should be served like this.
    Bad,
}

/// One thing that was looked at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// A stable word for it.
    pub what: &'static str,
    /// How bad it is.
    pub level: Level,
    /// What was found, and what to do about it.
    pub text: String,
}

impl Finding {
    fn new(what: &'static str, level: Level, text: impl Into<String>) -> Self {
        Self { what, level, text: text.into() }
    }
}

/// Looks at the server; changes nothing. `at`: what time it is here.
pub async fn doctor(address: &Address, at: Timestamp) -> Vec<Finding> {
    let bad = |text: String| vec![Finding::new("store", Level::Bad, text)];
    let wrapper = match Wrapper::new(&address.tls) {
        Ok(wrapper) => wrapper,
        Err(what) => return bad(format!("{address}: {what}")),
    };
    let place = Arc::new(Place::new(address.clone(), wrapper));
    let begun = latency::now();
    let connection = match place.bare(None).await {
        Ok(connection) => connection,
        Err(error) => return bad(super::refuse::error(&place, &error).to_string()),
    };
    let mut found = vec![Finding::new("store", Level::Good, format!("{address} answers"))];
    let looked = look(&connection, at.after(begun.elapsed()), &mut found).await;
    if let Err(error) = looked {
        found.push(Finding::new("store", Level::Bad, said(&error)));
    }
    found
}

async fn look(
    connection: &Connection,
    at: Timestamp,
    found: &mut Vec<Finding>,
) -> Result<(), tokio_postgres::Error> {
    const FACTS: &str = "SELECT current_setting('server_version'), current_setting('fsync'), \
         current_setting('full_page_writes'), current_setting('synchronous_commit'), \
         (extract(epoch FROM clock_timestamp()) * 1000)::bigint, \
         current_setting('max_connections')::bigint, \
         current_setting('synchronous_standby_names'), \
         (SELECT reset_val FROM pg_settings WHERE name = 'synchronous_commit')";
    let asked = latency::now();
    let facts = connection.look(FACTS).await?;
    let way = asked.elapsed();
    let Some(row) = facts.first() else { return Ok(()) };
    let text = |at| row.try_get::<_, String>(at).unwrap_or_default();
    found.push(Finding::new("version", Level::Good, format!("PostgreSQL {}", text(0))));
    for (name, value, why) in [
        ("fsync", text(1), "what was acknowledged is lost when the machine stops"),
        ("full_page_writes", text(2), "pages may be torn when the machine stops"),
    ] {
        found.push(switch(name, &value, why));
    }
    found.push(commits(&text(7)));
    found.push(replicas(&text(3), &text(6)));
    found.push(clock(row.try_get::<_, i64>(4).unwrap_or_default(), at));
    let most = row.try_get::<_, i64>(5).unwrap_or_default();
    let nodes = most / super::CONNECTIONS as i64;
    let text = format!("max_connections is {most}: enough for {nodes} processes of Symbolon alone");
    found.push(Finding::new("connections", level(2 <= nodes), text));
    found.push(Finding::new(
        "latency",
        level(way <= WAY_MAX),
        format!("there and back in {:.1} ms", way.as_secs_f64() * 1e3),
    ));
    found.push(named(connection).await);
    Ok(())
}

fn level(good: bool) -> Level {
    if good { Level::Good } else { Level::Warning }
}

fn switch(name: &'static str, value: &str, why: &str) -> Finding {
    match value {
        "on" => Finding::new(name, Level::Good, format!("{name} is on")),
        _ => Finding::new(name, Level::Bad, format!("{name} is {value}: {why}; switch it on")),
    }
}

/// What the server would do without us: each connection of ours raises what is less than `on`.
fn commits(before: &str) -> Finding {
    let level = level(["on", "remote_apply"].contains(&before));
    let text = match level {
        Level::Good => format!("synchronous_commit is {before}"),
        Level::Warning | Level::Bad => format!(
            "synchronous_commit is {before} for this user: Symbolon raises it to on for its own \
             commits; set it to on, so that nothing else that is written here is lost"
        ),
    };
    Finding::new("synchronous_commit", level, text)
}

/// What a fail-over may lose.
fn replicas(commit: &str, standbys: &str) -> Finding {
    let text = match (commit, standbys) {
        (_, "") => {
            "no standby is synchronous: a fail-over may lose the last commits, and opens a new \
             store epoch; set synchronous_standby_names if it may not"
                .to_owned()
        }
        (commit, names) => format!("synchronous_commit is {commit}, standbys are {names}"),
    };
    Finding::new("replication", level(!standbys.is_empty()), text)
}

fn clock(theirs: i64, at: Timestamp) -> Finding {
    let theirs = Timestamp::from_millis(theirs.cast_unsigned());
    let apart = theirs.since(at).max(at.since(theirs));
    let text = format!("the server's clock is {:.1} s from ours", apart.as_secs_f64());
    Finding::new("store clock", level(apart <= CLOCK_MAX), text)
}

/// Whether a fail-over would be noticed by name.
async fn named(connection: &Connection) -> Finding {
    match origin::now(connection).await {
        Ok(Some(name)) => {
            Finding::new("origin", Level::Good, format!("cluster and timeline {name}"))
        }
        Ok(None) | Err(_) => Finding::new(
            "origin",
            Level::Warning,
            "the server does not tell its cluster and timeline, so that a fail-over which loses commits \
             is noticed only by what it lost: grant execute on pg_control_system() to this user",
        ),
    }
}
