//! `stanch doctor`: each hop, as it is and as it lacks.

use serde_json::{Value, json};
use stanch_tests::postgres::Database;
use stanch_tests::process::Process;
use tokio::process::Command;

use crate::deploy::Deployment;
use crate::sandbox::Played;
use crate::server::{Folder, Ran};

/// The account that moto plays.
const ACCOUNT: &str = "123456789012";

/// What was found of a hop.
fn check<'v>(report: &'v Value, hop: &str, of: &str) -> &'v Value {
    let mut checks = report["checks"].as_array().unwrap().iter();
    let found =
        checks.find(|check| check["hop"] == hop && check["of"].as_str().unwrap().contains(of));
    found.unwrap_or_else(|| panic!("{hop} of {of} in {report:#}"))
}

/// A hop is missing, says so, and how it is mended.
fn lacks(report: &Value, hop: &str, of: &str, words: &str) {
    let check = check(report, hop, of);
    assert_eq!(check["health"], "missing", "{check}");
    assert!(check["found"].as_str().unwrap().contains(words), "{check}");
    assert!(check["mend"].as_str().unwrap().len() > 10, "{check}");
    assert_eq!(report["well"], false);
}

fn is(report: &Value, hop: &str, of: &str, health: &str) {
    let check = check(report, hop, of);
    assert_eq!(check["health"], health, "{check}");
}

async fn report(mut command: Command) -> Value {
    let ran = Ran::of(command.output().await.unwrap());
    let report = ran.json();
    assert_eq!(ran.code, if report["well"] == true { 0 } else { 1 }, "{ran:?}");
    report
}

async fn local(folder: &Folder) -> Value {
    report(folder.command(&["--json", "doctor", "--local"])).await
}

#[tokio::test]
async fn before_the_first_start_each_thing_is_said_to_be_missing() {
    let folder = Folder::new();
    let found = local(&folder).await;
    is(&found, "configuration", "stanch.toml", "ok");
    lacks(&found, "data_folder", "data", "not there");
    lacks(&found, "keys", "evidence.key", "signs evidence");
    lacks(&found, "keys", "seal.key", "seals secrets");
    lacks(&found, "database", "stanch.db", "not there");
    lacks(&found, "public_url", "127.0.0.1", "nobody answers");
    assert!(!folder.path().join("data").exists(), "it makes nothing");
    folder.write("stanch.toml", "lisen = \"x\"\n");
    lacks(&local(&folder).await, "configuration", "stanch.toml", "lisen");
    folder.write("stanch.toml", "[secrets]\npager = \"env:NOWHERE\"\n");
    lacks(&local(&folder).await, "configuration", "stanch.toml", "NOWHERE");
    for (text, words) in [
        ("[sources.scanner]\nseverity = \"rank =\"\n", "JMESPath"),
        ("[sources.\"../x\"]\nseverity = \"rank\"\n", "small letters"),
        ("[sources.nobody]\nsilent_after = \"1h\"\n", "there is no such source"),
        ("[[ocsf_out]]\nname = \"siem\"\nfile = \"logs/events.ndjson\"\n", "no folder logs"),
    ] {
        folder.write("stanch.toml", text);
        lacks(&local(&folder).await, "configuration", "stanch.toml", words);
    }
}

#[tokio::test]
async fn a_server_at_work_is_well_and_its_files_are_watched() {
    let server = Folder::new().serve().await;
    let folder = &server.folder;
    let settings = format!("data_dir = \"data\"\npublic_url = \"{}\"\n", server.url);
    folder.write("stanch.toml", &settings);
    let found = local(folder).await;
    assert_eq!(found["well"], true, "{found:#}");
    for (hop, of) in [
        ("data_folder", "data"),
        ("keys", "seal.key"),
        ("database", "stanch.db"),
        ("durability", "stanch.db"),
        ("public_url", "127.0.0.1"),
    ] {
        is(&found, hop, of, "ok");
    }
    let said = folder.run(&["doctor", "--local"]).await;
    assert!(said.code == 0 && said.out.contains("0 missing"), "{said:?}");

    let quiet = "[sources.guardduty]\nsilent_after = \"1h\"\n";
    folder.write("stanch.toml", &format!("{settings}{quiet}"));
    is(&local(folder).await, "silence", "guardduty", "warning");

    let sink = "[[ocsf_out]]\nname = \"siem\"\nfile = \"events.ndjson\"\n";
    folder.write("stanch.toml", &format!("{settings}{sink}"));
    is(&local(folder).await, "ocsf_out", "siem (events.ndjson)", "ok");
    assert!(!folder.path().join("events.ndjson").exists(), "it writes nothing");

    let key = folder.path().join("data/keys/evidence.key");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(&key, open).unwrap();
    lacks(&local(folder).await, "keys", "evidence.key", "644");
    sql(
        folder,
        "insert into _sqlx_migrations (version, description, success, checksum, \
        execution_time) values (999, 'later', 1, x'00', 0)",
    )
    .await;
    lacks(&local(folder).await, "database", "stanch.db", "999");
    folder.write("data/stanch.db", "notes");
    lacks(&local(folder).await, "database", "stanch.db", "");
}

/// Does to the database what nobody should.
async fn sql(folder: &Folder, statement: &str) {
    let python =
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute(sys.argv[2]); c.commit()";
    let mut command = Command::new(stanch_tests::python());
    command.args(["-c", python]).arg(folder.path().join("data/stanch.db")).arg(statement);
    let ran = command.output().await.unwrap();
    assert!(ran.status.success(), "{ran:?}");
}

#[tokio::test]
async fn a_source_that_fell_silent_is_named() {
    let folder = Folder::new();
    let settings = "listen = \"127.0.0.1:0\"\nlog_format = \"json\"\ndata_dir = \"data\"\n\
                    [sources.guardduty]\nsilent_after = \"1m\"\n";
    folder.write("stanch.toml", settings);
    let mut server = folder.serve().await;
    assert_eq!(server.send("f1").await.0, 202);
    server.process.kill().await;
    is(&local(&server.folder).await, "silence", "guardduty", "ok");
    sql(&server.folder, "update heard_sources set last_at = last_at - 3600000000").await;
    let found = local(&server.folder).await;
    lacks(&found, "silence", "guardduty", "nothing came since");
}

#[tokio::test]
async fn what_was_deployed_is_well() {
    let it = Deployment::start().await;
    let outputs = it.whole().await;
    let detector = it.call("guardduty:CreateDetector", json!({"Enable": true})).await;
    assert!(detector["DetectorId"].is_string());
    it.call("securityhub:EnableSecurityHub", json!({})).await;
    let _server = wired(&it, &outputs).await;
    let found = cloud(&it).await;
    for (hop, of) in [
        ("credentials", "base"),
        ("clock", ""),
        ("queue", "stanch-findings"),
        ("playbooks", ""),
        ("read_role", ACCOUNT),
        ("contain_role", ACCOUNT),
        ("detectors", "us-east-1"),
    ] {
        is(&found, hop, of, "ok");
    }
    // moto can't simulate, and nobody has subscribed.
    is(&found, "topic", "stanch-pages", "warning");
    is(&found, "contain_policy", ACCOUNT, "warning");
    assert_eq!(found["well"], true, "{found:#}");

    it.call("events:RemoveTargets", json!({"Rule": "stanch-guardduty", "Ids": ["stanch"]})).await;
    let id = detector["DetectorId"].clone();
    it.call("guardduty:DeleteDetector", json!({"DetectorId": id})).await;
    let queue = outputs["QueueUrl"].clone();
    let attributes = json!({"QueueUrl": queue, "Attributes": {"RedrivePolicy": ""}});
    it.call("sqs:SetQueueAttributes", attributes).await;
    it.call("sns:DeleteTopic", json!({"TopicArn": outputs["PagesArn"]})).await;
    it.call("securityhub:DisableSecurityHub", json!({})).await;
    let config = json!({"Rule": "stanch-config", "Targets":
        [{"Id": "stanch", "Arn": outputs["BusArn"]}]});
    it.call("events:PutTargets", config).await;
    let found = cloud(&it).await;
    lacks(&found, "rules", "us-east-1", "aws.guardduty");
    lacks(&found, "guardduty", "us-east-1", "off");
    lacks(&found, "queue", "stanch-findings", "no dead-letter queue");
    lacks(&found, "topic", "stanch-pages", "NotFound");
    is(&found, "security_hub", "us-east-1", "warning");
    let rules = found["checks"].as_array().unwrap().iter();
    let said: Vec<_> = rules.filter(|check| check["hop"] == "rules").collect();
    assert!(json!(said).to_string().contains("stanch-config has no dead-letter queue"), "{said:?}");

    it.call("sqs:DeleteQueue", json!({"QueueUrl": outputs["QueueUrl"]})).await;
    lacks(&cloud(&it).await, "queue", "stanch-findings", "NonExistentQueue");
}

/// A server whose configuration is as docs/deploy.md says.
async fn wired(it: &Deployment, outputs: &Value) -> Process {
    let text = |name: &str| outputs[name].as_str().unwrap().to_owned();
    let settings = format!(
        "listen = \"127.0.0.1:0\"\nlog_format = \"json\"\nplaybooks = \"playbooks\"\n\
         data_dir = \"data\"\n[notify]\ndefault_topic = \"{}\"\n\
         [accounts.{ACCOUNT}]\nmode = \"ask\"\nread_role = \"{}\"\ncontain_role = \"{}\"\n\
         external_id = \"stanch-7f3a9b2c-test\"\n",
        text("PagesArn"),
        text("ReadRoleArn"),
        text("ContainRoleArn"),
    );
    it.folder.write("stanch.toml", &settings);
    it.folder.write("playbooks/asks.rhai", crate::server::ASKS);
    let contains = "const PLAYBOOK = #{ name: \"cuts\", title: \"Cuts\", mode: \"ask\" };\n\
        execute(plan([change(\"iam:UpdateAccessKey\", #{ UserName: \"u\", AccessKeyId: \"AKIAIOSFODNN7EXAMPLE\", \
        Status: \"Inactive\" })]))\n";
    it.folder.write("playbooks/cuts.rhai", contains);
    let mut server = Process::start(&mut it.command(&["serve"]));
    let line = server.wait_for_line(|line| line.contains("\"message\":\"serving\"")).await;
    let line: Value = serde_json::from_str(&line).unwrap();
    let url = format!("http://{}", line["fields"]["address"].as_str().unwrap());
    let queue = format!("[[queues]]\nurl = \"{}\"\nregion = \"us-east-1\"\n", text("QueueUrl"));
    let settings = format!("public_url = \"{url}\"\n{settings}{queue}");
    it.folder.write("stanch.toml", &settings);
    server
}

async fn cloud(it: &Deployment) -> Value {
    report(it.command(&["--json", "doctor", "--region", "us-east-1"])).await
}

/// An organization with two more accounts, of which one is closed.
async fn organization(it: &Deployment) -> (String, String) {
    let ask = async |operation: &str, params: Value| {
        it.call(&format!("organizations:{operation}"), params).await
    };
    ask("CreateOrganization", json!({})).await;
    let mut made = Vec::new();
    for name in ["web", "old"] {
        let email = format!("{name}@example.com");
        let account = ask("CreateAccount", json!({"AccountName": name, "Email": email})).await;
        made.push(account["CreateAccountStatus"]["AccountId"].as_str().unwrap().to_owned());
    }
    ask("CloseAccount", json!({"AccountId": made[1]})).await;
    (made.remove(0), made.remove(0))
}

#[tokio::test]
async fn the_accounts_of_an_organization_are_looked_at_by_themselves() {
    let it = Deployment::start().await;
    let settings = |more: &str| {
        let text = format!("data_dir = \"data\"\n{more}\n[accounts.{ACCOUNT}]\nmode = \"ask\"\n");
        it.folder.write("stanch.toml", &text);
    };
    settings("");
    is(&cloud(&it).await, "organization", "accounts", "ok");
    let (web, old) = organization(&it).await;
    let role = "read = \"arn:aws:iam::{account}:role/stanch-read\"";
    settings(&format!("[aws]\norganization_account = \"{ACCOUNT}\"\n[aws.roles]\n{role}"));
    let found = cloud(&it).await;
    is(&found, "organization", "accounts", "ok");
    is(&found, "read_role", &web, "ok");
    assert!(!found.to_string().contains(&old), "{found:#}");
    // What is named is looked at, and nothing else.
    let one = ["--json", "doctor", "--account", ACCOUNT, "--region", "us-east-1"];
    assert!(!report(it.command(&one)).await.to_string().contains(&web));
    // Without a role that reads in them they are told of.
    settings("");
    let found = cloud(&it).await;
    is(&found, "organization", "accounts", "warning");
    let said = check(&found, "organization", "accounts").to_string();
    assert!(
        said.contains(&web) && !said.contains(&old) && said.contains("[aws.roles] read"),
        "{said}"
    );
    // Where it may not be asked, that is said, and the rest is looked at.
    settings("[aws]\norganization_account = \"999900001111\"");
    let found = cloud(&it).await;
    is(&found, "organization", "accounts", "warning");
    is(&found, "guardduty", "us-east-1", "missing");
}

#[tokio::test]
async fn credentials_roles_and_policies_that_lack_are_named() {
    let folder = Folder::new();
    let aws = Played::start(&folder, &["--account", ACCOUNT]).await;
    let server = Folder::new().serve().await;
    let folder = &server.folder;
    let role = |of: &str| format!("arn:aws:iam::{ACCOUNT}:role/stanch-{of}");
    let settings = format!(
        "data_dir = \"data\"\npublic_url = \"{}\"\n[accounts.{ACCOUNT}]\nmode = \"ask\"\n\
         read_role = \"{}\"\ncontain_role = \"{}\"\n[accounts.444455556666]\nmode = \"ask\"\n",
        server.url,
        role("read"),
        role("contain"),
    );
    folder.write("stanch.toml", &settings);
    folder.write(
        "cuts.rhai",
        "const PLAYBOOK = #{ name: \"cuts\", title: \"Cuts\", mode: \"ask\" };\n\
        execute(plan([change(\"iam:UpdateAccessKey\", #{ UserName: \"u\", AccessKeyId: \"AKIAIOSFODNN7EXAMPLE\", \
        Status: \"Inactive\" })]))\n",
    );
    let published = server.run(&["playbooks", "publish", "cuts.rhai"]).await;
    assert_eq!(published.code, 0, "{published:?}");
    let decisions = json!({"operation": "iam:SimulatePrincipalPolicy",
        "match": {"PolicySourceArn": role("contain")}, "output": {"IsTruncated": false, "EvaluationResults": [
            {"EvalActionName": "iam:UpdateAccessKey", "EvalDecision": "implicitDeny"}]}});
    assert_eq!(aws.order("answers", decisions).await.0, 200);
    // The sandbox holds trust policies, and knows no other keys than those that it made.
    let session = |of: &str| {
        json!({"operation": "sts:AssumeRole", "match": {"RoleArn": role(of)},
            "output": {"Credentials": {"AccessKeyId": aws.key, "SecretAccessKey": aws.secret,
                "SessionToken": "", "Expiration": "2036-01-01T00:00:00Z"}}})
    };
    let mut once = session("read");
    once["times"] = json!(1);
    assert_eq!(aws.order("answers", json!([session("contain"), once])).await.0, 200);
    let refused = json!({"operation": "sts:AssumeRole", "match": {"RoleArn": role("read")},
        "error": {"code": "AccessDenied", "message": "not authorized", "status": 403}, "times": 1});
    let ask =
        async || report(aws.command(folder, &["--json", "doctor", "--region", "us-east-1"])).await;
    let found = ask().await;
    is(&found, "read_role", ACCOUNT, "ok");
    lacks(&found, "contain_policy", ACCOUNT, "iam:UpdateAccessKey");
    lacks(&found, "read_role", "444455556666", "no role reads in it");
    lacks(&found, "topic", "[notify]", "none");
    assert_eq!(aws.order("answers", refused).await.0, 200);
    lacks(&ask().await, "read_role", ACCOUNT, "AccessDenied");

    let elsewhere = json!({"operation": "sts:GetCallerIdentity", "output": {
        "Account": "999900001111", "Arn": "arn:aws:sts::999900001111:assumed-role/x/y", "UserId": "u"}});
    assert_eq!(aws.order("answers", elsewhere).await.0, 200);
    lacks(&ask().await, "contain_role", ACCOUNT, "999900001111");

    aws.forget("answers").await;
    let denied = json!({"operation": "sts:GetCallerIdentity", "kind": "denied", "times": 1});
    assert_eq!(aws.order("faults", denied).await.0, 200);
    lacks(&ask().await, "credentials", "base", "AccessDenied");
}

#[tokio::test]
async fn a_postgres_that_was_told_to_forget_is_named() {
    let database = Database::create().await;
    let folder = Folder::new();
    let settings = format!(
        "listen = \"127.0.0.1:0\"\nlog_format = \"json\"\ndata_dir = \"data\"\ndatabase_url = \"{}\"\n",
        database.url()
    );
    folder.write("stanch.toml", &settings);
    is(&local(&folder).await, "database", "Postgres", "warning");
    let mut server = folder.serve().await;
    server.process.terminate().await;
    let found = local(&server.folder).await;
    is(&found, "database", "Postgres", "ok");
    is(&found, "durability", "Postgres", "ok");
    let name = database.query("select current_database()").await;
    let forget = format!("alter database \"{}\" set synchronous_commit = off", name.trim());
    database.query(&forget).await;
    lacks(&local(&server.folder).await, "durability", "Postgres", "synchronous_commit");
    let gone = settings.replace(name.trim(), "no_such_database");
    server.folder.write("stanch.toml", &gone);
    lacks(&local(&server.folder).await, "database", "Postgres", "");
}
