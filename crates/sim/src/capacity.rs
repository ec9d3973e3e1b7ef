//! How much of everything it takes: nodes, memory, bytes and connections for so many sessions and renewals, from what was
//! measured. A calculation, not a measurement: it says what saturates first, and by how much.

mod given;
mod shown;

pub use given::{Given, INPUTS, Input};
pub use shown::{json, table};

/// Seconds in a day.
const DAY: f64 = 86_400.0;

/// How much of what a part can do it is planned with: the rest is for peaks, and for the work of a part that failed.
const PLANNED: f64 = 0.6;

/// One kind of engine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Engine {
    /// Redis or Valkey, as a cluster: everything in memory, at most one primary a lane.
    RedisCluster,
    /// PostgreSQL: one primary, or one for each part of the subjects where somebody divides them.
    Postgres,
}

impl Engine {
    /// Both.
    pub const ALL: [Self; 2] = [Self::RedisCluster, Self::Postgres];

    /// How it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RedisCluster => "Redis Cluster",
            Self::Postgres => "PostgreSQL",
        }
    }
}

/// A part that has a limit.
#[derive(Clone, PartialEq, Debug)]
pub struct Part {
    /// What it is.
    pub name: &'static str,
    /// What is asked of it.
    pub asked: f64,
    /// What it can do at most, however many of it there are.
    pub most: f64,
    /// In which unit both are.
    pub unit: &'static str,
}

impl Part {
    /// How much of what it can do is asked of it; above one it cannot.
    pub fn used(&self) -> f64 {
        self.asked / self.most
    }
}

/// What an engine takes.
#[derive(Clone, PartialEq, Debug)]
pub struct Store {
    /// Which.
    pub engine: Engine,
    /// Bytes of one copy of the sessions.
    pub bytes: f64,
    /// Primaries, by steps or by bytes, whichever asks for more.
    pub primaries: f64,
    /// Machines, replicas included.
    pub machines: f64,
    /// Bytes of the log of ends that is kept.
    pub log_bytes: f64,
}

/// What all of it takes.
#[derive(Clone, PartialEq, Debug)]
pub struct Capacity {
    /// Ends a second, at the peak.
    pub ends: f64,
    /// `symbolon serve` processes.
    pub nodes: f64,
    /// Cores that do nothing but sign.
    pub signing_cores: f64,
    /// Each engine.
    pub stores: Vec<Store>,
    /// Events a second in one lane of the feed.
    pub lane_events: f64,
    /// Bytes a second that one verifier is sent.
    pub verifier_bytes: f64,
    /// Bytes of a mirror.
    pub mirror_bytes: f64,
    /// Bytes of a snapshot.
    pub snapshot_bytes: f64,
    /// Relays between nodes and verifiers.
    pub relays: f64,
    /// What has a limit, the most used first.
    pub parts: Vec<Part>,
}

/// Calculates.
pub fn capacity(given: &Given) -> Capacity {
    let ends = given.sessions / (given.session_days * DAY) * given.peak;
    let steps = given.renewals + ends;
    let nodes = (steps / (given.node_renewals * PLANNED)).ceil();
    let entries = ends * (given.token_seconds + given.leeway_seconds);
    let verifier_bytes = ends * given.frame_bytes;
    let by_place = given.verifiers / given.followers_max;
    let by_bytes = given.verifiers * verifier_bytes / (given.link_bytes * PLANNED);
    let stores: Vec<_> = Engine::ALL.iter().map(|engine| store(given, *engine, steps)).collect();
    let mut parts = parts(given, (ends, steps, entries), &stores);
    parts.sort_by(|one, other| other.used().total_cmp(&one.used()));
    Capacity {
        ends,
        nodes,
        signing_cores: given.renewals * given.signature_micros / 1e6,
        stores,
        lane_events: ends / given.lanes,
        verifier_bytes,
        mirror_bytes: entries * given.mirror_bytes_each,
        snapshot_bytes: entries * given.snapshot_bytes_each,
        relays: by_place.max(by_bytes).ceil(),
        parts,
    }
}

/// What one primary of an engine holds and does: bytes of a session, steps a second, bytes.
fn primary(given: &Given, engine: Engine) -> (f64, f64, f64) {
    match engine {
        Engine::RedisCluster => (given.redis_bytes_each, given.redis_steps, given.redis_bytes_max),
        Engine::Postgres => {
            (given.postgres_bytes_each, given.postgres_steps, given.postgres_bytes_max)
        }
    }
}

fn store(given: &Given, engine: Engine, steps: f64) -> Store {
    let (each, rate, room) = primary(given, engine);
    let bytes = given.sessions * each;
    let primaries = (steps / (rate * PLANNED)).max(bytes / (room * PLANNED)).ceil();
    let day = given.sessions / given.session_days;
    Store {
        engine,
        bytes,
        primaries,
        machines: primaries * (1.0 + given.replicas),
        log_bytes: (day * given.log_days).min(given.log_events_max) * given.event_bytes,
    }
}

fn parts(given: &Given, (ends, steps, entries): (f64, f64, f64), stores: &[Store]) -> Vec<Part> {
    let rates = stores.iter().map(|own| {
        let (_, rate, _) = primary(given, own.engine);
        let (name, primaries) = match own.engine {
            Engine::RedisCluster => {
                ("steps, Redis Cluster of as many primaries as lanes", given.lanes)
            }
            Engine::Postgres => ("steps, one PostgreSQL primary", 1.0),
        };
        Part { name, asked: steps, most: rate * primaries, unit: "steps/s" }
    });
    let bytes = stores.iter().map(|own| {
        let (_, _, room) = primary(given, own.engine);
        let (name, primaries) = match own.engine {
            Engine::RedisCluster => {
                ("memory, Redis Cluster of as many primaries as lanes", given.lanes)
            }
            Engine::Postgres => ("disk, one PostgreSQL primary", 1.0),
        };
        Part { name, asked: own.bytes, most: room * primaries, unit: "bytes" }
    });
    let feed = [
        Part {
            name: "events that one node reads, folds and sends on",
            asked: ends,
            most: given.node_events,
            unit: "events/s",
        },
        Part {
            name: "events that one mirror applies",
            asked: ends,
            most: given.mirror_events,
            unit: "events/s",
        },
        Part {
            name: "entries of a mirror",
            asked: entries,
            most: given.entries_max,
            unit: "entries",
        },
        Part {
            name: "what one verifier is sent, on its link",
            asked: ends * given.frame_bytes,
            most: given.link_bytes,
            unit: "bytes/s",
        },
    ];
    rates.chain(bytes).chain(feed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renewals_take_nodes_in_proportion_and_what_saturates_first_comes_first() {
        let given = Given::default();
        let twice = Given { renewals: 2.0 * given.renewals, ..given };
        let (one, two) = (capacity(&given), capacity(&twice));
        let added = given.renewals / (given.node_renewals * PLANNED);
        assert!((two.nodes - one.nodes - added).abs() <= 1.0, "{} and {}", one.nodes, two.nodes);
        assert!(one.parts.windows(2).all(|pair| pair[1].used() <= pair[0].used()));
        assert_eq!(one.parts[0].name, "steps, one PostgreSQL primary");
    }

    #[test]
    fn primaries_are_as_many_as_steps_or_bytes_ask_for() {
        let small = Given { renewals: 1.0, sessions: 1e9, ..Given::default() };
        let busy = Given { renewals: 1e6, sessions: 1e3, ..Given::default() };
        let of = |given: &Given| capacity(given).stores[0].primaries;
        assert_eq!(of(&small), (1e9 * small.redis_bytes_each / small.redis_bytes_max / 0.6).ceil());
        assert!((of(&busy) - 1e6 / busy.redis_steps / 0.6).abs() <= 1.0);
    }
}
