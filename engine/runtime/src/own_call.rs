//! Calls of AWS that no run asks for: a node looks by itself.

use std::sync::Arc;

use serde_json::{Value, json};
use stanch_engine_core::effect::Effect;
use stanch_engine_core::span::Span;
use stanch_engine_core::step::ErrorKind;
use stanch_plugins_sdk::{ActionContext, ActionError, Outcome, Patience, Urgency};

use crate::shared::Shared;

/// The action that calls AWS.
const CALL: &str = "aws.call";

/// How long a call may take.
const TIMEOUT: Span = Span::from_secs(30);

/// Attempts at a call whose error passes, and the pause before the second of them, in milliseconds.
/// Each later pause is twice as long.
const ATTEMPTS: u32 = 4;
const PAUSE_MS: i64 = 500;

/// Where a node looks, and what for.
pub(crate) struct OwnCall {
    pub(crate) shared: Arc<Shared>,
    /// What it is for, in a word.
    pub(crate) purpose: &'static str,
    pub(crate) account: String,
    pub(crate) region: String,
}

impl OwnCall {
    /// Calls an operation that changes nothing, again while its errors pass.
    pub(crate) async fn read(&self, operation: &str, params: Value) -> Result<Value, ActionError> {
        let input = json!({"operation": operation, "params": params});
        let mut attempt = 1;
        loop {
            let error = match self.once(operation, &input, attempt).await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            if attempt >= ATTEMPTS || !error.kind.passes() {
                return Err(error);
            }
            let pause_ms = PAUSE_MS << (attempt - 1);
            let until = self.shared.world.now().plus_ms(pause_ms);
            self.shared.world.clock.sleep_until(until).await;
            attempt += 1;
        }
    }

    async fn once(
        &self,
        operation: &str,
        input: &Value,
        attempt: u32,
    ) -> Result<Value, ActionError> {
        let lost = |code: &str, message: String| ActionError::permanent(code, message);
        let action = self.shared.catalogue.action(CALL).map_err(|why| lost("no_action", why))?;
        let context = ActionContext {
            incident: None,
            run: None,
            step: self.purpose.to_owned(),
            token: uuid::Uuid::from_u128(self.shared.world.entropy.next()),
            attempt,
            account: Some(self.account.clone()),
            region: Some(self.region.clone()),
            role: None,
            urgency: Urgency::Collection,
            patience: Patience::default(),
            granted: Effect::Read,
            plan: Vec::new(),
            timeout: TIMEOUT,
            now: self.shared.world.now(),
            state: None,
        };
        match tokio::time::timeout(TIMEOUT.duration(), action.run(&context, input)).await {
            Ok(Ok(Outcome::Done(done))) => Ok(done.value),
            Ok(Ok(Outcome::Again { .. })) => {
                Err(lost("not_over", format!("{operation} is not over")))
            }
            Ok(Err(error)) => Err(error),
            Err(_) => {
                let message = format!("{operation} was not answered in {TIMEOUT}");
                Err(ActionError::new(ErrorKind::Transient, "timeout", message))
            }
        }
    }
}
