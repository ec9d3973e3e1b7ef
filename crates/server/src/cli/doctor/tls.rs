//! The certificate: whether it belongs to its key and to the issuer, and for how long it is good.

use super::Finding;
use crate::clock::civil_now;
use crate::config::{Config, is_loopback};
use crate::tls::Certificate;
use http::Uri;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use std::time::Duration;
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

/// Fewer days than this, and somebody should see to it.
const DAYS_MIN: u64 = 14;

/// No certificate is good for longer than this; days are counted up to it.
const DAYS_MAX: u64 = 400;

pub(super) fn look(config: &Config) -> Vec<Finding> {
    let Some(files) = &config.tls else {
        if is_loopback(&config.listen.ip().to_string()) {
            return Vec::new();
        }
        let found = format!("{} speaks plain HTTP to other machines", config.listen);
        let next = "put a proxy with TLS before it on a network that you trust, or set `tls`";
        return vec![Finding::warn("tls", found, next)];
    };
    let certificate = match Certificate::read(files) {
        Ok(certificate) => certificate,
        Err(why) => {
            return vec![Finding::bad("tls", why.to_string(), "give a chain and its key in PEM")];
        }
    };
    let chain = certificate.chain();
    [name(config, &chain), days(&chain)].into_iter().flatten().collect()
}

/// Whether the certificate names the host of the issuer.
fn name(config: &Config, chain: &[CertificateDer<'_>]) -> Option<Finding> {
    let issuer: Uri = config.issuer.parse().ok()?;
    let host = issuer.host()?.to_owned();
    let own = EndEntityCert::try_from(chain.first()?).ok()?;
    let name = ServerName::try_from(host.clone()).ok()?;
    match own.verify_is_valid_for_subject_name(&name) {
        Ok(()) => Some(Finding::good("tls name", format!("the certificate is for {host}"))),
        Err(_) => Some(Finding::bad(
            "tls name",
            format!("the certificate is not for {host}, the host of `issuer`"),
            "get one for that name",
        )),
    }
}

/// For how many days the chain is good. Its last certificate is taken for trusted: whether callers trust
/// it is theirs to know.
fn days(chain: &[CertificateDer<'_>]) -> Option<Finding> {
    let anchor = anchor_from_trusted_cert(chain.last()?).ok()?;
    let mut anchors: Vec<TrustAnchor<'_>> = vec![anchor];
    anchors.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    if !good(chain, &anchors, 0) {
        let next = "renew it, and give the whole chain, its own certificate first";
        return Some(Finding::bad(
            "tls chain",
            "it is not good now: expired, or not a chain",
            next,
        ));
    }
    let left = last_good(|days| good(chain, &anchors, days));
    let found = format!("the chain is good for {left} more days");
    Some(match left < DAYS_MIN {
        true => {
            Finding::warn("tls chain", found, "renew it, then: systemctl reload symbolon (SIGHUP)")
        }
        false => Finding::good("tls chain", found),
    })
}

/// The last day up to [`DAYS_MAX`] on which something that was good is still good.
fn last_good(good: impl Fn(u64) -> bool) -> u64 {
    let (mut yes, mut no) = (0, DAYS_MAX);
    while yes + 1 < no {
        let middle = yes.midpoint(no);
        if good(middle) { yes = middle } else { no = middle }
    }
    yes
}

fn good(chain: &[CertificateDer<'_>], anchors: &[TrustAnchor<'_>], days: u64) -> bool {
    let Some(Ok(own)) = chain.first().map(EndEntityCert::try_from) else { return false };
    let seconds = civil_now().as_seconds().saturating_add(days.saturating_mul(86_400));
    let at = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    let algorithms = default_provider().signature_verification_algorithms.all;
    let usage = KeyUsage::server_auth();
    own.verify_for_usage(algorithms, anchors, &chain[1..], at, usage, None, None).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_good_day_is_found() {
        for last in [0, 1, 13, 14, 90, DAYS_MAX - 1] {
            assert_eq!(last_good(|day| day <= last), last);
        }
    }
}
