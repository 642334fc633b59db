//! The incident that takes an alert: the one that it was in, one about the same thing, a storm's,
//! or a new one.

use std::collections::BTreeSet;

use serde_json::json;
use stanch_engine_core::alert::Alert;
use stanch_engine_core::correlation::{self, Near};
use stanch_engine_core::id::IncidentId;
use stanch_engine_core::incident::IncidentStatus;
use stanch_engine_core::json::Json;
use stanch_engine_store::alerts::StoredAlert;
use stanch_engine_store::incidents::{self, Incident};
use stanch_engine_store::{StoreError, Tx, milestones};

use super::taking::Taking;
use crate::shared::Shared;

/// Where an alert belongs.
pub(super) struct Found {
    /// The incident, as it was before the alert.
    pub(super) incident: Incident,
    /// Why; nothing when the incident begins with it, or nothing changed.
    pub(super) joined: Option<Json>,
    /// Whether it may start playbooks.
    pub(super) starts_runs: bool,
}

/// What alerts are about, for those that are taken at the same time: those of one storm change its
/// tally, those of one resource its incident.
pub(crate) fn about(shared: &Shared, alerts: &[Alert]) -> String {
    let Some(alert) = alerts.first() else { return String::new() };
    let storm = shared.settings.storms.iter().find(|rule| rule.may_take(alert, false));
    let account = alert.account.as_deref().unwrap_or_default();
    match (storm, alert.resources.first()) {
        (Some(rule), _) => rule.tally_key(alert),
        (None, Some(resource)) => format!("{account}/{}", resource.id),
        (None, None) => alert.dedup_key.clone(),
    }
}

impl Taking<'_> {
    /// The incident of an alert. `stored` is the alert as it stands.
    pub(super) async fn incident_of(
        &self,
        tx: &mut Tx<'_>,
        alert: &Alert,
        stored: Option<&StoredAlert>,
    ) -> Result<Found, StoreError> {
        let given = self.said_of(tx, alert).await?;
        let keys = correlation::keys(&self.shared.settings.correlation, &given, alert);
        let (mut known, mut near) = (BTreeSet::new(), Vec::new());
        for (key, keyed) in &keys {
            if let Some(found) = incidents::correlated(tx, key).await? {
                known.insert(key.clone());
                near.push(Near {
                    key: key.clone(),
                    keyed: keyed.clone(),
                    incident: found.incident,
                    last_alert_at: found.last_alert_at,
                });
            }
        }
        let own = stored.and_then(|stored| stored.incident);
        let joined = correlation::join(&near, self.now).filter(|_| own.is_none());
        let existing = match own.or(joined.map(|near| near.incident)) {
            Some(id) => incidents::get(tx, id).await?,
            None => None,
        };
        let found = match existing {
            Some(incident) => {
                let severity = alert.severity.max(incident.severity);
                incidents::seen(tx, incident.id, severity, self.now).await?;
                let why =
                    |near: &Near| Json::of(&json!({"rule": near.keyed.rule, "key": near.key}));
                Found { incident, joined: joined.map(why), starts_runs: true }
            }
            None => match self.storm_of(tx, alert).await? {
                // What is a part of a storm leads no other alert into it.
                Some(found) => return Ok(found),
                None => {
                    let incident = self.open(tx, alert, alert.title.clone()).await?;
                    Found { incident, joined: None, starts_runs: true }
                }
            },
        };
        let id = found.incident.id;
        for key in keys.keys() {
            // An update takes no key from another incident: people have put them apart.
            let is_others = |it: &Near| it.key == *key && it.incident != id && self.is_near(it);
            if own.is_none() || !near.iter().any(is_others) {
                incidents::correlate(tx, key, known.contains(key), id, self.now).await?;
            }
        }
        Ok(found)
    }

    fn is_near(&self, near: &Near) -> bool {
        correlation::within(near.keyed.window, near.last_alert_at, self.now)
    }

    /// Opens an incident that begins with an alert.
    pub(super) async fn open(
        &self,
        tx: &mut Tx<'_>,
        alert: &Alert,
        title: String,
    ) -> Result<Incident, StoreError> {
        let incident = Incident {
            id: self.shared.world.id(IncidentId::new),
            title,
            status: IncidentStatus::Open,
            severity: alert.severity,
            account: alert.account.clone(),
            is_sample: alert.is_sample(),
            phase: None,
            verdict: None,
            verdict_reason: None,
            acknowledged_by: None,
            opened_at: self.now,
            last_alert_at: self.now,
            merged_into: None,
            split_from: None,
            part_of: None,
        };
        incidents::insert(tx, &incident).await?;
        let begun = milestones::Begun {
            occurred_at: alert.occurred_at,
            detected_at: alert.detected_at,
            received_at: self.now,
        };
        milestones::begin(tx, incident.id, &begun, &alert.source).await?;
        Ok(incident)
    }
}
