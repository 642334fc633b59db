//! People who decide on several nodes at the same moment.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::json;
use stanch_engine_core::approval::{Answer, ApprovalStatus, Decision, Rule};
use stanch_engine_core::id::ApprovalId;
use stanch_engine_core::json::Json;
use stanch_engine_core::step::StepKey;
use stanch_engine_store::approvals::{self, Approval};
use stanch_engine_store::{Options, Store, StoreError, Tx};
use stanch_tests::eventually;
use tokio::sync::Notify;

use crate::both::{at, run_id};

fn id() -> ApprovalId {
    ApprovalId::new(at(1), 1)
}

/// A question to two people.
fn question() -> Approval {
    let approvers = vec!["ann".to_owned(), "bob".to_owned()];
    Approval {
        id: id(),
        run: run_id(1),
        step: StepKey("1".into()),
        incident: None,
        status: ApprovalStatus::Pending,
        title: "Go on?".to_owned(),
        rules: vec![Rule { of: approvers.clone(), count: 2, why: None }],
        approvers,
        quorum: 2,
        out_of_reach: None,
        evidence_head: None,
        form: None,
        plan: None,
        plan_digest: None,
        card: Json::null(),
        requested_at: at(1),
        expires_at: at(1_000),
        decided_at: None,
    }
}

fn yes(person: &str) -> Decision {
    Decision {
        person: person.to_owned(),
        answer: Answer::Approve,
        reason: "it is right".to_owned(),
        form: json!({}),
        at: at(2),
        from: "test".to_owned(),
        counts_as: None,
        on_behalf: BTreeSet::new(),
        is_break_glass: false,
    }
}

/// Says yes, and gives who has said something before.
async fn say(tx: &mut Tx<'_>, person: &str) -> Result<Vec<String>, StoreError> {
    assert!(approvals::hold(tx, id()).await?.is_some());
    let before = approvals::decisions(tx, id()).await?;
    assert!(approvals::decide(tx, id(), &yes(person)).await?);
    Ok(before.into_iter().map(|decision| decision.person).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_of_two_who_decide_on_two_nodes_knows_of_the_first() {
    let database = stanch_tests::postgres::Database::create().await;
    let one = Store::open(Options::new(database.url())).await.unwrap();
    let other = Store::open(Options::new(database.url())).await.unwrap();
    let ask = one.write(|tx| Box::pin(async move { approvals::insert(tx, &question()).await }));
    ask.await.unwrap();
    let (said, goes_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (says, goes) = (said.clone(), goes_on.clone());
    let first = tokio::spawn(async move {
        let written = one.write(move |tx| {
            let (says, goes) = (says.clone(), goes.clone());
            Box::pin(async move {
                let before = say(tx, "ann").await?;
                says.notify_one();
                goes.notified().await;
                Ok(before)
            })
        });
        written.await
    });
    said.notified().await;
    let second = tokio::spawn(async move {
        other.write(|tx| Box::pin(async move { say(tx, "bob").await })).await
    });
    let waits = "select count(*) from pg_stat_activity \
                 where datname = current_database() and wait_event_type = 'Lock'";
    eventually("the second waits for the first", async || {
        (database.query(waits).await == "1").then_some(())
    })
    .await;
    goes_on.notify_one();
    assert_eq!(first.await.unwrap().unwrap(), Vec::<String>::new());
    assert_eq!(second.await.unwrap().unwrap(), ["ann"]);
}
