//! Which role a call is made with, under which name, and with how little.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use stanch_plugins_sdk::ActionContext;

use crate::settings::{AccountRoles, Roles};

/// Characters of a session policy that AWS takes
/// (<https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>).
const POLICY_CHARS: usize = 2_048;

/// What a role is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// To look.
    Read,
    /// To change what a plan says.
    Contain,
}

impl Use {
    /// The word in session tags and errors.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Contain => "contain",
        }
    }

    /// How long a session lasts. Roles that are taken by way of a role last an hour at most
    /// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles.html>, role chaining); a change
    /// needs AWS's minimum and no more.
    pub(super) const fn seconds(self) -> u32 {
        match self {
            Self::Read => 3_600,
            Self::Contain => 900,
        }
    }
}

/// A role, as it is to be taken.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Role {
    /// Its ARN.
    pub(crate) arn: String,
    /// What its trust policy asks for.
    pub(crate) external_id: Option<String>,
}

impl Roles {
    /// The role of an account that has one of its own.
    pub(super) fn own(&self, account: &str, of: Use) -> Option<Role> {
        let roles = self.accounts.get(account)?;
        let external_id = roles.external_id.clone().or_else(|| self.pattern.external_id.clone());
        Some(Role { arn: roles.arn(of)?.to_owned(), external_id })
    }

    /// The role that runbooks act with in an account, if one is named.
    pub(crate) fn automation(&self, account: &str) -> Option<String> {
        let own = self.accounts.get(account).and_then(|roles| roles.automation.clone());
        own.or_else(|| Some(self.pattern.automation.as_ref()?.replace("{account}", account)))
    }

    /// The role of any account, by the pattern.
    pub(super) fn by_pattern(&self, account: &str, of: Use) -> Option<Role> {
        let own = self.accounts.get(account).and_then(|roles| roles.external_id.clone());
        let external_id = own.or_else(|| self.pattern.external_id.clone());
        let arn = self.pattern.arn(of)?.replace("{account}", account);
        Some(Role { arn, external_id })
    }
}

impl AccountRoles {
    fn arn(&self, of: Use) -> Option<&str> {
        match of {
            Use::Read => self.read.as_deref(),
            Use::Contain => self.contain.as_deref(),
        }
    }
}

/// The name of a session, in AWS's own log as `roleSessionName` and `sourceIdentity`: the incident
/// and the run, 61 of the 64 characters that AWS takes.
pub(super) fn session_name(context: &ActionContext) -> String {
    match (context.incident, context.run) {
        (Some(incident), Some(run)) => format!("{incident}.{run}"),
        (None, Some(run)) => run.to_string(),
        (Some(incident), None) => incident.to_string(),
        (None, None) => "stanch".to_owned(),
    }
}

/// The tags of a session, which trust policies can ask for as `aws:RequestTag/stanch:use`.
pub(super) fn session_tags(context: &ActionContext, of: Use) -> Value {
    let mut tags = vec![json!({"Key": "stanch:use", "Value": of.as_str()})];
    let ids = [
        ("stanch:incident", context.incident.map(|id| id.to_string())),
        ("stanch:run", context.run.map(|id| id.to_string())),
    ];
    tags.extend(ids.into_iter().filter_map(|(key, id)| Some(json!({"Key": key, "Value": id?}))));
    Value::Array(tags)
}

/// The policy of a session that may do what a plan says and nothing else. A plan whose actions
/// don't fit has one for each of its changes.
pub(crate) fn session_policy(plan: &BTreeSet<String>, call: &BTreeSet<String>) -> String {
    let of = |actions: &BTreeSet<String>| {
        json!({
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}],
        })
        .to_string()
    };
    let whole = of(&plan.union(call).cloned().collect());
    if whole.chars().count() <= POLICY_CHARS { whole } else { of(call) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stanch_plugins_sdk::core::id::{IncidentId, RunId};
    use stanch_plugins_sdk::core::time::Timestamp;

    fn actions(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn an_accounts_own_role_and_the_pattern_for_the_rest() {
        let account = AccountRoles {
            contain: Some("arn:aws:iam::111122223333:role/break".to_owned()),
            external_id: Some("own".to_owned()),
            ..AccountRoles::default()
        };
        let pattern = AccountRoles {
            read: Some("arn:aws:iam::{account}:role/stanch-read".to_owned()),
            external_id: Some("all".to_owned()),
            ..AccountRoles::default()
        };
        let roles = Roles { accounts: [("111122223333".to_owned(), account)].into(), pattern };
        let own = roles.own("111122223333", Use::Contain).unwrap();
        assert_eq!(
            (own.arn.as_str(), own.external_id.as_deref()),
            ("arn:aws:iam::111122223333:role/break", Some("own"))
        );
        assert!(roles.own("111122223333", Use::Read).is_none());
        let other = roles.by_pattern("444455556666", Use::Read).unwrap();
        assert_eq!(other.arn, "arn:aws:iam::444455556666:role/stanch-read");
        assert_eq!(other.external_id.as_deref(), Some("all"));
        assert!(roles.by_pattern("444455556666", Use::Contain).is_none());
        assert!(!format!("{roles:?}").contains("own"));
    }

    #[test]
    fn a_session_bears_a_name_that_aws_takes() {
        let at = Timestamp::parse("2026-11-24T03:00:00Z").unwrap();
        let ids = (IncidentId::new(at, u128::MAX), RunId::new(at, u128::MAX));
        let name = format!("{}.{}", ids.0, ids.1);
        assert!(name.len() <= 64, "{}", name.len());
        let legal = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
        assert!(name.chars().all(legal), "{name}");
    }

    #[test]
    fn a_policy_allows_what_the_plan_says_and_shrinks_to_one_call_where_it_must() {
        let plan = actions(&["iam:UpdateAccessKey", "ssm:StartAutomationExecution"]);
        let policy = session_policy(&plan, &actions(&["iam:UpdateAccessKey"]));
        let read: Value = serde_json::from_str(&policy).unwrap();
        assert_eq!(
            read["Statement"][0]["Action"],
            json!(["iam:UpdateAccessKey", "ssm:StartAutomationExecution"])
        );
        let many: BTreeSet<_> = (0..100).map(|n| format!("ec2:SomeLongOperation{n}")).collect();
        let policy = session_policy(&many, &actions(&["ec2:StopInstances"]));
        assert!(policy.len() < 200 && policy.contains("[\"ec2:StopInstances\"]"), "{policy}");
    }
}
