//! Accounts: how much may be done in each, and with which roles.

use std::collections::BTreeMap;

use serde::Deserialize;
use stanch_engine_core::echo::OwnRoles;
use stanch_engine_core::effect::Mode;
use stanch_plugins_aws::{AccountRoles, Roles};

use super::{Config, ConfigError, Reference, Variable};

/// An account: how much may be done in it, with which roles, and what is known of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// observe, ask or auto; observe unless it is said.
    #[serde(default = "observe")]
    pub mode: Mode,
    /// The ARN of the role that reads in it.
    #[serde(default)]
    pub read_role: Option<String>,
    /// The ARN of the role that changes in it.
    #[serde(default)]
    pub contain_role: Option<String>,
    /// The ARN of the role that SSM's runbooks act with in it.
    #[serde(default)]
    pub automation_role: Option<String>,
    /// What the trust policies of its roles ask for: itself, or `env:NAME` or `file:PATH`.
    #[serde(default)]
    pub external_id: Option<ExternalId>,
    /// What people call it.
    #[serde(default)]
    pub name: Option<String>,
    /// The organizational unit that it is in.
    #[serde(default)]
    pub ou: Option<String>,
    /// Its tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

fn observe() -> Mode {
    Mode::Observe
}

impl Account {
    /// An account of which only the mode is said.
    pub const fn of_mode(mode: Mode) -> Self {
        Self {
            mode,
            read_role: None,
            contain_role: None,
            automation_role: None,
            external_id: None,
            name: None,
            ou: None,
            tags: BTreeMap::new(),
        }
    }
}

/// The roles of accounts that name none of their own, `{account}` being the account's number.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RolePattern {
    /// The role that reads.
    pub read: Option<String>,
    /// The role that changes.
    pub contain: Option<String>,
    /// The role that SSM's runbooks act with.
    pub automation: Option<String>,
    /// What their trust policies ask for.
    pub external_id: Option<ExternalId>,
}

/// An external id: itself, or a reference to where it is. It is not shown.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct ExternalId(Reference);

impl std::fmt::Debug for ExternalId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ExternalId")
    }
}

impl ExternalId {
    /// The id (<https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>).
    fn resolve(&self, key: &str, variable: Variable<'_>) -> Result<String, ConfigError> {
        let id = match self.0.0.split_once(':') {
            Some(("env" | "file", _)) => self.0.resolve(key, variable)?,
            _ => self.0.0.clone(),
        };
        let legal = |c: char| c.is_ascii_alphanumeric() || "_+=,.@:/-".contains(c);
        if (2..=1_224).contains(&id.len()) && id.chars().all(legal) {
            return Ok(id);
        }
        Err(ConfigError(format!(
            "`{key}` must be 2 to 1224 characters of letters, digits and _+=,.@:/-"
        )))
    }
}

impl Config {
    /// What is wrong with the accounts and their roles, if anything is.
    pub(super) fn check_accounts(&self) -> Result<(), ConfigError> {
        for (id, account) in &self.accounts {
            if id.len() != 12 || !id.bytes().all(|byte| byte.is_ascii_digit()) {
                let message = format!("[accounts.\"{id}\"]: an account is 12 digits");
                return Err(ConfigError(message));
            }
            for (key, role) in [
                ("read_role", &account.read_role),
                ("contain_role", &account.contain_role),
                ("automation_role", &account.automation_role),
            ] {
                check_role(&format!("accounts.{id}.{key}"), role.as_deref(), id)?;
            }
        }
        let pattern = &self.aws.roles;
        for (key, role) in [
            ("read", &pattern.read),
            ("contain", &pattern.contain),
            ("automation", &pattern.automation),
        ] {
            check_role(&format!("aws.roles.{key}"), role.as_deref(), "{account}")?;
        }
        Ok(())
    }

    /// The roles that sessions of ours have, by which echoes of our own work are known.
    pub(crate) fn own_roles(&self) -> OwnRoles {
        let of = |roles: [&Option<String>; 2]| roles.into_iter().flatten().cloned().collect();
        let own = self
            .accounts
            .iter()
            .map(|(id, account)| (id.clone(), of([&account.read_role, &account.contain_role])));
        let own = own.filter(|(_, roles): &(_, Vec<_>)| !roles.is_empty()).collect();
        let pattern = of([&self.aws.roles.read, &self.aws.roles.contain]);
        OwnRoles { accounts: own, pattern }
    }

    /// The roles that calls are made with.
    ///
    /// # Errors
    /// When an external id is not where it is said to be.
    pub fn roles(&self, variable: Variable<'_>) -> Result<Roles, ConfigError> {
        let id = |key: String, id: &Option<ExternalId>| {
            id.as_ref().map(|id| id.resolve(&key, variable)).transpose()
        };
        let accounts = self.accounts.iter().map(|(number, account)| {
            let roles = AccountRoles {
                read: account.read_role.clone(),
                contain: account.contain_role.clone(),
                automation: account.automation_role.clone(),
                external_id: id(format!("accounts.{number}.external_id"), &account.external_id)?,
            };
            Ok((number.clone(), roles))
        });
        let pattern = &self.aws.roles;
        Ok(Roles {
            accounts: accounts.collect::<Result<_, ConfigError>>()?,
            pattern: AccountRoles {
                read: pattern.read.clone(),
                contain: pattern.contain.clone(),
                automation: pattern.automation.clone(),
                external_id: id("aws.roles.external_id".to_owned(), &pattern.external_id)?,
            },
        })
    }
}

/// Whether it is the ARN of a role in that account.
fn check_role(key: &str, role: Option<&str>, account: &str) -> Result<(), ConfigError> {
    let Some(role) = role else { return Ok(()) };
    let mut parts = role.splitn(6, ':');
    let mut next = || parts.next().unwrap_or_default();
    let (arn, partition, service, region) = (next(), next(), next(), next());
    let is_role = arn == "arn" && partition.starts_with("aws") && service == "iam";
    if is_role && region.is_empty() && next() == account && next().starts_with("role/") {
        return Ok(());
    }
    Err(ConfigError(format!(
        "`{key}` must be the ARN of a role of that account, such as arn:aws:iam::{account}:role/stanch-read"
    )))
}

#[cfg(test)]
mod tests {
    use super::super::tests::load;

    const TEXT: &str = r#"
        [accounts.111122223333]
        mode = "ask"
        read_role = "arn:aws:iam::111122223333:role/ir/read"
        external_id = "env:EXTERNAL_ID"
        ou = "ou-ab12-prod"
        tags = { stage = "production" }
        [aws.roles]
        read = "arn:aws:iam::{account}:role/stanch-read"
        contain = "arn:aws:iam::{account}:role/stanch-contain"
        external_id = "stanch-7f3a"
    "#;

    #[test]
    fn roles_of_an_account_and_a_pattern_for_the_rest() {
        let config = load(TEXT, &[]).unwrap();
        let find = |name: &str| (name == "EXTERNAL_ID").then(|| "of-this-one".to_owned());
        let roles = config.roles(&find).unwrap();
        let own = &roles.accounts["111122223333"];
        assert_eq!(own.external_id.as_deref(), Some("of-this-one"));
        assert_eq!(own.contain, None);
        assert_eq!(roles.pattern.external_id.as_deref(), Some("stanch-7f3a"));
        assert!(!format!("{config:?}").contains("stanch-7f3a"));
        assert!(config.roles(&|_| None).unwrap_err().to_string().contains("EXTERNAL_ID"));
    }

    #[test]
    fn a_role_that_is_no_role_of_its_account_is_an_error_that_names_the_key() {
        for (text, key) in [
            (
                "[accounts.111122223333]\nread_role = \"arn:aws:iam::444455556666:role/r\"",
                "read_role",
            ),
            ("[accounts.111122223333]\ncontain_role = \"stanch-contain\"", "contain_role"),
            (
                "[aws.roles]\nread = \"arn:aws:iam::111122223333:role/stanch-read\"",
                "aws.roles.read",
            ),
            ("[accounts.42]\nmode = \"ask\"", "12 digits"),
        ] {
            let error = load(text, &[]).unwrap_err().to_string();
            assert!(error.contains(key), "{error}");
        }
        let bad = load("[aws.roles]\nexternal_id = \"a b\"", &[]).unwrap();
        let error = bad.roles(&|_| None).unwrap_err().to_string();
        assert!(error.contains("aws.roles.external_id"), "{error}");
    }
}
