//! A playbook that was just started about a resource is not started again for a while.

use serde_json::json;
use stanch_engine_core::alert::Alert;
use stanch_engine_core::cooldown::{self, Last};
use stanch_engine_core::header::Header;
use stanch_engine_core::id::RunId;
use stanch_engine_core::limits;
use stanch_engine_core::span::Span;
use stanch_engine_store::cooldowns;
use stanch_engine_store::{StoreError, Tx, custody};

use super::trigger::About;
use crate::shared::Shared;

/// What an alert that fires a playbook has to do with the time after its last start.
pub(super) struct Cooling {
    playbook: String,
    keys: Vec<String>,
    cooldown: Option<Span>,
}

impl Cooling {
    pub(super) fn of(shared: &Shared, header: &Header, alert: &Alert) -> Self {
        let cooldown = header.cooldown(alert, shared.settings.cooldown);
        let keys = if cooldown.is_some() { cooldown::keys(alert) } else { Vec::new() };
        Self { playbook: header.name.clone(), keys, cooldown }
    }

    /// Whether the playbook waits: it was started about every resource of the alert just now. The
    /// record of the incident says so.
    pub(super) async fn holds(
        &self,
        tx: &mut Tx<'_>,
        shared: &Shared,
        about: &About<'_>,
    ) -> Result<bool, StoreError> {
        let Some(cooldown) = self.cooldown else { return Ok(false) };
        let (now, mut of) = (shared.world.now(), None);
        for key in &self.keys {
            let last = cooldowns::get(tx, &self.playbook, key).await?;
            match last.filter(|last| last.holds(cooldown, about.alert, now)) {
                Some(last) => of = Some(last.run),
                None => return Ok(false),
            }
        }
        let Some(run) = of else { return Ok(false) };
        let text =
            format!("{} was started about the same less than {cooldown} ago: {run}", self.playbook);
        let detail =
            json!({"decision": "not started", "text": text, "alert": about.alert_id, "run": run});
        let actor = format!("cooldown of {}", self.playbook);
        custody::decided(tx, about.incident.id, (&actor, now), detail).await?;
        Ok(true)
    }

    /// Notes that a run was started.
    pub(super) async fn begin(
        &self,
        tx: &mut Tx<'_>,
        shared: &Shared,
        alert: &Alert,
        run: RunId,
    ) -> Result<(), StoreError> {
        if self.keys.is_empty() {
            return Ok(());
        }
        let started_at = shared.world.now();
        let last = Last { run, severity: alert.severity, started_at };
        let forget_before = started_at.plus_ms(-limits::COOLDOWN.ms);
        cooldowns::put(tx, &self.playbook, &self.keys, &last, forget_before).await
    }
}
