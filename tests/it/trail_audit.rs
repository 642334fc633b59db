//! After a run: what CloudTrail lists under its session against what its journal says was sent.

use serde_json::{Value, json};
use stanch_plugins_aws::sandbox::TrustedRole;
use stanch_tests::eventually;

use crate::bundle::unpack;
use crate::stage::{ACCOUNT, Plan, Stage, id, run_of};

/// A look's pause, and more.
const DELAY_MS: i64 = 21 * 60_000;

/// A run that has contained the demo's key, in an account whose trail lacks some operations.
struct Contained {
    stage: Stage,
    incident: String,
    run: String,
}

impl Contained {
    async fn of(on_postgres: bool, but: &[&str]) -> Self {
        let mut plan = Plan::new().manual();
        let role = |name: &str| format!("arn:aws:iam::{ACCOUNT}:role/{name}");
        let account = plan.config.accounts.get_mut(ACCOUNT).unwrap();
        account.read_role = Some(role("stanch-read"));
        account.contain_role = Some(role("stanch-contain"));
        if on_postgres {
            plan = plan.on_postgres().await;
        }
        let stage = plan.set().await;
        for name in ["stanch-read", "stanch-contain"] {
            let (principals, allows) = (vec!["*".to_owned()], vec!["*".to_owned()]);
            let arn = role(name);
            stage.aws.add_role(TrustedRole { arn, principals, external_id: None, allows });
        }
        stage.aws.record_trail(but);
        let found = stage.find_key().await;
        let run = run_of(&found);
        stage.approve(&run).await;
        let ended = stage.over_in_time(&run, 1_000).await;
        assert_eq!(ended["status"], "succeeded", "{ended}");
        Self { incident: id(&found["incident_id"]), run, stage }
    }

    fn session(&self) -> String {
        format!("{}.{}", self.incident, self.run)
    }

    fn script(&self, script: Value) {
        let now = self.stage.runtime.world().now();
        self.stage.aws.load(script, now).unwrap();
    }

    /// How often the trail was asked for the session.
    fn looks(&self) -> usize {
        let session = self.session();
        let asks = |params: &Value| params["LookupAttributes"][0]["AttributeValue"] == session;
        let calls = self.stage.aws.calls();
        let looks = calls.iter().filter(|call| call.operation == "cloudtrail:LookupEvents");
        looks.filter(|call| asks(&call.params)).count()
    }

    async fn item(&self) -> Option<Value> {
        let items = self.stage.mia.list(&format!("/incidents/{}/evidence", self.incident)).await;
        let label = format!("CloudTrail against the journal of {}", self.run);
        let is_it = |item: &Value| item["label"].as_str().unwrap().starts_with(&label);
        items.into_iter().find(is_it)
    }

    /// Lets the time of a look pass, and waits until the trail was asked once more.
    async fn look(&self) {
        let before = self.looks();
        self.stage.pass(DELAY_MS);
        let look = async || (self.looks() > before).then_some(());
        eventually("a look at the trail", look).await;
    }

    /// The item that is kept of it: its label and what it holds.
    async fn kept(&self) -> (String, Value) {
        let item = eventually("the comparison", async || self.item().await).await;
        let bundle = self.stage.mia.bytes(&format!("/incidents/{}/export", self.incident)).await;
        let bytes = &unpack(&bundle)[&format!("items/{}", id(&item["sha256"]))];
        (id(&item["label"]), serde_json::from_slice(bytes).unwrap())
    }

    async fn pages(&self) -> Vec<Value> {
        let pages = self.stage.mia.list("/pages").await;
        pages.into_iter().filter(|page| page["code"] == "ST0704").collect()
    }
}

async fn agrees(on_postgres: bool) {
    let mut it = Contained::of(on_postgres, &[]).await;
    assert_eq!(it.looks(), 0, "CloudTrail is late, and is not asked at once");
    // What is due outlives the node.
    it.stage.restart().await;
    it.look().await;
    let (label, kept) = it.kept().await;
    assert!(label.contains("2 of our changes are in the log"), "{label}");
    assert!(!label.contains("MISSING") && !label.contains("NOT OURS"), "{label}");
    let sent = kept["journal"].as_array().unwrap().iter();
    let sent: Vec<_> = sent.filter(|claim| claim["is_change"] == true).collect();
    assert_eq!(sent.len(), 2, "{kept}");
    assert_eq!(kept["session"], json!(it.session()));
    assert!(it.pages().await.is_empty());
    let path = format!("/incidents/{}/timeline", it.incident);
    assert!(it.stage.mia.get(&path).await.to_string().contains("2 of our changes"));
}

#[tokio::test(flavor = "multi_thread")]
async fn log_and_journal_agree_on_sqlite() {
    agrees(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn log_and_journal_agree_on_postgres() {
    agrees(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_is_not_in_the_log_is_waited_for_and_then_told() {
    let it = Contained::of(false, &["iam:PutUserPolicy"]).await;
    for look in 1..=3 {
        assert!(it.item().await.is_none(), "it may come yet, before look {look}");
        it.look().await;
    }
    let (label, kept) = it.kept().await;
    assert_eq!(it.looks(), 3, "it was asked for as often as is said");
    assert!(label.contains("1 of our changes are in the log"), "{label}");
    assert!(label.contains("1 are MISSING (iam:PutUserPolicy)"), "{label}");
    let missing = &kept["difference"]["missing"];
    assert_eq!(missing.as_array().unwrap().len(), 1, "{kept}");
    assert!(missing[0]["request_id"].is_string(), "{kept}");
    let pages = it.pages().await;
    assert_eq!(pages.len(), 1);
    assert_eq!(pages[0]["run_id"], json!(it.run));
    it.stage.page_that_says("CloudTrail and the journal differ").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_in_the_log_that_nobody_asked_for_is_told_at_once() {
    let it = Contained::of(false, &[]).await;
    let now = it.stage.runtime.world().now();
    let session = it.session();
    // The very operation that the run has called, once more, and by somebody else.
    let record = json!({
        "eventID": "e-mallory", "eventName": "UpdateAccessKey", "eventSource": "iam.amazonaws.com",
        "eventTime": now, "awsRegion": "us-east-1", "requestID": "r-mallory", "readOnly": false,
        "sourceIPAddress": "198.51.100.9", "recipientAccountId": ACCOUNT,
        "requestParameters": {"userName": "ci-deploy", "status": "Active"},
        "userIdentity": {"type": "AssumedRole", "accountId": ACCOUNT,
            "arn": format!("arn:aws:sts::{ACCOUNT}:assumed-role/stanch-contain/{session}")},
    });
    it.script(json!({"state": {"trail": [record]}}));
    it.look().await;
    let (label, kept) = it.kept().await;
    assert_eq!(it.looks(), 1);
    assert!(label.contains("1 in the log are NOT OURS (UpdateAccessKey of iam"), "{label}");
    let unclaimed = &kept["difference"]["unclaimed"];
    assert_eq!(unclaimed[0]["address"], "198.51.100.9", "{kept}");
    assert_eq!(unclaimed.as_array().unwrap().len(), 1, "{kept}");
    assert_eq!(it.pages().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_listed_late_is_found_by_the_next_look() {
    let it = Contained::of(false, &[]).await;
    let asked = json!([{"AttributeKey": "Username", "AttributeValue": it.session()}]);
    it.script(json!({"answers": [{"operation": "cloudtrail:LookupEvents", "times": 1,
        "match": {"LookupAttributes": asked}, "output": {"Events": []}}]}));
    it.look().await;
    it.look().await;
    let (label, _) = it.kept().await;
    assert_eq!(it.looks(), 2);
    assert!(label.contains("2 of our changes are in the log"), "{label}");
    assert!(it.pages().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_can_not_be_read_is_said_to_be_so_and_pages() {
    let it = Contained::of(false, &[]).await;
    it.script(json!({"answers": [{"operation": "cloudtrail:LookupEvents",
        "error": {"code": "AccessDeniedException", "message": "not you", "status": 400}}]}));
    for look in 1..=3 {
        assert!(it.pages().await.is_empty(), "it may yet be read, before look {look}");
        it.look().await;
    }
    let (label, kept) = it.kept().await;
    assert!(label.contains("not compared") && label.contains("AccessDenied"), "{label}");
    assert!(kept["not_compared"].as_str().unwrap().contains("not you"), "{kept}");
    // A log that nobody can read hides whatever is in it: people are told.
    let pages = it.pages().await;
    assert_eq!((pages.len(), &pages[0]["run_id"]), (1, &json!(it.run)), "{pages:?}");
    assert!(id(&pages[0]["message"]).contains("not compared"), "{pages:?}");
    it.stage.page_that_says("CloudTrail could not be held against the journal").await;
}
