//! Rules of correlation that are scripts, tried with the payloads beside them.

use serde_json::json;

use crate::server::Folder;

const SCRIPT: &str = "fn keys(alert) {\n  #{ keys: [`in/${alert.account}`], only: true }\n}";

fn folder(script: &str, expected: &str) -> Folder {
    let folder = Folder::new();
    std::fs::create_dir_all(folder.path().join("correlation/by-account")).unwrap();
    folder.write("correlation/by-account.rhai", script);
    let finding = json!({
        "schemaVersion": "2.0", "accountId": "111122223333", "region": "us-east-1", "id": "f1",
        "type": "Recon:EC2/Portscan", "severity": 5, "title": "t",
        "resource": {"resourceType": "Instance"}, "service": {"serviceName": "guardduty"},
    });
    folder.write("correlation/by-account/one.json", &finding.to_string());
    folder.write("correlation/by-account/one.expected.json", expected);
    folder
}

#[tokio::test]
async fn a_rule_is_tried_with_its_example_and_says_where_it_differs() {
    let good = r#"{"keys": ["in/111122223333"], "only": true}"#;
    let ran = folder(SCRIPT, good).run(&["test"]).await;
    assert!(ran.code == 0 && ran.out.contains("1 passed, 0 failed"), "{ran:?}");
    for (script, expected, said) in [
        (SCRIPT, r#"{"keys": ["in/4"]}"#, "in/111122223333"),
        (SCRIPT, r#"{"keys": ["in/111122223333"], "only": false}"#, "`only` is true"),
        ("fn keys(alert) {\n  alert.raw.x.y\n}", good, "by-account.rhai:2:"),
    ] {
        let ran = folder(script, expected).run(&["--json", "test", "correlation"]).await;
        assert!(ran.code == 1 && ran.out.contains(said), "{said}: {ran:?}");
    }
}

#[tokio::test]
async fn a_rule_that_does_not_compile_stops_the_node_with_its_place() {
    let broken = folder("fn keys(alert) {\n  (\n}", "{}");
    let ran = broken.run(&["test", "correlation"]).await;
    assert!(ran.code == 1 && ran.err.contains("by-account.rhai:"), "{ran:?}");
}
