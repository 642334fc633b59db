//! What a reader of playbooks asks of AWS's operations.

use std::sync::Arc;

use serde_json::Value;
use stanch_plugins_sdk::core::effect::Effect;
use stanch_plugins_sdk::core::guard::target::{Targets, Wants};
use stanch_plugins_sdk::core::operation::{Completion, IamActions, Operations};
use stanch_plugins_sdk::core::suggest;

use crate::action::{asks, blank_automation};
use crate::client::{Client, blank};
use crate::model::Kind;
use crate::{effect, iam, lookups, params, secrets, target, undo};

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

    fn asked_before(&self, operation: &str, wants: &Wants) -> Vec<String> {
        asks(operation, wants).into_iter().map(str::to_owned).collect()
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

    fn answers(&self, operation: &str, path: &[&str]) -> Result<(), String> {
        let Ok(named) = self.0.models.operation(operation) else { return Ok(()) };
        if let Some(blank) = blank_automation(named) {
            let Some((first, known)) = path.first().zip(blank.as_object()) else { return Ok(()) };
            let known: Vec<&str> = known.keys().map(String::as_str).collect();
            return if known.contains(first) {
                Ok(())
            } else {
                Err(lacks(operation, first, &known))
            };
        }
        let Some(mut shape) = named.model.output(named.operation) else { return Ok(()) };
        let mut is_secret = false;
        for (at, step) in path.iter().enumerate() {
            let whole = || match path.get(..at).unwrap_or_default() {
                [] => operation.to_owned(),
                path => path.join(".").replace(".[]", "[0]"),
            };
            // A secret structure stays one; what is in it is sealed.
            is_secret |= shape.sensitive;
            let is_sealed = is_secret || secrets::is_named(operation, path.get(..at));
            if is_sealed && shape.kind != Kind::Structure {
                return Err(format!(
                    "`{}` is a secret, which can be handed on and not looked into: it has no `{step}` here",
                    whole()
                ));
            }
            let next = match (shape.kind, *step) {
                _ if shape.document => return Ok(()),
                (Kind::List, "[]") => shape.member.as_deref(),
                (Kind::List, "len" | "is_empty") => return Ok(()),
                (Kind::List, name) => {
                    return Err(format!(
                        "`{}` is a list, which has no `{name}`: take an item of it, as `{}[0].{name}`",
                        whole(),
                        whole()
                    ));
                }
                (Kind::Map, _) => shape.value.as_deref(),
                // What is followed gives more than its operation answers.
                (Kind::Structure, "Invocations") if at == 0 && operation == "ssm:SendCommand" => {
                    return Ok(());
                }
                (Kind::Structure, name) => match shape.members.get(name) {
                    Some(member) => Some(member),
                    None => {
                        let known: Vec<&str> = shape.members.keys().map(|name| &**name).collect();
                        return Err(lacks(&whole(), name, &known));
                    }
                },
                _ => return Ok(()),
            };
            match next.and_then(|member| named.model.shape(&member.shape)) {
                Some(next) => shape = next,
                None => return Ok(()),
            }
        }
        Ok(())
    }

    fn blank_answer(&self, operation: &str) -> Value {
        let Ok(named) = self.0.models.operation(operation) else { return Value::Null };
        let output = named.operation.output.as_ref().map(|output| &*output.shape);
        blank_automation(named).unwrap_or_else(|| blank(named.model, output))
    }
}

fn lacks(whole: &str, name: &str, known: &[&str]) -> String {
    let hint = suggest::hint(name, known.iter().copied());
    let all = match known.len() {
        0 => " and nothing else either".to_owned(),
        1..=12 => format!(": it has {}", known.join(", ")),
        _ => String::new(),
    };
    format!("the answer `{whole}` has no `{name}`{hint}{all}")
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

    #[test]
    fn a_member_that_an_answer_can_not_have_is_told() {
        let says = |operation: &str, path: &[&str]| operations().answers(operation, path);
        assert_eq!(says("iam:GetUser", &["User", "Arn"]), Ok(()));
        assert_eq!(says("iam:ListUsers", &["Users", "[]", "UserName", "len"]), Ok(()));
        assert_eq!(says("iam:ListUsers", &["Users", "len"]), Ok(()));
        assert_eq!(says("ssm:StartAutomationExecution", &["Outputs", "x"]), Ok(()));
        assert_eq!(says("ssm:SendCommand", &["Invocations", "[]", "Status"]), Ok(()));
        assert_eq!(says("lambda:GetFunction", &["Tags", "owner"]), Ok(()));
        assert_eq!(says("sts:AssumeRole", &["Credentials", "SessionToken"]), Ok(()));
        assert_eq!(
            says("eks-auth:AssumeRoleForPodIdentity", &["credentials", "sessionToken"]),
            Ok(())
        );
        for (operation, path, said) in [
            ("iam:GetUser", &["User", "Arnn"][..], "`User` has no `Arnn` (did you mean `Arn`?)"),
            (
                "iam:GetUser",
                &["Usr"],
                "`iam:GetUser` has no `Usr` (did you mean `User`?): it has User",
            ),
            ("iam:ListUsers", &["Users", "UserName"], "`Users[0].UserName`"),
            ("iam:ListUsers", &["Users", "[]", "Name"], "`Users[0]` has no `Name`"),
            ("ssm:StartAutomationExecution", &["Output"], "did you mean `Outputs`"),
            (
                "secretsmanager:GetSecretValue",
                &["SecretString", "len"],
                "`SecretString` is a secret, which can be handed on",
            ),
            ("sts:AssumeRole", &["Credentials", "SessionToken", "len"], "is a secret"),
            (
                "ecr:GetAuthorizationToken",
                &["authorizationData", "[]", "authorizationToken", "len"],
                "is a secret",
            ),
        ] {
            let told = says(operation, path).unwrap_err();
            assert!(told.contains(said), "{told}");
        }
    }
}
