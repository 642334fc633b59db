//! What a playbook may say about a call: where, how often, how much, and what an error does.

use serde_json::{Value, json};
use stanch_engine_cli::config::Quota;
use stanch_engine_core::effect::Mode;
use stanch_plugins_aws::sandbox::{Fault, FaultKind};

use crate::stage::{Plan, Stage};

fn playbook(name: &str, body: &str) -> String {
    format!("const PLAYBOOK = #{{ name: \"{name}\", title: \"A test\" }};\n{body}")
}

async fn stage(plan: Plan, texts: &[(&str, &str)]) -> Stage {
    let mut plan = plan;
    plan.ships = false;
    let stage = plan.set().await;
    for (name, body) in texts {
        stage.publish(&playbook(name, body)).await;
    }
    stage
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_in_every_region_keeps_what_each_answered_and_why_another_did_not() {
    let text = r#"aws("ec2:DescribeInstances", #{}, #{ regions: "enabled" })"#;
    let stage = stage(Plan::new(), &[("sweep", text)]).await;
    stage.fault("ec2:DescribeInstances", FaultKind::Denied);
    let run = stage.start_for_finding("sweep").await;
    let ended = stage.over(&run).await;
    assert_eq!(ended["status"], "succeeded", "{ended}");
    let (regions, errors) = (&ended["result"]["regions"], &ended["result"]["errors"]);
    let count = |value: &Value| value.as_object().unwrap().len();
    assert_eq!(count(errors), 1, "{ended}");
    assert!(count(regions) >= 1, "{ended}");
    let refused = errors.as_object().unwrap().values().next().unwrap();
    assert_eq!(refused["code"], "UnauthorizedOperation");
    assert!(refused["request_id"].is_string(), "{refused}");
    assert!(
        regions.as_object().unwrap().values().all(|answer| answer.get("Reservations").is_some())
    );
    let asked = stage.aws.calls().into_iter().filter(|c| c.operation == "ec2:DescribeInstances");
    let mut asked: Vec<String> = asked.map(|call| call.region).collect();
    asked.sort();
    asked.dedup();
    assert_eq!(asked.len(), count(regions) + count(errors));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_yet_is_asked_for_again_as_often_as_is_told() {
    let text = r#"
        let never = aws("iam:GetUser", #{ UserName: "ghost" }, #{ on_error: "return" });
        let again = aws("iam:GetUser", #{ UserName: "late" }, #{
            on_error: "return", retry: #{ attempts: 3, backoff: "1s", on: ["NoSuchEntity"] } });
        [never.error, again.error.code]"#;
    let stage = stage(Plan::new().manual(), &[("patient", text)]).await;
    let run = stage.start_for_finding("patient").await;
    let ended = stage.over_in_time(&run, 500).await;
    assert_eq!(ended["status"], "succeeded", "{ended}");
    let error = &ended["result"][0];
    assert_eq!((&error["code"], &error["kind"]), (&json!("NoSuchEntity"), &json!("permanent")));
    assert!(error["request_id"].is_string() && error["message"].is_string(), "{error}");
    let asked = |name: &str| {
        let calls = stage.aws.calls().into_iter();
        calls.filter(|call| call.params["UserName"] == name).count()
    };
    assert_eq!((asked("ghost"), asked("late")), (1, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throttling_is_waited_out_by_the_engine_and_outlives_its_node() {
    let text = r#"aws("iam:GetUser", #{ UserName: "ci-deploy" }, #{ retry: #{ backoff: "10m" } }).User.UserName"#;
    let mut stage = stage(Plan::new().manual(), &[("throttled", text)]).await;
    stage.fault("iam:GetUser", FaultKind::Throttle);
    let run = stage.start_for_finding("throttled").await;
    let waiting = stage.run_when(&run, |run| run["status"] == "waiting").await;
    assert!(waiting["wake_at"].is_string(), "{waiting}");
    stage.restart().await;
    assert_eq!(stage.mia.get(&format!("/runs/{run}")).await["status"], "waiting");
    let ended = stage.over_in_time(&run, 60_000).await;
    assert_eq!(ended["result"], "ci-deploy", "{ended}");
    let never = r#"aws("iam:GetUser", #{ UserName: "ci-deploy" }, #{ retry: "never" })"#;
    stage.publish(&playbook("hasty", never)).await;
    stage.fault("iam:GetUser", FaultKind::Throttle);
    let run = stage.start_for_finding("hasty").await;
    assert_eq!(stage.over(&run).await["error"]["code"], "Throttling");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_cut_where_it_is_told_and_says_so() {
    let text = r#"
        let of = |pages| aws("cloudtrail:LookupEvents", #{ MaxResults: 2 }, #{ paginate: pages });
        let some = of.call(3);
        let all = of.call(true);
        [some.Events.len(), some.cut_off, all.Events.len() > 3, all.cut_off]"#;
    let mut plan = Plan::new();
    plan.config.aws.quotas.insert("cloudtrail:*".to_owned(), Quota::PerSecond(1_000.0));
    let stage = stage(plan, &[("lists", text)]).await;
    let run = stage.start_for_finding("lists").await;
    assert_eq!(stage.over(&run).await["result"], json!([3, true, true, false]));
    let journal = stage.journal(&run).await;
    let cut = journal.iter().find(|entry| entry["body"]["call"]["caveats"].is_array()).unwrap();
    let caveats = cut["body"]["call"]["caveats"].to_string();
    assert!(caveats.contains("longer than 3 items"), "{caveats}");
}

#[tokio::test(flavor = "multi_thread")]
async fn containment_goes_before_two_hundred_collections() {
    let text = r#"
        for n in 0..200 { collect(`trail ${n}`, "cloudtrail:LookupEvents", #{ MaxResults: 50 }); }
        execute(plan([change("iam:UpdateAccessKey",
            #{ UserName: "ci-deploy", AccessKeyId: "AKIAIOSFODNN7EXAMPLE", Status: "Inactive" },
            #{ probe: probe("cloudtrail:LookupEvents", #{ MaxResults: 1 }, "length(Events) > `0`") })]))"#;
    let mut plan = Plan::new().mode(Mode::Auto);
    let rate = Quota::Told { per_second: 40.0, burst: 2.0 };
    plan.config.aws.quotas.insert("cloudtrail:LookupEvents".to_owned(), rate);
    let mut plan = Plan { ships: false, ..plan };
    plan.config.hot_runs = None;
    let stage = plan.set().await;
    let text = playbook("busy", text).replace("title:", "mode: \"auto\", title:");
    stage.publish(&text).await;
    let run = stage.start_for_finding("busy").await;
    let ended = stage.over(&run).await;
    assert_eq!(ended["status"], "succeeded", "{ended}");
    let calls = stage.aws.calls();
    let collected = |until: &dyn Fn(&stanch_plugins_aws::sandbox::SandboxCall) -> bool| {
        let before = calls.iter().take_while(|call| !until(call));
        before.filter(|call| call.params["MaxResults"] == 50).count()
    };
    let all = calls.iter().filter(|call| call.params["MaxResults"] == 50).count();
    assert!(all >= 200, "{all}");
    let change = collected(&|call| call.operation == "iam:UpdateAccessKey");
    let probe = collected(&|call| call.params["MaxResults"] == 1);
    assert!(change < 100 && probe < 100, "{change} and {probe} collections went before");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throttled_collection_slows_down_and_comes_to_its_end() {
    let text = r#"for n in 0..5 { collect(`trail ${n}`, "cloudtrail:LookupEvents", #{ MaxResults: 50 }); }"#;
    let mut plan = Plan::new().manual();
    plan.config.aws.quotas.insert("cloudtrail:*".to_owned(), Quota::PerSecond(100.0));
    let stage = stage(plan, &[("slow", text)]).await;
    let operation = "cloudtrail:LookupEvents".to_owned();
    stage.aws.fault(Fault { operation, kind: FaultKind::Throttle, times: 3 });
    let run = stage.start_for_finding("slow").await;
    let ended = stage.over_in_time(&run, 1_000).await;
    assert_eq!(ended["status"], "succeeded", "{ended}");
    let journal = stage.journal(&run).await;
    let throttled = |entry: &&Value| entry["body"]["error"]["kind"] == "throttle";
    assert_eq!(journal.iter().filter(throttled).count(), 3, "{journal:?}");
}
