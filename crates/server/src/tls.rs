//! TLS of the authority's own listener. The certificate can be read anew without closing a connection.

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use tokio_rustls::TlsAcceptor;

/// The most certificates that a chain may have. Inclusive.
const CHAIN_MAX: usize = 10;

/// Where the certificate and its key are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlsFiles {
    /// The certificate, and those above it, in PEM; the server's own first.
    pub certificate: PathBuf,
    /// Its private key, in PEM.
    pub key: PathBuf,
}

/// Why a certificate cannot be used. Never repeats what stands in the files.
#[derive(Debug)]
pub enum TlsError {
    /// A file could not be read.
    Unreadable(PathBuf, std::io::Error),
    /// A file is not what it should be.
    Malformed(PathBuf, &'static str),
    /// Certificate and key do not belong together, or are of a kind that is not offered.
    Unusable(TlsFiles, rustls::Error),
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(path, why) => write!(
                f,
                "could not read {}: {why}; name the file in `tls`, and let this user read it",
                path.display()
            ),
            Self::Malformed(path, what) => write!(f, "{} {what}", path.display()),
            Self::Unusable(files, why) => write!(
                f,
                "the certificate in {} and the key in {} cannot be used: {why}; give a chain whose \
                 first certificate belongs to the key",
                files.certificate.display(),
                files.key.display()
            ),
        }
    }
}

impl std::error::Error for TlsError {}

/// The certificate that new connections are shown.
#[derive(Debug)]
pub struct Certificate(RwLock<Arc<CertifiedKey>>);

impl Certificate {
    /// Reads the certificate and its key.
    ///
    /// # Errors
    /// They cannot be read, or cannot be used.
    pub fn read(files: &TlsFiles) -> Result<Arc<Self>, TlsError> {
        Ok(Arc::new(Self(RwLock::new(Arc::new(certified(files)?)))))
    }

    /// Reads them anew, for the connections that come from now on.
    ///
    /// # Errors
    /// They cannot be read or used; the one that is in use stays.
    pub fn read_again(&self, files: &TlsFiles) -> Result<(), TlsError> {
        let next = Arc::new(certified(files)?);
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = next;
        Ok(())
    }

    /// What shows this certificate to whoever connects: TLS 1.3 and 1.2, HTTP/2 before HTTP/1.1.
    pub fn acceptor(self: &Arc<Self>) -> TlsAcceptor {
        // The provider is named here and not taken from the process.
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider has the versions that this build names")
            .with_no_client_auth();
        let mut config = config.with_cert_resolver(Arc::<Self>::clone(self));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        TlsAcceptor::from(Arc::new(config))
    }

    /// The chain in use, the server's own certificate first.
    pub fn chain(&self) -> Vec<CertificateDer<'static>> {
        self.current().cert.clone()
    }

    fn current(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }
}

fn certified(files: &TlsFiles) -> Result<CertifiedKey, TlsError> {
    let (chain, key) = (read_chain(&files.certificate)?, read_key(&files.key)?);
    let certified = CertifiedKey::from_der(chain, key, &default_provider());
    certified.map_err(|why| TlsError::Unusable(files.clone(), why))
}

/// The certificates in a PEM file.
///
/// # Errors
/// It cannot be read, or holds none, or more than a chain has.
pub fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let malformed = |what| TlsError::Malformed(path.to_owned(), what);
    let certificates = CertificateDer::pem_file_iter(path).map_err(|why| refused(path, why))?;
    let chain: Vec<_> = certificates
        .take(CHAIN_MAX + 1)
        .collect::<Result<_, _>>()
        .map_err(|why| refused(path, why))?;
    match chain.len() {
        0 => Err(malformed("holds no certificate (-----BEGIN CERTIFICATE-----)")),
        1..=CHAIN_MAX => Ok(chain),
        _ => Err(malformed("holds more than 10 certificates; give the chain alone")),
    }
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(path).map_err(|why| refused(path, why))
}

fn refused(path: &Path, why: pem::Error) -> TlsError {
    let malformed = |what| TlsError::Malformed(path.to_owned(), what);
    if let pem::Error::Io(why) = why {
        return TlsError::Unreadable(path.to_owned(), why);
    }
    match why {
        pem::Error::NoItemsFound => malformed("holds no private key (-----BEGIN PRIVATE KEY-----)"),
        pem::Error::MissingSectionEnd { .. }
        | pem::Error::IllegalSectionStart { .. }
        | pem::Error::Base64Decode(_)
        | pem::Error::SectionTooLarge
        | _ => malformed("is not PEM"),
    }
}
