//! Runs that can't be taken up: their journal or their playbook can't be read here, or Stanch
//! itself fails over them. They are parked and a person is paged; they are not tried for ever.

use std::sync::{Arc, PoisonError};

use serde_json::json;
use stanch_engine_core::error_code;
use stanch_engine_core::id::{IncidentId, RunId};
use stanch_engine_core::json::Json;
use stanch_engine_core::run::ParkReason;
use stanch_engine_store::pages;
use stanch_engine_store::runs::{self, Claimed};

use crate::live::Identity;
use crate::shared::Shared;

/// A run that a node holds the lease of and can't take up.
#[derive(Clone, Debug)]
pub(crate) struct Stuck {
    pub(crate) run: RunId,
    pub(crate) epoch: i64,
    pub(crate) playbook: String,
    pub(crate) incident: Option<IncidentId>,
}

impl Stuck {
    pub(crate) fn of(claimed: &Claimed) -> Self {
        let (run, epoch, incident) = (claimed.id, claimed.epoch, claimed.incident);
        Self { run, epoch, playbook: claimed.playbook.clone(), incident }
    }
}

impl From<&Identity> for Stuck {
    fn from(who: &Identity) -> Self {
        let (run, epoch, incident) = (who.id, who.epoch, who.incident);
        Self { run, epoch, playbook: who.playbook.clone(), incident }
    }
}

/// Parks it. Its journal is left as it is, and so are the facts in its inbox: whatever wakes it,
/// such as `resume`, has it tried again.
pub(crate) async fn park(shared: Arc<Shared>, stuck: Stuck, why: String) {
    tracing::error!(run.id = %stuck.run, %why, "a run can't be taken up");
    let code = error_code::POISON;
    let outcome =
        json!({"parked": {"reason": ParkReason::Poison, "code": code.code, "detail": why}});
    let message = format!("{}: {}: {why}", stuck.playbook, code.title);
    let to = vec!["role:responder".to_owned()];
    let mut page = shared.page(format!("{}/stuck", stuck.run), to, code.code, message);
    page.incident = stuck.incident;
    page.run = Some(stuck.run);
    let parts = Arc::new((stuck.clone(), Json::canonical(&outcome), page));
    let now = shared.world.now();
    let written = shared.store.write(move |tx| {
        let parts = parts.clone();
        Box::pin(async move {
            let (stuck, outcome, page) = &*parts;
            if runs::park(tx, stuck.run, stuck.epoch, ParkReason::Poison, outcome, now).await? {
                pages::raise(tx, page).await?;
            }
            Ok(())
        })
    });
    if let Err(error) = written.await {
        tracing::error!(run.id = %stuck.run, %error, "it can't be parked either; it is tried again");
        let mut orphans = shared.orphans.lock().unwrap_or_else(PoisonError::into_inner);
        orphans.push((stuck.run, stuck.epoch));
        return;
    }
    shared.paging.notify_one();
    let _ = shared.rested.send(stuck.run);
}
