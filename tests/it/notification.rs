//! SNS by HTTP: messages that `openssl` signed, a certificate that comes by TLS from a host of this
//! test, and strangers who try to have this program fetch something for them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    PKCS_RSA_SHA256, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use stanch_engine_server::trust::{Proof, SourcePolicy};
use stanch_plugins_aws::TopicSender;
use stanch_plugins_http::Fetcher;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::stage::{Plan, Stage, id};

const SIGNED: &str = include_str!("../fixtures/sns/signed.json");
const KEY: &str = include_str!("../fixtures/sns/signing-key.pem");
const HOST: &str = "sns.us-east-1.amazonaws.com";
const TOPIC: &str = "arn:aws:sns:us-east-1:111122223333:findings";

fn signed(name: &str) -> Value {
    serde_json::from_str::<Value>(SIGNED).unwrap()[name].clone()
}

/// What stands in for AWS: its host by TLS, and a listener that nobody may ever touch.
struct Amazon {
    address: SocketAddr,
    trap: TcpListener,
    asked: Arc<Mutex<Vec<String>>>,
    root: Vec<u8>,
}

/// What differs from a certificate that is right.
#[derive(Clone, Copy, PartialEq)]
enum Flaw {
    None,
    OtherRoot,
    OtherName,
    Expired,
    NoCertificate,
    Redirect,
}

fn authority() -> (Issuer<'static, KeyPair>, CertificateDer<'static>) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap().der().clone();
    (Issuer::new(params, key), certificate)
}

fn certificate_of(
    name: &str,
    key: &KeyPair,
    issuer: &Issuer<'_, KeyPair>,
    years: (i32, i32),
) -> rcgen::Certificate {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    (params.not_before, params.not_after) =
        (date_time_ymd(years.0, 1, 1), date_time_ymd(years.1, 12, 31));
    params.signed_by(key, issuer).unwrap()
}

impl Amazon {
    async fn open(flaw: Flaw) -> Self {
        let (issuer, root) = authority();
        let (other, _) = authority();
        let key = KeyPair::from_pem_and_sign_algo(KEY, &PKCS_RSA_SHA256).unwrap();
        let name = if flaw == Flaw::OtherName { "s3.amazonaws.com" } else { "sns.amazonaws.com" };
        let years = if flaw == Flaw::Expired { (2020, 2021) } else { (2026, 2027) };
        let by = if flaw == Flaw::OtherRoot { &other } else { &issuer };
        let pem = certificate_of(name, &key, by, years).pem();
        let pem = if flaw == Flaw::NoCertificate { "hello".to_owned() } else { pem };

        let host_key = KeyPair::generate().unwrap();
        let host = certificate_of(HOST, &host_key, &issuer, (2020, 2090));
        let private = PrivateKeyDer::try_from(host_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![host.der().clone()], private)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let trap = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let answer = match flaw {
            Flaw::Redirect => format!(
                "HTTP/1.1 302 Found\r\nlocation: http://{}/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
                trap.local_addr().unwrap()
            ),
            _ => format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{pem}",
                pem.len()
            ),
        };
        tokio::spawn(serve(listener, TlsAcceptor::from(Arc::new(config)), answer, asked.clone()));
        Self { address, trap, asked, root: root.to_vec() }
    }

    /// A stage whose source `sns` takes messages of the topic alone.
    async fn stage(&self) -> Stage {
        // Hosts of this test have certificates of this test.
        let root = reqwest::Certificate::from_der(&self.root).unwrap();
        let client = stanch_plugins_http::client_builder()
            .no_proxy()
            .tls_certs_only([root])
            .resolve(HOST, self.address);
        let fetch = Arc::new(Fetcher::of(client).unwrap());
        let topics = vec![TOPIC.to_owned()];
        let sender =
            TopicSender::with_roots(topics, fetch, std::slice::from_ref(&self.root)).unwrap();
        let proofs = vec![Proof::Body(Arc::new(sender))];
        let policy = SourcePolicy { proofs, ..SourcePolicy::default() };
        let mut plan = Plan::new().manual();
        plan.seams.sources = BTreeMap::from([("sns".to_owned(), policy)]);
        plan.set().await
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// That nobody came to the trap. What has connected waits to be accepted, so this sees it.
    async fn was_not_trapped(&self) {
        let accepted = std::future::poll_fn(|context| {
            std::task::Poll::Ready(self.trap.poll_accept(context).is_ready())
        });
        assert!(!accepted.await, "somebody called where nobody may");
    }
}

async fn serve(
    listener: TcpListener,
    tls: TlsAcceptor,
    answer: String,
    asked: Arc<Mutex<Vec<String>>>,
) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let Ok(mut stream) = tls.accept(stream).await else { continue };
        let (mut request, mut byte) = (Vec::new(), [0; 1]);
        while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).await.unwrap_or(0) > 0 {
            request.extend_from_slice(&byte);
        }
        let line = String::from_utf8_lossy(&request).lines().next().unwrap_or("").to_owned();
        asked.lock().unwrap().push(line);
        let _ = stream.write_all(answer.as_bytes()).await;
        let _ = stream.shutdown().await;
    }
}

async fn send(stage: &Stage, message: &Value) -> (u16, Value) {
    let http = stanch_plugins_http::client_builder().build().unwrap();
    let request = http.post(format!("{}/v1/webhooks/sns", stage.url)).body(message.to_string());
    let request = request.header("content-type", "text/plain; charset=UTF-8");
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_both_signatures_are_taken_and_the_certificate_is_fetched_once() {
    let amazon = Amazon::open(Flaw::None).await;
    let stage = amazon.stage().await;
    for name in
        ["notification.v1", "notification.v1.subject", "notification.v2", "notification.v2.subject"]
    {
        let (status, answer) = send(&stage, &signed(name)).await;
        assert_eq!(status, 202, "{name}: {answer}");
    }
    let alerts = stage.mia.list("/alerts").await;
    assert_eq!((alerts.len(), &alerts[0]["deliveries"]), (1, &json!(4)));
    assert_eq!(alerts[0]["source"], "guardduty");
    assert_eq!(amazon.asked().len(), 1, "{:?}", amazon.asked());
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_changed_in_a_message_its_signature_is_wrong() {
    let amazon = Amazon::open(Flaw::None).await;
    let stage = amazon.stage().await;
    for version in ["notification.v1.subject", "notification.v2.subject"] {
        let right = signed(version);
        for member in ["Message", "MessageId", "Subject", "Timestamp", "Signature"] {
            let mut changed = right.clone();
            let text = changed[member].as_str().unwrap();
            let flipped = match member {
                "Timestamp" => text.replace("02:59:00", "02:59:01"),
                _ => text.replacen(|c: char| c.is_ascii_alphanumeric() && c != 'Z', "Z", 1),
            };
            changed[member] = json!(flipped);
            assert_eq!(send(&stage, &changed).await.0, 401, "{version} {member}");
        }
        let mut changes: Vec<(&str, Value)> = vec![
            ("Type", json!("SubscriptionConfirmation")),
            ("Type", json!("UnsubscribeConfirmation")),
            ("Type", json!("Other")),
            ("SignatureVersion", json!("3")),
            ("SignatureVersion", json!(if version.contains("v1") { "2" } else { "1" })),
            ("Signature", json!("")),
            ("Signature", json!("%%%")),
            ("Subject", Value::Null),
            // It is not signed, and would be read as something else.
            ("receiptHandle", json!("x")),
            ("Records", json!([])),
        ];
        changes.push(("TopicArn", json!("arn:aws:sns:us-east-1:111122223333:findings2")));
        for (member, value) in changes {
            let mut changed = right.clone();
            changed[member] = value.clone();
            assert_eq!(send(&stage, &changed).await.0, 401, "{version} {member} {value}");
        }
        // The subject can't move into the message, nor the other way round.
        let mut moved = right.clone();
        let message = format!("{}\nSubject\nx", moved["Message"].as_str().unwrap());
        moved["Message"] = json!(message);
        assert_eq!(send(&stage, &moved).await.0, 401);
    }
    // The last of two members of the same name is not what was signed.
    let twice = signed("notification.v2").to_string().replacen('{', "{\"Message\":\"x\",", 1);
    let http = stanch_plugins_http::client_builder().build().unwrap();
    let request = http.post(format!("{}/v1/webhooks/sns", stage.url)).body(twice);
    assert_eq!(request.send().await.unwrap().status().as_u16(), 401);
    assert!(stage.mia.list("/alerts").await.is_empty());
    assert!(stage.mia.list("/dead-letters").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_fetched_from_where_a_stranger_says() {
    let amazon = Amazon::open(Flaw::None).await;
    let stage = amazon.stage().await;
    let trap = amazon.trap.local_addr().unwrap();
    let pem = "SimpleNotificationService-00000000000000000000000000000001.pem";
    for url in [
        format!("http://{trap}/{pem}"),
        format!("https://{trap}/{pem}"),
        format!("https://{HOST}@{trap}/{pem}"),
        format!("https://{HOST}:x@{trap}/{pem}"),
        format!("https://{HOST}:{}/{pem}", trap.port()),
        format!("https://{HOST}:{}/{pem}", amazon.address.port()),
        format!("https://{HOST}\\@{trap}/{pem}"),
        format!("https://{HOST}#@{trap}/{pem}"),
        format!("https://{HOST}?@{trap}/{pem}"),
        format!("https://{HOST}.{trap}/{pem}"),
        format!("https://localhost:{}/{pem}", trap.port()),
        format!("https://[::ffff:127.0.0.1]:{}/{pem}", trap.port()),
        format!("https://{HOST}.evil.example/{pem}"),
        format!("https://{HOST}/other.pem"),
        format!("https://{HOST}/x/../{pem}"),
        format!("http://{HOST}/{pem}"),
        "file:///etc/passwd".to_owned(),
    ] {
        for name in ["notification.v2", "SubscriptionConfirmation.v2"] {
            let mut message = signed(name);
            message["SigningCertURL"] = json!(url);
            let (status, problem) = send(&stage, &message).await;
            assert_eq!((status, &problem["code"]), (401, &json!("ST0404")), "{url}");
            assert!(!problem.to_string().contains(&url), "{problem}");
        }
    }
    assert!(amazon.asked().is_empty(), "{:?}", amazon.asked());
    // Signed rightly, and it asks to confirm elsewhere.
    for url in [format!("http://{trap}/latest/meta-data/"), format!("https://{HOST}@{trap}/")] {
        let mut message = signed("SubscriptionConfirmation.v2");
        message["SubscribeURL"] = json!(url);
        assert_eq!(send(&stage, &message).await.0, 401);
    }
    assert_eq!(send(&stage, &signed("SubscriptionConfirmation.elsewhere")).await.0, 401);
    let fetched: Vec<_> = amazon.asked();
    assert!(fetched.iter().all(|line| line.contains(".pem")), "{fetched:?}");
    amazon.was_not_trapped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_of_aws_itself_is_not_followed() {
    let amazon = Amazon::open(Flaw::Redirect).await;
    let stage = amazon.stage().await;
    let (status, problem) = send(&stage, &signed("notification.v2")).await;
    assert_eq!((status, &problem["code"]), (503, &json!("ST0405")), "{problem}");
    assert_eq!(amazon.asked().len(), 1);
    amazon.was_not_trapped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_not_aws_s_or_not_of_its_time_proves_nothing() {
    for flaw in [Flaw::OtherRoot, Flaw::OtherName, Flaw::Expired, Flaw::NoCertificate] {
        let amazon = Amazon::open(flaw).await;
        let stage = amazon.stage().await;
        let (status, problem) = send(&stage, &signed("notification.v2")).await;
        assert_eq!(status, 401, "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains("certificate"), "{problem}");
        assert!(stage.mia.list("/alerts").await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_not_listed_or_a_message_that_is_old_is_refused_before_anything_is_fetched()
{
    let amazon = Amazon::open(Flaw::None).await;
    let stage = amazon.stage().await;
    for name in ["notification.other_topic", "notification.old"] {
        let (status, problem) = send(&stage, &signed(name)).await;
        assert_eq!((status, &problem["code"]), (401, &json!("ST0404")), "{problem}");
    }
    stage.pass(15 * 24 * 60 * 60 * 1_000);
    assert_eq!(send(&stage, &signed("notification.v2")).await.0, 401, "a replay of long ago");
    assert!(amazon.asked().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_of_a_listed_topic_is_confirmed_at_aws_and_its_end_pages() {
    let amazon = Amazon::open(Flaw::None).await;
    let stage = amazon.stage().await;
    for version in ["1", "2"] {
        let (status, answer) =
            send(&stage, &signed(&format!("SubscriptionConfirmation.v{version}"))).await;
        assert_eq!(status, 200, "{answer}");
        let asked = amazon.asked();
        let last = asked.last().unwrap();
        let query = format!("/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=2336412f37fb");
        assert!(last.starts_with(&format!("GET {query}")), "{last}");
    }
    assert!(stage.paged().is_empty());
    let (status, _) = send(&stage, &signed("UnsubscribeConfirmation.v2")).await;
    assert_eq!(status, 200);
    stage.page_that_says("falls silent").await;
    let pages = stage.mia.list("/pages").await;
    assert!(id(&pages[0]["message"]).contains(TOPIC), "{pages:?}");
    assert!(stage.mia.list("/alerts").await.is_empty());
}
