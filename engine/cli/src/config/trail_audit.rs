//! `[trail_audit]`: whether runs are held against CloudTrail after they have ended.

use serde::Deserialize;
use stanch_engine_core::span::Span;
use stanch_engine_core::trail_audit;

use super::{Config, ConfigError};

/// Whether, when and how often.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrailAudit {
    /// Whether it is done; where there are roles, unless it is said.
    pub enabled: Option<bool>,
    /// How long after the end of a run.
    pub delay: Span,
    /// How often, `delay` apart, before what is not listed counts as missing.
    pub looks: u32,
}

impl Default for TrailAudit {
    fn default() -> Self {
        Self { enabled: None, delay: Span::from_secs(20 * 60), looks: 3 }
    }
}

impl Config {
    /// What is compared. Without roles there is no session by which CloudTrail knows a run.
    pub(crate) fn trail_audit(&self) -> Option<trail_audit::TrailAudit> {
        let TrailAudit { enabled, delay, looks } = self.trail_audit;
        let is_on = enabled.unwrap_or_else(|| !self.own_roles().is_empty());
        is_on.then_some(trail_audit::TrailAudit { delay, looks })
    }

    /// # Errors
    /// [`ConfigError`] names the key.
    pub(super) fn check_trail_audit(&self) -> Result<(), ConfigError> {
        let TrailAudit { enabled, delay, looks } = self.trail_audit;
        if delay < Span::from_secs(60) || delay > Span::from_secs(86_400) {
            let why = format!("[trail_audit] `delay`: {delay} is not between a minute and a day");
            return Err(ConfigError(why));
        }
        if !(1..=20).contains(&looks) {
            let why = format!("[trail_audit] `looks`: {looks} is not between 1 and 20");
            return Err(ConfigError(why));
        }
        match enabled {
            Some(true) if self.own_roles().is_empty() => Err(ConfigError(
                "[trail_audit] `enabled`: CloudTrail knows a run by its session, and there is none \
                 without roles: name them under [aws.roles] or [accounts]"
                    .to_owned(),
            )),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::load;

    const ROLES: &str = "[aws.roles]\nread = \"arn:aws:iam::{account}:role/stanch-read\"\n";

    #[test]
    fn runs_are_compared_where_there_are_roles() {
        assert!(load("", &[]).unwrap().trail_audit().is_none());
        let plan = load(ROLES, &[]).unwrap().trail_audit().unwrap();
        assert_eq!((plan.delay.ms, plan.looks), (20 * 60_000, 3));
        let off = load(&format!("{ROLES}[trail_audit]\nenabled = false"), &[]).unwrap();
        assert!(off.trail_audit().is_none());
        for (text, words) in [
            ("[trail_audit]\nenabled = true", "without roles"),
            ("[trail_audit]\ndelay = \"5s\"", "between a minute"),
            ("[trail_audit]\nlooks = 0", "between 1 and 20"),
        ] {
            let error = load(text, &[]).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
