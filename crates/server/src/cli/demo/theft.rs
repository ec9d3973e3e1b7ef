//! `symbolon demo theft`: a refresh token is stolen and used. Who holds what, who is thrown out and when.

use super::{Endpoint, refresh_token, somebody, start};
use crate::cli::api::{Api, ApiArgs, read_json};
use crate::cli::explain::story::sentence;
use crate::cli::net::{NoAnswer, escape};
use crate::cli::stopwatch::Stopwatch;
use crate::cli::{Failure, log, out};
use crate::config::{duration_text, parse_duration};
use clap::Args;
use http::Method;
use serde::Serialize;
use serde_json::{Value, json};
use std::time::Duration;

/// How long verifiers are waited for, as `?wait=` takes it.
const WAIT: &str = "5s";

/// How much later than the end of the window the thief comes.
const AFTER: Duration = Duration::from_millis(100);

/// Who is robbed.
#[derive(Args)]
pub struct TheftArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// A public client with refresh tokens
    #[arg(long, default_value = "web")]
    client_id: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Stages it.
///
/// # Errors
/// The authority did not answer, or not as it promises.
pub(super) async fn run(args: TheftArgs) -> Result<(), Failure> {
    let api = Api::new(args.api)?;
    let endpoint = Endpoint { uri: api.at("/oauth2/token"), client_id: args.client_id };
    let mut stage =
        Stage { api, endpoint, watch: Stopwatch::start(), aloud: !args.json, steps: Vec::new() };
    let outcome = stage.play().await?;
    match args.json {
        true => out::json(&json!({ "steps": stage.steps, "outcome": outcome })),
        false => out::line(outcome.summary()),
    }
    outcome.verdict()
}

/// What was done, by whom, and what came of it.
#[derive(Serialize)]
struct Step {
    at_ms: u64,
    who: &'static str,
    what: String,
}

/// Whoever acts, acts here.
struct Stage {
    api: Api,
    endpoint: Endpoint,
    watch: Stopwatch,
    aloud: bool,
    steps: Vec<Step>,
}

/// What it came to.
#[derive(Serialize)]
struct Outcome {
    /// What the thief was told; nothing: a token.
    thief: Option<String>,
    /// What the owner was told on the robbed device; nothing: a token.
    owner: Option<String>,
    /// What the owner was told on the other device; nothing: a token, as it should be.
    elsewhere: Option<String>,
    /// How many verifiers refuse the session, of how many.
    verifiers: Value,
    /// What the history has about it.
    event: Value,
}

impl Stage {
    async fn play(&mut self) -> Result<Outcome, Failure> {
        let grace = self.grace().await?;
        let window = duration_text(grace);
        let (laptop, phone) = self.sign_in().await?;
        let client = self.endpoint.client_id.clone();
        let copy = refresh_token(&laptop, &client)?.to_owned();
        self.step("thief", "copies the laptop's refresh token: both hold generation 0");
        let renewed = self.renew(&copy).await?;
        if let Some(error) = renewed["error"].as_str() {
            return Err(Failure::refused("the owner may not renew").because(error));
        }
        let own = refresh_token(&renewed, &client)?.to_owned();
        self.step("owner", "renews on the laptop and holds generation 1; the copy is used now");
        self.step(
            "clock",
            &format!("passes {window}: till then a used token could be a lost answer"),
        );
        pass(grace + AFTER).await;

        let thief = self.refused(&copy).await?;
        self.step("thief", &format!("renews with the copy: {}", told(&thief)));
        let verifiers = self.verifiers(&laptop).await?;
        self.step("services", &in_force(&verifiers));
        let owner = self.refused(&own).await?;
        self.step("owner", &format!("renews on the laptop: {}", told(&owner)));
        let elsewhere = self.refused(refresh_token(&phone, &client)?).await?;
        self.step("owner", &format!("renews on the phone: {}", told(&elsewhere)));
        let event = self.event(&laptop).await?;
        self.step("log", &sentence(&event));
        Ok(Outcome { thief, owner, elsewhere, verifiers, event })
    }

    /// The client's grace window, if a replay ends a session of it.
    async fn grace(&mut self) -> Result<Duration, Failure> {
        let client_id = &self.endpoint.client_id;
        let path = format!("/v1/clients/{}", escape(client_id));
        let client = self.api.call(Method::GET, &path, None).await?;
        let refresh = &client["refresh"];
        let grace = refresh["grace"].as_str().and_then(|text| parse_duration(text).ok());
        let switched = client["replay"]["mode"].as_str();
        match (grace, switched.or(refresh["replay"].as_str())) {
            (Some(grace), Some("enforce")) => Ok(grace),
            (Some(_), mode) => Err(Failure::refused("a stolen token would not end the session")
                .because(format!(
                    "client {client_id:?} treats replays as `{}`",
                    mode.unwrap_or_default()
                ))
                .next(format!(
                    "symbolon clients replay {client_id} configured; or set refresh.replay"
                ))),
            (None, _) => {
                Err(Failure::refused(format!("client {client_id:?} gets no refresh tokens")))
            }
        }
    }

    /// The owner's two sessions.
    async fn sign_in(&mut self) -> Result<(Value, Value), Failure> {
        let (owner, client_id) = (somebody()?, self.endpoint.client_id.clone());
        let laptop = json!({ "class": "web", "name": "laptop" });
        let laptop = start(&mut self.api, &client_id, &owner, &laptop).await?;
        let phone = json!({ "class": "app", "name": "phone" });
        let phone = start(&mut self.api, &client_id, &owner, &phone).await?;
        self.step("owner", &format!("signs in as {owner}, on a laptop and on a phone"));
        Ok((laptop, phone))
    }

    async fn renew(&self, token: &str) -> Result<Value, Failure> {
        let no_answer = |why: NoAnswer| Failure::could_not("no answer to a renewal").because(why);
        let mut connection = self.api.net().connect(&self.endpoint.uri).await.map_err(no_answer)?;
        let answer = connection.send(self.endpoint.refresh(token)?).await.map_err(no_answer)?;
        read_json(&answer)
    }

    /// Why a renewal was refused; nothing if it was not.
    async fn refused(&self, token: &str) -> Result<Option<String>, Failure> {
        let answer = self.renew(token).await?;
        let why = answer["reason"].as_str().or(answer["error"].as_str());
        Ok(why.map(str::to_owned))
    }

    /// Who refuses the session by now. It is over, so this ends nothing: it waits for who verifies.
    async fn verifiers(&mut self, session: &Value) -> Result<Value, Failure> {
        let sid = escape(session["session_id"].as_str().unwrap_or_default());
        let path = format!("/v1/sessions/{sid}?wait={WAIT}");
        Ok(self.api.call(Method::DELETE, &path, None).await?["verifiers"].take())
    }

    /// The end of the session in the history.
    async fn event(&mut self, session: &Value) -> Result<Value, Failure> {
        let sid = session["session_id"].as_str();
        let (mut events, _) = log::events(&mut self.api, &[("sid", sid)]).await?;
        let found = events.iter().position(|event| event["reason"] == "replayed");
        let found = found.ok_or_else(|| Failure::refused("the history has no replay in it"))?;
        Ok(events.swap_remove(found))
    }

    fn step(&mut self, who: &'static str, what: &str) {
        let at_ms = u64::try_from(self.watch.elapsed().as_millis()).unwrap_or(u64::MAX);
        if self.aloud {
            let (seconds, tenth) = (at_ms / 1000, at_ms % 1000 / 100);
            out::line(format!("{seconds:>4}.{tenth} s  {who:<8}  {what}"));
        }
        self.steps.push(Step { at_ms, who, what: what.to_owned() });
    }
}

fn told(why: &Option<String>) -> String {
    why.as_ref().map_or("is given a token".to_owned(), |why| format!("refused, {why}"))
}

fn counts(verifiers: &Value) -> Option<(u64, u64)> {
    Some((verifiers["applied"].as_u64()?, verifiers["live"].as_u64()?))
}

fn in_force(verifiers: &Value) -> String {
    let elapsed = verifiers["elapsed_ms"].as_u64().unwrap_or_default();
    match counts(verifiers) {
        Some((_, 0)) | None => "that follow the feed: none is there".to_owned(),
        Some((applied, live)) => {
            format!("refuse the laptop's access token: {applied} of {live}, after {elapsed} ms")
        }
    }
}

impl Outcome {
    fn summary(&self) -> String {
        let (applied, live) = counts(&self.verifiers).unwrap_or_default();
        let why = self.owner.as_deref().unwrap_or("nothing");
        format!(
            "a used token came back     ->  session over at {applied} of {live} verifiers, its owner \
             is told why: {why}"
        )
    }

    fn verdict(&self) -> Result<(), Failure> {
        let replayed = |told: &Option<String>| told.as_deref() == Some("replayed");
        let everywhere = counts(&self.verifiers).is_some_and(|(applied, live)| applied == live);
        let promised = replayed(&self.thief) && replayed(&self.owner) && self.elsewhere.is_none();
        match (promised, everywhere) {
            (true, true) => Ok(()),
            (true, false) => Err(Failure::refused("not every verifier refuses the session yet")
                .next("symbolon verifiers shows which one lags")),
            (false, _) => Err(Failure::refused("the theft did not go as promised")
                .because("thief and owner are to be refused as `replayed`, and the phone is not")),
        }
    }
}

/// Lets the window close.
#[expect(clippy::disallowed_methods, reason = "a window closes by the clock, and says nothing")]
async fn pass(span: Duration) {
    tokio::time::sleep(span).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome() -> Outcome {
        Outcome {
            thief: Some("replayed".into()),
            owner: Some("replayed".into()),
            elsewhere: None,
            verifiers: json!({ "live": 2, "applied": 2, "elapsed_ms": 3 }),
            event: Value::Null,
        }
    }

    #[test]
    fn it_went_as_promised_only_if_both_are_out_the_phone_is_in_and_every_verifier_knows() {
        assert_eq!(outcome().verdict(), Ok(()));
        let nobody = json!({ "live": 0, "applied": 0 });
        assert_eq!(Outcome { verifiers: nobody, ..outcome() }.verdict(), Ok(()));
        for other in [
            Outcome { thief: None, ..outcome() },
            Outcome { thief: Some("kicked".into()), ..outcome() },
            Outcome { owner: None, ..outcome() },
            Outcome { elsewhere: Some("replayed".into()), ..outcome() },
            Outcome { verifiers: json!({ "live": 2, "applied": 1 }), ..outcome() },
            Outcome { verifiers: Value::Null, ..outcome() },
        ] {
            assert!(other.verdict().is_err(), "{}", serde_json::to_string(&other).unwrap());
        }
    }
}
