//! The few URLs that settings hold, read strictly: issuers, web origins.

use http::Uri;
use std::net::IpAddr;
use std::sync::Arc;

/// Reads an issuer: an `https` URL without query and fragment (RFC 8414 §2), and without a slash at
/// its end; `http` for loopback alone.
pub(crate) fn issuer(text: &str) -> Result<Arc<str>, String> {
    let uri = web_url(text)?;
    if text.contains(['?', '#']) {
        return Err(format!("{text:?} has a query or a fragment; leave them out (RFC 8414)"));
    }
    if text.ends_with('/') {
        let shorter = text.trim_end_matches('/');
        return Err(format!(
            "{text:?} ends in a slash, and verifiers compare it byte by byte; write {shorter:?}"
        ));
    }
    canonical(text, &uri)?;
    Ok(text.into())
}

/// Reads a web origin exactly as browsers send it in `Origin` (RFC 6454 §7).
pub(crate) fn web_origin(text: &str) -> Result<Arc<str>, String> {
    if text.contains('*') {
        return Err(format!("{text:?} has a wildcard; list each origin"));
    }
    let uri = web_url(text)?;
    let origin = canonical(text, &uri)?;
    if text != origin {
        return Err(format!(
            "{text:?} has more than scheme, host and port, and no browser sends that; \
             write {origin:?}"
        ));
    }
    Ok(text.into())
}

/// Reads an `https` URL; `http` for loopback alone.
pub(crate) fn page(text: &str) -> Result<Arc<str>, String> {
    let uri = web_url(text)?;
    canonical(text, &uri)?;
    match text.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Ok(text.into()),
        false => Err(format!("{text:?} has a byte that no URL has")),
    }
}

fn web_url(text: &str) -> Result<Uri, String> {
    let example = "such as \"https://id.example.com\"";
    let uri: Uri = text.parse().map_err(|_| format!("{text:?} is not a URL, {example}"))?;
    let host = uri.host().unwrap_or_default();
    if host.is_empty() || uri.authority().is_some_and(|a| a.as_str().contains('@')) {
        return Err(format!("{text:?} is not scheme://host, {example}"));
    }
    match uri.scheme_str() {
        Some("https") => Ok(uri),
        Some("http") if is_loopback(host) => Ok(uri),
        Some("http") => {
            Err(format!("{text:?} is http, and only loopback may go without TLS; write https"))
        }
        Some(_) | None => Err(format!("{text:?} is not an https URL, {example}")),
    }
}

/// `scheme://host[:port]` of a URL; refuses the spellings that no browser sends.
fn canonical(text: &str, uri: &Uri) -> Result<String, String> {
    let scheme = uri.scheme_str().unwrap_or_default();
    let host = uri.host().unwrap_or_default();
    if host.chars().any(|c| c.is_ascii_uppercase()) || !text.starts_with(scheme) {
        return Err(format!("{text:?} has capital letters in its host; write them small"));
    }
    let port = match uri.authority().and_then(|authority| authority.as_str().rsplit_once(':')) {
        Some((_, "")) => return Err(format!("{text:?} has a colon without a port")),
        Some((before, _)) if before.starts_with('[') && !before.ends_with(']') => None,
        Some(_) => uri.port_u16().map(Some).ok_or(format!("{text:?} has no such port"))?,
        None => None,
    };
    let default = if scheme == "https" { 443 } else { 80 };
    match port {
        Some(port) if port == default => Err(format!(
            "{text:?} names the scheme's own port, and browsers leave it out; leave out :{port}"
        )),
        Some(port) => Ok(format!("{scheme}://{host}:{port}")),
        None => Ok(format!("{scheme}://{host}")),
    }
}

/// Whether a host, as it stands in a URL, is this machine.
pub fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_what_a_browser_sends_and_nothing_else() {
        for good in [
            "https://app.example.com",
            "https://app.example.com:8443",
            "http://localhost:5173",
            "http://127.0.0.1:8621",
            "http://[::1]:3000",
            "https://[2001:db8::1]",
        ] {
            assert_eq!(web_origin(good).as_deref(), Ok(good));
        }
        for bad in [
            "",
            "*",
            "null",
            "https://*.example.com",
            "https://app.example.com/",
            "https://app.example.com/path",
            "https://app.example.com?x",
            "app.example.com",
            "https://",
            "https://App.example.com",
            "HTTPS://app.example.com",
            "https://app.example.com:443",
            "http://localhost:80",
            "http://app.example.com",
            "http://localhost.evil.com",
            "http://127.0.0.1.evil.com",
            "https://u@app.example.com",
            "https://app.example.com:",
            "https://app.example.com:99999",
            "ftp://app.example.com",
            "https://app.example.com, https://b.example.com",
            "https://例.com",
            "https://a b.com",
            "//app.example.com",
        ] {
            assert!(web_origin(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_issuer_is_an_https_url_that_can_be_compared_byte_by_byte() {
        for good in ["https://id.example.com", "https://example.com/login", "http://127.0.0.1:8620"]
        {
            assert_eq!(issuer(good).as_deref(), Ok(good));
        }
        for bad in [
            "https://id.example.com/",
            "https://id.example.com?x=1",
            "https://id.example.com#x",
            "http://id.example.com",
            "id.example.com",
            "",
            "https://ID.example.com",
            "https://user:pw@id.example.com",
        ] {
            assert!(issuer(bad).is_err(), "{bad}");
        }
    }
}
