//! What AWS does when it is asked for the same twice.

use serde_json::{Map, Value, json};
use stanch_plugins_aws::Aws;

/// `manners.toml`.
pub(super) struct Manners(Value);

impl Manners {
    pub(super) fn read() -> Self {
        Self(toml::from_str(include_str!("manners.toml")).unwrap())
    }

    fn at(&self, table: &str, operation: &str) -> Option<&Value> {
        self.0[table].get(operation)
    }

    /// The parameters of a call that it says more of.
    pub(super) fn params(&self, operation: &str) -> Map<String, Value> {
        self.at("params", operation).and_then(Value::as_object).cloned().unwrap_or_default()
    }

    /// Whether nothing is worse for it when it takes place twice.
    pub(super) fn tells(&self, operation: &str) -> bool {
        self.at("tells", operation).is_some()
    }

    /// Whether a second call does it once more.
    pub(super) fn happens_again(&self, operation: &str) -> bool {
        self.at("each", operation).is_some()
    }

    /// Whether there can be only one of a name.
    pub(super) fn has_key(&self, operation: &str) -> bool {
        self.at("each", operation).is_some_and(|each| each.get("key").is_some())
    }

    /// The member that AWS takes for a token.
    pub(super) fn token(&self, operation: &str) -> Option<&str> {
        self.at("tokens", operation).and_then(Value::as_str)
    }

    /// The manners of an operation and of the read that shows what it did, for the sandbox.
    pub(super) fn of(&self, aws: &Aws, operation: &str) -> Value {
        let mut manners = Map::new();
        let own = if let Some(code) = self.at("once", operation) {
            let code = code.as_str().filter(|code| !code.is_empty());
            json!({"does": "once", "code": code})
        } else if let Some(token) = self.token(operation) {
            json!({"does": "each", "token": token})
        } else if let Some(Value::Object(each)) = self.at("each", operation) {
            let mut each = each.clone();
            each.insert("does".to_owned(), "each".into());
            each.into()
        } else {
            assert!(self.tells(operation), "manners.toml says nothing of {operation}");
            json!({"does": "each"})
        };
        manners.insert(operation.to_owned(), own);
        if let Some(shown) = self.at("shown", operation) {
            let described = aws.describe(operation).unwrap();
            let read = described["looked_up"]["read"].as_str().unwrap().to_owned();
            let (answer, code) = (&shown["answer"], shown.get("code"));
            let shows = json!({"does": "shows", "of": operation, "answer": answer, "code": code});
            manners.insert(read, shows);
        }
        manners.into()
    }
}
