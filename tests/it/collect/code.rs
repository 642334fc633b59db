//! The code of a function: fetched by the link that AWS gives, held against the hash that it says, kept as
//! it is. The link, which opens it to everybody, is nowhere.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use stanch_engine_core::digest::Sha256;
use stanch_tests::eventually;

use super::Scene;
use crate::stage::ACCOUNT;

/// What opens the link.
const OPENS: &str = "5d672d79c15b13162d9279b0855cfba6";

/// A package, which is no text.
fn package() -> Vec<u8> {
    (0..300_000_u32).map(|n| (n % 251) as u8).collect()
}

/// A link to where the sandbox keeps the package.
fn link(it: &Scene) -> String {
    let url = it.stage.config().aws.endpoint_url.clone().unwrap();
    format!(
        "{url}/tasks/pay?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=\
         AKIA1%2F20261124%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Signature={OPENS}"
    )
}

/// Plays a function whose code is said to be `said`, and is `real`.
fn play(it: &Scene, link: &str, said: &[u8], real: &[u8]) {
    let configuration = json!({"FunctionName": "pay", "PackageType": "Zip",
        "CodeSha256": STANDARD.encode(Sha256::of(said).bytes()),
        "FunctionArn": format!("arn:aws:lambda:us-east-1:{ACCOUNT}:function:pay")});
    it.script(json!([
        {"operation": "lambda:GetFunctionConfiguration", "output": configuration},
        {"operation": "lambda:GetFunction", "match": {"Qualifier": "$LATEST"}, "output": {
            "Configuration": configuration, "Code": {"RepositoryType": "S3", "Location": link}}},
        {"operation": "s3:GetObject", "match": {"Bucket": "tasks", "Key": "pay"},
            "output": {"Body": STANDARD.encode(real)}},
    ]));
}

/// Collects the function, and gives the journal of the run that did. The link is in nothing that Stanch
/// keeps or gives.
async fn collected(it: &Scene) -> String {
    let run = it.begin("function", "pay", json!({})).await;
    it.result(&run).await;
    let journal = json!(it.stage.journal(&run).await).to_string();
    let (files, items) = it.exported().await;
    assert!(!journal.contains(OPENS), "{journal}");
    assert!(!json!(items).to_string().contains(OPENS), "{items:?}");
    for (name, file) in files {
        let is_there = file.windows(OPENS.len()).any(|part| part == OPENS.as_bytes());
        assert!(!is_there, "it is in {name}");
    }
    journal
}

async fn item(it: &Scene) -> Option<(Value, Vec<u8>)> {
    let (files, items) = it.exported().await;
    let item = items.into_iter().find(|item| item["label"] == "code of pay $LATEST")?;
    let bytes = files[&format!("items/{}", item["sha256"].as_str().unwrap())].clone();
    Some((item, bytes))
}

/// What is being written, in the folder of evidence.
fn halves(it: &Scene) -> usize {
    let entries = std::fs::read_dir(it.stage.dir().join("evidence")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name());
    names.filter(|name| name.to_string_lossy().starts_with('.')).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_code_of_a_function_is_kept_as_it_is() {
    let it = Scene::in_sandbox().await;
    play(&it, &link(&it), &package(), &package());
    collected(&it).await;
    let (item, bytes) = item(&it).await.unwrap();
    assert!(bytes == package(), "{} bytes", bytes.len());
    let how = &item["how"];
    assert_eq!((&how["operation"], &how["content"]), (&json!("lambda:GetFunction"), &json!(true)));
    assert!(how["calls"][0]["request_id"].is_string(), "{how}");
    assert_eq!(item["sha256"], json!(Sha256::of(package())));
}

#[tokio::test(flavor = "multi_thread")]
async fn code_that_is_not_what_aws_says_is_not_kept() {
    let it = Scene::in_sandbox().await;
    play(&it, &link(&it), &package(), b"something else");
    let journal = collected(&it).await;
    assert!(journal.contains("content_damaged"), "{journal}");
    assert_eq!(item(&it).await, None);
    eventually("no half of it", async || (halves(&it) == 0).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_to_elsewhere_is_not_followed_and_the_custody_chain_says_so() {
    let it = Scene::in_sandbox().await;
    play(&it, &format!("https://evil.example/pay?X-Amz-Signature={OPENS}"), b"", b"");
    let journal = collected(&it).await;
    assert!(journal.contains("link_refused") && journal.contains("evil.example"), "{journal}");
    assert_eq!(item(&it).await, None);
    let (files, _) = it.exported().await;
    let chain = String::from_utf8_lossy(&files["chain.jsonl"]).into_owned();
    assert!(chain.contains("capture_failed"), "{chain}");
}
