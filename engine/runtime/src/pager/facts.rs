//! What a page is about, and what people are told of it.

use serde_json::Value;
use stanch_engine_core::approval::{Answer, ApprovalStatus, Decision, Form};
use stanch_engine_core::effect::Effect;
use stanch_engine_core::incident::IncidentStatus;
use stanch_engine_core::scope::{Subject, reaching};
use stanch_engine_core::severity::Severity;
use stanch_engine_core::span::Span;
use stanch_engine_store::StoreError;
use stanch_engine_store::approvals::{self, Approval};
use stanch_engine_store::incidents::{self, Incident};
use stanch_engine_store::pages::Page;
use stanch_engine_store::people;
use stanch_engine_store::runs::{self, Run};
use stanch_plugins_sdk::{Ask, Message, OnDuty, Recipient, Standing};
use uuid::Uuid;

use crate::elsewhere;
use crate::links;
use crate::notify;
use crate::projection::approval_of_page;
use crate::scopes;
use crate::settings::PersonSettings;
use crate::shared::Shared;

/// How long a roster may take.
const PATIENCE: Span = Span::from_secs(10);

/// What a page is about.
pub(super) struct Facts {
    page: Page,
    incident: Option<Incident>,
    run: Option<Run>,
    approval: Option<(Approval, Vec<Decision>)>,
    /// What it is about, for roles that reach only some of it.
    subject: Subject,
}

impl Facts {
    pub(super) async fn of(shared: &Shared, page: &Page) -> Result<Self, StoreError> {
        let page = page.clone();
        let found = shared.store.read(move |conn| {
            Box::pin(async move {
                let incident = match page.incident {
                    Some(id) => incidents::get(conn, id).await?,
                    None => None,
                };
                let run = match page.run {
                    Some(id) => runs::get(conn, id).await?,
                    None => None,
                };
                let approval = match approval_of_page(&page.dedup_key) {
                    Some(id) => approvals::get(conn, id).await?,
                    None => None,
                };
                let decisions = match &approval {
                    Some(approval) => approvals::decisions(conn, approval.id).await?,
                    None => Vec::new(),
                };
                let subject = match (&approval, &run) {
                    (Some(approval), _) => scopes::of_approval(conn, approval).await?,
                    (None, Some(run)) => scopes::of_run(conn, run).await?,
                    (None, None) => scopes::of_incident(conn, page.incident).await?,
                };
                let approval = approval.map(|approval| (approval, decisions));
                Ok(Self { page, incident, run, approval, subject })
            })
        });
        found.await
    }

    pub(super) fn severity(&self) -> Option<Severity> {
        self.incident.as_ref().map(|incident| incident.severity)
    }

    pub(super) fn playbook(&self) -> Option<&str> {
        self.run.as_ref().map(|run| run.playbook.as_str())
    }

    /// How it stands.
    pub(super) fn standing(&self) -> Standing {
        let settled = self.approval.as_ref().and_then(|(row, said)| end_of(row, said));
        if let Some(how) = settled {
            return Standing::Over { how };
        }
        let Some(by) = self.page.taken_by.clone() else { return Standing::Open };
        let waits = self.approval.is_some();
        let is_open = |incident: &Incident| incident.status != IncidentStatus::Closed;
        match waits || self.incident.as_ref().is_some_and(is_open) {
            true => Standing::Taken { by },
            false => Standing::Over { how: format!("{by} has taken it, and it is over") },
        }
    }

    /// What `to` is told.
    pub(super) async fn message(
        &self,
        shared: &Shared,
        to: &str,
        turn: u32,
    ) -> Result<Message, StoreError> {
        let page = &self.page;
        let mut people = people_of(shared, to, &self.subject).await?;
        if let Some((approval, _)) = self.approval.as_ref().filter(|it| !wants_sign_in(&it.0)) {
            links::give(shared, (approval, &self.subject), &mut people);
        }
        Ok(Message {
            key: page.id.to_string(),
            turn,
            to: to.to_owned(),
            code: page.code.clone(),
            text: page.message.clone(),
            severity: self.severity(),
            incident_id: page.incident,
            run_id: page.run,
            raised_at: page.raised_at,
            people,
            ask: self.approval.as_ref().map(|(approval, _)| ask(approval)),
            standing: self.standing(),
        })
    }
}

/// How an approval came to its end, if it did.
fn end_of(approval: &Approval, decisions: &[Decision]) -> Option<String> {
    let said = |answer: Answer, what: &str| {
        let of = || decisions.iter().filter(move |decision| decision.answer == answer);
        let people: Vec<_> = of().map(|decision| decision.person.as_str()).collect();
        let why = of().next_back().map_or("", |decision| decision.reason.as_str());
        format!("{what} by {}: {why}", people.join(", "))
    };
    Some(match approval.status {
        ApprovalStatus::Pending => return None,
        ApprovalStatus::Approved => said(Answer::Approve, "Approved"),
        ApprovalStatus::Rejected => said(Answer::Reject, "Rejected"),
        ApprovalStatus::Expired => "Nobody said enough in time: it is a no".to_owned(),
        ApprovalStatus::Withdrawn => "The run no longer asks".to_owned(),
    })
}

fn ask(approval: &Approval) -> Ask {
    let changes = changes(approval);
    Ask {
        approval_id: approval.id,
        title: approval.title.clone(),
        approvers: approval.approvers.clone(),
        quorum: approval.quorum,
        expires_at: approval.expires_at,
        changes: changes.iter().map(line).collect(),
        fields: approval.form.as_ref().and_then(Form::fields).unwrap_or_default(),
        wants_sign_in: wants_sign_in(approval),
    }
}

fn changes(approval: &Approval) -> Vec<Value> {
    let card = approval.card.value();
    card.get("changes").and_then(Value::as_array).cloned().unwrap_or_default()
}

fn line(change: &Value) -> String {
    let text = |name: &str| change[name].as_str().map(str::to_owned);
    let marks = change["marks"].as_array().filter(|marks| !marks.is_empty());
    let parts = [
        text("operation"),
        text("account"),
        text("region"),
        Some(change["params"].to_string()),
        marks.map(|_| change["marks"].to_string()),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// What can't be read is taken for the worst.
fn destroys(change: &Value) -> bool {
    let effect: Option<Effect> = serde_json::from_value(change["effect"].clone()).ok();
    effect.is_none_or(|effect| effect >= Effect::Destroy)
}

/// Whether an approval is only for those who have signed in: it destroys something, or asks for more
/// than fields of text can say.
pub(crate) fn wants_sign_in(approval: &Approval) -> bool {
    let has_no_fields = approval.form.as_ref().is_some_and(|form| form.fields().is_none());
    has_no_fields || changes(approval).iter().any(destroys)
}

/// The people whom `role:NAME`, `oncall:NAME` or a name means, as far as the configuration knows
/// them, without those who were disabled. A role means those whose roles reach what it is about.
pub(crate) async fn people_of(
    shared: &Shared,
    to: &str,
    subject: &Subject,
) -> Result<Vec<Recipient>, StoreError> {
    let known = &shared.settings.notify.people;
    let of = |name: &String| recipient(name, known.get(name));
    let mut people: Vec<Recipient> = match to.split_once(':') {
        Some(("role", role)) => {
            let has = |name: &&String| {
                let granted = elsewhere::granted(&shared.settings, name);
                reaching(&granted, subject).iter().any(|one| one == role)
            };
            known.keys().filter(has).map(of).collect()
        }
        Some(("oncall", duty)) => on_duty(shared, duty).await,
        _ => vec![of(&to.to_owned())],
    };
    let disabled = shared.store.read(|conn| Box::pin(people::list(conn))).await?;
    people.retain(|person| disabled.iter().all(|gone| gone.name != person.name));
    Ok(people)
}

fn recipient(name: &str, person: Option<&PersonSettings>) -> Recipient {
    let person = person.cloned().unwrap_or_default();
    let (slack, email) = (person.slack, person.email);
    Recipient { name: name.to_owned(), slack, email, link: None }
}

/// Who has a duty: as its roster says, and as the configuration does where there is none, or it can't
/// be asked.
async fn on_duty(shared: &Shared, duty: &str) -> Vec<Recipient> {
    let settings = &shared.settings.notify;
    let listed = || {
        let names = settings.on_call.get(duty).cloned().unwrap_or_default();
        names.iter().map(|name| recipient(name, settings.people.get(name))).collect()
    };
    let Some(roster) = shared.catalogue.roster(duty).cloned() else { return listed() };
    let context = notify::context(shared, (None, None), (Uuid::nil(), 1), PATIENCE);
    let asked = tokio::time::timeout(PATIENCE.duration(), roster.on_duty(&context)).await;
    match asked {
        Ok(Ok(people)) if !people.is_empty() => {
            people.into_iter().map(|person| known_as(shared, person)).collect()
        }
        Ok(Ok(_)) => {
            tracing::warn!(duty, "nobody is on call");
            listed()
        }
        Ok(Err(error)) => {
            tracing::warn!(duty, %error, "who is on call can't be asked");
            listed()
        }
        Err(_) => {
            tracing::warn!(duty, "who is on call was not answered in time");
            listed()
        }
    }
}

/// The person of the configuration whom a roster means: by their id there, or by their address.
fn known_as(shared: &Shared, person: OnDuty) -> Recipient {
    let is_it = |(_, known): &(&String, &PersonSettings)| {
        let by_address = known.email.as_deref().zip(person.email.as_deref());
        known.pagerduty.as_deref() == Some(person.id.as_str())
            || by_address.is_some_and(|(ours, theirs)| ours.eq_ignore_ascii_case(theirs))
    };
    match shared.settings.notify.people.iter().find(is_it) {
        Some((name, known)) => recipient(name, Some(known)),
        None => Recipient { name: person.name, email: person.email, ..Recipient::default() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_destroys_is_seen_and_what_nobody_knows_is_taken_for_it() {
        assert!(!destroys(&json!({"effect": "change"})));
        assert!(destroys(&json!({"effect": "destroy"})));
        assert!(destroys(&json!({"effect": null})));
        let change = json!({"operation": "iam:DeleteUser", "params": {"UserName": "x"},
            "account": "111122223333", "region": null, "marks": ["FINAL"], "effect": "destroy"});
        assert_eq!(line(&change), "iam:DeleteUser 111122223333 {\"UserName\":\"x\"} [\"FINAL\"]");
    }
}
