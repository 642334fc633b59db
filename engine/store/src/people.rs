//! People who were disabled: their tokens and their decisions count no more.

use stanch_engine_core::id::{ApprovalId, IncidentId};
use stanch_engine_core::time::Timestamp;

use crate::approvals::read_decision;
use crate::error::StoreError;
use crate::row::Row;
use crate::sql::statements;
use crate::tx::{Conn, Tx};

statements! {
    DISABLE =
        "INSERT INTO disabled_people (name, disabled_at, disabled_by, reason) \
         VALUES ($1, $2, $3, $4) ON CONFLICT (name) DO NOTHING";
    ENABLE = "DELETE FROM disabled_people WHERE name = $1";
    IS_DISABLED = "SELECT name FROM disabled_people WHERE name = $1";
    LIST = "SELECT * FROM disabled_people ORDER BY name";
    REVOKE_TOKENS =
        "UPDATE tokens SET revoked_at = $2 WHERE COALESCE(person, name) = $1 AND revoked_at IS NULL";
    UNDONE =
        "SELECT d.approval_id AS approval_id, a.incident_id AS incident_id FROM decisions d \
         JOIN approvals a ON a.id = d.approval_id JOIN runs r ON r.id = a.run_id \
         WHERE d.person = $1 AND d.answer = 'approve' AND d.revoked_at IS NULL \
         AND a.status IN ('pending', 'approved') AND r.finished_at IS NULL ORDER BY d.approval_id";
    UNDONE_FOR_OTHERS =
        "SELECT d.*, a.incident_id AS incident_id FROM decisions d \
         JOIN approvals a ON a.id = d.approval_id JOIN runs r ON r.id = a.run_id \
         WHERE d.on_behalf IS NOT NULL AND d.answer = 'approve' AND d.revoked_at IS NULL \
         AND a.status IN ('pending', 'approved') AND r.finished_at IS NULL ORDER BY d.approval_id";
    REVOKE_DECISION =
        "UPDATE decisions SET revoked_at = $3 WHERE approval_id = $1 AND person = $2";
}

/// Who was disabled, when, by whom and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disabled {
    /// Who.
    pub name: String,
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// Disables a person; false when that was done before.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn disable(tx: &mut Tx<'_>, who: &Disabled) -> Result<bool, StoreError> {
    let query = tx
        .query(&DISABLE)
        .bind(who.name.clone())
        .bind(who.at.micros())
        .bind(who.by.clone())
        .bind(who.reason.clone());
    Ok(tx.run(query).await? == 1)
}

/// Lets a person call again, with tokens that are made from now on; false when nobody of this name
/// was disabled.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn enable(tx: &mut Tx<'_>, name: &str) -> Result<bool, StoreError> {
    let query = tx.query(&ENABLE).bind(name.to_owned());
    Ok(tx.run(query).await? == 1)
}

/// Whether a person was disabled.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn is_disabled(conn: &mut Conn<'_>, name: &str) -> Result<bool, StoreError> {
    Ok(conn.maybe(conn.query(&IS_DISABLED).bind(name.to_owned())).await?.is_some())
}

/// Everybody who was disabled, by name.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn list(conn: &mut Conn<'_>) -> Result<Vec<Disabled>, StoreError> {
    let read = |row| {
        let row = Row::of("disabled_people", row);
        Ok(Disabled {
            name: row.text("name")?,
            at: row.time("disabled_at")?,
            by: row.text("disabled_by")?,
            reason: row.text("reason")?,
        })
    };
    conn.all(conn.query(&LIST)).await?.iter().map(read).collect()
}

/// Revokes every token of a person, and gives how many there were.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn revoke_tokens(
    tx: &mut Tx<'_>,
    person: &str,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let query = tx.query(&REVOKE_TOKENS).bind(person.to_owned()).bind(now.micros());
    tx.run(query).await
}

/// Takes back every yes of a person, and every yes that somebody gave in their name, in runs that
/// have not ended, and gives the approvals concerned, with their incidents.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn revoke_decisions(
    tx: &mut Tx<'_>,
    person: &str,
    now: Timestamp,
) -> Result<Vec<(ApprovalId, Option<IncidentId>)>, StoreError> {
    let query = tx.query(&UNDONE).bind(person.to_owned());
    let mut revoked = Vec::new();
    for row in tx.all(query).await? {
        let row = Row::of("decisions", &row);
        let approval: ApprovalId = row.word("approval_id")?;
        revoked.push((approval, person.to_owned(), row.word_opt("incident_id")?));
    }
    let query = tx.query(&UNDONE_FOR_OTHERS);
    for row in tx.all(query).await? {
        let row = Row::of("decisions", &row);
        let decision = read_decision(&row)?;
        if decision.on_behalf.contains(person) {
            let approval = row.word("approval_id")?;
            revoked.push((approval, decision.person, row.word_opt("incident_id")?));
        }
    }
    for (approval, whose, _) in &revoked {
        let query = tx
            .query(&REVOKE_DECISION)
            .bind(approval.to_string())
            .bind(whose.clone())
            .bind(now.micros());
        tx.run(query).await?;
    }
    Ok(revoked.into_iter().map(|(approval, _, incident)| (approval, incident)).collect())
}
