//! What people's verdicts say of detectors, and what they may want to suppress.

use serde::Serialize;
use stanch_engine_core::alert_filter::AlertFilter;
use stanch_engine_core::limits;
use stanch_engine_core::noise::{self, Rate};
use stanch_engine_core::span::Span;
use stanch_engine_store::{StoreError, noise as rows, suppressions};

use crate::runtime::Runtime;

/// Types that are looked at, and alerts of each.
const TYPES: u32 = 500;
const ALERTS: u32 = 500;

/// What verdicts say.
#[derive(Clone, Debug, Serialize)]
pub struct Feedback {
    /// Each type of alerts, those with most false positives first.
    pub rates: Vec<Judged>,
    /// What people may want to suppress.
    pub items: Vec<Suggestion>,
}

/// A type of alerts, and how it was judged.
#[derive(Clone, Debug, Serialize)]
pub struct Judged {
    /// How often.
    #[serde(flatten)]
    pub rate: Rate,
    /// The part of false positives, in percent.
    pub percent: u64,
}

/// What people may want to suppress.
#[derive(Clone, Debug, Serialize)]
pub struct Suggestion {
    /// The type, and how it was judged.
    #[serde(flatten)]
    pub judged: Judged,
    /// What would be suppressed.
    #[serde(rename = "match")]
    pub filter: AlertFilter,
    /// The command that does it.
    pub command: String,
}

/// What the verdicts of incidents say that were opened within a time until now. What is suppressed
/// already is not suggested.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn feedback(runtime: &Runtime, within: Span) -> Result<Feedback, StoreError> {
    let (store, now) = (runtime.store(), runtime.world().now());
    let since = now.plus_ms(-within.ms);
    let rates = store.read(|conn| Box::pin(rows::rates(conn, since, TYPES))).await?;
    let open = suppressions::open;
    let open = store.read(|conn| Box::pin(open(conn, now, limits::SUPPRESSIONS))).await?;
    let mut items = Vec::new();
    for rate in rates.iter().filter(|rate| rate.is_noise()) {
        let of = rate.clone();
        let alerts = store
            .read(|conn| {
                Box::pin(async move { rows::false_positives(conn, since, &of, ALERTS).await })
            })
            .await?;
        let is_quiet = alerts.iter().all(|alert| open.iter().any(|it| it.holds(alert, now)));
        if alerts.is_empty() || is_quiet {
            continue;
        }
        let filter = rate.filter(&alerts);
        let command = noise::command(&filter, rate);
        items.push(Suggestion { judged: judged(rate), filter, command });
    }
    Ok(Feedback { rates: rates.iter().map(judged).collect(), items })
}

fn judged(rate: &Rate) -> Judged {
    Judged { rate: rate.clone(), percent: rate.percent() }
}
