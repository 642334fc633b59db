//! How far an operation reaches.
//!
//! The reviewed table first, then what gives out credentials, then what AWS says in the model,
//! then the name; what is left is a change.

use stanch_plugins_sdk::core::effect::Effect;

use crate::model::Named;
use crate::reviewed;

/// Words that begin the names of operations that only look.
const READING: [&str; 20] = [
    "BatchCheck",
    "BatchDescribe",
    "BatchGet",
    "BatchList",
    "Check",
    "Count",
    "Describe",
    "Estimate",
    "Filter",
    "Get",
    "Head",
    "List",
    "Lookup",
    "Query",
    "Retrieve",
    "Scan",
    "Search",
    "Select",
    "Simulate",
    "Validate",
];

/// Words that begin the names of operations that can't be taken back.
const DESTROYING: [&str; 10] = [
    "BatchDelete",
    "Delete",
    "Destroy",
    "Discard",
    "Erase",
    "ForceDelete",
    "Purge",
    "Reboot",
    "Reset",
    "Terminate",
];

/// Words in the names of operations that give out what one can sign in with.
const CREDENTIALS: [&str; 4] =
    ["AuthorizationToken", "Credentials", "FederationToken", "SessionToken"];

/// How far an operation reaches.
pub(crate) fn of(named: Named) -> Effect {
    if let Some(reviewed) = reviewed::of(named) {
        return reviewed.effect;
    }
    let name = &*named.operation.name;
    if CREDENTIALS.iter().any(|word| name.contains(word)) && begins_with(name, "Get") {
        Effect::Change
    } else if named.operation.readonly || READING.iter().any(|word| begins_with(name, word)) {
        Effect::Read
    } else if destroys(name) {
        Effect::Destroy
    } else {
        Effect::Change
    }
}

fn destroys(name: &str) -> bool {
    let takes_back = name.ends_with("Tags") || name.ends_with("TagsFromResource");
    let later = name.starts_with("Schedule") && name.ends_with("Deletion");
    later || (!takes_back && DESTROYING.iter().any(|word| begins_with(name, word)))
}

/// Whether a name begins with a whole word: `ListUsers` with `List`, `ListenTo` not.
fn begins_with(name: &str, word: &str) -> bool {
    name.strip_prefix(word).is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ModelStore;

    #[test]
    fn effects_of_operations_that_responders_use() {
        use Effect::{Change, Destroy, Notify, Read};
        let store = ModelStore::open(None).unwrap();
        for (operation, expected) in [
            ("iam:ListUsers", Read),
            ("iam:GetAccessKeyLastUsed", Read),
            ("cloudtrail:LookupEvents", Read),
            ("s3:HeadObject", Read),
            ("secretsmanager:GetSecretValue", Read),
            ("iam:SimulatePrincipalPolicy", Read),
            ("dynamodb:Scan", Read),
            ("logs:FilterLogEvents", Read),
            ("sns:Publish", Notify),
            ("iam:UpdateAccessKey", Change),
            ("iam:DeleteUserPolicy", Change),
            ("iam:DetachUserPolicy", Change),
            ("ec2:DeleteTags", Change),
            ("ec2:CreateSnapshots", Change),
            ("ec2:ModifyNetworkInterfaceAttribute", Change),
            ("ssm:StartAutomationExecution", Change),
            ("sts:AssumeRole", Change),
            ("sts:GetSessionToken", Change),
            ("sts:GetFederationToken", Change),
            ("codeartifact:GetAuthorizationToken", Change),
            ("rds:RemoveTagsFromResource", Change),
            ("iam:DeleteAccessKey", Destroy),
            ("ec2:TerminateInstances", Destroy),
            ("ec2:DeleteSnapshot", Destroy),
            ("kms:ScheduleKeyDeletion", Destroy),
            ("sqs:PurgeQueue", Destroy),
            ("dynamodb:DeleteTable", Destroy),
        ] {
            assert_eq!(of(store.operation(operation).unwrap()), expected, "{operation}");
        }
    }

    #[test]
    fn nothing_that_only_looks_begins_with_a_word_of_change() {
        let store = ModelStore::open(None).unwrap();
        for service in ["iam", "ec2", "s3", "ssm", "kms", "rds", "lambda", "organizations"] {
            for name in store.service(service).unwrap().operations.keys() {
                let named = store.operation(&format!("{service}:{name}")).unwrap();
                let changing = ["Create", "Put", "Update", "Modify", "Attach", "Delete", "Start"];
                if changing.iter().any(|word| name.starts_with(word)) {
                    assert!(of(named) > Effect::Notify, "{named}");
                }
            }
        }
    }
}
