//! What a refresh token earns, told a second time: from every step that a family ever made.

use symbolon_core::Replay;

/// A refresh token: the store epoch of its rotation, and its number.
pub type Token = (u32, u32);

/// What a request brings beside its token: under an enforced binding all but `Bearer`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the words of DESIGN.md §4.1")]
pub enum Shown {
    Bearer,
    Key,
    Wrong,
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

/// What must be answered: the newest token and whether it changed, or else.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(
    missing_docs,
    reason = "`No` changes nothing, `Over` was so before, the rest is DESIGN.md's"
)]
pub enum Say {
    Newest(u32, bool),
    Theft,
    Over,
    No,
    Fault,
}

/// A use that moved the family.
#[derive(Clone, Copy, Debug)]
struct Step {
    used: Token,
    to: u32,
    at: u64,
    until: u64,
    epoch: u32,
    forward: bool,
}

/// A session, which begins by being shown number 0; and the older numbers followed in an epoch.
#[derive(Clone, Debug)]
pub struct Family {
    steps: Vec<Step>,
    followed: Vec<Token>,
    absolute: u64,
    /// Whether anything ended it.
    pub over: bool,
}

impl Family {
    /// A session started at `at` in a store epoch, that ends at `absolute` in any case.
    pub fn start(at: u64, absolute: u64, epoch: u32) -> Self {
        let birth = Step { used: (epoch, 0), to: 0, at, until: at, epoch, forward: true };
        Self { steps: vec![birth], followed: Vec::new(), absolute, over: false }
    }

    /// What this token must earn now.
    pub fn ask(&mut self, token: Token, shown: Shown, set: &Settings, now: u64) -> Say {
        let now = now.max(self.last().at);
        let timeout = (self.last().at + set.idle).min(self.absolute) <= now;
        match shown {
            _ if set.disabled => Say::No,
            _ if self.over || timeout => self.end(Say::Over),
            Shown::Wrong => self.end(Say::Theft),
            Shown::Unusable => Say::No,
            Shown::Bearer | Shown::Key => self.follow(token, shown == Shown::Key, set, now),
        }
    }

    fn follow(&mut self, token: Token, key: bool, set: &Settings, now: u64) -> Say {
        let ((made, number), newest) = (token, self.newest().1);
        let (older, open) = (made < set.epoch, self.open(now).contains(&number));
        let led = self.steps[1..].iter().find(|step| step.forward && step.epoch == set.epoch);
        let late = led.is_some_and(|led| led.until < now);
        let beyond = !self.followed.iter().any(|(at, to)| *at == set.epoch && number <= *to);
        if made > set.epoch || (number > newest && !older) {
            return Say::Fault;
        }
        let dead = older && late && beyond && !open;
        if dead || number < newest {
            let forgiven = !dead && (open || (key && number + 1 == newest));
            return if forgiven { Say::Newest(newest, false) } else { self.replay(set) };
        }
        self.followed.extend(older.then_some((set.epoch, number)));
        let (until, epoch) = (now + set.grace, set.epoch);
        let step = |to, forward| Step { used: token, to, at: now, until, epoch, forward };
        if number > newest {
            self.steps.push(step(number, true));
        }
        if self.open(now).len() < 8 {
            self.steps.push(step(number + 1, false));
        }
        Say::Newest(self.newest().1, self.newest().1 > newest)
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
        let last = self.last();
        if last.forward { last.used } else { (last.epoch, last.to) }
    }

    fn end(&mut self, say: Say) -> Say {
        self.over = true;
        say
    }

    fn last(&self) -> Step {
        self.steps[self.steps.len() - 1]
    }

    /// Used numbers whose windows are open: each step opened its own, the newest eight stay.
    fn open(&self, now: u64) -> Vec<u32> {
        let (mut open, mut newest): (Vec<(u32, u64)>, _) = (Vec::new(), 0);
        for step in &self.steps {
            let from = if step.forward { newest.max(step.to.saturating_sub(8)) } else { newest };
            open.extend((from..step.to).map(|used| (used, step.until)));
            open.retain(|(_, until)| step.at < *until);
            open.drain(..open.len().saturating_sub(8));
            newest = step.to;
        }
        open.iter().filter(|(_, until)| now < *until).map(|(used, _)| *used).collect()
    }
}
