//! Many alerts of one type in a short time: one incident, and one page.

use serde_json::json;
use stanch_engine_core::alert::Alert;
use stanch_engine_core::json::Json;
use stanch_engine_core::storm::{Rule, Step};
use stanch_engine_store::incidents::{self, Incident};
use stanch_engine_store::{StoreError, Tx, pages, storms};

use super::place::Found;
use super::taking::Taking;

impl Taking<'_> {
    /// Counts an alert that would open an incident; gives the storm's, if it is a part of one.
    pub(super) async fn storm_of(
        &self,
        tx: &mut Tx<'_>,
        alert: &Alert,
    ) -> Result<Option<Found>, StoreError> {
        let rules = &self.shared.settings.storms;
        // A rule that does not take the alert needs no look at the database.
        let Some(rule) = rules.iter().find(|rule| rule.may_take(alert, false)) else {
            return Ok(None);
        };
        let account = alert.account.as_deref();
        if !storms::came_before(tx, &alert.source, &alert.kind, account).await? {
            return Ok(None);
        }
        let key = rule.tally_key(alert);
        let known = storms::get(tx, &key).await?;
        let (mut tally, step) = rule.count(known.as_ref(), self.now);
        let found = match step {
            Step::Calm => None,
            Step::Begins => Some(self.begin_storm(tx, rule, alert).await?),
            Step::GoesOn(id) => match incidents::get(tx, id).await? {
                Some(incident) => {
                    let severity = alert.severity.max(incident.severity);
                    incidents::seen(tx, id, severity, self.now).await?;
                    Some(part_of(rule, incident, false))
                }
                None => Some(self.begin_storm(tx, rule, alert).await?),
            },
        };
        tally.incident = found.as_ref().map(|found| found.incident.id);
        storms::put(tx, &key, known.is_some(), &tally).await?;
        Ok(found)
    }

    async fn begin_storm(
        &self,
        tx: &mut Tx<'_>,
        rule: &Rule,
        alert: &Alert,
    ) -> Result<Found, StoreError> {
        let (most, within, kind) = (rule.more_than, rule.within, &alert.kind);
        let title = format!("Storm: more than {most} {kind} within {within}");
        let incident = self.open(tx, alert, title).await?;
        let message = format!(
            "{}: {} more than {most} times within {within}. What comes now goes into this incident and \
             starts nothing, until it has been quiet for {within}",
            incident.id, alert.kind
        );
        let key = format!("{}/storm", incident.id);
        let mut page = self.shared.page(key, vec!["role:responder".to_owned()], "storm", message);
        page.incident = Some(incident.id);
        pages::raise(tx, &page).await?;
        Ok(part_of(rule, incident, true))
    }
}

fn part_of(rule: &Rule, incident: Incident, starts_runs: bool) -> Found {
    let why = (!starts_runs).then(|| Json::of(&json!({"storm": rule.name})));
    Found { incident, joined: why, starts_runs }
}
