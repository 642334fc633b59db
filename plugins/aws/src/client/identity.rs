//! Who the credentials belong to: asked before a change, since a change in the wrong account is
//! the worst that a responder can do.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};
use stanch_plugins_sdk::core::time::Timestamp;

use super::call::{Client, Wanted};
use super::failure::Failure;

/// For how long the answer holds. Credentials don't change their owner; a role behind a profile
/// may be given another account.
const KEPT_MS: i64 = 5 * 60 * 1_000;

/// Who the credentials belong to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The account, 12 digits.
    pub(crate) account: String,
    /// The identity.
    pub(crate) arn: String,
}

/// Callers by the id of the access key and the region that was asked.
#[derive(Debug, Default)]
pub(super) struct Callers(Mutex<BTreeMap<(String, String), (Caller, Timestamp)>>);

impl Callers {
    fn get(&self, key: &(String, String), now: Timestamp) -> Option<Caller> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(key).filter(|(_, until)| now < *until).map(|(caller, _)| caller.clone())
    }

    fn keep(&self, key: (String, String), caller: Caller, now: Timestamp) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, (_, until)| now < *until);
        kept.insert(key, (caller, now.plus_ms(KEPT_MS)));
    }
}

impl Client {
    /// Who the credentials of a call belong to.
    pub(crate) async fn caller(&self, wanted: Wanted<'_>) -> Result<Caller, Failure> {
        let key = (wanted.credentials.access_key_id().to_owned(), wanted.region.to_owned());
        if let Some(caller) = self.callers.get(&key, wanted.now) {
            return Ok(caller);
        }
        let named = self
            .models
            .operation("sts:GetCallerIdentity")
            .map_err(|error| Failure::Unsendable(error.to_string()))?;
        let question = Wanted { named, params: &json!({}), ..wanted };
        let answer = Box::pin(self.call(question)).await?;
        let text = |name| answer.value.get(name).and_then(Value::as_str).map(str::to_owned);
        let (Some(account), Some(arn)) = (text("Account"), text("Arn")) else {
            let why = "it names no account".to_owned();
            return Err(Failure::Unreadable { why, request_id: answer.request_id });
        };
        let caller = Caller { account, arn };
        self.callers.keep(key, caller.clone(), wanted.now);
        Ok(caller)
    }
}
