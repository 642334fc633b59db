//! What a reader of playbooks asks of AWS's operations.

use std::sync::Arc;

use serde_json::Value;
use stanch_plugins_sdk::core::effect::Effect;
use stanch_plugins_sdk::core::guard::target::Targets;
use stanch_plugins_sdk::core::operation::{Completion, IamActions, Operations};

use crate::action::blank_automation;
use crate::client::{Client, blank};
use crate::{effect, iam, lookups, params, target, undo};

/// The operations of every service that there is a model of.
pub(crate) struct AwsOperations(pub(crate) Arc<Client>);

impl Operations for AwsOperations {
    fn effect(&self, operation: &str) -> Result<Effect, String> {
        self.0.models.operation(operation).map(effect::of).map_err(|error| error.to_string())
    }

    fn check(&self, operation: &str, params: &Value) -> Result<(), Vec<String>> {
        let named = self.0.models.operation(operation);
        let named = named.map_err(|error| vec![error.to_string()])?;
        let mistakes = params::mistakes_of_call(named, params);
        if mistakes.is_empty() { Ok(()) } else { Err(mistakes) }
    }

    fn waiter(&self, waiter: &str) -> Result<String, String> {
        let found = self.0.models.waiter(waiter).map_err(|error| error.to_string());
        found.map(|(service, waiter)| format!("{service}:{}", waiter.operation))
    }

    fn iam_actions(&self, operation: &str) -> Option<IamActions> {
        self.0.models.operation(operation).ok().map(iam::of)
    }

    fn looked_up_by(&self, operation: &str) -> Option<String> {
        let named = self.0.models.operation(operation).ok()?;
        Some(lookups::of(named)?.read.to_string())
    }

    fn targets(
        &self,
        operation: &str,
        params: &Value,
        account: Option<&str>,
        region: Option<&str>,
    ) -> Option<Targets> {
        let named = self.0.models.operation(operation).ok()?;
        Some(target::of(named, params, account, region))
    }

    fn completion(&self, operation: &str) -> Completion {
        let entry = self.0.models.operation(operation).ok().and_then(undo::of);
        entry.map_or_else(Completion::default, |entry| Completion {
            probe: entry.unverified.is_none(),
            inverse: entry.is_final.is_none(),
            operations: entry.operations().map(str::to_owned).collect(),
        })
    }

    fn blank_answer(&self, operation: &str) -> Value {
        let Ok(named) = self.0.models.operation(operation) else { return Value::Null };
        let output = named.operation.output.as_ref().map(|output| &*output.shape);
        blank_automation(named).unwrap_or_else(|| blank(named.model, output))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::AwsSettings;
    use serde_json::json;

    fn operations() -> AwsOperations {
        AwsOperations(Arc::new(Client::new(&AwsSettings::default()).unwrap()))
    }

    #[test]
    fn a_call_that_was_not_made_answers_in_the_right_shape() {
        let blank = operations().blank_answer("iam:ListAccessKeys");
        assert_eq!(blank, json!({"AccessKeyMetadata": null, "IsTruncated": null, "Marker": null}));
        let blank = operations().blank_answer("ssm:StartAutomationExecution");
        assert_eq!(blank["AutomationExecutionStatus"], Value::Null);
        assert!(blank.get("Outputs").is_some());
        assert_eq!(operations().blank_answer("iam:Nothing"), Value::Null);
    }

    #[test]
    fn a_reader_of_playbooks_knows_what_the_catalogue_adds() {
        let cut = operations().completion("iam:UpdateAccessKey");
        assert!(cut.probe && cut.inverse);
        assert_eq!(cut.operations, ["iam:ListAccessKeys", "iam:UpdateAccessKey"]);
        let gone = operations().completion("iam:DeleteAccessKey");
        assert!(gone.probe && !gone.inverse);
        assert_eq!(operations().completion("iam:Nothing"), Completion::default());
    }

    #[test]
    fn a_reader_of_playbooks_gets_effects_and_mistakes() {
        assert_eq!(operations().effect("iam:UpdateAccessKey"), Ok(Effect::Change));
        assert!(operations().effect("iam:UpdateAccesKey").unwrap_err().contains("did you mean"));
        let mistakes = operations().check("iam:GetUser", &json!({"User": "u"})).unwrap_err();
        assert_eq!(mistakes, ["`User` is no parameter (did you mean `UserName`?)"]);
    }
}
