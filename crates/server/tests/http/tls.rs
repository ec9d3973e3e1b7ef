//! The authority's own TLS: `serve` with a certificate.

use crate::common::{SOON, until};
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use rustix::process::{Pid, Signal, kill_process};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

const NAME: &str = "id.example.com";

const MASTER_KEY: &str = "8b5f0d2e7a91c4463fd0b2a6917e53c81d64af90e273bc585902cd7f16ea3b4d";

/// A directory with a configuration, a certificate and its key.
struct Place {
    folder: TempDir,
    port: u16,
    certificate: CertificateDer<'static>,
}

impl Place {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        let certificate = write_certificate(folder.path());
        let at = folder.path().display();
        let text = format!(
            "issuer = \"https://{NAME}\"\nlisten = \"127.0.0.1:{port}\"\nmetrics_listen = \"off\"\n\
             store = \"sqlite:{at}/s.db\"\nmaster_key_file = \"{at}/master.key\"\n\
             [tls]\ncertificate_file = \"chain.pem\"\nkey_file = \"key.pem\"\n\
             [[audiences]]\nname = \"api\"\n"
        );
        fs::write(folder.path().join("symbolon.toml"), text).unwrap();
        fs::write(folder.path().join("master.key"), MASTER_KEY).unwrap();
        Self { folder, port, certificate }
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_symbolon"));
        command.args(["serve", "--config", "symbolon.toml"]).current_dir(self.folder.path());
        command.env_clear().stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    /// Starts the authority; it ends with what is answered.
    fn serve(&self) -> Serving {
        let log = File::create(self.file("serve.log")).unwrap();
        Serving(self.command().stderr(log).spawn().unwrap())
    }

    /// Starts an authority that must not come up.
    fn refused(&self) -> Output {
        self.command().stderr(Stdio::piped()).output().unwrap()
    }

    /// A connection that trusts this certificate alone, once there is one.
    async fn connect(
        &self,
        alpn: &[&[u8]],
        trusted: &CertificateDer<'static>,
    ) -> std::io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(trusted.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap();
        let mut config = config.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        let name = ServerName::try_from(NAME).unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }

    async fn ready(&self) {
        let ready = async || self.connect(&[], &self.certificate).await.ok();
        drop(until("TLS answers", ready).await);
    }
}

struct Serving(Child);

impl Serving {
    /// Has it read its configuration again, and waits for the `count`-th word on that.
    async fn reload(&self, place: &Place, count: usize) -> String {
        kill_process(Pid::from_child(&self.0), Signal::HUP).unwrap();
        let log = place.file("serve.log");
        let told = async || {
            let log = fs::read_to_string(&log).unwrap();
            let told = |line: &&str| line.contains("configuration") && line.contains("reloaded");
            log.lines().filter(told).nth(count - 1).map(str::to_owned)
        };
        until("the reload is told", told).await
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn write_certificate(folder: &Path) -> CertificateDer<'static> {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed([NAME.to_owned()]).unwrap();
    fs::write(folder.join("chain.pem"), cert.pem()).unwrap();
    fs::write(folder.join("key.pem"), signing_key.serialize_pem()).unwrap();
    cert.der().clone()
}

async fn ask(stream: &mut (impl AsyncReadExt + AsyncWriteExt + Unpin)) -> String {
    let request = format!("GET /livez HTTP/1.1\r\nHost: {NAME}\r\nConnection: close\r\n\r\n");
    let _ = stream.write_all(request.as_bytes()).await;
    let mut answer = Vec::new();
    // A server that closes without TLS's farewell has answered all the same.
    let _ = timeout(SOON, stream.read_to_end(&mut answer)).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn the_authority_answers_over_tls_and_prefers_http_2() {
    let place = Place::new();
    let _serving = place.serve();
    place.ready().await;
    let mut stream = place.connect(&[b"http/1.1"], &place.certificate).await.unwrap();
    let answer = ask(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let stream = place.connect(&[b"http/1.1", b"h2"], &place.certificate).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
}

#[tokio::test]
async fn plain_http_on_a_tls_listener_gets_no_answer() {
    let place = Place::new();
    let _serving = place.serve();
    place.ready().await;
    let mut stream = TcpStream::connect(("127.0.0.1", place.port)).await.unwrap();
    let answer = ask(&mut stream).await;
    assert!(!answer.contains("HTTP/"), "{answer}");
}

#[tokio::test]
async fn whoever_connects_and_says_nothing_keeps_no_slot_for_good() {
    let place = Place::new();
    let _serving = place.serve();
    place.ready().await;
    let mut silent = TcpStream::connect(("127.0.0.1", place.port)).await.unwrap();
    let mut byte = [0];
    // The limit is 10 s; the connection is closed by then, and not by us.
    let read = timeout(2 * SOON, silent.read(&mut byte)).await.unwrap();
    assert!(matches!(read, Ok(0) | Err(_)));
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_after_a_reload_and_a_wrong_one_never() {
    let place = Place::new();
    let serving = place.serve();
    place.ready().await;
    let mut open = place.connect(&[b"http/1.1"], &place.certificate).await.unwrap();
    let renewed = write_certificate(place.folder.path());
    let said = serving.reload(&place, 1).await;
    assert!(said.contains("tls: certificate"), "{said}");
    drop(place.connect(&[], &renewed).await.unwrap());
    assert!(place.connect(&[], &place.certificate).await.is_err(), "the old one is shown no more");
    assert!(ask(&mut open).await.starts_with("HTTP/1.1 200"), "who was connected still is");

    fs::write(place.file("key.pem"), KeyPair::generate().unwrap().serialize_pem()).unwrap();
    let text = fs::read_to_string(place.file("symbolon.toml")).unwrap();
    let more = format!("{text}[[audiences]]\nname = \"more\"\n");
    fs::write(place.file("symbolon.toml"), more).unwrap();
    let said = serving.reload(&place, 2).await;
    assert!(said.contains("not reloaded") && said.contains("belongs to the key"), "{said}");
    drop(place.connect(&[], &renewed).await.unwrap());

    let plain = text.split("[tls]").next().unwrap().to_owned() + "[[audiences]]\nname = \"api\"\n";
    fs::write(place.file("symbolon.toml"), plain).unwrap();
    let said = serving.reload(&place, 3).await;
    assert!(said.contains("tls cannot change while the authority runs"), "{said}");
}

#[tokio::test]
async fn a_certificate_without_its_own_key_is_refused_with_words() {
    let place = Place::new();
    fs::write(place.file("key.pem"), KeyPair::generate().unwrap().serialize_pem()).unwrap();
    let output = place.refused();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_ne!(output.status.code(), Some(0));
    assert!(said.contains("chain.pem") && said.contains("key.pem"), "{said}");
    assert!(said.contains("belongs to the key"), "{said}");
}

#[tokio::test]
async fn files_that_hold_no_certificate_or_no_key_are_named() {
    let wrong = [
        ("chain.pem", Some("not pem"), "holds no certificate"),
        ("key.pem", Some(""), "holds no private key"),
        ("key.pem", Some("-----BEGIN PRIVATE KEY-----\n!\n"), "key.pem"),
        ("chain.pem", None, "could not read"),
    ];
    for (name, text, expected) in wrong {
        let place = Place::new();
        match text {
            Some(text) => fs::write(place.file(name), text).unwrap(),
            None => fs::remove_file(place.file(name)).unwrap(),
        }
        let output = place.refused();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_ne!(output.status.code(), Some(0), "{name}");
        assert!(said.contains(expected) && said.contains(name), "{name}: {said}");
    }
}

#[test]
fn a_certificate_needs_its_key_in_the_configuration() {
    let place = Place::new();
    let text = fs::read_to_string(place.file("symbolon.toml")).unwrap();
    fs::write(place.file("symbolon.toml"), text.replace("key_file = \"key.pem\"\n", "")).unwrap();
    let output = place.refused();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("tls") && said.contains("key_file"), "{said}");
}
