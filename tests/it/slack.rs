//! People decide in Slack: those whom the configuration binds to a person, and nobody who only says
//! that they are.

use serde_json::{Value, json};
use stanch_engine_runtime::system;
use stanch_tests::eventually;

use crate::channels::others::{Heard, Other};
use crate::channels::{configure, slack};
use crate::stage::{Plan, Stage, id};

/// The new signing secret and the old one.
const SIGNING: [&str; 2] = ["8f742231b10e8888abcd99yyyzzz85a5", "an-old-one-that-is-still-good"];

pub(crate) const ASKS: &str = r#"
const PLAYBOOK = #{ name: "asks", title: "Asks", mode: "ask" };
let gate = approval("Cut it off?", #{ approvers: ["role:responder"], form: "verdict", expires: "30m" });
[gate.outcome, gate.decided_by, gate.reason, gate.form.verdict]
"#;

const DESTROYS: &str = r#"
const PLAYBOOK = #{ name: "destroys", title: "Destroys", mode: "ask" };
let gone = plan([change("iam:DeleteAccessKey", #{ UserName: "ci-deploy",
    AccessKeyId: "AKIAIOSFODNN7EXAMPLE" }, #{})]);
approval("Delete the key?", #{ plan: gone, approvers: ["role:responder"] }).outcome
"#;

/// A stage whose people are in Slack.
pub(crate) struct Set {
    pub(crate) stage: Stage,
    chat: Other,
    _folder: tempfile::TempDir,
}

async fn set(plan: Plan) -> Set {
    let people = "[people.mia]\nslack = \"U1\"\nroles = [\"responder\"]\n\
                  [people.vic]\nslack = \"U2\"\nroles = [\"viewer\"]\n";
    set_with(plan, people).await
}

/// The same, with these people.
pub(crate) async fn set_with(plan: Plan, people: &str) -> Set {
    let (chat, folder) = (Other::play().await, tempfile::tempdir().unwrap());
    let mut plan = plan;
    let files: Vec<String> = SIGNING
        .iter()
        .enumerate()
        .map(|(at, secret)| {
            let file = folder.path().join(format!("signing.{at}"));
            std::fs::write(&file, secret).unwrap();
            format!("file:{}", file.display())
        })
        .collect();
    let text = format!(
        "[slack]\nsigning_secrets = {files:?}\n{people}[[notify.routes]]\nchannels = [\"ops\"]\n{}",
        slack("ops", &chat.url)
    );
    configure(&mut plan.config, folder.path(), &text);
    let stage = plan.set().await;
    stage.publish(ASKS).await;
    stage.publish(DESTROYS).await;
    Set { stage, chat, _folder: folder }
}

impl Set {
    /// Starts a playbook, and gives the run and its approval.
    pub(crate) async fn ask(&self, playbook: &str) -> (String, String) {
        let run = self.stage.start_for_finding(playbook).await;
        let approval = id(&self.stage.approval(&run).await["id"]);
        (run, approval)
    }

    async fn send(&self, body: &str, time_s: i64, signature: &str) -> u16 {
        let http = stanch_plugins_http::client_builder().build().unwrap();
        let request = http
            .post(format!("{}/v1/slack/interactions", self.stage.url))
            .header("x-slack-request-timestamp", time_s.to_string())
            .header("x-slack-signature", signature)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body.to_owned());
        request.send().await.unwrap().status().as_u16()
    }

    /// Presses a button, as Slack tells of it.
    pub(crate) async fn press(&self, user: &str, action: &str, approval: &str, reason: &str) {
        let body = pressed(user, action, approval, reason);
        let status = self.send(&body, now_s(), &sign(SIGNING[0], now_s(), &body)).await;
        assert_eq!(status, 200);
    }

    /// What only one user was told, the last of so many.
    pub(crate) async fn told(&self, times: usize) -> Heard {
        self.chat.at("/chat.postEphemeral", times).await.pop().unwrap()
    }

    pub(crate) async fn status(&self, approval: &str) -> Value {
        self.stage.mia.get(&format!("/approvals/{approval}")).await["status"].clone()
    }
}

fn now_s() -> i64 {
    system::world().now().millis() / 1_000
}

/// What Slack tells of a button that was pressed.
pub(crate) fn payload(user: &str, action: &str, approval: &str, reason: &str) -> Value {
    json!({
        "type": "block_actions", "user": {"id": user, "username": "mia"},
        "container": {"type": "message", "channel_id": "C1", "message_ts": "17.001"},
        "actions": [{"type": "button", "action_id": action, "block_id": "decide", "value": approval}],
        "state": {"values": {
            "reason": {"reason": {"type": "plain_text_input", "value": reason}},
            "verdict": {"verdict": {"type": "static_select",
                "selected_option": {"value": "true_positive"}}},
        }},
    })
}

fn pressed(user: &str, action: &str, approval: &str, reason: &str) -> String {
    let text: String = payload(user, action, approval, reason)
        .to_string()
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect();
    format!("payload={text}")
}

/// <https://api.slack.com/authentication/verifying-requests-from-slack>
fn sign(secret: &str, time_s: i64, body: &str) -> String {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret.as_bytes());
    let tag = ring::hmac::sign(&key, format!("v0:{time_s}:{body}").as_bytes());
    let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("v0={hex}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_button_decides_for_the_person_whom_the_configuration_binds() {
    for plan in [Plan::new(), Plan::new().on_postgres().await] {
        let set = set(plan).await;
        let (run, approval) = set.ask("asks").await;
        let asked = &set.chat.at("/chat.postMessage", 1).await[0].body;
        assert!(asked.to_string().contains("\"button\""), "{asked}");
        set.press("U1", "approve", &approval, "it is ours").await;
        let ended = set.stage.over(&run).await;
        let result = json!(["approved", ["mia"], "it is ours", "true_positive"]);
        assert_eq!(ended["result"], result, "{ended}");
        let shown = set.stage.mia.get(&format!("/approvals/{approval}")).await;
        assert_eq!(shown["decisions"][0]["from"], "slack U1");
        let updated = &set.chat.at("/chat.update", 1).await[0].body;
        assert!(updated.to_string().contains("Approved by mia: it is ours"), "{updated}");
        assert!(!updated.to_string().contains("\"button\""), "{updated}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_slack_has_not_signed_now_decides_nothing() {
    let set = set(Plan::new()).await;
    let (run, approval) = set.ask("asks").await;
    let body = pressed("U1", "approve", &approval, "it is ours");
    let (now, secret) = (now_s(), SIGNING[0]);
    let right = sign(secret, now, &body);
    let other = pressed("U1", "reject", &approval, "it is ours");
    for (what, body, time_s, signature) in [
        ("another secret", &body, now, sign("somebody-elses-secret", now, &body)),
        ("another body", &other, now, right.clone()),
        ("another time", &body, now + 1, right.clone()),
        ("an old time", &body, now - 301, sign(secret, now - 301, &body)),
        ("a time that comes", &body, now + 302, sign(secret, now + 302, &body)),
        ("another version", &body, now, right.replace("v0=", "v1=")),
        ("half a signature", &body, now, right[..30].to_owned()),
        ("no signature", &body, now, String::new()),
        ("no secret", &body, now, sign("", now, &body)),
    ] {
        assert_eq!(set.send(body, time_s, &signature).await, 401, "{what}");
    }
    assert_eq!(set.status(&approval).await, "pending");
    assert_eq!(set.send("payload=%7B", now, &sign(secret, now, "payload=%7B")).await, 400);
    // The old secret is good while secrets are rotated.
    assert_eq!(set.send(&body, now, &sign(SIGNING[1], now, &body)).await, 200);
    assert_eq!(set.stage.over(&run).await["result"][0], "approved");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_bound_to_nobody_or_not_asked_or_gone_decides_nothing_and_hears_why() {
    let set = set(Plan::new()).await;
    let (_, approval) = set.ask("asks").await;
    set.press("U9", "approve", &approval, "trust me").await;
    let told = set.told(1).await.body;
    assert_eq!((&told["user"], &told["channel"]), (&json!("U9"), &json!("C1")));
    assert!(told["text"].as_str().unwrap().contains("bound to nobody"), "{told}");
    set.press("U2", "approve", &approval, "I look on").await;
    assert!(set.told(2).await.body.to_string().contains("you are not asked"));
    set.press("U1", "approve", &approval, " ").await;
    assert!(set.told(3).await.body.to_string().contains("say why"));
    set.stage.admin.post("/people/mia/disable", &json!({"reason": "left"})).await;
    set.press("U1", "approve", &approval, "one last time").await;
    assert!(set.told(4).await.body.to_string().contains("mia was disabled"));
    let shown = set.stage.admin.get(&format!("/approvals/{approval}")).await;
    assert_eq!((&shown["status"], &shown["decisions"]), (&json!("pending"), &json!([])));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_clicks_are_one_and_a_late_one_hears_that_it_is() {
    let set = set(Plan::new()).await;
    let (run, approval) = set.ask("asks").await;
    let press = || set.press("U1", "approve", &approval, "it is ours");
    tokio::join!(press(), press());
    assert_eq!(set.stage.over(&run).await["result"][1], json!(["mia"]));
    assert!(set.told(1).await.body.to_string().contains("too late: the approval is approved"));
    set.press("U1", "reject", &approval, "no, wait").await;
    assert!(set.told(2).await.body.to_string().contains("too late"));
    assert_eq!(set.status(&approval).await, "approved");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_click_and_a_call_at_the_same_time_are_one_decision() {
    for _ in 0..5 {
        let set = set(Plan::new()).await;
        let (run, approval) = set.ask("asks").await;
        let path = format!("/approvals/{approval}/decisions");
        let call = json!({"decision": "reject", "reason": "by the API"});
        let call = set.stage.mia.try_ask(reqwest::Method::POST, &path, Some(&call));
        let (_, called) = tokio::join!(set.press("U1", "approve", &approval, "in Slack"), call);
        let (status, _) = called.unwrap();
        let ended = set.stage.over(&run).await;
        let shown = set.stage.mia.get(&format!("/approvals/{approval}")).await;
        assert_eq!(shown["decisions"].as_array().unwrap().len(), 1, "{shown}");
        let by_call = shown["decisions"][0]["reason"] == "by the API";
        assert_eq!(status, if by_call { 200 } else { 409 }, "{shown}");
        let expected = if by_call { "rejected" } else { "approved" };
        assert_eq!(ended["result"][0], expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_destroys_is_not_decided_in_slack() {
    let set = set(Plan::new()).await;
    let (_, approval) = set.ask("destroys").await;
    let asked = set.chat.at("/chat.postMessage", 1).await.remove(0).body.to_string();
    assert!(!asked.contains("\"button\"") && asked.contains("not in Slack"), "{asked}");
    set.press("U1", "approve", &approval, "a button of one's own making").await;
    assert!(set.told(1).await.body.to_string().contains("sign in"));
    assert_eq!(set.status(&approval).await, "pending");
    let yes = json!({"decision": "approve", "reason": "I have signed in"});
    set.stage.mia.post(&format!("/approvals/{approval}/decisions"), &yes).await;
    eventually("the end", async || (set.status(&approval).await == "approved").then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_decided_in_slack_is_in_the_audit_log_and_so_is_what_is_not() {
    for plan in [Plan::new(), Plan::new().on_postgres().await] {
        let set = set(plan).await;
        let (_, approval) = set.ask("asks").await;
        set.press("U9", "approve", &approval, "canary: trust me").await;
        set.press("U2", "approve", &approval, "I look on").await;
        set.press("U1", "approve", &approval, "it is ours").await;
        let body = pressed("U1", "reject", &approval, "canary: forged");
        assert_eq!(set.send(&body, now_s(), &sign("a-guess", now_s(), &body)).await, 401);
        let told = set.stage.admin.list("/audit?verb=approvals.decisions").await;
        let shown: Vec<Value> = told
            .iter()
            .rev()
            .map(|one| {
                let names = ["actor", "from", "object", "outcome", "code", "reason"];
                json!(names.map(|name| one[name].clone()))
            })
            .collect();
        let expected = [
            json!([null, "slack U9", null, "refused", "ST0304", null]),
            json!(["vic", "slack U2", approval, "refused", "ST0304", "I look on"]),
            json!(["mia", "slack U1", approval, "done", null, "it is ours"]),
        ];
        assert_eq!(shown, expected);
        assert_eq!(told[0]["detail"], json!({"decision": "approve"}));
        let forged = set.stage.admin.list("/audit?verb=slack.interactions").await;
        assert_eq!((forged.len(), &forged[0]["outcome"]), (1, &json!("refused")), "{forged:?}");
        assert!(!json!([told, forged]).to_string().contains("canary"));
    }
}
