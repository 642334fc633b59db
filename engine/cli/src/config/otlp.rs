//! `[otlp]`: where traces go.

use std::collections::BTreeMap;

use anyhow::bail;
use serde::Deserialize;

use super::{Config, Reference, Variable};
use crate::otlp::Target;

/// A collector of OpenTelemetry that traces are sent to by OTLP over HTTP.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Otlp {
    /// Its address, such as `http://collector:4318`.
    pub endpoint: String,
    /// What is sent with each request: `env:NAME` or `file:PATH` of each.
    #[serde(default)]
    pub headers: BTreeMap<String, Reference>,
}

impl Config {
    /// Where traces go, if they do.
    pub(crate) fn trace_target(&self, variable: Variable<'_>) -> anyhow::Result<Option<Target>> {
        let Some(otlp) = &self.otlp else { return Ok(None) };
        let endpoint = otlp.endpoint.clone();
        if !["http://", "https://"].iter().any(|scheme| endpoint.starts_with(scheme)) {
            bail!(
                "[otlp] endpoint = \"{endpoint}\": it takes http:// or https://, such as \
                   http://collector:4318"
            );
        }
        let mut headers = Vec::new();
        for (name, reference) in &otlp.headers {
            let value = reference.resolve(&format!("otlp.headers.{name}"), variable)?;
            headers.push((name.clone(), value));
        }
        Ok(Some(Target { endpoint, headers }))
    }
}
