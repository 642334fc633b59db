//! What is compared with what detectors list themselves, since the way from them to us loses alerts
//! and tells nobody.

use serde::{Deserialize, Serialize};

use crate::span::Span;
use crate::time::Timestamp;

/// A detector that lists its findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lister {
    /// GuardDuty.
    #[serde(rename = "guardduty")]
    GuardDuty,
    /// Security Hub.
    SecurityHub,
}

impl Lister {
    /// The name of the source that reads its findings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::GuardDuty => "guardduty",
            Self::SecurityHub => "security_hub",
        }
    }
}

impl std::str::FromStr for Lister {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let all = [Self::GuardDuty, Self::SecurityHub];
        all.into_iter().find(|lister| lister.as_str() == text).ok_or_else(|| text.to_owned())
    }
}

/// What is asked of whom, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reconcile {
    /// How often.
    pub every: Span,
    /// The accounts.
    pub accounts: Vec<String>,
    /// The regions.
    pub regions: Vec<String>,
    /// The detectors.
    pub sources: Vec<Lister>,
    /// How far back it is looked the first time.
    pub look_back: Span,
    /// By how much a look goes back behind the end of the one before: what changed then may have
    /// been listed late.
    pub overlap: Span,
    /// How long a finding may be on its way before it counts as missed.
    pub grace: Span,
}

/// One list of findings.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// Whose.
    pub source: Lister,
    /// The account that is asked.
    pub account: String,
    /// The region that is asked.
    pub region: String,
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} in {} {}", self.source.as_str(), self.account, self.region)
    }
}

/// How a look ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It goes on, or its node has gone.
    Waiting,
    /// All of the list was seen.
    Complete,
    /// The detector is not switched on there.
    Off,
    /// We may not look.
    Denied,
    /// AWS let us not look so often.
    Throttled,
    /// It went wrong otherwise.
    Failed,
}

impl Outcome {
    /// The word in JSON and SQL.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Complete => "complete",
            Self::Off => "off",
            Self::Denied => "denied",
            Self::Throttled => "throttled",
            Self::Failed => "failed",
        }
    }
}

impl std::str::FromStr for Outcome {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let all =
            [Self::Waiting, Self::Complete, Self::Off, Self::Denied, Self::Throttled, Self::Failed];
        all.into_iter().find(|outcome| outcome.as_str() == text).ok_or_else(|| text.to_owned())
    }
}

impl Reconcile {
    /// Every list.
    pub fn targets(&self) -> Vec<Target> {
        let mut targets = Vec::new();
        for account in &self.accounts {
            for region in &self.regions {
                let of = |source: &Lister| Target {
                    source: *source,
                    account: account.clone(),
                    region: region.clone(),
                };
                targets.extend(self.sources.iter().map(of));
            }
        }
        targets
    }

    /// From when to when findings are compared that a detector changed. A look that failed leaves
    /// the end of the last good one, so that no time is left out, however long it takes.
    pub fn window(
        &self,
        complete_until: Option<Timestamp>,
        now: Timestamp,
    ) -> (Timestamp, Timestamp) {
        let to = now.plus_ms(-self.grace.ms);
        let from = match complete_until {
            Some(until) => until.plus_ms(-self.overlap.ms),
            None => now.plus_ms(-self.look_back.ms),
        };
        (from.min(to), to)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plan() -> Reconcile {
        Reconcile {
            every: Span::from_secs(900),
            accounts: vec!["111122223333".into(), "444455556666".into()],
            regions: vec!["us-east-1".into(), "eu-west-1".into()],
            sources: vec![Lister::GuardDuty, Lister::SecurityHub],
            look_back: Span::from_secs(86_400),
            overlap: Span::from_secs(3_600),
            grace: Span::from_secs(600),
        }
    }

    #[test]
    fn each_detector_is_asked_in_each_region_of_each_account() {
        let targets = plan().targets();
        let distinct: std::collections::BTreeSet<_> = targets.iter().cloned().collect();
        assert_eq!((targets.len(), distinct.len()), (8, 8));
    }

    proptest! {
        #[test]
        fn no_time_is_left_out_between_two_looks(
            looks in prop::collection::vec((1_i64..100_000, any::<bool>()), 1..30),
        ) {
            let (plan, mut now, mut until) = (plan(), Timestamp::default(), None);
            for (pause, went_well) in looks {
                now = now.plus_ms(pause * 1_000);
                let (from, to) = plan.window(until, now);
                prop_assert!(from <= to && to < now);
                if let Some(until) = until {
                    prop_assert!(from <= until);
                }
                if went_well {
                    until = Some(to);
                }
            }
        }
    }
}
