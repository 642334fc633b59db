//! What people do about an incident beside deciding what a playbook asks: they open one, say what
//! it was, note what they learn, mark its milestones, close it and open it again.

mod impact;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use stanch_engine_core::alert::{Alert, AlertStatus, Resource};
use stanch_engine_core::duty::Duty;
use stanch_engine_core::id::IncidentId;
use stanch_engine_core::incident::{IncidentEvent, IncidentStatus, Milestone, Verdict};
use stanch_engine_core::json::Json;
use stanch_engine_core::limits;
use stanch_engine_core::report::Review;
use stanch_engine_core::severity::Severity;
use stanch_engine_core::time::Timestamp;
use stanch_engine_store::incidents::{self, Incident};
use stanch_engine_store::{
    StoreError, Tx, assignments, broken_glass, custody, milestones, pages, parts, runs, updates,
};

use crate::everybody;
use crate::first_act;
use crate::intake::{self, Received};
use crate::playbooks::WRITE_BACK;
use crate::projection;
use crate::runs::Person;
use crate::runtime::Runtime;
use crate::settings::Settings;

pub use impact::impact;

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    /// There is no such incident.
    #[error("there is no incident {0}")]
    NotFound(IncidentId),
    /// It can't be asked for.
    #[error("{0}")]
    BadRequest(String),
    /// It can't be done as things stand.
    #[error("{0}")]
    Conflict(String),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a person has seen that no detector has.
#[derive(Clone, Debug)]
pub struct Seen {
    /// One line.
    pub title: String,
    /// More lines.
    pub description: Option<String>,
    /// How bad it is.
    pub severity: Severity,
    /// The account, 12 digits.
    pub account: Option<String>,
    /// The region.
    pub region: Option<String>,
    /// What it is about.
    pub resources: Vec<Resource>,
}

/// One thing that is done about an incident.
#[derive(Clone, Debug)]
pub enum Work {
    /// A note.
    Note(String),
    /// What it was.
    Verdict(Verdict),
    /// Who does what.
    Assign(BTreeMap<Duty, String>),
    /// A milestone that people know of, and when it was.
    Milestone(Milestone, Timestamp),
    /// It is over.
    Close {
        /// What it was, where that has not been said.
        verdict: Option<Verdict>,
        /// Closes it although something lacks.
        force: bool,
        /// What is said of it for the report.
        review: Review,
    },
    /// It is not over.
    Reopen,
}

impl Work {
    const fn word(&self) -> &'static str {
        match self {
            Self::Note(_) => "note",
            Self::Verdict(_) => "verdict",
            Self::Assign(_) => "assign",
            Self::Milestone(..) => "milestone",
            Self::Close { .. } => "close",
            Self::Reopen => "reopen",
        }
    }
}

/// Opens an incident by hand: what a person has seen is taken as an alert of the source `manual`,
/// and starts what its triggers start.
///
/// # Errors
/// [`WorkError::BadRequest`] for an account that is none, and an empty title.
pub async fn open(runtime: &Runtime, seen: Seen, person: &str) -> Result<Received, WorkError> {
    let is_account = |a: &String| a.len() == 12 && a.bytes().all(|b| b.is_ascii_digit());
    if seen.title.trim().is_empty() {
        return Err(WorkError::BadRequest("`title` is empty: say what was seen".to_owned()));
    }
    if seen.title.contains('\0') {
        return Err(WorkError::BadRequest("`title` has a NUL in it: leave it out".to_owned()));
    }
    if let Some(account) = seen.account.as_ref().filter(|account| !is_account(account)) {
        let why = format!("`account`: `{account}` is no account: an account is 12 digits");
        return Err(WorkError::BadRequest(why));
    }
    let now = runtime.world().now();
    let id = format!("{:032x}", runtime.world().entropy.next());
    let alert = Alert {
        source: "manual".to_owned(),
        dedup_key: format!("manual:{id}"),
        kind: "manual".to_owned(),
        severity_score: seen.severity.least_score(),
        actor: None,
        occurred_at: None,
        detected_at: Some(now),
        updated_at: Some(now),
        count: None,
        status: AlertStatus::Active,
        url: None,
        raw: Json::of(&json!({"title": seen.title, "description": seen.description,
            "reported_by": person})),
        id,
        title: seen.title,
        description: seen.description,
        severity: seen.severity,
        account: seen.account,
        region: seen.region,
        resources: seen.resources,
    };
    let received = intake::take(runtime, vec![alert]).await?;
    runtime.nudge();
    let none = || WorkError::Conflict("nothing was taken".to_owned());
    received.into_iter().next().ok_or_else(none)
}

/// Does something about an incident. It stands in the incident's timeline and custody chain, and is
/// a person's first action where none came before.
///
/// # Errors
/// [`WorkError`] says why not; nothing is changed then.
pub async fn work(
    runtime: &Runtime,
    id: IncidentId,
    work: Work,
    person: Person,
) -> Result<(), WorkError> {
    let now = runtime.world().now();
    let said = match &work {
        Work::Note(text) => (text, limits::NOTE_CHARS),
        _ => (&person.reason, limits::REASON_CHARS),
    };
    if said.0.chars().count() > said.1 {
        let why = format!("what is said has more than {} characters", said.1);
        return Err(WorkError::BadRequest(why));
    }
    if let Work::Close { review, .. } = &work
        && let Some(fault) = review.fault()
    {
        return Err(WorkError::BadRequest(fault));
    }
    if let Work::Milestone(milestone, at) = &work {
        marks(*milestone, *at, now)?;
    }
    let parts = Arc::new((work, person, runtime.shared.clone()));
    let done = runtime.store().write(move |tx| {
        let parts = parts.clone();
        Box::pin(async move {
            let (work, person, shared) = &*parts;
            do_one(tx, &shared.settings, (id, work), person, now).await
        })
    });
    done.await??;
    runtime.nudge();
    Ok(())
}

fn marks(milestone: Milestone, at: Timestamp, now: Timestamp) -> Result<(), WorkError> {
    if !milestone.may_be_marked_by_hand() {
        let own = Milestone::ALL.iter().filter(|one| one.may_be_marked_by_hand());
        let own: Vec<_> = own.map(|one| one.as_str()).collect();
        let why = format!("`{milestone}` is not marked by hand; these are: {}", own.join(", "));
        return Err(WorkError::BadRequest(why));
    }
    match at > now {
        true => Err(WorkError::BadRequest(format!("`at`: {at} has not come yet"))),
        false => Ok(()),
    }
}

type Came = Result<Result<(), WorkError>, StoreError>;

/// The incident that is meant, which goes on itself.
pub(crate) async fn find(
    tx: &mut Tx<'_>,
    id: IncidentId,
) -> Result<Result<Incident, WorkError>, StoreError> {
    Ok(match incidents::get(tx, id).await? {
        None => Err(WorkError::NotFound(id)),
        Some(Incident { merged_into: Some(other), .. }) => {
            Err(WorkError::Conflict(format!("{id} goes on in {other}: name that one")))
        }
        Some(incident) => Ok(incident),
    })
}

async fn do_one(
    tx: &mut Tx<'_>,
    settings: &Settings,
    (id, work): (IncidentId, &Work),
    person: &Person,
    now: Timestamp,
) -> Came {
    let incident = match find(tx, id).await? {
        Ok(incident) => incident,
        Err(error) => return Ok(Err(error)),
    };
    let mut detail = json!({"decision": work.word(), "reason": person.reason});
    match work {
        Work::Note(text) => set(&mut detail, "text", json!(text)),
        Work::Verdict(verdict) => {
            judge(tx, id, *verdict, person, now).await?;
            set(&mut detail, "verdict", json!(verdict));
        }
        Work::Assign(duties) => {
            match assign(tx, settings, (id, duties), (&person.name, now)).await? {
                Ok(told) => set(&mut detail, "text", json!(told)),
                Err(why) => return Ok(Err(WorkError::BadRequest(why))),
            }
        }
        Work::Milestone(milestone, at) => {
            // What people say later of the same milestone is what holds.
            milestones::unmark(tx, id, *milestone).await?;
            milestones::mark(tx, id, *milestone, *at, &person.name).await?;
            set(&mut detail, "milestone", json!(milestone));
            set(&mut detail, "at", json!(at));
        }
        Work::Close { verdict, force, review } => {
            // Written first: nobody makes it a whole of open parts meanwhile.
            incidents::recount(tx, id).await?;
            let lacks = lacks(tx, &incident, *verdict).await?;
            if incident.status == IncidentStatus::Closed {
                return Ok(Err(WorkError::Conflict(format!("{id} is closed already"))));
            }
            if !lacks.is_empty() && !force {
                let why = format!(
                    "{id} is not over: {}. Say `force` to close it all the same; the record keeps \
                     what lacked",
                    lacks.join("; ")
                );
                return Ok(Err(WorkError::Conflict(why)));
            }
            if let Some(verdict) = verdict {
                judge(tx, id, *verdict, person, now).await?;
            }
            milestones::mark(tx, id, Milestone::ClosedAt, now, &person.name).await?;
            projection::happen(tx, id, IncidentEvent::Closed).await?;
            pages::take_of_incident(tx, id, &person.name, now).await?;
            updates::hasten(tx, id, now).await?;
            set(&mut detail, "verdict", json!(verdict));
            set(&mut detail, "lacked", json!(lacks));
            if !review.is_empty() {
                set(&mut detail, "review", json!(review));
            }
        }
        Work::Reopen => {
            if incident.status != IncidentStatus::Closed {
                return Ok(Err(WorkError::Conflict(format!("{id} is not closed"))));
            }
            projection::happen(tx, id, IncidentEvent::Reopened).await?;
        }
    }
    record(tx, id, (&person.name, now), detail).await?;
    Ok(Ok(()))
}

/// A person has done something: it is their first action where none came before, and goes into the
/// custody chain.
async fn record(
    tx: &mut Tx<'_>,
    id: IncidentId,
    (person, now): (&str, Timestamp),
    detail: Value,
) -> Result<(), StoreError> {
    first_act::mark(tx, id, person, now).await?;
    custody::decided(tx, id, (person, now), detail).await
}

/// Gives people their duties, unless one of them is nobody.
async fn assign(
    tx: &mut Tx<'_>,
    settings: &Settings,
    (id, duties): (IncidentId, &BTreeMap<Duty, String>),
    (by, now): (&str, Timestamp),
) -> Result<Result<String, String>, StoreError> {
    let people = everybody::named(tx, settings, now).await?;
    if let Some(who) = duties.values().find(|who| !people.contains_key(*who)) {
        return Ok(Err(everybody::nobody(who)));
    }
    for (duty, who) in duties {
        assignments::set(tx, id, (*duty, who), (by, now)).await?;
    }
    let told = duties.iter().map(|(duty, who)| format!("{}: {who}", duty.as_str()));
    Ok(Ok(told.collect::<Vec<_>>().join(", ")))
}

fn set(detail: &mut Value, name: &str, value: Value) {
    if let Some(members) = detail.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
}

async fn judge(
    tx: &mut Tx<'_>,
    id: IncidentId,
    verdict: Verdict,
    person: &Person,
    now: Timestamp,
) -> Result<(), StoreError> {
    incidents::set_verdict(tx, id, verdict, &person.reason).await?;
    milestones::mark(tx, id, Milestone::VerdictAt, now, &person.name).await.map(drop)
}

/// What lacks before an incident is over.
async fn lacks(
    tx: &mut Tx<'_>,
    incident: &Incident,
    verdict: Option<Verdict>,
) -> Result<Vec<String>, StoreError> {
    let mut lacks = Vec::new();
    for run in runs::of_incident(tx, incident.id).await? {
        // What only tells detectors keeps nothing open.
        if !run.status.is_final() && run.playbook != WRITE_BACK {
            lacks.push(format!("{} (`{}`) is {}", run.id, run.playbook, run.status));
        }
    }
    for broken in broken_glass::open_of(tx, incident.id).await? {
        lacks.push(format!(
            "nobody has reviewed the glass that {} broke ({})",
            broken.person, broken.approval
        ));
    }
    for part in parts::of(tx, incident.id).await? {
        if part.status != IncidentStatus::Closed {
            lacks.push(format!("{}, a part of it, is {}", part.id, part.status.as_str()));
        }
    }
    let verdict = verdict.or(incident.verdict);
    if verdict.is_none() {
        lacks.push("nobody has said what it was (`verdict`)".to_owned());
    }
    if verdict == Some(Verdict::TruePositive) && incident.status == IncidentStatus::Open {
        lacks.push("it was real, and nothing is contained".to_owned());
    }
    Ok(lacks)
}
