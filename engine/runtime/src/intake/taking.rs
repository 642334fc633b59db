//! How one alert is taken: what it is to the alert that is stored, whether it is kept quiet, and
//! what it starts.

use serde_json::json;
use stanch_engine_core::alert::{Alert, AlertStatus};
use stanch_engine_core::correlation::Given;
use stanch_engine_core::custody::CustodyAction;
use stanch_engine_core::id::{AlertId, IncidentId};
use stanch_engine_core::incident::{IncidentEvent, IncidentStatus, Milestone};
use stanch_engine_core::json::Json;
use stanch_engine_core::limits;
use stanch_engine_core::suppression::{self, Suppression};
use stanch_engine_core::time::Timestamp;
use stanch_engine_store::alerts::{self, Place, StoredAlert};
use stanch_engine_store::custody::{self, NewRecord};
use stanch_engine_store::incidents::Incident;
use stanch_engine_store::{
    StoreError, Tx, incidents, milestones, pages, payloads, runs, suppressions,
};

use super::{Received, trigger};
use crate::correlators::{self, Said};
use crate::projection;
use crate::shared::Shared;

/// Whose hand alerts come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hand {
    /// A sender's.
    Sender,
    /// Our own, from what a detector lists.
    Reconciler,
    /// A person's, who wants them taken whatever is suppressed.
    Person,
    /// A person's, who has read again what could not be read: nothing is suppressed, and what was over
    /// before anybody knew of it is as little work as when a sender tells it.
    Letter,
}

/// What a commit knows while it takes alerts.
pub(crate) struct Taking<'s> {
    pub(crate) shared: &'s Shared,
    pub(crate) now: Timestamp,
    pub(super) hand: Hand,
    /// Who has read them again, where they come of a dead letter.
    by: Option<String>,
    /// What scripts said of alerts before the transaction began, by their dedup keys.
    pub(super) said: Vec<(String, Said)>,
    quiet: Vec<Suppression>,
}

impl<'s> Taking<'s> {
    pub(crate) async fn begin(
        tx: &mut Tx<'_>,
        shared: &'s Shared,
        hand: Hand,
    ) -> Result<Self, StoreError> {
        let now = shared.world.now();
        let quiet = match hand {
            Hand::Sender | Hand::Reconciler => {
                suppressions::open(tx, now, limits::SUPPRESSIONS).await?
            }
            Hand::Person | Hand::Letter => Vec::new(),
        };
        Ok(Self { shared, now, hand, by: None, said: Vec::new(), quiet })
    }

    /// The same, because this person asks for it: what it starts is theirs, and not theirs to approve.
    pub(super) fn asked_by(mut self, person: &str) -> Self {
        self.by = Some(person.to_owned());
        self
    }

    /// The same, with what scripts said before.
    pub(crate) fn knowing(mut self, said: Vec<(String, Said)>) -> Self {
        self.said = said;
        self
    }

    /// What scripts say by what an alert joins. One that fails pages, once for as long as the page is
    /// open, and decides nothing.
    pub(super) async fn said_of(
        &self,
        tx: &mut Tx<'_>,
        alert: &Alert,
    ) -> Result<Vec<Given>, StoreError> {
        let scripts = &self.shared.settings.correlators;
        if scripts.is_empty() {
            return Ok(Vec::new());
        }
        let known = self.said.iter().find(|(key, _)| *key == alert.dedup_key);
        let said = known.map(|(_, said)| said.clone());
        let said = said.unwrap_or_else(|| correlators::say(scripts, alert));
        for (name, why) in said.failed {
            let message = format!(
                "the rule of correlation {name} fails, and the built-in rules decide in its place: {why}"
            );
            let key = format!("correlation-script/{name}");
            let to = vec!["role:responder".to_owned()];
            let page = self.shared.page(key, to, "correlation_script", message);
            pages::raise(tx, &page).await?;
        }
        Ok(said.given)
    }

    pub(crate) async fn take_one(
        &self,
        tx: &mut Tx<'_>,
        alert: &Alert,
    ) -> Result<Received, StoreError> {
        let stored = alerts::find(tx, &alert.dedup_key).await?;
        let in_incident = stored.as_ref().filter(|stored| stored.incident.is_some());
        let was = in_incident.map(|stored| stored.severity);
        let quiet = suppression::of(&self.quiet, alert, was, self.now);
        let mut alert = alert;
        if let Some(stored) = &stored
            && !alert.is_newer_than(&stored.version, self.now)
        {
            let is_let_out = stored.suppressed_by.is_some()
                && quiet.is_none()
                && stored.alert.status == AlertStatus::Active;
            if !is_let_out {
                return self.again(tx, stored).await;
            }
            // It was quiet, and is heard now as if it came for the first time.
            alert = &stored.alert;
        }
        if let Some(quiet) = quiet {
            return self.keep_quiet(tx, alert, stored.as_ref(), quiet).await;
        }
        let is_over = alert.status != AlertStatus::Active && self.hand != Hand::Person;
        if is_over && in_incident.is_none() {
            return self.keep_over(tx, alert, stored.as_ref()).await;
        }
        let own = stored.as_ref().and_then(|stored| stored.incident);
        let found = match self.echo_of(tx, alert, own).await? {
            Some(found) => found,
            None => self.incident_of(tx, alert, stored.as_ref()).await?,
        };
        let (incident, joined) = (&found.incident, found.joined.clone());
        let place = Place { incident: Some(incident.id), suppressed_by: None, joined };
        let alert_id = self.put(tx, alert, stored.as_ref(), &place).await?;
        record(tx, self, alert, alert_id, incident.id).await?;
        let mut run_ids = Vec::new();
        if !is_echo(found.joined.as_ref()) {
            seen_again(tx, self.shared, alert, incident).await?;
        }
        if found.starts_runs {
            // An echo fired nothing.
            let was_heard = in_incident.filter(|stored| !is_echo(stored.joined.as_ref()));
            let earlier = was_heard.map(|stored| &stored.alert);
            let cause = match &self.by {
                Some(person) => format!("replay by {person}"),
                None => cause_of(alert),
            };
            let about = trigger::About { alert, alert_id, incident };
            run_ids = trigger::fire(tx, self.shared, &about, earlier, &cause).await?;
        }
        let (incident_id, suppressed_by) = (place.incident, None);
        Ok(Received { alert_id, incident_id, run_ids, duplicate: false, suppressed_by })
    }

    /// A delivery that says nothing new.
    async fn again(&self, tx: &mut Tx<'_>, stored: &StoredAlert) -> Result<Received, StoreError> {
        alerts::delivered_again(tx, stored.id, self.now).await?;
        if let Some(incident) = stored.incident {
            incidents::recount(tx, incident).await?;
        }
        Ok(Received {
            alert_id: stored.id,
            incident_id: stored.incident,
            run_ids: runs::of_alert(tx, stored.id).await?,
            duplicate: true,
            suppressed_by: stored.suppressed_by,
        })
    }

    /// Stores and counts an alert, and lets it start nothing. One that is in an incident already
    /// stays there.
    async fn keep_quiet(
        &self,
        tx: &mut Tx<'_>,
        alert: &Alert,
        stored: Option<&StoredAlert>,
        quiet: &Suppression,
    ) -> Result<Received, StoreError> {
        let incident = stored.and_then(|stored| stored.incident);
        let place = Place { incident, suppressed_by: Some(quiet.id), joined: None };
        let alert_id = self.put(tx, alert, stored, &place).await?;
        match incident {
            Some(incident) => record(tx, self, alert, alert_id, incident).await?,
            None => drop(payloads::put(tx, &alert.raw).await?),
        }
        suppressions::count(tx, quiet.id, self.now).await?;
        let (run_ids, suppressed_by) = (Vec::new(), place.suppressed_by);
        let incident_id = place.incident;
        Ok(Received { alert_id, incident_id, run_ids, duplicate: false, suppressed_by })
    }

    /// Stores an alert that was over before it was in any incident: there is nothing to answer. Should
    /// it come back, it is taken as if it came for the first time.
    async fn keep_over(
        &self,
        tx: &mut Tx<'_>,
        alert: &Alert,
        stored: Option<&StoredAlert>,
    ) -> Result<Received, StoreError> {
        let alert_id = self.put(tx, alert, stored, &Place::default()).await?;
        payloads::put(tx, &alert.raw).await?;
        let (incident_id, run_ids, suppressed_by) = (None, Vec::new(), None);
        Ok(Received { alert_id, incident_id, run_ids, duplicate: false, suppressed_by })
    }

    async fn put(
        &self,
        tx: &mut Tx<'_>,
        alert: &Alert,
        stored: Option<&StoredAlert>,
        place: &Place,
    ) -> Result<AlertId, StoreError> {
        match stored {
            Some(stored) => {
                alerts::update(tx, stored.id, place, alert, self.now).await?;
                Ok(stored.id)
            }
            None => {
                let id = self.shared.world.id(AlertId::new);
                alerts::insert(tx, id, place, alert, self.now).await?;
                Ok(id)
            }
        }
    }
}

/// Whether an alert joined as an echo of a run of ours.
fn is_echo(joined: Option<&Json>) -> bool {
    joined.is_some_and(|why| why.value().get("echo").is_some())
}

/// The payload, as it came, is the first piece of evidence.
pub(super) async fn record(
    tx: &mut Tx<'_>,
    taking: &Taking<'_>,
    alert: &Alert,
    id: AlertId,
    incident: IncidentId,
) -> Result<(), StoreError> {
    let hash = payloads::put(tx, &alert.raw).await?;
    let mut detail =
        json!({"alert": id, "source": alert.source, "type": alert.kind, "title": alert.title});
    let actor = match (alert.raised_by(), taking.hand) {
        (Some(by), _) => format!("{} step {}", by.run, by.step),
        (None, Hand::Reconciler) => {
            if let Some(members) = detail.as_object_mut() {
                members.insert("found".to_owned(), json!("reconciliation"));
            }
            format!("reconciler {}", alert.source)
        }
        (None, _) => format!("webhook {}", alert.source),
    };
    let record = NewRecord {
        incident,
        at: taking.now,
        actor,
        action: CustodyAction::Received,
        item: Some(hash),
        detail,
    };
    custody::append(tx, &record).await.map(drop)
}

/// What is seen after it was contained, or after the end, is not over: the incident is opened
/// again, and people hear of it.
async fn seen_again(
    tx: &mut Tx<'_>,
    shared: &Shared,
    alert: &Alert,
    incident: &Incident,
) -> Result<(), StoreError> {
    // That it is over, or that somebody was told so, is no news of an attack.
    if incident.status == IncidentStatus::Open || alert.status != AlertStatus::Active {
        return Ok(());
    }
    let marked = milestones::of_incident(tx, incident.id).await?;
    let contained = marked.iter().find(|m| m.milestone == Milestone::ContainedAt).map(|m| m.at);
    let since_contained = alert.last_seen_at() > contained;
    let is_again = match incident.status {
        IncidentStatus::Closed => true,
        IncidentStatus::Contained => contained.is_some() && since_contained,
        IncidentStatus::Open => false,
    };
    if !is_again {
        return Ok(());
    }
    projection::happen(tx, incident.id, IncidentEvent::SeenAgain).await?;
    let was = incident.status.as_str();
    let message = format!("{} was {was}, and is seen again: {}", incident.id, alert.title);
    let stamp = alert.last_seen_at().unwrap_or_default();
    let key = format!("{}/seen-again/{stamp}", incident.id);
    let mut page = shared.page(key, vec!["role:responder".to_owned()], "seen_again", message);
    page.incident = Some(incident.id);
    pages::raise(tx, &page).await.map(drop)
}

/// Who or what asks for the runs that an alert starts. What a person saw is theirs to start, and not
/// to approve.
fn cause_of(alert: &Alert) -> String {
    let reported_by = match alert.source.as_str() {
        "manual" => {
            alert.raw.value().get("reported_by").and_then(|by| by.as_str()).map(str::to_owned)
        }
        _ => None,
    };
    let by = reported_by.map(|by| format!(", by {by}")).unwrap_or_default();
    format!("trigger {}{by}", alert.source)
}
