//! Ports on which nobody listens.

use std::net::TcpListener;

/// A free port of 127.0.0.1. The system hands out others before it comes back to this one, so it
/// stays free for a while.
pub fn free() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("no port is free");
    listener.local_addr().expect("a listener has an address").port()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_port_can_be_listened_on() {
        let (first, second) = (free(), free());
        let _both = [first, second].map(|port| TcpListener::bind(("127.0.0.1", port)).unwrap());
    }
}
