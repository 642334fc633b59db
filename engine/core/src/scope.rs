//! How far roles reach: to accounts, playbooks and severities. What a scope limits and what is not
//! known of a thing is a no.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wildmatch::WildMatch;

use crate::severity::Severity;

/// How far roles reach. Without any limit they reach everywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scope {
    /// To these accounts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<String>,
    /// To these playbooks; `*` stands for anything.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub playbooks: Vec<String>,
    /// Up to this severity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_severity: Option<Severity>,
}

/// What a call is about, as far as that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// The accounts; one that is not known is nothing.
    pub accounts: Vec<Option<String>>,
    /// The playbook.
    pub playbook: Option<String>,
    /// The severity.
    pub severity: Option<Severity>,
}

impl Scope {
    /// Whether it limits nothing.
    pub fn is_whole(&self) -> bool {
        *self == Self::default()
    }

    /// What is wrong with it, if anything is.
    ///
    /// # Errors
    /// When an account is none.
    pub fn check(&self) -> Result<(), String> {
        let is_account = |a: &&String| a.len() == 12 && a.bytes().all(|b| b.is_ascii_digit());
        match self.accounts.iter().find(|account| !is_account(account)) {
            None => Ok(()),
            Some(account) => Err(format!("`{account}` is no account: an account is 12 digits")),
        }
    }

    /// Whether roles of this scope reach a thing.
    pub fn covers(&self, subject: &Subject) -> bool {
        let is_here = |account: &Option<String>| {
            account.as_ref().is_some_and(|account| self.accounts.contains(account))
        };
        let in_accounts = self.accounts.is_empty()
            || !subject.accounts.is_empty() && subject.accounts.iter().all(is_here);
        let fits = |name: &String| self.playbooks.iter().any(|p| WildMatch::new(p).matches(name));
        let in_playbooks = self.playbooks.is_empty() || subject.playbook.as_ref().is_some_and(fits);
        let in_severity =
            self.max_severity.is_none_or(|most| subject.severity.is_some_and(|s| s <= most));
        in_accounts && in_playbooks && in_severity
    }
}

/// Roles, and how far they reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The roles, and groups.
    pub roles: Vec<String>,
    /// All limits that hold for them.
    pub scopes: Vec<Scope>,
}

impl Grant {
    fn covers(&self, subject: &Subject) -> bool {
        self.scopes.iter().all(|scope| scope.covers(subject))
    }

    fn is_whole(&self) -> bool {
        self.scopes.iter().all(Scope::is_whole)
    }
}

/// A role of one's own: what it is, and how far it reaches.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CustomRole {
    /// The built-in roles that it is.
    pub is: Vec<String>,
    /// To these accounts.
    pub accounts: Vec<String>,
    /// To these playbooks; `*` stands for anything.
    pub playbooks: Vec<String>,
    /// Up to this severity.
    pub max_severity: Option<Severity>,
}

impl CustomRole {
    /// How far it reaches.
    pub fn scope(&self) -> Scope {
        Scope {
            accounts: self.accounts.clone(),
            playbooks: self.playbooks.clone(),
            max_severity: self.max_severity,
        }
    }
}

/// What a token's roles grant, by the roles of one's own.
pub fn grants(
    custom: &BTreeMap<String, CustomRole>,
    roles: &[String],
    scope: &Scope,
) -> Vec<Grant> {
    let (own, plain): (Vec<_>, Vec<_>) = roles.iter().partition(|role| custom.contains_key(*role));
    let mut grants = Vec::new();
    if !plain.is_empty() {
        let roles = plain.into_iter().cloned().collect();
        grants.push(Grant { roles, scopes: vec![scope.clone()] });
    }
    for name in own {
        let Some(role) = custom.get(name) else { continue };
        let roles = std::iter::once(name).chain(&role.is).cloned().collect();
        grants.push(Grant { roles, scopes: vec![scope.clone(), role.scope()] });
    }
    grants
}

/// The roles that reach a thing.
pub fn reaching(grants: &[Grant], subject: &Subject) -> Vec<String> {
    let found = grants.iter().filter(|grant| grant.covers(subject));
    found.flat_map(|grant| grant.roles.clone()).collect()
}

/// The roles that reach everywhere.
pub fn everywhere(grants: &[Grant]) -> Vec<String> {
    let found = grants.iter().filter(|grant| grant.is_whole());
    found.flat_map(|grant| grant.roles.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(account: Option<&str>, playbook: Option<&str>, severity: Severity) -> Subject {
        Subject {
            accounts: vec![account.map(str::to_owned)],
            playbook: playbook.map(str::to_owned),
            severity: Some(severity),
        }
    }

    fn scope() -> Scope {
        Scope {
            accounts: vec!["111122223333".into()],
            playbooks: vec!["iam-*".into()],
            max_severity: Some(Severity::High),
        }
    }

    #[test]
    fn a_scope_covers_what_it_names_and_nothing_that_is_not_known() {
        let here = Some("111122223333");
        assert!(scope().covers(&subject(here, Some("iam-key"), Severity::High)));
        for other in [
            subject(Some("444455556666"), Some("iam-key"), Severity::High),
            subject(None, Some("iam-key"), Severity::High),
            subject(here, Some("ec2-instance"), Severity::High),
            subject(here, None, Severity::High),
            subject(here, Some("iam-key"), Severity::Critical),
            Subject { severity: None, ..subject(here, Some("iam-key"), Severity::Low) },
            Subject { accounts: vec![], ..subject(here, Some("iam-key"), Severity::Low) },
        ] {
            assert!(!scope().covers(&other), "{other:?}");
            assert!(Scope::default().covers(&other), "no limit is no limit");
        }
        let mut two = subject(here, Some("iam-key"), Severity::Low);
        two.accounts.push(Some("444455556666".into()));
        assert!(!scope().covers(&two), "each account counts");
    }

    #[test]
    fn the_scopes_of_a_token_and_of_its_roles_hold_together() {
        let role = CustomRole {
            is: vec!["approver".into()],
            playbooks: vec!["iam-*".into()],
            ..CustomRole::default()
        };
        let custom = [("night".to_owned(), role)].into();
        let accounts = Scope { accounts: vec!["111122223333".into()], ..Scope::default() };
        let grants = grants(&custom, &["night".into(), "viewer".into()], &accounts);
        let at = |account: &str, playbook: &str| {
            reaching(&grants, &subject(Some(account), Some(playbook), Severity::Low))
        };
        assert_eq!(at("111122223333", "iam-key"), ["viewer", "night", "approver"]);
        assert_eq!(at("111122223333", "ec2"), ["viewer"]);
        assert!(at("444455556666", "iam-key").is_empty());
        assert!(everywhere(&grants).is_empty());
        let free = super::grants(&custom, &["admin".into()], &Scope::default());
        assert_eq!(everywhere(&free), ["admin"]);
    }

    #[test]
    fn an_account_is_twelve_digits() {
        let wrong = Scope { accounts: vec!["42".into()], ..Scope::default() };
        assert!(wrong.check().unwrap_err().contains("12 digits"));
        assert!(scope().check().is_ok());
    }
}
