//! Sessions of the console: tokens with a short life that a browser holds, begun with what a person showed
//! once. A session is good for no longer than the token that it was begun with, and is over as soon as that
//! one is revoked, has got another secret or has expired, and when its person is disabled.

use std::sync::Arc;

use stanch_engine_core::digest::Sha256;
use stanch_engine_core::id::TokenId;
use stanch_engine_core::limits;
use stanch_engine_core::scope::Scope;
use stanch_engine_core::time::Timestamp;
use stanch_engine_store::tokens::{self, Token};
use stanch_engine_store::{Conn, StoreError, people as rows};

use crate::people::new_secret;
use crate::runtime::Runtime;

/// What the name of a session begins with. No name of a token that people make has a colon in it.
const MARK: &str = "console:";

/// Who begins a session, as what they showed says.
#[derive(Clone, Debug)]
pub struct Proven {
    /// The person.
    pub person: String,
    /// Their roles.
    pub roles: Vec<String>,
    /// How far these reach.
    pub scope: Scope,
    /// The name of the token that was shown, where it was one of this installation's.
    pub token: Option<String>,
    /// The hash of what was shown.
    pub shown: Sha256,
    /// Until when that is good, if it ends.
    pub until: Option<Timestamp>,
}

/// A session that has begun.
#[derive(Clone)]
pub struct Begun {
    /// Its name, by which it is revoked.
    pub name: String,
    /// Its secret, which is nowhere else.
    pub secret: String,
    /// When it is over.
    pub expires_at: Timestamp,
}

/// Begins a session; nothing when the person was disabled.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn begin(runtime: &Runtime, who: Proven) -> Result<Option<Begun>, StoreError> {
    let now = runtime.world().now();
    let longest = now.plus_ms(limits::CONSOLE_SESSION.ms);
    let expires_at = who.until.map_or(longest, |until| until.min(longest));
    let (secret, id) = (new_secret(runtime.world()), runtime.world().id(TokenId::new));
    let name = format!("{MARK}{}:{}:{id}", who.token.unwrap_or_default(), short(who.shown));
    let token = Arc::new(Token {
        id,
        name: name.clone(),
        person: who.person,
        hash: Sha256::of(&secret),
        roles: who.roles,
        scope: who.scope,
        created_at: now,
        expires_at: Some(expires_at),
        revoked_at: None,
    });
    let before = now.plus_ms(-limits::CONSOLE_SESSION_KEPT.ms);
    let written = runtime.store().write(move |tx| {
        let token = token.clone();
        Box::pin(async move {
            if rows::is_disabled(tx, &token.person).await? {
                return Ok(false);
            }
            tokens::forget_sessions(tx, before).await?;
            tokens::insert(tx, &token).await?;
            Ok(true)
        })
    });
    Ok(written.await?.then_some(Begun { name, secret, expires_at }))
}

/// Whether a token of this name is a session of the console.
pub fn is_session(name: &str) -> bool {
    name.starts_with(MARK)
}

/// Whether a session of this name was begun with what has this hash.
pub fn was_begun_with(name: &str, shown: Sha256) -> bool {
    parts(name).is_some_and(|(_, mark)| mark == short(shown))
}

/// Whether a token is as good as what it was begun with. One that is no session is as good as it is.
pub(crate) async fn stands(
    conn: &mut Conn<'_>,
    token: &Token,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let Some((of, mark)) = parts(&token.name).filter(|(of, _)| !of.is_empty()) else {
        return Ok(true);
    };
    let is_good = |of: Token| {
        of.revoked_at.is_none() && of.expires_at.is_none_or(|at| at > now) && short(of.hash) == mark
    };
    Ok(tokens::named(conn, of).await?.is_some_and(is_good))
}

/// The token that a session was begun with, and the beginning of the hash of its secret.
fn parts(name: &str) -> Option<(&str, &str)> {
    let (of, rest) = name.strip_prefix(MARK)?.split_once(':')?;
    Some((of, rest.split_once(':')?.0))
}

/// Enough of a hash to tell one secret from the next, and too little to be one.
fn short(hash: Sha256) -> String {
    hash.to_string().chars().take(16).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_says_what_it_was_begun_with() {
        let (one, other) = (Sha256::of("one"), Sha256::of("other"));
        let name = format!("console:mia-2:{}:tok_1", short(one));
        assert!(is_session(&name) && !is_session("mia-2"));
        assert_eq!(parts(&name), Some(("mia-2", short(one).as_str())));
        assert!(was_begun_with(&name, one) && !was_begun_with(&name, other));
        assert_eq!(parts("mia-2"), None);
        assert_eq!(parts("console:"), None);
    }
}
