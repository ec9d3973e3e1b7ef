//! What a refresh token earns, told a second time: from the history of uses, not from fields.
//!
//! The rules keep what they need; the model keeps every step that a family made and works out the rest.

use symbolon_core::Replay;

/// A refresh token: the store epoch of its rotation, and its number.
pub type Token = (u32, u32);

/// What a request brings beside its token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shown {
    /// Nothing is bound, or the binding is not enforced.
    Bearer,
    /// The session's own key, enforced.
    Key,
    /// Another key or none, enforced.
    Wrong,
    /// A proof that says nothing.
    Unusable,
}

/// The settings in force. Times are milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The store epoch.
    pub epoch: u32,
    /// The grace of a window opened now.
    pub grace: u64,
    /// The idle timeout.
    pub idle: u64,
    /// Whether the client is switched off.
    pub disabled: bool,
    /// What a replay does.
    pub replay: Replay,
}

/// What must be answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Say {
    /// The newest token, which is this one; whether anything changed.
    Newest(u32, bool),
    /// This use ended the session.
    Theft,
    /// It was over before: ended, revoked, idle or expired.
    Over,
    /// No, and nothing changed.
    No,
    /// It cannot be: the store lost writes unnoticed.
    Fault,
}

/// One use that moved the family to another newest number.
#[derive(Clone, Copy, Debug)]
struct Step {
    used: Token,
    to: u32,
    at: u64,
    until: u64,
    epoch: u32,
    forward: bool,
}

/// A family of refresh tokens, which is a session.
#[derive(Clone, Debug)]
pub struct Family {
    steps: Vec<Step>,
    /// When and in which store epoch it started, and when it ends in any case.
    birth: (u64, u32, u64),
    /// Whether anything ended it.
    pub over: bool,
}

impl Family {
    /// A session started at `at` in a store epoch, that ends at `absolute` in any case.
    pub fn start(at: u64, absolute: u64, epoch: u32) -> Self {
        Self { steps: Vec::new(), birth: (at, epoch, absolute), over: false }
    }

    /// What this token must earn now.
    pub fn ask(&mut self, token: Token, shown: Shown, set: &Settings, now: u64) -> Say {
        let now = now.max(self.last_instant());
        let timeout = (self.last_instant() + set.idle).min(self.birth.2) <= now;
        match shown {
            _ if set.disabled => Say::No,
            _ if self.over || timeout => self.end(Say::Over),
            Shown::Wrong => self.end(Say::Theft),
            Shown::Unusable => Say::No,
            Shown::Bearer | Shown::Key => self.follow(token, shown == Shown::Key, set, now),
        }
    }

    fn follow(&mut self, token: Token, key: bool, set: &Settings, now: u64) -> Say {
        let ((epoch, number), newest) = (token, self.newest().1);
        let (older, open) = (epoch < set.epoch, self.open(now).contains(&number));
        let led = self.steps.iter().find(|step| step.forward && step.epoch == set.epoch);
        let late = led.is_some_and(|led| led.used.1 < number && led.until < now);
        if epoch > set.epoch || (number > newest && !older) {
            return Say::Fault;
        }
        let waits = self.steps.last().is_some_and(|last| last.forward && last.to == number);
        if older && late && !open && !waits {
            return self.replay(set);
        }
        if number < newest {
            let forgiven = open || (key && number + 1 == newest);
            return if forgiven { Say::Newest(newest, false) } else { self.replay(set) };
        }
        if number > newest {
            self.step(token, number, true, set, now);
        }
        if self.open(now).len() < 8 {
            self.step(token, number + 1, false, set, now);
        }
        Say::Newest(self.newest().1, self.newest().1 > newest)
    }

    fn step(&mut self, used: Token, to: u32, forward: bool, set: &Settings, now: u64) {
        let until = now + set.grace;
        self.steps.push(Step { used, to, at: now, until, epoch: set.epoch, forward });
    }

    fn end(&mut self, say: Say) -> Say {
        self.over = true;
        say
    }

    fn replay(&mut self, set: &Settings) -> Say {
        match set.replay {
            Replay::Enforce => self.end(Say::Theft),
            Replay::Report => Say::Newest(self.newest().1, false),
            Replay::Off => Say::No,
        }
    }

    /// The newest token: an advance makes it in the epoch of the day, a fast-forward was shown it.
    pub fn newest(&self) -> Token {
        let token = |last: &Step| if last.forward { last.used } else { (last.epoch, last.to) };
        self.steps.last().map_or((self.birth.1, 0), token)
    }

    fn last_instant(&self) -> u64 {
        self.steps.last().map_or(self.birth.0, |last| last.at)
    }

    /// Used numbers whose windows are open: each step opened its own, the newest eight stay.
    fn open(&self, now: u64) -> Vec<u32> {
        let (mut open, mut newest): (Vec<(u32, u64)>, _) = (Vec::new(), 0);
        for step in &self.steps {
            open.retain(|(_, until)| step.at < *until);
            let from = if step.forward { newest.max(step.to.saturating_sub(8)) } else { newest };
            open.extend((from..step.to).map(|used| (used, step.until)));
            open.retain(|(_, until)| step.at < *until);
            open.drain(..open.len().saturating_sub(8));
            newest = step.to;
        }
        open.iter().filter(|(_, until)| now < *until).map(|(used, _)| *used).collect()
    }
}
