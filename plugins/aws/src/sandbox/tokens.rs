//! Idempotency tokens: the same token with the same parameters gets the same answer, with others a
//! no.

use std::collections::BTreeMap;

use serde_json::Value;

use super::reply::{Dialect, Refusal};
use super::request::Asked;
use crate::model::Model;

/// What was answered under a token.
#[derive(Clone, Debug)]
struct Earlier {
    params: Value,
    answer: Value,
}

/// Tokens that were used, by operation, region and token.
#[derive(Clone, Debug, Default)]
pub(super) struct Tokens(BTreeMap<(String, String, String), Earlier>);

impl Tokens {
    /// What an earlier call with the same token was answered, if there was one.
    pub(super) fn earlier(&self, asked: &Asked) -> Option<Result<Value, Refusal>> {
        let earlier = self.0.get(&key(asked)?)?;
        if earlier.params == asked.params {
            return Some(Ok(earlier.answer.clone()));
        }
        let code = mismatch(asked);
        let why = "the idempotency token was used before, with other parameters";
        Some(Err(Refusal::new(400, &code, why)))
    }

    /// Keeps an answer.
    pub(super) fn keep(&mut self, asked: &Asked, answer: &Value) {
        if let Some(key) = key(asked) {
            let earlier = Earlier { params: asked.params.clone(), answer: answer.clone() };
            self.0.insert(key, earlier);
        }
    }
}

fn key(asked: &Asked) -> Option<(String, String, String)> {
    Some((asked.operation(), asked.region.clone(), asked.token()?.to_owned()))
}

/// The code of a token with other parameters: the service's own where its model has one.
fn mismatch(asked: &Asked) -> String {
    let model = asked.named.model;
    let declared = asked.named.operation.errors.iter().map(|error| &*error.shape);
    let of_service = model.shapes.iter().filter(|(_, shape)| shape.error.is_some());
    let names = || declared.clone().chain(of_service.clone().map(|(name, _)| &**name));
    let found = ["IdempotentParameter", "IdempotencyParameter", "Idempoten"]
        .iter()
        .find_map(|part| names().find(|name| name.contains(part)));
    let conflict = || declared.clone().find(|name| name.starts_with("Conflict"));
    match found.or_else(conflict) {
        Some(name) => wire_code(model, name),
        None if asked.dialect == Dialect::Ec2 => "IdempotentParameterMismatch".to_owned(),
        None => "IdempotentParameterMismatchException".to_owned(),
    }
}

/// The code of a modelled error on the wire.
pub(super) fn wire_code(model: &Model, name: &str) -> String {
    let error = model.shape(name).and_then(|shape| shape.error.as_ref());
    error.and_then(|error| error.code.as_deref()).unwrap_or(name).to_owned()
}
