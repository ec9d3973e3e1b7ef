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
    let mut seen = peer.to_canonical();
    let lines = headers.get_all(X_FORWARDED_FOR).iter().collect::<Vec<_>>();
    let entries = lines.iter().rev().flat_map(|line| line.to_str().unwrap_or("?").rsplit(','));
    for entry in entries.take(HOPS_MAX) {
        if !gateway.trusts(seen) {
            break;
        }
        let Some(before) = address(entry.trim()) else { break };
        seen = before;
    }
    seen
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

    fn seen(trusted: &[&str], peer: &str, lines: &[&str]) -> String {
        let trusted_proxies = trusted.iter().map(|text| Network::parse(text).unwrap()).collect();
        let gateway = Gateway { trusted_proxies, ..Gateway::default() };
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(X_FORWARDED_FOR, line.parse().unwrap());
        }
        client_address(&gateway, peer.parse().unwrap(), &headers).to_string()
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
