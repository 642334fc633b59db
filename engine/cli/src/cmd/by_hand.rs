//! Calls AWS as a person does by hand: one request, with the credentials that are given.

use std::sync::Arc;

use serde_json::{Value, json};
use stanch_engine_core::digest::Sha256;
use stanch_engine_core::effect::Effect;
use stanch_engine_core::operation::Operations;
use stanch_engine_core::span::Span;
use stanch_engine_core::world::World;
use stanch_engine_runtime::system;
use stanch_plugins_aws::{Roles, StaticCredentials};
use stanch_plugins_http::Secrets;
use stanch_plugins_sdk::{
    Action, ActionContext, ActionError, Catalogue, Done, Outcome, Patience, Urgency,
};

use crate::config::Config;
use crate::wiring;

/// How long one call may take.
const TIMEOUT: Span = Span::from_secs(20);

/// Somebody who may call.
#[derive(Clone)]
pub(super) struct Caller {
    action: Arc<dyn Action>,
    catalogue: Catalogue,
    world: World,
}

impl Caller {
    /// With the credentials that a node would have.
    pub(super) fn base(config: &Config) -> anyhow::Result<Self> {
        Self::with(config, None)
    }

    /// With the credentials of a session.
    pub(super) fn with(
        config: &Config,
        credentials: Option<StaticCredentials>,
    ) -> anyhow::Result<Self> {
        let (secrets, roles) = (Secrets::default(), Roles::default());
        let catalogue = wiring::catalogue(config, credentials, secrets, roles)?;
        let action = catalogue.action("aws.call").map_err(|why| anyhow::anyhow!(why))?;
        Ok(Self {
            action: Arc::clone(action),
            catalogue: catalogue.clone(),
            world: system::world(),
        })
    }

    /// What is known of operations.
    pub(super) fn operations(&self) -> &dyn Operations {
        self.catalogue.operations().as_ref()
    }

    /// The account that it calls.
    pub(super) async fn account(&self) -> Result<String, ActionError> {
        let asked = self.call("sts:GetCallerIdentity", json!({}), None).await?;
        Ok(text(&asked.value, "/Account").to_owned())
    }

    /// Calls once, every page of it.
    pub(super) async fn call(
        &self,
        operation: &str,
        params: Value,
        region: Option<&str>,
    ) -> Result<Done, ActionError> {
        let input = json!({"operation": operation, "params": params, "paginate": "auto"});
        let context = ActionContext {
            incident: None,
            run: None,
            step: "by hand".to_owned(),
            token: Sha256::of(self.world.entropy.next().to_be_bytes()).uuid(),
            attempt: 1,
            account: None,
            region: region.map(str::to_owned),
            role: None,
            urgency: Urgency::Response,
            patience: Patience::default(),
            // What is called stands in the text of the commands that call, and no person names it.
            granted: Effect::Destroy,
            plan: Vec::new(),
            timeout: TIMEOUT,
            now: self.world.now(),
            state: None,
        };
        match self.action.run(&context, &input).await? {
            Outcome::Done(done) => Ok(done),
            Outcome::Again { .. } => {
                Err(ActionError::permanent("unfinished", format!("{operation} is not over")))
            }
        }
    }
}

/// The text at a pointer.
pub(super) fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The items at a pointer.
pub(super) fn items<'v>(value: &'v Value, pointer: &str) -> &'v [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// An error in a line.
pub(super) fn told(error: &ActionError) -> String {
    format!("{}: {}", error.code, error.message)
}
