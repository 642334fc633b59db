//! What the verbs that call AWS ask for, and what a playbook gets.

use serde_json::{Value, json};
use stanch_engine_script::Standing;

use crate::play::{Play, echo};

fn regions(names: &[&str]) -> Value {
    let regions: Vec<_> = names.iter().map(|name| json!({"RegionName": name})).collect();
    json!({ "Regions": regions })
}

#[test]
fn a_call_in_many_regions_is_a_step_in_each() {
    let mut play = Play::start(
        r#"aws("ec2:DescribeVpcs", #{ DryRun: false }, #{ regions: "enabled", paginate: true, account: "1" })"#,
    );
    let asked = play.open.values().next().unwrap().args.value();
    assert_eq!(asked["input"]["operation"], "ec2:DescribeRegions");
    assert_eq!(asked["options"], json!({"account": "1"}));
    play.answer("1.1", regions(&["us-east-1", "eu-west-1"]));
    let keys: Vec<String> = play.open.keys().map(ToString::to_string).collect();
    assert_eq!(keys, ["1.2.0.1", "1.2.1.1"]);
    for (key, region) in [("1.2.0.1", "eu-west-1"), ("1.2.1.1", "us-east-1")] {
        let args = play.open[&key.into()].args.value();
        assert_eq!(args["options"], json!({"account": "1", "region": region}));
        assert_eq!(args["input"]["paginate"], true);
    }
    play.answer("1.2.1.1", json!({"Vpcs": [1]}));
    play.fail("1.2.0.1", "AccessDenied");
    play.check_every_prefix();
    let result = play.result();
    assert_eq!(result["regions"], json!({"us-east-1": {"Vpcs": [1]}}));
    assert_eq!(result["errors"]["eu-west-1"]["code"], "AccessDenied");
    assert_eq!(result["errors"]["eu-west-1"]["step"], "1.2.0.1");
}

#[test]
fn a_call_that_fails_in_every_region_fails() {
    let text = r#"aws("ec2:DescribeVpcs", #{}, #{ regions: ["a", "b"] })"#;
    let mut play = Play::start(text);
    play.fail("1.1.0.1", "First");
    play.fail("1.1.1.1", "Second");
    assert_eq!(play.error().0, "First");
    let mut play = Play::start(&text.replace("\"b\"]", "\"b\"], on_error: \"return\""));
    play.fail("1.1.0.1", "First");
    play.fail("1.1.1.1", "Second");
    let result = play.result();
    assert_eq!(result["regions"], json!({}));
    assert_eq!(result["errors"]["b"]["code"], "Second");
}

#[test]
fn an_error_is_a_value_where_it_is_asked_for() {
    let mut play = Play::start(
        r#"let r = aws("iam:GetUser", #{}, #{ on_error: "return" }); [r.error.code, r.error.kind, r.error.request_id]"#,
    );
    play.fail("1", "NoSuchEntity");
    assert_eq!(play.result(), json!(["NoSuchEntity", "permanent", null]));
}

#[test]
fn options_that_are_none_are_told() {
    for (text, said) in [
        (r#"aws("a:B", #{}, #{ regoin: "x" })"#, "did you mean `region`"),
        (r#"aws("a:B", #{}, #{ regions: 3 })"#, "a list of names"),
        (r#"aws("a:B", #{}, #{ regions: [] })"#, "names 0 regions"),
        (r#"aws("a:B", #{}, #{ region: "x", regions: ["y"] })"#, "can't both"),
        (r#"aws("ssm:SendCommand", #{}, #{ regions: ["x"] })"#, "use `each`"),
        (r#"aws("a:B", #{}, #{ retry: "always" })"#, "\"never\""),
        (r#"aws("a:B", #{}, #{ retry: #{ backof: "1s" } })"#, "did you mean `backoff`"),
        (r#"aws("a:B", #{}, #{ on_error: "retrun" })"#, "did you mean `return`"),
        (r#"collect("l", "a:B", #{}, #{ regoins: "x" })"#, "did you mean `regions`"),
        (r#"ssm_command("AWS-RunShellScript", "id", #{ })"#, "needs `instances` or `targets`"),
        (
            r#"ssm_command("D", "id", #{ instances: "i", instance: "i" })"#,
            "unknown field `instance`",
        ),
    ] {
        let (code, message) = Play::start(text).error();
        assert_eq!(code, "playbook", "{text}");
        assert!(message.contains(said), "{text}: {message}");
    }
}

/// Answers the question that pins the document, and gives what is asked then.
fn pinned(text: &str) -> (Play, Value) {
    let mut play = Play::start(text);
    let asked = play.open.values().next().unwrap().args.value();
    assert_eq!(asked["input"]["operation"], "ssm:DescribeDocument", "{asked}");
    let document = json!({"DocumentVersion": "3", "Hash": "h", "HashType": "Sha256"});
    play.answer("1", json!({ "Document": document }));
    let mut args = play.open.values().next().unwrap().args.value();
    args["input"].as_object_mut().unwrap().remove("document").unwrap();
    (play, args)
}

#[test]
fn a_command_is_written_as_a_person_would() {
    let text = r#"ssm_command("AWS-RunShellScript", ["ps aux", "who"], #{
        instances: ["i-1", "i-2"], timeout: "10m", require: "any", bucket: "logs", comment: "IR" })"#;
    let (_, args) = pinned(text);
    let expected = json!({
        "operation": "ssm:SendCommand", "require": "any", "timeout": "10m",
        "params": {
            "DocumentName": "AWS-RunShellScript", "Parameters": {"commands": ["ps aux", "who"]},
            "InstanceIds": ["i-1", "i-2"], "TimeoutSeconds": 600, "OutputS3BucketName": "logs",
            "Comment": "IR", "DocumentVersion": "3", "DocumentHash": "h",
            "DocumentHashType": "Sha256",
        },
    });
    assert_eq!(args["input"], expected);
    assert_eq!(args["options"], json!({}));
    let one = r#"ssm_command("D", #{ workingDirectory: "/tmp" }, #{ instances: "i-1" })"#;
    let play = pinned(one).0.finish(echo);
    let params = &play.result()["params"];
    assert_eq!(params["Parameters"], json!({"workingDirectory": ["/tmp"]}));
    assert_eq!(params["InstanceIds"], json!(["i-1"]));
    assert!(matches!(play.standing, Standing::Finished(_)));
}

#[test]
fn waits_and_automations_take_their_own_time() {
    let play = Play::start(r#"wait_for("ec2:X", #{}, #{ every: "5s", timeout: "1h" })"#);
    let args = play.open.values().next().unwrap().args.value();
    assert_eq!(
        args["input"],
        json!({"waiter": "ec2:X", "params": {}, "every": "5s", "timeout": "1h"})
    );
    assert_eq!(args["options"], json!({}));
    let (_, args) = pinned(r#"ssm_automation("D", #{ A: 1 }, #{ timeout: "1h", version: "3" })"#);
    assert_eq!(args["input"]["timeout"], "1h");
    let params = json!({"DocumentName": "D", "Parameters": {"A": ["1"]}, "DocumentVersion": "3"});
    assert_eq!(args["input"]["params"], params);
}
