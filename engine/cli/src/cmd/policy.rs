//! The least that playbooks must be allowed in AWS: one policy for looking and one for containing.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use stanch_engine_core::effect::Effect;
use stanch_engine_core::operation::Operations;

/// The policies for operations, and for those that are asked whether they took place; null where
/// nothing is needed. Whose actions were not looked up is named as assumed.
pub(super) fn of(operations: &dyn Operations, named: &BTreeSet<String>) -> Value {
    let (mut read, mut contain, mut assumed) = <[BTreeSet<String>; 3]>::default().into();
    // Documents are read when they are pinned, and again before they are run.
    let runs = ["ssm:SendCommand", "ssm:StartAutomationExecution"];
    let pinned = runs.iter().any(|run| named.contains(*run));
    let asked = pinned.then(|| "ssm:DescribeDocument".to_owned()).into_iter();
    let asked =
        asked.chain(named.iter().filter_map(|operation| operations.looked_up_by(operation)));
    for operation in named.iter().cloned().chain(asked) {
        let operation = &operation;
        let Ok(effect) = operations.effect(operation) else { continue };
        let Some(needed) = operations.iam_actions(operation) else { continue };
        if needed.is_assumed {
            assumed.extend(needed.actions.iter().cloned());
        }
        let role = if effect >= Effect::Change { &mut contain } else { &mut read };
        role.extend(needed.actions);
    }
    let notes = named.contains("ssm:StartAutomationExecution").then_some(RUNBOOK);
    json!({
        "read": policy(&read), "contain": policy(&contain), "assumed": assumed,
        "notes": notes.into_iter().collect::<Vec<_>>(),
    })
}

/// What no policy here says.
const RUNBOOK: &str = "a runbook acts with `automation_role` of stanch.toml: that role needs what \
    AWS's page of the runbook lists, and the role to contain iam:PassRole for it. Without one the \
    runbook acts with the role to contain, which then needs all of that itself";

fn policy(actions: &BTreeSet<String>) -> Option<Value> {
    let statement = json!({"Effect": "Allow", "Action": actions, "Resource": "*"});
    (!actions.is_empty()).then(|| json!({"Version": "2012-10-17", "Statement": [statement]}))
}
