//! What the detectors cover of what is critical, as the last sweep found.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use stanch_engine_core::id::RunId;
use stanch_engine_core::json::Json;
use stanch_engine_core::kpi::ShareSummary;
use stanch_engine_core::kpi::catalogue::COVERAGE;
use stanch_engine_core::kpi::totals::summary;
use stanch_engine_core::run::RunStatus;
use stanch_engine_core::time::Timestamp;
use stanch_engine_store::{StoreError, runs};

use crate::runtime::Runtime;

/// The playbooks whose last result says what is covered: a user's own, and the one that is shipped.
pub const COVERAGE_PLAYBOOKS: [&str; 2] = ["coverage", "logging-baseline"];

/// What a sweep found of the coverage.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Coverage {
    /// The sweep.
    pub run: Option<RunId>,
    /// When it ended.
    pub at: Option<Timestamp>,
    /// The part that each detector covers.
    pub detectors: BTreeMap<String, ShareSummary>,
    /// Why there is none.
    pub reason: Option<&'static str>,
}

/// What the last sweep that succeeded says of the coverage: its result has
/// `detectors: #{ name: #{ critical, covered } }`.
pub(super) async fn last(runtime: &Runtime) -> Result<Coverage, StoreError> {
    let filter = |playbook: &str| runs::Filter {
        status: Some(RunStatus::Succeeded),
        playbook: Some(playbook.to_owned()),
        limit: 1,
        ..runs::Filter::default()
    };
    let filters = COVERAGE_PLAYBOOKS.map(filter);
    let last = runtime
        .store()
        .read(|conn| {
            Box::pin(async move {
                let mut last = Vec::new();
                for filter in &filters {
                    last.extend(runs::list(conn, filter).await?);
                }
                Ok(last.into_iter().max_by_key(|run| run.finished_at))
            })
        })
        .await?;
    let Some(run) = last else {
        let reason = Some("no run of the playbooks `coverage` or `logging-baseline` has succeeded");
        return Ok(Coverage { reason, ..Coverage::default() });
    };
    let outcome = run.outcome.as_ref().map(Json::value);
    let detectors = outcome.as_ref().and_then(|outcome| outcome.pointer("/result/detectors"));
    let detectors = detectors.and_then(Value::as_object);
    let Some(detectors) = detectors else {
        let reason = Some("the last sweep gave no `detectors`");
        return Ok(Coverage {
            run: Some(run.id),
            at: run.finished_at,
            reason,
            ..Coverage::default()
        });
    };
    let part = |(name, of): (&String, &Value)| {
        let (covered, critical) = (of.get("covered")?.as_i64()?, of.get("critical")?.as_i64()?);
        let is_one = (0..=critical).contains(&covered);
        is_one.then(|| (name.clone(), summary(COVERAGE, covered, critical)))
    };
    let detectors = detectors.iter().filter_map(part).collect();
    Ok(Coverage { run: Some(run.id), at: run.finished_at, detectors, reason: None })
}
