//! `[reconcile]`: what detectors list is compared with what came.

use serde::Deserialize;
use stanch_engine_core::reconcile::{self, Lister};
use stanch_engine_core::span::Span;

use super::{Config, ConfigError};

/// The shortest pause between two looks: GuardDuty itself takes minutes to tell.
const SHORTEST: Span = Span::from_secs(60);

/// What is asked of whom, and how often.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reconcile {
    /// How often; a quarter of an hour unless it is said.
    #[serde(default = "quarter")]
    pub every: Span,
    /// The accounts; those of `[accounts]` unless it is said.
    #[serde(default)]
    pub accounts: Vec<String>,
    /// The regions; that of `[aws]` unless it is said.
    #[serde(default)]
    pub regions: Vec<String>,
    /// The detectors; both unless it is said.
    #[serde(default = "both")]
    pub sources: Vec<Lister>,
    /// How far back it is looked the first time; a day unless it is said.
    #[serde(default = "day")]
    pub look_back: Span,
    /// By how much a look goes back behind the one before; an hour unless it is said.
    #[serde(default = "hour")]
    pub overlap: Span,
    /// How long a finding may be on its way; ten minutes unless it is said.
    #[serde(default = "ten_minutes")]
    pub grace: Span,
}

fn quarter() -> Span {
    Span::from_secs(15 * 60)
}

fn both() -> Vec<Lister> {
    vec![Lister::GuardDuty, Lister::SecurityHub]
}

fn day() -> Span {
    Span::from_secs(24 * 60 * 60)
}

fn hour() -> Span {
    Span::from_secs(60 * 60)
}

fn ten_minutes() -> Span {
    Span::from_secs(10 * 60)
}

impl Config {
    /// What is compared, if anything is.
    pub(crate) fn reconcile_plan(&self) -> Option<reconcile::Reconcile> {
        let told = self.reconcile.as_ref()?;
        let or = |said: &Vec<String>, usual: Vec<String>| match said.is_empty() {
            true => usual,
            false => said.clone(),
        };
        let (mut accounts, mut regions, mut sources) = (
            or(&told.accounts, self.accounts.keys().cloned().collect()),
            or(&told.regions, self.aws.region.iter().cloned().collect()),
            told.sources.clone(),
        );
        for list in [&mut accounts, &mut regions] {
            list.sort();
            list.dedup();
        }
        sources.sort();
        sources.dedup();
        let &Reconcile { every, look_back, overlap, grace, .. } = told;
        Some(reconcile::Reconcile { every, accounts, regions, sources, look_back, overlap, grace })
    }

    /// # Errors
    /// [`ConfigError`] names what lacks.
    pub(super) fn check_reconcile(&self) -> Result<(), ConfigError> {
        let Some(plan) = self.reconcile_plan() else { return Ok(()) };
        let wrong = |why: &str| Err(ConfigError(format!("[reconcile]: {why}")));
        if plan.every < SHORTEST {
            return wrong(&format!("`every` must be {SHORTEST} or more"));
        }
        if plan.accounts.is_empty() {
            return wrong("`accounts` is empty, and there are none under [accounts]");
        }
        let is_account = |a: &String| a.len() == 12 && a.bytes().all(|b| b.is_ascii_digit());
        if let Some(odd) = plan.accounts.iter().find(|account| !is_account(account)) {
            return wrong(&format!("`{odd}` is no account: an account is 12 digits"));
        }
        if plan.regions.is_empty() {
            return wrong("`regions` is empty, and [aws] names no `region`");
        }
        if plan.sources.is_empty() {
            return wrong("`sources` is empty: guardduty and security_hub can be asked");
        }
        if plan.look_back <= plan.grace {
            return wrong("`look_back` must be longer than `grace`");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::load;

    #[test]
    fn accounts_and_regions_are_those_of_the_rest_unless_they_are_said() {
        let text =
            "[accounts.111122223333]\nmode = \"ask\"\n[aws]\nregion = \"eu-west-1\"\n[reconcile]\n";
        let plan = load(text, &[]).unwrap().reconcile_plan().unwrap();
        let said: Vec<_> = plan.targets().iter().map(ToString::to_string).collect();
        let expected =
            ["guardduty in 111122223333 eu-west-1", "security_hub in 111122223333 eu-west-1"];
        assert_eq!(said, expected);
        let text = "[reconcile]\naccounts = [\"444455556666\"]\nregions = [\"us-east-1\", \"us-east-1\"]\n\
                    sources = [\"guardduty\"]\n";
        assert_eq!(load(text, &[]).unwrap().reconcile_plan().unwrap().targets().len(), 1);
        assert!(load("", &[]).unwrap().reconcile_plan().is_none());
    }

    #[test]
    fn what_can_not_be_is_named() {
        let rest = "accounts = [\"444455556666\"]\nregions = [\"us-east-1\"]\n";
        for (text, part) in [
            ("regions = [\"us-east-1\"]", "`accounts`"),
            ("accounts = [\"444455556666\"]", "`regions`"),
            ("accounts = [\"42\"]\nregions = [\"us-east-1\"]", "12 digits"),
            (&format!("{rest}every = \"1s\""), "`every`"),
            (&format!("{rest}sources = []"), "`sources`"),
            (&format!("{rest}sources = [\"macie\"]"), "macie"),
            (&format!("{rest}look_back = \"5m\""), "`look_back`"),
            (&format!("{rest}evry = \"5m\""), "evry"),
        ] {
            let error = load(&format!("[reconcile]\n{text}"), &[]).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
