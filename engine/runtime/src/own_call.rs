//! Calls of AWS that no run asks for: a node looks by itself, or keeps its evidence, its anchors and its
//! key.

use bytes::Bytes;
use serde_json::{Map, Value};
use stanch_engine_core::effect::Effect;
use stanch_engine_core::span::Span;
use stanch_engine_core::step::ErrorKind;
use stanch_engine_core::world::World;
use stanch_plugins_sdk::{
    ActionContext, ActionError, BoxFuture, Catalogue, Outcome, Patience, Urgency,
};

use crate::shared::Shared;

/// The action that calls AWS.
const CALL: &str = "aws.call";

/// Attempts at a call that may be made twice, and the pause before the second of them, in
/// milliseconds. Each later pause is twice as long.
const ATTEMPTS: u32 = 5;
const PAUSE_MS: i64 = 250;

/// How long a look may take.
const LOOK: Span = Span::from_secs(30);

/// Where the content of a call is.
enum Content {
    /// In its parameters and in its answer.
    Within,
    /// Beside both: the body that is sent, if one is, and the one that comes.
    Beside(Option<Bytes>),
}

/// Who calls, where, and how patiently.
#[derive(Clone)]
pub(crate) struct OwnCall {
    pub(crate) world: World,
    pub(crate) catalogue: Catalogue,
    /// What it is for, in a word.
    pub(crate) purpose: &'static str,
    /// The account, by its role; the node's own credentials where there is none.
    pub(crate) account: Option<String>,
    pub(crate) region: Option<String>,
    /// The most that a call may do.
    pub(crate) granted: Effect,
    /// How long one call may take.
    pub(crate) patience: Span,
}

impl OwnCall {
    /// Looks in an account and a region, and changes nothing.
    pub(crate) fn looking(shared: &Shared, purpose: &'static str, place: (&str, &str)) -> Self {
        Self {
            world: shared.world.clone(),
            catalogue: shared.catalogue.clone(),
            purpose,
            account: Some(place.0.to_owned()),
            region: Some(place.1.to_owned()),
            granted: Effect::Read,
            patience: LOOK,
        }
    }

    /// Calls, again while it may pass: for whatever may be done twice.
    pub(crate) async fn repeated(
        &self,
        operation: &str,
        params: Value,
    ) -> Result<Value, ActionError> {
        let answer = self.patiently(operation, params, &Content::Within).await;
        answer.map(|(value, _)| value)
    }

    /// The same with content beside the parameters, and beside the answer.
    pub(crate) async fn carried(
        &self,
        operation: &str,
        params: Value,
        body: Option<Bytes>,
    ) -> Result<(Value, Vec<u8>), ActionError> {
        self.patiently(operation, params, &Content::Beside(body)).await
    }

    async fn patiently(
        &self,
        operation: &str,
        params: Value,
        content: &Content,
    ) -> Result<(Value, Vec<u8>), ActionError> {
        let (input, mut attempt) = (input(operation, params), 1);
        loop {
            let error = match self.send(operation, &input, content).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let may_pass = error.kind.passes() || error.kind == ErrorKind::InDoubt;
            if attempt >= ATTEMPTS || !may_pass {
                return Err(error);
            }
            let until = self.world.now().plus_ms(PAUSE_MS << (attempt - 1));
            self.world.clock.sleep_until(until).await;
            attempt += 1;
        }
    }

    /// Calls once.
    pub(crate) async fn once(&self, operation: &str, params: Value) -> Result<Value, ActionError> {
        let answer = self.send(operation, &input(operation, params), &Content::Within).await;
        answer.map(|(value, _)| value)
    }

    async fn send(
        &self,
        operation: &str,
        input: &Value,
        content: &Content,
    ) -> Result<(Value, Vec<u8>), ActionError> {
        let lost = |code: &str, message: String| ActionError::permanent(code, message);
        let action = self.catalogue.action(CALL).map_err(|why| lost("no_action", why))?;
        let context = self.context();
        let mut came = Vec::new();
        let attempt: BoxFuture<'_, Result<Outcome, ActionError>> = match content {
            Content::Within => action.run(&context, input),
            Content::Beside(body) => {
                let carried = action.carry(&context, input, body.clone(), &mut came);
                Box::pin(async move { carried.await.map(Outcome::Done) })
            }
        };
        let came_of_it = tokio::time::timeout(self.patience.duration(), attempt).await;
        match came_of_it {
            Ok(Ok(Outcome::Done(done))) => Ok((done.value, came)),
            Ok(Ok(Outcome::Again { .. })) => {
                Err(lost("not_over", format!("{operation} is not over")))
            }
            Ok(Err(error)) => Err(error),
            Err(_) => {
                let message = format!("{operation} was not answered in {}", self.patience);
                Err(ActionError::new(ErrorKind::Transient, "timeout", message))
            }
        }
    }

    fn context(&self) -> ActionContext {
        ActionContext {
            incident: None,
            run: None,
            step: self.purpose.to_owned(),
            token: uuid::Uuid::from_u128(self.world.entropy.next()),
            attempt: 1,
            account: self.account.clone(),
            region: self.region.clone(),
            role: None,
            urgency: Urgency::Collection,
            patience: Patience::default(),
            granted: self.granted,
            plan: Vec::new(),
            timeout: self.patience,
            now: self.world.now(),
            state: None,
        }
    }
}

/// What the action is given.
fn input(operation: &str, params: Value) -> Value {
    let mut input = Map::new();
    input.insert("operation".to_owned(), operation.into());
    input.insert("params".to_owned(), params);
    Value::Object(input)
}
