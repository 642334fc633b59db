//! The least that playbooks must be allowed in AWS: one policy for looking and one for containing.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use stanch_engine_core::effect::Effect;
use stanch_engine_core::operation::Operations;

/// The policies for operations, and for those that are asked whether they took place. Whose actions were not looked up is named as assumed.
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
    json!({"read": policy(&read), "contain": policy(&contain), "assumed": assumed})
}

fn policy(actions: &BTreeSet<String>) -> Value {
    let statement = json!({"Effect": "Allow", "Action": actions, "Resource": "*"});
    let statements = if actions.is_empty() { json!([]) } else { json!([statement]) };
    json!({"Version": "2012-10-17", "Statement": statements})
}
