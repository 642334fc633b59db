//! Steps that ask people.

use serde_json::{Value, json};
use stanch_engine_core::approval::{Answer, ApprovalOptions, ApprovalStatus, asked};
use stanch_engine_core::command::{ApprovalArgs, Verb};
use stanch_engine_core::effect::Mode;
use stanch_engine_core::id::ApprovalId;
use stanch_engine_core::json::{Json, kept};
use stanch_engine_core::plan::{Change, Plan};
use stanch_engine_core::run_state::OpenStep;
use stanch_engine_core::step::{StepError, StepKey};
use stanch_engine_store::approvals::Approval;

use super::action::mode;
use super::unreadable;
use crate::approvals::Asked;
use crate::live::Live;
use crate::live::facts::Decided;
use crate::projection::{Projection, alarm_key, approval_page_key, approval_page_keys};
use crate::shared::Shared;

pub(super) fn start(
    live: &mut Live,
    shared: &Shared,
    key: &StepKey,
    args: &Json,
) -> Result<(), StepError> {
    let args: ApprovalArgs = args.read().map_err(|error| unreadable(&error))?;
    args.options.check().map_err(|message| StepError::permanent("bad_arguments", message))?;
    let row = put(live, shared, key, &args.title, args.options);
    live.wait(key.clone(), Some(row.id.to_string()), Some(row.expires_at));
    Ok(())
}

/// Puts the question to people: its row, and the page that tells them.
pub(super) fn put(
    live: &mut Live,
    shared: &Shared,
    key: &StepKey,
    title: &str,
    options: ApprovalOptions,
) -> Approval {
    let id = shared.world.id(ApprovalId::new);
    let expires_at = live.now().plus_ms(options.expires().ms);
    let rules = options.rules();
    let row = Approval {
        id,
        run: live.who.id,
        step: key.clone(),
        incident: live.who.incident,
        status: ApprovalStatus::Pending,
        title: title.to_owned(),
        approvers: asked(&rules),
        quorum: rules.iter().map(|rule| rule.count).sum(),
        form: options.form.clone(),
        plan_digest: options.plan.as_ref().map(Plan::digest),
        card: card(live, shared, &options),
        rules,
        out_of_reach: None,
        evidence_head: None,
        plan: options.plan.clone(),
        requested_at: live.now(),
        expires_at,
        decided_at: None,
    };
    let mut to = row.approvers.clone();
    to.extend(options.escalate.iter().cloned());
    let message = format!(
        "{title} It is a no at {expires_at:.0}. Look: `stanch approvals show {id}`. Decide: `stanch approve {id} --reason \"…\"`, `stanch reject {id} --reason \"…\"`."
    );
    let mut page = shared.page(approval_page_key(id), to, "approval", message);
    page.incident = live.who.incident;
    page.run = Some(live.who.id);
    // Everybody in the chain hears of it before it is too late.
    let turns = i64::try_from(page.chain.len().max(2)).unwrap_or(2);
    page.repeat_ms = page.repeat_ms.min(options.expires().ms / turns);
    let mut alarm =
        shared.page(alarm_key(id), vec!["role:admin".to_owned()], "approval", String::new());
    (alarm.incident, alarm.run) = (page.incident, page.run);
    let requester_counts = shared.settings.requester_counts;
    // Who decides in a simulation is nobody, and whom an identity provider knows, nobody can count.
    let is_counted = shared.settings.simulation.is_none() && !shared.settings.vouches_for_people;
    let alarm = is_counted.then_some(alarm);
    let elsewhere = shared.settings.notify.people.clone();
    let roles = shared.settings.roles.clone();
    let asked = Asked { approval: row.clone(), alarm, elsewhere, requester_counts, roles };
    live.project(Projection::Ask(Box::new(asked)));
    live.project(Projection::Raise(Box::new(page)));
    row
}

/// What people see beside the question.
fn card(live: &Live, shared: &Shared, options: &ApprovalOptions) -> Json {
    let items = options.plan.iter().flat_map(|plan| &plan.items);
    let changes: Vec<Value> = items.map(|item| describe(shared, item)).collect();
    let observes = |item: &Change| mode(live, shared, item.account.as_deref()) == Mode::Observe;
    let only_observed = options.plan.iter().flat_map(|plan| &plan.items).any(observes);
    Json::canonical(&json!({
        "playbook": live.who.playbook,
        "about": live.about.title,
        "changes": changes,
        "note": only_observed.then_some("the account or the playbook is in mode `observe`: whatever is decided, nothing is changed"),
        "if_nobody_answers": "it is a no: nothing of the plan is done, and people are paged again",
    }))
}

fn describe(shared: &Shared, item: &Change) -> Value {
    let effect = shared.catalogue.operations().effect(&item.operation).ok();
    json!({
        "operation": item.operation, "params": item.params, "account": item.account,
        "region": item.region, "document": item.document, "effect": effect, "marks": item.marks(),
        "undone_by": item.inverse.as_ref().map(|inverse| &inverse.operation),
        "before": item.before.as_ref().map(|before| &before.state), "notes": item.notes,
        "probed_by": item.probe.as_ref().map(|probe| &probe.operation),
    })
}

/// Nobody answered enough in time: that is a no.
pub(crate) fn expire(live: &mut Live, shared: &Shared, key: StepKey, step: &OpenStep) {
    let Some(id) = step.waits_for.as_deref().and_then(|id| id.parse::<ApprovalId>().ok()) else {
        return;
    };
    live.project(Projection::Expire(id, live.now()));
    let by = "stanch".to_owned();
    for key in approval_page_keys(id) {
        live.project(Projection::TakePage { key, by: by.clone(), at: live.now() });
    }
    let args = step.head.args.read::<ApprovalArgs>();
    let title = args.as_ref().map_or("a change outside of a plan", |args| args.title.as_str());
    let message = format!("Nobody answered in time, which is a no: {title} ({id})");
    live.page(shared, &format!("unanswered/{id}"), "unanswered", message);
    if step.head.verb == Verb::Approval {
        let (status, decisions) = (ApprovalStatus::Expired, Vec::new());
        let gate = gate(step, &Decided { approval: id, status, decisions });
        live.succeed(key, gate, None);
    } else {
        let message = "nobody answered in time, which is a no";
        live.fail(key, StepError::denied("approval_expired", message), None);
    }
}

/// What the playbook gets to see. The form has its members whether or not they were filled in.
pub(crate) fn gate(step: &OpenStep, decided: &Decided) -> Json {
    let form = step.head.args.read::<ApprovalArgs>().ok().and_then(|args| args.options.form);
    let wanted = match decided.status {
        ApprovalStatus::Rejected => Answer::Reject,
        _ => Answer::Approve,
    };
    let said: Vec<_> = decided.decisions.iter().filter(|d| d.answer == wanted).collect();
    let last = said.last();
    let form = form.map(|form| kept(form.seen(last.map(|decision| &decision.form))));
    let form = form.unwrap_or_else(|| json!({}));
    Json::canonical(&json!({
        "approval": decided.approval,
        "outcome": decided.status,
        "reason": last.map(|decision| &decision.reason),
        "form": form,
        "decided_by": said.iter().map(|decision| &decision.person).collect::<Vec<_>>(),
    }))
}
