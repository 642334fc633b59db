//! The end of a chain was changed in the database: what is wrong is named, and what is there can be exported.

use reqwest::Method;
use serde_json::json;

use super::tamper::{export, lines, said, stage};
use crate::bundle::unpack;
use crate::stage::Plan;

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_chain_was_changed() {
    let (stage, incident) = stage(Plan::new().on_postgres().await).await;
    let path = format!("/incidents/{incident}/export");
    let note = format!("/incidents/{incident}/note");
    let whole = export(&stage, &incident).await;
    let count = lines(&whole, "chain.jsonl").len();
    let last = count - 1;
    let heads = "update custody_heads set";
    for (change, wrong) in [
        (
            format!("{heads} count = count - 1"),
            format!(
                "its row of `custody_heads` says {last} records, and record {last} is the last that is there"
            ),
        ),
        (
            format!("{heads} count = count + 7"),
            format!(
                "its row of `custody_heads` says {} records, and record {last} is the last that is there",
                count + 7
            ),
        ),
        (
            format!("{heads} hash = repeat('0', 64)"),
            format!("its row of `custody_heads` has another hash than its last record, {last}"),
        ),
        (
            format!("{heads} hash = 'none'"),
            format!("its row of `custody_heads` has another hash than its last record, {last}"),
        ),
        (
            "delete from custody_heads".to_owned(),
            format!(
                "its row of `custody_heads` is missing, and record {last} is the last that is there"
            ),
        ),
    ] {
        stage.sql("create table aside as select * from custody_heads").await;
        stage.sql(&change).await;
        let (status, problem) = stage.mia.try_ask(Method::GET, &path, None).await.unwrap();
        assert_eq!((status, &problem["code"]), (500, &json!("ST0705")), "{change}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(&wrong), "{change}: {problem}");
        let broken = unpack(&stage.mia.bytes(&format!("{path}?broken=true")).await);
        assert_eq!(broken["chain.jsonl"], whole["chain.jsonl"], "{change}: nothing was added");
        let found = format!("checkpoint.json: it was broken when it was exported: {wrong}");
        assert_eq!(said(&stage, &broken), Err(found), "{change}");
        let earlier = format!("{path}?broken=true&head=2");
        assert_eq!(stage.mia.try_ask(Method::GET, &earlier, None).await.unwrap().0, 400);
        stage.sql("delete from custody_heads").await;
        stage.sql("insert into custody_heads select * from aside").await;
        stage.sql("drop table aside").await;
    }
    // What would be put where a record is says so, too, and changes nothing.
    for change in [format!("{heads} count = 2"), "delete from custody_heads".to_owned()] {
        stage.sql(&change).await;
        let found = json!({"text": "found"});
        let (status, problem) = stage.mia.try_ask(Method::POST, &note, Some(&found)).await.unwrap();
        assert_eq!((status, &problem["code"]), (500, &json!("ST0705")), "{change}: {problem}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(&incident) && detail.contains("is there"), "{detail}");
        let broken = unpack(&stage.mia.bytes(&format!("{path}?broken=true")).await);
        assert_eq!(broken["chain.jsonl"], whole["chain.jsonl"], "{change}: nothing was added");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_is_whole_is_exported_as_ever() {
    let (stage, incident) = stage(Plan::new()).await;
    let path = format!("/incidents/{incident}/export?broken=true");
    let files = unpack(&stage.mia.bytes(&path).await);
    said(&stage, &files).unwrap();
    let again = export(&stage, &incident).await;
    let [before, after] = [&files, &again].map(|files| lines(files, "chain.jsonl").len());
    assert_eq!(after, before + 1);
}
