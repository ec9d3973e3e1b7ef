//! Processes of verifiers: how one is told what to do, and what it does.
//!
//! A process reads two lines of JSON, what to verify and when it begins, and writes two: that it is ready, and what
//! it saw. The API key goes this way too, since the list of processes shows arguments to everybody.

use super::Setting;
use super::authority::{Authority, this_program};
use super::steady::{due_us, now_us, wait_until};
use crate::cli::{Failure, out};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use symbolon_verify::{Algorithm, Now, Policy, Presented, Rejected, Type, Verifier};
use symbolon_wire::UnverifiedAccessToken;
use tokio::task::{JoinSet, spawn_blocking};

/// How often a token whose session is to end is checked, in microseconds: what was measured is that much too long at most.
const LOOK_EVERY_US: u64 = 100;

/// How long after the last DELETE was due its session may still be let in, in microseconds; then it is missed.
const PATIENCE_US: u64 = 10_000_000;

/// What a process is to verify.
#[derive(Serialize, Deserialize, Clone)]
pub(super) struct Order {
    issuer: String,
    audience: String,
    alg: String,
    typ: Option<String>,
    api_key: String,
    verifiers: usize,
    rate: u32,
    tokens: Vec<String>,
}

/// When it begins.
#[derive(Serialize, Deserialize)]
struct Begin {
    start_us: u64,
}

/// That a process is ready.
#[derive(Serialize, Deserialize)]
struct Ready {
    ready: usize,
}

/// What a process saw.
#[derive(Serialize, Deserialize, Default)]
pub(super) struct Seen {
    /// How long after its DELETE was due each session was refused, at each verifier.
    pub(super) latencies_us: Vec<u64>,
}

impl Order {
    /// Verifiers as the tokens want them.
    pub(super) fn of(
        authority: &Authority,
        setting: Setting,
        tokens: Vec<String>,
    ) -> Result<Self, Failure> {
        let unread = || Failure::refused("the access tokens of this client are no JWT");
        let first = tokens.first().ok_or_else(unread)?;
        let read = UnverifiedAccessToken::read(first).map_err(|why| unread().because(why))?;
        let claims = read.claims().map_err(|why| unread().because(why))?;
        let audience = claims.aud.iter().next().unwrap_or_default().to_string();
        Ok(Self {
            issuer: authority.issuer(),
            audience,
            alg: read.alg.clone(),
            typ: read.typ.clone(),
            api_key: authority.api_key.clone(),
            verifiers: setting.verifiers,
            rate: setting.rate,
            tokens,
        })
    }
}

/// Running processes, each with its share of the verifiers.
pub(super) struct Processes(Vec<Process>);

struct Process {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Processes {
    /// Starts them, and waits until every verifier is ready and lets everybody in.
    pub(super) async fn start(order: Order, count: usize) -> Result<Self, Failure> {
        let share = |at: usize| (order.verifiers + at) / count;
        let mut processes = Vec::new();
        for at in 0..count {
            let process = Process::start()?;
            process.tell(&Order { verifiers: share(at), ..order.clone() })?;
            processes.push(process);
        }
        let mut ready = Vec::new();
        for process in processes {
            let (process, said) = process.hear::<Ready>().await?;
            (said.ready > 0).then_some(()).ok_or_else(ended_early)?;
            ready.push(process);
        }
        Ok(Self(ready))
    }

    /// Says when the first DELETE is due.
    pub(super) fn begin(&self, start_us: u64) -> Result<(), Failure> {
        self.0.iter().try_for_each(|process| process.tell(&Begin { start_us }))
    }

    /// What they saw, once they have seen all.
    pub(super) async fn seen(self) -> Result<Vec<Seen>, Failure> {
        let mut all = Vec::new();
        for process in self.0 {
            all.push(process.hear().await?.1);
        }
        Ok(all)
    }
}

impl Process {
    fn start() -> Result<Self, Failure> {
        let mut child = this_program()?
            .args(["bench", "propagation", "--as-verifiers"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|why| Failure::could_not("could not start verifiers").because(why))?;
        match (child.stdin.take(), child.stdout.take()) {
            (Some(input), Some(output)) => {
                Ok(Self { child, input, output: BufReader::new(output) })
            }
            _ => Err(ended_early()),
        }
    }

    fn tell(&self, said: &impl Serialize) -> Result<(), Failure> {
        let mut text = serde_json::to_string(said).map_err(|why| ended_early().because(why))?;
        text.push('\n');
        (&self.input).write_all(text.as_bytes()).map_err(|why| ended_early().because(why))
    }

    async fn hear<T: DeserializeOwned + Send + 'static>(mut self) -> Result<(Self, T), Failure> {
        let hearing = spawn_blocking(move || {
            let said = read(&mut self.output)?;
            Ok((self, said))
        });
        hearing.await.map_err(|why| ended_early().because(why))?
    }
}

fn ended_early() -> Failure {
    Failure::could_not("a process of verifiers ended early")
}

fn read<T: DeserializeOwned>(input: &mut impl BufRead) -> Result<T, Failure> {
    let mut line = String::new();
    input.read_line(&mut line).map_err(|why| ended_early().because(why))?;
    serde_json::from_str(&line).map_err(|why| ended_early().because(why))
}

/// Is such a process.
///
/// # Errors
/// The other process went away, or the authority does not let verifiers follow its feed.
pub(super) async fn be() -> Result<(), Failure> {
    let order: Order = read(&mut std::io::stdin().lock())?;
    let verifiers = connect(&order).await?;
    let seen = spawn_blocking(move || {
        accepts_all(&order, &verifiers)?;
        out::json(&Ready { ready: verifiers.len() });
        let begin: Begin = read(&mut std::io::stdin().lock())?;
        Ok::<_, Failure>(watch(&order, &verifiers, begin.start_us))
    });
    out::json(&seen.await.map_err(|why| ended_early().because(why))??);
    Ok(())
}

/// Each has a connection of its own.
async fn connect(order: &Order) -> Result<Vec<Verifier>, Failure> {
    let mut connecting = JoinSet::new();
    let alg = Algorithm::from_name(&order.alg).unwrap_or(Algorithm::EdDsa);
    let typ = order.typ.as_deref().and_then(Type::from_name).unwrap_or(Type::AccessTokenJwt);
    for number in 0..order.verifiers {
        let builder = Verifier::builder(&order.issuer)
            .audience(&order.audience)
            .algorithm(alg)
            .typ(typ)
            .cache(order.tokens.len().saturating_mul(2))
            .instance(&format!("bench-{}-{number}", std::process::id()))
            .feed(&order.api_key);
        connecting.spawn(builder.connect());
    }
    let mut verifiers = Vec::with_capacity(order.verifiers);
    while let Some(connected) = connecting.join_next().await {
        let connected = connected.map_err(|why| ended_early().because(why))?;
        let failed = |why| Failure::could_not("a verifier could not start").because(why);
        verifiers.push(connected.map_err(failed)?);
    }
    Ok(verifiers)
}

fn check(verifier: &Verifier, token: &str) -> Result<(), Rejected> {
    verifier.check(&Presented::bearer(token), &Policy::default(), Now::read(), |_| ())
}

/// Whoever is refused already says nothing about how long that took.
fn accepts_all(order: &Order, verifiers: &[Verifier]) -> Result<(), Failure> {
    for verifier in verifiers {
        for token in &order.tokens {
            check(verifier, token).map_err(|why| {
                Failure::refused("a session that nobody has ended is not let in").because(why)
            })?;
        }
    }
    Ok(())
}

/// Checks every token whose session is to end, again and again until it is refused as ended.
fn watch(order: &Order, verifiers: &[Verifier], start_us: u64) -> Seen {
    let due = |number| due_us(start_us, order.rate, number);
    let (count, mut next, mut seen) = (order.tokens.len(), 0, Seen::default());
    let mut open: Vec<Vec<usize>> = vec![Vec::new(); verifiers.len()];
    let give_up_at = due(count) + PATIENCE_US;
    loop {
        let now = now_us();
        while next < count && due(next) <= now {
            open.iter_mut().for_each(|open| open.push(next));
            next += 1;
        }
        for (verifier, open) in verifiers.iter().zip(&mut open) {
            open.retain(|number| {
                let refused = check(verifier, &order.tokens[*number]);
                let refused = matches!(refused, Err(Rejected::Revoked { .. }));
                if refused {
                    seen.latencies_us.push(now_us().saturating_sub(due(*number)));
                }
                !refused
            });
        }
        let all_seen = open.iter().all(Vec::is_empty);
        if (all_seen && next == count) || give_up_at < now {
            return seen;
        }
        let idle_until = if all_seen { due(next) } else { 0 };
        wait_until(idle_until.max(now + LOOK_EVERY_US));
    }
}
