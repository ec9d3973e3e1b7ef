//! TLS to the server: rustls with the one provider of the house, and a certificate that is always checked.

use super::address::{Roots, Tls};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream as Stream;

/// What wraps connections; `None` inside: there is nothing to wrap them in, and nothing asks.
#[derive(Clone)]
pub(super) struct Wrapper(Option<TlsConnector>);

impl Wrapper {
    /// Reads the authorities that are believed.
    pub(super) fn new(tls: &Tls) -> Result<Self, String> {
        let Tls::Full(from) = tls else { return Ok(Self(None)) };
        let mut roots = RootCertStore::empty();
        match from {
            Roots::Public => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
            Roots::File(path) => {
                let place = path.display();
                let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
                let all: Vec<CertificateDer<'static>> =
                    read.map_err(|error| format!("sslrootcert={place} cannot be read ({error})"))?;
                if roots.add_parsable_certificates(all).0 == 0 {
                    return Err(format!("sslrootcert={place} holds no certificate in PEM"));
                }
            }
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(Some(TlsConnector::from(Arc::new(config)))))
    }
}

/// One connection's wrapping.
pub(super) struct Wrap {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl<S> MakeTlsConnect<S> for Wrapper
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = Wrapped<S>;
    type TlsConnect = MaybeWrap;
    type Error = io::Error;

    fn make_tls_connect(&mut self, host: &str) -> Result<MaybeWrap, io::Error> {
        let Some(connector) = self.0.clone() else { return Ok(MaybeWrap(None)) };
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        Ok(MaybeWrap(Some(Wrap { connector, name })))
    }
}

/// A wrapping, where there is one.
pub(super) struct MaybeWrap(Option<Wrap>);

impl<S> TlsConnect<S> for MaybeWrap
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = Wrapped<S>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Wrapped<S>>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        Box::pin(async move {
            let none = || io::Error::other("TLS was not asked for");
            let Wrap { connector, name } = self.0.ok_or_else(none)?;
            Ok(Wrapped(Box::new(connector.connect(name, stream).await?)))
        })
    }
}

/// An encrypted connection.
pub(super) struct Wrapped<S>(Box<Stream<S>>);

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Wrapped<S> {
    // The certificate was checked against its authority and the host's name, which is what a binding would add.
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Wrapped<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Wrapped<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
