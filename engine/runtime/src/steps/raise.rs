//! Alerts that a run raises.

use stanch_engine_core::json::{Json, plain};
use stanch_engine_core::raise::{RaiseAlertArgs, RaisedBy, Raiser};
use stanch_engine_core::step::{StepError, StepKey};
use stanch_engine_core::time::Timestamp;

use super::unreadable;
use crate::job::Work;
use crate::live::Live;

/// The work of raising an alert; `at` is when the step began, the same for every attempt.
pub(super) fn work_of(
    live: &Live,
    key: &StepKey,
    args: &Json,
    at: Timestamp,
) -> Result<Work, StepError> {
    let args = serde_json::from_value::<RaiseAlertArgs>(plain(args.value()));
    let args = args.map_err(|error| unreadable(&error))?;
    let by = RaisedBy {
        run: live.who.id,
        step: key.clone(),
        playbook: live.who.playbook.clone(),
        depth: live.about.raised + 1,
    };
    let (account, region) = (live.about.account.as_deref(), live.about.region.as_deref());
    let raiser = Raiser { by, account, region, is_sample: live.about.is_sample, at };
    Ok(Work::RaiseAlert(Box::new(args.alert(raiser)?)))
}
