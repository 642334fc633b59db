//! The least that playbooks must be allowed in AWS: one policy for looking and one for containing.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use stanch_engine_core::effect::Effect;
use stanch_engine_core::guard::target::Wants;
use stanch_engine_core::operation::Operations;

/// The policies for operations, for those that are asked whether they took place, and for what the
/// guard asks before them where it wants that; null where nothing is needed. Whose actions were not
/// looked up is named as assumed.
pub(super) fn of(operations: &dyn Operations, named: &BTreeSet<String>, wants: &Wants) -> Value {
    let (mut read, mut contain, mut assumed) = <[BTreeSet<String>; 3]>::default().into();
    // Documents are read when they are pinned, and again before they are run.
    let runs = ["ssm:SendCommand", "ssm:StartAutomationExecution"];
    let pinned = runs.iter().any(|run| named.contains(*run));
    let asked = pinned.then(|| "ssm:DescribeDocument".to_owned()).into_iter();
    let asked =
        asked.chain(named.iter().filter_map(|operation| operations.looked_up_by(operation)));
    let is_change = |it: &&String| operations.effect(it).is_ok_and(Effect::is_guarded);
    let changes = named.iter().filter(is_change);
    let surveyed = changes.flat_map(|operation| operations.asked_before(operation, wants));
    for operation in named.iter().cloned().chain(asked).chain(surveyed) {
        let operation = &operation;
        let Ok(effect) = operations.effect(operation) else { continue };
        let Some(needed) = operations.iam_actions(operation) else { continue };
        if needed.is_assumed {
            assumed.extend(needed.actions.iter().cloned());
        }
        let role = if effect >= Effect::Change { &mut contain } else { &mut read };
        role.extend(needed.actions);
    }
    let runbook = named.contains("ssm:StartAutomationExecution").then_some(RUNBOOK);
    let units = (wants.ous && !contain.is_empty()).then_some(UNITS);
    let keys = named.iter().any(|it| it.starts_with("kms:")) && !wants.encrypted.is_empty();
    let notes = runbook.into_iter().chain(units).chain(keys.then_some(KEYS));
    json!({
        "read": policy(&read), "contain": policy(&contain), "assumed": assumed,
        "notes": notes.collect::<Vec<_>>(),
    })
}

/// What no policy here says.
const RUNBOOK: &str = "a runbook acts with `automation_role` of stanch.toml: that role needs what \
    AWS's page of the runbook lists, and the role to contain iam:PassRole for it. Without one the \
    runbook acts with the role to contain, which then needs all of that itself";

const UNITS: &str = "rules of [[guard.protect]] go by organizational units: of an account whose `ou` \
    is not in stanch.toml, organizations:ListParents is asked with the base credentials, or with the \
    role that reads in `organization_account`";

const KEYS: &str = "which keys the buckets of evidence are encrypted with is asked as whoever runs \
    Stanch, who needs s3:GetEncryptionConfiguration on them, and kms:DescribeKey for an alias";

fn policy(actions: &BTreeSet<String>) -> Option<Value> {
    let statement = json!({"Effect": "Allow", "Action": actions, "Resource": "*"});
    (!actions.is_empty()).then(|| json!({"Version": "2012-10-17", "Statement": [statement]}))
}
