//! `symbolon demo`: see it work, against a running authority.

mod proof;
mod theft;

use crate::cli::api::{Api, ApiArgs, host, origin_form};
use crate::cli::net::{Answer, Connection, NoAnswer, escape};
use crate::cli::stopwatch::Stopwatch;
use crate::cli::{Failure, out};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use bytes::Bytes;
use clap::{Args, Subcommand};
use http::{Method, Request, Uri, header};
use http_body_util::Full;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

/// What can be seen.
#[derive(Subcommand)]
pub enum Command {
    /// Renew one token many times at once: all are answered, nobody is logged out
    Race(RaceArgs),
    /// Steal a refresh token and use it: who is thrown out, when, and what the log says
    Theft(theft::TheftArgs),
    /// Make a proof of a device's key (DPoP), to try bound sessions by hand
    Proof(proof::ProofArgs),
}

/// Who races.
#[derive(Args)]
pub struct RaceArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// A public client with refresh tokens
    #[arg(long, default_value = "web")]
    client_id: String,
    /// How many callers, each on a connection of its own
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(2..=1000))]
    callers: u16,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs one of them.
///
/// # Errors
/// The authority did not answer, or not as it promises.
pub async fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Race(args) => run_race(args).await,
        Command::Theft(args) => theft::run(args).await,
        Command::Proof(args) => proof::run(&args),
    }
}

async fn run_race(args: RaceArgs) -> Result<(), Failure> {
    let mut api = Api::new(args.api)?;
    let device = json!({ "class": "web", "name": "symbolon demo race" });
    let session = start(&mut api, &args.client_id, &somebody()?, &device).await?;
    let token = refresh_token(&session, &args.client_id)?;
    let endpoint = Endpoint { uri: api.at("/oauth2/token"), client_id: args.client_id };
    let (answers, milliseconds) = race(&api, &endpoint, token, args.callers).await?;
    let outcome = Outcome {
        renewals: args.callers,
        milliseconds,
        logged_out: logged_out(&mut api, &session).await?,
        ..read(&answers)
    };
    if args.json {
        out::json(&outcome)
    } else {
        outcome.print()
    }
    outcome.verdict()
}

/// What the race came to.
#[derive(Serialize)]
struct Outcome {
    renewals: u16,
    answered: usize,
    successors: usize,
    access_tokens: usize,
    logged_out: bool,
    milliseconds: f64,
}

impl Outcome {
    fn print(&self) {
        let fate = if self.logged_out { "logged out" } else { "nobody logged out" };
        let s = if self.successors == 1 { "" } else { "s" };
        out::line(format!(
            "{} renewals of one token   ->  {} answered, {} successor{s}, {fate} ({:.1} ms)",
            self.renewals, self.answered, self.successors, self.milliseconds
        ));
    }

    fn verdict(&self) -> Result<(), Failure> {
        let all = self.answered == usize::from(self.renewals);
        match all && self.successors == 1 && !self.logged_out {
            true => Ok(()),
            false => Err(Failure::refused("the race was not answered as promised")
                .next("is grace of this client long enough for the race to end within it?")),
        }
    }
}

struct Endpoint {
    uri: Uri,
    client_id: String,
}

/// A subject that nobody has yet.
fn somebody() -> Result<String, Failure> {
    let mut random = [0; 6];
    let filled = SystemRandom::new().fill(&mut random);
    filled.map_err(|_| Failure::could_not("the system has no randomness"))?;
    Ok(format!("demo-{}", data_encoding::HEXLOWER.encode(&random)))
}

async fn start(
    api: &mut Api,
    client_id: &str,
    subject: &str,
    device: &Value,
) -> Result<Value, Failure> {
    let body = json!({ "subject": subject, "client_id": client_id, "device": device });
    api.call(Method::POST, "/v1/sessions", Some(&body)).await
}

fn refresh_token<'s>(session: &'s Value, client_id: &str) -> Result<&'s str, Failure> {
    let token = session["refresh_token"].as_str();
    token.ok_or_else(|| Failure::refused(format!("client {client_id:?} gets no refresh tokens")))
}

/// Everybody is connected before anybody fires.
async fn race(
    api: &Api,
    endpoint: &Endpoint,
    token: &str,
    callers: u16,
) -> Result<(Vec<Answer>, f64), Failure> {
    let no_answer = |why: NoAnswer| Failure::could_not("the race had no answer").because(why);
    let barrier = Arc::new(Barrier::new(usize::from(callers) + 1));
    let mut racing = JoinSet::new();
    for _ in 0..callers {
        let mut connection: Connection =
            api.net().connect(&endpoint.uri).await.map_err(no_answer)?;
        let (request, barrier) = (endpoint.refresh(token)?, barrier.clone());
        racing.spawn(async move {
            barrier.wait().await;
            connection.send(request).await
        });
    }
    barrier.wait().await;
    let watch = Stopwatch::start();
    let mut answers = Vec::new();
    while let Some(raced) = racing.join_next().await {
        let raced = raced.map_err(|why| Failure::could_not("stopped").because(why))?;
        answers.push(raced.map_err(no_answer)?);
    }
    let milliseconds = watch.elapsed().as_secs_f64() * 1000.0;
    Ok((answers, (milliseconds * 10.0).round() / 10.0))
}

impl Endpoint {
    fn refresh(&self, token: &str) -> Result<Request<Full<Bytes>>, Failure> {
        let body = format!(
            "grant_type=refresh_token&client_id={}&refresh_token={}",
            escape(&self.client_id),
            escape(token)
        );
        Request::post(origin_form(&self.uri))
            .header(header::HOST, host(&self.uri))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Full::new(Bytes::from(body)))
            .map_err(|why| Failure::could_not("could not ask").because(why))
    }
}

fn read(answers: &[Answer]) -> Outcome {
    let bodies: Vec<Value> = answers
        .iter()
        .filter(|answer| answer.status.is_success())
        .filter_map(|answer| serde_json::from_slice(&answer.body).ok())
        .collect();
    let different = |member: &str| {
        let texts = bodies.iter().filter_map(|body| body[member].as_str());
        texts.collect::<BTreeSet<_>>().len()
    };
    Outcome {
        renewals: 0,
        answered: bodies.len(),
        successors: different("refresh_token"),
        access_tokens: different("access_token"),
        logged_out: false,
        milliseconds: 0.0,
    }
}

async fn logged_out(api: &mut Api, session: &Value) -> Result<bool, Failure> {
    let sid = session["session_id"].as_str().unwrap_or_default();
    let path = format!("/v1/sessions/{}", escape(sid));
    let session = api.call(Method::GET, &path, None).await?;
    Ok(session["state"].as_str() != Some("active"))
}
