//! Which playbooks an alert starts.

use serde_json::{Map, Value, json};
use stanch_engine_core::alert::Alert;
use stanch_engine_core::header::Header;
use stanch_engine_core::id::{AlertId, InboxId, RunId};
use stanch_engine_core::json::{Json, kept};
use stanch_engine_core::turn::level_of;
use stanch_engine_store::inbox::{self, Fact, FactKind};
use stanch_engine_store::incidents::Incident;
use stanch_engine_store::playbooks::Active;
use stanch_engine_store::{StoreError, Tx, runs};

use super::cooling::Cooling;
use crate::live::facts::{ALERT, Signal};
use crate::runs::{NewRunParts, scope};
use crate::shared::Shared;

/// An alert and where it belongs.
pub(super) struct About<'a> {
    pub(super) alert: &'a Alert,
    pub(super) alert_id: AlertId,
    pub(super) incident: &'a Incident,
}

/// Starts a run of every playbook that the alert fires. Where one about the same thing is open, it
/// is told instead. `stored` is the version of the alert that came before, `cause` whom the runs
/// name as their requester.
pub(super) async fn fire(
    tx: &mut Tx<'_>,
    shared: &Shared,
    about: &About<'_>,
    stored: Option<&Alert>,
    cause: &str,
) -> Result<Vec<RunId>, StoreError> {
    let &About { alert, alert_id, incident } = about;
    let mut run_ids = Vec::new();
    for active in shared.active().iter() {
        let subject = subject_of(&active.header, alert, incident);
        let open = runs::open_of_subject(tx, &active.header.name, &subject).await?;
        let fires = active.header.is_fired_by(alert, stored);
        match open {
            Some(run) if fires || stored.is_some() => {
                tell(tx, shared, run, alert, alert_id).await?;
                run_ids.push(run);
            }
            None if fires => {
                let cooling = Cooling::of(shared, &active.header, alert);
                if cooling.holds(tx, shared, about).await? {
                    continue;
                }
                let parts = NewRunParts {
                    active,
                    incident: Some(incident.id),
                    alert: Some(alert_id),
                    subject: Some(subject),
                    requester: cause.to_owned(),
                    scope: scope(
                        shared,
                        Some(&json!(alert)),
                        Some(incident),
                        None,
                        no_inputs(active),
                    ),
                    about_at: alert.last_seen_at(),
                    level: level_of(alert.severity.max(incident.severity)),
                };
                let (run, started) = parts.into_run(shared, None);
                runs::insert(tx, &run, &started).await?;
                cooling.begin(tx, shared, alert, run.id).await?;
                run_ids.push(run.id);
            }
            _ => {}
        }
    }
    Ok(run_ids)
}

/// The inputs of a run that no person gave any.
fn no_inputs(active: &Active) -> Value {
    let mut inputs = Map::new();
    if let Err(why) = active.header.complete_inputs(&mut inputs) {
        tracing::error!(playbook = active.header.name, why, "an alert starts it without inputs");
    }
    Value::Object(inputs)
}

/// What the run is about: the one resource of the header's type, else the incident.
fn subject_of(header: &Header, alert: &Alert, incident: &Incident) -> String {
    let is_subject = |kind: &String| Some(kind) == header.subject.as_ref();
    let mut subjects = alert.resources.iter().filter(|resource| is_subject(&resource.kind));
    match (subjects.next(), subjects.next()) {
        (Some(resource), None) => {
            let account = alert.account.as_deref().unwrap_or("-");
            let realm = if incident.is_sample { "sample/" } else { "" };
            format!("{realm}{account}/{}/{}", resource.kind, resource.id)
        }
        _ => incident.id.to_string(),
    }
}

async fn tell(
    tx: &mut Tx<'_>,
    shared: &Shared,
    run: RunId,
    alert: &Alert,
    alert_id: AlertId,
) -> Result<(), StoreError> {
    let payload = kept(json!({
        "id": alert_id, "title": alert.title, "severity": alert.severity, "count": alert.count,
        "updated_at": alert.updated_at,
    }));
    let (name, by) = (ALERT.to_owned(), Some(format!("source {}", alert.source)));
    let signal = Signal { name, payload: Json::canonical(&payload), by };
    let fact = Fact {
        id: shared.world.id(InboxId::new),
        run,
        at: shared.world.now(),
        kind: FactKind::Signal,
        body: Json::of(&signal),
    };
    inbox::put(tx, &fact).await
}
