//! Calls to a running authority, and what to say when one is refused.

use crate::admin_socket;
use crate::cli::net::{Answer, Connection, Net, NoAnswer, Streamed, at, connect_socket, parse_url};
use crate::cli::{Exit, Failure};
use crate::config::Config;
use bytes::Bytes;
use clap::Args;
use http::{Method, Request, StatusCode, Uri, header};
use http_body_util::Full;
use serde::Deserialize;
use serde_json::Value;
use std::path::PathBuf;

/// Which authority to ask, and as whom.
#[derive(Args, Clone)]
pub struct ApiArgs {
    /// The authority's URL [default: the admin socket of an authority on this machine, else
    /// http://127.0.0.1:8620]
    #[arg(long, value_name = "URL", env = "SYMBOLON_URL", value_parser = parse_url)]
    pub url: Option<Uri>,
    /// An API key; better in the environment, where the list of processes does not show it
    #[arg(long, value_name = "KEY", env = "SYMBOLON_API_KEY", hide_env_values = true)]
    pub api_key: Option<String>,
    /// Trust the certificates in this PEM file too, beside the public authorities
    #[arg(long, value_name = "FILE", env = "SYMBOLON_CA_FILE")]
    pub ca_file: Option<PathBuf>,
    /// The data directory of an authority on this machine, whose admin socket needs no API key
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

/// Where an authority is asked when nothing else is said.
const USUAL_URL: &str = "http://127.0.0.1:8620";

/// A running authority that is asked as one API key, or over its admin socket.
pub struct Api {
    way: Way,
    net: Net,
    base: Uri,
    connection: Option<Connection>,
}

/// How an authority is reached, and as whom.
enum Way {
    /// At its URL, with an API key.
    Key(String),
    /// Over its admin socket, as whoever runs this command.
    Socket(PathBuf),
}

impl Api {
    /// Prepares to ask.
    ///
    /// # Errors
    /// There is neither an API key nor an admin socket, or the key cannot stand in a header.
    pub fn new(args: ApiArgs) -> Result<Self, Failure> {
        let way = Way::of(&args)?;
        let net = Net::new(args.ca_file.as_deref())?;
        let usual = || USUAL_URL.parse().expect("the usual URL is one");
        Ok(Self { way, net, base: args.url.unwrap_or_else(usual), connection: None })
    }

    /// Opens connections to the same authority.
    pub fn net(&self) -> &Net {
        &self.net
    }

    /// The URL of a path at this authority.
    pub fn at(&self, path: &str) -> Uri {
        at(&self.base, path)
    }

    /// Asks, and reads the answer as JSON.
    ///
    /// # Errors
    /// It was refused, or there was no answer.
    pub async fn call(
        &mut self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        self.call_if(method, path, body, None).await
    }

    /// The same, if what it concerns is still at this version (`If-Match`).
    ///
    /// # Errors
    /// It was refused, or there was no answer.
    pub async fn call_if(
        &mut self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        version: Option<&str>,
    ) -> Result<Value, Failure> {
        let mut request = Request::builder().method(&method).uri(origin_form(&self.at(path)));
        request = request.header(header::HOST, host(&self.base));
        if let Way::Key(key) = &self.way {
            request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
        }
        if let Some(version) = version {
            request = request.header(header::IF_MATCH, format!("\"{version}\""));
        }
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = request
            .body(Full::new(Bytes::from(body)))
            .map_err(|why| Failure::wrong_usage("this cannot be asked for").because(why))?;
        let answer = self.send(request).await?;
        if answer.status.is_success() {
            return read_json(&answer);
        }
        Err(refusal((&method, path), &answer))
    }

    /// Opens an answer that is read piece by piece, on a connection of its own.
    ///
    /// # Errors
    /// It was refused, or there was no answer.
    pub async fn open(&mut self, path: &str) -> Result<Streamed, Failure> {
        let mut request = Request::get(origin_form(&self.at(path)));
        request = request.header(header::HOST, host(&self.base));
        if let Way::Key(key) = &self.way {
            request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
        }
        let request = request.body(Full::default());
        let request =
            request.map_err(|why| Failure::wrong_usage("this cannot be asked for").because(why))?;
        let connection = self.connect().await.map_err(|why| self.unreachable(&why))?;
        let opened = connection.open(request).await.map_err(|why| self.unreachable(&why))?;
        opened.map_err(|answer| refusal((&Method::GET, path), &answer))
    }

    async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Answer, Failure> {
        // An authority closes what was idle for long.
        let kept = self.connection.take().filter(|connection| !connection.is_closed());
        let mut connection = match kept {
            Some(connection) => connection,
            None => self.connect().await.map_err(|why| self.unreachable(&why))?,
        };
        let answer = connection.send(request).await.map_err(|why| self.unreachable(&why))?;
        self.connection = Some(connection);
        Ok(answer)
    }

    async fn connect(&self) -> Result<Connection, NoAnswer> {
        match &self.way {
            Way::Key(_) => self.net.connect(&self.base).await,
            Way::Socket(path) => connect_socket(path).await,
        }
    }

    fn unreachable(&self, why: &NoAnswer) -> Failure {
        match &self.way {
            Way::Key(_) => Failure::could_not(format!("no answer from {}", self.base))
                .because(why)
                .next("is the authority running, and is --url (SYMBOLON_URL) right?"),
            Way::Socket(path) => Failure::could_not(format!("no answer from {}", path.display()))
                .because(why)
                .next("is the authority running, and is this its user? else give an API key"),
        }
    }
}

impl Way {
    /// What was said goes before what is found: `--data`, then a URL or a key, then the socket of the authority
    /// whose configuration is here.
    fn of(args: &ApiArgs) -> Result<Self, Failure> {
        if let Some(data) = &args.data {
            return Ok(Self::Socket(data.join(admin_socket::NAME)));
        }
        let key = args.api_key.as_deref().filter(|key| !key.is_empty());
        if let Some(key) = key {
            return match key.bytes().all(|byte| byte.is_ascii_graphic()) {
                true => Ok(Self::Key(key.to_owned())),
                false => {
                    Err(Failure::wrong_usage("the API key has characters that no API key has"))
                }
            };
        }
        let found = args.url.is_none().then(found_socket).flatten();
        found.map(Self::Socket).ok_or_else(|| {
            Failure::wrong_usage("no API key was given, and no admin socket is here").next(
                "set SYMBOLON_API_KEY, or run it where the configuration of a running authority is, \
                 or name its data directory with --data",
            )
        })
    }
}

/// The admin socket of the authority whose configuration the environment or the working directory names. A
/// configuration that cannot be read is not this command's business.
fn found_socket() -> Option<PathBuf> {
    let config = Config::found().ok()?;
    let path = config.data_directory()?.join(admin_socket::NAME);
    path.exists().then_some(path)
}

/// What a request line holds: the path alone (RFC 9112 §3.2.1).
pub fn origin_form(uri: &Uri) -> String {
    uri.path_and_query().map_or("/", |path| path.as_str()).to_owned()
}

/// The `Host` header for a URL.
pub fn host(uri: &Uri) -> String {
    uri.authority().map(ToString::to_string).unwrap_or_default()
}

/// Reads an answer's body.
///
/// # Errors
/// It is no JSON.
pub fn read_json(answer: &Answer) -> Result<Value, Failure> {
    serde_json::from_slice(&answer.body).map_err(|why| {
        Failure::could_not("the answer is not what an authority says")
            .because(why)
            .next("is --url (SYMBOLON_URL) the URL of a Symbolon authority?")
    })
}

/// `application/problem+json`, as far as people need it.
#[derive(Deserialize, Default)]
struct Problem {
    title: Option<String>,
    detail: Option<String>,
    member: Option<String>,
    reason: Option<String>,
    request_id: Option<String>,
    error_description: Option<String>,
}

/// What a refused call says: what happened, why, what next.
pub fn refusal((method, path): (&Method, &str), answer: &Answer) -> Failure {
    let problem: Problem = serde_json::from_slice(&answer.body).unwrap_or_default();
    let title = problem.title.as_deref().or(answer.status.canonical_reason()).unwrap_or("refused");
    let exit = match answer.status.is_server_error() {
        true => Exit::CouldNot,
        false => Exit::Refused,
    };
    let mut why = problem.detail.or(problem.error_description).unwrap_or_default();
    for (label, text) in
        [("member", problem.member), ("reason", problem.reason), ("request id", problem.request_id)]
    {
        if let Some(text) = text {
            why = format!("{why} ({label} {text})").trim_start().to_owned();
        }
    }
    let what = format!("{} {title}: {method} {path}", answer.status.as_u16());
    let mut failure = match exit {
        Exit::CouldNot => Failure::could_not(what),
        Exit::Refused | Exit::WrongUsage => Failure::refused(what),
    };
    if !why.is_empty() {
        failure = failure.because(why);
    }
    match next(answer.status, path) {
        Some(next) => failure.next(next),
        None => failure,
    }
}

fn next(status: StatusCode, path: &str) -> Option<&'static str> {
    match status.as_u16() {
        401 => Some("check SYMBOLON_API_KEY: symbolon apikey list shows the keys there are"),
        403 => Some("make a key with more scopes: symbolon apikey create --scopes …"),
        404 => Some(not_found(path)),
        412 => Some("somebody else changed it meanwhile: look again, then repeat"),
        429 => Some("wait a little; a right key is never delayed"),
        503 => {
            Some("the authority could not reach its store; its log says why, and retrying is safe")
        }
        _ => None,
    }
}

/// Where to look for what was not found.
fn not_found(path: &str) -> &'static str {
    match path.split(['/', '?']).nth(2) {
        Some("sessions") => "symbolon sessions list --subject … shows what there is",
        Some("clients") => "symbolon clients list shows what there is",
        Some("keys") => "symbolon keys list shows what there is",
        _ => "is --url (SYMBOLON_URL) the URL of a Symbolon authority, and of one of this version?",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_happened_why_and_what_next() {
        let body = r#"{"type":"urn:symbolon:insufficient-scope","title":"Forbidden","status":403,
            "detail":"The API key lacks the scope `sessions:end`.","request_id":"r1"}"#;
        let answer = Answer { status: StatusCode::FORBIDDEN, body: Bytes::from(body) };
        let failure = refusal((&Method::DELETE, "/v1/sessions/x"), &answer);
        assert_eq!(failure.exit, Exit::Refused);
        assert_eq!(
            failure.to_string(),
            "403 Forbidden: DELETE /v1/sessions/x\n  \
             why:  The API key lacks the scope `sessions:end`. (request id r1)\n  \
             next: make a key with more scopes: symbolon apikey create --scopes …"
        );
    }

    #[test]
    fn what_was_not_found_is_looked_for_where_such_things_are_listed() {
        let body = Bytes::from_static(b"{}");
        for (path, hint) in [
            ("/v1/sessions/x", "sessions list"),
            ("/v1/clients/web", "clients list"),
            ("/v1/keys/x?note=y", "keys list"),
            ("/v1/nothing", "SYMBOLON_URL"),
            ("/", "SYMBOLON_URL"),
        ] {
            let answer = Answer { status: StatusCode::NOT_FOUND, body: body.clone() };
            let said = refusal((&Method::GET, path), &answer).to_string();
            assert!(said.contains(hint), "{path}: {said}");
        }
    }

    #[test]
    fn an_answer_without_a_problem_document_still_says_its_status() {
        let answer =
            Answer { status: StatusCode::BAD_GATEWAY, body: Bytes::from_static(b"<html>") };
        let failure = refusal((&Method::GET, "/v1/sessions"), &answer);
        assert_eq!(failure.exit, Exit::CouldNot);
        assert_eq!(failure.to_string(), "502 Bad Gateway: GET /v1/sessions");
    }
}
