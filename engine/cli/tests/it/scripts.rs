//! Sources that their users wrote: tried with their examples, asked before all others, and what
//! they fail over kept whole.

use serde_json::{Value, json};

use crate::server::{Folder, Ran};

const DOCS: &str = include_str!("../../../../docs/sources.md");

/// The script of the documentation: a scanner's report, a finding an alert.
fn scanner() -> &'static str {
    let (_, rest) = DOCS.split_once("```rhai\n").unwrap();
    rest.split_once("```").unwrap().0
}

fn report() -> Value {
    let one = |key: &str, rank: &str| {
        json!({"key": key, "rule": "open-port", "text": "22 is open", "rank": rank,
            "cloud": {"account": "111122223333", "region": "eu-west-1"}, "seen": 1_795_489_512,
            "things": ["arn:aws:ec2:eu-west-1:111122223333:instance/i-0abcdef12"]})
    };
    json!({"tool": "scanner", "results": [one("1", "A"), one("2", "Z")]})
}

/// What is to come of [`report`].
fn expected() -> Value {
    json!({
        "alerts": [{"source": "scanner", "id": "1", "severity": "critical", "type": "Scan/open-port",
            "resources": [{"type": "AwsEc2Instance", "id": "i-0abcdef12"}],
            "occurred_at": "2026-11-24T03:05:12Z"}],
        "refused": ["alert 1: `severity` is missing"],
    })
}

fn folder(script: &str) -> Folder {
    let folder = Folder::new();
    std::fs::create_dir_all(folder.path().join("sources/scanner")).unwrap();
    folder.write("sources/scanner.rhai", script);
    folder
}

fn with_example(script: &str, payload: &Value, expected: &Value) -> Folder {
    let folder = folder(script);
    folder.write("sources/scanner/report.json", &payload.to_string());
    folder.write("sources/scanner/report.expected.json", &expected.to_string());
    folder
}

fn failures(ran: &Ran) -> String {
    assert_eq!(ran.code, 1, "{ran:?}");
    ran.json()["tests"][0]["failures"].to_string()
}

#[tokio::test]
async fn an_example_passes_and_a_wrong_one_says_where_it_differs() {
    let folder = with_example(scanner(), &report(), &expected());
    let ran = folder.run(&["test"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("1 passed, 0 failed"), "{ran:?}");

    let mut wrong = expected();
    wrong["alerts"][0]["resources"][0]["id"] = json!("i-1");
    let folder = with_example(scanner(), &report(), &wrong);
    let said = failures(&folder.run(&["test", "sources", "--json"]).await);
    assert!(said.contains("alerts[0].resources[0].id"), "{said}");

    let never = scanner().replace("== \"scanner\"", "== \"other\"");
    let folder = with_example(&never, &report(), &expected());
    let said = failures(&folder.run(&["test", "sources/scanner.rhai", "--json"]).await);
    assert!(said.contains("matches: expected true, found false"), "{said}");

    let folder = with_example(scanner(), &json!({"tool": "x"}), &json!({"matches": false}));
    assert_eq!(folder.run(&["test"]).await.code, 0);
}

#[tokio::test]
async fn a_test_that_tests_nothing_fails() {
    let ran = folder(scanner()).run(&["test"]).await;
    assert!(ran.code == 1 && ran.err.contains("no script has an example"), "{ran:?}");
    let folder = folder(scanner());
    folder.write("sources/scanner/report.json", &report().to_string());
    let said = failures(&folder.run(&["test", "--json"]).await);
    assert!(said.contains("report.expected.json") && said.contains("normalize"), "{said}");
}

#[tokio::test]
async fn a_script_that_is_unfit_stops_the_node_with_its_line() {
    for (name, script, part) in [
        ("scanner", "fn alerts(payload) {\n  payload +\n}", "scanner.rhai:"),
        ("scanner", "fn matches(payload) { true }", "there is no `fn alerts(payload)`"),
        ("guardduty", scanner(), "there is a source `guardduty` already"),
        ("sqs", scanner(), "there is a source `sqs` already"),
        ("My Scanner", scanner(), "a script's name has small letters"),
    ] {
        let folder = folder(scanner());
        std::fs::remove_file(folder.path().join("sources/scanner.rhai")).unwrap();
        folder.write(&format!("sources/{name}.rhai"), script);
        let ran = folder.run(&["serve"]).await;
        assert!(ran.code == 1 && ran.err.contains(part), "{ran:?}");
        assert!(ran.err.contains("ST0505"), "{ran:?}");
    }
}

#[tokio::test]
async fn it_is_a_source_like_any_other_and_loses_nothing() {
    let mut server = folder(scanner()).serve().await;
    let token = server.folder.secret("webhook.token");
    // By its own name, by `auto`, in an envelope, and by AWS's door: always the same alert.
    let wrapped = json!({"Records": [{"eventSource": "aws:sqs", "messageId": "m", "body": report().to_string()}]});
    for (door, payload) in
        [("scanner", report()), ("auto", report()), ("auto", wrapped.clone()), ("aws", wrapped)]
    {
        let (status, said) =
            server.post(&format!("/v1/webhooks/{door}"), &token, payload.to_string()).await;
        assert_eq!(status, 202, "{door}: {said}");
    }
    let (_, alerts) = server.get("/v1/alerts?source=scanner").await;
    assert_eq!(alerts["items"].as_array().unwrap().len(), 1, "{alerts}");
    assert_eq!(alerts["items"][0]["severity"], "critical");
    let letters = server.get("/v1/dead-letters").await.1;
    let reason = letters["items"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("scanner.rhai:7:1: alert 1: `severity` is missing"), "{reason}");

    let (status, said) =
        server.post("/v1/webhooks/auto", &token, json!({"tool": "scanner"}).to_string()).await;
    assert_eq!(status, 422, "{said}");
    let letter = server.get("/v1/dead-letters").await.1["items"][0].clone();
    let reason = letter["reason"].as_str().unwrap();
    assert!(reason.contains("scanner.rhai:8:32: a report without results"), "{reason}");

    // Mended, and read after all.
    let mended =
        scanner().replace("throw \"a report without results\";", "return #{ severity: 1 };");
    server.folder.write("sources/scanner.rhai", &mended);
    server.process.kill().await;
    let server = server.folder.serve().await;
    let id = letter["id"].as_str().unwrap();
    let ran = server.run(&["alerts", "dead-letter", "replay", id]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let (_, alerts) = server.get("/v1/alerts?source=scanner").await;
    assert_eq!(alerts["items"].as_array().unwrap().len(), 2, "{alerts}");
}

#[tokio::test]
async fn who_fails_to_tell_is_named_and_keeps_nobody_from_being_read() {
    let lost = scanner().replace("payload.tool ==", "payload.meta.tool ==");
    let server = folder(&lost).serve().await;
    let (status, _) = server.send("1").await;
    assert_eq!(status, 202);
    let token = server.folder.secret("webhook.token");
    let finding = crate::server::finding("2").to_string();
    assert_eq!(server.post("/v1/webhooks/auto", &token, finding).await.0, 202);
    let (status, _) = server.post("/v1/webhooks/auto", &token, "{\"x\": 1}").await;
    assert_eq!(status, 422);
    let letter = server.get("/v1/dead-letters").await.1["items"][0].clone();
    let reason = letter["reason"].as_str().unwrap();
    assert!(reason.contains("matches failed: scanner.rhai:4:"), "{reason}");
}
