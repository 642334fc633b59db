//! Addresses that may send: a network such as `10.0.0.0/8`, or one address.

use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

/// A network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network(IpNet);

/// What is no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no network, such as 192.0.2.0/24 or 2001:db8::1")]
pub struct NotANetwork(String);

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let network = text.parse::<IpNet>().ok();
        let network = network.or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
        network.map(Self).ok_or_else(|| NotANetwork(text.to_owned()))
    }
}

impl Network {
    /// Whether an address is in it. An IPv4 address that is written as IPv6 is the IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_in_its_network_however_it_is_written() {
        let network: Network = "192.0.2.0/24".parse().unwrap();
        for inside in ["192.0.2.1", "::ffff:192.0.2.255"] {
            assert!(network.contains(inside.parse().unwrap()), "{inside}");
        }
        for outside in ["192.0.3.1", "::1", "::192.0.2.1"] {
            assert!(!network.contains(outside.parse().unwrap()), "{outside}");
        }
        assert!("192.0.2.7".parse::<Network>().unwrap().contains("192.0.2.7".parse().unwrap()));
        assert!("192.0.2.0/33".parse::<Network>().is_err());
        assert!("everywhere".parse::<Network>().is_err());
    }
}
