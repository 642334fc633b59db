//! The kill switch, thrown and taken back at the machine.

use std::sync::Arc;

use ed25519_dalek::SigningKey;
use serde_json::json;
use stanch_engine_core::audit::{Asked, Ended};
use stanch_engine_store::{Tx, audit, settings};

use super::{Came, Offline, OfflineError, OfflineKey, Spoken, asked, may_speak, prove, tell};
use crate::people::thrown;

/// What becomes of the kill switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// It is thrown: from now on nothing is changed, on any node.
    Thrown,
    /// It is taken back.
    Back,
}

impl Offline {
    /// Throws the kill switch, or takes it back: on every node, before their next call.
    ///
    /// # Errors
    /// [`OfflineError`] says why not; nothing is changed then but the audit log.
    pub async fn switch(
        &self,
        key: &OfflineKey,
        to: Switch,
        by: Spoken,
    ) -> Result<(), OfflineError> {
        let now = self.shared.world.now();
        let parts = Arc::new((self.shared.clone(), key.0.clone(), by));
        let done = self.shared.store.write(move |tx| {
            let parts = parts.clone();
            Box::pin(async move {
                let (shared, key, by) = &*parts;
                let (verb, said) = match to {
                    Switch::Thrown => ("halt.offline", "The kill switch was thrown offline"),
                    Switch::Back => ("unhalt.offline", "The kill switch was taken back offline"),
                };
                let mut told = asked(by, verb, None, now);
                let done = set_switch(tx, (key, to), by, &mut told).await?;
                if done.is_ok() {
                    tell(tx, shared, by, (verb, said), now).await?;
                }
                let ended = done.as_ref().map_or_else(|e| Ended::by(e.code()), |_| Ended::DONE);
                audit::append(tx, &told, &ended).await?;
                Ok(done)
            })
        });
        done.await??;
        if let Err(error) = self.shared.store.hint().await {
            tracing::debug!(%error, "a hint got lost");
        }
        Ok(())
    }
}

async fn set_switch(
    tx: &mut Tx<'_>,
    (key, to): (&SigningKey, Switch),
    by: &Spoken,
    told: &mut Asked,
) -> Came<()> {
    let statement =
        json!({"do": told.verb, "person": by.person, "reason": by.reason, "at": told.at});
    if let Err(error) = prove(tx, key, statement, told).await? {
        return Ok(Err(error));
    }
    if let Err(error) = may_speak(tx, by).await? {
        return Ok(Err(error));
    }
    match to {
        Switch::Thrown => {
            let value = thrown(&by.person, &by.reason, told.at);
            settings::set(tx, settings::HALT, &value).await?;
        }
        Switch::Back if !settings::clear(tx, settings::HALT).await? => {
            return Ok(Err(OfflineError::NotThrown));
        }
        Switch::Back => {}
    }
    Ok(Ok(()))
}
