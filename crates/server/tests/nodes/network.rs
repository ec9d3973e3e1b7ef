//! Nodes in network namespaces: each has one cable to its clients, and one to the store and the other nodes, which can
//! be pulled. Only root may make them.

use crate::postgres::must;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::Command;
use std::sync::atomic::{AtomicU8, Ordering};

/// Where a node listens in its own namespace.
const PORT: u16 = 8080;

pub(crate) struct Network {
    /// What its names begin with; no other program's or test's do.
    name: String,
    /// The third part of its addresses.
    number: u8,
    nodes: u8,
}

fn ip(line: &str) {
    must(Command::new("ip").args(line.split(' ')));
}

impl Network {
    /// A switch between the store and so many nodes.
    pub(crate) fn of(nodes: u8) -> Self {
        static COUNT: AtomicU8 = AtomicU8::new(0);
        let (process, count) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let number = ((process * 7 + u32::from(count)) % 250) as u8;
        let own = Self { name: format!("sy{}{count}", process % 1_000_000), number, nodes };
        let (name, store) = (&own.name, own.store());
        ip(&format!("link add {name} type bridge"));
        ip(&format!("addr add {store}/24 dev {name}"));
        ip(&format!("link set {name} up"));
        for node in 0..nodes {
            own.connect(node);
        }
        own
    }

    fn connect(&self, node: u8) {
        let (name, inside, number) = (&self.name, self.namespace(node), self.number);
        let (outer, address) = (4 * node + 1, self.address(node).ip());
        ip(&format!("netns add {inside}"));
        ip(&format!("-n {inside} link set lo up"));
        ip(&format!("link add {name}s{node} type veth peer name store netns {inside}"));
        ip(&format!("link set {name}s{node} master {name}"));
        ip(&format!("link set {name}s{node} up"));
        ip(&format!("-n {inside} addr add 198.18.{number}.{}/24 dev store", 10 + node));
        ip(&format!("-n {inside} link set store up"));
        ip(&format!("link add {name}f{node} type veth peer name front netns {inside}"));
        ip(&format!("addr add 198.19.{number}.{outer}/30 dev {name}f{node}"));
        ip(&format!("link set {name}f{node} up"));
        ip(&format!("-n {inside} addr add {address}/30 dev front"));
        ip(&format!("-n {inside} link set front up"));
    }

    /// Where the store is to listen.
    pub(crate) fn store(&self) -> IpAddr {
        Ipv4Addr::new(198, 18, self.number, 1).into()
    }

    /// In which namespace a node runs.
    pub(crate) fn namespace(&self, node: u8) -> String {
        format!("{}n{node}", self.name)
    }

    /// Where its clients reach a node.
    pub(crate) fn address(&self, node: u8) -> SocketAddr {
        (Ipv4Addr::new(198, 19, self.number, 4 * node + 2), PORT).into()
    }

    /// Pulls the cable of a node to the store and to the other nodes.
    pub(crate) fn pull(&self, node: u8) {
        ip(&format!("link set {}s{node} down", self.name));
    }

    /// Puts all cables in again.
    pub(crate) fn plug_in(&self) {
        for node in 0..self.nodes {
            ip(&format!("link set {}s{node} up", self.name));
        }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let delete = |what: &str, name: &str| {
            let _gone = Command::new("ip").args([what, "delete", name]).output();
        };
        for node in 0..self.nodes {
            delete("netns", &self.namespace(node));
            // A namespace stays for a while if somebody was connected, and its cables with it.
            delete("link", &format!("{}s{node}", self.name));
            delete("link", &format!("{}f{node}", self.name));
        }
        delete("link", &self.name);
    }
}
