//! Where a session was started, as far as its owner is told.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The network of an address: enough to tell home from a hotel, and too little to find somebody by. Whoever has stolen a
/// token reads it too.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    network: IpAddr,
    bits: u8,
}

impl Place {
    /// The place of an address: /24 of IPv4, /48 of IPv6; one of IPv4 that is written as IPv6 is one of IPv4.
    pub const fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(own) => {
                let network = Ipv4Addr::from_bits(own.to_bits() >> 8 << 8);
                Self { network: IpAddr::V4(network), bits: 24 }
            }
            IpAddr::V6(own) => {
                let network = Ipv6Addr::from_bits(own.to_bits() >> 80 << 80);
                Self { network: IpAddr::V6(network), bits: 48 }
            }
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_the_network_and_never_the_address() {
        for (address, place) in [
            ("203.0.113.77", "203.0.113.0/24"),
            ("::ffff:203.0.113.77", "203.0.113.0/24"),
            ("2001:db8:1:2:3::4", "2001:db8:1::/48"),
            ("::1", "::/48"),
        ] {
            assert_eq!(Place::of(address.parse().unwrap()).to_string(), place);
        }
    }
}
