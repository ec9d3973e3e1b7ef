//! Where a benchmark's refresh tokens come from: a file, or sessions that it starts.

use super::RefreshArgs;
use crate::cli::Failure;
use crate::cli::api::{host, origin_form, read_json, refusal};
use crate::cli::net::{Net, NoAnswer, at};
use bytes::Bytes;
use http::{Method, Request, StatusCode, Uri, header};
use http_body_util::Full;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::task::JoinSet;

/// The refresh tokens to begin with.
pub(super) async fn tokens(args: &RefreshArgs, net: &Arc<Net>) -> Result<Vec<String>, Failure> {
    let count = usize::try_from(args.sessions).unwrap_or(usize::MAX);
    if let Some(path) = &args.tokens {
        let text = std::fs::read_to_string(path).map_err(|why| {
            Failure::could_not(format!("could not read {}", path.display())).because(why)
        })?;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        return Ok(lines.take(count).map(str::to_owned).collect());
    }
    let (Some(authority), Some(key)) = (&args.authority, &args.api_key) else {
        return Err(Failure::wrong_usage("give --tokens, or --authority and --api-key"));
    };
    let starter = Starter {
        net: net.clone(),
        uri: at(authority, "/v1/sessions"),
        bearer: format!("Bearer {key}"),
        client_id: args.client_id.clone(),
        run: std::process::id(),
        bar: progress(u64::from(args.sessions), args.json),
    };
    start_all(Arc::new(starter), count, usize::from(args.connections)).await
}

fn progress(sessions: u64, json: bool) -> ProgressBar {
    let style = ProgressStyle::with_template("starting sessions {bar:40} {pos}/{len}");
    let target =
        if json { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr_with_hz(10) };
    let bar = ProgressBar::with_draw_target(Some(sessions), target);
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// Starts sessions at an authority.
struct Starter {
    net: Arc<Net>,
    uri: Uri,
    bearer: String,
    client_id: String,
    run: u32,
    bar: ProgressBar,
}

async fn start_all(
    starter: Arc<Starter>,
    count: usize,
    connections: usize,
) -> Result<Vec<String>, Failure> {
    let mut starting = JoinSet::new();
    for worker in 0..connections.min(count) {
        let starter = starter.clone();
        starting.spawn(async move { starter.start((worker..count).step_by(connections)).await });
    }
    let mut tokens = Vec::with_capacity(count);
    while let Some(started) = starting.join_next().await {
        tokens.extend(started.map_err(|why| Failure::could_not("stopped").because(why))??);
    }
    starter.bar.finish_and_clear();
    Ok(tokens)
}

impl Starter {
    async fn start(
        &self,
        numbers: impl Iterator<Item = usize> + Send,
    ) -> Result<Vec<String>, Failure> {
        let no_answer = |why: NoAnswer| Failure::could_not("could not start sessions").because(why);
        let mut connection = self.net.connect(&self.uri).await.map_err(no_answer)?;
        let mut tokens = Vec::new();
        for number in numbers {
            let answer = connection.send(self.request(number)?).await.map_err(no_answer)?;
            if answer.status != StatusCode::CREATED {
                return Err(refusal((&Method::POST, "/v1/sessions"), &answer));
            }
            match read_json(&answer)?["refresh_token"].as_str() {
                Some(token) => tokens.push(token.to_owned()),
                None => return Err(Failure::refused("this client gets no refresh tokens")),
            }
            self.bar.inc(1);
        }
        Ok(tokens)
    }

    fn request(&self, number: usize) -> Result<Request<Full<Bytes>>, Failure> {
        let body: Value = json!({
            "subject": format!("bench-{}-{number}", self.run),
            "client_id": self.client_id,
            "device": { "class": "web" },
        });
        Request::post(origin_form(&self.uri))
            .header(header::HOST, host(&self.uri))
            .header(header::AUTHORIZATION, &self.bearer)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body.to_string())))
            .map_err(|_| Failure::wrong_usage("the API key has characters that no API key has"))
    }
}
