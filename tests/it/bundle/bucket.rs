//! Evidence in a bucket: kept, read, exported, proved and held, and nothing of it where whoever sent it
//! has died. The bucket is moto's.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use stanch_engine_cli::wiring::{self, Seams};
use stanch_engine_core::digest::Sha256;
use stanch_engine_runtime::evidence::verify::Brought;
use stanch_engine_runtime::settings::LockMode;
use stanch_engine_runtime::system;
use stanch_plugins_aws::sandbox::Sandbox;
use stanch_tests::eventually;
use stanch_tests::moto::Moto;
use tokio::io::AsyncWriteExt as _;

use crate::bundle::{both_with, unpack};
use crate::stage::{Plan, Stage, id};

const ACCOUNT: &str = "123456789012";
const BUCKET: &str = "stanch-evidence";
const MIB: usize = 1 << 20;

fn plan(moto: &Moto, mut plan: Plan) -> Plan {
    plan.ships = false;
    plan.aws_url = Some(moto.url().to_owned());
    plan.config.evidence.store = Some(format!("s3://{BUCKET}/prod"));
    plan.config.evidence.lock = Some(LockMode::Governance);
    plan.config.evidence.lock_days = Some(30);
    plan
}

/// A node whose evidence lies in a bucket with locks.
async fn stage(moto: &Moto, before: Plan) -> Stage {
    let stage = plan(moto, before).set().await;
    let lock = json!({"Bucket": BUCKET, "ObjectLockEnabledForBucket": true});
    stage.call(ACCOUNT, "s3:CreateBucket", lock).await;
    stage
}

async fn open(stage: &Stage) -> String {
    let body = json!({"title": "A laptop was stolen", "severity": "high"});
    id(&stage.mia.post("/incidents", &body).await["incident_id"])
}

/// Bytes that are not all the same.
fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|n| (n % 251) as u8 ^ (n >> 16) as u8).collect()
}

async fn add(stage: &Stage, incident: &str, label: &str, bytes: Vec<u8>) -> String {
    let hash = Sha256::of(&bytes).to_string();
    let path = format!("/incidents/{incident}/evidence?label={label}&sha256={hash}");
    let (status, said) = stage.mia.send(&path, bytes).await;
    assert_eq!(status, 201, "{said}");
    hash
}

/// What is asked of an object, or of the bucket.
async fn ask(stage: &Stage, operation: &str, key: &str) -> Value {
    stage.call(ACCOUNT, operation, json!({"Bucket": BUCKET, "Key": key})).await
}

/// Every version of every object, by key, with its length.
async fn versions(stage: &Stage) -> BTreeMap<String, Vec<u64>> {
    let found = stage.call(ACCOUNT, "s3:ListObjectVersions", json!({"Bucket": BUCKET})).await;
    let mut versions: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for version in found["Versions"].as_array().into_iter().flatten() {
        let length = version["Size"].as_u64().unwrap();
        versions.entry(id(&version["Key"])).or_default().push(length);
    }
    versions
}

/// How many uploads have not ended.
async fn uploads(stage: &Stage) -> usize {
    let found = stage.call(ACCOUNT, "s3:ListMultipartUploads", json!({"Bucket": BUCKET})).await;
    found["Uploads"].as_array().map_or(0, Vec::len)
}

async fn export(stage: &Stage, incident: &str) -> Vec<u8> {
    stage.mia.bytes(&format!("/incidents/{incident}/export")).await
}

async fn is_kept_once_read_and_proved(stage: &Stage) {
    let incident = open(stage).await;
    // As one piece, as exactly one, and in three parts.
    let items = [bytes(1_500_000), bytes(8 * MIB), bytes(17 * MIB)];
    let mut hashes = Vec::new();
    for item in &items {
        hashes.push(add(stage, &incident, "image", item.clone()).await);
    }
    let first = versions(stage).await;
    assert_eq!(first.len(), 4, "two items, one in parts, and where it lies: {first:?}");
    for item in &items {
        add(stage, &incident, "again", item.clone()).await;
    }
    assert_eq!(versions(stage).await, first, "what is there is not put twice");
    // What came again in parts was given up.
    eventually("no upload", async || (uploads(stage).await == 0).then_some(())).await;
    assert!(!stage.dir().join("evidence").exists(), "nothing of it lies on the disk");
    for key in first.keys() {
        let head = ask(stage, "s3:HeadObject", key).await;
        assert_eq!(head["ObjectLockMode"], "GOVERNANCE", "{key}: {head}");
    }

    let bundle = export(stage, &incident).await;
    let key = stage.runtime.public_key();
    both_with(&bundle, &Brought { keys: &[&key], ..Brought::default() }).unwrap();
    let files = unpack(&bundle);
    for (hash, item) in hashes.iter().zip(&items) {
        assert!(files[&format!("items/{hash}")] == *item, "{hash} came back as something else");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_in_a_bucket_is_kept_once_read_and_proved() {
    let moto = Arc::new(Moto::start().await);
    is_kept_once_read_and_proved(&stage(&moto, Plan::new()).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_in_a_bucket_is_kept_once_read_and_proved_on_postgres() {
    let moto = Arc::new(Moto::start().await);
    is_kept_once_read_and_proved(&stage(&moto, Plan::new().on_postgres().await).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_changed_in_the_bucket_is_named_and_is_put_anew_when_it_comes_again() {
    let moto = Arc::new(Moto::start().await);
    let stage = stage(&moto, Plan::new()).await;
    let incident = open(&stage).await;
    let hash = add(&stage, &incident, "small", bytes(1_000)).await;
    let object = format!("prod/items/{hash}");
    // "forged" in base64: with a lock, it is another version.
    let other = json!({"Bucket": BUCKET, "Key": object, "Body": "Zm9yZ2Vk"});
    stage.call(ACCOUNT, "s3:PutObject", other).await;
    let proved = async || {
        let (bundle, key) = (export(&stage, &incident).await, stage.runtime.public_key());
        both_with(&bundle, &Brought { keys: &[&key], ..Brought::default() })
    };
    let said = proved().await.unwrap_err();
    assert!(said.contains(&hash) && said.contains("was changed"), "{said}");
    add(&stage, &incident, "small", bytes(1_000)).await;
    proved().await.unwrap();
    assert_eq!(versions(&stage).await[&object], [1_000, 6, 1_000]);
    // What somebody took away is said to be missing.
    let gone = json!({"Bucket": BUCKET, "Key": object});
    stage.call(ACCOUNT, "s3:DeleteObject", gone).await;
    let said = proved().await.unwrap_err();
    assert!(said.contains(&hash) && said.contains("is missing"), "{said}");
}

async fn held(stage: &Stage, key: &str) -> bool {
    ask(stage, "s3:HeadObject", key).await["ObjectLockLegalHoldStatus"] == "ON"
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_holds_the_objects_and_those_that_come_later_until_nothing_holds_them() {
    let moto = Arc::new(Moto::start().await);
    let stage = stage(&moto, Plan::new()).await;
    let (first, second) = (open(&stage).await, open(&stage).await);
    let shared = format!("prod/items/{}", add(&stage, &first, "both", bytes(10)).await);
    add(&stage, &second, "both", bytes(10)).await;
    add(&stage, &first, "large", bytes(9 * MIB)).await;
    let of_hold = |incident: &str, what: &str| format!("/incidents/{incident}/evidence/{what}");
    let why = json!({"reason": "the lawyers ask"});
    stage.mia.post(&of_hold(&first, "hold"), &why).await;
    let all = async |is_on: bool| {
        for key in versions(&stage).await.into_keys() {
            if held(&stage, &key).await != is_on {
                return None;
            }
        }
        Some(())
    };
    assert_eq!(versions(&stage).await.len(), 3);
    eventually("a hold on each object", async || all(true).await).await;
    let late = format!("prod/items/{}", add(&stage, &first, "late", bytes(11)).await);
    stage.mia.post(&of_hold(&second, "hold"), &why).await;
    eventually("a hold on what came later", async || held(&stage, &late).await.then_some(())).await;
    // The other incident still holds what is in both.
    let lift = json!({"reason": "settled"});
    stage.admin.post(&of_hold(&first, "release"), &lift).await;
    eventually("no hold on what one had", async || (!held(&stage, &late).await).then_some(()))
        .await;
    assert!(held(&stage, &shared).await);
    stage.admin.post(&of_hold(&second, "release"), &lift).await;
    eventually("no hold on anything", async || all(false).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_whose_sender_dies_in_the_middle_leaves_no_half_of_it_in_the_bucket() {
    let moto = Arc::new(Moto::start().await);
    let stage = stage(&moto, Plan::new()).await;
    let incident = open(&stage).await;
    let address = stage.url.trim_start_matches("http://").to_owned();
    let token = std::fs::read_to_string(stage.dir().join("keys/admin.token")).unwrap();
    let mut sender = tokio::net::TcpStream::connect(&address).await.unwrap();
    let head = format!(
        "POST /v1/incidents/{incident}/evidence?label=half HTTP/1.1\r\nhost: {address}\r\n\
         authorization: Bearer {}\r\ncontent-length: 100000000\r\n\r\n",
        token.trim()
    );
    sender.write_all(head.as_bytes()).await.unwrap();
    sender.write_all(&bytes(9 * MIB)).await.unwrap();
    eventually("an upload", async || (uploads(&stage).await == 1).then_some(())).await;
    drop(sender);
    eventually("no upload", async || (uploads(&stage).await == 0).then_some(())).await;
    assert_eq!(versions(&stage).await, BTreeMap::new());
    let items = stage.mia.list(&format!("/incidents/{incident}/evidence")).await;
    assert_eq!(items, Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_with_folders_of_their_own_share_a_bucket_and_need_one_key() {
    let moto = Arc::new(Moto::start().await);
    let before = plan(&moto, Plan::new().on_postgres().await);
    let mut config = before.config.clone();
    let stage = stage(&moto, before).await;
    let folder = tempfile::tempdir().unwrap();
    config.data_dir = Some(folder.path().to_owned());
    config.aws.endpoint_url = Some(moto.url().to_owned());
    let start = async || {
        let seams = Seams { credentials: Some(Sandbox::runner()), ..Seams::default() };
        wiring::start(&config, system::world(), &|_| None, seams).await
    };
    let refused = start().await.err().unwrap().to_string();
    assert!(refused.contains("`keys` folder"), "{refused}");
    std::fs::remove_dir_all(folder.path().join("keys")).unwrap();
    std::fs::create_dir(folder.path().join("keys")).unwrap();
    for entry in std::fs::read_dir(stage.dir().join("keys")).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), folder.path().join("keys").join(entry.file_name())).unwrap();
    }
    let second = start().await.unwrap();
    let incident = open(&stage).await;
    let hash = add(&stage, &incident, "disk", bytes(9 * MIB)).await;
    // What one of them has captured leaves by the other.
    let wish = stanch_engine_runtime::evidence::bundle::Wish::default();
    let incident = incident.parse().unwrap();
    let prepared =
        stanch_engine_runtime::evidence::bundle::prepare(&second.runtime, incident, &wish).await;
    let file = folder.path().join("bundle.zip");
    prepared.unwrap().write(std::fs::File::create(&file).unwrap()).await.unwrap();
    let bundle = std::fs::read(&file).unwrap();
    let key = stage.runtime.public_key();
    both_with(&bundle, &Brought { keys: &[&key], ..Brought::default() }).unwrap();
    assert!(unpack(&bundle).contains_key(&format!("items/{hash}")));
    second.runtime.stop().await;
}
