//! What AWS's models call waiters: which answers of an operation say that something has come to be.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// The waiters of a service, by name.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Waiters {
    pub(super) waiters: BTreeMap<Box<str>, Waiter>,
}

/// One waiter.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Waiter {
    /// The operation that is asked.
    pub operation: Box<str>,
    /// Seconds between two looks.
    pub delay: u32,
    /// Looks until it is given up.
    pub max_attempts: u32,
    /// What an answer says; the first that fits holds.
    pub acceptors: Vec<Acceptor>,
}

/// What an answer says, if it fits.
#[derive(Debug, Deserialize)]
pub struct Acceptor {
    /// How it is compared.
    pub matcher: Matcher,
    /// A JMESPath expression over the answer.
    pub argument: Option<Box<str>>,
    /// What is compared with.
    pub expected: Value,
    /// What it means.
    pub state: Waited,
}

/// How an answer is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Matcher {
    /// The argument's value is the expected one.
    Path,
    /// It is a list of the expected value and nothing else.
    PathAll,
    /// It is a list that holds the expected value.
    PathAny,
    /// The HTTP status is the expected one.
    Status,
    /// The call failed with the expected code; or, of a boolean, whether it failed.
    Error,
}

/// How waiting stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Waited {
    /// It has come to be.
    Success,
    /// It will never come to be.
    Failure,
    /// It may yet.
    Retry,
}
