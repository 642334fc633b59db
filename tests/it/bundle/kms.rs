//! Bundles that a key in KMS signs, and keys that hand over: from a file to KMS, within KMS, and back.
//! KMS is the sandbox's, which signs by another library than the one that verifies; moto's knows no key
//! of this kind.

use serde_json::json;
use stanch_engine_runtime::audit;
use stanch_engine_runtime::evidence::verify::Brought;

use crate::bundle::both_with;
use crate::stage::{Plan, Stage, id};

const FIRST: &str = "arn:aws:kms:us-east-1:111122223333:key/11111111-2222-4333-8444-555555555555";
const SECOND: &str = "arn:aws:kms:us-east-1:111122223333:key/66666666-7777-4888-9999-000000000000";

async fn incident(stage: &Stage) -> String {
    let body = json!({"title": "A laptop was stolen", "severity": "high"});
    id(&stage.mia.post("/incidents", &body).await["incident_id"])
}

/// What both verifiers say of a bundle of now to whoever has one key.
async fn proved_by(stage: &Stage, incident: &str, key: &str) -> Result<(), String> {
    let bundle = stage.mia.bytes(&format!("/incidents/{incident}/export")).await;
    both_with(&bundle, &Brought { keys: &[key], ..Brought::default() })
}

fn signatures(stage: &Stage) -> usize {
    stage.aws.calls().into_iter().filter(|call| call.operation == "kms:Sign").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_in_kms_signs_what_verifiers_know_and_never_lies_on_the_disk() {
    let mut plan = Plan::new();
    plan.ships = false;
    plan.config.evidence.key = Some(format!("kms:{FIRST}"));
    let stage = plan.set().await;
    let (incident, key) = (incident(&stage).await, stage.runtime.public_key());
    proved_by(&stage, &incident, &key).await.unwrap();
    assert_eq!(signatures(&stage), 1);
    let keys = stage.dir().join("keys");
    assert!(!keys.join("evidence.key").exists());
    assert_eq!(std::fs::read_to_string(keys.join("evidence.pub")).unwrap(), key);
    let log = stage.admin.bytes("/audit/export").await;
    let log = String::from_utf8(log).unwrap();
    assert!(audit::verify(&log, Some(&key)).unwrap().is_authenticated);
    let path = "/evidence-key/rotate";
    let (status, said) = stage.admin.post_refused(path, &json!({"reason": "a year is over"})).await;
    assert!(status == 400 && said.to_string().contains("`key` of [evidence]"), "{status} {said}");
}

async fn hands_over(plan: Plan) {
    let mut plan = plan;
    plan.ships = false;
    let mut stage = plan.set().await;
    let incident = incident(&stage).await;
    let mut had = vec![stage.runtime.public_key()];
    let secret = stage.dir().join("keys/evidence.key");
    for (next, is_in_file) in [(Some(FIRST), false), (Some(SECOND), false), (None, true)] {
        stage.configure(|config| config.evidence.key = next.map(|arn| format!("kms:{arn}")));
        stage.restart().await;
        let key = stage.runtime.public_key();
        assert!(!had.contains(&key), "it is another key");
        had.push(key);
        for key in &had {
            proved_by(&stage, &incident, key).await.unwrap();
        }
        assert_eq!(secret.exists(), is_in_file);
        // What signs now signs after the next start, too, and hands over to nobody.
        stage.restart().await;
        assert_eq!(Some(&stage.runtime.public_key()), had.last());
    }
    let stranger = Plan::new().set().await.runtime.public_key();
    let said = proved_by(&stage, &incident, &stranger).await.unwrap_err();
    assert!(said.contains("not signed by this key"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_hand_over_to_kms_and_back_and_who_has_any_of_them_can_prove() {
    hands_over(Plan::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_hand_over_to_kms_and_back_and_who_has_any_of_them_can_prove_on_postgres() {
    hands_over(Plan::new().on_postgres().await).await;
}
