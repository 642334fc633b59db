//! What a responder does by hand in and after an incident, as they type it: evidence that is collected, the
//! checklist, its sign-off, and when customers felt it. What is typed wrong is said, with what to do.

use serde_json::{Value, json};
use stanch_tests::moto::Moto;

use crate::bucket_evidence::{ask, serve};
use crate::server::{Folder, Ran, Server};

const ACCOUNT: &str = "123456789012";

/// An incident that nobody has.
const NOWHERE: &str = "inc_01JA0000000000000000000000";

async fn run(server: &Server, line: &str) -> Ran {
    server.run(&line.split(' ').collect::<Vec<_>>()).await
}

async fn well(server: &Server, line: &str) -> Ran {
    let ran = run(server, line).await;
    assert_eq!(ran.code, 0, "{line}: {ran:?}");
    ran
}

/// What is refused, by the server or by a run (1) or before anything is asked (2), and in which words.
async fn wrong(server: &Server, line: &str, code: i32, words: &str) {
    let ran = run(server, line).await;
    assert_eq!(ran.code, code, "{line}: {ran:?}");
    let said = format!("{}{}", ran.out, ran.err);
    assert!(said.contains(words), "{line}: {words}: {ran:?}");
}

async fn open(server: &Server, more: &str) -> String {
    let line = format!("incidents create --title leak --severity high{more}");
    well(server, &line).await.out.trim().to_owned()
}

/// The token of somebody else.
async fn token(server: &Server, name: &str, role: &str) -> String {
    let line = format!("--json token create --name {name} --role {role}");
    well(server, &line).await.json()["token"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_review_is_answered_and_signed_off_from_the_command_line() {
    let server = Folder::new().serve().await;
    let incident = open(&server, "").await;
    let review = format!("incidents review {incident}");
    let sign_off = format!("incidents sign-off {incident} --reason read");
    let asked = well(&server, &review).await.out;
    assert!(
        asked.contains("KEY") && asked.contains("scope") && !asked.contains("score"),
        "{asked}"
    );
    let viewer = token(&server, "vic", "viewer").await;
    for (line, code, words) in [
        (format!("{review} --answer scope"), 1, "`--answer` is KEY=yes, no or not_applicable"),
        (format!("{review} --answer scope=maybe"), 1, "maybe"),
        (format!("{review} --answer weather=yes"), 1, "not on the checklist"),
        (format!("{review} --answer"), 2, "--answer"),
        (format!("incidents review {NOWHERE}"), 1, "there is no incident"),
        ("incidents review leak".to_owned(), 1, "leak"),
        (sign_off.clone(), 1, "is not closed"),
        (format!("incidents sign-off {incident}"), 2, "--reason"),
        (format!("--token {viewer} {review} --answer scope=yes"), 1, "ST03"),
    ] {
        wrong(&server, &line, code, words).await;
    }
    assert_eq!(well(&server, &format!("--json {review}")).await.json()["answers"], json!({}));

    well(
        &server,
        &format!("incidents close {incident} --verdict true_positive --force --reason over"),
    )
    .await;
    wrong(&server, &sign_off, 1, "nobody has answered").await;
    let half = "scope=yes cause=yes first_event=yes evidence=yes";
    let rest = "containment=no communication=no recovery=no prevention=no";
    let answers =
        |said: &str| said.split(' ').map(|one| format!(" --answer {one}")).collect::<String>();
    well(&server, &format!("{review}{}", answers(half))).await;
    wrong(&server, &sign_off, 1, "are open: containment").await;
    let whole = well(&server, &format!("{review}{} --reason asked", answers(rest))).await.out;
    assert!(whole.contains("score, of 100: 50") && !whole.contains("signed off"), "{whole}");
    wrong(&server, &sign_off, 1, "somebody else signs it off").await;
    let ben = token(&server, "ben", "responder").await;
    let signed = well(&server, &format!("--token {ben} {sign_off}")).await.out;
    assert!(signed.contains("signed off by: ben"), "{signed}");
    let shown = well(&server, &format!("--json {review}")).await.json();
    assert_eq!((&shown["score"], &shown["signed_off_by"]), (&json!(50), &json!("ben")));
}

/// An alarm of CloudWatch as EventBridge sends it.
fn alarm() -> Value {
    let at = "2026-11-24T03:10:00Z";
    json!({
        "version": "0", "id": "a-1", "detail-type": "CloudWatch Alarm State Change",
        "source": "aws.cloudwatch", "account": ACCOUNT, "time": at, "region": "us-east-1",
        "resources": [format!("arn:aws:cloudwatch:us-east-1:{ACCOUNT}:alarm:shop-5xx")],
        "detail": {"alarmName": "shop-5xx", "state": {"value": "ALARM", "reason": "r", "timestamp": at},
            "previousState": {"value": "OK", "timestamp": "2026-11-20T00:00:00Z"},
            "configuration": {"metrics": []}},
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_impact_of_an_incident_is_taken_from_an_alarm_from_the_command_line() {
    let server = Folder::new().serve().await;
    let incident = open(&server, "").await;
    let secret = server.folder.secret("webhook.token");
    let (status, told) = server.post("/v1/webhooks/aws", &secret, alarm().to_string()).await;
    assert_eq!(status, 202, "{told}");
    let alert = told["alert_id"].as_str().unwrap();
    let finding = server.send("1").await.1["alert_id"].as_str().unwrap().to_owned();
    let impact = |alert: &str| format!("incidents impact {incident} --alert {alert} --reason down");
    for (line, code, words) in [
        (impact("alr_01JA0000000000000000000000"), 1, "there is no alert"),
        (impact(&finding), 1, "is from guardduty"),
        (impact("shop-5xx"), 1, "shop-5xx"),
        (format!("incidents impact {NOWHERE} --alert {alert} --reason down"), 1, "no incident"),
        (format!("incidents impact {incident} --reason down"), 2, "--alert"),
        (format!("incidents impact {incident} --alert {alert}"), 2, "--reason"),
    ] {
        wrong(&server, &line, code, words).await;
    }
    let before = well(&server, &format!("--json incidents show {incident}")).await.json();
    assert!(!before["milestones"].to_string().contains("impact"), "{before}");
    let said = well(&server, &impact(alert)).await.out;
    assert_eq!(said.trim(), format!("the impact of {incident} is that of {alert}"));
    let shown = well(&server, &format!("--json incidents show {incident}")).await.json();
    let marked = shown["milestones"].as_array().unwrap();
    let began = marked.iter().find(|mark| mark["milestone"] == "impact_started_at").unwrap();
    assert_eq!(began["at"], "2026-11-24T03:10:00Z");
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_is_collected_from_the_command_line() {
    let moto = Moto::start().await;
    let folder = Folder::new();
    let before = std::fs::read_to_string(folder.path().join("stanch.toml")).unwrap();
    let of_moto = format!(
        "{before}\n[aws]\nregion = \"us-east-1\"\nendpoint_url = \"{}\"\n\n[accounts.{ACCOUNT}]\n\
         mode = \"ask\"\n",
        moto.url()
    );
    folder.write("stanch.toml", &of_moto);
    ask(&folder, &moto, "iam:CreateUser", &json!({"UserName": "ann"})).await;
    let server = serve(folder).await;
    let incident = open(&server, &format!(" --account {ACCOUNT} --region us-east-1")).await;
    let collect = format!("collect {incident}");
    let viewer = token(&server, "vic", "viewer").await;
    for (line, code, words) in [
        (format!("{collect} weather ann"), 1, "nothing of the name 'weather' can be collected"),
        (format!("{collect} logs /aws/lambda/pay"), 1, "say it with --with query="),
        (format!("{collect} logs /aws/lambda/pay --with query"), 1, "`--with` is NAME=VALUE"),
        (format!("{collect} iam-user"), 2, "<OF>"),
        (format!("{collect} iam-user ann --since 1h --from 2026-11-24T03:00:00Z"), 2, "--since"),
        (format!("{collect} iam-user ann --to 2026-11-24T03:00:00Z"), 2, "--from"),
        (format!("collect {NOWHERE} iam-user ann"), 1, NOWHERE),
        (format!("--token {viewer} {collect} iam-user ann"), 1, "ST03"),
        (format!("evidence add {incident} ."), 1, "is a folder"),
    ] {
        wrong(&server, &line, code, words).await;
    }
    let listed = format!("--json evidence list {incident}");
    assert_eq!(well(&server, &listed).await.json()["items"], json!([]), "nothing was kept by that");

    let said = well(&server, &format!("{collect} iam-user ann")).await.out;
    assert!(said.contains("is succeeded") && said.contains("IAM user ann"), "{said}");
    let elsewhere = format!("{collect} iam-user ann --account 999988887777");
    let said = well(&server, &elsewhere).await.out;
    assert!(said.contains("999988887777 was asked for"), "read in another account: {said}");
    let told = well(&server, &format!("--json {collect} iam-user ann")).await.json();
    assert_eq!(told["run"]["status"], "succeeded", "{told}");
    let kept = told["evidence"].as_array().unwrap();
    assert_eq!(kept.len(), 1, "what other runs kept is not shown: {told}");
    let calls = kept[0]["how"]["calls"].as_array().unwrap();
    let is_user =
        |call: &Value| call["operation"] == "iam:GetUser" && call["request_id"].is_string();
    assert!(calls.iter().any(is_user), "{calls:?}");
    let detached = well(&server, &format!("{collect} iam-user ann --detach")).await.out;
    assert!(detached.starts_with("run_") && detached.lines().count() == 1, "{detached}");
    assert!(well(&server, "collect --help").await.out.contains("live-response ID"));
}
