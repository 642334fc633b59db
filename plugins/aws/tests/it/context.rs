//! What the engine would hand to an action.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use stanch_plugins_aws::sandbox::Sandbox;
use stanch_plugins_aws::{Aws, AwsSettings, StaticCredentials};
use stanch_plugins_sdk::core::effect::Effect;
use stanch_plugins_sdk::core::span::Span;
use stanch_plugins_sdk::core::time::Timestamp;
use stanch_plugins_sdk::{
    Action, ActionContext, ActionError, Catalogue, Done, Outcome, Patience, Urgency,
};
use uuid::Uuid;

/// A catalogue whose calls go to `url`.
pub(crate) fn catalogue(url: &str) -> Catalogue {
    catalogue_with(url, None)
}

/// A catalogue whose calls are signed as the sandbox's runner signs.
pub(crate) fn catalogue_of_runner(url: &str) -> Catalogue {
    let settings = AwsSettings {
        endpoint_url: Some(url.to_owned()),
        credentials: Some(Sandbox::runner()),
        ..AwsSettings::default()
    };
    let aws = Aws::open(&settings).unwrap();
    aws.register(Catalogue::new(aws.operations()))
}

/// A catalogue with more models.
pub(crate) fn catalogue_with(url: &str, models: Option<&Path>) -> Catalogue {
    let settings = AwsSettings {
        models_dir: models.map(Path::to_owned),
        endpoint_url: Some(url.to_owned()),
        credentials: Some(StaticCredentials {
            access_key_id: Sandbox::runner().access_key_id,
            secret_access_key: SECRET.to_owned(),
            session_token: Some(SESSION.to_owned()),
        }),
        ..AwsSettings::default()
    };
    let aws = Aws::open(&settings).unwrap();
    aws.register(Catalogue::new(aws.operations()))
}

/// The secrets that calls are signed with.
pub(crate) const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
pub(crate) const SESSION: &str = "FwoGZXIvYXdzEXAMPLESESSIONTOKEN";

/// A context that allows everything in `account`.
pub(crate) fn context(account: &str) -> ActionContext {
    ActionContext {
        incident: None,
        run: None,
        step: "1".to_owned(),
        token: Uuid::from_u128(0x0190_0000_0000_8000_8000_0000_0000_0001),
        attempt: 1,
        account: Some(account.to_owned()),
        region: Some("us-east-1".to_owned()),
        role: None,
        urgency: Urgency::Response,
        patience: Patience::default(),
        granted: Effect::Destroy,
        plan: Vec::new(),
        timeout: Span::from_secs(30),
        now: Timestamp::parse("2026-11-24T03:00:00Z").unwrap(),
        state: None,
    }
}

/// A context that nobody named an account for, so that nobody is asked who calls.
pub(crate) fn anywhere() -> ActionContext {
    ActionContext { account: None, ..context("") }
}

/// `aws.call`.
pub(crate) fn call(catalogue: &Catalogue) -> Arc<dyn Action> {
    Arc::clone(catalogue.action("aws.call").unwrap())
}

/// Calls, and expects an answer.
pub(crate) async fn done(
    catalogue: &Catalogue,
    context: &ActionContext,
    operation: &str,
    params: Value,
) -> Done {
    match attempt(catalogue, context, operation, params).await {
        Ok(Outcome::Done(done)) => done,
        other => panic!("{operation}: {other:?}"),
    }
}

/// Calls, and expects an error.
pub(crate) async fn error(
    catalogue: &Catalogue,
    context: &ActionContext,
    operation: &str,
    params: Value,
) -> ActionError {
    attempt(catalogue, context, operation, params).await.unwrap_err()
}

/// Calls.
pub(crate) async fn attempt(
    catalogue: &Catalogue,
    context: &ActionContext,
    operation: &str,
    params: Value,
) -> Result<Outcome, ActionError> {
    let input = json!({"operation": operation, "params": params});
    call(catalogue).run(context, &input).await
}
