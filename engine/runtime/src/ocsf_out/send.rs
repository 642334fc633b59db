//! How events are sent: into a file, to an address, into a bucket.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use stanch_engine_core::digest::Sha256;
use stanch_engine_core::effect::Effect;
use stanch_engine_core::span::Span;
use stanch_plugins_sdk::{ActionContext, Outcome, Patience, Urgency};

use super::{OcsfSettings, OcsfTo, lake};
use crate::shared::Shared;

/// How long sending may take.
const TIMEOUT: Span = Span::from_secs(30);

/// What text is filled with secrets by; what others wrote must not be.
const SECRET: &str = "{{secret:";

/// Sends lines, each an event.
pub(super) async fn send(
    shared: &Arc<Shared>,
    sink: &OcsfSettings,
    lines: &str,
) -> Result<(), String> {
    match &sink.to {
        OcsfTo::File(path) => {
            let (path, lines) = (path.clone(), lines.to_owned());
            let written = tokio::task::spawn_blocking(move || append(&path, &lines)).await;
            written.map_err(|error| error.to_string())?
        }
        OcsfTo::Http { url, headers } => {
            let mut headers = headers.clone();
            headers.entry("Content-Type".to_owned()).or_insert("application/x-ndjson".to_owned());
            // Two braces stand in JSON only within a text, where one may be written as its number.
            let body = lines.replace(SECRET, "{\\u007bsecret:");
            let input = json!({"method": "POST", "url": url, "headers": headers, "body": body, "retry": "natural"});
            call(shared, "http.request", (None, None), &input).await
        }
        OcsfTo::Bucket { bucket, prefix, region, account } => {
            let (at, digest) = (shared.world.now().to_string(), Sha256::of(lines).to_string());
            let day = at.get(..10).unwrap_or_default().replace('-', "/");
            let stamp: String = at.chars().filter(char::is_ascii_digit).take(14).collect();
            let key =
                format!("{prefix}{day}/{stamp}-{}.ndjson", digest.get(..16).unwrap_or_default());
            let place = (account.clone(), region.clone());
            put(shared, place, (bucket, &key), ("application/x-ndjson", lines.as_bytes())).await
        }
        OcsfTo::Lake { bucket, source, class, region, account } => {
            let (parts, class) = ((source.clone(), region.clone(), lines.to_owned()), *class);
            let made = tokio::task::spawn_blocking(move || {
                let (source, region, lines) = &parts;
                lake::objects((source, region), class, lines)
            });
            for (key, bytes) in made.await.map_err(|error| error.to_string())?? {
                let place = (account.clone(), Some(region.clone()));
                let what = ("application/vnd.apache.parquet", bytes.as_slice());
                put(shared, place, (bucket, &key), what).await?;
            }
            Ok(())
        }
    }
}

/// Puts an object, by the role of an account where one is named.
async fn put(
    shared: &Arc<Shared>,
    place: (Option<String>, Option<String>),
    (bucket, key): (&str, &str),
    (media_type, bytes): (&str, &[u8]),
) -> Result<(), String> {
    let params = json!({
        "Bucket": bucket, "Key": key, "Body": BASE64.encode(bytes), "ContentType": media_type,
    });
    let input = json!({"operation": "s3:PutObject", "params": params});
    call(shared, "aws.call", place, &input).await
}

/// What is written is on the disk before it counts as told.
fn append(path: &Path, lines: &str) -> Result<(), String> {
    let told = |error: std::io::Error| format!("{}: {error}", path.display());
    let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
    let mut file = file.map_err(told)?;
    file.write_all(lines.as_bytes()).map_err(told)?;
    file.sync_data().map_err(told)
}

async fn call(
    shared: &Arc<Shared>,
    action: &str,
    (account, region): (Option<String>, Option<String>),
    input: &Value,
) -> Result<(), String> {
    let action = shared.catalogue.action(action)?.clone();
    let context = ActionContext {
        incident: None,
        run: None,
        step: "ocsf_out".to_owned(),
        token: uuid::Uuid::from_u128(shared.world.entropy.next()),
        attempt: 1,
        account,
        region,
        role: None,
        urgency: Urgency::Collection,
        patience: Patience::default(),
        granted: Effect::Change,
        plan: Vec::new(),
        timeout: TIMEOUT,
        now: shared.world.now(),
        state: None,
    };
    match tokio::time::timeout(TIMEOUT.duration(), action.run(&context, input)).await {
        Ok(Ok(Outcome::Done(_))) => Ok(()),
        Ok(Ok(Outcome::Again { .. })) => Err("it is not over".to_owned()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer came in {TIMEOUT}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::SECRET;

    #[test]
    fn what_an_attacker_writes_asks_for_no_secret_and_stays_what_it_was() {
        let line = json!({"title": "{{secret:siem}} {{secret:{{secret:x}}"}).to_string();
        let sent = line.replace(SECRET, "{\\u007bsecret:");
        assert!(!sent.contains(SECRET));
        let (before, after): (Value, Value) =
            (serde_json::from_str(&line).unwrap(), serde_json::from_str(&sent).unwrap());
        assert_eq!(before, after);
    }
}
