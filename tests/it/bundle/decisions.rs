//! What was asked and answered is held against the chain in both directions.

use serde_json::{Value, json};

use super::tamper::{export, lines, said};
use crate::bundle::{Files, unpack};
use crate::caller::Caller;
use crate::stage::{Plan, Stage, id};

const TWO: &str = "const PLAYBOOK = #{ name: \"two\", title: \"T\" };\n\
                   approval(\"May I?\", #{ quorum: 2 }).outcome";

/// An incident in which mia and lea said yes, and mia took hers back and said it once more.
struct Answered {
    stage: Stage,
    incident: String,
    approval: String,
    lea: Caller,
}

impl Answered {
    async fn new() -> Self {
        let mut plan = Plan::new().on_postgres().await;
        plan.ships = false;
        let stage = plan.set().await;
        stage.publish(TWO).await;
        let run = stage.start_for_finding("two").await;
        let approval = id(&stage.approval(&run).await["id"]);
        let incident = id(&stage.mia.get(&format!("/runs/{run}")).await["incident_id"]);
        let lea = stage.person("lea", &["responder"]).await;
        Self { stage, incident, approval, lea }
    }

    async fn says(&self, who: &Caller, verb: &str) {
        let body = match verb {
            "withdraw" => json!({"reason": "the wrong key"}),
            _ => json!({"decision": "approve", "reason": "it is ours to stop"}),
        };
        who.post(&format!("/approvals/{}/{verb}", self.approval), &body).await;
    }

    async fn export(&self) -> Files {
        export(&self.stage, &self.incident).await
    }

    /// The same end once more.
    async fn export_at(&self, count: usize) -> Files {
        let path = format!("/incidents/{}/export?head={count}", self.incident);
        unpack(&self.stage.mia.bytes(&path).await)
    }

    async fn fault(&self) -> String {
        said(&self.stage, &self.export().await).unwrap_err()
    }

    /// The record, by its place, in which somebody said the yes that is their last.
    fn record(&self, files: &Files, person: &str) -> usize {
        let details = lines(files, "details.jsonl");
        let is_it = |line: &String| {
            let detail: Value = serde_json::from_str(line).unwrap();
            detail["approval"] == *self.approval && detail["decision"]["person"] == person
        };
        details.iter().rposition(is_it).unwrap()
    }
}

fn decisions(files: &Files) -> Vec<Value> {
    let approvals: Value = serde_json::from_slice(&files["approvals.json"]).unwrap();
    approvals[0]["decisions"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_earlier_end_shows_answers_as_they_were_then() {
    let it = Answered::new().await;
    it.says(&it.stage.mia, "decisions").await;
    let first = it.export().await;
    it.says(&it.stage.mia, "withdraw").await;
    let second = it.export().await;
    it.says(&it.stage.mia, "decisions").await;
    it.says(&it.lea, "decisions").await;
    let last = it.export().await;
    for files in [&first, &second, &last] {
        said(&it.stage, files).unwrap();
    }
    let ends =
        |files: &Files| decisions(files).iter().map(|it| it["revoked_at"].is_string()).collect();
    let ends: [Vec<bool>; 3] = [&first, &second, &last].map(ends);
    assert_eq!(ends, [vec![false], vec![true], vec![false, false]]);
    for then in [&first, &second] {
        let again = it.export_at(lines(then, "chain.jsonl").len()).await;
        said(&it.stage, &again).unwrap();
        assert_eq!(decisions(&again), decisions(then));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_or_changed_of_an_approval_is_found() {
    let it = Answered::new().await;
    it.says(&it.stage.mia, "decisions").await;
    it.says(&it.lea, "decisions").await;
    let files = it.export().await;
    said(&it.stage, &files).unwrap();
    let approval = &it.approval;
    let (mia, lea) = (it.record(&files, "mia"), it.record(&files, "lea"));
    let whose = format!("approvals.json: what lea is to have said to {approval} is in no record");
    let counts = format!(
        "approvals.json: what lea said to {approval} was taken back, or was not, other than the records say"
    );
    for (change, found) in [
        ("form = '{\"verdict\":1}'", &whose),
        ("origin = 'elsewhere'", &whose),
        ("revoked_at = at", &counts),
    ] {
        it.stage.sql("create table aside as select * from decisions").await;
        it.stage.sql(&format!("update decisions set {change} where person = 'lea'")).await;
        assert_eq!(&it.fault().await, found, "{change}");
        it.stage.sql("delete from decisions").await;
        it.stage.sql("insert into decisions select * from aside").await;
        it.stage.sql("drop table aside").await;
    }
    for (change, back, what) in [
        ("title = 'May they?'", "title = 'May I?'", "title"),
        ("plan_digest = repeat('0', 64)", "plan_digest = null", "plan"),
    ] {
        it.stage.sql(&format!("update approvals set {change}")).await;
        let found = format!("approvals.json: {approval} has another {what} than in record {mia}");
        assert_eq!(it.fault().await, found);
        it.stage.sql(&format!("update approvals set {back}")).await;
    }
    said(&it.stage, &it.export().await).unwrap();
    it.stage.sql("delete from decisions where person = 'lea'").await;
    let missing = format!("what lea said to {approval} is missing: it is in record {lea}");
    assert_eq!(it.fault().await, format!("approvals.json: {missing}"));
    it.stage.sql("delete from approvals").await;
    let missing = format!("{approval} is missing: record {mia} names it");
    assert_eq!(it.fault().await, format!("approvals.json: {missing}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_taken_back_does_not_come_to_count_again() {
    let it = Answered::new().await;
    it.says(&it.stage.mia, "decisions").await;
    it.says(&it.stage.mia, "withdraw").await;
    said(&it.stage, &it.export().await).unwrap();
    it.stage.sql("update decisions set revoked_at = null").await;
    let approval = &it.approval;
    let found = format!(
        "approvals.json: what mia said to {approval} was taken back, or was not, other than the records say"
    );
    assert_eq!(it.fault().await, found);
    // Who is disabled takes theirs back.
    it.stage.sql("delete from decisions").await;
    it.says(&it.lea, "decisions").await;
    it.stage.admin.post("/people/lea/disable", &json!({"reason": "left"})).await;
    let missing = it.fault().await;
    let record = it.record(&it.export().await, "mia");
    let what = format!("what mia said to {approval} is missing: it is in record {record}");
    assert_eq!(missing, format!("approvals.json: {what}"));
    it.stage.sql("update decisions set revoked_at = null").await;
    it.says(&it.stage.mia, "decisions").await;
    let found = found.replace("mia said", "lea said");
    assert_eq!(it.fault().await, found);
}
