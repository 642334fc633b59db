//! What the items of evidence are said to be is held against the chain in both directions.

use serde_json::Value;

use super::tamper::{export, lines, said, stage};
use crate::bundle::{Files, unpack};
use crate::stage::Plan;

fn items(files: &Files) -> Vec<Value> {
    serde_json::from_slice(&files["evidence.json"]).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_changed_of_an_item_in_the_database_is_found() {
    let (stage, incident) = stage(Plan::new().on_postgres().await).await;
    let files = export(&stage, &incident).await;
    said(&stage, &files).unwrap();
    // The chain has the alert, and then both items.
    let named = |label: &str| {
        let item = items(&files).into_iter().find(|item| item["label"] == label).unwrap();
        item["id"].as_str().unwrap().to_owned()
    };
    let id = named("one");
    let of = format!("where id = '{id}'");
    for (column, value) in [
        ("label", "'another'"),
        ("sha256", "repeat('0', 64)"),
        ("bytes", "bytes + 1"),
        ("captured_at", "captured_at - 1000000"),
        ("captured_by", "'nia'"),
        ("call", "'{\"by\":\"nobody\"}'"),
    ] {
        stage.sql("create table aside as select * from evidence").await;
        stage.sql(&format!("update evidence set {column} = {value} {of}")).await;
        let name = if column == "call" { "how" } else { column };
        let found = format!("evidence.json: {id} has another `{name}` than in record 1");
        assert_eq!(said(&stage, &export(&stage, &incident).await), Err(found), "{column}");
        stage.sql("delete from evidence").await;
        stage.sql("insert into evidence select * from aside").await;
        stage.sql("drop table aside").await;
    }
    stage.sql(&format!("update evidence set deleted_at = captured_at {of}")).await;
    let found = format!("evidence.json: {id} was deleted, or was not, other than the records say");
    assert_eq!(said(&stage, &export(&stage, &incident).await), Err(found));
    stage.sql(&format!("update evidence set deleted_at = null {of}")).await;
    stage.sql(&format!("delete from evidence {of}")).await;
    let found = format!("evidence.json: {id} is missing: it is in record 1");
    assert_eq!(said(&stage, &export(&stage, &incident).await), Err(found));
    let last = named("two");
    let (prefix, _) = last.split_once('_').unwrap();
    let other = format!("{prefix}_01JA0000000000000000000000");
    stage.sql(&format!("update evidence set id = '{other}' where id = '{last}'")).await;
    let found = format!("evidence.json: {other} is in no record");
    assert_eq!(said(&stage, &export(&stage, &incident).await), Err(found));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_earlier_end_has_the_items_of_then() {
    let (stage, incident) = stage(Plan::new()).await;
    let then = export(&stage, &incident).await;
    let path = format!("/incidents/{incident}/evidence?label=three");
    assert_eq!(stage.mia.send(&path, "the third item").await.0, 201);
    let count = lines(&then, "chain.jsonl").len();
    let path = format!("/incidents/{incident}/export?head={count}");
    let again = unpack(&stage.mia.bytes(&path).await);
    said(&stage, &again).unwrap();
    assert_eq!((items(&again).len(), &again["evidence.json"]), (2, &then["evidence.json"]));
    let now = export(&stage, &incident).await;
    said(&stage, &now).unwrap();
    assert_eq!(items(&now).len(), 3);
}
