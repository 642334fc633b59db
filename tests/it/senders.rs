//! Who may send: every proof that a source can ask for, and those who try without.

use std::path::Path;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use ring::hmac;
use serde_json::{Value, json};

use crate::stage::{Plan, Stage};

const OLD: &str = "the-old-secret-of-a-sender";
const NEW: &str = "the-new-secret-of-a-sender";

/// A stage with one source that asks for a proof. Secrets lie in files, as they do outside.
async fn stage(source: &str, folder: &Path, trust: Value) -> Stage {
    let secret = |name: &str| format!("file:{}", folder.join(name).display());
    std::fs::write(folder.join("old"), format!("{OLD}\n")).unwrap();
    std::fs::write(folder.join("new"), NEW).unwrap();
    let text = trust.to_string().replace("OLD", &secret("old")).replace("NEW", &secret("new"));
    let mut plan = Plan::new().manual();
    plan.config.sources.insert(source.to_owned(), serde_json::from_str(&text).unwrap());
    plan.set().await
}

fn body() -> String {
    json!({"title": "t", "severity": "low", "id": "one"}).to_string()
}

async fn send(stage: &Stage, source: &str, headers: &[(&str, &str)], body: &str) -> (u16, Value) {
    let http = stanch_plugins_http::client_builder().build().unwrap();
    let pairs = headers.iter().map(|(name, value)| {
        (HeaderName::try_from(*name).unwrap(), HeaderValue::try_from(*value).unwrap())
    });
    let request = http.post(format!("{}/v1/webhooks/{source}", stage.url));
    let request = request.headers(pairs.collect::<HeaderMap>()).body(body.to_owned());
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap())
}

/// That each of these is refused, that nothing of it is kept, and that no secret is shown.
async fn are_refused(stage: &Stage, source: &str, tries: &[(&[(&str, &str)], &str)]) {
    let token = std::fs::read_to_string(stage.dir().join("keys/webhook.token")).unwrap();
    let general = format!("Bearer {token}");
    let general: &[(&str, &str)] = &[(AUTHORIZATION.as_str(), &general)];
    for (headers, body) in tries.iter().copied().chain([(general, "{}")]) {
        let (status, problem) = send(stage, source, headers, body).await;
        assert_eq!((status, &problem["code"]), (401, &json!("ST0404")), "{headers:?}: {problem}");
        let shown = problem.to_string();
        assert!(!shown.contains(OLD) && !shown.contains(NEW), "{shown}");
    }
    assert!(stage.mia.list("/dead-letters").await.is_empty());
}

fn hex_of(secret: &str, signed: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, signed.as_bytes());
    tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn pagerduty_signs_the_bytes_of_its_body_with_any_secret_of_a_rotation() {
    let folder = tempfile::tempdir().unwrap();
    let trust = json!({"signature": {"style": "pagerduty", "secrets": ["OLD", "NEW"]}});
    let stage = stage("generic", folder.path(), trust).await;
    let name = "x-pagerduty-signature";
    let body = body();
    for secret in [OLD, NEW] {
        let shown = format!("v1={}", hex_of(secret, &body));
        assert_eq!(send(&stage, "generic", &[(name, &shown)], &body).await.0, 202);
    }
    let right = format!("v1={}", hex_of(NEW, &body));
    let spaced = format!("{body} ");
    let strangers = format!("v1={}", hex_of("the-secret-of-a-stranger", &body));
    are_refused(
        &stage,
        "generic",
        &[
            (&[], &body),
            (&[(name, "")], &body),
            (&[(name, "v1=")], &body),
            (&[(name, &right)], &spaced),
            (&[(name, &strangers)], &body),
            (&[(name, right.trim_start_matches("v1="))], &body),
            (&[("x-signature", &right)], &body),
        ],
    )
    .await;
    assert_eq!(stage.mia.list("/alerts").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_time_closes_the_window_for_a_replay() {
    let folder = tempfile::tempdir().unwrap();
    let trust = json!({"signature": {"style": "grafana", "secrets": ["NEW"],
        "time_header": "x-time", "window": "5m"}});
    let stage = stage("generic", folder.path(), trust).await;
    let body = body();
    let now = stage.runtime.world().now().millis() / 1_000;
    let shown = hex_of(NEW, &format!("{now}:{body}"));
    let (now, later) = (now.to_string(), (now + 60).to_string());
    let name = "x-grafana-alerting-signature";
    let headers: [(&str, &str); 2] = [(name, &shown), ("x-time", &now)];
    assert_eq!(send(&stage, "generic", &headers, &body).await.0, 202);
    are_refused(
        &stage,
        "generic",
        &[(&[(name, &shown), ("x-time", &later)], &body), (&[(name, &shown)], &body)],
    )
    .await;
    stage.pass(6 * 60 * 1_000);
    are_refused(&stage, "generic", &[(&headers, &body)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_destination_sends_a_secret_in_a_header() {
    let folder = tempfile::tempdir().unwrap();
    let trust = json!({"header": {"name": "X-Stanch-Key", "secrets": ["OLD", "NEW"]}});
    let stage = stage("generic", folder.path(), trust).await;
    let body = body();
    for secret in [OLD, NEW] {
        assert_eq!(send(&stage, "generic", &[("x-stanch-key", secret)], &body).await.0, 202);
    }
    let longer = format!("{NEW}x");
    are_refused(
        &stage,
        "generic",
        &[
            (&[], &body),
            (&[("x-stanch-key", "")], &body),
            (&[("x-stanch-key", &longer)], &body),
            (&[("x-stanch-key", "the-new")], &body),
        ],
    )
    .await;
    // Other sources are as they were.
    let (status, problem) = send(&stage, "aws", &[("x-stanch-key", NEW)], &body).await;
    assert_eq!((status, &problem["code"]), (401, &json!("ST0303")));
}

#[tokio::test(flavor = "multi_thread")]
async fn bearer_and_basic_are_enough_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let trust = json!({"bearer": ["OLD"], "basic": {"user": "sns", "passwords": ["NEW"]}});
    let stage = stage("generic", folder.path(), trust).await;
    let body = body();
    let bearer = format!("Bearer {OLD}");
    // `sns:the-new-secret-of-a-sender`
    let basic = "Basic c25zOnRoZS1uZXctc2VjcmV0LW9mLWEtc2VuZGVy";
    for value in [bearer.as_str(), basic] {
        assert_eq!(send(&stage, "generic", &[("authorization", value)], &body).await.0, 202);
    }
    let new = format!("Bearer {NEW}");
    are_refused(
        &stage,
        "generic",
        &[
            (&[], &body),
            (&[("authorization", &new)], &body),
            (&[("authorization", "Basic %%%")], &body),
            // `root:the-new-secret-of-a-sender`
            (&[("authorization", "Basic cm9vdDp0aGUtbmV3LXNlY3JldC1vZi1hLXNlbmRlcg==")], &body),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_not_listed_is_refused_with_every_token() {
    for (network, status) in [("127.0.0.0/8", 202), ("192.0.2.0/24", 403)] {
        let folder = tempfile::tempdir().unwrap();
        let stage = stage("generic", folder.path(), json!({"from": [network]})).await;
        let token = std::fs::read_to_string(stage.dir().join("keys/webhook.token")).unwrap();
        let token = format!("Bearer {token}");
        // What a proxy would say of the address is anybody's word.
        let headers = [("authorization", token.as_str()), ("x-forwarded-for", "192.0.2.7")];
        assert_eq!(send(&stage, "generic", &headers, &body()).await.0, status, "{network}");
    }
}
