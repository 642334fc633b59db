//! Callers whom an identity provider vouches for, and all who only say so.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RsaKeyPair, RsaPublicKeyComponents,
};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};
use stanch_engine_server::Reply;
use tokio::net::TcpListener;

use crate::caller::Caller;
use crate::stage::{Plan, Stage};

const RSA: &[u8] = include_bytes!("../fixtures/sns/signing-key.pem");

/// The time on the stage.
pub(crate) const NOW_S: i64 = 1_795_489_200;

/// Keys of each kind that Stanch knows.
struct Signers {
    rsa: RsaKeyPair,
    p256: EcdsaKeyPair,
    ed: Ed25519KeyPair,
}

impl Signers {
    fn new() -> Self {
        let random = SystemRandom::new();
        let der = PrivatePkcs8KeyDer::from_pem_slice(RSA).unwrap();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let p256 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let ed = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
        Self {
            rsa: RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).unwrap(),
            p256: EcdsaKeyPair::from_pkcs8(algorithm, p256.as_ref(), &random).unwrap(),
            ed: Ed25519KeyPair::from_pkcs8(ed.as_ref()).unwrap(),
        }
    }

    /// The public halves, as a provider publishes them.
    fn published(&self) -> Vec<Value> {
        let rsa: RsaPublicKeyComponents<Vec<u8>> = self.rsa.public().into();
        let point = self.p256.public_key().as_ref();
        vec![
            json!({"kty": "RSA", "kid": "r", "use": "sig", "alg": "RS256",
                "n": base64(&rsa.n),
                "e": base64(&rsa.e)}),
            json!({"kty": "EC", "crv": "P-256", "kid": "p", "x": base64(&point[1..33]),
                "y": base64(&point[33..])}),
            json!({"kty": "OKP", "crv": "Ed25519", "kid": "e",
                "x": base64(self.ed.public_key().as_ref())}),
            json!({"kty": "EC", "crv": "P-521", "kid": "a kind that nobody here knows"}),
        ]
    }

    fn sign(&self, head: &Value, claims: &Value) -> String {
        let text = format!("{}.{}", base64(head.to_string()), base64(claims.to_string()));
        let signature = match head["alg"].as_str().unwrap() {
            "RS256" => {
                let mut signature = vec![0; self.rsa.public().modulus_len()];
                let random = SystemRandom::new();
                self.rsa.sign(&RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature).unwrap();
                signature
            }
            "ES256" => {
                self.p256.sign(&SystemRandom::new(), text.as_bytes()).unwrap().as_ref().to_vec()
            }
            _ => self.ed.sign(text.as_bytes()).as_ref().to_vec(),
        };
        format!("{text}.{}", base64(signature))
    }
}

/// RFC 4648 section 5, without padding.
fn base64(bytes: impl AsRef<[u8]>) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let letters = bytes.as_ref().chunks(3).flat_map(|chunk| {
        let word = chunk.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte));
        let word = word << (8 * (3 - chunk.len()));
        let letter = move |at: usize| char::from(LETTERS[(word >> (18 - 6 * at)) as usize & 63]);
        (0..=chunk.len()).map(letter)
    });
    letters.collect()
}

/// An identity provider that counts how often its keys are asked for.
struct Provider {
    url: String,
    keys: Arc<Mutex<Vec<Value>>>,
    asked: Arc<AtomicUsize>,
    is_down: Arc<AtomicBool>,
}

impl Provider {
    async fn serve(keys: Vec<Value>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let provider = Self {
            url: url.clone(),
            keys: Arc::new(Mutex::new(keys)),
            asked: Arc::default(),
            is_down: Arc::default(),
        };
        let (keys, asked) = (provider.keys.clone(), provider.asked.clone());
        let is_down = provider.is_down.clone();
        let answer = move |request: http::Request<Bytes>| {
            let (status, body) = match request.uri().path() {
                _ if is_down.load(Ordering::SeqCst) => (503, json!({})),
                "/.well-known/openid-configuration" => {
                    (200, json!({"issuer": url, "jwks_uri": format!("{url}/keys")}))
                }
                "/keys" => {
                    asked.fetch_add(1, Ordering::SeqCst);
                    (200, json!({"keys": *keys.lock().unwrap()}))
                }
                _ => (404, json!({})),
            };
            let answer = http::Response::builder().status(status);
            Reply::Response(answer.body(Bytes::from(body.to_string())).unwrap())
        };
        tokio::spawn(stanch_engine_server::serve_with(listener, answer, std::future::pending()));
        provider
    }
}

pub(crate) struct Set {
    pub(crate) stage: Stage,
    provider: Provider,
    signers: Signers,
}

async fn set() -> Set {
    set_with(Plan::new()).await
}

/// A stage with a provider that vouches for callers, and whose time stands still.
pub(crate) async fn set_with(plan: Plan) -> Set {
    let signers = Signers::new();
    let provider = Provider::serve(signers.published()).await;
    let mut plan = plan.manual();
    let text = format!(
        "[oidc]\nissuer = \"{}\"\naudience = \"stanch\"\n[oidc.groups]\nsoc = [\"responder\"]\n\
         leads = [\"incident-lead\", \"admin\"]\n",
        provider.url
    );
    let read: stanch_engine_cli::config::Config = toml::from_str(&text).unwrap();
    plan.config.oidc = read.oidc;
    let stage = plan.set().await;
    Set { stage, provider, signers }
}

impl Set {
    pub(crate) fn claims(&self) -> Value {
        json!({"iss": self.provider.url, "aud": ["other", "stanch"], "sub": "mia", "iat": NOW_S - 60,
            "nbf": NOW_S - 60, "exp": NOW_S + 600, "groups": ["soc", "chess"]})
    }

    fn with(&self, member: &str, value: Value) -> Value {
        let mut claims = self.claims();
        claims[member] = value;
        claims
    }

    pub(crate) fn token(&self, claims: &Value) -> String {
        self.signers.sign(&json!({"alg": "ES256", "kid": "p"}), claims)
    }

    async fn ask(&self, token: &str) -> (u16, Value) {
        let caller = Caller::new(&self.stage.url, token);
        caller.try_ask(reqwest::Method::GET, "/runs", None).await.unwrap()
    }

    async fn is_refused(&self, token: &str, why: &str) {
        let (status, problem) = self.ask(token).await;
        assert_eq!((status, &problem["code"]), (401, &json!("ST0303")), "{why}: {problem}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(why), "{detail} is not {why}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_each_kind_says_who_calls_and_what_they_may() {
    let set = set().await;
    for (alg, kid) in [("RS256", "r"), ("ES256", "p"), ("EdDSA", "e")] {
        let token = set.signers.sign(&json!({"alg": alg, "kid": kid}), &set.claims());
        assert_eq!(set.ask(&token).await.0, 200, "{alg}");
        let unnamed = set.signers.sign(&json!({"alg": alg}), &set.claims());
        assert_eq!(set.ask(&unnamed).await.0, 200, "{alg} without a name of its key");
    }
    assert_eq!(set.provider.asked.load(Ordering::SeqCst), 1, "the keys are kept");
    // Groups are roles: of a responder, who makes no tokens, and of a lead, who does.
    let mia = Caller::new(&set.stage.url, &set.token(&set.claims()));
    let lead = set.token(&set.with("groups", json!(["leads"])));
    let lead = Caller::new(&set.stage.url, &lead);
    let new = json!({"name": "x", "roles": ["viewer"]});
    assert_eq!(mia.post_refused("/tokens", &new).await.0, 403);
    assert_eq!(lead.post("/tokens", &new).await["name"], "x");
    let incident = json!({"title": "t", "severity": "low"});
    let opened = mia.post("/incidents", &incident).await;
    assert!(opened.to_string().contains("inc_"), "{opened}");
    let nobody = set.token(&set.with("groups", json!(["chess"])));
    let nobody = Caller::new(&set.stage.url, &nobody);
    assert_eq!(nobody.post_refused("/incidents", &incident).await.0, 403);
    // Our own tokens are good as before.
    set.stage.mia.get("/runs").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_forges_a_token_is_nobody() {
    let set = set().await;
    let claims = set.claims();
    let parts =
        |head: Value| format!("{}.{}", base64(head.to_string()), base64(claims.to_string()));
    // Nothing is signed with nothing.
    for alg in ["none", "None", ""] {
        let text = parts(json!({"alg": alg, "typ": "JWT"}));
        set.is_refused(&format!("{text}."), "may be with RS256, ES256, EdDSA").await;
        set.is_refused(&format!("{text}.AAAA"), "may be with").await;
    }
    // The public key of the provider is nobody's secret: not as bytes of its modulus, not as JSON.
    let published = set.signers.published().remove(0);
    let n = published["n"].as_str().unwrap().to_owned();
    for secret in [n.as_bytes(), published.to_string().as_bytes(), RSA] {
        let text = parts(json!({"alg": "HS256", "kid": "r"}));
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret);
        let tag = ring::hmac::sign(&key, text.as_bytes());
        set.is_refused(&format!("{text}.{}", base64(tag.as_ref())), "`HS256`").await;
        // And a header that names what is allowed has it checked as that, and by a key of that kind.
        let text = parts(json!({"alg": "RS256", "kid": "r"}));
        let tag = ring::hmac::sign(&key, text.as_bytes());
        set.is_refused(&format!("{text}.{}", base64(tag.as_ref())), "signature is wrong").await;
    }
    // A key that the token itself brings is none.
    let thief = Signers::new();
    let own = thief.published().remove(1);
    let head = json!({"alg": "ES256", "kid": "p", "jwk": own, "jku": "http://127.0.0.1:1/keys"});
    set.is_refused(&thief.sign(&head, &claims), "signature is wrong").await;
    set.is_refused(&set.signers.sign(&json!({"alg": "ES256", "kid": "r"}), &claims), "names a key")
        .await;
    // One letter of what was signed.
    let right = set.token(&claims);
    let (head, rest) = right.split_once('.').unwrap();
    let (_, signature) = rest.split_once('.').unwrap();
    let other = base64(set.with("groups", json!(["leads"])).to_string());
    set.is_refused(&format!("{head}.{other}.{signature}"), "signature is wrong").await;
    let crit = json!({"alg": "ES256", "kid": "p", "crit": ["b64"], "b64": false});
    set.is_refused(&set.signers.sign(&crit, &claims), "crit").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_for_us_from_whom_we_know_and_now() {
    let set = set().await;
    for (member, value, why) in [
        ("iss", json!("https://elsewhere.example"), "another issuer"),
        ("iss", json!(format!("{}/", set.provider.url)), "another issuer"),
        ("aud", json!("stanch-test"), "another audience"),
        ("aud", json!(["other"]), "another audience"),
        ("aud", Value::Null, "another audience"),
        ("exp", json!(NOW_S - 61), "has expired"),
        ("exp", Value::Null, "no `exp`"),
        ("exp", json!("never"), "`exp` is no number"),
        ("exp", json!(1e300), "has expired"),
        ("nbf", json!(NOW_S + 61), "`nbf` lies ahead"),
        ("iat", json!(NOW_S + 61), "`iat` lies ahead"),
        ("sub", json!("admin"), "nobody's name"),
        ("sub", json!("mia; drop"), "can't be a name"),
        ("sub", json!(""), "can't be a name"),
        ("sub", Value::Null, "no `sub`"),
    ] {
        set.is_refused(&set.token(&set.with(member, value)), why).await;
    }
    // Clocks may be a minute apart.
    assert_eq!(set.ask(&set.token(&set.with("exp", json!(NOW_S - 59)))).await.0, 200);
    assert_eq!(set.ask(&set.token(&set.with("nbf", json!(NOW_S + 59)))).await.0, 200);
    // Whoever was disabled is, with every token.
    set.stage.admin.post("/people/mia/disable", &json!({"reason": "left"})).await;
    set.is_refused(&set.token(&set.claims()), "mia was disabled").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_unknown_keys_asks_the_provider_once_a_minute() {
    let set = set().await;
    let asked = || set.provider.asked.load(Ordering::SeqCst);
    assert_eq!(set.ask(&set.token(&set.claims())).await.0, 200);
    assert_eq!(asked(), 1);
    let storm = async || {
        let tokens = (0..100).map(|at| {
            let head = json!({"alg": "ES256", "kid": format!("unknown-{at}")});
            set.signers.sign(&head, &set.claims())
        });
        let callers: Vec<_> = tokens.map(|token| Caller::new(&set.stage.url, &token)).collect();
        let asks = callers.into_iter().map(|caller| {
            tokio::spawn(async move {
                caller.try_ask(reqwest::Method::GET, "/runs", None).await.unwrap().0
            })
        });
        for ask in asks.collect::<Vec<_>>() {
            assert_eq!(ask.await.unwrap(), 401);
        }
    };
    storm().await;
    assert_eq!(asked(), 1, "it was asked less than a minute ago");
    set.stage.pass(60_000);
    storm().await;
    assert_eq!(asked(), 2);

    // A key that was rotated in is known a minute later at most, and one that was taken out is not.
    let thief = Signers::new();
    let mut new = thief.published().remove(1);
    new["kid"] = json!("new");
    *set.provider.keys.lock().unwrap() = vec![new];
    set.stage.pass(60_000);
    let rotated = thief.sign(&json!({"alg": "ES256", "kid": "new"}), &set.claims());
    assert_eq!(set.ask(&rotated).await.0, 200);
    assert_eq!(asked(), 3);
    set.is_refused(&set.token(&set.claims()), "does not publish").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_down_is_no_reason_to_believe_anybody() {
    let set = set().await;
    set.provider.is_down.store(true, Ordering::SeqCst);
    let token = set.token(&set.with("exp", json!(NOW_S + 200_000)));
    let (status, problem) = set.ask(&token).await;
    assert_eq!((status, &problem["code"]), (503, &json!("ST0405")), "{problem}");
    set.provider.is_down.store(false, Ordering::SeqCst);
    set.stage.pass(60_000);
    assert_eq!(set.ask(&token).await.0, 200);
    // Keys that are known hold for a day without it.
    set.provider.is_down.store(true, Ordering::SeqCst);
    set.stage.pass(3_600_000);
    assert_eq!(set.ask(&token).await.0, 200);
    set.stage.pass(24 * 3_600_000);
    assert_eq!(set.ask(&token).await.0, 503);
}
