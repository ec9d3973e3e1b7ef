//! One HTTP/1.1 connection of the command line, over TLS where the URL says so.
//!
//! A connection is explicit, and no pool hides it: what measures must know which one it uses.

use crate::cli::Failure;
use crate::tls::read_chain;
use bytes::Bytes;
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::{ClientConfig, RootCertStore};
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UnixStream;
use tower::Service;

/// How long connecting, and how long an answer, may take. Inclusive.
const PATIENCE: Duration = Duration::from_secs(15);

/// The longest answer that is read, in bytes. Inclusive.
const ANSWER_BYTES_MAX: usize = 8 << 20;

/// Why there was no answer.
#[derive(Debug)]
pub enum NoAnswer {
    /// Nothing listens there, or the way to it is broken.
    Connection(String),
    /// It took too long.
    Timeout,
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connection(why) => f.write_str(why),
            Self::Timeout => write!(f, "no answer within {} s", PATIENCE.as_secs()),
        }
    }
}

/// An answer, read whole.
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its body.
    pub body: Bytes,
}

/// Opens connections.
pub struct Net(HttpsConnector<HttpConnector>);

impl Net {
    /// Prepares TLS with the public certificate authorities, and those in a PEM file.
    ///
    /// # Errors
    /// The file cannot be used.
    pub fn new(ca_file: Option<&Path>) -> Result<Self, Failure> {
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.enforce_http(false);
        let no_tls = |why: rustls::Error| Failure::could_not("TLS is not available").because(why);
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(no_tls)?
            .with_root_certificates(roots(ca_file)?)
            .with_no_client_auth();
        let builder = HttpsConnectorBuilder::new().with_tls_config(config);
        Ok(Self(builder.https_or_http().enable_http1().wrap_connector(tcp)))
    }

    /// Connects to the host of a URL.
    ///
    /// # Errors
    /// Nothing answers there in time.
    pub async fn connect(&self, uri: &Uri) -> Result<Connection, NoAnswer> {
        let mut connector = self.0.clone();
        let connecting = async move {
            let stream = connector.call(uri.clone()).await.map_err(|why| broken(&*why))?;
            let (sender, driver) = handshake(stream).await.map_err(|why| broken(&why))?;
            // It ends with its sender; what went wrong is told to whoever waits for an answer.
            tokio::spawn(driver);
            Ok(Connection(sender))
        };
        tokio::time::timeout(PATIENCE, connecting).await.unwrap_or(Err(NoAnswer::Timeout))
    }
}

/// Connects to an admin socket on this machine.
///
/// # Errors
/// Nothing answers there in time, or this user may not open it.
pub async fn connect_socket(path: &Path) -> Result<Connection, NoAnswer> {
    let connecting = async move {
        let stream = UnixStream::connect(path).await.map_err(|why| broken(&why))?;
        let (sender, driver) = handshake(TokioIo::new(stream)).await.map_err(|why| broken(&why))?;
        tokio::spawn(driver);
        Ok(Connection(sender))
    };
    tokio::time::timeout(PATIENCE, connecting).await.unwrap_or(Err(NoAnswer::Timeout))
}

fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, Failure> {
    let mut roots: RootCertStore = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
    if let Some(path) = ca_file {
        let chain = read_chain(path).map_err(|why| Failure::could_not(why.to_string()))?;
        for certificate in chain {
            roots.add(certificate).map_err(|why| {
                Failure::could_not(format!("{} cannot be trusted", path.display())).because(why)
            })?;
        }
    }
    Ok(roots)
}

/// A connection that is kept alive between requests.
pub struct Connection(SendRequest<Full<Bytes>>);

impl Connection {
    /// Whether the other side has closed it.
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    /// None came in time; the connection is of no further use.
    pub async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Answer, NoAnswer> {
        let sending = async {
            self.0.ready().await.map_err(|why| broken(&why))?;
            let answer = self.0.send_request(request).await.map_err(|why| broken(&why))?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
            Ok(Answer { status, body: body.map_err(|why| broken(&*why))?.to_bytes() })
        };
        tokio::time::timeout(PATIENCE, sending).await.unwrap_or(Err(NoAnswer::Timeout))
    }

    /// Sends a request whose answer is read piece by piece; a refusal is read whole.
    ///
    /// # Errors
    /// No answer began in time.
    pub async fn open(
        mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Result<Streamed, Answer>, NoAnswer> {
        let opening = async {
            self.0.ready().await.map_err(|why| broken(&why))?;
            let answer = self.0.send_request(request).await.map_err(|why| broken(&why))?;
            let (status, body) = (answer.status(), answer.into_body());
            if status.is_success() {
                return Ok(Ok(Streamed { body, _connection: self }));
            }
            let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
            Ok(Err(Answer { status, body: body.map_err(|why| broken(&*why))?.to_bytes() }))
        };
        tokio::time::timeout(PATIENCE, opening).await.unwrap_or(Err(NoAnswer::Timeout))
    }
}

/// An answer that goes on for as long as the other side likes.
pub struct Streamed {
    body: Incoming,
    /// The connection lives as long as what is read from it.
    _connection: Connection,
}

impl Streamed {
    /// The next piece; `None`: it has ended.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn next(&mut self) -> Result<Option<Bytes>, NoAnswer> {
        while let Some(frame) = self.body.frame().await {
            if let Ok(piece) = frame.map_err(|why| broken(&why))?.into_data() {
                return Ok(Some(piece));
            }
        }
        Ok(None)
    }
}

/// The whole chain of causes: "client error (Connect): tcp connect error: Connection refused".
fn broken(why: &(dyn std::error::Error + 'static)) -> NoAnswer {
    let chain = std::iter::successors(Some(why), |cause| cause.source());
    let mut text: Vec<String> = Vec::new();
    for cause in chain.map(ToString::to_string) {
        if text.last() != Some(&cause) {
            text.push(cause);
        }
    }
    NoAnswer::Connection(text.join(": "))
}

/// Reads the URL of a server or an endpoint; `https`, or `http`.
///
/// # Errors
/// What is wrong, as the end of a sentence.
pub fn parse_url(text: &str) -> Result<Uri, String> {
    const EXPECTED: &str = "is not a URL such as http://127.0.0.1:8620";
    let uri: Uri = text.parse().map_err(|_| EXPECTED.to_owned())?;
    let known = matches!(uri.scheme_str(), Some("http" | "https"));
    let plain = uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
    if known && plain { Ok(uri) } else { Err(EXPECTED.to_owned()) }
}

/// A path at the host of a URL: `http://host/base` and `/livez` make `http://host/base/livez`.
pub fn at(base: &Uri, path: &str) -> Uri {
    let text = base.to_string();
    let text = text.trim_end_matches('/');
    format!("{text}{path}").parse().expect("a parsed base and an escaped path make a URL")
}

/// A text as one segment of a path or one value of a form: all but unreserved bytes escaped.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(char::from(byte));
            }
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_becomes_one_segment_of_a_path() {
        assert_eq!(escape("a/b?c"), "a%2Fb%3Fc");
        assert_eq!(escape("用"), "%E7%94%A8");
        assert_eq!(escape(".."), "..");
    }

    #[test]
    fn a_path_is_laid_behind_a_base() {
        for base in ["http://h:1", "http://h:1/"] {
            assert_eq!(at(&base.parse().unwrap(), "/livez"), "http://h:1/livez");
        }
        assert_eq!(at(&"https://h/x".parse().unwrap(), "/livez"), "https://h/x/livez");
    }

    #[test]
    fn a_url_has_a_scheme_and_no_password() {
        assert!(parse_url("http://127.0.0.1:8620").is_ok());
        for bad in ["", "127.0.0.1:8620", "ftp://x", "http://u:p@h", "/x", "https://"] {
            assert!(parse_url(bad).is_err(), "{bad}");
        }
    }
}
