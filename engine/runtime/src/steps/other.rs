//! Steps that need no permission: looking, keeping, telling, waiting.
use stanch_engine_core::command::{
    CollectArgs, EvidenceArgs, OwnersArgs, PageArgs, ProbeArgs, Regions, SleepArgs, UndoPlanArgs,
    Verb,
};
use stanch_engine_core::json::Json;
use stanch_engine_core::sealed::plain_but_sealed;
use stanch_engine_core::step::{StepError, StepKey};

use super::unreadable;
use crate::job::Work;
use crate::live::Live;
use crate::projection::Projection;
use crate::shared::Shared;

/// The work of a step that has a job and needs no permission.
pub(super) fn work_of(live: &Live, verb: Verb, args: &Json) -> Result<Work, StepError> {
    let bad = |error: serde_json::Error| unreadable(&error);
    let needs_incident = || {
        live.who.incident.map(drop).ok_or_else(|| {
            let message =
                "evidence belongs to an incident, and this run has none: start it with an alert";
            StepError::permanent("no_incident", message)
        })
    };
    Ok(match verb {
        Verb::Probe => Work::Probe(args.read::<ProbeArgs>().map_err(bad)?.probe),
        Verb::Collect => {
            needs_incident()?;
            let mut args: CollectArgs = args.read().map_err(bad)?;
            let account = args.options.account.take();
            args.options.account = account.or_else(|| live.about.account.clone());
            if args.options.regions.is_none() {
                args.options.regions = live.about.region.clone().map(Regions::Word);
            }
            Work::Collect(args)
        }
        Verb::Evidence => {
            needs_incident()?;
            let EvidenceArgs { label, value, caveats } = args.read().map_err(bad)?;
            Work::Evidence { label, value: plain_but_sealed(value), caveats }
        }
        Verb::Notify => {
            let PageArgs { to, message } = args.read().map_err(bad)?;
            Work::Notify { to, message }
        }
        Verb::UndoPlan => Work::UndoPlan(args.read::<UndoPlanArgs>().map_err(bad)?),
        Verb::Owners => {
            let OwnersArgs { plan, tags } = args.read().map_err(bad)?;
            Work::Owners { plan: Box::new(plan), tags }
        }
        other => {
            let message = format!("`{other}` has no work of its own");
            return Err(StepError::permanent("bad_arguments", message));
        }
    })
}

pub(super) fn sleep(live: &mut Live, key: &StepKey, args: &Json) -> Result<(), StepError> {
    let args: SleepArgs = args.read().map_err(|error| unreadable(&error))?;
    let wake_at = live.now().plus_ms(args.span.ms);
    live.wait(key.clone(), None, Some(wake_at));
    Ok(())
}

pub(super) fn page(
    live: &mut Live,
    shared: &Shared,
    key: &StepKey,
    args: &Json,
) -> Result<(), StepError> {
    let PageArgs { to, message } = args.read().map_err(|error| unreadable(&error))?;
    let key_of_page = live.page_key(&format!("page/{key}"));
    let mut page = shared.page(key_of_page, vec![to], "page", message);
    page.incident = live.who.incident;
    page.run = Some(live.who.id);
    live.project(Projection::Raise(Box::new(page)));
    live.succeed(key.clone(), Json::null(), None);
    Ok(())
}
