//! Everybody who can be asked: who has a token that is good, and whom the configuration names.

use std::collections::BTreeMap;

use stanch_engine_core::time::Timestamp;
use stanch_engine_store::tokens::{self, Good};
use stanch_engine_store::{Conn, StoreError, people};

use crate::people::FIRST_ADMIN;
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
    all.entry(FIRST_ADMIN.to_owned()).or_default();
    Ok(all)
}

/// What is said of a name that is nobody's.
pub(crate) fn nobody(name: &str) -> String {
    format!("nobody of the name `{name}` has a token, or stands under [people] in stanch.toml")
}
