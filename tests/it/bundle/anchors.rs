//! Ends of custody chains are laid down in a bucket that is locked, and a chain that went on in another
//! way is found there. The bucket is moto's.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use stanch_engine_cli::config::Anchor;
use stanch_engine_core::span::Span;
use stanch_engine_runtime::evidence::verify::{self, Brought};
use stanch_tests::eventually;
use stanch_tests::moto::Moto;

use crate::bundle::{Files, both_with, pack, unpack};
use crate::stage::{Plan, Stage, id};

const ACCOUNT: &str = "123456789012";
const BUCKET: &str = "stanch-anchors";

/// A node that lays ends down, and has them stamped where an authority is named.
pub(super) async fn stage(moto: &Moto, mut plan: Plan, tsa_url: Option<String>) -> Stage {
    plan.ships = false;
    plan.aws_url = Some(moto.url().to_owned());
    plan.config.evidence.anchor = Some(Anchor {
        bucket: BUCKET.to_owned(),
        prefix: "prod".to_owned(),
        region: None,
        mode: None,
        days: Some(30),
        every: Some(Span::from_secs(1)),
        tsa_url,
    });
    let stage = plan.set().await;
    let lock = json!({"Bucket": BUCKET, "ObjectLockEnabledForBucket": true});
    stage.call(ACCOUNT, "s3:CreateBucket", lock).await;
    stage
}

pub(super) async fn open(stage: &Stage) -> String {
    let body = json!({"title": "A laptop was stolen", "severity": "high"});
    id(&stage.mia.post("/incidents", &body).await["incident_id"])
}

async fn note(stage: &Stage, incident: &str, text: &str) {
    stage.mia.post(&format!("/incidents/{incident}/note"), &json!({"text": text})).await;
}

pub(super) async fn export(stage: &Stage, incident: &str) -> Files {
    unpack(&stage.mia.bytes(&format!("/incidents/{incident}/export")).await)
}

fn records(files: &Files) -> usize {
    String::from_utf8_lossy(&files["chain.jsonl"]).lines().count()
}

/// What lies in the bucket, a line an object, when the end with so many records is among it.
async fn anchors(stage: &Stage, incident: &str, count: usize) -> String {
    let prefix = format!("prod/{incident}/");
    let last = format!("{prefix}{count:08}.json");
    let keys = eventually(&format!("{last} in the bucket"), async || {
        let asked = json!({"Bucket": BUCKET, "Prefix": prefix});
        let found = stage.call(ACCOUNT, "s3:ListObjectsV2", asked).await;
        let keys: Vec<String> =
            found["Contents"].as_array()?.iter().map(|object| id(&object["Key"])).collect();
        keys.contains(&last).then_some(keys)
    })
    .await;
    let mut lines = String::new();
    for key in keys {
        let object =
            stage.call(ACCOUNT, "s3:GetObject", json!({"Bucket": BUCKET, "Key": key})).await;
        assert_eq!(object["ObjectLockMode"], "COMPLIANCE", "{object}");
        let bytes = STANDARD.decode(id(&object["Body"])).unwrap();
        lines.push_str(&String::from_utf8(bytes).unwrap());
    }
    lines
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_laid_down_vouches_for_the_chain_and_goes_along_in_the_bundle() {
    let moto = Arc::new(Moto::start().await);
    let stage = stage(&moto, Plan::new(), None).await;
    let incident = open(&stage).await;
    let files = export(&stage, &incident).await;
    assert!(!files.contains_key("anchors.jsonl"), "nothing was laid down when it was made");
    let laid = anchors(&stage, &incident, records(&files)).await;
    note(&stage, &incident, "in a taxi").await;
    let files = export(&stage, &incident).await;
    assert_eq!(records(&files), 4);
    let key = stage.runtime.public_key();
    let brought = Brought { keys: &[&key], anchors: Some(&laid), ..Brought::default() };
    both_with(&pack(&files), &brought).unwrap();
    let verified = verify::prove(std::io::Cursor::new(pack(&files)), &brought).unwrap();
    assert_eq!(verified.anchored_records, 2);
    let place = format!("s3://{BUCKET}/prod/{incident}/00000002.json");
    assert_eq!(verified.anchor.as_ref(), Some(&place));
    let own = String::from_utf8_lossy(&files["anchors.jsonl"]).into_owned();
    let own: Value = serde_json::from_str(own.lines().last().unwrap()).unwrap();
    assert_eq!(own["anchored"]["in"], json!(place));

    // Whatever is brought, both say the same of it.
    let of_another = open(&stage).await;
    let of_another = anchors(&stage, &of_another, 1).await;
    for (anchors, says) in [
        (None, format!("anchored, as the installation says: fetch {place}")),
        (Some(laid.as_str()), "anchored: 2 of 4 records".to_owned()),
        (Some(of_another.as_str()), "unanchored: what you gave says nothing".to_owned()),
    ] {
        let brought = Brought { anchors, ..brought };
        both_with(&pack(&files), &brought).unwrap();
        let verified = verify::prove(std::io::Cursor::new(pack(&files)), &brought).unwrap();
        let told = verified.told(anchors.is_some(), false);
        assert!(told.lines().last().unwrap().starts_with(&says), "{told}");
    }

    // What another key has signed vouches for nothing, nor what was changed.
    let changed = laid.replace("\\\"count\\\":2", "\\\"count\\\":3");
    assert_ne!(changed, laid);
    let said = both_with(
        &pack(&files),
        &Brought { keys: &[&key], anchors: Some(&changed), ..Brought::default() },
    );
    assert!(said.unwrap_err().contains("not signed by the key that it names"));
    // An older bundle than what was laid down lacks what came since.
    let laid = anchors(&stage, &incident, 4).await;
    let old = stage.mia.bytes(&format!("/incidents/{incident}/export?head=3")).await;
    let said =
        both_with(&old, &Brought { keys: &[&key], anchors: Some(&laid), ..Brought::default() })
            .unwrap_err();
    assert!(said.contains("record 3 is the first that is missing: 4 were anchored at"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_yesterday_that_goes_on_is_found_out() {
    let moto = Arc::new(Moto::start().await);
    let stage = stage(&moto, Plan::new().on_postgres().await, None).await;
    let incident = open(&stage).await;
    for text in ["one", "two", "three"] {
        note(&stage, &incident, text).await;
    }
    let laid = anchors(&stage, &incident, 4).await;
    // What a restored backup does: the rows of since are gone.
    for statement in [
        "delete from custody where seq >= 2",
        "update custody_heads set count = 2, checkpointed = 2, \
         hash = (select hash from custody where seq = 1)",
        "delete from ledger where count > 2",
    ] {
        stage.sql(statement).await;
    }
    note(&stage, &incident, "another two").await;
    note(&stage, &incident, "another three").await;
    // What it finds in the bucket it does not know, and people are paged.
    let paged = eventually("a page", async || {
        let pages = stage.mia.list("/pages").await;
        pages.into_iter().find(|page| page["code"] == "ST0702")
    })
    .await;
    assert_eq!(paged["incident_id"], json!(incident));
    let files = export(&stage, &incident).await;
    let key = stage.runtime.public_key();
    both_with(&pack(&files), &Brought { keys: &[&key], ..Brought::default() }).unwrap();
    let said = both_with(
        &pack(&files),
        &Brought { keys: &[&key], anchors: Some(&laid), ..Brought::default() },
    );
    let said = said.unwrap_err();
    assert!(said.contains("is not the one that was anchored at"), "{said}");
    let named = said.split("record ").nth(1).unwrap().split(' ').next().unwrap();
    assert!(["2", "3"].contains(&named), "{said}");
}
