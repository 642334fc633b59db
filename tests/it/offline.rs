//! The glass that is broken in the database itself, beside nodes that work, on both databases.

use serde_json::json;
use stanch_engine_cli::wiring;
use stanch_engine_runtime::offline::{Offline, OfflineKey, Spoken};
use stanch_engine_runtime::system;

use crate::stage::{Plan, Stage, id};

const TWO: &str = r#"
const PLAYBOOK = #{ name: "two", title: "Asks two", mode: "ask" };
let gate = approval("Both?", #{ approvers: ["role:security"], quorum: 2, expires: "2h",
    form: #{ properties: #{ ticket: #{ type: "string" } }, required: ["ticket"] } });
[gate.outcome, gate.decided_by, gate.form.ticket]
"#;

fn by(person: &str, fields: &[(&str, &str)]) -> Spoken {
    let fields = fields.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
    let (person, reason) = (person.to_owned(), "nobody else is there".to_owned());
    Spoken { person, reason, fields: fields.collect() }
}

async fn beside(stage: &Stage) -> Offline {
    wiring::offline(stage.config(), system::world(), &|_| None).await.unwrap()
}

async fn answers_for_everybody(plan: Plan) {
    let mut plan = plan;
    plan.ships = false;
    let stage = plan.set().await;
    stage.publish(TWO).await;
    let offline = beside(&stage).await;
    let file = stage.dir().join("glass.key");
    offline.make_key(&file, by("mia", &[])).await.unwrap();
    stage.page_that_says("An offline key for breaking the glass was made, by mia").await;
    let key = OfflineKey::read(&file).unwrap();

    let run = stage.start_for_finding("two").await;
    let approval = id(&stage.approval(&run).await["id"]).parse().unwrap();
    assert_eq!(offline.waiting().await.unwrap()[0].id, approval);
    for (spoken, says) in [
        (by("mia", &[]), "`form.ticket` is missing"),
        (by("mia", &[("tikcet", "7")]), "no field `tikcet`"),
        (by("m a", &[("ticket", "7")]), "can't be a name"),
        (Spoken { reason: " ".to_owned(), ..by("mia", &[]) }, "needs a reason"),
    ] {
        let error = offline.break_glass(&key, approval, spoken).await.unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    stage.admin.post("/people/zoe/disable", &json!({"reason": "left"})).await;
    let gone = offline.break_glass(&key, approval, by("zoe", &[("ticket", "7")])).await;
    assert!(gone.unwrap_err().to_string().contains("zoe was disabled"));
    offline.break_glass(&key, approval, by("mia", &[("ticket", "7")])).await.unwrap();
    // A node finds it by itself.
    let ended = stage.over(&run).await;
    assert_eq!(ended["result"], json!(["approved", ["mia"], "7"]), "{ended}");
    stage.page_that_says("BREAK-GLASS: mia approved `Both?` alone").await;
    let told = stage.admin.list("/audit?verb=break-glass.offline").await;
    let done: Vec<_> = told.iter().map(|one| one["outcome"].clone()).collect();
    assert_eq!(json!(done), json!(["done", "refused", "refused", "refused", "refused", "refused"]));
    // What was signed is there with its signature, for whoever does not trust the database.
    let statement = told[0]["detail"]["statement"].as_str().unwrap();
    assert!(statement.contains(&approval.to_string()) && statement.contains("\"person\":\"mia\""));

    // A no stands.
    let run = stage.start_for_finding("two").await;
    let approval = id(&stage.approval(&run).await["id"]);
    let sue = stage.person("sue", &["security"]).await;
    let no = json!({"decision": "reject", "reason": "it is ours"});
    sue.post(&format!("/approvals/{approval}/decisions"), &no).await;
    let late = offline.break_glass(&key, approval.parse().unwrap(), by("mia", &[("ticket", "7")]));
    assert!(late.await.unwrap_err().to_string().contains("too late"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_offline_key_answers_for_everybody_on_sqlite() {
    answers_for_everybody(Plan::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_offline_key_answers_for_everybody_on_postgres() {
    answers_for_everybody(Plan::new().on_postgres().await).await;
}
