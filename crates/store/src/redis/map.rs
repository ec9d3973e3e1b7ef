//! Which server has what: found anew whenever one says that it is not there.

use super::address::{Address, Form, server_of};
use super::link::{Link, Trouble, login, text_of};
use super::rows::LANES;
use super::scripts::{Call, Keys, Place, lane, log};
use redis::aio::MultiplexedConnection;
use redis::{Cmd, RedisConnectionInfo, Value};
use std::sync::atomic::{AtomicBool, Ordering};

/// A slot's first and last number, and its primary.
type Range = (u64, u64, (String, u16));

/// The primaries and what each has.
pub(super) struct Map {
    links: Vec<Link>,
    /// Of each lane, then of the log, which link has it.
    places: Vec<usize>,
    /// Whether a call found that it is not so any more.
    broken: AtomicBool,
}

impl Map {
    /// Finds the primaries and connects to each.
    pub(super) async fn find(address: &Address, keys: &Keys) -> Result<Self, Trouble> {
        match &address.form {
            Form::Single => Self::single(address, first(address)?).await,
            Form::Sentinel(name) => {
                let server = sentinel(address, name).await?;
                Self::single(address, server).await
            }
            Form::Cluster => Self::cluster(address, keys).await,
        }
    }

    async fn single(address: &Address, server: (String, u16)) -> Result<Self, Trouble> {
        let link = Link::primary(address, server).await?;
        let places = vec![0; usize::from(LANES) + 1];
        Ok(Self { links: vec![link], places, broken: AtomicBool::new(false) })
    }

    async fn cluster(address: &Address, keys: &Keys) -> Result<Self, Trouble> {
        let (slots, ranges) = slots(address, keys).await?;
        let mut links: Vec<Link> = Vec::new();
        let mut places = Vec::with_capacity(slots.len());
        for slot in slots {
            let found = ranges.iter().find(|(first, last, _)| (*first..=*last).contains(&slot));
            let Some((_, _, server)) = found else {
                return Err(Trouble::Elsewhere(format!(
                    "the cluster has no primary for slot {slot}"
                )));
            };
            let known = links.iter().position(|link| link.server == *server);
            places.push(match known {
                Some(known) => known,
                None => {
                    links.push(Link::primary(address, server.clone()).await?);
                    links.len() - 1
                }
            });
        }
        Ok(Self { links, places, broken: AtomicBool::new(false) })
    }

    pub(super) fn links(&self) -> &[Link] {
        &self.links
    }

    pub(super) fn link(&self, place: Place) -> &Link {
        &self.links[self.number(place)]
    }

    pub(super) fn number(&self, place: Place) -> usize {
        self.places[match place {
            Place::Lane(lane) => usize::from(lane % LANES),
            Place::Log => usize::from(LANES),
        }]
    }

    pub(super) async fn call(&self, call: &Call) -> Result<Value, Trouble> {
        self.link(call.place).call(call).await
    }

    /// Whether sentinels, where there are any, do not say that another is the primary.
    pub(super) async fn is_still_named(&self, address: &Address) -> bool {
        let Form::Sentinel(name) = &address.form else { return true };
        let named = sentinel(address, name).await;
        named.map_or(true, |server| self.links.iter().any(|link| link.server == server))
    }

    pub(super) fn mark_broken(&self) {
        self.broken.store(true, Ordering::Release);
    }

    pub(super) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Acquire)
    }
}

fn first(address: &Address) -> Result<(String, u16), Trouble> {
    let none = || Trouble::Refused("the URL names no server".into());
    address.servers.first().cloned().ok_or_else(none)
}

/// Asks one sentinel after the other which server is the primary.
async fn sentinel(address: &Address, name: &str) -> Result<(String, u16), Trouble> {
    let mut last = Trouble::Elsewhere("no sentinel is named".into());
    let login = RedisConnectionInfo::default().set_skip_set_lib_name();
    let login = match &address.sentinel_password {
        Some(password) => login.set_password(password),
        None => login,
    };
    for server in &address.servers {
        let asked = async {
            let mut connection = Link::bare(address, server, &login).await?;
            let mut ask = Cmd::new();
            ask.arg("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(name);
            let Value::Array(both) = connection.send_packed_command(&ask).await? else {
                let unknown = format!("the sentinels know no primary named {name}");
                return Err(Trouble::Elsewhere(unknown));
            };
            server_from(both)
        };
        match asked.await {
            Ok(found) => return Ok(found),
            Err(trouble) => last = trouble,
        }
    }
    Err(last)
}

fn server_from(both: Vec<Value>) -> Result<(String, u16), Trouble> {
    let mut both = both.into_iter();
    let host = text_of(both.next().unwrap_or(Value::Nil))?;
    let port = text_of(both.next().unwrap_or(Value::Nil))?;
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    server_of(&format!("{host}:{port}"), 0).map_err(Trouble::Refused)
}

/// The slots of the lanes and of the log, and who has which slots.
async fn slots(address: &Address, keys: &Keys) -> Result<(Vec<u64>, Vec<Range>), Trouble> {
    let mut last = Trouble::Elsewhere("no server is named".into());
    for server in &address.servers {
        let asked = async {
            let mut connection = Link::bare(address, server, &login(address)).await?;
            let mut slots = Vec::new();
            for place in (0..LANES).map(Place::Lane).chain([Place::Log]) {
                let of = match place {
                    Place::Lane(_) => keys.at(place, lane::VERSION, b""),
                    Place::Log => keys.at(place, log::STATE, b""),
                };
                let mut ask = Cmd::new();
                ask.arg("CLUSTER").arg("KEYSLOT").arg(of);
                slots.push(number(connection.send_packed_command(&ask).await?)?);
            }
            Ok((slots, ranges(&mut connection, &server.0).await?))
        };
        match asked.await {
            Ok(found) => return Ok(found),
            Err(trouble) => last = trouble,
        }
    }
    Err(last)
}

async fn ranges(
    connection: &mut MultiplexedConnection,
    asked: &str,
) -> Result<Vec<Range>, Trouble> {
    let mut ask = Cmd::new();
    ask.arg("CLUSTER").arg("SLOTS");
    let Value::Array(all) = connection.send_packed_command(&ask).await? else { return Err(odd()) };
    let mut ranges = Vec::with_capacity(all.len());
    for one in all {
        let Value::Array(one) = one else { return Err(odd()) };
        let mut one = one.into_iter();
        let first = number(one.next().unwrap_or(Value::Nil))?;
        let last = number(one.next().unwrap_or(Value::Nil))?;
        let Some(Value::Array(primary)) = one.next() else { return Err(odd()) };
        let (mut host, port) = match primary.first() {
            // A server that does not know its own address means the one that it was asked at.
            Some(Value::Nil) | None => {
                (String::new(), number(primary.get(1).cloned().unwrap_or(Value::Nil))?)
            }
            Some(host) => {
                (text_of(host.clone())?, number(primary.get(1).cloned().unwrap_or(Value::Nil))?)
            }
        };
        if host.is_empty() {
            host = asked.to_owned();
        }
        ranges.push((first, last, (host, u16::try_from(port).map_err(|_| odd())?)));
    }
    Ok(ranges)
}

fn number(value: Value) -> Result<u64, Trouble> {
    text_of(value)?.parse().map_err(|_| odd())
}

fn odd() -> Trouble {
    Trouble::Refused("the cluster's answer about its slots cannot be read".into())
}
