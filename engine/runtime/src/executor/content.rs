//! Collecting content: the bytes that an answer holds or leads to go into the evidence store as they
//! come, and never become a value.

use std::sync::Arc;

use serde_json::json;
use stanch_engine_core::command::CollectArgs;
use stanch_engine_core::limits;
use stanch_engine_core::span::Span;
use stanch_engine_core::step::{ErrorKind, StepError};
use stanch_plugins_sdk::{ActionError, CallRecord};

use super::collect;
use super::evidence::{self, Kept, not_captured};
use super::invoke_with;
use crate::evidence::Incoming;
use crate::job::{Call, Job, JobOutcome};
use crate::shared::Shared;

/// What the bytes are: nobody looks into them.
const MEDIA_TYPE: &str = "application/octet-stream";

/// Collects the content of one answer, and keeps it as one item.
pub(super) async fn collect(shared: &Arc<Shared>, job: &Job, args: &CollectArgs) -> JobOutcome {
    match Box::pin(fetch(shared, job, args)).await {
        Ok((kept, call)) => {
            let how = json!({
                "operation": args.operation, "account": args.options.account, "content": true,
                "calls": [call], "caveats": call.caveats,
            });
            let kept = Kept { label: &args.label, item: kept, media_type: MEDIA_TYPE, how: &how };
            evidence::done(shared, job, kept)
        }
        Err(error) => {
            let error = StepError::from(error);
            let record = job.incident.map(|id| not_captured(shared, job, id, &args.label, &error));
            JobOutcome::Failed { error, call: None, projections: record.into_iter().collect() }
        }
    }
}

async fn fetch(
    shared: &Arc<Shared>,
    job: &Job,
    args: &CollectArgs,
) -> Result<(crate::evidence::Kept, CallRecord), ActionError> {
    let regions = collect::regions(shared, job, args).await?;
    let [region] = regions.as_slice() else {
        let why = "content is of one region: name one in `regions`";
        return Err(ActionError::permanent("bad_options", why));
    };
    let params = collect::params(shared, args);
    let input = json!({"operation": args.operation, "params": params});
    let mut call: Call = collect::call(args, region.clone(), input);
    call.options.timeout = Some(Span::from_ms(limits::CONTENT_TIMEOUT_MS));
    let mut incoming = Incoming::begin(shared.items.clone());
    let done = invoke_with(shared, job, &call, &mut incoming).await?;
    let kept = incoming.keep().await;
    let kept =
        kept.map_err(|why| ActionError::new(ErrorKind::Transient, "evidence", why.to_string()))?;
    Ok((kept, done.call))
}
