//! Encrypted connections: to a server whose certificate names it and is signed by whom we believe, and to no other.

use super::server::{Server, command, directory, must, text};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::path::{Path, PathBuf};
use symbolon_store::conformance::sign_in;
use symbolon_store::postgres::Address;
use symbolon_store::{Refusal, Store};

/// An authority for certificates, and its file.
fn authority(directory: &Path, name: &str) -> (CertifiedIssuer<'static, KeyPair>, PathBuf) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let file = directory.join(name);
    std::fs::write(&file, issuer.pem()).unwrap();
    (issuer, file)
}

async fn open(server: &Server, host: &str, root: &Path) -> Result<Store, Refusal> {
    let url = format!(
        "postgres://symbolon@{host}:{}/postgres?sslmode=verify-full&sslrootcert={}",
        server.port,
        text(root)
    );
    Store::open_postgres(&Address::parse(&url).unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_believed_by_its_authority_and_its_name_alone() {
    let files = directory();
    let (issuer, root) = authority(&files, "ca.pem");
    let (_, stranger) = authority(&files, "stranger.pem");
    let key = KeyPair::generate().unwrap();
    let names = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = names.signed_by(&key, &issuer).unwrap();
    let (cert_file, key_file) = (files.join("server.pem"), files.join("server.key"));
    std::fs::write(&cert_file, certificate.pem()).unwrap();
    // Written by the server's own user, and readable by nobody else.
    must(command(Path::new("/bin/sh")).args([
        "-c",
        r#"umask 077; printf %s "$1" > "$2""#,
        "write",
        &key.serialize_pem(),
        text(&key_file),
    ]));
    let cert = format!("ssl_cert_file={}", text(&cert_file));
    let key = format!("ssl_key_file={}", text(&key_file));
    let server = Server::new(&["fsync=off", "ssl=on", &cert, &key]);

    let store = open(&server, "localhost", &root).await.unwrap();
    sign_in(&store, "10086", 1).await;
    let plain = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
         WHERE application_name = 'symbolon' AND NOT ssl";
    assert_eq!(server.sql(plain), "0");
    for (host, root) in [("localhost", &stranger), ("127.0.0.1", &root)] {
        match open(&server, host, root).await {
            Ok(_) => panic!("{host} was believed"),
            Err(refusal) => assert!(matches!(refusal, Refusal::Unreachable { .. }), "{refusal}"),
        }
    }
    let nothing = open(&server, "localhost", &files.join("nothing.pem")).await;
    assert!(matches!(nothing.err(), Some(Refusal::Setting { .. })));
    std::fs::remove_dir_all(files).unwrap();
}
