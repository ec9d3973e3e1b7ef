//! Opening: what a server must be before anything is served from it.

use super::address::{Address, Form};
use super::follow::follow;
use super::link::{Link, Trouble, field};
use super::links::Links;
use super::map::Map;
use super::settle::{SCHEMA, Unsettled};
use super::{Connected, Redis};
use crate::Refusal;
use crate::latency;
use crate::remote::{Remote, Shared};
use std::sync::Arc;
use std::time::Duration;
use symbolon_core::{Cutoffs, Timestamp};
use tokio::sync::watch;

/// How long opening may take in all.
const OPEN_MAX: Duration = Duration::from_secs(10);

/// The oldest server that the scripts run on.
const OLDEST: (u32, u32) = (6, 2);

impl Redis {
    /// Connects, looks at every primary, and brings the store's lanes together.
    pub(crate) async fn open(address: &Address) -> Result<Self, Refusal> {
        let opening = tokio::time::timeout(OPEN_MAX, opened(address)).await;
        let too_late = || unreachable(address, "the servers did not answer in time");
        let links = opening.map_err(|_| too_late())??;
        let (open, closed) = watch::channel(());
        tokio::spawn(follow(Arc::clone(&links), closed));
        let shared = Arc::clone(&links.shared);
        Ok(Self(Remote::new(Arc::new(Connected { links }), shared, open)))
    }
}

async fn opened(address: &Address) -> Result<Arc<Links>, Refusal> {
    let asked = latency::now();
    let nothing = (Arc::new(Cutoffs::default()), 0);
    let shared = Shared::new(asked, nothing, (Timestamp::default(), 0));
    let links = Arc::new(Links::new(address.clone(), Arc::new(shared)));
    form(address).await?;
    let map = Map::find(address, &links.keys).await.map_err(|why| refused(address, why))?;
    for link in map.links() {
        examine(address, link).await?;
    }
    links.settle(&map, true).await.map_err(|why| unsettled(address, why))?;
    links.publish(Arc::new(map));
    Ok(links)
}

/// Whether the first server is in a cluster if, and only if, the URL says so.
async fn form(address: &Address) -> Result<(), Refusal> {
    let is_cluster = match &address.form {
        Form::Sentinel(_) => return Ok(()),
        Form::Single => false,
        Form::Cluster => true,
    };
    let mut last = None;
    for server in &address.servers {
        match mode(address, server).await {
            Ok(mode) if (mode == "cluster") == is_cluster => return Ok(()),
            Ok(mode) if mode == "sentinel" => {
                return Err(setting(
                    address,
                    "this is a sentinel",
                    "write redis+sentinel://host:port/name",
                ));
            }
            Ok(_) if is_cluster => {
                return Err(setting(
                    address,
                    "this server is in no cluster",
                    "write redis://host:port/0",
                ));
            }
            Ok(_) => {
                return Err(setting(
                    address,
                    "this server is in a cluster",
                    "write redis+cluster://host:port",
                ));
            }
            Err(trouble) => last = Some(trouble),
        }
    }
    last.map_or(Ok(()), |trouble| Err(refused(address, trouble)))
}

async fn mode(address: &Address, server: &(String, u16)) -> Result<String, Trouble> {
    let login = super::link::login(address).set_db(0);
    let mut connection = Link::bare(address, server, &login).await?;
    let told = connection.send_packed_command(redis::cmd("INFO").arg("server")).await?;
    let told = super::link::text_of(told.extract_error()?)?;
    Ok(field(&told, "redis_mode").unwrap_or_default().to_owned())
}

async fn examine(address: &Address, link: &Link) -> Result<(), Refusal> {
    let ask = async |section| link.info(section).await.map_err(|why| refused(address, why));
    let server = ask("server").await?;
    let version = field(&server, "redis_version").unwrap_or("0").to_owned();
    if numbers(&version) < OLDEST {
        return Err(Refusal::TooOld { at: address.to_string(), found: version, needed: "6.2" });
    }
    let memory = ask("memory").await?;
    let policy = field(&memory, "maxmemory_policy").unwrap_or("unknown");
    if policy != "noeviction" {
        return Err(setting(
            address,
            &format!("maxmemory-policy is {policy}, so sessions would vanish when memory is short"),
            "CONFIG SET maxmemory-policy noeviction, and the same in redis.conf",
        ));
    }
    let kept = ask("persistence").await?;
    if field(&kept, "aof_enabled") == Some("0") {
        let server = link.name();
        tracing::warn!(
            server,
            "appendonly is off: a restart of this server loses what came since its last snapshot; CONFIG SET appendonly yes"
        );
    }
    if address.fsync && numbers(&version) < (7, 2) {
        return Err(setting(
            address,
            "fsync=true needs WAITAOF, so Redis 7.2 or later",
            "leave it out, or upgrade",
        ));
    }
    Ok(())
}

pub(super) fn numbers(version: &str) -> (u32, u32) {
    let mut numbers = version.split('.').map(|part| part.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

fn unreachable(address: &Address, why: &str) -> Refusal {
    Refusal::Unreachable { at: address.to_string(), what: why.to_owned() }
}

fn setting(address: &Address, what: &str, instead: &str) -> Refusal {
    let (what, instead) = (what.to_owned(), instead.to_owned());
    Refusal::Setting { at: address.to_string(), what, instead }
}

fn refused(address: &Address, trouble: Trouble) -> Refusal {
    const RIGHTS: [&str; 5] = ["NOAUTH", "WRONGPASS", "NOPERM", "AuthenticationFailed", "password"];
    let is_replica = |what: &str| what.ends_with("is a replica");
    match trouble {
        Trouble::Elsewhere(what) if is_replica(&what) => {
            setting(address, &what, "name the primary, or the sentinels that know it")
        }
        Trouble::Refused(what) | Trouble::Elsewhere(what) | Trouble::Lost(what) => {
            match RIGHTS.iter().any(|word| what.contains(word)) {
                true => Refusal::Rights { at: address.to_string(), what },
                false => Refusal::Unreachable { at: address.to_string(), what },
            }
        }
        Trouble::Unknown => unreachable(address, "the server forgot a script"),
    }
}

fn unsettled(address: &Address, why: Unsettled) -> Refusal {
    let at = address.to_string();
    match why {
        Unsettled::Trouble(trouble) => refused(address, trouble),
        Unsettled::Gone(what) => Refusal::NotAsWritten { at, what },
        Unsettled::Foreign(_) => {
            Refusal::AnotherProgram { at: format!("{at}?prefix={}", address.prefix) }
        }
        Unsettled::Newer(found) => {
            let number = |schema| usize::try_from(schema).unwrap_or(usize::MAX);
            Refusal::NewerSchema { at, found: number(found), known: number(SCHEMA) }
        }
    }
}
