//! Sessions of roles: taken when the first call needs one, kept until shortly before their end,
//! and taken by one caller at a time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use serde_json::{Value, json};
use stanch_plugins_sdk::core::effect::Effect;
use stanch_plugins_sdk::core::step::ErrorKind;
use stanch_plugins_sdk::core::time::Timestamp;
use stanch_plugins_sdk::{ActionContext, ActionError};

use super::call::{Client, Wanted};
use super::failure::Failure;
use super::role::{Role, Use, session_name, session_tags};

/// How long before its end a session is replaced: longer than any one call takes.
const EARLY_MS: i64 = 3 * 60 * 1_000;

/// Sessions that are kept at most; those that are over go first.
const KEPT: usize = 4_096;

/// Sessions, each behind a lock of its own, so that one caller takes it and the others wait.
#[derive(Default)]
pub(super) struct Sessions(Mutex<BTreeMap<String, Slot>>);

type Slot = Arc<tokio::sync::Mutex<Option<Session>>>;

struct Session {
    credentials: Credentials,
    until: Timestamp,
}

impl Sessions {
    fn slot(&self, key: &str, now: Timestamp) -> Slot {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= KEPT && !slots.contains_key(key) {
            slots.retain(|_, slot| {
                let session = slot.try_lock();
                session.map_or(true, |session| session.as_ref().is_some_and(|s| now < s.until))
            });
        }
        if slots.len() >= KEPT && !slots.contains_key(key) {
            slots.clear();
        }
        Arc::clone(slots.entry(key.to_owned()).or_default())
    }
}

impl Client {
    /// The role that calls in an account are made with; none where the base credentials are.
    ///
    /// # Errors
    /// When a pattern stands for every other account, and it can't be told whose the base
    /// credentials are.
    pub(crate) async fn role_for(
        &self,
        base: Wanted<'_>,
        account: &str,
        of: Use,
    ) -> Result<Option<Role>, Failure> {
        if let Some(role) = self.roles.own(account, of) {
            return Ok(Some(role));
        }
        let Some(role) = self.roles.by_pattern(account, of) else { return Ok(None) };
        let owner = Box::pin(self.caller(base)).await?.account;
        Ok((owner != account).then_some(role))
    }

    /// A role that a playbook asks for, by ARN or by name. It looks: what changes something is
    /// the account's own role, which nothing else is made with.
    ///
    /// # Errors
    /// A refusal, when it is to change something, or is a role that changes.
    pub(crate) fn role_asked(
        &self,
        asked: &str,
        account: &str,
        of: Use,
    ) -> Result<Role, ActionError> {
        let contains =
            [self.roles.own(account, Use::Contain), self.roles.by_pattern(account, Use::Contain)];
        let named = match asked.strip_prefix("arn:") {
            Some(_) => asked.to_owned(),
            None => format!("arn:aws:iam::{account}:role/{asked}"),
        };
        let is_contain = contains.into_iter().flatten().any(|role| role.arn == named);
        if of == Use::Contain || is_contain {
            let why = format!(
                "a playbook names no role for a change: {account} is changed with its \
                 `contain_role` of stanch.toml, and nothing else is made with that"
            );
            return Err(ActionError::denied("role_denied", why));
        }
        let read = self.roles.own(account, of).or_else(|| self.roles.by_pattern(account, of));
        Ok(Role { arn: named, external_id: read.and_then(|role| role.external_id) })
    }

    /// The credentials of a role's session for a run.
    ///
    /// # Errors
    /// What AWS says, with what the role lacks where it is a no.
    pub(crate) async fn session(
        &self,
        base: Wanted<'_>,
        context: &ActionContext,
        role: &Role,
        of: Use,
        policy: Option<&str>,
    ) -> Result<Credentials, ActionError> {
        let name = session_name(context);
        let key = [role.arn.as_str(), &name, of.as_str(), policy.unwrap_or_default()].join("\n");
        let slot = self.sessions.slot(&key, context.now);
        let mut session = slot.lock().await;
        if let Some(session) = session.as_ref().filter(|session| context.now < session.until) {
            return Ok(session.credentials.clone());
        }
        let params = params(context, role, of, policy, &name);
        let taken = match Box::pin(self.assume(base, &params)).await {
            Ok(taken) => taken,
            Err(failure) => {
                let caller = Box::pin(self.caller(base)).await.map(|caller| caller.arn);
                return Err(refused(
                    failure,
                    role,
                    &caller.unwrap_or_else(|_| "the caller".into()),
                ));
            }
        };
        let credentials = taken.credentials.clone();
        *session = Some(taken);
        Ok(credentials)
    }

    async fn assume(&self, base: Wanted<'_>, params: &Value) -> Result<Session, Failure> {
        let named = self
            .models
            .operation("sts:AssumeRole")
            .map_err(|error| Failure::Unsendable(error.to_string()))?;
        let answer = Box::pin(self.call(Wanted { named, params, ..base })).await?;
        let text = |name: &str| {
            answer.value.pointer(&format!("/Credentials/{name}")).and_then(Value::as_str)
        };
        let end = text("Expiration").and_then(|end| Timestamp::parse(end).ok());
        let parts = (text("AccessKeyId"), text("SecretAccessKey"), text("SessionToken"), end);
        let (Some(id), Some(secret), Some(token), Some(end)) = parts else {
            let why = "it holds no whole credentials".to_owned();
            return Err(Failure::Unreadable { why, request_id: answer.request_id });
        };
        let micros = u64::try_from(end.micros()).unwrap_or(0);
        let expiry = SystemTime::UNIX_EPOCH.checked_add(Duration::from_micros(micros));
        let credentials = Credentials::new(id, secret, Some(token.to_owned()), expiry, "role");
        Ok(Session { credentials, until: end.plus_ms(-EARLY_MS) })
    }
}

fn params(
    context: &ActionContext,
    role: &Role,
    of: Use,
    policy: Option<&str>,
    name: &str,
) -> Value {
    let mut params = json!({
        "RoleArn": role.arn,
        "RoleSessionName": name,
        "SourceIdentity": name,
        "DurationSeconds": of.seconds(),
        "Tags": session_tags(context, of),
    });
    if let Some(members) = params.as_object_mut() {
        let external_id = role.external_id.as_deref().map(|id| ("ExternalId", id));
        let policy = policy.map(|policy| ("Policy", policy));
        for (name, value) in external_id.into_iter().chain(policy) {
            members.insert(name.to_owned(), value.into());
        }
    }
    params
}

/// A no to `AssumeRole` does not say what lacks: it says all that must be there.
fn refused(failure: Failure, role: &Role, caller: &str) -> ActionError {
    let mut error = failure.into_error(Effect::Read);
    if error.kind == ErrorKind::Denied {
        let with = match &role.external_id {
            Some(_) => "under the condition of the `external_id` in stanch.toml",
            None => "without a condition on sts:ExternalId (stanch.toml names no `external_id`)",
        };
        error.message = format!(
            "{caller} may not take the role {}: {}. Its trust policy must allow that caller \
             sts:AssumeRole, sts:TagSession and sts:SetSourceIdentity, {with}; the caller's own \
             policies must allow the same three for this role",
            role.arn, error.message
        );
        error.code = "role_denied".to_owned();
    }
    error
}
