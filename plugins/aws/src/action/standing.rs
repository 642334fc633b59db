//! Where and as whom a call is made, and whether that is what was asked for.

use aws_credential_types::Credentials;
use serde_json::Value;
use stanch_plugins_sdk::core::effect::Effect;
use stanch_plugins_sdk::{ActionContext, ActionError, CallRecord};

use super::automation;
use crate::client::{Caller, Client, Content, Failure, Use, Wanted, session_policy};
use crate::iam;
use crate::model::Named;

/// Where and as whom a call is made.
pub(super) struct Standing {
    /// The region.
    pub(super) region: String,
    /// What the call is signed with: the very credentials whose owner was asked for.
    pub(super) credentials: Credentials,
    account: Option<String>,
    caller: Option<Caller>,
}

/// How much a session that changes something may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Breadth {
    /// What its plan says.
    Plan,
    /// All that its role may: a runbook acts with it, and nobody can tell what that needs.
    Role,
}

impl Standing {
    /// Finds out where a call of that effect goes and who makes it; its session may do what the
    /// plan says.
    ///
    /// # Errors
    /// As [`Standing::with`].
    pub(super) async fn find(
        client: &Client,
        context: &ActionContext,
        named: Named,
        effect: Effect,
    ) -> Result<Self, ActionError> {
        Box::pin(Self::with(client, context, named, effect, Breadth::Plan)).await
    }

    /// Finds out where a call of that effect goes and who makes it, and refuses a change where
    /// that is not what was asked for.
    ///
    /// A read goes on without it: what is known of its caller is recorded, and a read in another
    /// account carries a caveat.
    ///
    /// # Errors
    /// Denied, when the effect was not granted, or the credentials are of another account.
    pub(super) async fn with(
        client: &Client,
        context: &ActionContext,
        named: Named,
        effect: Effect,
        breadth: Breadth,
    ) -> Result<Self, ActionError> {
        context.must_grant(effect, named)?;
        let region = match &context.region {
            Some(region) => Some(region.clone()),
            None => client.default_region().await,
        };
        let region = region.ok_or_else(|| {
            let why = "no region is known: name one in the call, or set AWS_REGION";
            ActionError::permanent("no_region", why)
        })?;
        let account = context.account.clone();
        let credentials = client.keychain.credentials(context.now).await;
        let credentials = credentials.map_err(|failure| failure.into_error(Effect::Read))?;
        let mut standing = Self { region, credentials, account, caller: None };
        let taken = Box::pin(standing.take_role(client, context, named, effect, breadth)).await?;
        if let Some(taken) = taken {
            standing.credentials = taken;
        }
        if effect.is_guarded() && !is_by_hand(context) {
            let asked = Box::pin(standing.ask(client, context, named)).await;
            let caller =
                asked.map_err(|failure| standing.told(failure.into_error(Effect::Read)))?;
            standing.caller = Some(caller);
            standing.require_account(named).map_err(|error| standing.told(error))?;
        } else if standing.account.is_some() {
            standing.caller = Box::pin(standing.ask(client, context, named)).await.ok();
        }
        Ok(standing)
    }

    /// The credentials of the role that the account's calls are made with, if there is one. The
    /// role that changes is taken for a change and for nothing else, and its session may do what
    /// the plan says.
    async fn take_role(
        &self,
        client: &Client,
        context: &ActionContext,
        named: Named,
        effect: Effect,
        breadth: Breadth,
    ) -> Result<Option<Credentials>, ActionError> {
        let Some(account) = self.account.as_deref() else { return Ok(None) };
        let of = if effect.is_guarded() { Use::Contain } else { Use::Read };
        let sts = client.default_region().await.unwrap_or_else(|| self.region.clone());
        let base = Wanted { region: &sts, ..self.wanted(context, named, &Value::Null) };
        let role = match &context.role {
            Some(asked) => Ok(Some(client.role_asked(asked, account, of)?)),
            None => Box::pin(client.role_for(base, account, of)).await,
        };
        let role = role.map_err(|failure| self.told(failure.into_error(Effect::Read)))?;
        let Some(role) = role else { return Ok(None) };
        let is_narrowed = effect.is_guarded() && breadth == Breadth::Plan;
        let [of_plan, of_call] = policies(client, context, named);
        let of_plan = is_narrowed.then_some(of_plan);
        let session = client.session(base, context, &role, of, of_plan.as_deref());
        let taken = match Box::pin(session).await {
            // AWS packs policies and tags in a way that nobody can compute
            // (<https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>).
            Err(error) if of_plan.is_some() && error.code.starts_with("PackedPolicyTooLarge") => {
                Box::pin(client.session(base, context, &role, of, Some(&of_call))).await
            }
            taken => taken,
        };
        taken.map(Some).map_err(|error| self.told(error))
    }

    async fn ask(
        &self,
        client: &Client,
        context: &ActionContext,
        named: Named,
    ) -> Result<Caller, Failure> {
        client.caller(self.wanted(context, named, &Value::Null)).await
    }

    /// A call that is made here.
    pub(super) fn wanted<'a>(
        &'a self,
        context: &'a ActionContext,
        named: Named,
        params: &'a Value,
    ) -> Wanted<'a> {
        Wanted {
            account: self.account.as_deref(),
            urgency: context.urgency,
            patience: &context.patience,
            named,
            params,
            content: Content::Within,
            region: &self.region,
            timeout: context.timeout.duration(),
            now: context.now,
            credentials: &self.credentials,
        }
    }

    /// Refuses a look that decides whether something is done once more, unless it is certain that it
    /// is made in the account that is meant: what is not found in another account proves nothing.
    ///
    /// # Errors
    /// Denied, when the credentials are of another account; else why it can't be told.
    pub(super) async fn make_sure(
        &mut self,
        client: &Client,
        context: &ActionContext,
        named: Named,
    ) -> Result<(), ActionError> {
        if self.account.is_some() && self.caller.is_none() {
            let asked = Box::pin(self.ask(client, context, named)).await;
            self.caller = Some(asked.map_err(|failure| failure.into_error(Effect::Read))?);
        }
        self.require_owner(named)
    }

    /// Refuses a look in another account than the one that is meant, if one is.
    pub(super) fn require_owner(&self, named: Named) -> Result<(), ActionError> {
        match (&self.account, &self.caller) {
            (None, _) => Ok(()),
            (Some(account), Some(caller)) if caller.account == *account => Ok(()),
            (Some(account), _) => Err(ActionError::denied(
                "account_mismatch",
                format!(
                    "{named} is to look at account {account}, and the credentials are of another"
                ),
            )),
        }
    }

    fn require_account(&self, named: Named) -> Result<(), ActionError> {
        let owner = self.caller.as_ref().map_or("?", |caller| &caller.account);
        match self.account.as_deref() {
            Some(account) if account == owner => Ok(()),
            Some(account) => Err(ActionError::denied(
                "account_mismatch",
                format!(
                    "{named} is to be made in account {account}, and the credentials belong to \
                     {owner}: name a `contain_role` for {account} in stanch.toml, or start Stanch \
                     with credentials of {account}"
                ),
            )),
            None => Err(ActionError::denied(
                "account_mismatch",
                format!(
                    "{named} changes something, and nothing says in which account: name one. \
                     The credentials belong to {owner}"
                ),
            )),
        }
    }

    /// The record of a call that was made here.
    pub(super) fn record(&self) -> CallRecord {
        let elsewhere = self.caller.as_ref().zip(self.account.as_ref());
        let elsewhere = elsewhere.filter(|(caller, account)| caller.account != **account);
        let caveat = elsewhere.map(|(caller, account)| {
            format!("read in account {}, and {account} was asked for", caller.account)
        });
        CallRecord {
            caller: self.caller.as_ref().map(|caller| caller.arn.clone()),
            account: self
                .caller
                .as_ref()
                .map(|caller| caller.account.clone())
                .or_else(|| self.account.clone()),
            region: Some(self.region.clone()),
            caveats: caveat.into_iter().collect(),
            ..CallRecord::default()
        }
    }

    /// An error, with where and as whom the call was made.
    pub(super) fn told(&self, mut error: ActionError) -> ActionError {
        let CallRecord { request_id, status, details, .. } = std::mem::take(&mut *error.call);
        error.call = Box::new(CallRecord { request_id, status, details, ..self.record() });
        error
    }
}

/// Whether a person calls by hand: they know as whom, and name no account.
pub(super) fn is_by_hand(context: &ActionContext) -> bool {
    context.run.is_none() && context.account.is_none()
}

/// The policy of the session in which a change is made: the actions of its plan, and, where those
/// are too many, of the call alone.
fn policies(client: &Client, context: &ActionContext, named: Named) -> [String; 2] {
    let needs = |named: Named| {
        // A runbook is handed the role that it acts with.
        let handed = automation::is_one(named).then(|| "iam:PassRole".to_owned());
        iam::of(named).actions.into_iter().chain(handed)
    };
    let planned = context.plan.iter().filter_map(|name| client.models.operation(name).ok());
    let call = needs(named).collect();
    let plan = planned.flat_map(needs).collect();
    [session_policy(&plan, &call), session_policy(&call, &call)]
}
