//! The organization: which accounts there are, and where each of them is.
//!
//! It is asked with the base credentials, or with the role that reads in the account that the
//! configuration names as `organization_account`.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};
use stanch_plugins_sdk::core::time::Timestamp;
use stanch_plugins_sdk::{ActionContext, ActionError};

use super::survey::look;
use crate::client::Client;

/// For how long the place of an account is kept.
const KEPT_MS: i64 = 5 * 60 * 1_000;

/// How deep organizational units nest
/// (<https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html>), and
/// the root.
const DEPTH: usize = 6;

/// The organizational units of accounts, the nearest first.
#[derive(Default)]
pub(crate) struct Places(Mutex<BTreeMap<String, (Vec<String>, Timestamp)>>);

impl Places {
    fn get(&self, account: &str, now: Timestamp) -> Option<Vec<String>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(account).filter(|(_, until)| now < *until).map(|(ous, _)| ous.clone())
    }

    fn keep(&self, account: &str, ous: Vec<String>, now: Timestamp) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, (_, until)| now < *until);
        kept.insert(account.to_owned(), (ous, now.plus_ms(KEPT_MS)));
    }
}

/// Where the organization is asked.
pub(super) fn at_organization(client: &Client, context: &ActionContext) -> ActionContext {
    ActionContext { account: client.organization_account.clone(), role: None, ..context.clone() }
}

/// The organizational units that an account is in, the nearest first, and the root.
///
/// # Errors
/// What AWS says.
pub(super) async fn ous_of(
    client: &Client,
    context: &ActionContext,
    account: &str,
) -> Result<Vec<String>, ActionError> {
    if let Some(ous) = client.places.get(account, context.now) {
        return Ok(ous);
    }
    let here = at_organization(client, context);
    let (mut ous, mut child) = (Vec::new(), account.to_owned());
    for _ in 0..DEPTH {
        let params = json!({"ChildId": child});
        let answer = Box::pin(look(client, &here, "organizations:ListParents", &params)).await?;
        let parent = answer.pointer("/Parents/0/Id").and_then(Value::as_str);
        let parent = parent.ok_or_else(|| {
            let why = format!("the organization names no parent of {child}");
            ActionError::denied("unknown_target", why)
        })?;
        ous.push(parent.to_owned());
        if parent.starts_with("r-") {
            break;
        }
        child = parent.to_owned();
    }
    client.places.keep(account, ous.clone(), context.now);
    Ok(ous)
}
