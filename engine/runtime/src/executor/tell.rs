//! `notify`: tells somebody, by the ways that the configuration names for them.

use std::sync::Arc;

use serde_json::json;
use stanch_engine_core::json::Json;
use stanch_engine_core::notify::About;
use stanch_engine_core::span::Span;
use stanch_engine_core::step::{ErrorKind, StepError};
use stanch_engine_store::{StoreError, incidents, runs};
use stanch_plugins_sdk::{Message, Standing};

use super::act;
use crate::job::{Job, JobOutcome};
use crate::notify::{self, By, Way};
use crate::pager;
use crate::scopes;
use crate::shared::Shared;

/// How long one channel may take.
const PATIENCE: Span = Span::from_secs(15);

/// Tells somebody, once on each chain of channels. Where one chain is dead, all of it is tried again:
/// a message that comes twice does less harm than one that does not come.
pub(super) async fn tell(shared: &Arc<Shared>, job: &Job, to: &str, text: &str) -> JobOutcome {
    let message = match message(shared, job, to, text).await {
        Ok(message) => message,
        Err(error) => {
            let why = format!("what it is about can't be read: {error}");
            return JobOutcome::failed(StepError::new(ErrorKind::Transient, "store", why));
        }
    };
    let (message, playbook) = message;
    let at = shared.world.now();
    let about = About { to, severity: message.severity, playbook: playbook.as_deref(), at };
    let chains = notify::chains(shared, &about);
    if let [chain] = chains.as_slice()
        && let [Way { by: By::Topic(topic), .. }] = chain.as_slice()
    {
        return act(shared, job, &notify::publish(topic, to, "Stanch", text)).await;
    }
    if chains.is_empty() {
        return JobOutcome::failed(StepError::permanent("no_channel", notify::no_way(to)));
    }
    let about = (job.incident, Some(job.run));
    let context = notify::context(shared, about, (job.token, job.attempt), PATIENCE);
    let mut told = Vec::new();
    for chain in &chains {
        let mut missed: Option<StepError> = None;
        for way in chain {
            match Box::pin(notify::send(shared, way, &context, &message, None)).await {
                Ok(_) => {
                    told.push(way.name.clone());
                    missed = None;
                    break;
                }
                Err(error) => missed = Some(error.into()),
            }
        }
        if let Some(error) = missed {
            return JobOutcome::failed(error);
        }
    }
    JobOutcome::done(Json::canonical(&json!({"channels": told})))
}

async fn message(
    shared: &Shared,
    job: &Job,
    to: &str,
    text: &str,
) -> Result<(Message, Option<String>), StoreError> {
    let (incident, run) = (job.incident, job.run);
    let found = shared.store.read(move |conn| {
        Box::pin(async move {
            let incident = match incident {
                Some(id) => incidents::get(conn, id).await?,
                None => None,
            };
            let subject = scopes::of_run_id(conn, run).await?;
            Ok((incident, runs::get(conn, run).await?, subject))
        })
    });
    let (incident, found, subject) = found.await?;
    let message = Message {
        key: format!("{run}/{}", job.key),
        turn: 1,
        to: to.to_owned(),
        code: "notice".to_owned(),
        text: text.to_owned(),
        severity: incident.as_ref().map(|incident| incident.severity),
        incident_id: job.incident,
        run_id: Some(run),
        raised_at: shared.world.now(),
        people: pager::people_of(shared, to, &subject).await?,
        ask: None,
        standing: Standing::Open,
    };
    Ok((message, found.map(|run| run.playbook)))
}
