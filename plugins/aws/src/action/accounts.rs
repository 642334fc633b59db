//! `aws.accounts`: the accounts of the organization, of one of its units, or of its root.
//!
//! Input: `{"of": "ou-…"}`, `"r-…"`, or nothing for every account. Units within a unit belong to
//! it. The result is `{"accounts": [{"id", "name", "email", "status", "ou"}], "left_out": […]}`:
//! what is not `ACTIVE` can't be called, and is left out. A list that can't be had whole is an
//! error: an account that is missing in it would be one that is not contained.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};
use stanch_plugins_sdk::core::effect::{Effect, RetrySafety};
use stanch_plugins_sdk::core::limits;
use stanch_plugins_sdk::{
    Action, ActionContext, ActionError, BoxFuture, CallRecord, Done, Nature, Outcome,
};

use super::organization::at_organization;
use super::standing::Standing;
use crate::client::Client;

/// `aws.accounts`.
pub(crate) struct Accounts(pub(crate) Arc<Client>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    #[serde(default)]
    of: Option<String>,
}

fn read(input: &Value) -> Result<Input, ActionError> {
    let input = Input::deserialize(input)
        .map_err(|error| ActionError::permanent("bad_input", format!("aws.accounts: {error}")))?;
    match &input.of {
        Some(of) if !of.starts_with("ou-") && !of.starts_with("r-") => {
            let why = format!("`{of}` is no organizational unit (`ou-…`) and no root (`r-…`)");
            Err(ActionError::permanent("bad_input", why))
        }
        _ => Ok(input),
    }
}

/// What was found so far.
#[derive(Default)]
struct Found {
    accounts: Vec<Value>,
    left_out: Vec<Value>,
    call: CallRecord,
}

impl Found {
    fn take(&mut self, account: &Value, ou: Option<&str>) {
        let member = |name: &str| account.get(name).cloned().unwrap_or_default();
        // AWS's newer member says more than `Status`, which is to go in September 2026.
        let state = account.get("State").filter(|state| !state.is_null());
        let status = state.cloned().unwrap_or_else(|| member("Status"));
        let found = json!({
            "id": member("Id"), "name": member("Name"), "email": member("Email"),
            "status": status, "ou": ou,
        });
        if status == "ACTIVE" { &mut self.accounts } else { &mut self.left_out }.push(found);
    }
}

impl Accounts {
    async fn list(&self, context: &ActionContext, input: &Value) -> Result<Outcome, ActionError> {
        let Input { of } = read(input)?;
        let here = at_organization(&self.0, context);
        let mut found = Found::default();
        match of {
            None => {
                for account in self.pages(&here, "ListAccounts", json!({}), &mut found).await? {
                    found.take(&account, None);
                }
            }
            Some(of) => self.below(&here, of, &mut found).await?,
        }
        let Found { accounts, left_out, mut call } = found;
        if !left_out.is_empty() {
            call.caveats
                .push(format!("{} accounts that are not ACTIVE are left out", left_out.len()));
        }
        let value = json!({"accounts": accounts, "left_out": left_out});
        Ok(Outcome::Done(Done { value, call, secrets: Vec::new() }))
    }

    /// The accounts of a unit and of the units within it, the outer ones first.
    async fn below(
        &self,
        here: &ActionContext,
        unit: String,
        found: &mut Found,
    ) -> Result<(), ActionError> {
        let mut units = vec![unit];
        let mut at = 0;
        while let Some(unit) = units.get(at).cloned() {
            let of = json!({"ParentId": unit});
            for account in self.pages(here, "ListAccountsForParent", of.clone(), found).await? {
                found.take(&account, Some(&unit));
            }
            let inner = self.pages(here, "ListOrganizationalUnitsForParent", of, found).await?;
            let ids = inner.iter().filter_map(|unit| unit.get("Id")?.as_str());
            units.extend(ids.map(str::to_owned));
            at += 1;
            if units.len() > limits::EACH_ITEMS {
                let why = format!("there are more than {} units", limits::EACH_ITEMS);
                return Err(ActionError::permanent("too_many", why));
            }
        }
        Ok(())
    }

    /// All items of a list of Organizations.
    async fn pages(
        &self,
        here: &ActionContext,
        operation: &str,
        params: Value,
        found: &mut Found,
    ) -> Result<Vec<Value>, ActionError> {
        let named = self.0.models.operation(&format!("organizations:{operation}"));
        let named = named.map_err(|e| ActionError::permanent(e.code(), e.to_string()))?;
        let standing = Box::pin(Standing::find(&self.0, here, named, Effect::Read)).await?;
        standing.require_owner(named)?;
        let Some(paginator) = named.paginator else { return Ok(Vec::new()) };
        let wanted = standing.wanted(here, named, &params);
        let pages = Box::pin(self.0.call_pages(wanted, paginator, None)).await;
        let pages = pages.map_err(|failure| standing.told(failure.into_error(Effect::Read)))?;
        if let Some(caveat) = pages.caveat {
            let why = format!("{named}: {caveat}; name a unit that has fewer");
            return Err(standing.told(ActionError::permanent("too_many", why)));
        }
        let request_id = pages.answer.request_id;
        found.call = CallRecord { request_id, ..standing.record() };
        let list = paginator.result_key.first();
        let list = list.and_then(|key| pages.answer.value.get(&**key)?.as_array().cloned());
        Ok(list.unwrap_or_default())
    }
}

impl Action for Accounts {
    fn name(&self) -> &'static str {
        "aws.accounts"
    }

    fn classify(&self, input: &Value) -> Result<Nature, ActionError> {
        read(input)?;
        Ok(Nature { effect: Effect::Read, safety: RetrySafety::Natural })
    }

    fn run<'a>(
        &'a self,
        context: &'a ActionContext,
        input: &'a Value,
    ) -> BoxFuture<'a, Result<Outcome, ActionError>> {
        Box::pin(self.list(context, input))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_units_and_roots_have_accounts() {
        assert!(read(&json!({"of": "ou-ab12-prod0001"})).is_ok() && read(&json!({})).is_ok());
        let error = read(&json!({"of": "111122223333"})).err().unwrap().to_string();
        assert!(error.contains("ou-"), "{error}");
    }

    #[test]
    fn what_is_not_active_is_left_out_whichever_member_says_so() {
        let mut found = Found::default();
        found.take(&json!({"Id": "1", "Status": "ACTIVE"}), None);
        found.take(&json!({"Id": "2", "Status": "SUSPENDED"}), None);
        found.take(&json!({"Id": "3", "Status": "ACTIVE", "State": "CLOSED"}), None);
        found.take(&json!({"Id": "4"}), None);
        assert_eq!((found.accounts.len(), found.left_out.len()), (1, 3));
    }
}
