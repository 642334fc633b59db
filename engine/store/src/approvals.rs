//! Approvals and the decisions on them.

use std::collections::BTreeSet;

use serde::Serialize;
use stanch_engine_core::approval::{Answer, ApprovalStatus, Decision, Form, Rule};
use stanch_engine_core::digest::Sha256;
use stanch_engine_core::id::{ApprovalId, IncidentId, RunId};
use stanch_engine_core::json::Json;
use stanch_engine_core::plan::Plan;
use stanch_engine_core::step::StepKey;
use stanch_engine_core::time::Timestamp;

use crate::error::StoreError;
use crate::row::Row;
use crate::sql::statements;
use crate::tx::{Bound, Conn, Tx};

statements! {
    INSERT =
        "INSERT INTO approvals (id, run_id, step, incident_id, status, title, approvers, quorum, form, \
         plan, plan_digest, card, requested_at, expires_at, rules, out_of_reach, \
         evidence_head) \
         VALUES ($1, $2, $3, $4, 'pending', $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)";
    GET = "SELECT * FROM approvals WHERE id = $1";
    HOLD = {
        sqlite: "SELECT * FROM approvals WHERE id = $1",
        postgres: "SELECT * FROM approvals WHERE id = $1 FOR NO KEY UPDATE",
    };
    SETTLE =
        "UPDATE approvals SET status = $2, decided_at = $3 WHERE id = $1 AND status = 'pending'";
    DECIDE =
        "INSERT INTO decisions (approval_id, person, answer, reason, form, at, origin, counts_as, \
         on_behalf, is_break_glass) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (approval_id, person) DO UPDATE SET \
         answer = excluded.answer, reason = excluded.reason, form = excluded.form, \
         at = excluded.at, origin = excluded.origin, counts_as = excluded.counts_as, \
         on_behalf = excluded.on_behalf, is_break_glass = excluded.is_break_glass, \
         revoked_at = NULL \
         WHERE decisions.revoked_at IS NOT NULL OR excluded.is_break_glass = 1";
    DECISIONS =
        "SELECT * FROM decisions WHERE approval_id = $1 AND revoked_at IS NULL ORDER BY at, person";
    HISTORY = "SELECT * FROM decisions WHERE approval_id = $1 ORDER BY at, person";
    WITHDRAW =
        "UPDATE decisions SET revoked_at = $3 WHERE approval_id = $1 AND person = $2 \
         AND answer = 'approve' AND revoked_at IS NULL";
    LIST =
        "SELECT * FROM approvals WHERE (CAST($1 AS TEXT) IS NULL OR id < $1) \
         AND (CAST($2 AS TEXT) IS NULL OR status = $2) ORDER BY id DESC LIMIT $3";
    OF_INCIDENT = "SELECT * FROM approvals WHERE incident_id = $1 ORDER BY id";
    PENDING_OF_RUN = "SELECT * FROM approvals WHERE run_id = $1 AND status = 'pending' ORDER BY id";
}

/// A row.
#[derive(Clone, Debug, PartialEq)]
pub struct Approval {
    /// Its id.
    pub id: ApprovalId,
    /// The run that asks.
    pub run: RunId,
    /// The step that waits for it.
    pub step: StepKey,
    /// The incident.
    pub incident: Option<IncidentId>,
    /// Where it stands.
    pub status: ApprovalStatus,
    /// What is asked.
    pub title: String,
    /// Everybody that is asked.
    pub approvers: Vec<String>,
    /// How many must say yes in all.
    pub quorum: u32,
    /// How many of whom.
    pub rules: Vec<Rule>,
    /// Why the people that there were when it was asked could not have met the rules.
    pub out_of_reach: Option<String>,
    /// The hash at the end of the incident's custody chain when it was asked.
    pub evidence_head: Option<Sha256>,
    /// What must be filled in.
    pub form: Option<Form>,
    /// The plan that is approved with it.
    pub plan: Option<Plan>,
    /// The digest that decisions bind to.
    pub plan_digest: Option<Sha256>,
    /// What people are shown beside: what was done, what happens if nobody answers.
    pub card: Json,
    /// When it was asked.
    pub requested_at: Timestamp,
    /// From when on silence is a no.
    pub expires_at: Timestamp,
    /// When it was settled.
    pub decided_at: Option<Timestamp>,
}

/// Inserts an approval that waits for people.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn insert(tx: &mut Tx<'_>, approval: &Approval) -> Result<(), StoreError> {
    let json = |value: Json| value.as_str().to_owned();
    let query = tx
        .query(&INSERT)
        .bind(approval.id.to_string())
        .bind(approval.run.to_string())
        .bind(approval.step.to_string())
        .bind(approval.incident.map(|id| id.to_string()))
        .bind(approval.title.clone())
        .bind(json(Json::of(&approval.approvers)))
        .bind(i64::from(approval.quorum))
        .bind(approval.form.as_ref().map(|form| json(Json::of(form))))
        .bind(approval.plan.as_ref().map(|plan| json(Json::of(plan))))
        .bind(approval.plan_digest.map(|digest| digest.to_string()))
        .bind(approval.card.as_str().to_owned())
        .bind(approval.requested_at.micros())
        .bind(approval.expires_at.micros())
        .bind(json(Json::of(&approval.rules)))
        .bind(approval.out_of_reach.clone())
        .bind(approval.evidence_head.map(|hash| hash.to_string()));
    tx.run(query).await?;
    Ok(())
}

/// One approval.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn get(conn: &mut Conn<'_>, id: ApprovalId) -> Result<Option<Approval>, StoreError> {
    let row = conn.maybe(conn.query(&GET).bind(id.to_string())).await?;
    row.map(|row| read(&Row::of("approvals", &row))).transpose()
}

/// One approval, which nobody else decides on until the commit: what was said of it is all there is, also where
/// people decide on other nodes.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn hold(tx: &mut Tx<'_>, id: ApprovalId) -> Result<Option<Approval>, StoreError> {
    let query = tx.query(&HOLD).bind(id.to_string());
    let row = tx.maybe(query).await?;
    row.map(|row| read(&Row::of("approvals", &row))).transpose()
}

/// Settles an approval that is pending; false when it was settled before.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn settle(
    tx: &mut Tx<'_>,
    id: ApprovalId,
    status: ApprovalStatus,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let query = tx.query(&SETTLE).bind(id.to_string()).bind(status.as_str()).bind(now.micros());
    Ok(tx.run(query).await? == 1)
}

/// Writes a decision down; false when this person has decided before.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn decide(
    tx: &mut Tx<'_>,
    id: ApprovalId,
    decision: &Decision,
) -> Result<bool, StoreError> {
    let json = |names: &BTreeSet<String>| Json::of(names).as_str().to_owned();
    let query = tx
        .query(&DECIDE)
        .bind(id.to_string())
        .bind(decision.person.clone())
        .bind(decision.answer.as_str())
        .bind(decision.reason.clone())
        .bind(decision.form.to_string())
        .bind(decision.at.micros())
        .bind(decision.from.clone())
        .bind(decision.counts_as.as_ref().map(|entries| Json::of(entries).as_str().to_owned()))
        .bind((!decision.on_behalf.is_empty()).then(|| json(&decision.on_behalf)))
        .bind(i64::from(decision.is_break_glass));
    Ok(tx.run(query).await? == 1)
}

/// The decisions on an approval that count, by time.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn decisions(conn: &mut Conn<'_>, id: ApprovalId) -> Result<Vec<Decision>, StoreError> {
    let query = conn.query(&DECISIONS).bind(id.to_string());
    conn.all(query).await?.iter().map(|row| read_decision(&Row::of("decisions", row))).collect()
}

/// A decision, whether or not it counts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Given {
    /// The decision.
    #[serde(flatten)]
    pub decision: Decision,
    /// Since when it does not count: its person took it back, or was disabled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
}

/// All decisions on an approval, by time, with those that no longer count.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn history(conn: &mut Conn<'_>, id: ApprovalId) -> Result<Vec<Given>, StoreError> {
    let query = conn.query(&HISTORY).bind(id.to_string());
    let read = |row| {
        let row = Row::of("decisions", row);
        let revoked_at = row.time_opt("revoked_at")?;
        Ok(Given { decision: read_decision(&row)?, revoked_at })
    };
    conn.all(query).await?.iter().map(read).collect()
}

/// Takes back a person's yes; false when there is none that counts.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn withdraw(
    tx: &mut Tx<'_>,
    id: ApprovalId,
    person: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let query = tx.query(&WITHDRAW).bind(id.to_string()).bind(person.to_owned()).bind(now.micros());
    Ok(tx.run(query).await? == 1)
}

pub(crate) fn read_decision(row: &Row<'_>) -> Result<Decision, StoreError> {
    let names = |column| match row.text_opt(column)? {
        Some(_) => row.parsed(column).map(Some),
        None => Ok::<Option<BTreeSet<String>>, StoreError>(None),
    };
    let answer = match row.text("answer")?.as_str() {
        "approve" => Answer::Approve,
        _ => Answer::Reject,
    };
    Ok(Decision {
        person: row.text("person")?,
        answer,
        reason: row.text("reason")?,
        form: row.parsed("form")?,
        at: row.time("at")?,
        from: row.text("origin")?,
        counts_as: names("counts_as")?,
        on_behalf: names("on_behalf")?.unwrap_or_default(),
        is_break_glass: row.flag("is_break_glass")?,
    })
}

/// Approvals, the newest first.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn list(
    conn: &mut Conn<'_>,
    before: Option<ApprovalId>,
    status: Option<ApprovalStatus>,
    limit: u32,
) -> Result<Vec<Approval>, StoreError> {
    let query = conn
        .query(&LIST)
        .bind(before.map(|id| id.to_string()))
        .bind(status.map(|status| status.as_str().to_owned()))
        .bind(i64::from(limit));
    rows(conn, query).await
}

/// The approvals of an incident, the oldest first.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn of_incident(
    conn: &mut Conn<'_>,
    incident: IncidentId,
) -> Result<Vec<Approval>, StoreError> {
    let query = conn.query(&OF_INCIDENT).bind(incident.to_string());
    rows(conn, query).await
}

/// The approvals that a run waits for.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn pending_of_run(conn: &mut Conn<'_>, run: RunId) -> Result<Vec<Approval>, StoreError> {
    let query = conn.query(&PENDING_OF_RUN).bind(run.to_string());
    rows(conn, query).await
}

async fn rows(conn: &mut Conn<'_>, query: Bound) -> Result<Vec<Approval>, StoreError> {
    conn.all(query).await?.iter().map(|row| read(&Row::of("approvals", row))).collect()
}

fn read(row: &Row<'_>) -> Result<Approval, StoreError> {
    let has = |column| Ok::<_, StoreError>(row.text_opt(column)?.is_some());
    let (approvers, quorum): (Vec<String>, _) = (row.parsed("approvers")?, row.count("quorum")?);
    let rules = match has("rules")? {
        true => row.parsed("rules")?,
        false => vec![Rule { of: approvers.clone(), count: quorum, why: None }],
    };
    Ok(Approval {
        id: row.word("id")?,
        run: row.word("run_id")?,
        step: StepKey(row.text("step")?.into()),
        incident: row.word_opt("incident_id")?,
        status: row.word("status")?,
        title: row.text("title")?,
        approvers,
        quorum,
        rules,
        out_of_reach: row.text_opt("out_of_reach")?,
        evidence_head: row.word_opt("evidence_head")?,
        form: if has("form")? { Some(row.parsed("form")?) } else { None },
        plan: if has("plan")? { Some(row.parsed("plan")?) } else { None },
        plan_digest: row.word_opt("plan_digest")?,
        card: row.json("card")?,
        requested_at: row.time("requested_at")?,
        expires_at: row.time("expires_at")?,
        decided_at: row.time_opt("decided_at")?,
    })
}
