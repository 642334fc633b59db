//! Labels and tags: what people call the account, the region and the thing that an alert is about.

use std::collections::BTreeMap;

use serde_json::Value;
use stanch_plugins_sdk::core::alert::Resource;
use stanch_plugins_sdk::payload::arn;

/// Names and values that somebody hung on an alert.
#[derive(Clone, Debug, Default)]
pub(super) struct Labels(BTreeMap<String, String>);

impl Labels {
    /// Of an object. Values that are no text and no number are left out.
    pub(super) fn of_object(value: Option<&Value>) -> Self {
        let members = value.and_then(Value::as_object).into_iter().flatten();
        Self(members.filter_map(|(name, value)| Some((name.clone(), scalar(value)?))).collect())
    }

    /// Of tags such as `env:prod`, in a list or behind commas.
    pub(super) fn of_tags(value: Option<&Value>) -> Self {
        let texts: Vec<&str> = match value {
            Some(Value::String(text)) => text.split(',').collect(),
            Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let pair = |tag: &str| {
            tag.trim().split_once([':', '=']).map(|(n, v)| (n.to_owned(), v.to_owned()))
        };
        Self(texts.into_iter().filter_map(pair).collect())
    }

    /// With more of them; the earlier ones stand.
    pub(super) fn and(mut self, more: Self) -> Self {
        for (name, value) in more.0 {
            self.0.entry(name).or_insert(value);
        }
        self
    }

    /// The first of some names that is there and says something.
    pub(super) fn first(&self, names: &[&str]) -> Option<&str> {
        names
            .iter()
            .find_map(|name| self.0.get(*name))
            .map(String::as_str)
            .filter(|v| !v.is_empty())
    }

    /// The AWS account, where a label names one of twelve digits.
    pub(super) fn account(&self) -> Option<String> {
        let names = [
            "account_id",
            "aws_account_id",
            "accountId",
            "aws_account",
            "account",
            "account-id",
            "awsAccountId",
        ];
        let found = names.iter().filter_map(|name| self.0.get(*name));
        found.into_iter().find(|id| id.len() == 12 && arn::is_account(id)).cloned()
    }

    /// The AWS region, where a label names one.
    pub(super) fn region(&self) -> Option<String> {
        let names = ["region", "aws_region", "awsRegion"];
        let found = names.iter().filter_map(|name| self.0.get(*name));
        found.into_iter().find(|region| arn::is_region(region)).cloned()
    }

    /// What the alert is about: what is named by an ARN or an id of AWS, else the instance, host
    /// or pod that is named in people's own words.
    pub(super) fn resources(&self) -> Vec<Resource> {
        let found: Vec<_> = self.0.values().filter_map(|value| arn::resource(value)).collect();
        if !found.is_empty() {
            return found;
        }
        let named = self.first(&["pod", "instance", "host", "hostname", "node"]);
        named.map(|id| arn::plain("Other", id, None)).into_iter().collect()
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
