//! Everybody who can be asked: who has a token that is good, whom the configuration names, and whom the
//! identity provider vouched for when they called.

use std::collections::BTreeMap;

use stanch_engine_core::limits;
use stanch_engine_core::scope::Scope;
use stanch_engine_core::time::Timestamp;
use stanch_engine_store::tokens::{self, Good};
use stanch_engine_store::{Conn, StoreError, people, vouched};

use crate::oidc::Identity;
use crate::people::FIRST_ADMIN;
use crate::runtime::Runtime;
use crate::settings::{PersonSettings, Settings};

/// Everybody, with what they were granted. The first administrator is one of them, and has no token
/// that the database knows.
pub(crate) async fn named(
    conn: &mut Conn<'_>,
    settings: &Settings,
    now: Timestamp,
) -> Result<BTreeMap<String, Vec<Good>>, StoreError> {
    with(conn, &settings.notify.people, now).await
}

/// The same, with those whom the configuration names in the hand.
pub(crate) async fn with(
    conn: &mut Conn<'_>,
    configured: &BTreeMap<String, PersonSettings>,
    now: Timestamp,
) -> Result<BTreeMap<String, Vec<Good>>, StoreError> {
    let mut all = tokens::people(conn, now).await?;
    let disabled = people::list(conn).await?;
    for (name, person) in configured {
        if disabled.iter().all(|gone| gone.name != *name) {
            let (roles, scope) = (person.roles.clone(), person.scope.clone());
            all.entry(name.clone()).or_default().push(Good { roles, scope });
        }
    }
    for (name, roles) in vouched::since(conn, now.plus_ms(-limits::VOUCHED.ms)).await? {
        let scope = Scope::default();
        all.entry(name).or_default().push(Good { roles, scope });
    }
    all.entry(FIRST_ADMIN.to_owned()).or_default();
    Ok(all)
}

/// How old what is noted of somebody may be, in milliseconds: they are seen all day, and not written
/// down with every call.
const NOTED_MS: i64 = 3_600_000;

/// The identity provider vouches for a caller: from now on they can be handed things. False when they
/// were disabled.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn meet(runtime: &Runtime, who: &Identity) -> Result<bool, StoreError> {
    let (now, name) = (runtime.world().now(), who.name.clone());
    let read = runtime.store().read(move |conn| {
        Box::pin(async move {
            Ok((people::is_disabled(conn, &name).await?, vouched::last(conn, &name).await?))
        })
    });
    let (is_disabled, last) = read.await?;
    if is_disabled {
        return Ok(false);
    }
    let is_noted =
        last.is_some_and(|(roles, at)| roles == who.roles && now.ms_since(at) < NOTED_MS);
    if is_noted {
        return Ok(true);
    }
    let (who, before) = (who.clone(), now.plus_ms(-limits::VOUCHED.ms));
    let written = runtime.store().write(move |tx| {
        let who = who.clone();
        Box::pin(async move {
            // They may be disabled meanwhile.
            if people::is_disabled(tx, &who.name).await? {
                return Ok(false);
            }
            vouched::see(tx, (&who.name, &who.roles), (now, before)).await?;
            Ok(true)
        })
    });
    written.await
}

/// What is said of a name that is nobody's.
pub(crate) fn nobody(name: &str) -> String {
    format!(
        "nobody of the name `{name}` has a token, stands under [people] in stanch.toml, or has signed in \
         with the identity provider in the last 90 days"
    )
}
