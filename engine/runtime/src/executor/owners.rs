//! Whom the tags of a plan's resources name: read when people are asked, and kept in what they are
//! asked.

use std::sync::Arc;

use stanch_engine_core::approval::Owned;
use stanch_engine_core::guard::target::Wants;
use stanch_engine_core::json::Json;
use stanch_engine_core::plan::{Change, Plan};
use stanch_engine_core::step::StepError;

use super::{context, in_time};
use crate::job::{Job, JobOutcome};
use crate::rails;
use crate::shared::Shared;
use crate::steps::call_for;

/// Reads the tags of what each change touches, with the role that reads. The tags of an account in
/// the configuration are those of everything in it that has none of its own. What passes is tried
/// again; what can't be read is told to people instead.
pub(super) async fn find(
    shared: &Arc<Shared>,
    job: &Job,
    plan: &Plan,
    tags: &[String],
) -> JobOutcome {
    let mut found: Vec<Owned> = Vec::with_capacity(plan.items.len());
    for change in &plan.items {
        let one = match Box::pin(of_change(shared, job, change)).await {
            Ok(all) => {
                let wanted = |key: &str| {
                    let own = all.iter().filter(|(k, _)| k == key).cloned();
                    let own: Vec<_> = own.collect();
                    let account = change.account.as_deref().unwrap_or_default();
                    let of_account = || shared.settings.rails.tags_of(account);
                    let inherited = || of_account().iter().filter(|(k, _)| k == key).cloned();
                    if own.is_empty() { inherited().collect() } else { own }
                };
                let tags = tags.iter().flat_map(|key| wanted(key)).collect();
                Owned { what: what(change), tags, error: None }
            }
            Err(error) if error.kind.passes() => return JobOutcome::failed(error),
            Err(error) => {
                Owned { what: what(change), tags: Vec::new(), error: Some(error.to_string()) }
            }
        };
        if !found.contains(&one) {
            found.push(one);
        }
    }
    JobOutcome::done(Json::of(&found))
}

fn what(change: &Change) -> String {
    match &change.account {
        Some(account) => format!("{} in {account}", change.operation),
        None => change.operation.clone(),
    }
}

async fn of_change(
    shared: &Arc<Shared>,
    job: &Job,
    change: &Change,
) -> Result<Vec<(String, String)>, StepError> {
    let call = call_for(shared, change)?;
    let targets = rails::targets(shared, &call);
    let action = shared.catalogue.action(&call.action);
    let action = action.map_err(|message| StepError::permanent("no_such_action", message))?;
    let (context, wants) = (context(shared, job, &call), Wants { tags: true, ..Wants::default() });
    match in_time(&context, action.survey(&context, &targets, wants)).await {
        Some(found) => Ok(found?.tags),
        None => {
            let message = "no answer came in time about the tags of what the plan touches";
            let kind = stanch_engine_core::step::ErrorKind::Transient;
            Err(StepError::new(kind, "timeout", message))
        }
    }
}
