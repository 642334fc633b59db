//! Drills: a sample about a user of AWS that was made to be contained, and is thrown away.
//!
//! A sample changes nothing. The one exception is a sample about a user whose name says that it is
//! a drill's, and then only what changes that user and nothing else. The name is the whole proof:
//! whoever forges such a sample gets nothing done but to a user of that name.

use serde_json::Value;

use crate::alert::Alert;

/// How the name of every user begins that a drill makes.
pub const USER_PREFIX: &str = "stanch-drill-";

/// The tag that every user bears that a drill makes.
pub const TAG: &str = "stanch:drill";

/// What a drill may change: operations that reach the user that they name, and nothing beside it.
const OPERATIONS: [&str; 7] = [
    "iam:AttachUserPolicy",
    "iam:DeleteAccessKey",
    "iam:DeleteLoginProfile",
    "iam:DeleteUserPolicy",
    "iam:DetachUserPolicy",
    "iam:PutUserPolicy",
    "iam:UpdateAccessKey",
];

/// The user that a sample is a drill about; nothing for anything else.
pub fn user_of(alert: &Alert) -> Option<&str> {
    let mut users = alert.resources.iter().filter_map(|resource| match resource.kind.as_str() {
        "AwsIamUser" => Some(resource.id.as_str()),
        "AwsIamAccessKey" => resource.name.as_deref(),
        _ => None,
    });
    users.find(|user| user.starts_with(USER_PREFIX)).filter(|_| alert.is_sample())
}

/// Whether a call of AWS changes the user of a drill and nothing else.
pub fn reaches_only(user: &str, input: &Value) -> bool {
    let operation = input.get("operation").and_then(Value::as_str).unwrap_or_default();
    let named = input.pointer("/params/UserName").and_then(Value::as_str);
    user.starts_with(USER_PREFIX) && named == Some(user) && OPERATIONS.contains(&operation)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::alert::Resource;
    use crate::alert::tests::alert;

    fn about(title: &str, kind: &str, id: &str, name: Option<&str>) -> Alert {
        let resource = Resource {
            kind: kind.into(),
            id: id.into(),
            arn: None,
            name: name.map(str::to_owned),
            tags: Default::default(),
        };
        Alert { title: title.into(), resources: vec![resource], ..alert() }
    }

    #[test]
    fn only_a_sample_about_a_user_of_that_name_is_a_drill() {
        let sample = "[SAMPLE] a drill";
        for (alert, user) in [
            (about(sample, "AwsIamUser", "stanch-drill-1", None), Some("stanch-drill-1")),
            (
                about(sample, "AwsIamAccessKey", "AKIA1", Some("stanch-drill-1")),
                Some("stanch-drill-1"),
            ),
            (about("a key", "AwsIamUser", "stanch-drill-1", None), None),
            (about(sample, "AwsIamUser", "ci-deploy", None), None),
            (about(sample, "AwsIamRole", "stanch-drill-1", None), None),
        ] {
            assert_eq!(user_of(&alert), user, "{alert:?}");
        }
    }

    #[test]
    fn a_drill_reaches_its_user_and_nothing_else() {
        let call = |operation: &str, user: &str| json!({"operation": operation, "params": {"UserName": user}});
        assert!(reaches_only("stanch-drill-1", &call("iam:UpdateAccessKey", "stanch-drill-1")));
        assert!(!reaches_only("stanch-drill-1", &call("iam:UpdateAccessKey", "ci-deploy")));
        assert!(!reaches_only("stanch-drill-1", &call("iam:AddUserToGroup", "stanch-drill-1")));
        assert!(!reaches_only("stanch-drill-1", &json!({"operation": "iam:DeleteAccessKey"})));
        assert!(!reaches_only("ci-deploy", &call("iam:UpdateAccessKey", "ci-deploy")));
    }
}
