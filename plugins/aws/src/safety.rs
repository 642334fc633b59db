//! What may be done when it is unknown whether an operation took place.

use stanch_plugins_sdk::core::effect::{Effect, RetrySafety};

use crate::effect;
use crate::model::Named;
use crate::reviewed;

/// What may be done when it is unknown whether an operation took place. A read is natural. What
/// takes a token is repeated with it. What AWS's model calls idempotent is natural. Of the rest,
/// only what was reviewed is ever repeated.
pub(crate) fn of(named: Named) -> RetrySafety {
    if let Some(reviewed) = reviewed::of(named) {
        return reviewed.safety;
    }
    match effect::of(named) {
        Effect::Read | Effect::Notify => RetrySafety::Natural,
        Effect::Change | Effect::Destroy => {
            if token_member(named).is_some() {
                RetrySafety::Token
            } else if named.operation.idempotent {
                RetrySafety::Natural
            } else {
                RetrySafety::Never
            }
        }
    }
}

/// The parameter that takes the idempotency token, if there is one.
pub(crate) fn token_member(named: Named) -> Option<&'static str> {
    let members = || named.model.input(named.operation).into_iter().flat_map(|s| &s.members);
    let marked = members().find(|(_, member)| member.idempotency_token).map(|(name, _)| &**name);
    marked.or_else(|| reviewed::of(named)?.token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ModelStore;

    #[test]
    fn only_what_is_known_to_be_safe_is_repeated() {
        use RetrySafety::{Lookup, Natural, Never, Token};
        let store = ModelStore::open(None).unwrap();
        for (operation, expected) in [
            ("iam:ListUsers", Natural),
            ("iam:UpdateAccessKey", Natural),
            ("iam:PutUserPolicy", Natural),
            ("ec2:ModifyNetworkInterfaceAttribute", Natural),
            ("ec2:RunInstances", Token),
            ("ssm:StartAutomationExecution", Token),
            ("secretsmanager:CreateSecret", Token),
            ("ec2:CreateSnapshots", Lookup),
            ("kms:CreateGrant", Token),
            ("ssm:SendCommand", Lookup),
            ("iam:CreateAccessKey", Never),
            ("sqs:SendMessage", Never),
        ] {
            assert_eq!(of(store.operation(operation).unwrap()), expected, "{operation}");
        }
    }
}
