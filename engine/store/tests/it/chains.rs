//! Chains stay chains, and versions stay what they were.

use std::collections::BTreeMap;

use serde_json::json;
use stanch_engine_core::chain::Head;
use stanch_engine_core::custody::{CustodyAction, verify_chain, verify_details};
use stanch_engine_core::header::Header;
use stanch_engine_core::id::IncidentId;
use stanch_engine_core::playbook::Bundle;
use stanch_engine_store::custody::{self, NewRecord};
use stanch_engine_store::playbooks::{self, Version};
use stanch_engine_store::{Options, Store};

use crate::both::{at, both};

fn record(number: i64) -> NewRecord {
    NewRecord {
        incident: IncidentId::new(at(1), 1),
        at: at(number),
        actor: "run".into(),
        action: CustodyAction::Captured,
        item: None,
        detail: json!({"n": number}),
    }
}

fn bundle(text: &str) -> Bundle {
    Bundle { main: text.into(), imports: BTreeMap::from([("lib/a".into(), "fn f() {}".into())]) }
}

fn version(text: &str, second: i64) -> Version {
    Version {
        digest: bundle(text).digest(),
        header: Header::read(json!({"name": "p", "title": "t"})).unwrap(),
        published_at: at(second),
        published_by: "ann".into(),
        source: "p.rhai".into(),
    }
}

async fn publish(store: &Store, text: &'static str, second: i64) -> bool {
    store
        .write(move |tx| {
            Box::pin(async move {
                playbooks::publish(tx, &bundle(text), &version(text, second)).await?;
                playbooks::activate(tx, "p", bundle(text).digest(), "ann", at(second)).await
            })
        })
        .await
        .unwrap()
}

both! {
    a_chain_is_whole_however_many_write_at_once(fresh) {
        let mut tasks = Vec::new();
        for number in 0..40 {
            let store = match fresh.url.starts_with("postgres") && number % 10 == 0 {
                true => Store::open(Options::new(&fresh.url)).await.unwrap(),
                false => fresh.store.clone(),
            };
            tasks.push(tokio::spawn(async move {
                store.write(move |tx| Box::pin(async move { custody::append(tx, &record(number)).await })).await
            }));
        }
        for task in tasks {
            task.await.unwrap().unwrap();
        }
        let incident = record(0).incident;
        let head = fresh.store.read(|c| Box::pin(custody::head(c, incident))).await.unwrap();
        let rows = fresh.store.read(|c| Box::pin(custody::records(c, incident, 40))).await.unwrap();
        assert_eq!(head.count, 40);
        let walked = verify_chain(rows.iter().map(|row| row.body.as_str()), incident, head).unwrap();
        let details: Vec<_> = rows.iter().map(|row| row.detail.as_deref().unwrap()).collect();
        verify_details(&walked, details).unwrap();
        let at = async |count| {
            fresh.store.read(|c| Box::pin(custody::head_at(c, incident, count))).await.unwrap()
        };
        assert_eq!((at(0).await, at(40).await), (Some(Head::EMPTY), Some(head)));
        assert_eq!(at(7).await.unwrap(), Head { count: 7, hash: walked[6].hash });
        assert_eq!(at(41).await, None);
    }

    a_version_stays_and_one_pointer_moves(fresh) {
        assert!(publish(&fresh.store, "one", 1).await);
        assert!(!publish(&fresh.store, "one", 2).await, "it is active already");
        assert!(publish(&fresh.store, "two", 3).await);
        let active = fresh.store.read(|c| Box::pin(playbooks::active(c))).await.unwrap();
        assert_eq!(active.len(), 1);
        assert_eq!(active[0].digest, bundle("two").digest());
        assert_eq!(active[0].previous, Some(bundle("one").digest()));
        let versions = fresh.store.read(|c| Box::pin(playbooks::versions(c, "p"))).await.unwrap();
        assert_eq!(versions, [version("two", 3), version("one", 1)]);
        let old = bundle("one").digest();
        let text = fresh.store.read(|c| Box::pin(playbooks::bundle(c, old))).await.unwrap();
        assert_eq!(text, Some(bundle("one")));
    }
}
