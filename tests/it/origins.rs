//! What a playbook keeps as evidence says by which calls it came about, and what it lacks.

use serde_json::{Value, json};

use crate::bundle::unpack;
use crate::stage::{Plan, Stage, id};

const KEEPS: &str = r#"
const PLAYBOOK = #{ name: "keeps", title: "Keeps what it has read" };
let who = aws("iam:GetUser", #{ UserName: "ci-deploy" }).User;
let other = aws("sts:GetCallerIdentity", #{});
let keys = aws("iam:ListAccessKeys", #{ UserName: "ci-deploy" }).AccessKeyMetadata;
evidence("both", #{ keys: keys, seen: now(), who: who }, #{ caveats: ["sampled: one user of many"] });
evidence("own words", #{ note: "nothing of it is from an answer of AWS" });
let users = aws("iam:ListUsers", #{}, #{ paginate: 2500 });
evidence("users", users.Users.extract(0, 900));
evidence("requests", aws("wafv2:GetSampledRequests", #{
    WebAclArn: "arn:aws:wafv2:us-east-1:111122223333:regional/webacl/shop/1", RuleMetricName: "all",
    Scope: "REGIONAL", MaxItems: 100,
    TimeWindow: #{ StartTime: "2026-11-24T02:00:00Z", EndTime: "2026-11-24T03:00:00Z" },
}));
"#;

async fn stage(mut plan: Plan, text: &str) -> Stage {
    plan.ships = false;
    let stage = plan.set().await;
    stage.publish(text).await;
    let user = |number: usize| {
        json!({"UserName": format!("user-{number}"), "UserId": format!("AIDA{number:016}"), "Path": "/",
            "Arn": format!("arn:aws:iam::111122223333:user/user-{number}"),
            "CreateDate": "2026-11-24T02:00:00Z"})
    };
    let users: Vec<Value> = (0..3_000).map(user).collect();
    let script = json!({"answers": [
        {"operation": "iam:ListUsers", "output": {"Users": users, "IsTruncated": false}},
        {"operation": "secretsmanager:GetSecretValue",
            "output": {"Name": "prod/db", "SecretString": "the password of a database"}},
        {"operation": "wafv2:GetSampledRequests",
            "output": {"SampledRequests": [], "PopulationSize": 40}},
    ]});
    stage.aws.load(script, stage.runtime.world().now()).unwrap();
    stage
}

/// How an item came about.
async fn how(stage: &Stage, incident: &str, label: &str) -> Value {
    let items = stage.mia.list(&format!("/incidents/{incident}/evidence")).await;
    let item = items.iter().find(|item| item["label"] == label);
    item.unwrap_or_else(|| panic!("{label}: {items:?}"))["how"].clone()
}

fn operations(how: &Value) -> Vec<String> {
    how["calls"].as_array().unwrap().iter().map(|call| id(&call["operation"])).collect()
}

async fn names_its_calls(plan: Plan) {
    let stage = stage(plan, KEEPS).await;
    let run = stage.start_for_finding("keeps").await;
    let ended = stage.over(&run).await;
    assert_eq!(ended["status"], "succeeded", "{ended}");
    let incident = id(&ended["incident_id"]);
    let how = async |label: &str| how(&stage, &incident, label).await;
    let both = how("both").await;
    assert_eq!(operations(&both), ["iam:GetUser", "iam:ListAccessKeys"], "{both}");
    let journal = stage.journal(&run).await;
    for call in both["calls"].as_array().unwrap() {
        let is_it = |entry: &&Value| {
            entry["kind"] == "step_succeeded" && entry["body"]["key"] == call["step"]
        };
        let journaled = &journal.iter().find(is_it).unwrap()["body"]["call"];
        for member in ["request_id", "caller"] {
            assert!(call[member].is_string(), "{member}: {call}");
            assert_eq!(call[member], journaled[member], "{member}");
        }
        assert!(call["clock_offset_ms"].is_i64(), "{call}");
    }
    assert_eq!(both["caveats"], json!(["sampled: one user of many"]));
    assert_eq!(operations(&how("own words").await), Vec::<String>::new());

    // An answer that lies beside the journal, and that lacks something.
    let users = how("users").await;
    assert_eq!(operations(&users), ["iam:ListUsers"], "{users}");
    let lacks = "iam:ListUsers: the list is longer than 2500 items: the rest is missing";
    assert_eq!(users["caveats"], json!([lacks]));
    let requests = how("requests").await;
    let lacks = "wafv2:GetSampledRequests: sampled: AWS shows 0 of 40 requests";
    assert_eq!(requests["caveats"], json!([lacks]), "{requests}");

    // It is in the chain, beside its record, and leaves with the bundle.
    let files = unpack(&stage.mia.bytes(&format!("/incidents/{incident}/export")).await);
    let details = String::from_utf8_lossy(&files["details.jsonl"]).into_owned();
    for call in both["calls"].as_array().unwrap() {
        assert!(details.contains(&id(&call["request_id"])), "{call}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_of_a_playbook_names_the_calls_that_it_comes_from() {
    names_its_calls(Plan::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_of_a_playbook_names_the_calls_that_it_comes_from_on_postgres() {
    names_its_calls(Plan::new().on_postgres().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_in_an_item_is_said_to_be_sealed() {
    let text = r#"
        const PLAYBOOK = #{ name: "seals", title: "t", mode: "auto" };
        let made = aws("secretsmanager:GetSecretValue", #{ SecretId: "prod/db" });
        evidence("the secret", made);
    "#;
    let stage = stage(Plan::new(), text).await;
    let run = stage.start_for_finding("seals").await;
    let ended = stage.over(&run).await;
    assert_eq!(ended["status"], "succeeded", "{ended}");
    let how = how(&stage, &id(&ended["incident_id"]), "the secret").await;
    assert_eq!(operations(&how), ["secretsmanager:GetSecretValue"], "{how}");
    assert_eq!(how["caveats"], json!(["redacted: secrets in it are sealed"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_option_of_evidence_is_refused() {
    for (options, words) in [
        ("#{ caveat: [] }", "caveats"),
        ("#{ caveats: [\" \"] }", "each of 1 to 2000 characters"),
        ("#{ caveats: \"sampled\" }", "sequence"),
    ] {
        let text = format!(
            "const PLAYBOOK = #{{ name: \"keeps\", title: \"t\" }};\nevidence(\"x\", 1, {options});"
        );
        let stage = stage(Plan::new(), &text).await;
        let run = stage.start_for_finding("keeps").await;
        let ended = stage.over(&run).await;
        assert_eq!(ended["status"], "failed", "{options}: {ended}");
        assert!(ended["error"].to_string().contains(words), "{options}: {ended}");
    }
}
