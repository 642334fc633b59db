//! `[write_back]`: what detectors are told.

use serde::Deserialize;
use stanch_engine_core::write_back;

use super::{Config, ConfigError};

/// Whom findings are written back to, on a verdict and when an incident is closed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WriteBack {
    /// Security Hub: the workflow's status and a note.
    pub security_hub: bool,
    /// GuardDuty: feedback, and the archive.
    pub guardduty: bool,
    /// The account in which it is done; that of each finding unless it is said.
    pub account: Option<String>,
}

impl Config {
    /// What is written back, if anything is.
    pub(crate) fn write_back(&self) -> Option<write_back::WriteBack> {
        let WriteBack { security_hub, guardduty, account } = self.write_back.clone();
        (security_hub || guardduty).then_some(write_back::WriteBack {
            security_hub,
            guardduty,
            account,
        })
    }

    /// # Errors
    /// [`ConfigError`] names the key.
    pub(super) fn check_write_back(&self) -> Result<(), ConfigError> {
        let is_account = |a: &String| a.len() == 12 && a.bytes().all(|b| b.is_ascii_digit());
        match self.write_back.account.as_ref().filter(|account| !is_account(account)) {
            Some(odd) => Err(ConfigError(format!(
                "[write_back] `account`: `{odd}` is no account: an account is 12 digits"
            ))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::load;

    #[test]
    fn nothing_is_written_back_unless_it_is_said() {
        assert!(load("", &[]).unwrap().write_back().is_none());
        let only = load("[write_back]\nguardduty = true", &[]).unwrap().write_back().unwrap();
        assert!(only.guardduty && !only.security_hub);
        let error = load("[write_back]\naccount = \"42\"", &[]).unwrap_err().to_string();
        assert!(error.contains("12 digits"), "{error}");
    }
}
