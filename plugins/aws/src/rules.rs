//! AWS's endpoint rules: which host serves a service in a region, and how its calls are signed
//! (<https://smithy.io/2.0/additional-specs/rules-engine/specification.html>).
//!
//! Owns: reading and evaluating the rule sets that come with the models.
//!
//! Must never: look anything up. What a rule may know is handed in.
//!
//! Start reading at [`RuleSet::resolve`].

mod function;
mod partition;
mod template;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

pub(crate) use partition::Partitions;

/// The rules of one service.
#[derive(Debug, Deserialize)]
pub(crate) struct RuleSet {
    parameters: BTreeMap<Box<str>, Parameter>,
    rules: Vec<Rule>,
}

/// Something that the rules may know.
#[derive(Debug, Deserialize)]
struct Parameter {
    default: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct Rule {
    conditions: Vec<Call>,
    #[serde(flatten)]
    then: Then,
}

/// What holds when the conditions of a rule do.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Then {
    Endpoint { endpoint: Endpoint },
    Error { error: Expression },
    Tree { rules: Vec<Rule> },
}

#[derive(Debug, Deserialize)]
struct Endpoint {
    url: Expression,
    #[serde(default = "no_properties")]
    properties: Value,
    #[serde(default)]
    headers: BTreeMap<Box<str>, Vec<Expression>>,
}

fn no_properties() -> Value {
    Value::Object(serde_json::Map::new())
}

/// A call of one of the language's functions.
#[derive(Debug, Deserialize)]
struct Call {
    #[serde(rename = "fn")]
    function: Box<str>,
    argv: Vec<Expression>,
    assign: Option<Box<str>>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Expression {
    Reference {
        #[serde(rename = "ref")]
        name: Box<str>,
    },
    Call(Call),
    Literal(Value),
}

/// Where a call goes and how it is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resolved {
    /// Scheme, host and, for some services, a path.
    pub(crate) url: String,
    /// The region in the scope of the signature, where it is not the call's own.
    pub(crate) signing_region: Option<String>,
    /// The name in the scope of the signature, where it is not the service's own.
    pub(crate) signing_name: Option<String>,
    /// Whether calls there are signed in a way that is known.
    pub(crate) is_signable: bool,
    /// What the rules say of it beside, such as `authSchemes`.
    pub(crate) properties: Value,
    /// Headers that calls there must have.
    pub(crate) headers: Value,
}

/// What names stand for while rules are evaluated.
type Scope = BTreeMap<Box<str>, Value>;

impl RuleSet {
    /// Resolves the endpoint for parameters such as `Region`, `UseFIPS` and `UseDualStack`.
    ///
    /// # Errors
    /// In the words of the rules, when there is none for these parameters.
    pub(crate) fn resolve<'n>(
        &self,
        partitions: &Partitions,
        given: impl IntoIterator<Item = (&'n str, Value)>,
    ) -> Result<Resolved, String> {
        let defaults = self.parameters.iter().filter_map(|(name, parameter)| {
            parameter.default.clone().map(|default| (name.clone(), default))
        });
        let mut scope: Scope = defaults.collect();
        let known = given.into_iter().filter(|(name, _)| self.parameters.contains_key(*name));
        scope.extend(known.map(|(name, value)| (name.into(), value)));
        let evaluation = Evaluation { partitions };
        evaluation
            .first(&self.rules, &scope)
            .unwrap_or_else(|| Err("no endpoint rule fits".to_owned()))
    }
}

struct Evaluation<'p> {
    partitions: &'p Partitions,
}

impl Evaluation<'_> {
    /// What comes of the first rule whose conditions hold.
    fn first(&self, rules: &[Rule], scope: &Scope) -> Option<Result<Resolved, String>> {
        rules.iter().find_map(|rule| {
            let mut scope = scope.clone();
            for condition in &rule.conditions {
                let value = self.call(condition, &scope).filter(|v| *v != Value::Bool(false))?;
                if let Some(name) = &condition.assign {
                    scope.insert(name.clone(), value);
                }
            }
            match &rule.then {
                Then::Tree { rules } => self.first(rules, &scope),
                Then::Error { error } => Some(Err(self.text(error, &scope).unwrap_or_default())),
                Then::Endpoint { endpoint } => Some(self.endpoint(endpoint, &scope)),
            }
        })
    }

    fn endpoint(&self, endpoint: &Endpoint, scope: &Scope) -> Result<Resolved, String> {
        let url = self.text(&endpoint.url, scope).ok_or("an endpoint rule gives no address")?;
        let schemes = endpoint.properties.get("authSchemes").and_then(Value::as_array);
        let by_name = |name: &str| {
            let schemes = schemes.into_iter().flatten();
            schemes.into_iter().find(|scheme| scheme.get("name").is_some_and(|own| own == name))
        };
        let scheme = by_name("sigv4");
        let only_others = schemes.is_some_and(|schemes| !schemes.is_empty()) && scheme.is_none();
        let part = |name| {
            let text = scheme?.get(name)?.as_str()?;
            Some(template::filled(text, scope))
        };
        Ok(Resolved {
            url,
            signing_region: part("signingRegion"),
            signing_name: part("signingName"),
            is_signable: !only_others,
            properties: filled_in(&endpoint.properties, scope),
            headers: self.headers(&endpoint.headers, scope),
        })
    }

    fn headers(&self, headers: &BTreeMap<Box<str>, Vec<Expression>>, scope: &Scope) -> Value {
        let mut all = serde_json::Map::new();
        for (name, values) in headers {
            let values = values.iter().filter_map(|value| self.value(value, scope));
            all.insert(name.to_string(), values.collect());
        }
        Value::Object(all)
    }

    fn text(&self, expression: &Expression, scope: &Scope) -> Option<String> {
        self.value(expression, scope)?.as_str().map(str::to_owned)
    }

    fn value(&self, expression: &Expression, scope: &Scope) -> Option<Value> {
        match expression {
            Expression::Reference { name } => scope.get(name).cloned(),
            Expression::Call(call) => self.call(call, scope),
            Expression::Literal(Value::String(text)) => Some(template::filled(text, scope).into()),
            Expression::Literal(value) => Some(value.clone()),
        }
    }

    fn call(&self, call: &Call, scope: &Scope) -> Option<Value> {
        let arguments: Vec<Option<Value>> =
            call.argv.iter().map(|argument| self.value(argument, scope)).collect();
        function::call(&call.function, &arguments, self.partitions)
    }
}

/// A value with the templates of its texts filled in.
fn filled_in(value: &Value, scope: &Scope) -> Value {
    match value {
        Value::String(text) => template::filled(text, scope).into(),
        Value::Array(items) => items.iter().map(|item| filled_in(item, scope)).collect(),
        Value::Object(members) => {
            let filled = |(name, value): (&String, &Value)| (name.clone(), filled_in(value, scope));
            Value::Object(members.iter().map(filled).collect())
        }
        other => other.clone(),
    }
}
