//! What was contained and still stands. Whoever owns it is asked when its time is over, and again and
//! again until they say that it stands longer or for good, or have it taken back. By itself nothing is
//! taken back: what an attacker waits for is a lock that opens when nobody looks.

use std::sync::Arc;

use serde_json::json;
use stanch_engine_core::approval::Answer;
use stanch_engine_core::audit::{Asked, Ended};
use stanch_engine_core::containment::{ContainmentStatus, OneStep, Standing, Took};
use stanch_engine_core::duty::Duty;
use stanch_engine_core::id::{ApprovalId, ContainmentId, IncidentId, RunId};
use stanch_engine_core::limits;
use stanch_engine_core::span::Span;
use stanch_engine_core::step::StepKey;
use stanch_engine_core::time::Timestamp;
use stanch_engine_store::containments::{self as rows, Containment, End};
use stanch_engine_store::people::{self, Disabled};
use stanch_engine_store::runs::Run;
use stanch_engine_store::{StoreError, Tx, approvals, assignments, audit, custody, pages, runs};
use tokio::sync::watch;

use crate::first_act;
use crate::runs::Person;
use crate::runtime::Runtime;
use crate::shared::Shared;
use crate::{everybody, rounds};

/// How often it is looked what has run out, when nothing is due sooner: another node may have contained
/// something.
const LOOK: Span = Span::from_secs(60);

/// Those that are asked about in one round.
const ROUND: u32 = 100;

/// Whose a containment is that nobody said yes to.
const ANYBODY: &str = "role:responder";

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum ContainmentError {
    /// There is no such containment.
    #[error("there is no containment {0}")]
    NotFound(ContainmentId),
    /// It can't be asked for.
    #[error("{0}")]
    BadRequest(String),
    /// It stands for good, or was taken back.
    #[error("{id} does not stand for a while any more: it is {status}", id = .0, status = .1.as_str())]
    Over(ContainmentId, ContainmentStatus),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What becomes of a containment.
#[derive(Clone, Debug)]
pub enum Becomes {
    /// It stands until then.
    Extended(Timestamp),
    /// It stands for good, and nobody is asked about it any more.
    Final,
    /// It is another's.
    Owned(String),
}

/// What stands from now on, on its way into the database.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Begun {
    pub(crate) row: Containment,
    /// The approval of its plan, where there was one: whoever said yes owns what comes of it.
    pub(crate) approval: Option<ApprovalId>,
}

/// Something stands from now on. It is the incident's lead's; else of whoever approved it last.
pub(crate) async fn begin(tx: &mut Tx<'_>, begun: &Begun) -> Result<(), StoreError> {
    let mut row = begun.row.clone();
    let lead = match row.incident {
        Some(incident) => assignments::of(tx, incident).await?.remove(&Duty::Lead),
        None => None,
    };
    let approved_by = match begun.approval {
        Some(id) => {
            approvals::decisions(tx, id).await?.into_iter().rev().find_map(|decision| {
                (decision.answer == Answer::Approve).then_some(decision.person)
            })
        }
        None => None,
    };
    for who in lead.into_iter().chain(approved_by) {
        if !people::is_disabled(tx, &who).await? {
            row.owner = who;
            break;
        }
    }
    rows::insert(tx, &row).await
}

/// A person was disabled: what is theirs is anybody's from now on. Gives what that was.
pub(crate) async fn disown(
    tx: &mut Tx<'_>,
    gone: &Disabled,
) -> Result<Vec<ContainmentId>, StoreError> {
    let theirs = rows::of_owner(tx, &gone.name).await?;
    rows::own_all(tx, &gone.name, ANYBODY).await?;
    for it in &theirs {
        let Some(incident) = it.incident else { continue };
        let detail = json!({
            "decision": "handover", "text": format!("{} is {ANYBODY}'s", it.id),
            "reason": format!("{} was disabled: {}", gone.name, gone.reason),
            "containment": it.id, "run": it.run,
        });
        custody::decided(tx, incident, (&gone.by, gone.at), detail).await?;
    }
    Ok(theirs.into_iter().map(|it| it.id).collect())
}

/// A row of what a run contained.
pub(crate) fn row(
    shared: &Shared,
    (run, step): (RunId, String),
    changes: Vec<Standing>,
    now: Timestamp,
) -> Containment {
    let expires_at = now.plus_ms(shared.settings.containments.expires.ms);
    Containment {
        id: shared.world.id(ContainmentId::new),
        incident: None,
        run,
        step,
        changes,
        owner: ANYBODY.to_owned(),
        status: ContainmentStatus::Open,
        began_at: now,
        expires_at,
        ask_at: expires_at,
        asked: 0,
        end: None,
    }
}

/// A run has taken back what another one did, and what that one had others do: nothing of it stands any
/// more; or one step of it, and the rest stands. Where the other one had taken something back itself,
/// that stands again, until `expires_at`.
pub(crate) async fn undone(
    tx: &mut Tx<'_>,
    (by, one): (RunId, Option<&OneStep>),
    (now, expires_at): (Timestamp, Timestamp),
) -> Result<(), StoreError> {
    let Some(undoing) = runs::get(tx, by).await? else { return Ok(()) };
    let Some(target) = undone_by(&undoing) else { return Ok(()) };
    stand_again(tx, (target, undoing.incident), expires_at).await?;
    for mut it in rows::open_beside(tx, target, undoing.incident).await? {
        if !is_under(tx, it.run, target).await? {
            continue;
        }
        let (took, what) = match one {
            None => (Took::All, target.to_string()),
            Some(one) if it.run == target => {
                let verified = StepKey::from(it.step.as_str());
                let took = one.taken_from(&verified, &mut it.changes, by);
                (took, format!("the step {} of {target}", one.step))
            }
            Some(_) => continue,
        };
        if one.is_some() && took != Took::Nothing {
            rows::change(tx, it.id, &it.changes).await?;
        }
        if took == Took::All {
            let reason = format!("{by} took back what {what} did");
            let end = End { at: now, by: undoing.requester.clone(), reason, undone_by: Some(by) };
            rows::end(tx, it.id, ContainmentStatus::Undone, &end).await?;
            pages::take_by_key(tx, &page_key(&it), &undoing.requester, now).await?;
        }
    }
    Ok(())
}

/// The run that a run takes back.
fn undone_by(undoing: &Run) -> Option<RunId> {
    undoing.subject.as_deref()?.strip_prefix("undo/")?.parse().ok()
}

/// What a run had taken back stands again, since that was taken back: whole plans, and single changes.
async fn stand_again(
    tx: &mut Tx<'_>,
    (run, incident): (RunId, Option<IncidentId>),
    until: Timestamp,
) -> Result<(), StoreError> {
    rows::stand_again(tx, run, until).await?;
    let found = runs::get(tx, run).await?;
    let Some(contained) = found.as_ref().and_then(undone_by) else { return Ok(()) };
    for mut it in rows::beside(tx, contained, incident).await? {
        let mut stands = false;
        for change in it.changes.iter_mut().filter(|change| change.undone_by == Some(run)) {
            change.undone_by = None;
            stands = true;
        }
        if stands {
            rows::stand_again_with(tx, it.id, &it.changes, until).await?;
        }
    }
    Ok(())
}

/// Whether a run is another one, or was started by it or by one that it started.
async fn is_under(tx: &mut Tx<'_>, run: RunId, above: RunId) -> Result<bool, StoreError> {
    let mut next = Some(run);
    while let Some(id) = next {
        if id == above {
            return Ok(true);
        }
        next = runs::get(tx, id).await?.and_then(|run| run.parent).map(|parent| parent.run);
    }
    Ok(false)
}

/// One of them.
///
/// # Errors
/// [`ContainmentError`] when there is none of this id.
pub async fn get(runtime: &Runtime, id: ContainmentId) -> Result<Containment, ContainmentError> {
    let found = runtime.store().read(|conn| Box::pin(rows::get(conn, id))).await?;
    found.ok_or(ContainmentError::NotFound(id))
}

/// A person says what becomes of a containment. It is in the custody chain of its incident.
///
/// # Errors
/// [`ContainmentError`] says why not; nothing is changed then.
pub async fn become_of(
    runtime: &Runtime,
    id: ContainmentId,
    becomes: Becomes,
    person: Person,
) -> Result<Containment, ContainmentError> {
    let now = runtime.world().now();
    let wrong = |why: String| Err(ContainmentError::BadRequest(why));
    if person.reason.trim().is_empty() {
        return wrong("it needs a reason".to_owned());
    }
    if person.reason.chars().count() > limits::REASON_CHARS {
        return wrong(format!("a reason has at most {} characters", limits::REASON_CHARS));
    }
    if let Becomes::Extended(until) = &becomes
        && (*until <= now || *until > now.plus_ms(limits::CONTAINMENT_MS))
    {
        return wrong(format!(
            "`until`: {until} has passed, or is more than 90 days away: make it final, or say a nearer time"
        ));
    }
    let parts = Arc::new((runtime.shared.clone(), becomes, person));
    let done = runtime.store().write(move |tx| {
        let parts = parts.clone();
        Box::pin(async move {
            let (shared, becomes, person) = &*parts;
            make(tx, shared, (id, becomes), person, now).await
        })
    });
    done.await??;
    runtime.shared.paging.notify_one();
    get(runtime, id).await
}

async fn make(
    tx: &mut Tx<'_>,
    shared: &Shared,
    (id, becomes): (ContainmentId, &Becomes),
    person: &Person,
    now: Timestamp,
) -> Result<Result<(), ContainmentError>, StoreError> {
    let Some(it) = rows::get(tx, id).await? else {
        return Ok(Err(ContainmentError::NotFound(id)));
    };
    if it.status != ContainmentStatus::Open {
        return Ok(Err(ContainmentError::Over(id, it.status)));
    }
    let (word, what) = match becomes {
        Becomes::Extended(until) => {
            rows::extend(tx, id, *until).await?;
            ("extend", format!("{id} stands until {until:.0}"))
        }
        Becomes::Final => {
            let (by, reason) = (person.name.clone(), person.reason.clone());
            let end = End { at: now, by, reason, undone_by: None };
            rows::end(tx, id, ContainmentStatus::Final, &end).await?;
            ("finalize", format!("{id} stands for good"))
        }
        Becomes::Owned(to) => {
            let is_group = to.starts_with("role:");
            if !is_group && !everybody::named(tx, &shared.settings, now).await?.contains_key(to) {
                return Ok(Err(ContainmentError::BadRequest(everybody::nobody(to))));
            }
            rows::own(tx, id, to).await?;
            ("handover", format!("{id} is {to}'s"))
        }
    };
    pages::take_by_key(tx, &page_key(&it), &person.name, now).await?;
    let Some(incident) = it.incident else { return Ok(Ok(())) };
    let detail = json!({
        "decision": word, "text": what, "reason": person.reason, "containment": id, "run": it.run,
    });
    first_act::mark(tx, incident, &person.name, now).await?;
    custody::decided(tx, incident, (&person.name, now), detail).await.map(Ok)
}

/// The page that asked last.
fn page_key(it: &Containment) -> String {
    format!("containment/{}/{}", it.id, it.asked)
}

/// Asks the owners of what has run out, until it is told to stop.
pub(crate) async fn work(shared: Arc<Shared>, stop: watch::Receiver<bool>) {
    let what = (LOOK, "what was contained can't be looked at");
    rounds::work(&shared, stop, what, || round(&shared)).await;
}

async fn round(shared: &Arc<Shared>) -> Result<Option<Timestamp>, StoreError> {
    let now = shared.world.now();
    for it in shared.store.read(|conn| Box::pin(rows::due(conn, now, ROUND))).await? {
        let parts = Arc::new((shared.clone(), it));
        let asked = shared.store.write(move |tx| {
            let parts = parts.clone();
            Box::pin(async move { ask(tx, &parts.0, &parts.1, now).await })
        });
        if asked.await? {
            shared.paging.notify_one();
        }
    }
    shared.store.read(|conn| Box::pin(rows::next(conn))).await
}

/// Asks an owner; false when another node has, or something became of it.
async fn ask(
    tx: &mut Tx<'_>,
    shared: &Shared,
    it: &Containment,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let again_at = now.plus_ms(shared.settings.containments.ask_again.ms);
    if !rows::asked(tx, it, again_at).await? {
        return Ok(false);
    }
    // Who took the page before and said nothing is asked anew.
    pages::take_by_key(tx, &page_key(it), "stanch", now).await?;
    let (id, run) = (it.id, it.run);
    let message = format!(
        "What {run} contained was to stand until {:.0}, and still does: {}. Say what becomes of it: `stanch \
         containments extend {id} --for 3d --reason \"…\"`, `stanch containments finalize {id} --reason \
         \"…\"`, or `stanch undo {run} --reason \"…\"`. Nothing is taken back by itself.",
        it.expires_at,
        operations(&it.changes),
    );
    let mut to = vec![it.owner.clone()];
    if it.owner != ANYBODY {
        to.push(ANYBODY.to_owned());
    }
    let asked = Containment { asked: it.asked + 1, ..it.clone() };
    let mut page = shared.page(page_key(&asked), to, "containment", message);
    (page.incident, page.run) = (it.incident, Some(run));
    pages::raise(tx, &page).await?;
    let told = Asked {
        at: now,
        actor: Some("stanch serve".to_owned()),
        token: None,
        verb: "containments.expire".to_owned(),
        object: Some(id.to_string()),
        from: "this machine".to_owned(),
        reason: None,
        detail: json!({"owner": it.owner, "expires_at": it.expires_at, "asked": asked.asked}),
    };
    audit::append(tx, &told, &Ended::DONE).await?;
    Ok(true)
}

/// The operations, each once.
fn operations(changes: &[Standing]) -> String {
    let mut names: Vec<String> = Vec::new();
    for change in changes {
        let account = change.account.as_deref().map(|id| format!(" in {id}")).unwrap_or_default();
        let name = format!("{}{account}", change.operation);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.join(", ")
}
