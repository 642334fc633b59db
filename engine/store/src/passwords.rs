//! Passwords that end: whoever gives them is asked before a connection is made.

use crate::store::BoxFuture;

/// Where a password is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// The server's host.
    pub host: &'a str,
    /// Its port.
    pub port: u16,
    /// Who connects.
    pub user: &'a str,
}

/// Gives the passwords of connections, in place of the one in the URL.
pub trait Passwords: Send + Sync {
    /// For how long a password makes connections, in milliseconds. Connections that were made with
    /// it stay.
    fn lasts_ms(&self) -> u64;

    /// The password of a connection that is made now, or in words why there is none.
    fn password<'a>(&'a self, place: Place<'a>) -> BoxFuture<'a, Result<String, String>>;
}
