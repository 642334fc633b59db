//! What was asked and answered, held against the chain in both directions: each answer is in a record,
//! and what records name is there, as they name it.

use serde_json::Value;
use stanch_engine_core::chain::Walked;
use stanch_engine_core::custody::Record;
use stanch_engine_core::custody::answers::{Answers, REVOKED_AT, Said, approval_of, person_of};

use super::Fault;

/// Which member of an approval is which of a record's.
const NAMED: [(&str, &str); 2] = [("title", "title"), ("plan", "plan_sha256")];

/// Compares. `told` are the texts beside the records; without them nothing can be said.
pub(super) fn compare(
    approvals: &[Value],
    walked: &[Walked<Record>],
    told: &[Value],
) -> Result<(), Fault> {
    let records = || walked.iter().map(|walked| &walked.record).zip(told);
    let given = |approval: &str, decision: &Value| {
        records().any(|(record, detail)| {
            approval_of(record, detail) == Some(approval)
                && detail.get("decision") == Some(decision)
        })
    };
    for approval in approvals {
        let id = id_of(approval).unwrap_or_default();
        for decision in decisions(approval) {
            if !given(id, &without_end(decision)) {
                let person = person_of(decision).to_owned();
                return Err(Fault::Decision { person, approval: id.to_owned() });
            }
        }
    }
    let mut answers = Answers::default();
    for (record, detail) in records() {
        answers.hear(record, detail);
        if let Some(id) = approval_of(record, detail) {
            is_named(approvals, id, (record.seq, detail))?;
        }
    }
    answers.all().iter().try_for_each(|said| is_shown(approvals, said))
}

fn id_of(approval: &Value) -> Option<&str> {
    approval.get("id").and_then(Value::as_str)
}

fn find<'a>(approvals: &'a [Value], id: &str) -> Option<&'a Value> {
    approvals.iter().find(|approval| id_of(approval) == Some(id))
}

fn decisions(approval: &Value) -> impl Iterator<Item = &Value> {
    approval.get("decisions").and_then(Value::as_array).into_iter().flatten()
}

/// A decision as it was given, whether or not it was taken back since.
fn without_end(decision: &Value) -> Value {
    let mut decision = decision.clone();
    if let Some(members) = decision.as_object_mut() {
        members.remove(REVOKED_AT);
    }
    decision
}

/// The approval that a record names is there, under the title and of the plan that the record has.
fn is_named(approvals: &[Value], id: &str, (seq, detail): (u64, &Value)) -> Result<(), Fault> {
    let fault = |what: String| Err(Fault::Approval(format!("{id} {what}")));
    let Some(approval) = find(approvals, id) else {
        return fault(format!("is missing: record {seq} names it"));
    };
    for (named, shown) in NAMED {
        if detail.get(named).is_some_and(|it| approval.get(shown) != Some(it)) {
            return fault(format!("has another {named} than in record {seq}"));
        }
    }
    Ok(())
}

/// The last answer of a person is there, and counts as long as the chain says.
fn is_shown(approvals: &[Value], said: &Said) -> Result<(), Fault> {
    let Said { seq, approval, decision } = said;
    let what = format!("what {} said to {approval}", said.person());
    let fault = |what: String| Err(Fault::Approval(what));
    let given = without_end(decision);
    let mut shown = find(approvals, approval).into_iter().flat_map(decisions);
    match shown.find(|shown| without_end(shown) == given) {
        None => fault(format!("{what} is missing: it is in record {seq}")),
        Some(shown) if shown != decision => {
            fault(format!("{what} was taken back, or was not, other than the records say"))
        }
        Some(_) => Ok(()),
    }
}
