//! The report of an incident.

use serde_json::json;

use crate::stage::{Plan, Stage, id, run_of};

async fn page(stage: &Stage, incident: &str, format: &str) -> String {
    let path = format!("/incidents/{incident}/report?format={format}");
    String::from_utf8(stage.mia.bytes(&path).await).unwrap()
}

/// The demo's incident, contained and then undone.
pub(crate) async fn undone(stage: &Stage) -> String {
    let received = stage.find_key().await;
    let run = run_of(&received);
    stage.approve(&run).await;
    stage.over(&run).await;
    let undo = stage.mia.post(&format!("/runs/{run}/undo"), &json!({"reason": "a drill"})).await;
    let undo = id(&undo["id"]);
    stage.approve(&undo).await;
    assert_eq!(stage.over(&undo).await["status"], "succeeded");
    id(&received["incident_id"])
}

#[tokio::test(flavor = "multi_thread")]
async fn the_report_of_the_demo_says_what_was_done_by_whose_word_and_what_was_taken_back() {
    let stage = Plan::new().set().await;
    let incident = undone(&stage).await;
    let close = json!({
        "reason": "it was a drill", "verdict": "true_positive", "force": true,
        "impact": "none", "root_cause": "a key in a repository",
        "lessons": ["keys of pipelines expire"], "action_items": ["mia: a role, by Friday"],
    });
    stage.mia.post(&format!("/incidents/{incident}/close"), &close).await;

    let report = stage.mia.get(&format!("/incidents/{incident}/report?format=json")).await;
    let changes = report["changes"].as_array().unwrap();
    let is_made = |undo: bool| {
        let made = changes.iter().filter(move |change| change["is_undo"] == undo);
        made.filter(|c| c["became"] == "changed").map(|c| c["operation"].as_str().unwrap())
    };
    assert!(is_made(false).any(|operation| operation == "iam:UpdateAccessKey"), "{report}");
    assert!(is_made(true).any(|operation| operation == "iam:UpdateAccessKey"), "{report}");
    assert!(changes[0]["approval"].as_str().unwrap().starts_with("apr_"), "{report}");
    let approval = &report["approvals"][0];
    assert_eq!(approval["answers"][0]["person"], "mia");
    assert_eq!(approval["plan_sha256"].as_str().unwrap().len(), 64);
    let shown = stage.mia.get(&format!("/incidents/{incident}")).await;
    let marked = shown["milestones"].as_array().unwrap();
    assert_eq!(
        report["closed_at"],
        marked.iter().find(|m| m["milestone"] == "closed_at").unwrap()["at"]
    );
    let evidence = stage.mia.list(&format!("/incidents/{incident}/evidence")).await;
    let hashes = |items: &[serde_json::Value]| -> Vec<_> {
        items.iter().map(|item| item["sha256"].clone()).collect()
    };
    assert_eq!(hashes(report["evidence"].as_array().unwrap()), hashes(&evidence));
    assert!(!evidence.is_empty());
    // Both clocks of every line together are the time that passed.
    let lines = report["timeline"].as_array().unwrap();
    let timeline = stage.mia.list(&format!("/incidents/{incident}/timeline")).await;
    assert_eq!(lines.len(), timeline.len());
    let last = lines.last().unwrap();
    assert_eq!(report["clocks"]["machine_ms"], last["machine_ms"]);
    assert!(last["waiting_ms"].as_i64().unwrap() > 0, "{last}");

    let markdown = page(&stage, &incident, "markdown").await;
    for words in [
        "## What was taken back",
        "a key in a repository",
        "- keys of pipelines expire",
        "- mia: a role, by Friday",
        "it is ours to stop",
        approval["plan_sha256"].as_str().unwrap(),
        evidence[0]["sha256"].as_str().unwrap(),
    ] {
        assert!(markdown.contains(words), "{words}: {markdown}");
    }
    // The same state, the same bytes.
    for format in ["markdown", "html", "json"] {
        let (first, second) =
            (page(&stage, &incident, format).await, page(&stage, &incident, format).await);
        assert_eq!(first, second);
    }
    println!("{markdown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_an_alert_says_becomes_markup() {
    let mut plan = Plan::new();
    plan.ships = false;
    let stage = plan.set().await;
    let title = "<script>alert(1)</script> | [x](javascript:alert(1)) <img src=x onerror=y>";
    let body = json!({"title": title, "severity": "high"});
    let incident = id(&stage.mia.post("/incidents", &body).await["incident_id"]);
    let note = json!({"text": "</td><iframe src=//x>\n# not a heading"});
    stage.mia.post(&format!("/incidents/{incident}/note"), &note).await;
    let html = page(&stage, &incident, "html").await;
    for tag in ["<script", "<img", "<iframe"] {
        assert!(!html.contains(tag), "{tag}");
    }
    assert!(html.contains("&lt;script&gt;") && html.contains("@media print"));
    let markdown = page(&stage, &incident, "markdown").await;
    assert!(!markdown.contains('<') && !markdown.contains("](") && !markdown.contains("\n# not"));
    let (status, problem) = stage
        .mia
        .try_ask(reqwest::Method::GET, &format!("/incidents/{incident}/report?format=pdf"), None)
        .await
        .unwrap();
    assert_eq!(status, 400, "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("markdown"), "{problem}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_at_a_later_close_replaces_what_was_said_before() {
    let mut plan = Plan::new();
    plan.ships = false;
    let stage = plan.set().await;
    let body = json!({"title": "t", "severity": "low"});
    let incident = id(&stage.mia.post("/incidents", &body).await["incident_id"]);
    let path = |what: &str| format!("/incidents/{incident}/{what}");
    let long = "x".repeat(2_001);
    for wrong in
        [json!({"impact": " "}), json!({"lessons": [long]}), json!({"lessons": vec!["x"; 51]})]
    {
        let mut close = json!({"reason": "r", "verdict": "false_positive"});
        close.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
        let (status, problem) = stage.mia.post_refused(&path("close"), &close).await;
        assert_eq!(status, 400, "{problem}");
    }
    let first =
        json!({"reason": "r", "verdict": "false_positive", "impact": "some", "lessons": ["a"]});
    stage.mia.post(&path("close"), &first).await;
    stage.mia.post(&path("reopen"), &json!({"reason": "r"})).await;
    let second = json!({"reason": "r", "impact": "none at all"});
    stage.mia.post(&path("close"), &second).await;
    let report = stage.mia.get(&path("report?format=json")).await;
    assert_eq!(report["review"], json!({"impact": "none at all", "lessons": ["a"]}));
}
