//! Calls of any HTTP API, and what others than AWS send by it.
//!
//! Owns: the action `http.request`, and the sources of Alertmanager, Grafana, PagerDuty and others.
//! A home of `reqwest`.
//!
//! Must never: follow a redirect, or repeat a call by itself: the engine owns repetition.

mod dial;
mod exchange;
mod fetch;
mod reach;
mod request;
mod secrets;
mod sources;
mod tls;

use std::collections::BTreeMap;
use std::sync::Arc;

use stanch_plugins_sdk::Catalogue;

pub use dial::Dialer;
pub use exchange::Exchanger;
pub use fetch::Fetcher;
pub use secrets::Secrets;
pub use sources::{BadMapping, Mapping};
pub use tls::client_builder;

/// Adds what this plugin has: the action, and the sources with those that the configuration
/// describes.
///
/// # Errors
/// [`Unfit`]: there is no TLS on this machine, or a mapping is wrong.
pub fn register(
    catalogue: Catalogue,
    secrets: Secrets,
    mappings: &BTreeMap<String, Mapping>,
) -> Result<Catalogue, Unfit> {
    let catalogue = sources::register(catalogue, mappings)?;
    Ok(catalogue.with_action(Arc::new(request::Request::new(secrets)?)))
}

/// Why the plugin can't be used.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// There is no TLS on this machine.
    #[error(transparent)]
    Tls(#[from] reqwest::Error),
    /// A source of the configuration can't be.
    #[error(transparent)]
    Mapping(#[from] BadMapping),
}
