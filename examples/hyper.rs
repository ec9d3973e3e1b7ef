//! The same without a framework: a hyper service that asks the verifier itself.
//!
//! ```sh
//! ISSUER=http://127.0.0.1:8620 API_KEY=sym_ak_… cargo run -p symbolon-verify --example hyper
//! curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:9000/
//! ```

#![expect(clippy::disallowed_methods, reason = "the settings of an example are its environment")]

use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::error::Error;
use std::io::Write;
use symbolon_verify::{Policy, Presented, Rejected, Verifier};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let verifier = Verifier::builder(&std::env::var("ISSUER")?)
        .audience("demo-api")
        .feed(&std::env::var("API_KEY")?)
        .connect()
        .await?;
    let listen = std::env::var("LISTEN").unwrap_or("127.0.0.1:9000".into());
    let listener = TcpListener::bind(listen).await?;
    writeln!(std::io::stdout(), "listening on {}", listener.local_addr()?)?;
    loop {
        let (stream, _) = listener.accept().await?;
        let verifier = verifier.clone();
        let service = service_fn(move |request| answer(verifier.clone(), request));
        let connection = hyper::server::conn::http1::Builder::new();
        tokio::spawn(connection.serve_connection(TokioIo::new(stream), service));
    }
}

async fn answer(
    verifier: Verifier,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, http::Error> {
    match admitted(&verifier, &request).await {
        Ok(sub) => Response::builder().body(format!("hello {sub}\n").into()),
        Err(rejected) => Response::builder()
            .status(rejected.status())
            .header(WWW_AUTHENTICATE, rejected.challenge())
            .body(Full::default()),
    }
}

async fn admitted(verifier: &Verifier, request: &Request<Incoming>) -> Result<String, Rejected> {
    let mut values = request.headers().get_all(AUTHORIZATION).iter();
    let (only, None) = (values.next(), values.next()) else { return Err(Rejected::Missing) };
    let presented = Presented::from_authorization(only.and_then(|value| value.to_str().ok()))?;
    let verified = verifier.admit(&presented, &Policy::default()).await?;
    Ok(verified.claims().sub.to_owned())
}
