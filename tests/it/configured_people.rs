//! People whom the configuration names: how far their roles reach, and that they can be asked, stand in
//! and be given duties as those who have a token.

use serde_json::{Value, json};
use stanch_engine_core::scope::CustomRole;

use crate::channels::configure;
use crate::channels::others::{MailServer, plain};
use crate::slack::{Set, set_with};
use crate::stage::{ACCOUNT, Plan, id};

const ASKS: &str = r#"
const PLAYBOOK = #{ name: "night-watch", title: "Asks", mode: "ask" };
let gate = approval("Cut it off?", #{ approvers: ["role:responder"], expires: "30m" });
[gate.outcome, gate.decided_by]
"#;

/// Ann's role is one of their own and reaches the account; nobody else's reaches what is asked.
const PEOPLE: &str = r#"
[people.ann]
slack = "U1"
email = "ann@example.com"
roles = ["night"]
[people.bob]
slack = "U2"
email = "bob@example.com"
roles = ["responder"]
accounts = ["444455556666"]
[people.cid]
slack = "U3"
email = "cid@example.com"
roles = ["responder"]
playbooks = ["day-*"]
[people.dan]
slack = "U4"
email = "dan@example.com"
roles = ["responder"]
max_severity = "low"
[people.eve]
slack = "U5"
roles = ["viewer"]
"#;

fn plan() -> Plan {
    let mut plan = Plan::new();
    plan.ships = false;
    let night = CustomRole {
        is: vec!["responder".to_owned()],
        accounts: vec![ACCOUNT.to_owned()],
        playbooks: vec!["night-*".to_owned()],
        ..CustomRole::default()
    };
    plan.config.roles.insert("night".to_owned(), night);
    plan
}

async fn set() -> Set {
    let set = set_with(plan(), PEOPLE).await;
    set.stage.publish(ASKS).await;
    set
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_in_slack_reaches_as_far_as_the_configuration_says() {
    let set = set().await;
    let (run, approval) = set.ask("night-watch").await;
    for (at, user) in ["U2", "U3", "U4", "U5"].into_iter().enumerate() {
        set.press(user, "approve", &approval, "let me").await;
        let told = set.told(at + 1).await.body.to_string();
        assert!(told.contains("you are not asked"), "{user}: {told}");
    }
    assert_eq!(set.status(&approval).await, "pending");
    set.press("U1", "approve", &approval, "it is night").await;
    assert_eq!(set.stage.over(&run).await["result"], json!(["approved", ["ann"]]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_to_a_role_goes_by_mail_to_those_whose_role_reaches_it() {
    let folder = tempfile::tempdir().unwrap();
    let roots = folder.path().join("roots.pem");
    let server = MailServer::serve(&roots).await;
    let text = format!(
        "[notify.channels.mail]\nkind = \"email\"\nhost = \"localhost\"\nport = {}\nroots = {:?}\n\
         from = \"stanch@example.com\"\nto = [\"soc@example.com\"]\n\
         [[notify.routes]]\nchannels = [\"mail\"]\n{PEOPLE}",
        server.port,
        roots.display().to_string()
    );
    let mut plan = plan();
    configure(&mut plan.config, folder.path(), &text);
    let stage = plan.set().await;
    stage.publish(ASKS).await;
    stage.start_for_finding("night-watch").await;
    let mails: Vec<String> = server.mails(2).await.iter().map(|mail| plain(mail)).collect();
    let to = |who: &str| mails.iter().filter(|mail| mail.contains(&format!("To: {who}@"))).count();
    assert_eq!(["ann", "bob", "cid", "dan", "soc"].map(to), [1, 0, 0, 0, 1], "{mails:?}");
    let own = mails.iter().find(|mail| mail.contains("To: ann@")).unwrap();
    assert!(own.contains("/v1/links/"), "{own}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_known_by_slack_only_is_handed_approvals_stands_in_and_has_duties() {
    let set = set().await;
    let (stage, admin) = (&set.stage, &set.stage.admin);
    let (run, approval) = set.ask("night-watch").await;
    let hand_over = format!("/approvals/{approval}/handover");
    let to = |who: &str| json!({"to": who, "reason": "I am on the train"});
    let (status, problem) = stage.mia.post_refused(&hand_over, &to("zed")).await;
    assert!(status == 400 && problem["detail"].to_string().contains("[people]"), "{problem}");
    stage.mia.post(&hand_over, &to("eve")).await;
    set.press("U5", "approve", &approval, "mia gave it to me").await;
    assert_eq!(stage.over(&run).await["result"], json!(["approved", ["eve"]]));

    // Whoever stands in for ann says what her role says, as far as that reaches.
    let until = json!({"until": "2099-01-01T00:00:00Z", "delegate": "zed", "reason": "asleep"});
    assert_eq!(admin.post_refused("/people/ann/absent", &until).await.0, 400);
    let soon = stage.runtime.world().now().plus_ms(3_600_000);
    let until = json!({"until": soon, "delegate": "eve", "reason": "asleep"});
    admin.post("/people/ann/absent", &until).await;
    let (run, approval) = set.ask("night-watch").await;
    set.press("U5", "approve", &approval, "for ann").await;
    assert_eq!(stage.over(&run).await["result"], json!(["approved", ["eve"]]));
    let shown = stage.mia.get(&format!("/approvals/{approval}")).await;
    assert_eq!(shown["decisions"][0]["on_behalf"], json!(["ann"]), "{shown}");

    let incident = id(&stage.mia.get(&format!("/runs/{run}")).await["incident_id"]);
    let assign = format!("/incidents/{incident}/assign");
    let body = |who: &str| json!({"lead": who, "reason": "it is hers"});
    assert_eq!(stage.mia.post_refused(&assign, &body("zed")).await.0, 400);
    stage.mia.post(&assign, &body("eve")).await;
    let shown: Value = stage.mia.get(&format!("/incidents/{incident}")).await;
    assert_eq!(shown["assigned"]["lead"], "eve", "{shown}");
    admin.post("/people/eve/disable", &json!({"reason": "left"})).await;
    assert_eq!(stage.mia.post_refused(&assign, &body("eve")).await.0, 400, "she is gone");
}
