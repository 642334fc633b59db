//! Who calls, what they may do, and the few things that people do beside deciding.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use stanch_engine_core::digest::Sha256;
use stanch_engine_core::id::{IncidentId, PageId, TokenId};
use stanch_engine_core::scope::Scope;
use stanch_engine_core::span::Span;
use stanch_engine_core::suggest;
use stanch_engine_core::time::Timestamp;
use stanch_engine_store::people as rows;
use stanch_engine_store::tokens::{self, Token};
use stanch_engine_store::{StoreError, incidents, pages, settings};

use crate::approvals::taken;
use crate::runtime::Runtime;
use crate::sessions;

/// What a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Looks.
    Viewer,
    /// Looks, responds, decides where asked.
    Responder,
    /// Looks, and decides where asked.
    Approver,
    /// Publishes playbooks.
    Author,
    /// Everything, and makes tokens.
    Admin,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 5] =
        [Self::Viewer, Self::Responder, Self::Approver, Self::Author, Self::Admin];

    /// The word in JSON, in `role:…` and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Responder => "responder",
            Self::Approver => "approver",
            Self::Author => "author",
            Self::Admin => "admin",
        }
    }
}

/// The name of whoever has the first token, which is in no database.
pub const FIRST_ADMIN: &str = "admin";

/// A person or program that calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The person of its token: who calls with two is one all the same.
    pub name: String,
    /// Its roles. A role that Stanch does not know, such as `incident-lead`, is a group that
    /// approvals and pages can name.
    pub roles: Vec<String>,
    /// From where.
    pub from: String,
}

impl Caller {
    /// Whether it has a role, or is an admin.
    pub fn is(&self, role: Role) -> bool {
        let has = |role: Role| self.roles.iter().any(|r| r == role.as_str());
        has(role) || has(Role::Admin)
    }
}

/// Why a token was not made.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The name is taken, or is of somebody who was disabled.
    #[error("{0}")]
    Name(String),
    /// A name, a role, a scope or a time is none, or looks like a slip of the pen.
    #[error("{0}")]
    Wrong(String),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The token with this secret, if it is good. A session of the console is as long as what it was begun with.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn find(runtime: &Runtime, secret: &str) -> Result<Option<Token>, StoreError> {
    let (hash, now) = (Sha256::of(secret), runtime.world().now());
    let found = runtime.store().read(move |conn| {
        Box::pin(async move {
            let Some(token) = tokens::find(conn, hash, now).await? else { return Ok(None) };
            Ok(sessions::stands(conn, &token, now).await?.then_some(token))
        })
    });
    found.await
}

/// What a new token is to be.
#[derive(Clone, Debug, Default)]
pub struct NewToken {
    /// Its name; there is no other of this name.
    pub name: String,
    /// Whose it is; of one who is called as it is, unless it is said.
    pub person: Option<String>,
    /// What it may do.
    pub roles: Vec<String>,
    /// For how long it is good; until it is revoked, unless it is said.
    pub ttl: Option<Span>,
    /// How far its roles reach; everywhere, unless it is said.
    pub scope: Scope,
}

/// Makes a token and gives its secret, which is nowhere else.
///
/// # Errors
/// [`TokenError`] when the name is taken or is none, a role is none or nearly one that Stanch
/// knows, or the token would be over at once.
pub async fn create_token(runtime: &Runtime, new: NewToken) -> Result<String, TokenError> {
    let NewToken { name, person, roles, ttl, scope } = new;
    scope.check().map_err(TokenError::Wrong)?;
    if ttl.is_some_and(|ttl| ttl.ms == 0) {
        let message = "`expires`: the token would be good for no time: say such as 90d";
        return Err(TokenError::Wrong(message.to_owned()));
    }
    check_roles(runtime, &roles)?;
    let legal = |c: char| c.is_ascii_alphanumeric() || "-_.@".contains(c);
    let person = person.unwrap_or_else(|| name.clone());
    for name in [&name, &person] {
        if name.is_empty() || name.len() > 64 || !name.chars().all(legal) {
            let message = format!("`{name}` can't be a name: use letters, digits and `-_.@`");
            return Err(TokenError::Wrong(message));
        }
    }
    let now = runtime.world().now();
    if disabled(runtime, &person).await? {
        let message = format!("{person} was disabled: first `stanch people enable {person}`");
        return Err(TokenError::Name(message));
    }
    let secret = new_secret(runtime.world());
    let token = Arc::new(Token {
        id: runtime.world().id(TokenId::new),
        name: name.clone(),
        person,
        hash: Sha256::of(&secret),
        roles,
        scope,
        created_at: now,
        expires_at: ttl.map(|ttl| now.plus_ms(ttl.ms)),
        revoked_at: None,
    });
    let stored = runtime.store().write(move |tx| {
        let token = token.clone();
        Box::pin(async move { tokens::insert(tx, &token).await })
    });
    match stored.await {
        Ok(()) => Ok(secret),
        Err(StoreError::Conflict(_)) => {
            Err(TokenError::Name(format!("there is a token of `{name}` already")))
        }
        Err(error) => Err(error.into()),
    }
}

/// Whether each role is one that Stanch knows, or can be a group.
fn check_roles(runtime: &Runtime, roles: &[String]) -> Result<(), TokenError> {
    let own = &runtime.settings().roles;
    let known = Role::ALL.map(Role::as_str);
    for role in roles {
        let slip = suggest::slip(role, known).filter(|_| !own.contains_key(role));
        if let Some(meant) = slip {
            let message = format!("the role `{role}`: did you mean `{meant}`?");
            return Err(TokenError::Wrong(message));
        }
        // `responder,incident-lead` would be one group, which nobody asks.
        let is_apart = |c: char| c.is_whitespace() || c == ',';
        if role.is_empty() || role.contains(is_apart) || role.starts_with("role:") {
            let message = format!("`{role}` can't be a role: name each by itself, as in `viewer`");
            return Err(TokenError::Wrong(message));
        }
    }
    Ok(())
}

/// Gives a token another secret; the one before is no good from now on. Nothing when there is none
/// that is good.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn rotate_token(runtime: &Runtime, name: &str) -> Result<Option<String>, StoreError> {
    let secret = new_secret(runtime.world());
    let (name, hash, now) = (name.to_owned(), Sha256::of(&secret), runtime.world().now());
    let rotated = runtime.store().write(move |tx| {
        let name = name.clone();
        Box::pin(async move { tokens::rotate(tx, &name, hash, now).await })
    });
    Ok(rotated.await?.then_some(secret))
}

async fn disabled(runtime: &Runtime, person: &str) -> Result<bool, StoreError> {
    let person = person.to_owned();
    runtime
        .store()
        .read(move |conn| Box::pin(async move { rows::is_disabled(conn, &person).await }))
        .await
}

/// A secret that nobody can guess: 256 random bits.
pub fn new_secret(world: &stanch_engine_core::world::World) -> String {
    format!("stk_{:032x}{:032x}", world.entropy.next(), world.entropy.next())
}

/// Revokes a token by its name; false when there is none.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn revoke_token(runtime: &Runtime, name: &str) -> Result<bool, StoreError> {
    let (name, now) = (name.to_owned(), runtime.world().now());
    runtime
        .store()
        .write(move |tx| {
            let name = name.clone();
            Box::pin(async move { tokens::revoke(tx, &name, now).await })
        })
        .await
}

/// A person takes an incident: its pages are over. False when there is no such incident.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn acknowledge(
    runtime: &Runtime,
    incident: IncidentId,
    person: &str,
) -> Result<bool, StoreError> {
    let (person, now) = (person.to_owned(), runtime.world().now());
    runtime
        .store()
        .write(move |tx| {
            let person = person.clone();
            Box::pin(async move {
                if incidents::get(tx, incident).await?.is_none() {
                    return Ok(false);
                }
                taken(tx, incident, &person, now).await?;
                Ok(true)
            })
        })
        .await
}

/// A person takes a page; false when it was taken before or is not there.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn take_page(runtime: &Runtime, page: PageId, person: &str) -> Result<bool, StoreError> {
    let (person, now) = (person.to_owned(), runtime.world().now());
    runtime
        .store()
        .write(move |tx| {
            let person = person.clone();
            Box::pin(async move { pages::take(tx, page, &person, now).await })
        })
        .await
}

/// Throws the kill switch: from now on nothing is changed, on any node.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn halt(runtime: &Runtime, person: &str, reason: &str) -> Result<(), StoreError> {
    let value = thrown(person, reason, runtime.world().now());
    runtime
        .store()
        .write(move |tx| {
            let value = value.clone();
            Box::pin(async move { settings::set(tx, settings::HALT, &value).await })
        })
        .await?;
    runtime.shared.look_at_halt().await.map(drop)
}

/// What stands in the database while the kill switch is thrown.
pub(crate) fn thrown(person: &str, reason: &str, at: Timestamp) -> String {
    serde_json::json!({"by": person, "reason": reason, "at": at}).to_string()
}

/// Takes the kill switch back; false when it was not thrown.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn unhalt(runtime: &Runtime) -> Result<bool, StoreError> {
    let was = runtime
        .store()
        .write(|tx| Box::pin(async move { settings::clear(tx, settings::HALT).await }))
        .await?;
    runtime.shared.look_at_halt().await?;
    // What rested meanwhile goes on.
    runtime.nudge();
    Ok(was)
}

/// Who threw the kill switch, when and why, if it is thrown.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn halted(runtime: &Runtime) -> Result<Option<serde_json::Value>, StoreError> {
    let value = runtime.store().read(|conn| Box::pin(settings::get(conn, settings::HALT))).await?;
    Ok(value.map(|text| serde_json::from_str(&text).unwrap_or(serde_json::Value::Null)))
}
