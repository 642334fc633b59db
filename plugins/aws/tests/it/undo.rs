//! The undo catalogue against moto: state before, change, probe, inverse, state as before. One row
//! of `undo/rows.json` for each, with what must be there first; those of `undo/sandbox.json` are
//! tried against the sandbox. `undo/not_tried.toml` names the others, and is held to account.
//!
//! What the catalogue says may be repeated is made twice on the way.

pub(crate) mod account;

use std::sync::Arc;

use serde_json::{Value, json};
use stanch_plugins_aws::sandbox::Sandbox;
use stanch_plugins_sdk::core::effect::RetrySafety;
use stanch_plugins_sdk::core::id::RunId;
use stanch_plugins_sdk::core::plan::{Change, Probe};
use stanch_plugins_sdk::core::probe::{error_answer, look};
use stanch_plugins_sdk::{ActionContext, Outcome};
use stanch_tests::moto::Moto;

use crate::context::{call, catalogue, context};
use crate::listener::{now, serve};
use crate::scene::{Stage, filled};
use account::{Differs, Row};

/// The accounts that moto and the sandbox play.
const OF_MOTO: &str = "123456789012";
const OF_SANDBOX: &str = "111122223333";
const PRODUCT: &str = "arn:aws:securityhub:us-east-1::product/aws/guardduty";

impl Stage {
    fn at(url: &str, account: &str) -> Self {
        let context = context(account);
        let run = Some(RunId::new(context.now, 1));
        Self { aws: catalogue(url), context: ActionContext { run, ..context } }
    }

    async fn passes(&self, probe: &Probe) -> bool {
        let input = json!({"operation": probe.operation, "params": probe.params,
            "paginate": "auto"});
        let answer = match call(&self.aws).run(&self.context, &input).await {
            Ok(Outcome::Done(done)) => done.value,
            Err(error) if probe.errors.contains(&error.code) => error_answer(&error.code),
            _ => return false,
        };
        look(probe, &answer).is_ok_and(|seen| seen.passes)
    }

    /// A change as `plan` completes it.
    async fn prepared(&self, operation: &str, params: &Value) -> Result<Change, String> {
        let account = self.context.account.clone();
        let bare = json!({"operation": operation, "params": params, "account": account});
        let prepare = self.aws.action("aws.prepare").unwrap();
        let input = json!({"change": bare});
        let outcome = prepare.run(&self.context, &input).await;
        let Ok(Outcome::Done(done)) = outcome else { return Err(format!("{outcome:?}")) };
        let mut change = bare;
        for (name, value) in done.value.as_object().unwrap() {
            change[name] = value.clone();
        }
        serde_json::from_value(change).map_err(|error| error.to_string())
    }

    /// The call itself, by hand: a document is not pinned. What goes on is not followed.
    async fn make(&self, change: &Change) -> Result<Value, String> {
        self.call(&change.operation, change.params.clone()).await
    }

    async fn play(&self, row: &Row, params: Value) -> Result<(), String> {
        let change = self.prepared(&row.change, &params).await?;
        let is_told = |word: &str| change.notes.iter().any(|note| note.starts_with(word));
        let notes = &change.notes;
        let probe = match &change.probe {
            Some(_) if row.unverified => return Err(format!("it has a probe: {notes:?}")),
            None if !row.unverified || !is_told("UNVERIFIED: ") => {
                return Err(format!("no probe: {notes:?}"));
            }
            probe => probe.as_ref(),
        };
        if let Some(probe) = probe {
            if probe.account != self.context.account {
                return Err("the probe looks nowhere".to_owned());
            }
            // As if the call had been accepted and nothing had come of it.
            if self.passes(probe).await {
                return Err(format!("the probe passes before: {}", probe.expression));
            }
        }
        let answer = self.make(&change).await?;
        if let Some(probe) = probe
            && !self.passes(probe).await
        {
            return Err(format!("the probe does not pass: {}", probe.expression));
        }
        // As if the first answer had been lost.
        let answer = match row.once {
            true => answer,
            false => self.repeat(&change, probe).await?.unwrap_or(answer),
        };
        let Some(undo) = change.undo(&answer) else {
            let expected = row.is_final && is_told("FINAL: ");
            return if expected { Ok(()) } else { Err(format!("no inverse: {notes:?}")) };
        };
        if row.is_final {
            return Err("something undoes it".to_owned());
        }
        self.take_back(row, &undo, probe).await
    }

    /// What is safe to repeat as it is, is: a later attempt is done, and nothing is worse for it. Its
    /// answer, if it is one to repeat.
    async fn repeat(
        &self,
        change: &Change,
        probe: Option<&Probe>,
    ) -> Result<Option<Value>, String> {
        let input = json!({"operation": change.operation, "params": change.params});
        let nature = call(&self.aws).classify(&input).map_err(|error| error.to_string())?;
        let Some(probe) = probe.filter(|_| nature.safety == RetrySafety::Natural) else {
            return Ok(None);
        };
        let later = ActionContext { run: None, attempt: 2, ..self.context.clone() };
        let answer = match call(&self.aws).run(&later, &input).await {
            Ok(Outcome::Done(done)) => done.value,
            Ok(Outcome::Again { state, .. }) => state,
            Err(error) => return Err(format!("a second time: {error}")),
        };
        if !self.passes(probe).await {
            return Err(format!("a second time the probe does not pass: {}", probe.expression));
        }
        Ok(Some(answer))
    }

    async fn take_back(
        &self,
        row: &Row,
        undo: &Change,
        probe: Option<&Probe>,
    ) -> Result<(), String> {
        if let Some(back) = &undo.probe
            && self.passes(back).await
        {
            return Err(format!("the undo's probe passes before: {}", back.expression));
        }
        self.make(undo).await?;
        let Some(probe) = probe else { return Ok(()) };
        let back = undo.probe.as_ref().ok_or("the undo has no probe")?;
        if !self.passes(back).await {
            return Err(format!("the undo's probe does not pass: {}", back.expression));
        }
        if self.passes(probe).await != row.comes_back_anew {
            return Err(format!("the probe passes after the undo: {}", probe.expression));
        }
        Ok(())
    }

    /// Every row, and what is not as it says.
    async fn play_all(&self, rows: &[Row]) -> Vec<String> {
        let mut wrong = Vec::new();
        for row in rows {
            let told = |why: String| format!("{} {}: {why}", row.change, row.title);
            let names = match self.set(&row.setup).await {
                Ok(names) => names,
                Err(why) => {
                    wrong.push(told(format!("the scene: {why}")));
                    continue;
                }
            };
            let played = Box::pin(self.play(row, filled(&row.params, &names))).await;
            match (played, &row.moto_differs) {
                (Ok(()), None) => {}
                (Err(why), Some(Differs { how, .. })) if why.starts_with(how) => {}
                (Err(why), _) => wrong.push(told(why)),
                (Ok(()), Some(_)) => wrong.push(told("moto does it as AWS does now".to_owned())),
            }
        }
        wrong
    }
}

#[tokio::test]
async fn what_is_changed_is_seen_and_taken_back() {
    let moto = Moto::start().await;
    let stage = Stage::at(moto.url(), OF_MOTO);
    let wrong = stage.play_all(&account::of_moto()).await;
    assert!(wrong.is_empty(), "{} rows:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test]
async fn what_moto_lacks_is_changed_and_taken_back_where_the_sandbox_keeps_state() {
    let sandbox = Arc::new(Sandbox::demo(now()).unwrap().answering_everything());
    let finding = json!({"Id": "f-1", "AwsAccountId": OF_SANDBOX, "ProductArn": PRODUCT,
        "Workflow": {"Status": "NEW"}});
    sandbox.add_findings([Sandbox::demo_finding(now())]);
    sandbox.load(json!({"state": {"security_hub": [finding]}}), now()).unwrap();
    let stage = Stage::at(&serve(sandbox).await, OF_SANDBOX);
    let wrong = stage.play_all(&account::of_sandbox()).await;
    assert!(wrong.is_empty(), "{} rows:\n{}", wrong.len(), wrong.join("\n"));
}
