//! Steps that need no permission: looking, keeping, telling, waiting, calling another playbook.

use serde_json::json;
use stanch_engine_core::command::{
    CollectArgs, EvidenceArgs, PageArgs, ProbeArgs, Regions, RunPlaybookArgs, SleepArgs,
    UndoPlanArgs, Verb,
};
use stanch_engine_core::id::RunId;
use stanch_engine_core::journal::Started;
use stanch_engine_core::json::{Json, plain};
use stanch_engine_core::limits;
use stanch_engine_core::playbook::LANGUAGE;
use stanch_engine_core::step::{StepError, StepKey};
use stanch_engine_store::runs::{NewRun, Parent};

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
            args.params = plain(args.params);
            Work::Collect(args)
        }
        Verb::Evidence => {
            needs_incident()?;
            let EvidenceArgs { label, value } = args.read().map_err(bad)?;
            Work::Evidence { label, value: plain(value) }
        }
        Verb::Notify => {
            let PageArgs { to, message } = args.read().map_err(bad)?;
            Work::Notify { to, message }
        }
        Verb::UndoPlan => Work::UndoPlan(args.read::<UndoPlanArgs>().map_err(bad)?.run),
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
    let mut page = shared.page(format!("{}/page/{key}", live.who.id), vec![to], "page", message);
    page.incident = live.who.incident;
    page.run = Some(live.who.id);
    live.project(Projection::Raise(Box::new(page)));
    live.succeed(key.clone(), Json::null(), None);
    Ok(())
}

pub(super) fn run_playbook(
    live: &mut Live,
    shared: &Shared,
    key: &StepKey,
    args: &Json,
) -> Result<(), StepError> {
    let args: RunPlaybookArgs = args.read().map_err(|error| unreadable(&error))?;
    let Some(active) = shared.playbook(&args.playbook) else {
        let names = shared.active();
        let names = names.iter().map(|active| active.header.name.as_str());
        let hint = stanch_engine_core::suggest::hint(&args.playbook, names);
        let message = format!("no playbook `{}` is active{hint}", args.playbook);
        return Err(StepError::permanent("no_such_playbook", message));
    };
    if live.who.depth + 1 > limits::CHILD_DEPTH {
        let message = format!("playbooks may call each other {} levels deep", limits::CHILD_DEPTH);
        return Err(StepError::permanent("too_deep", message));
    }
    let id = shared.world.id(RunId::new);
    let scope = live.state.started.as_ref().map_or_else(Json::null, |s| s.scope.clone());
    let mut scope = scope.value();
    if let Some(members) = scope.as_object_mut() {
        members.insert("inputs".to_owned(), json!(args.inputs));
    }
    let new = NewRun {
        id,
        playbook: args.playbook,
        digest: active.digest,
        incident: live.who.incident,
        alert: live.who.alert,
        subject: None,
        parent: Some(Parent { run: live.who.id, step: key.clone() }),
        depth: live.who.depth + 1,
        requester: live.who.id.to_string(),
        at: live.now(),
        claim: None,
    };
    let timeout_ms = active.header.timeout.map_or(limits::RUN_TIMEOUT_MS, |timeout| timeout.ms);
    let started = Started {
        playbook: new.playbook.clone(),
        digest: active.digest,
        language: LANGUAGE,
        generation: 1,
        requester: new.requester.clone(),
        scope: Json::canonical(&scope),
        deadline_at: live.now().plus_ms(timeout_ms),
    };
    live.project(Projection::Begin(Box::new(new), Box::new(started)));
    live.wait(key.clone(), Some(id.to_string()), None);
    Ok(())
}
