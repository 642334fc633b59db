//! People whom only the identity provider knows: once they have called they can be handed what anybody
//! else can, and they leave as anybody else.

use serde_json::{Value, json};
use stanch_engine_core::effect::Mode;

use crate::caller::Caller;
use crate::oidc::{NOW_S, Set, set_with};
use crate::stage::{Plan, id, run_of};

const DAY_MS: i64 = 86_400_000;

const LEADS: &str = r#"
const PLAYBOOK = #{ name: "leads", title: "Asks a lead", mode: "ask" };
let gate = approval("Cut it off?", #{ approvers: ["role:incident-lead"], expires: "10h" });
[gate.outcome, gate.decided_by]
"#;

const LATER: &str = r#"
const PLAYBOOK = #{ name: "later", title: "Does it later", mode: "ask" };
let cut = plan([change("iam:UpdateAccessKey",
    #{ UserName: "build-bot", AccessKeyId: "AKIAIOSFODNN7EXAMPLE", Status: "Inactive" })]);
approval("Cut it off?", #{ plan: cut, approvers: ["role:responder"], expires: "10h" });
wait_signal("go", #{ timeout: "11h" });
execute(cut);
"#;

impl Set {
    /// Somebody with a token of the provider, in these groups, some days from now.
    fn vouched(&self, name: &str, groups: &[&str], days: i64) -> Caller {
        let mut claims = self.claims();
        claims["sub"] = json!(name);
        claims["groups"] = json!(groups);
        for (claim, at) in [("iat", -60), ("nbf", -60), ("exp", 7_200)] {
            claims[claim] = json!(NOW_S + days * 86_400 + at);
        }
        Caller::new(&self.stage.url, &self.token(&claims))
    }

    /// Nobody of this name can be given a duty.
    async fn is_nobody(&self, incident: &str, name: &str) {
        let assign = json!({"lead": name, "reason": "it is theirs"});
        let path = format!("/incidents/{incident}/assign");
        let (status, problem) = self.stage.mia.post_refused(&path, &assign).await;
        assert_eq!(status, 400, "{problem}");
        assert!(problem["detail"].to_string().contains("identity provider"), "{problem}");
    }
}

fn yes() -> Value {
    json!({"decision": "approve", "reason": "I know it", "form": {"verdict": "true_positive"}})
}

async fn who_has_called_is_handed_everything(plan: Plan) {
    let set = set_with(plan).await;
    let (stage, mia) = (&set.stage, &set.stage.mia);
    let run = run_of(&stage.find_key().await);
    let approval = id(&stage.approval(&run).await["id"]);
    let hand_over = format!("/approvals/{approval}/handover");
    let to_olga = json!({"to": "olga", "reason": "she is on duty"});
    assert_eq!(mia.post_refused(&hand_over, &to_olga).await.0, 400, "she has never called");

    // To look at something is enough; she is in no group that is a role here.
    let olga = set.vouched("olga", &["chess"], 0);
    olga.get("/runs").await;
    mia.post(&hand_over, &to_olga).await;
    let said = olga.post(&format!("/approvals/{approval}/decisions"), &yes()).await;
    assert_eq!(said["status"], "approved", "{said}");
    let ended = stage.over_in_time(&run, 500).await;
    assert_eq!(ended["status"], "succeeded", "{ended}");

    let contained = mia.list("/containments").await.remove(0);
    assert_eq!(contained["owner"], "olga", "who said yes owns what comes of it: {contained}");
    let path = format!("/containments/{}/handover", id(&contained["id"]));
    let mut to = to_olga.clone();
    to["to"] = json!("role:night");
    mia.post(&path, &to).await;
    assert_eq!(mia.post(&path, &to_olga).await["owner"], "olga");

    let incident = id(&contained["incident_id"]);
    let duties = json!({"lead": "olga", "scribe": "olga", "reason": "she is there"});
    mia.post(&format!("/incidents/{incident}/assign"), &duties).await;
    let shown = mia.get(&format!("/incidents/{incident}")).await;
    assert_eq!(shown["assigned"]["lead"], "olga", "{shown}");
    assert_eq!(shown["assigned"]["scribe"], "olga", "{shown}");

    // Who stands in for her says what the provider last said that she may, and she stands in for others.
    stage.publish(LEADS).await;
    set.vouched("rita", &["leads"], 0).get("/runs").await;
    let until = stage.runtime.world().now().plus_ms(DAY_MS);
    let away = json!({"until": until, "delegate": "olga", "reason": "asleep"});
    stage.admin.post("/people/rita/absent", &away).await;
    let run = stage.start_for_finding("leads").await;
    let approval = id(&stage.approval(&run).await["id"]);
    olga.post(&format!("/approvals/{approval}/decisions"), &yes()).await;
    let ended = stage.over_in_time(&run, 500).await;
    assert_eq!(ended["result"], json!(["approved", ["olga"]]), "{ended}");
    let shown = mia.get(&format!("/approvals/{approval}")).await;
    assert_eq!(shown["decisions"][0]["on_behalf"], json!(["rita"]), "{shown}");

    // Who has not called for three months is not counted on.
    stage.pass(90 * DAY_MS + 1);
    set.is_nobody(&incident, "olga").await;
    set.vouched("olga", &["chess"], 90).get("/runs").await;
    mia.post(&format!("/incidents/{incident}/assign"), &duties).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_called_is_handed_everything_on_sqlite() {
    who_has_called_is_handed_everything(Plan::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_called_is_handed_everything_on_postgres() {
    who_has_called_is_handed_everything(Plan::new().on_postgres().await).await;
}

async fn who_is_disabled_is_nobody_until_vouched_for_anew(plan: Plan) {
    let set = set_with(plan.mode(Mode::Ask)).await;
    let (stage, mia, admin) = (&set.stage, &set.stage.mia, &set.stage.admin);
    stage.publish(LATER).await;
    let olga = set.vouched("olga", &["soc"], 0);
    olga.get("/runs").await;
    let until = stage.runtime.world().now().plus_ms(DAY_MS);
    let away = json!({"until": until, "delegate": "olga", "reason": "asleep"});
    admin.post("/people/mia/absent", &away).await;
    let run = stage.start_for_finding("later").await;
    let approval = id(&stage.approval(&run).await["id"]);
    olga.post(&format!("/approvals/{approval}/decisions"), &yes()).await;

    let gone = admin.post("/people/olga/disable", &json!({"reason": "left"})).await;
    assert_eq!(
        (&gone["entrusted_ended"], &gone["tokens_revoked"]),
        (&json!(1), &json!(0)),
        "{gone}"
    );
    assert_eq!(gone["decisions_revoked"], json!([approval]), "{gone}");
    assert_eq!(olga.post_refused("/runs", &json!({"playbook": "later"})).await.0, 401);
    mia.post(&format!("/runs/{run}/signal"), &json!({"name": "go", "data": {}})).await;
    let ended = stage.over_in_time(&run, 500).await;
    assert!(ended.to_string().contains("approval_revoked"), "{ended}");
    assert!(stage.changes().is_empty());

    let incident = id(&mia.get(&format!("/runs/{run}")).await["incident_id"]);
    set.is_nobody(&incident, "olga").await;
    assert_eq!(admin.post_refused("/people/mia/absent", &away).await.0, 400);
    admin.post("/people/olga/enable", &json!({})).await;
    set.is_nobody(&incident, "olga").await;
    olga.get("/runs").await;
    let duties = json!({"lead": "olga", "reason": "she is back"});
    mia.post(&format!("/incidents/{incident}/assign"), &duties).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_disabled_is_nobody_until_vouched_for_anew_on_sqlite() {
    who_is_disabled_is_nobody_until_vouched_for_anew(Plan::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_disabled_is_nobody_until_vouched_for_anew_on_postgres() {
    who_is_disabled_is_nobody_until_vouched_for_anew(Plan::new().on_postgres().await).await;
}
