//! Who asks through a proxy: `X-Forwarded-For`, from proxies that are believed and from nobody else.

use crate::config::Gateway;
use axum::http::{HeaderMap, HeaderName};
use std::net::IpAddr;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// How many proxies stand behind each other at most. Inclusive.
pub const HOPS_MAX: usize = 16;

/// The address that a request came from: of the proxies that are believed, the last before them.
///
/// Every proxy adds, at the right, whom it saw. What stands left of somebody who is not believed was
/// written by them.
pub fn client_address(gateway: &Gateway, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    before(gateway, peer.to_canonical(), entries(headers))
}

/// The same for a proxy that asks about somebody else's request; `None`: one that is believed said nothing of who that is.
pub fn told_address(gateway: &Gateway, peer: IpAddr, headers: &HeaderMap) -> Option<IpAddr> {
    let silent = gateway.trusts(peer) && !headers.contains_key(X_FORWARDED_FOR);
    (!silent).then(|| client_address(gateway, peer, headers))
}

/// The same from the headers of the request that a proxy asks about, of which it has written the last entry itself.
pub fn described_address(gateway: &Gateway, headers: &HeaderMap) -> Option<IpAddr> {
    let mut entries = entries(headers);
    let own = address(entries.next()?.trim())?;
    Some(before(gateway, own, entries))
}

/// Who stands before those that are believed, the last of them being `seen`.
fn before<'h>(
    gateway: &Gateway,
    mut seen: IpAddr,
    entries: impl Iterator<Item = &'h str>,
) -> IpAddr {
    for entry in entries.take(HOPS_MAX) {
        if !gateway.trusts(seen) {
            break;
        }
        let Some(before) = address(entry.trim()) else { break };
        seen = before;
    }
    seen
}

/// What the proxies have added, the last first.
fn entries(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(X_FORWARDED_FOR).iter().rev();
    lines.flat_map(|line| line.to_str().unwrap_or("?").rsplit(','))
}

/// An address, with or without the port that some proxies add.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let with_port = || text.parse().ok().map(|address: std::net::SocketAddr| address.ip());
    bare.parse().ok().or_else(with_port).map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Network;

    fn trusting(trusted: &[&str]) -> Gateway {
        let trusted_proxies = trusted.iter().map(|text| Network::parse(text).unwrap()).collect();
        Gateway { trusted_proxies, ..Gateway::default() }
    }

    fn forwarded(lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(X_FORWARDED_FOR, line.parse().unwrap());
        }
        headers
    }

    fn seen(trusted: &[&str], peer: &str, lines: &[&str]) -> String {
        let peer = peer.parse().unwrap();
        client_address(&trusting(trusted), peer, &forwarded(lines)).to_string()
    }

    #[test]
    fn a_proxy_that_is_believed_and_says_nothing_is_not_taken_for_the_client() {
        let gateway = trusting(&["127.0.0.1"]);
        let told = |peer: &str, lines: &[&str]| {
            told_address(&gateway, peer.parse().unwrap(), &forwarded(lines))
                .map(|address| address.to_string())
        };
        assert_eq!(told("127.0.0.1", &[]), None);
        assert_eq!(told("127.0.0.1", &["203.0.113.7"]).as_deref(), Some("203.0.113.7"));
        assert_eq!(told("192.0.2.1", &["203.0.113.7"]).as_deref(), Some("192.0.2.1"));
    }

    #[test]
    fn of_a_request_that_is_described_the_last_entry_is_the_describers_own() {
        let gateway = trusting(&["10.0.0.0/8"]);
        let told = |lines: &[&str]| {
            described_address(&gateway, &forwarded(lines)).map(|address| address.to_string())
        };
        assert_eq!(told(&[]), None);
        assert_eq!(told(&["198.51.100.1, 203.0.113.7"]).as_deref(), Some("203.0.113.7"));
        assert_eq!(told(&["203.0.113.7, 10.1.1.1"]).as_deref(), Some("203.0.113.7"));
        assert_eq!(told(&["203.0.113.7, unknown"]), None);
    }

    #[test]
    fn nobody_is_believed_who_is_not_listed() {
        assert_eq!(seen(&[], "127.0.0.1", &["203.0.113.7"]), "127.0.0.1");
        assert_eq!(seen(&["10.0.0.0/8"], "192.0.2.1", &["203.0.113.7"]), "192.0.2.1");
    }

    #[test]
    fn the_last_address_before_the_believed_ones_counts() {
        let two = ["10.0.0.0/8", "127.0.0.1"];
        for (lines, address) in [
            (&[][..], "127.0.0.1"),
            (&["203.0.113.7"], "203.0.113.7"),
            (&["198.51.100.1, 203.0.113.7"], "203.0.113.7"),
            (&["198.51.100.1, 203.0.113.7, 10.1.1.1"], "203.0.113.7"),
            (&["198.51.100.1", "203.0.113.7,10.1.1.1"], "203.0.113.7"),
            (&["10.1.1.1"], "10.1.1.1"),
            (&["203.0.113.7:4711"], "203.0.113.7"),
            (&["[2001:db8::1]:4711"], "2001:db8::1"),
            (&["[2001:db8::1]"], "2001:db8::1"),
            (&["203.0.113.7, unknown"], "127.0.0.1"),
            (&["203.0.113.7, "], "127.0.0.1"),
            (&["203.0.113.7, unknown, 10.1.1.1"], "10.1.1.1"),
        ] {
            assert_eq!(seen(&two, "127.0.0.1", lines), address, "{lines:?}");
        }
    }

    #[test]
    fn a_long_chain_is_read_only_so_far() {
        let chain = vec!["10.0.0.1"; 1000].join(",");
        assert_eq!(
            seen(&["10.0.0.0/8"], "10.0.0.9", &[&format!("203.0.113.7,{chain}")]),
            "10.0.0.1"
        );
    }
}
