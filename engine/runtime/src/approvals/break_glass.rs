//! One person answers for everybody: at once, told to everybody, and looked at by another person
//! afterwards.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::json;
use stanch_engine_core::approval::{Answer, ApprovalStatus, Decision, may_decide};
use stanch_engine_core::id::ApprovalId;
use stanch_engine_core::time::Timestamp;
use stanch_engine_store::approvals::Approval;
use stanch_engine_store::broken_glass::{self, BrokenGlass, Review};
use stanch_engine_store::{StoreError, Tx, custody, pages};

use super::{DecideError, decide_with, take};
use crate::people::{Caller, Role};
use crate::runtime::Runtime;
use crate::shared::Shared;

/// Answers for everybody. It counts as enough yeses at once, also where the caller asks themselves.
///
/// # Errors
/// [`DecideError`] says why it was not taken; nothing is changed then.
pub async fn break_glass(
    runtime: &Runtime,
    id: ApprovalId,
    caller: &Caller,
    (reason, form): (String, serde_json::Value),
) -> Result<ApprovalStatus, DecideError> {
    let allowed = &runtime.settings().break_glass;
    if !caller.is(Role::Admin) && !may_decide(allowed, &caller.name, &caller.roles) {
        let mut who = vec!["role:admin".to_owned()];
        who.extend(allowed.iter().cloned());
        return Err(DecideError::NoGlass { person: caller.name.clone(), who });
    }
    let decision = Decision {
        person: caller.name.clone(),
        answer: Answer::Approve,
        reason,
        form,
        at: runtime.world().now(),
        from: caller.from.clone(),
        counts_as: None,
        on_behalf: BTreeSet::new(),
        is_break_glass: true,
    };
    let status = decide_with(runtime, id, caller.roles.clone(), decision).await?;
    tracing::warn!(approval = %id, by = %caller.name, "glass was broken");
    runtime.shared.paging.notify_one();
    Ok(status)
}

/// The same, in the database itself, by whoever has the offline key. The run goes on when a node finds it.
pub(crate) async fn break_offline(
    tx: &mut Tx<'_>,
    shared: &Shared,
    id: ApprovalId,
    decision: &Decision,
) -> Result<Result<ApprovalStatus, DecideError>, StoreError> {
    let taken = take(tx, shared, (id, false), &[], decision).await?;
    Ok(taken.map(|(status, _)| status))
}

/// Writes it down, and tells everybody that the configuration names.
pub(super) async fn note(
    tx: &mut Tx<'_>,
    shared: &Shared,
    approval: &Approval,
    decision: &Decision,
) -> Result<(), StoreError> {
    let broken = BrokenGlass {
        approval: approval.id,
        incident: approval.incident,
        title: approval.title.clone(),
        person: decision.person.clone(),
        reason: decision.reason.clone(),
        at: decision.at,
        review: None,
    };
    broken_glass::insert(tx, &broken).await?;
    let message = format!(
        "BREAK-GLASS: {} approved `{}` alone: {}. Another person must look at it: `stanch break-glass review {} --text \"…\"`",
        decision.person, approval.title, decision.reason, approval.id
    );
    for to in everybody_by_topic(shared, &approval.approvers) {
        let key = format!("break-glass/{}/{}", approval.id, to.join(","));
        let mut page = shared.page(key, to, "break_glass", message.clone());
        (page.incident, page.run) = (approval.incident, Some(approval.run));
        pages::raise(tx, &page).await?;
    }
    Ok(())
}

/// Everybody that there is a channel of their own for, each in a page of their own, and whoever was
/// asked in one more.
pub(crate) fn everybody_by_topic(shared: &Shared, approvers: &[String]) -> Vec<Vec<String>> {
    let topics = &shared.settings.notify.topics;
    let own = topics.keys().map(|who| vec![who.clone()]);
    let mut asked = vec!["role:admin".to_owned()];
    asked.extend(approvers.iter().filter(|who| !topics.contains_key(*who)).cloned());
    own.chain(std::iter::once(asked)).collect()
}

/// Another person has looked at it, and says what they think of it.
///
/// # Errors
/// [`DecideError`] when there is nothing to look at, or it was them.
pub async fn review(
    runtime: &Runtime,
    id: ApprovalId,
    caller: &Caller,
    text: &str,
) -> Result<(), DecideError> {
    if text.trim().is_empty() {
        return Err(DecideError::BadRequest("`text` is empty: say what you found".to_owned()));
    }
    let review =
        Review { at: runtime.world().now(), by: caller.name.clone(), text: text.to_owned() };
    let parts = Arc::new((review, caller.from.clone()));
    let done = runtime.store().write(move |tx| {
        let parts = parts.clone();
        Box::pin(async move {
            let (review, from) = &*parts;
            close(tx, id, review, from).await
        })
    });
    done.await.unwrap_or_else(|error| Err(DecideError::Store(error.to_string())))
}

async fn close(
    tx: &mut Tx<'_>,
    id: ApprovalId,
    review: &Review,
    from: &str,
) -> Result<Result<(), DecideError>, StoreError> {
    let Some(broken) = broken_glass::get(tx, id).await? else {
        return Ok(Err(DecideError::NotFound(id)));
    };
    if let Some(Review { by, .. }) = &broken.review {
        return Ok(Err(DecideError::Conflict(format!("{by} has reviewed it already"))));
    }
    if broken.person == review.by {
        let message = "you broke the glass: another person must look at it".to_owned();
        return Ok(Err(DecideError::Conflict(message)));
    }
    broken_glass::review(tx, id, review).await?;
    take_pages(tx, id, &review.by, review.at).await?;
    if let Some(incident) = broken.incident {
        let detail = json!({
            "approval": id, "title": broken.title, "decision": "break_glass_reviewed",
            "text": review.text, "of": broken.person, "from": from,
        });
        custody::decided(tx, incident, (&review.by, review.at), detail).await?;
    }
    Ok(Ok(()))
}

async fn take_pages(
    tx: &mut Tx<'_>,
    id: ApprovalId,
    by: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    pages::take_by_prefix(tx, &format!("break-glass/{id}/"), by, now).await
}
