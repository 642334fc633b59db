//! How an operation's list comes in pages.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

/// The paginators of a service, by operation.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Paginators {
    pub(super) pagination: BTreeMap<Box<str>, Paginator>,
}

/// How one operation's list comes in pages.
#[derive(Debug, Deserialize)]
pub struct Paginator {
    /// The members of the request that take the tokens.
    #[serde(deserialize_with = "one_or_many")]
    pub input_token: Vec<Box<str>>,
    /// Where an answer has the next tokens: a JMESPath expression for each.
    #[serde(deserialize_with = "one_or_many")]
    pub output_token: Vec<Box<str>>,
    /// What is put together, as paths with dots: lists are joined, numbers added up.
    #[serde(default, deserialize_with = "one_or_many")]
    pub result_key: Vec<Box<str>>,
    /// The member that says that there is more, where the token alone does not.
    pub more_results: Option<Box<str>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(Box<str>),
    Many(Vec<Box<str>>),
}

fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Box<str>>, D::Error> {
    Ok(match OneOrMany::deserialize(deserializer)? {
        OneOrMany::One(name) => vec![name],
        OneOrMany::Many(names) => names,
    })
}
