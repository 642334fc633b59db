//! Those who wait are told how an incident stands: by a template, as often as was said, until it is
//! closed, which the last one says.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;
use stanch_engine_core::approval::ApprovalStatus;
use stanch_engine_core::duty::Duty;
use stanch_engine_core::id::IncidentId;
use stanch_engine_core::incident::{IncidentStatus, Milestone};
use stanch_engine_core::limits;
use stanch_engine_core::notify::About;
use stanch_engine_core::scope::Subject;
use stanch_engine_core::span::Span;
use stanch_engine_core::time::Timestamp;
use stanch_engine_core::update::Gap;
use stanch_engine_store::incidents::{self, Incident};
use stanch_engine_store::updates::{self as rows, Update};
use stanch_engine_store::{StoreError, Tx, approvals, assignments, custody, milestones, pages};
use stanch_plugins_sdk::{Message, Standing};
use tokio::sync::watch;
use uuid::Uuid;

use crate::first_act;
use crate::incident_work::{self, WorkError};
use crate::notify::{self, no_way};
use crate::runs::Person;
use crate::runtime::Runtime;
use crate::settings::UpdateSettings;
use crate::shared::Shared;
use crate::{pager, rounds, scopes};

/// The longest pause between two looks: people may have begun some.
const LOOK: Span = Span::from_secs(2);

/// How long a node may take to send one that it has claimed.
const CLAIM_MS: i64 = 120_000;

/// How long one channel may take.
const PATIENCE: Span = Span::from_secs(15);

/// Those that are sent in one round.
const ROUND: u32 = 20;

/// Tries until people hear that an update reaches nobody; it is left out then.
const TRIES: u32 = 5;

/// The shortest pause between two, and the longest.
const EVERY: std::ops::RangeInclusive<Span> = Span::from_secs(60)..=Span::from_secs(7 * 86_400);

/// What a person wants told.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// By which template; `status` unless it is said.
    pub template: Option<String>,
    /// To whom; as the template says, unless it is said.
    pub to: Vec<String>,
    /// How often; as the template says, unless it is said.
    pub every: Option<Span>,
    /// What is to be said now, for the gap `{{said}}`.
    pub text: String,
}

/// What is told without a template of one's own.
pub const USUAL: &str = "status";

/// Has people told, now and from now on; whoever said so before has it changed by this.
///
/// # Errors
/// [`WorkError`] says why not; nothing is changed then.
pub async fn begin(
    runtime: &Runtime,
    id: IncidentId,
    wanted: Wanted,
    person: &str,
) -> Result<Vec<Update>, WorkError> {
    let wrong = WorkError::BadRequest;
    let known = &runtime.settings().updates;
    let name = wanted.template.unwrap_or_else(|| USUAL.to_owned());
    let template = known.get(&name).ok_or_else(|| {
        let names: Vec<_> = known.keys().map(String::as_str).collect();
        wrong(format!("there is no template `{name}`: there are {}", names.join(", ")))
    })?;
    let recipients = if wanted.to.is_empty() { template.to.clone() } else { wanted.to };
    if recipients.is_empty() {
        return Err(wrong("`to` names nobody: say who is told".to_owned()));
    }
    let every = wanted.every.unwrap_or(template.every);
    if !EVERY.contains(&every) {
        return Err(wrong(format!("`every`: {every} is not between a minute and 7 days")));
    }
    if wanted.text.chars().count() > limits::NOTE_CHARS {
        return Err(wrong(format!("`text` has more than {} characters", limits::NOTE_CHARS)));
    }
    let update = Update {
        incident: id,
        template: name,
        recipients,
        every_ms: every.ms,
        said: wanted.text,
        sent: 0,
        tries: 0,
        last_error: None,
        last_at: None,
        next_at: None,
        set_by: person.to_owned(),
        set_at: runtime.world().now(),
    };
    let update = Arc::new(update);
    let begun = runtime.store().write(move |tx| {
        let update = update.clone();
        Box::pin(async move {
            match open(tx, id).await? {
                Ok(_) => rows::set(tx, &update).await.map(Ok),
                Err(error) => Ok(Err(error)),
            }
        })
    });
    begun.await??;
    of_incident(runtime, id).await
}

/// No more are sent. It is in the custody chain.
///
/// # Errors
/// [`WorkError`] when there were none.
pub async fn stop(
    runtime: &Runtime,
    id: IncidentId,
    template: Option<String>,
    person: Person,
) -> Result<Vec<Update>, WorkError> {
    if person.reason.trim().is_empty() {
        return Err(WorkError::BadRequest("it needs a reason".to_owned()));
    }
    let parts = Arc::new((template, person, runtime.world().now()));
    let stopped = runtime.store().write(move |tx| {
        let parts = parts.clone();
        Box::pin(async move {
            let (template, person, now) = &*parts;
            if incidents::get(tx, id).await?.is_none() {
                return Ok(Err(WorkError::NotFound(id)));
            }
            if !rows::stop(tx, id, template.as_deref()).await? {
                let why = format!("nobody is told of {id} from time to time");
                return Ok(Err(WorkError::Conflict(why)));
            }
            let detail = json!({"decision": "updates_stopped", "reason": person.reason});
            first_act::mark(tx, id, &person.name, *now).await?;
            custody::decided(tx, id, (&person.name, *now), detail).await.map(Ok)
        })
    });
    stopped.await??;
    of_incident(runtime, id).await
}

/// Those of an incident, by template.
///
/// # Errors
/// [`WorkError::NotFound`] when there is no such incident.
pub async fn of_incident(runtime: &Runtime, id: IncidentId) -> Result<Vec<Update>, WorkError> {
    let found = runtime.store().read(|conn| {
        Box::pin(async move {
            Ok((incidents::get(conn, id).await?, rows::of_incident(conn, id).await?))
        })
    });
    let (incident, updates) = found.await?;
    incident.map(|_| updates).ok_or(WorkError::NotFound(id))
}

async fn open(tx: &mut Tx<'_>, id: IncidentId) -> Result<Result<Incident, WorkError>, StoreError> {
    Ok(match incident_work::find(tx, id).await? {
        Ok(it) if it.status == IncidentStatus::Closed => {
            Err(WorkError::Conflict(format!("{id} is closed: there is nothing new to tell")))
        }
        found => found,
    })
}

/// Tells them, until it is told to stop.
pub(crate) async fn work(shared: Arc<Shared>, stop: watch::Receiver<bool>) {
    rounds::work(&shared, stop, (LOOK, "updates can't be sent"), || round(&shared)).await;
}

async fn round(shared: &Arc<Shared>) -> Result<Option<Timestamp>, StoreError> {
    let now = shared.world.now();
    for it in shared.store.read(|conn| Box::pin(rows::due(conn, now, ROUND))).await? {
        let it = Arc::new(it);
        let until = shared.world.now().plus_ms(CLAIM_MS);
        let claimed = it.clone();
        let claim = shared.store.write(move |tx| {
            let it = claimed.clone();
            Box::pin(async move { rows::claim(tx, &it, until).await })
        });
        if claim.await? {
            Box::pin(send(shared, it, until)).await?;
        }
    }
    shared.store.read(|conn| Box::pin(rows::next(conn))).await
}

async fn send(shared: &Arc<Shared>, it: Arc<Update>, until: Timestamp) -> Result<(), StoreError> {
    let id = it.incident;
    let found = shared.store.read(|conn| {
        Box::pin(async move {
            let incident = incidents::get(conn, id).await?;
            let marked = milestones::of_incident(conn, id).await?;
            let lead = assignments::of(conn, id).await?.remove(&Duty::Lead);
            let waits = approvals::of_incident(conn, id).await?;
            let waits = waits.iter().filter(|one| one.status == ApprovalStatus::Pending).count();
            let subject = scopes::of_incident(conn, Some(id)).await?;
            Ok((incident, marked, lead, waits, subject))
        })
    });
    let (incident, marked, lead, waits, subject) = found.await?;
    let Some(incident) = incident else { return Ok(()) };
    let now = shared.world.now();
    let contained = marked.iter().find(|mark| mark.milestone == Milestone::ContainedAt);
    let mut facts: BTreeMap<Gap, String> = [
        (Gap::Id, id.to_string()),
        (Gap::Title, incident.title.clone()),
        (Gap::Severity, incident.severity.to_string()),
        (Gap::Status, incident.status.as_str().to_owned()),
        (Gap::OpenedAt, format!("{:.0}", incident.opened_at)),
        (Gap::Waits, waits.to_string()),
        (Gap::Said, it.said.clone()),
        (Gap::Number, (it.sent + 1).to_string()),
        (Gap::At, format!("{now:.0}")),
    ]
    .into();
    let known = [
        (Gap::Verdict, incident.verdict.map(|verdict| verdict.as_str().to_owned())),
        (Gap::ContainedAt, contained.map(|mark| format!("{:.0}", mark.at))),
        (Gap::Lead, lead),
    ];
    facts.extend(known.into_iter().filter_map(|(gap, fact)| Some((gap, fact?))));
    let usual = UpdateSettings::usual();
    let template = shared.settings.updates.get(&it.template).unwrap_or(&usual);
    let text = template.text.filled(&facts);
    let told = tell(shared, (&*it, &incident, &subject), &text).await?;
    note(shared, (it, until), &incident, (text, told)).await
}

/// Tells everybody, once on each chain of channels; else why not. What is tried again is told again, also
/// to those who have heard it: twice does less harm than not at all.
async fn tell(
    shared: &Shared,
    (it, incident, subject): (&Update, &Incident, &Subject),
    text: &str,
) -> Result<Result<(), String>, StoreError> {
    let mut missed = Vec::new();
    for to in &it.recipients {
        let (at, severity) = (shared.world.now(), Some(incident.severity));
        let chains = notify::chains(shared, &About { to, severity, playbook: None, at });
        if chains.is_empty() {
            missed.push(no_way(to));
        }
        let message = Message {
            key: format!("update/{}/{}/{}", it.incident, it.template, it.sent + 1),
            turn: 1,
            to: to.clone(),
            code: "update".to_owned(),
            text: text.to_owned(),
            severity,
            incident_id: Some(it.incident),
            run_id: None,
            raised_at: at,
            people: pager::people_of(shared, to, subject).await?,
            ask: None,
            standing: Standing::Open,
        };
        let token = (Uuid::from_u128(shared.world.entropy.next()), it.tries + 1);
        let context = notify::context(shared, (Some(it.incident), None), token, PATIENCE);
        for chain in &chains {
            let mut error = None;
            for way in chain {
                match Box::pin(notify::send(shared, way, &context, &message, None)).await {
                    Ok(_) => {
                        error = None;
                        break;
                    }
                    Err(why) => error = Some(format!("{}: {why}", way.name)),
                }
            }
            missed.extend(error);
        }
    }
    Ok(if missed.is_empty() { Ok(()) } else { Err(missed.join("; ")) })
}

/// Writes down what came of it, and when the next one is. After the end of an incident there is none.
async fn note(
    shared: &Arc<Shared>,
    (it, until): (Arc<Update>, Timestamp),
    incident: &Incident,
    (text, told): (String, Result<(), String>),
) -> Result<(), StoreError> {
    let now = shared.world.now();
    let is_over = incident.status == IncidentStatus::Closed;
    let next_at = (!is_over).then(|| now.plus_ms(it.every_ms));
    let parts = Arc::new((shared.clone(), it, text, told));
    let noted = shared.store.write(move |tx| {
        let parts = parts.clone();
        Box::pin(async move {
            let (shared, it, text, told) = &*parts;
            let it: &Update = it;
            let error = match told {
                Ok(()) => {
                    if rows::sent(tx, (it, until), now, next_at).await? {
                        let detail = json!({
                            "decision": "update", "text": text, "to": it.recipients,
                            "template": it.template, "number": it.sent + 1,
                        });
                        custody::decided(tx, it.incident, ("stanch", now), detail).await?;
                    }
                    return Ok(());
                }
                Err(error) => error,
            };
            let tries = it.tries + 1;
            let again = i64::from(tries).saturating_mul(30_000);
            let is_spent = tries.is_multiple_of(TRIES);
            let next_at = if is_spent { next_at } else { Some(now.plus_ms(again)) };
            if rows::failed(tx, (it, until), error, next_at).await? && is_spent {
                let id = it.incident;
                let message = format!(
                    "An update on {id} by the template `{}` reached not everybody: {error}. Tell them \
                     yourself, and look: `stanch incidents updates list {id}`",
                    it.template
                );
                let key = format!("update/{id}/{}/{now}", it.template);
                let to = vec!["role:responder".to_owned()];
                let mut page = shared.page(key, to, "update", message);
                page.incident = Some(id);
                pages::raise(tx, &page).await?;
            }
            Ok(())
        })
    });
    noted.await
}
