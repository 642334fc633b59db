//! Secrets go from one call into another, and stand nowhere in clear.

use std::collections::BTreeMap;
use std::io::{Cursor, Read as _};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use stanch_engine_cli::config::Account;
use stanch_engine_core::effect::Mode;
use stanch_engine_runtime::system;
use stanch_plugins_aws::sandbox::Sandbox;
use stanch_tests::moto::Moto;

use crate::stage::{ACCOUNT, Plan, Stage, USER, id};

/// A secret; what JSON, XML and URLs escape is in it.
const CANARY: &str = "cAnArY7f3Q9-first&<>\"'/+ \u{e9}";
/// Another one.
const OTHER: &str = "cAnArY7f3Q9-other&<>\"'/+ \u{e9}";
/// What both have, however they are written.
const TRACE: &str = "cAnArY7f3Q9";
/// What both have in base64.
const TRACE_IN_BASE64: &str = "Y0FuQXJZN2YzUTkt";

const GET: &str = r#"let got = aws("secretsmanager:GetSecretValue", #{ SecretId: "prod/db" });"#;

/// A stage on which things are done without asking, with playbooks and answers of AWS.
async fn stage(mut plan: Plan, playbooks: &[&str], answers: Value) -> Stage {
    plan.ships = false;
    let stage = plan.set().await;
    for playbook in playbooks {
        stage.publish(playbook).await;
    }
    let mut all = vec![
        json!({"operation": "secretsmanager:GetSecretValue", "output":
            {"Name": "prod/db", "SecretString": CANARY, "VersionStages": ["AWSCURRENT"]}}),
        json!({"operation": "secretsmanager:GetRandomPassword", "output": {"RandomPassword": OTHER}}),
        json!({"operation": "secretsmanager:PutSecretValue", "output": {"Name": "prod/db"}}),
        json!({"operation": "secretsmanager:CreateSecret", "output": {"Name": "ci"}}),
    ];
    all.splice(0..0, answers.as_array().unwrap().clone());
    stage.aws.load(json!({"answers": all}), system::world().now()).unwrap();
    stage
}

fn auto() -> Plan {
    Plan::new().mode(Mode::Auto)
}

fn playbook(name: &str, body: &str) -> String {
    format!("const PLAYBOOK = #{{ name: \"{name}\", title: \"A test\", mode: \"auto\" }};\n{body}")
}

/// What reached AWS under the name of a secret.
fn received(stage: &Stage, secret: &str) -> Vec<Value> {
    let calls = stage.aws.calls().into_iter();
    let of_it = calls
        .filter(|call| call.params["SecretId"] == secret && !call.params["SecretString"].is_null());
    of_it.map(|call| call.params["SecretString"].clone()).collect()
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

fn unzipped(bundle: &[u8]) -> Vec<u8> {
    let mut zip = zip::ZipArchive::new(Cursor::new(bundle)).unwrap();
    let mut all = Vec::new();
    for number in 0..zip.len() {
        zip.by_index(number).unwrap().read_to_end(&mut all).unwrap();
    }
    all
}

/// All that anybody can read of an installation: every file, every row, every answer of the API,
/// the bundle of every incident, every page.
async fn all_of(stage: &Stage) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut paths = Vec::new();
    files(stage.dir(), &mut paths);
    for path in paths {
        // One may be gone meanwhile.
        if let Ok(bytes) = std::fs::read(&path) {
            all.insert(path.display().to_string(), bytes);
        }
    }
    if let Some(rows) = stage.rows().await {
        all.insert("rows".to_owned(), rows.into_bytes());
    }
    let mut looked = vec!["/runs".to_owned(), "/incidents".to_owned(), "/approvals".to_owned()];
    for run in stage.mia.list("/runs").await {
        let run = id(&run["id"]);
        looked.extend([format!("/runs/{run}"), format!("/runs/{run}/journal?limit=10000")]);
    }
    for approval in stage.mia.list("/approvals").await {
        looked.push(format!("/approvals/{}", id(&approval["id"])));
    }
    for incident in stage.mia.list("/incidents").await {
        let incident = format!("/incidents/{}", id(&incident["id"]));
        let bundle = stage.admin.bytes(&format!("{incident}/export")).await;
        all.insert(format!("{incident}/export"), unzipped(&bundle));
        looked.extend(["", "/timeline", "/evidence"].map(|path| format!("{incident}{path}")));
    }
    for path in looked {
        let answer = stage.mia.get(&path).await.to_string();
        all.insert(path, answer.into_bytes());
    }
    all.insert("pages".to_owned(), stage.paged().join("\n").into_bytes());
    all
}

/// Where a text stands.
fn places(all: &BTreeMap<String, Vec<u8>>, text: &str) -> Vec<String> {
    let holds = |bytes: &[u8]| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    all.iter().filter(|(_, bytes)| holds(bytes)).map(|(place, _)| place.clone()).collect()
}

/// That secrets stand nowhere, and that what is no secret is found where it stands.
async fn is_nowhere(stage: &Stage, secrets: &[&str]) {
    let all = all_of(stage).await;
    let public = places(&all, "secretsmanager:");
    assert!(public.len() >= 4, "what looks for secrets sees nothing: {public:?}");
    for secret in secrets.iter().chain(&[TRACE, TRACE_IN_BASE64]) {
        assert_eq!(places(&all, secret), [""; 0], "{secret}");
    }
}

const ROTATES: &str = r#"const PLAYBOOK = #{ name: "rotates", title: "A test", mode: "auto" };
    let made = aws("iam:CreateAccessKey", #{ UserName: "ci-deploy" });
    let key = made.AccessKey;
    log(`made ${key.AccessKeyId} with ${key.SecretAccessKey}`);
    aws("secretsmanager:CreateSecret", #{ Name: "ci", SecretString: key.SecretAccessKey });
    let session = aws("sts:AssumeRole", #{ RoleArn: "arn:aws:iam::111122223333:role/r", RoleSessionName: "a-test" });
    aws("secretsmanager:PutSecretValue", #{ SecretId: "session",
        SecretString: session.Credentials.SessionToken });
    collect("the secret", "secretsmanager:GetSecretValue", #{ SecretId: "prod/db" });
    evidence("the key", #{ made: made, "$own": "x" });
    #{ kind: type_of(key.SecretAccessKey), key: key }"#;

async fn rotates(plan: Plan) {
    let session = json!({"operation": "sts:AssumeRole", "output": {"Credentials": {
        "AccessKeyId": "ASIAEXAMPLE", "SecretAccessKey": CANARY, "SessionToken": OTHER,
        "Expiration": "2026-11-24T04:00:00Z"}}});
    let stage = stage(plan, &[ROTATES], json!([session])).await;
    let run = stage.start_for_finding("rotates").await;
    let ended = stage.over(&run).await;
    assert_eq!(ended["status"], "succeeded", "{ended}");
    assert_eq!(ended["result"]["kind"], "Sealed", "{ended}");
    assert!(ended["result"]["key"]["SecretAccessKey"]["$sealed"].is_string(), "{ended}");
    assert_eq!(ended["result"]["key"]["UserName"], USER);
    let calls = stage.aws.calls();
    let created = calls.iter().find(|c| c.operation == "secretsmanager:CreateSecret").unwrap();
    let secret = id(&created.params["SecretString"]);
    assert!(secret.len() == 40 && !secret.contains("sealed"), "{secret}");
    assert_eq!(received(&stage, "session"), [OTHER]);
    let said = json!(stage.journal(&run).await).to_string();
    assert!(said.contains("with <sealed>"), "{said}");
    is_nowhere(&stage, &[&secret]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_goes_into_a_secret_and_stands_nowhere_else() {
    rotates(auto()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_stands_in_no_row_of_postgres() {
    rotates(auto().on_postgres().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_aws_that_others_wrote_gets_what_it_gave() {
    const MOTO: &str = "123456789012";
    let body = r#"let key = aws("iam:CreateAccessKey", #{ UserName: "ci-deploy" }).AccessKey;
        aws("secretsmanager:CreateSecret", #{ Name: "ci", SecretString: key.SecretAccessKey });
        let session = aws("sts:GetSessionToken", #{}).Credentials;
        aws("secretsmanager:CreateSecret", #{ Name: "session", SecretString: session.SessionToken });
        let kept = aws("secretsmanager:GetSecretValue", #{ SecretId: "ci" });
        aws("ssm:PutParameter", #{ Name: "ci", Type: "SecureString", Value: kept.SecretString });
        type_of(kept.SecretString)"#;
    let moto = Moto::start().await;
    let mut plan = Plan { ships: false, aws_url: Some(moto.url().to_owned()), ..Plan::new() };
    plan.config.accounts.insert(MOTO.to_owned(), Account::of_mode(Mode::Auto));
    let stage = plan.set().await;
    stage.publish(&playbook("moves", body)).await;
    let ask = async |operation: &str, params: Value| stage.call(MOTO, operation, params).await;
    ask("iam:CreateUser", json!({"UserName": "ci-deploy"})).await;
    let finding = Sandbox::demo_finding(system::world().now()).to_string();
    let finding: Value = serde_json::from_str(&finding.replace(ACCOUNT, MOTO)).unwrap();
    let asked = json!({"playbook": "moves", "alert": finding, "inputs": {}});
    let run = id(&stage.mia.post("/runs", &asked).await["id"]);
    let ended = stage.over(&run).await;
    assert_eq!(ended["result"], "Sealed", "{ended}\n{}", moto.log());
    let stored = ask("secretsmanager:GetSecretValue", json!({"SecretId": "ci"})).await;
    let secret = id(&stored["SecretString"]);
    assert!(secret.len() == 40 && !secret.contains("sealed"), "{secret}");
    let kept = ask("ssm:GetParameter", json!({"Name": "ci", "WithDecryption": true})).await;
    assert_eq!(kept["Parameter"]["Value"], json!(secret));
    let token = ask("secretsmanager:GetSecretValue", json!({"SecretId": "session"})).await;
    is_nowhere(&stage, &[&secret, &id(&token["SecretString"])]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_gets_a_secret_and_gives_it_back() {
    let child = r#"const PLAYBOOK = #{ name: "child", title: "A test", mode: "auto",
            inputs: #{ secret: "string", all: "list" }, outputs: #{ secret: "string" } };
        aws("secretsmanager:PutSecretValue", #{ SecretId: "child", SecretString: inputs.secret });
        #{ secret: inputs.all[0].one }"#;
    let body = format!(
        r#"{GET}
        let child = run_playbook("child", #{{ secret: got.SecretString, all: [#{{ one: got.SecretString }}] }});
        aws("secretsmanager:PutSecretValue", #{{ SecretId: "back", SecretString: child.secret }});
        type_of(child.secret)"#
    );
    let stage = stage(auto(), &[child, &playbook("parent", &body)], json!([])).await;
    let run = stage.start_for_finding("parent").await;
    let ended = stage.over(&run).await;
    assert_eq!(ended["result"], "Sealed", "{ended}");
    assert_eq!(
        (received(&stage, "child"), received(&stage, "back")),
        (vec![json!(CANARY)], vec![json!(CANARY)])
    );
    is_nowhere(&stage, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_with_a_secret_is_approved_carried_out_and_taken_back() {
    let body = format!(
        r#"{GET}
        let fresh = aws("secretsmanager:GetRandomPassword", #{{}}).RandomPassword;
        let put = |secret| #{{ SecretId: "prod/db", SecretString: secret }};
        let swap = plan([change("secretsmanager:PutSecretValue", put.call(fresh), #{{
            probe: probe("secretsmanager:DescribeSecret", #{{ SecretId: "prod/db" }}, "Name == 'prod/db'"),
            inverse: change("secretsmanager:PutSecretValue", put.call(got.SecretString), #{{
                probe: probe("secretsmanager:DescribeSecret", #{{ SecretId: "prod/db" }}, "Name == 'prod/db'") }}) }})]);
        if approval("Swap it?", #{{ plan: swap }}).outcome == "approved" {{ execute(swap) }}"#
    );
    let described =
        json!({"operation": "secretsmanager:DescribeSecret", "output": {"Name": "prod/db"}});
    let text = playbook("swaps", &body).replace("\"auto\"", "\"ask\"");
    let stage = stage(Plan::new(), &[&text], json!([described])).await;
    let run = stage.start_for_finding("swaps").await;
    let asked = stage.approval(&run).await;
    let shown = stage.mia.get(&format!("/approvals/{}", id(&asked["id"]))).await;
    assert!(shown.to_string().contains("$sealed"), "{shown}");
    stage.approve(&run).await;
    let ended = stage.over(&run).await;
    assert_eq!(ended["status"], "succeeded", "{ended}");
    assert_eq!(received(&stage, "prod/db"), [OTHER]);
    let path = format!("/runs/{run}/undo");
    let undo = id(&stage.mia.post(&path, &json!({"reason": "a drill"})).await["id"]);
    stage.approve(&undo).await;
    stage.over(&undo).await;
    assert_eq!(received(&stage, "prod/db"), [OTHER, CANARY]);
    is_nowhere(&stage, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_alone_asks_with_what_is_sealed_and_shows_it_to_nobody() {
    let body = format!(
        r#"{GET}
        aws("secretsmanager:PutSecretValue", #{{ SecretId: "s", SecretString: got.SecretString }}); 1"#
    );
    let text = playbook("bare", &body).replace("\"auto\"", "\"ask\"");
    let stage = stage(Plan::new(), &[&text], json!([])).await;
    let run = stage.start_for_finding("bare").await;
    let asked = stage.approval(&run).await;
    let shown = stage.mia.get(&format!("/approvals/{}", id(&asked["id"]))).await;
    assert!(shown.to_string().contains("$sealed"), "{shown}");
    stage.approve(&run).await;
    assert_eq!(stage.over(&run).await["result"], 1);
    assert_eq!(received(&stage, "s"), [CANARY]);
    // In no account that is known, it is only written down.
    let observed = stage.start("bare", json!({})).await;
    assert_eq!(stage.over(&observed).await["result"], 1);
    let said = json!(stage.journal(&observed).await).to_string();
    assert!(
        said.contains("would_call") && said.contains("\"SecretString\":\"<sealed>\""),
        "{said}"
    );
    assert_eq!(received(&stage, "s").len(), 1);
    is_nowhere(&stage, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_aws_says_back_of_a_secret_is_taken_out() {
    let body = format!(
        r#"{GET}
        let put = |id| aws("secretsmanager:PutSecretValue", #{{ SecretId: id, SecretString: got.SecretString }});
        try {{ put.call("refused") }} catch (error) {{ log(error.message); }}
        let echoed = put.call("echoes");
        log(`echoed ${{echoed.Name}}`);
        put.call("refused")"#
    );
    let refused = json!({"operation": "secretsmanager:PutSecretValue",
        "match": {"SecretId": "refused"}, "error": {"code": "InvalidParameterException",
            "message": format!("`{CANARY}` is no good, nor is {}", urlencoded(CANARY))}});
    let echoes = json!({"operation": "secretsmanager:PutSecretValue",
        "match": {"SecretId": "echoes"}, "output": {"Name": format!("it was {CANARY}")}});
    let stage = stage(auto(), &[&playbook("told", &body)], json!([refused, echoes])).await;
    let run = stage.start_for_finding("told").await;
    let ended = stage.over(&run).await;
    assert_eq!(ended["status"], "failed", "{ended}");
    let message = ended["error"]["message"].as_str().unwrap();
    assert!(message.contains("`<sealed>` is no good, nor is <sealed>"), "{message}");
    let said = json!(stage.journal(&run).await).to_string();
    assert!(said.contains("echoed <sealed>"), "{said}");
    assert_eq!(received(&stage, "refused"), [CANARY, CANARY]);
    stage.page_that_says("<sealed>").await;
    is_nowhere(&stage, &[]).await;
}

fn urlencoded(text: &str) -> String {
    let url = reqwest::Url::parse_with_params("http://x/", [("q", text)]).unwrap();
    let query = url.query().unwrap().strip_prefix("q=").unwrap().to_owned();
    query.replace('+', "%20")
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_large_result_the_secrets_are_sealed_too() {
    let body = r#"
        let all = aws("secretsmanager:BatchGetSecretValue", #{ SecretIdList: ["a"] });
        approval("Go on?", #{});
        aws("secretsmanager:PutSecretValue", #{ SecretId: "one",
            SecretString: all.SecretValues[77].SecretString });
        all.SecretValues.len()"#;
    let many: Vec<Value> = (0..400)
        .map(|at| json!({"Name": "n".repeat(500), "SecretString": format!("{CANARY}{at}")}))
        .collect();
    let many = json!({"operation": "secretsmanager:BatchGetSecretValue", "output": {"SecretValues": many}});
    let text = playbook("reads", body);
    let mut stage = stage(auto(), &[&text], json!([many])).await;
    let run = stage.start_for_finding("reads").await;
    stage.approval(&run).await;
    let journal = json!(stage.journal(&run).await).to_string();
    assert!(journal.contains("\"$stored\""), "{journal}");
    stage.restart().await;
    stage.approve(&run).await;
    let ended = stage.over(&run).await;
    assert_eq!(ended["result"], 400, "{ended}");
    assert_eq!(received(&stage, "one"), [format!("{CANARY}77")]);
    is_nowhere(&stage, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_key_a_secret_stays_shut_and_opens_when_the_key_is_back() {
    let body = format!(
        r#"{GET}
        approval("Go on?", #{{}});
        aws("secretsmanager:PutSecretValue", #{{ SecretId: "s", SecretString: got.SecretString }}); 1"#
    );
    let mut stage = stage(auto(), &[&playbook("waits", &body)], json!([])).await;
    let run = stage.start_for_finding("waits").await;
    stage.approval(&run).await;
    let (key, away) = (stage.dir().join("keys/seal.key"), stage.dir().join("keys/away"));
    std::fs::rename(&key, &away).unwrap();
    stage.restart().await;
    stage.approve(&run).await;
    let failed = stage.over(&run).await;
    assert_eq!(
        (&failed["status"], &failed["error"]["code"]),
        (&json!("failed"), &json!("unsealable"))
    );
    let message = failed["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("ST0506") && message.contains("is not here"), "{message}");
    assert_eq!(received(&stage, "s"), [""; 0]);
    // Beside the new key, the old one opens what it sealed.
    std::fs::rename(&away, stage.dir().join("keys/seal-2026-11.key")).unwrap();
    stage.restart().await;
    let why = json!({"from_step": null, "reason": "the key is back"});
    stage.mia.post(&format!("/runs/{run}/retry"), &why).await;
    let ended = stage.run_when(&run, |run| run["status"] == "succeeded").await;
    assert_eq!(ended["result"], 1);
    assert_eq!(received(&stage, "s"), [CANARY]);
    is_nowhere(&stage, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_from_outside_brings_a_sealed_value_in() {
    let reads = playbook("reads", &format!("{GET} got.SecretString"));
    let sends = playbook(
        "sends",
        r#"let heard = wait_signal("go").data;
        let kinds = [type_of(inputs.secret), type_of(heard), type_of(alert.raw.description)];
        for given in [inputs.secret, heard] {
            try { aws("secretsmanager:PutSecretValue", #{ SecretId: "s", SecretString: given }); }
            catch (error) { kinds.push(error.code); }
        }
        kinds"#,
    );
    let stage = stage(auto(), &[&reads, &sends], json!([])).await;
    let sealed = stage.over(&stage.start("reads", json!({})).await).await["result"].clone();
    assert!(sealed["$sealed"].is_string(), "{sealed}");
    let mut finding = Sandbox::demo_finding(system::world().now());
    finding["description"] = sealed.clone();
    let body = json!({"playbook": "sends", "inputs": {"secret": sealed}, "alert": finding});
    let run = id(&stage.mia.post("/runs", &body).await["id"]);
    stage.run_when(&run, |run| run["status"] == "waiting").await;
    let signal = json!({"name": "go", "data": sealed});
    stage.mia.post(&format!("/runs/{run}/signal"), &signal).await;
    let ended = stage.over(&run).await;
    let kinds = json!(["map", "map", "map", "bad_parameters", "bad_parameters"]);
    assert_eq!(ended["result"], kinds, "{ended}");
    assert_eq!(received(&stage, "s"), [""; 0]);
}
