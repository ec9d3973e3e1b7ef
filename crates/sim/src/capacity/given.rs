//! What a calculation begins with.

/// What is given, each as a number in the unit that [`INPUTS`] names.
#[derive(Clone, Copy, PartialEq, Debug)]
#[expect(missing_docs, reason = "INPUTS says what each is, for people and for `--help` alike")]
pub struct Given {
    pub sessions: f64,
    pub renewals: f64,
    pub session_days: f64,
    pub peak: f64,
    pub token_seconds: f64,
    pub leeway_seconds: f64,
    pub verifiers: f64,
    pub node_renewals: f64,
    pub signature_micros: f64,
    pub node_events: f64,
    pub followers_max: f64,
    pub link_bytes: f64,
    pub frame_bytes: f64,
    pub mirror_events: f64,
    pub mirror_bytes_each: f64,
    pub snapshot_bytes_each: f64,
    pub entries_max: f64,
    pub lanes: f64,
    pub redis_steps: f64,
    pub redis_bytes_each: f64,
    pub redis_bytes_max: f64,
    pub postgres_steps: f64,
    pub postgres_bytes_each: f64,
    pub postgres_bytes_max: f64,
    pub replicas: f64,
    pub event_bytes: f64,
    pub log_days: f64,
    pub log_events_max: f64,
}

/// One of them.
pub struct Input {
    /// Its flag, without `--`.
    pub flag: &'static str,
    /// What it is, with its unit and where its default comes from.
    pub what: &'static str,
    /// Its default.
    pub usual: f64,
    /// Where it goes.
    pub of: fn(&mut Given) -> &mut f64,
}

/// All of them, in the order in which they are shown.
pub const INPUTS: [Input; 28] = [
    input("sessions", "sessions that live", 1e9, |own| &mut own.sessions),
    input("renewals", "renewals a second", 1e6, |own| &mut own.renewals),
    input("session-days", "days that a session lives on average; assumed", 30.0, |own| {
        &mut own.session_days
    }),
    input("peak", "the busiest second in terms of the average one; assumed", 5.0, |own| {
        &mut own.peak
    }),
    input("token-seconds", "life of an access token", 300.0, |own| &mut own.token_seconds),
    input("leeway-seconds", "largest leeway of a verifier", 60.0, |own| &mut own.leeway_seconds),
    input("verifiers", "processes that verify; assumed", 20_000.0, |own| &mut own.verifiers),
    input(
        "node-renewals",
        "renewals a second of one node of 2 cores; benchmarks.md, where the store shares them",
        22_701.0,
        |own| &mut own.node_renewals,
    ),
    input("signature-micros", "microseconds of one signature; benchmarks.md", 9.88, |own| {
        &mut own.signature_micros
    }),
    input(
        "node-events",
        "events a second that a node reads and folds; assumed",
        100_000.0,
        |own| &mut own.node_events,
    ),
    input("followers-max", "followers of one node or relay; the server's bound", 2048.0, |own| {
        &mut own.followers_max
    }),
    input("link-bytes", "bytes a second of one machine's network; 10 Gbit/s", 1.25e9, |own| {
        &mut own.link_bytes
    }),
    input("frame-bytes", "bytes of one event on the feed; its layout", 208.0, |own| {
        &mut own.frame_bytes
    }),
    input("mirror-events", "events a second that a mirror applies; benchmarks.md", 2.43e6, |own| {
        &mut own.mirror_events
    }),
    input("mirror-bytes-each", "bytes an entry of a mirror; benchmarks.md", 41.4, |own| {
        &mut own.mirror_bytes_each
    }),
    input("snapshot-bytes-each", "bytes an entry of a snapshot; its layout", 31.0, |own| {
        &mut own.snapshot_bytes_each
    }),
    input("entries-max", "entries of a snapshot; the feed's bound", 16_777_216.0, |own| {
        &mut own.entries_max
    }),
    input("lanes", "lanes of the store, each on one primary", 64.0, |own| &mut own.lanes),
    input(
        "redis-steps",
        "steps a second of one Redis primary; benchmarks.md, where a node shares the cores",
        63_039.0,
        |own| &mut own.redis_steps,
    ),
    input("redis-bytes-each", "bytes of a session in Redis; benchmarks.md", 520.0, |own| {
        &mut own.redis_bytes_each
    }),
    input("redis-bytes-max", "bytes of memory of one Redis primary", 64e9, |own| {
        &mut own.redis_bytes_max
    }),
    input(
        "postgres-steps",
        "steps a second of one PostgreSQL primary; benchmarks.md, where a node shares the cores",
        19_229.0,
        |own| &mut own.postgres_steps,
    ),
    input("postgres-bytes-each", "bytes of a session in PostgreSQL; benchmarks.md", 581.0, |own| {
        &mut own.postgres_bytes_each
    }),
    input("postgres-bytes-max", "bytes of disk of one PostgreSQL primary", 4e12, |own| {
        &mut own.postgres_bytes_max
    }),
    input("replicas", "replicas of each primary", 1.0, |own| &mut own.replicas),
    input("event-bytes", "bytes of one event in the log; assumed", 250.0, |own| {
        &mut own.event_bytes
    }),
    input("log-days", "days that the history is kept", 30.0, |own| &mut own.log_days),
    input(
        "log-events-max",
        "events that the history has at most; the server's bound",
        1e7,
        |own| &mut own.log_events_max,
    ),
];

const fn input(
    flag: &'static str,
    what: &'static str,
    usual: f64,
    of: fn(&mut Given) -> &mut f64,
) -> Input {
    Input { flag, what, usual, of }
}

impl Given {
    /// Reads flags: `--name value`, each at most once.
    ///
    /// # Errors
    /// A flag that is none, a value that is no number above zero; with what to write instead.
    pub fn read(flags: &[String]) -> Result<Self, String> {
        let mut given = Self::default();
        for pair in flags.chunks(2) {
            let [flag, value] = pair else {
                return Err(format!("`{}` lacks its value", pair.concat()));
            };
            let known = INPUTS.iter().find(|own| flag.strip_prefix("--") == Some(own.flag));
            let known = known.ok_or_else(|| format!("`{flag}` is no flag; see --help"))?;
            let number = value.parse::<f64>().ok().filter(|own| 0.0 < *own && own.is_finite());
            *(known.of)(&mut given) =
                number.ok_or_else(|| format!("`{flag} {value}`: write a number above zero"))?;
        }
        Ok(given)
    }
}

impl Default for Given {
    fn default() -> Self {
        let mut given = Self {
            sessions: 0.0,
            renewals: 0.0,
            session_days: 0.0,
            peak: 0.0,
            token_seconds: 0.0,
            leeway_seconds: 0.0,
            verifiers: 0.0,
            node_renewals: 0.0,
            signature_micros: 0.0,
            node_events: 0.0,
            followers_max: 0.0,
            link_bytes: 0.0,
            frame_bytes: 0.0,
            mirror_events: 0.0,
            mirror_bytes_each: 0.0,
            snapshot_bytes_each: 0.0,
            entries_max: 0.0,
            lanes: 0.0,
            redis_steps: 0.0,
            redis_bytes_each: 0.0,
            redis_bytes_max: 0.0,
            postgres_steps: 0.0,
            postgres_bytes_each: 0.0,
            postgres_bytes_max: 0.0,
            replicas: 0.0,
            event_bytes: 0.0,
            log_days: 0.0,
            log_events_max: 0.0,
        };
        for input in &INPUTS {
            *(input.of)(&mut given) = input.usual;
        }
        given
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_is_read_and_a_wrong_one_is_told() {
        let read = |flags: &[&str]| {
            Given::read(&flags.iter().map(|flag| (*flag).to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(read(&["--lanes", "8"]).unwrap().lanes, 8.0);
        assert!(read(&["--lane", "8"]).unwrap_err().contains("no flag"));
        assert!(read(&["--lanes", "none"]).unwrap_err().contains("above zero"));
        assert!(read(&["--lanes"]).unwrap_err().contains("lacks"));
    }

    #[test]
    fn every_input_has_a_place_of_its_own() {
        for (number, input) in INPUTS.iter().enumerate() {
            let mut given = Given::default();
            *(input.of)(&mut given) = -1.0;
            let changed = INPUTS.iter().enumerate();
            let changed = changed.filter(|(_, other)| *(other.of)(&mut given) < 0.0);
            assert_eq!(changed.map(|(other, _)| other).collect::<Vec<_>>(), [number]);
        }
    }
}
