//! People decide.

mod break_glass;
mod handover;
mod hearing;
mod own_cause;
mod reach;
mod refusal;
mod since;
mod standing;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};
use stanch_engine_core::approval::{Answer, ApprovalStatus, Decision, Voice, tally};
use stanch_engine_core::id::{ApprovalId, InboxId};
use stanch_engine_core::json::Json;
use stanch_engine_core::step::{ErrorKind, StepError};
use stanch_engine_core::time::Timestamp;
use stanch_engine_store::approvals::{self, Approval};
use stanch_engine_store::inbox::{self, Fact, FactKind};
use stanch_engine_store::runs::{self, Claimed};
use stanch_engine_store::{StoreError, Tx, custody, pages};

pub use break_glass::{break_glass, review};
pub(crate) use break_glass::{break_offline, everybody_by_topic};
pub use handover::hand_over;
pub(crate) use reach::{Asked, ask};
pub use refusal::DecideError;
pub use since::{Since, alike, since};

use hearing::Heard;

use crate::first_act;
use crate::live::facts::Decided;
use crate::people::Caller;
use crate::projection::approval_page_keys;
use crate::runtime::Runtime;
use crate::shared::Shared;

/// What a person says.
#[derive(Clone, Debug)]
pub struct Say {
    /// Yes or no.
    pub answer: Answer,
    /// Why; a decision without a reason is not taken.
    pub reason: String,
    /// What was filled in.
    pub form: Value,
}

/// Takes a decision, and gives where the approval stands then.
///
/// # Errors
/// [`DecideError`] says why it was not taken; nothing is changed then.
pub async fn decide(
    runtime: &Runtime,
    approval: ApprovalId,
    caller: &Caller,
    say: Say,
) -> Result<ApprovalStatus, DecideError> {
    let decision = Decision {
        person: caller.name.clone(),
        answer: say.answer,
        reason: say.reason,
        form: say.form,
        at: runtime.world().now(),
        from: caller.from.clone(),
        counts_as: None,
        on_behalf: BTreeSet::new(),
        is_break_glass: false,
    };
    decide_with(runtime, approval, caller.roles.clone(), decision).await
}

async fn decide_with(
    runtime: &Runtime,
    approval: ApprovalId,
    roles: Vec<String>,
    decision: Decision,
) -> Result<ApprovalStatus, DecideError> {
    if decision.reason.trim().is_empty() {
        return Err(DecideError::BadRequest("a decision needs a reason".to_owned()));
    }
    // Whoever asked may hang up: what is claimed is taken up all the same.
    let deciding = take_and_go_on(runtime.clone(), approval, roles, decision);
    let decided = tokio::task::spawn(deciding).await;
    decided.unwrap_or_else(|error| Err(DecideError::Store(error.to_string())))
}

/// Takes a decision. A node that has room goes on with the run itself, in the same commit.
async fn take_and_go_on(
    runtime: Runtime,
    approval: ApprovalId,
    roles: Vec<String>,
    decision: Decision,
) -> Result<ApprovalStatus, DecideError> {
    let place = match runtime.is_stopping() {
        true => None,
        false => runtime.shared.room.take(1).pop(),
    };
    let claims = place.is_some();
    let parts = Arc::new((runtime.shared.clone(), roles, decision));
    let taken = runtime
        .store()
        .write(move |tx| {
            let parts = parts.clone();
            Box::pin(async move {
                let (shared, roles, decision) = &*parts;
                take(tx, shared, (approval, claims), roles, decision).await
            })
        })
        .await
        .unwrap_or_else(|error| Err(DecideError::Store(error.to_string())));
    let (status, claimed) = taken?;
    match claimed.zip(place) {
        // Who decided need not wait until a long journal is read.
        Some((claimed, place)) => {
            tokio::task::spawn(async move { runtime.loader.hand_over(claimed, place).await });
        }
        None => runtime.nudge(),
    }
    Ok(status)
}

/// Where the approval stands, and the run, if its lease was taken.
type Taken = Result<(ApprovalStatus, Option<Claimed>), DecideError>;

async fn take(
    tx: &mut Tx<'_>,
    shared: &Shared,
    (id, claims): (ApprovalId, bool),
    roles: &[String],
    decision: &Decision,
) -> Result<Taken, StoreError> {
    let mut claimed = None;
    let Some(approval) = approvals::hold(tx, id).await? else {
        return Ok(Err(DecideError::NotFound(id)));
    };
    let heard = Heard::of(tx, shared, &approval, &decision.person, decision.at).await?;
    let Voice { counts_as, on_behalf } = match may_take(&approval, &heard, roles, decision) {
        Ok(voice) => voice,
        Err(error) => return Ok(Err(error)),
    };
    let decision = &Decision { counts_as: Some(counts_as), on_behalf, ..decision.clone() };
    if !approvals::decide(tx, id, decision).await? {
        return Ok(Err(DecideError::Twice));
    }
    let decisions = heard.with(decision);
    let status = tally(&approval.rules, &decisions, approval.expires_at, decision.at);
    acknowledge(tx, &approval, decision).await?;
    if decision.is_break_glass {
        break_glass::note(tx, shared, &approval, decision).await?;
    }
    if status != ApprovalStatus::Pending {
        approvals::settle(tx, id, status, decision.at).await?;
        let [asks, alarms] = approval_page_keys(id);
        pages::take_by_keys(tx, [&asks, &alarms], &decision.person, decision.at).await?;
        let decided = Decided { approval: id, status, decisions };
        let fact = Fact {
            id: shared.world.id(InboxId::new),
            run: approval.run,
            at: decision.at,
            kind: FactKind::Decided,
            body: Json::of(&decided),
        };
        inbox::put(tx, &fact).await?;
        if claims {
            let (node, until) = (shared.node, shared.lease_until());
            claimed = runs::claim_one(tx, approval.run, node, until, decision.at).await?;
        }
    }
    Ok(Ok((status, claimed)))
}

/// Takes back a caller's yes while the approval waits for more. They can decide anew.
///
/// # Errors
/// [`DecideError`] when there is nothing to take back, or it is too late.
pub async fn withdraw(
    runtime: &Runtime,
    id: ApprovalId,
    caller: &Caller,
    reason: &str,
) -> Result<(), DecideError> {
    if reason.trim().is_empty() {
        return Err(DecideError::BadRequest("it needs a reason".to_owned()));
    }
    let parts = Arc::new((caller.clone(), reason.to_owned(), runtime.world().now()));
    let withdrawn = runtime.store().write(move |tx| {
        let parts = parts.clone();
        Box::pin(async move {
            let (caller, reason, now) = &*parts;
            take_back(tx, id, caller, reason, *now).await
        })
    });
    withdrawn.await.unwrap_or_else(|error| Err(DecideError::Store(error.to_string())))
}

async fn take_back(
    tx: &mut Tx<'_>,
    id: ApprovalId,
    caller: &Caller,
    reason: &str,
    now: Timestamp,
) -> Result<Result<(), DecideError>, StoreError> {
    let approval = match standing::find_open(tx, id, now).await? {
        Ok(approval) => approval,
        Err(error) => return Ok(Err(error)),
    };
    if !approvals::withdraw(tx, id, &caller.name, now).await? {
        let message = "you have said nothing that could be taken back";
        return Ok(Err(DecideError::BadRequest(message.to_owned())));
    }
    let said = json!({"decision": "withdrawn", "reason": reason});
    standing::note(tx, &approval, (caller, now), said).await?;
    Ok(Ok(()))
}

/// What a person says it as, when their decision may be taken. Who breaks the glass need not be asked.
fn may_take(
    approval: &Approval,
    heard: &Heard,
    roles: &[String],
    decision: &Decision,
) -> Result<Voice, DecideError> {
    standing::is_open(approval, decision.at)?;
    let voice = heard.voice(approval, (&decision.person, roles), decision.answer);
    let voice = match decision.is_break_glass {
        true => voice.unwrap_or_default(),
        false => voice?,
    };
    match &approval.form {
        Some(form) if decision.answer == Answer::Approve => {
            form.check(&decision.form).map_err(DecideError::BadRequest)?;
        }
        _ => {}
    }
    Ok(voice)
}

/// Whether an approval still has as many yeses as it needs: who gave one may have been disabled
/// since. Looked at just before a change is sent.
pub(crate) async fn still_stands(
    shared: &Shared,
    approval: Option<ApprovalId>,
) -> Result<(), StepError> {
    let Some(id) = approval else { return Ok(()) };
    let found = shared.store.read(move |conn| {
        Box::pin(async move {
            let found = approvals::get(conn, id).await?;
            Ok((found, approvals::decisions(conn, id).await?))
        })
    });
    let (found, decisions) = found.await.map_err(|error| {
        let message = format!("{id} can't be looked at: {error}");
        StepError::new(ErrorKind::Transient, "store", message)
    })?;
    let stands = found.is_some_and(|approval| {
        let now = shared.world.now();
        tally(&approval.rules, &decisions, approval.expires_at, now) == ApprovalStatus::Approved
    });
    if stands {
        return Ok(());
    }
    let message = format!(
        "{id} no longer has as many yeses as it needs, since a person who gave one was disabled: run the playbook again from its approval"
    );
    Err(StepError::denied("approval_revoked", message))
}

/// A decision is the first thing that a person does about an incident, if nothing came before it;
/// and it goes into the custody chain. It takes no page but its own: what else is wrong with the
/// incident goes on calling.
async fn acknowledge(
    tx: &mut Tx<'_>,
    approval: &Approval,
    decision: &Decision,
) -> Result<(), StoreError> {
    let Some(incident) = approval.incident else { return Ok(()) };
    first_act::mark(tx, incident, &decision.person, decision.at).await?;
    let detail = json!({
        "approval": approval.id, "title": approval.title, "plan": approval.plan_digest,
        "decision": decision,
    });
    custody::decided(tx, incident, (&decision.person, decision.at), detail).await
}

/// A person has taken an incident: its pages are over.
pub(crate) async fn taken(
    tx: &mut Tx<'_>,
    incident: stanch_engine_core::id::IncidentId,
    person: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    first_act::mark(tx, incident, person, now).await?;
    pages::take_of_incident(tx, incident, person, now).await
}
