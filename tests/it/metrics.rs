//! What a node tells of itself: metrics, the dashboard that shows them, and whether it can work.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::stage::{Plan, Stage, run_of};

const DASHBOARD: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/grafana/stanch.json"));
const PAGE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/observability.md"));

async fn text(stage: &Stage) -> String {
    String::from_utf8(stage.mia.root_bytes("/metrics").await).unwrap()
}

/// The value of a sample, written as it stands in the text.
fn value(text: &str, sample: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {sample} in {text}")).parse().unwrap()
}

/// The metrics and their types.
fn types(text: &str) -> Vec<(&str, &str)> {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    types.collect()
}

fn words(text: &str) -> BTreeSet<&str> {
    let is_in_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(|c| !is_in_name(c)).filter(|word| word.starts_with("stanch_")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_count_an_alert_from_its_coming_to_the_end_of_its_run() {
    let stage = Plan::new().set().await;
    let received = stage.find_key().await;
    stage.find_key_again(&received).await;
    stage.detector.send("/webhooks/guardduty", "{").await;
    let run = run_of(&received);
    stage.approval(&run).await;
    let before = text(&stage).await;
    for (sample, n) in [
        ("stanch_alerts_total{source=\"guardduty\",outcome=\"new\"}", 1.0),
        ("stanch_alerts_total{source=\"guardduty\",outcome=\"duplicate\"}", 1.0),
        ("stanch_alerts_total{source=\"guardduty\",outcome=\"unreadable\"}", 1.0),
        ("stanch_intake_seconds_count", 2.0),
        ("stanch_runs_started_total{playbook=\"iam-access-key-compromise\"}", 1.0),
        ("stanch_approvals_waiting{age=\"5m\"}", 1.0),
        ("stanch_approvals_waiting{age=\"longer\"}", 0.0),
        ("stanch_dead_letters", 1.0),
        ("stanch_halted", 0.0),
        ("stanch_writer_failing", 0.0),
        ("stanch_incidents", 1.0),
        ("stanch_kpi_incidents{kpi=\"time_to_contain\",state=\"open\"}", 1.0),
    ] {
        assert_eq!(value(&before, sample), n, "{sample}");
    }
    assert!(value(&before, "stanch_pages_open") >= 1.0);
    stage.approve(&run).await;
    stage.over(&run).await;
    let after = text(&stage).await;
    let ended =
        "stanch_runs_ended_total{playbook=\"iam-access-key-compromise\",status=\"succeeded\"}";
    assert_eq!(value(&after, ended), 1.0);
    for sample in [
        "stanch_steps_total{outcome=\"succeeded\"}",
        "stanch_aws_calls_total{service=\"iam\",outcome=\"ok\"}",
        "stanch_aws_call_seconds_count{service=\"iam\"}",
        "stanch_attempt_seconds_count{kind=\"probe\"}",
        "stanch_commit_seconds_count",
        "stanch_commit_parts_sum",
        "stanch_kpi_seconds{kpi=\"time_to_contain\",stat=\"p50\"}",
    ] {
        assert!(value(&after, sample) > 0.0, "{sample} in {after}");
    }
    assert_eq!(value(&after, "stanch_approvals_waiting{age=\"5m\"}"), 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_has_a_sane_name_and_is_in_the_page_and_the_dashboard_shows_nothing_else() {
    let stage = Plan::new().set().await;
    let received = stage.find_key().await;
    stage.approval(&run_of(&received)).await;
    let text = text(&stage).await;
    let types = types(&text);
    let mut known = BTreeSet::new();
    for (name, kind) in &types {
        assert!(text.contains(&format!("# HELP {name} ")), "{name}");
        assert_eq!(*kind == "counter", name.ends_with("_total"), "{name} is a {kind}");
        assert!(name.starts_with("stanch_"), "{name}");
        match *kind {
            "histogram" => {
                known.extend(["bucket", "sum", "count"].map(|end| format!("{name}_{end}")))
            }
            _ => drop(known.insert((*name).to_owned())),
        }
    }
    assert!(types.len() > 20, "{types:?}");
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (sample, value) = line.rsplit_once(' ').unwrap();
        let name = sample.split('{').next().unwrap();
        assert!(known.contains(name), "{line}");
        assert!(value.parse::<f64>().is_ok_and(f64::is_finite), "{line}");
    }
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    let shown: Vec<_> = targets.map(|target| target["expr"].as_str().unwrap()).collect();
    let shown: BTreeSet<_> = shown.iter().flat_map(|expr| words(expr)).collect();
    for name in &shown {
        assert!(known.contains(*name), "the dashboard asks for {name}");
    }
    let told = words(PAGE);
    for (name, _) in &types {
        assert!(told.contains(name), "{name} is not in the page");
        assert!(shown.iter().any(|shown| shown.starts_with(name)), "no panel shows {name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_no_token_hears_no_numbers() {
    let stage = Plan::new().set().await;
    let nobody = crate::caller::Caller::new(&stage.url, "stk_none");
    assert_eq!(nobody.root("/metrics").await.0, 401);
    let vic = stage.person("vic", &["viewer"]).await;
    assert_eq!(vic.root("/metrics").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_says_what_is_wrong_with_it_and_what_people_should_look_at() {
    let mut plan = Plan::new();
    plan.ships = false;
    let stage = plan.set().await;
    let standing = async |name: &str| {
        let (status, body) = stage.mia.root("/readyz").await;
        let checks = body["checks"].as_array().unwrap();
        let check = checks.iter().find(|check| check["name"] == name).unwrap();
        (status, check["standing"].as_str().unwrap().to_owned(), body)
    };
    let (status, playbooks, body) = standing("playbooks").await;
    assert_eq!((status, playbooks.as_str()), (200, "warning"), "{body}");
    stage.mia.post("/halt", &json!({"reason": "to see it"})).await;
    let (status, halt, body) = standing("halt").await;
    assert_eq!((status, halt.as_str(), &body["halted"]), (200, "warning", &json!(true)));
    for name in ["database", "writer", "migrations"] {
        assert_eq!(standing(name).await.1, "ok", "{name}");
    }
    assert_eq!(standing("evidence").await.1, "ok");
    // Whoever is root writes to every folder: what is in the way is no folder.
    let (folder, aside) = (stage.dir().join("evidence"), stage.dir().join("aside"));
    std::fs::rename(&folder, &aside).unwrap();
    std::fs::write(&folder, "a file").unwrap();
    let (status, evidence, body) = standing("evidence").await;
    assert_eq!((status, evidence.as_str()), (503, "wrong"), "{body}");
    assert!(body["wrong"][0].as_str().unwrap().starts_with("evidence: "), "{body}");
    std::fs::remove_file(&folder).unwrap();
    std::fs::rename(&aside, &folder).unwrap();
    assert_eq!(standing("evidence").await.0, 200);
}
