//! The scripts, and how one is asked for.

use redis::Cmd;

/// A script; each server is given all of them when it is connected to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Script {
    Load,
    Subject,
    List,
    Commit,
    Update,
    Outbox,
    Trim,
    Fence,
    Move,
    Bump,
    State,
    Create,
    Epoch,
    ForgetEvents,
    Forget,
    Spend,
    Know,
    Arrive,
    Put,
    Miss,
}

macro_rules! whole {
    ($file:literal) => {
        concat!(include_str!("common.lua"), include_str!($file))
    };
}

/// All of them, in the order of the enum.
pub(super) const SOURCES: [&str; 20] = [
    whole!("load.lua"),
    whole!("subject.lua"),
    whole!("list.lua"),
    whole!("commit.lua"),
    whole!("update.lua"),
    whole!("outbox.lua"),
    whole!("trim.lua"),
    whole!("fence.lua"),
    whole!("move.lua"),
    whole!("bump.lua"),
    whole!("state.lua"),
    whole!("create.lua"),
    whole!("epoch.lua"),
    whole!("forget_events.lua"),
    whole!("forget.lua"),
    whole!("spend.lua"),
    whole!("know.lua"),
    whole!("arrive.lua"),
    whole!("put.lua"),
    whole!("miss.lua"),
];

/// What the servers call the scripts.
pub(super) type Names = [String; SOURCES.len()];

/// Where keys lie: each lane and the log have a hash tag, so a slot, of their own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place {
    Lane(u8),
    Log,
}

/// Strings of bytes, one behind the other: a call of many steps has a thousand of them.
#[derive(Clone, Default)]
struct Strings {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Strings {
    /// One more, of these parts.
    fn push(&mut self, parts: &[&[u8]]) {
        parts.iter().for_each(|part| self.bytes.extend_from_slice(part));
        self.ends.push(self.bytes.len());
    }

    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let begins = core::iter::once(&0).chain(&self.ends);
        begins.zip(&self.ends).map(|(begin, end)| &self.bytes[*begin..*end])
    }
}

/// A script with its keys and arguments, all of one place.
#[derive(Clone)]
pub(super) struct Call {
    pub(super) place: Place,
    script: Script,
    keys: Strings,
    arguments: Strings,
}

impl Call {
    pub(super) fn new(place: Place, script: Script) -> Self {
        Self { place, script, keys: Strings::default(), arguments: Strings::default() }
    }

    pub(super) fn key(mut self, key: Vec<u8>) -> Self {
        self.push_key(key);
        self
    }

    pub(super) fn argument(mut self, argument: impl AsRef<[u8]>) -> Self {
        self.push(argument);
        self
    }

    /// A whole number, in digits.
    pub(super) fn number(self, number: u64) -> Self {
        self.argument(number.to_string())
    }

    /// Eight bytes that scripts compare as they are.
    pub(super) fn bytes(self, number: u64) -> Self {
        self.argument(number.to_be_bytes())
    }

    pub(super) fn push_key(&mut self, key: Vec<u8>) {
        self.keys.push(&[&key]);
    }

    pub(super) fn push(&mut self, argument: impl AsRef<[u8]>) {
        self.arguments.push(&[argument.as_ref()]);
    }

    /// A key, of the parts that [`Keys::parts`] gives.
    pub(super) fn push_key_of(&mut self, parts: &[&[u8]]) {
        self.keys.push(parts);
    }

    /// An argument of several parts.
    pub(super) fn push_of(&mut self, parts: &[&[u8]]) {
        self.arguments.push(parts);
    }

    /// By the script's name, or whole, for a server that does not know it any more.
    pub(super) fn command(&self, names: &Names, whole: bool) -> Cmd {
        let count = self.keys.ends.len() + self.arguments.ends.len();
        let bytes = self.keys.bytes.len() + self.arguments.bytes.len();
        let mut command = Cmd::with_capacity(3 + count, 64 + bytes);
        if whole {
            command.arg("EVAL").arg(SOURCES[self.script as usize]);
        } else {
            command.arg("EVALSHA").arg(&names[self.script as usize]);
        }
        command.arg(self.keys.ends.len());
        for argument in self.keys.iter().chain(self.arguments.iter()) {
            command.arg(argument);
        }
        command
    }
}

/// How keys are called.
#[derive(Clone)]
pub(super) struct Keys {
    /// Of each lane, what its keys begin with.
    lanes: Vec<Vec<u8>>,
    log: Vec<u8>,
    pub(super) channel: String,
}

impl Keys {
    pub(super) fn new(prefix: &str) -> Self {
        let lane = |lane| format!("{{{prefix}:{lane:02}}}:").into_bytes();
        Self {
            lanes: (0..super::rows::LANES).map(lane).collect(),
            log: format!("{{{prefix}:log}}:").into_bytes(),
            channel: format!("{prefix}:events"),
        }
    }

    /// The key of this name in a place: `kind` and what it is of.
    pub(super) fn at(&self, place: Place, kind: &str, of: &[u8]) -> Vec<u8> {
        self.parts(place, kind, of).concat()
    }

    /// The same in parts, for those who write it elsewhere.
    pub(super) fn parts<'a>(&'a self, place: Place, kind: &'a str, of: &'a [u8]) -> [&'a [u8]; 3] {
        let begin = match place {
            Place::Lane(lane) => &self.lanes[usize::from(lane % super::rows::LANES)],
            Place::Log => &self.log,
        };
        [begin, kind.as_bytes(), of]
    }
}

/// What a lane's keys are called, beside the rows.
pub(super) mod lane {
    pub(crate) const VERSION: &str = "version";
    pub(crate) const OUTBOX: &str = "outbox";
    pub(crate) const END: &str = "end";
    pub(crate) const INDEX: &str = "sessions";
    pub(crate) const MOVES: &str = "moves";
    pub(crate) const LATEST: &str = "latest";
    pub(crate) const SESSION: &str = "s:";
    pub(crate) const SUBJECT: &str = "u:";
    pub(crate) const SPENT: &str = "x:";
    pub(crate) const SPENT_INDEX: &str = "spent";
    pub(crate) const TOKEN: &str = "t:";
    pub(crate) const TOKEN_INDEX: &str = "tokens";
}

/// What the log's keys are called.
pub(super) mod log {
    pub(crate) const STATE: &str = "state";
    pub(crate) const CUTOFFS: &str = "cutoffs";
    pub(crate) const EVENTS: &str = "events";
    pub(crate) const PRIMARIES: &str = "primaries";
    pub(crate) const RECORDS: &str = "records:";
}
