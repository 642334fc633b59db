//! How far an operation reaches.
//!
//! The reviewed table first, then what gives out credentials, then what AWS says in the model,
//! then the name; what is left is a change.

use stanch_plugins_sdk::core::effect::Effect;

use crate::model::Named;
use crate::reviewed;

/// Words that begin the names of operations that only look.
const READING: [&str; 17] = [
    "BatchDescribe",
    "BatchGet",
    "BatchList",
    "Count",
    "Describe",
    "Estimate",
    "Filter",
    "Get",
    "Head",
    "List",
    "Lookup",
    "Query",
    "Scan",
    "Search",
    "Select",
    "Simulate",
    "Validate",
];

/// Words that begin the names of operations that do more than look, whatever the model says.
const CHANGING: [&str; 22] = [
    "Add",
    "Attach",
    "BatchStart",
    "Cancel",
    "Check",
    "Create",
    "Disable",
    "Enable",
    "Execute",
    "Export",
    "Import",
    "Modify",
    "Put",
    "Remove",
    "Retrieve",
    "Revoke",
    "Run",
    "Send",
    "Set",
    "Start",
    "Stop",
    "Update",
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

/// Operations that make something, or use something up, although they are called as if they looked.
const MAKING: [&str; 4] = [
    "cognito-identity:GetId",
    "cognito-idp:GetTokensFromRefreshToken",
    "ssm:GetDeployablePatchSnapshotForInstance",
    "timestream-query:Query",
];

/// Words in the names of operations that give out what one can sign in with.
const CREDENTIALS: [&str; 16] = [
    "AccessToken",
    "AuthCode",
    "AuthToken",
    "AuthorizationToken",
    "BucketAccessKeys",
    "Credentials",
    "DataAccess",
    "DelegatedAccess",
    "EmbedUrl",
    "FederationToken",
    "InstanceAccessDetails",
    "Oauth2Token",
    "OpenIdToken",
    "PaymentToken",
    "SessionToken",
    "WebIdentityToken",
];

/// How far an operation reaches.
pub(crate) fn of(named: Named) -> Effect {
    if let Some(reviewed) = reviewed::of(named) {
        return reviewed.effect;
    }
    let name = &*named.operation.name;
    let looks = READING.iter().any(|word| begins_with(name, word));
    let changes = CHANGING.iter().any(|word| begins_with(name, word));
    let makes = MAKING.contains(&&*named.to_string());
    if makes || CREDENTIALS.iter().any(|word| name.contains(word)) {
        Effect::Change
    } else if looks || (named.operation.readonly && !changes) {
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
        let mut wrong = Vec::new();
        for service in store.services() {
            for operation in store.service(service).unwrap().operations.values() {
                let name = format!("{service}:{}", operation.name);
                let Ok(named) = store.operation(&name) else { continue };
                let changes = CHANGING.iter().chain(&DESTROYING);
                let changes = changes.into_iter().any(|word| begins_with(&operation.name, word));
                if changes && reviewed::of(named).is_none() && of(named) == Effect::Read {
                    wrong.push(name);
                }
            }
        }
        assert_eq!(wrong, Vec::<String>::new());
    }

    #[test]
    fn what_somebody_can_sign_in_with_is_a_change() {
        let store = ModelStore::open(None).unwrap();
        for operation in [
            "sts:GetWebIdentityToken",
            "ssm:GetAccessToken",
            "s3control:GetDataAccess",
            "lightsail:GetBucketAccessKeys",
            "lightsail:GetInstanceAccessDetails",
            "cognito-identity:GetId",
            "cognito-identity:GetOpenIdToken",
            "cognito-idp:GetTokensFromRefreshToken",
            "redshift:GetIdentityCenterAuthToken",
            "gamelift:GetComputeAuthToken",
            "quicksight:GetDashboardEmbedUrl",
            "route53domains:RetrieveDomainAuthCode",
            "license-manager:CheckInLicense",
            "ivs:StartViewerSessionRevocation",
            "neptunedata:ExecuteOpenCypherExplainQuery",
            "ssm:GetDeployablePatchSnapshotForInstance",
            "timestream-query:Query",
        ] {
            assert!(of(store.operation(operation).unwrap()) >= Effect::Change, "{operation}");
        }
        for operation in ["dynamodb:Query", "dynamodb:Scan", "iam:GetAccessKeyLastUsed"] {
            assert_eq!(of(store.operation(operation).unwrap()), Effect::Read, "{operation}");
        }
    }
}
