//! What people do is done once.

use serde_json::json;
use stanch_engine_core::approval::{Answer, ApprovalStatus, Decision, Rule};
use stanch_engine_core::correlation::CorrelationKey;
use stanch_engine_core::digest::Sha256;
use stanch_engine_core::id::{ApprovalId, IncidentId, PageId, TokenId};
use stanch_engine_core::incident::{IncidentStatus, Milestone};
use stanch_engine_core::json::Json;
use stanch_engine_core::scope::Scope;
use stanch_engine_core::severity::Severity;
use stanch_engine_store::approvals::{self, Approval};
use stanch_engine_store::incidents::{self, Incident};
use stanch_engine_store::pages::{self, Page};
use stanch_engine_store::people::{self, Disabled};
use stanch_engine_store::tokens::{self, Token};
use stanch_engine_store::{Store, StoreError, kpis, milestones};

use crate::both::{at, both, run_id};

fn approval() -> Approval {
    Approval {
        id: ApprovalId::new(at(1), 1),
        run: run_id(1),
        step: "3".into(),
        incident: None,
        status: ApprovalStatus::Pending,
        title: "Cut it off?".into(),
        approvers: vec!["role:responder".into()],
        quorum: 2,
        rules: vec![Rule { of: vec!["role:responder".into()], count: 2, why: None }],
        out_of_reach: None,
        evidence_head: Some(Sha256::of("head")),
        form: None,
        plan: None,
        plan_digest: Some(Sha256::of("plan")),
        card: Json::of(&json!({"what": "x"})),
        requested_at: at(1),
        expires_at: at(100),
        decided_at: None,
    }
}

fn decision(person: &str) -> Decision {
    Decision {
        person: person.into(),
        answer: Answer::Approve,
        reason: "it is bad".into(),
        form: json!({"verdict": "true_positive"}),
        at: at(2),
        from: "127.0.0.1".into(),
        counts_as: Some(["role:responder".to_owned()].into()),
        on_behalf: ["zoe".to_owned()].into(),
        is_break_glass: false,
    }
}

fn incident(number: u128) -> Incident {
    Incident {
        id: IncidentId::new(at(1), number),
        title: "t".into(),
        status: IncidentStatus::Open,
        severity: Severity::High,
        account: None,
        is_sample: false,
        phase: None,
        verdict: None,
        verdict_reason: None,
        acknowledged_by: None,
        opened_at: at(1),
        last_alert_at: at(1),
        merged_into: None,
        split_from: None,
        part_of: None,
    }
}

fn page(key: &str) -> Page {
    Page {
        id: PageId::new(at(1), u128::from(key.len() as u64)),
        dedup_key: key.into(),
        incident: Some(incident(1).id),
        run: None,
        code: "ST0106".into(),
        message: "m".into(),
        chain: vec!["role:responder".into()],
        level: 0,
        deliveries: 0,
        last_error: None,
        raised_at: at(1),
        repeat_ms: 1_000,
        next_at: Some(at(1)),
        taken_at: None,
        taken_by: None,
    }
}

async fn decide(store: &Store, person: &'static str) -> bool {
    store
        .write(move |tx| {
            Box::pin(async move { approvals::decide(tx, approval().id, &decision(person)).await })
        })
        .await
        .unwrap()
}

async fn raise(store: &Store, key: &'static str) -> bool {
    store
        .write(move |tx| Box::pin(async move { pages::raise(tx, &page(key)).await }))
        .await
        .unwrap()
}

both! {
    a_person_decides_once_and_an_approval_is_settled_once(fresh) {
        fresh.store.write(|tx| Box::pin(async move { approvals::insert(tx, &approval()).await })).await.unwrap();
        assert!(decide(&fresh.store, "ann").await);
        assert!(!decide(&fresh.store, "ann").await);
        assert!(decide(&fresh.store, "bob").await);
        let decisions = fresh.store.read(|c| Box::pin(approvals::decisions(c, approval().id))).await.unwrap();
        assert_eq!(decisions, [decision("ann"), decision("bob")]);
        let settle = |status| fresh.store.write(move |tx| {
            Box::pin(async move { approvals::settle(tx, approval().id, status, at(3)).await })
        });
        assert!(settle(ApprovalStatus::Approved).await.unwrap());
        assert!(!settle(ApprovalStatus::Expired).await.unwrap());
        let stored = fresh.store.read(|c| Box::pin(approvals::get(c, approval().id))).await.unwrap();
        let settled =
            Approval { status: ApprovalStatus::Approved, decided_at: Some(at(3)), ..approval() };
        assert_eq!(stored, Some(settled));
    }

    a_page_is_raised_once_goes_out_and_ends_when_somebody_takes_it(fresh) {
        assert!(raise(&fresh.store, "run-failed").await);
        assert!(!raise(&fresh.store, "run-failed").await);
        let due = |now| fresh.store.read(move |c| Box::pin(async move { pages::due(c, at(now), 10).await }));
        assert_eq!(due(1).await.unwrap(), [page("run-failed")]);
        fresh.store.write(|tx| Box::pin(async move {
            pages::sent(tx, page("run-failed").id, 1, Some("no topic".into()), Some(at(50))).await
        })).await.unwrap();
        assert_eq!(due(49).await.unwrap(), []);
        assert_eq!(due(50).await.unwrap()[0].deliveries, 1);
        fresh.store.write(|tx| Box::pin(async move {
            pages::take_of_incident(tx, incident(1).id, "ann", at(51)).await
        })).await.unwrap();
        assert_eq!(due(99).await.unwrap(), []);
    }

    the_first_time_of_a_milestone_counts(fresh) {
        fresh.store.write(|tx| Box::pin(async move { incidents::insert(tx, &incident(1)).await })).await.unwrap();
        let mark = |time| fresh.store.write(move |tx| Box::pin(async move {
            milestones::mark(tx, incident(1).id, Milestone::ContainedAt, at(time), "run").await
        }));
        assert!(mark(5).await.unwrap());
        assert!(!mark(9).await.unwrap());
        let marked = fresh.store.read(|c| Box::pin(milestones::of_incident(c, incident(1).id))).await.unwrap();
        assert_eq!((marked.len(), marked[0].at), (1, at(5)));
        let stale = fresh.store.read(|c| Box::pin(kpis::stale(c, 9))).await.unwrap();
        assert_eq!((stale.len(), stale[0].version, stale[0].done), (1, 2, 0));
    }

    a_thing_that_two_meet_first_is_a_conflict_for_the_second(fresh) {
        let key = || CorrelationKey("1/key/AKIA1".into());
        let correlate = |number, was_known| fresh.store.write(move |tx| Box::pin(async move {
            incidents::correlate(tx, &key(), was_known, incident(number).id, at(4)).await
        }));
        correlate(1, false).await.unwrap();
        let second = correlate(2, false).await;
        assert!(matches!(second, Err(StoreError::Conflict(_))), "{second:?}");
        correlate(2, true).await.unwrap();
        let found = fresh.store.read(|c| Box::pin(async move { incidents::correlated(c, &key()).await })).await;
        assert_eq!(found.unwrap().unwrap().incident, incident(2).id);
    }

    an_incident_is_taken_once(fresh) {
        fresh.store.write(|tx| Box::pin(async move { incidents::insert(tx, &incident(1)).await })).await.unwrap();
        let take = |person: &'static str| fresh.store.write(move |tx| Box::pin(async move {
            incidents::taken_up(tx, incident(1).id, person).await
        }));
        take("ann").await.unwrap();
        take("bob").await.unwrap();
        let found = fresh.store.read(|c| Box::pin(incidents::get(c, incident(1).id))).await.unwrap().unwrap();
        assert_eq!(found.acknowledged_by.as_deref(), Some("ann"));
    }

    a_token_is_found_by_its_hash_until_it_is_revoked(fresh) {
        let token = || Token {
            id: TokenId::new(at(1), 1), name: "ann".into(), person: "ann".into(),
            hash: Sha256::of("secret"), roles: vec!["responder".into()], created_at: at(1),
            expires_at: Some(at(9)), revoked_at: None, scope: Scope { playbooks: vec!["iam-*".into()], ..Scope::default() },
        };
        fresh.store.write(move |tx| Box::pin(async move { tokens::insert(tx, &token()).await })).await.unwrap();
        let find_at = |now| fresh.store.read(move |c| Box::pin(tokens::find(c, Sha256::of("secret"), at(now))));
        let find = || find_at(8);
        assert_eq!(find_at(9).await.unwrap(), None, "it has expired");
        assert_eq!(find().await.unwrap(), Some(token()));
        fresh.store.write(|tx| Box::pin(async move { tokens::revoke(tx, "ann", at(2)).await })).await.unwrap();
        assert_eq!(find().await.unwrap(), None);
    }

    who_is_disabled_has_no_token_until_a_new_one_is_made(fresh) {
        let token = |number, name: &str| Token {
            id: TokenId::new(at(1), number), name: name.into(), person: "ann".into(),
            hash: Sha256::of(name), roles: vec!["responder".into()], created_at: at(1),
            expires_at: None, revoked_at: None, scope: Scope::default(),
        };
        let make = |number, name: &'static str| fresh.store.write(move |tx| Box::pin(async move {
            tokens::insert(tx, &token(number, name)).await
        }));
        let find = |name: &'static str| fresh.store.read(move |c| Box::pin(tokens::find(c, Sha256::of(name), at(2))));
        make(1, "laptop").await.unwrap();
        make(2, "phone").await.unwrap();
        assert_eq!(find("phone").await.unwrap().unwrap().person, "ann");
        fresh.store.write(|tx| Box::pin(async move {
            let who = Disabled { name: "ann".into(), at: at(2), by: "admin".into(), reason: "left".into() };
            assert!(people::disable(tx, &who).await?);
            assert!(!people::disable(tx, &who).await?);
            assert_eq!(people::revoke_tokens(tx, "ann", at(2)).await?, 2);
            assert_eq!(people::list(tx).await?, [who]);
            Ok(())
        })).await.unwrap();
        // One that is made meanwhile is no good either.
        make(3, "tablet").await.unwrap();
        for name in ["laptop", "phone", "tablet"] {
            assert_eq!(find(name).await.unwrap(), None, "{name}");
        }
        fresh.store.write(|tx| Box::pin(async move { people::enable(tx, "ann").await })).await.unwrap();
        assert_eq!(find("laptop").await.unwrap(), None);
        assert_eq!(find("tablet").await.unwrap(), Some(token(3, "tablet")));
        let rotate = |name: &'static str| fresh.store.write(move |tx| Box::pin(async move {
            tokens::rotate(tx, name, Sha256::of("another"), at(3)).await
        }));
        assert!(rotate("tablet").await.unwrap());
        assert!(!rotate("laptop").await.unwrap());
        assert_eq!(find("tablet").await.unwrap(), None);
        assert_eq!(find("another").await.unwrap().unwrap().name, "tablet");
    }
}
