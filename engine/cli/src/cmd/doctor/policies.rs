//! What the active playbooks need, and whether the roles allow it.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use stanch_engine_core::guard::target::Wants;
use stanch_engine_core::operation::Operations;
use stanch_engine_core::playbook::Bundle;
use stanch_engine_runtime::playbooks;

use super::super::by_hand::{Caller, items, text, told};
use super::super::policy;
use super::report::Report;

/// The actions that the roles of an account need.
#[derive(Clone, Debug, Default)]
pub(super) struct Needed {
    /// To look.
    pub(super) read: BTreeSet<String>,
    /// To contain and to undo.
    pub(super) contain: BTreeSet<String>,
}

impl Needed {
    /// What these playbooks need.
    pub(super) fn of(published: &[Bundle], operations: &dyn Operations, wants: &Wants) -> Self {
        let named = published.iter().flat_map(|it| playbooks::examine(it, operations).operations);
        let policies = policy::of(operations, &named.collect(), wants);
        let actions = |role: &str| {
            let all = items(&policies, &format!("/{role}/Statement/0/Action"));
            all.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        Self { read: actions("read"), contain: actions("contain") }
    }
}

/// Asks IAM which of these actions a role lacks.
pub(super) async fn simulate(
    (caller, role): (&Caller, &str),
    (hop, account): (&'static str, &str),
    actions: &BTreeSet<String>,
    report: &mut Report,
) {
    if actions.is_empty() {
        return;
    }
    let params = json!({"PolicySourceArn": role, "ActionNames": actions});
    let asked = match caller.call("iam:SimulatePrincipalPolicy", params, None).await {
        Ok(done) => done.value,
        Err(error) => {
            let mend = "allow the role that reads iam:SimulatePrincipalPolicy, or hold its policies \
                        against `stanch check playbooks --policies` yourself";
            let found = format!("what {role} allows could not be asked: {}", told(&error));
            return report.warn(hop, account, found, mend);
        }
    };
    let results = items(&asked, "/EvaluationResults").iter();
    let denied: Vec<&str> = results
        .filter(|result| text(result, "/EvalDecision") != "allowed")
        .map(|result| text(result, "/EvalActionName"))
        .collect();
    if denied.is_empty() {
        let found = format!("{role} allows the {} actions of the playbooks", actions.len());
        return report.ok(hop, account, found);
    }
    let found = format!("{role} lacks {}", denied.join(", "));
    let mend = "add them to the role (deploy/aws has those of the shipped playbooks): a step that \
                needs one is refused";
    report.missing(hop, account, found, mend);
}
