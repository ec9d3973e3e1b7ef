//! Networks of proxies: an address, or all that begin with the same bits.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// An address, or all that begin with the same bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// Reads `10.1.0.0/16`, `2001:db8::/32`, or one address.
    ///
    /// # Errors
    /// What is wrong, as the end of a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let example = "an address or a network, such as \"10.1.0.0/16\" or \"::1\"";
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let unreadable = || format!("{text:?} is not {example}");
        let address: IpAddr = address.parse().map_err(|_| unreadable())?;
        let width = width(address);
        let bits = match bits {
            None => width,
            Some(bits) if bits.bytes().all(|byte| byte.is_ascii_digit()) => {
                bits.parse().ok().filter(|bits| *bits <= width).ok_or_else(unreadable)?
            }
            Some(_) => return Err(unreadable()),
        };
        if bits == 0 {
            return Err(format!("{text:?} is everybody, and then anybody may say anything"));
        }
        let first = masked(address, bits);
        match first == address {
            true => Ok(Self { address, bits }),
            false => Err(format!("{text:?} begins inside a network; write \"{first}/{bits}\"")),
        }
    }

    /// Whether an address is in it. One of IPv4 that came over IPv6 is one of IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4() && masked(address, self.bits) == self.address
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

const fn width(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// The first address of the network of so many bits that an address is in.
fn masked(address: IpAddr, bits: u8) -> IpAddr {
    match address {
        IpAddr::V4(own) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
            IpAddr::V4((own.to_bits() & mask).into())
        }
        IpAddr::V6(own) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(own.to_bits() & mask))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(network: &str, address: &str) -> bool {
        Network::parse(network).unwrap().contains(address.parse().unwrap())
    }

    #[test]
    fn a_network_holds_what_begins_with_its_bits() {
        for (network, address) in [
            ("127.0.0.1", "127.0.0.1"),
            ("127.0.0.0/8", "127.255.0.3"),
            ("10.1.2.0/23", "10.1.3.255"),
            ("10.0.0.0/8", "::ffff:10.9.8.7"),
            ("::1", "::1"),
            ("2001:db8::/32", "2001:db8:ffff::1"),
        ] {
            assert!(holds(network, address), "{network} {address}");
        }
        for (network, address) in [
            ("127.0.0.1", "127.0.0.2"),
            ("10.1.2.0/23", "10.1.4.0"),
            ("::1", "127.0.0.1"),
            ("2001:db8::/32", "2001:db9::1"),
            ("10.0.0.0/8", "::10.0.0.1"),
        ] {
            assert!(!holds(network, address), "{network} {address}");
        }
    }

    #[test]
    fn everybody_and_half_a_network_are_refused() {
        for text in [
            "",
            "x",
            "0.0.0.0/0",
            "::/0",
            "10.1.2.3/8",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/+8",
            "10.0.0.0/",
            "10.0.0",
            "localhost",
            "10.0.0.0/8/8",
            "fe80::1%eth0",
        ] {
            assert!(Network::parse(text).is_err(), "{text}");
        }
        let why = Network::parse("10.1.2.3/8").err().unwrap();
        assert!(why.contains("\"10.0.0.0/8\""), "{why}");
    }
}
