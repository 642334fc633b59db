//! `aws.prepare`: reads the state before a change, and gives what the undo catalogue has for it.
//!
//! Input: `{"change": {…}}`. The result is `{"probe", "inverse", "before", "notes"}`, each where
//! there is one. What can't be read leaves the change FINAL, and says why: a plan is not held up
//! by it. It only looks.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};
use stanch_plugins_sdk::core::effect::{Effect, RetrySafety};
use stanch_plugins_sdk::core::plan::Change;
use stanch_plugins_sdk::core::step::ErrorKind;
use stanch_plugins_sdk::{
    Action, ActionContext, ActionError, BoxFuture, CallRecord, Done, Nature, Outcome,
};

use super::call::Call;
use crate::client::Client;
use crate::secrets;
use crate::undo::{self, Completed, Draft, Said, Wanted};

/// `aws.prepare`.
pub(crate) struct Prepare(pub(crate) Arc<Client>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    change: Change,
}

/// Why the state before is not known.
enum Blind {
    /// The catalogue's reads don't fit this change, or AWS refuses them.
    Why(String),
    /// A later attempt may see it.
    Later(ActionError),
}

impl Prepare {
    fn read(&self, input: &Value) -> Result<Change, ActionError> {
        let Input { change } = Input::deserialize(input).map_err(|error| {
            ActionError::permanent("bad_input", format!("aws.prepare: {error}"))
        })?;
        let named = self.0.models.operation(&change.operation);
        named.map_err(|error| ActionError::permanent(error.code(), error.to_string()))?;
        Ok(change)
    }

    async fn prepare(
        &self,
        context: &ActionContext,
        input: &Value,
    ) -> Result<Outcome, ActionError> {
        let change = self.read(input)?;
        let mut record = CallRecord::default();
        let mut completed = Box::pin(self.complete(context, &change, &mut record)).await?;
        place(&mut completed, &change);
        let value = serde_json::to_value(completed)
            .map_err(|error| ActionError::permanent("bad_input", error.to_string()))?;
        Ok(Outcome::Done(Done { value, secrets: Vec::new(), call: record }))
    }

    async fn complete(
        &self,
        context: &ActionContext,
        change: &Change,
        record: &mut CallRecord,
    ) -> Result<Completed, ActionError> {
        let noted = |note: String| Completed { notes: vec![note], ..Completed::default() };
        let models = &self.0.models;
        let Some(entry) = models.operation(&change.operation).ok().and_then(undo::of) else {
            let note = format!("the undo catalogue does not know {}", change.operation);
            return Ok(noted(note));
        };
        let mut draft = match Draft::new(models, entry, change.params.clone()) {
            Ok(draft) => draft,
            Err(why) => return Ok(noted(format!("the undo catalogue does not fit: {why}"))),
        };
        let seen = match Box::pin(self.see(context, &mut draft, record)).await {
            Ok(seen) => seen,
            Err(Blind::Later(error)) => return Err(error),
            Err(Blind::Why(why)) => {
                let mut completed = draft.complete(None);
                completed.notes.insert(0, format!("the state before can't be read: {why}"));
                return Ok(completed);
            }
        };
        Ok(draft.complete(seen))
    }

    /// Finds what the change is about, and takes its state.
    async fn see(
        &self,
        context: &ActionContext,
        draft: &mut Draft<'_>,
        record: &mut CallRecord,
    ) -> Result<Option<(Wanted, Said)>, Blind> {
        if let Some(wanted) = draft.find().map_err(Blind::Why)? {
            let answer = Box::pin(self.look(context, draft, &wanted, record)).await?;
            let answer = answer.map_err(Blind::Why)?;
            draft.found(&answer).map_err(Blind::Why)?;
        }
        let Some(wanted) = draft.read().map_err(Blind::Why)? else { return Ok(None) };
        let said = Box::pin(self.look(context, draft, &wanted, record)).await?;
        Ok(Some((wanted, said)))
    }

    async fn look(
        &self,
        context: &ActionContext,
        draft: &Draft<'_>,
        wanted: &Wanted,
        record: &mut CallRecord,
    ) -> Result<Said, Blind> {
        let call = Call(Arc::clone(&self.0));
        let input = json!({"operation": wanted.operation, "params": wanted.params,
            "paginate": "auto"});
        let reading = ActionContext { granted: Effect::Read, state: None, ..context.clone() };
        match call.run(&reading, &input).await {
            Ok(Outcome::Done(mut done)) => {
                secrets::hide_at(&done.secrets, &mut done.value);
                let elsewhere = context.account.is_some() && done.call.account.is_some();
                if elsewhere && done.call.account != context.account {
                    let why = "the credentials belong to another account";
                    return Err(Blind::Why(why.to_owned()));
                }
                *record = done.call;
                Ok(Ok(done.value))
            }
            Ok(Outcome::Again { .. }) => Err(Blind::Why("it does not answer at once".to_owned())),
            Err(error) => match error.kind {
                ErrorKind::Permanent if draft.is_absent(&error.code) => {
                    *record = *error.call;
                    Ok(Err(error.code))
                }
                ErrorKind::Permanent | ErrorKind::Denied => Err(Blind::Why(error.to_string())),
                _ => Err(Blind::Later(error)),
            },
        }
    }
}

/// What is added acts where the change acts.
fn place(completed: &mut Completed, change: &Change) {
    let here = || (change.account.clone(), change.region.clone());
    if let Some(probe) = &mut completed.probe {
        (probe.account, probe.region) = here();
    }
    let Some(undo) = &mut completed.inverse else { return };
    (undo.account, undo.region) = here();
    if let Some(probe) = &mut undo.probe {
        (probe.account, probe.region) = here();
    }
}

impl Action for Prepare {
    fn name(&self) -> &'static str {
        "aws.prepare"
    }

    /// What it gives is shown to people.
    fn takes_secrets(&self) -> bool {
        false
    }

    /// It only looks.
    fn classify(&self, input: &Value) -> Result<Nature, ActionError> {
        self.read(input)?;
        Ok(Nature { effect: Effect::Read, safety: RetrySafety::Natural })
    }

    fn run<'a>(
        &'a self,
        context: &'a ActionContext,
        input: &'a Value,
    ) -> BoxFuture<'a, Result<Outcome, ActionError>> {
        Box::pin(self.prepare(context, input))
    }
}
