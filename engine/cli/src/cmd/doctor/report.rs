//! What the doctor found.

use serde::Serialize;
use serde_json::json;

use crate::output;

/// How a hop stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Health {
    /// It is there and works.
    Ok,
    /// It works, and somebody should look at it.
    Warning,
    /// It is not there or does not work: something will be lost or refused.
    Missing,
}

/// One hop that was tested.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Check {
    /// Which hop it is, such as `contain_role`.
    pub(super) hop: &'static str,
    /// Of what: an account, a queue, a file.
    pub(super) of: String,
    /// How it stands.
    pub(super) health: Health,
    /// What was seen.
    pub(super) found: String,
    /// What to do about it; nothing where all is well.
    pub(super) mend: Option<String>,
}

/// All that was tested, in order.
#[derive(Debug, Default)]
pub(super) struct Report(pub(super) Vec<Check>);

impl Report {
    pub(super) fn ok(&mut self, hop: &'static str, of: &str, found: impl Into<String>) {
        self.add(hop, of, Health::Ok, found.into(), None);
    }

    pub(super) fn warn(
        &mut self,
        hop: &'static str,
        of: &str,
        found: impl Into<String>,
        mend: impl Into<String>,
    ) {
        self.add(hop, of, Health::Warning, found.into(), Some(mend.into()));
    }

    pub(super) fn missing(
        &mut self,
        hop: &'static str,
        of: &str,
        found: impl Into<String>,
        mend: impl Into<String>,
    ) {
        self.add(hop, of, Health::Missing, found.into(), Some(mend.into()));
    }

    fn add(
        &mut self,
        hop: &'static str,
        of: &str,
        health: Health,
        found: String,
        mend: Option<String>,
    ) {
        self.0.push(Check { hop, of: of.to_owned(), health, found, mend });
    }

    /// Whether nothing is missing.
    pub(super) fn is_well(&self) -> bool {
        self.0.iter().all(|check| check.health != Health::Missing)
    }

    pub(super) fn show(&self, as_json: bool) {
        if as_json {
            output::json(&json!({"well": self.is_well(), "checks": self.0}));
            return;
        }
        for check in &self.0 {
            let word = match check.health {
                Health::Ok => "ok",
                Health::Warning => "warning",
                Health::Missing => "MISSING",
            };
            println!("{word:<8} {:<14} {}: {}", check.hop, check.of, check.found);
            if let Some(mend) = &check.mend {
                println!("{:<23} → {mend}", "");
            }
        }
        let count = |health| self.0.iter().filter(|check| check.health == health).count();
        println!(
            "\n{} missing, {} to look at, {} well",
            count(Health::Missing),
            count(Health::Warning),
            count(Health::Ok)
        );
    }
}
