//! How people agree, and roles of one's own.

use std::collections::BTreeMap;

use serde::Deserialize;
use stanch_engine_core::scope::CustomRole;
use stanch_engine_runtime::people::Role;

use super::{Config, ConfigError};

/// How people agree.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Approvals {
    /// Whether who started a run, or published its playbook, may say yes to what it asks. For
    /// installations of one person.
    pub requester_counts: bool,
    /// Who may answer for everybody beside those who administer, by name or `role:NAME`.
    pub break_glass: Vec<String>,
}

impl Config {
    /// What is wrong with the roles of one's own, if anything is.
    pub(super) fn check_roles(&self) -> Result<(), ConfigError> {
        let known = Role::ALL.map(Role::as_str);
        for (name, role) in &self.roles {
            let wrong = |what: String| Err(ConfigError(format!("[roles.{name}]: {what}")));
            if known.contains(&name.as_str()) {
                return wrong(format!("`{name}` is built in: use another name"));
            }
            if let Some(other) = role.is.iter().find(|is| !known.contains(&is.as_str())) {
                return wrong(format!("`is`: `{other}` is none of {}", known.join(", ")));
            }
            if let Err(why) = role.scope().check() {
                return wrong(why);
            }
        }
        Ok(())
    }

    /// Roles of one's own.
    pub fn roles_of_ones_own(&self) -> BTreeMap<String, CustomRole> {
        self.roles.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::load;

    #[test]
    fn a_role_of_ones_own_is_made_of_those_that_there_are() {
        let text = r#"
            [roles.night]
            is = ["approver"]
            playbooks = ["iam-*"]
            max_severity = "high"
        "#;
        assert_eq!(load(text, &[]).unwrap().roles["night"].is, ["approver"]);
        for (text, says) in [
            ("[roles.admin]\nis = ['viewer']", "built in"),
            ("[roles.night]\nis = ['aprover']", "aprover"),
            ("[roles.night]\naccounts = ['42']", "12 digits"),
            ("[roles.night]\nregions = ['x']", "regions"),
        ] {
            let error = load(text, &[]).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
