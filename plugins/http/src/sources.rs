//! What others than AWS send, made into alerts: one file for each sender, one for senders that the
//! configuration describes, and one for what describes itself.

mod alertmanager;
mod datadog;
mod grafana;
mod labels;
mod mapped;
mod opsgenie;
mod pagerduty;
mod plain;
mod sentry;
mod wazuh;

use std::collections::BTreeMap;
use std::sync::Arc;

use stanch_plugins_sdk::{Catalogue, Family, Source};

pub use mapped::{BadMapping, Mapping};

/// Adds every source, those of the configuration first: people's own words stand above ours.
///
/// # Errors
/// [`BadMapping`] names the source, the field and what is wrong with its expression.
pub(crate) fn register(
    mut catalogue: Catalogue,
    mappings: &BTreeMap<String, Mapping>,
) -> Result<Catalogue, BadMapping> {
    for (name, mapping) in mappings {
        let source = mapped::Mapped::new(name, mapping)?;
        catalogue = catalogue.with_source(Family::Other, Arc::new(source));
    }
    let sources: [Arc<dyn Source>; 7] = [
        Arc::new(grafana::Grafana),
        Arc::new(alertmanager::Alertmanager),
        Arc::new(pagerduty::PagerDuty),
        Arc::new(opsgenie::Opsgenie),
        Arc::new(sentry::Sentry),
        Arc::new(wazuh::Wazuh),
        Arc::new(datadog::Datadog),
    ];
    for source in sources {
        catalogue = catalogue.with_source(Family::Other, source);
    }
    Ok(catalogue.with_last_source(Family::Other, Arc::new(plain::Plain)))
}
