//! A line that this side opens to a service outside, which then says what people do there: for networks
//! that let nothing in.

use serde_json::Value;

use crate::BoxFuture;

/// Opens lines on which both sides say texts whenever they like (RFC 6455).
pub trait Dial: Send + Sync + 'static {
    /// Opens one. The address begins with `wss://`; with `ws://` only on this machine.
    fn dial<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<Box<dyn Line>, String>>;
}

/// An open line.
pub trait Line: Send {
    /// The next text; nothing when the other side has hung up. A line on which nothing comes for too long
    /// is an error.
    fn hear(&mut self) -> BoxFuture<'_, Result<Option<String>, String>>;

    /// Says a text.
    fn say(&mut self, text: String) -> BoxFuture<'_, Result<(), String>>;
}

/// Listens to a service outside.
pub trait Ear: Send + Sync + 'static {
    /// What it listens to, such as `slack`.
    fn kind(&self) -> &'static str;

    /// Opens a line and hands on what people did, until the line ends. What was not taken is not
    /// confirmed there.
    ///
    /// The engine opens the next line, at its own pace.
    fn listen<'a>(&'a self, taker: &'a dyn Take) -> BoxFuture<'a, Result<(), String>>;
}

/// Takes what people did.
pub trait Take: Send + Sync {
    /// Whether it was taken; it is false when it could not be written down.
    fn take(&self, payload: Value) -> BoxFuture<'_, bool>;
}
