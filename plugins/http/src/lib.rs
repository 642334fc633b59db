//! Calls of any HTTP API.
//!
//! Owns: the action `http.request`. A home of `reqwest`.
//!
//! Must never: follow a redirect, or repeat a call by itself: the engine owns repetition.

mod request;
mod secrets;
mod tls;

use std::sync::Arc;

use stanch_plugins_sdk::Catalogue;

pub use secrets::Secrets;
pub use tls::client_builder;

/// Adds what this plugin has.
///
/// # Errors
/// When there is no TLS on this machine.
pub fn register(catalogue: Catalogue, secrets: Secrets) -> Result<Catalogue, reqwest::Error> {
    Ok(catalogue.with_action(Arc::new(request::Request::new(secrets)?)))
}
