//! People sign in with a browser at an identity provider, and nobody signs in as somebody else.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt as _;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use bytes::Bytes;
use reqwest::Url;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};
use stanch_engine_core::digest::Sha256;
use stanch_engine_runtime::system;
use stanch_engine_server::Reply;
use stanch_tests::process::Process;
use tokio::net::TcpListener;

use crate::server::{Folder, Ran, Server};

/// An identity provider: whoever opens its page is mia, at once.
#[derive(Clone)]
pub(crate) struct Provider {
    url: String,
    state: Arc<Mutex<State>>,
}

pub(crate) struct State {
    key: Ed25519KeyPair,
    /// What was asked with each code that is not spent.
    codes: BTreeMap<String, BTreeMap<String, String>>,
    given: u32,
    /// How often a code came to be given for tokens.
    exchanges: u32,
    /// Whether a code is given without a look at its verifier.
    is_lax: bool,
    /// Claims that are not as they should be.
    pub(crate) claims: Value,
    /// What new tokens are given for, once each; nothing where none is given out.
    pub(crate) refresh: Option<BTreeSet<String>>,
    /// How often new tokens were asked for.
    refreshes: u32,
    pub(crate) is_down: bool,
    methods: Value,
}

impl Provider {
    async fn serve() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let random = ring::rand::SystemRandom::new();
        let key = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
        let state = State {
            key: Ed25519KeyPair::from_pkcs8(key.as_ref()).unwrap(),
            codes: BTreeMap::new(),
            given: 0,
            exchanges: 0,
            is_lax: false,
            claims: json!({}),
            refresh: None,
            refreshes: 0,
            is_down: false,
            methods: json!(["S256"]),
        };
        let provider = Self { url, state: Arc::new(Mutex::new(state)) };
        let played = provider.clone();
        let answer = move |request| played.answer(&request);
        tokio::spawn(stanch_engine_server::serve_with(listener, answer, std::future::pending()));
        provider
    }

    pub(crate) fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
    }

    fn exchanges(&self) -> u32 {
        self.state.lock().unwrap().exchanges
    }

    pub(crate) fn refreshes(&self) -> u32 {
        self.state.lock().unwrap().refreshes
    }

    fn answer(&self, request: &http::Request<Bytes>) -> Reply {
        let mut state = self.state.lock().unwrap();
        let url = &self.url;
        let query = request.uri().query().unwrap_or_default();
        let (status, body, location) = match request.uri().path() {
            _ if state.is_down => (503, json!({}), None),
            "/.well-known/openid-configuration" => {
                let said = json!({
                    "issuer": url, "jwks_uri": format!("{url}/keys"),
                    "authorization_endpoint": format!("{url}/auth"),
                    "token_endpoint": format!("{url}/token"),
                    "code_challenge_methods_supported": state.methods,
                });
                (200, said, None)
            }
            "/keys" => {
                let x = BASE64.encode(state.key.public_key().as_ref());
                let key = json!({"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": x});
                (200, json!({"keys": [key]}), None)
            }
            "/auth" => (302, Value::Null, Some(state.sign_in(pairs(query), url))),
            "/token" => {
                let form = String::from_utf8(request.body().to_vec()).unwrap();
                let (status, said) = state.exchange(&pairs(&form), url);
                (status, said, None)
            }
            _ => (404, Value::Null, None),
        };
        let mut answer = http::Response::builder().status(status);
        if let Some(location) = location {
            answer = answer.header("location", location);
        }
        Reply::Response(answer.body(Bytes::from(body.to_string())).unwrap())
    }
}

impl State {
    fn sign_in(&mut self, asked: BTreeMap<String, String>, issuer: &str) -> String {
        assert_eq!(asked["response_type"], "code");
        assert_eq!(asked["code_challenge_method"], "S256");
        self.given += 1;
        let code = format!("code-{}", self.given);
        let back = [("code", &code), ("state", &asked["state"]), ("iss", &issuer.to_owned())];
        let back = Url::parse_with_params(&asked["redirect_uri"], back).unwrap().to_string();
        self.codes.insert(code, asked);
        back
    }

    /// RFC 6749 section 4.1.3 and RFC 7636 section 4.6: a code is good once, for whoever asked for it.
    fn exchange(&mut self, form: &BTreeMap<String, String>, issuer: &str) -> (u16, Value) {
        let no = (400, json!({"error": "invalid_grant"}));
        if form["grant_type"] == "refresh_token" {
            self.refreshes += 1;
            let all = self.refresh.as_mut().unwrap();
            // What was spent before was stolen: nothing is good any more (RFC 9700 section 4.14.2).
            if !all.remove(&form["refresh_token"]) || form["client_id"] != "stanch" {
                all.clear();
                return no;
            }
            return (200, self.give(issuer, json!({})));
        }
        self.exchanges += 1;
        let Some(asked) = self.codes.remove(&form["code"]) else { return no };
        let challenge = BASE64.encode(Sha256::of(&form["code_verifier"]).bytes());
        let is_theirs = challenge == asked["code_challenge"]
            && form["redirect_uri"] == asked["redirect_uri"]
            && form["client_id"] == asked["client_id"];
        if !is_theirs && !self.is_lax {
            return no;
        }
        (200, self.give(issuer, json!({"nonce": asked["nonce"]})))
    }

    fn give(&mut self, issuer: &str, more: Value) -> Value {
        let now = system::world().now().millis() / 1_000;
        let mut claims = json!({
            "iss": issuer, "aud": "stanch", "sub": "mia", "groups": ["soc"], "iat": now,
            "exp": now + 600,
        });
        for (name, value) in
            [&more, &self.claims].into_iter().flat_map(|all| all.as_object().unwrap())
        {
            claims[name] = value.clone();
        }
        let mut given = json!({
            "token_type": "Bearer", "id_token": self.sign(&claims), "access_token": "opaque",
        });
        if let Some(all) = &mut self.refresh {
            self.given += 1;
            let token = format!("refresh-cAnArY7f3Q9-{}", self.given);
            given["refresh_token"] = json!(token);
            all.insert(token);
        }
        given
    }

    fn sign(&self, claims: &Value) -> String {
        let head = json!({"alg": "EdDSA", "kid": "k"});
        let text =
            format!("{}.{}", BASE64.encode(head.to_string()), BASE64.encode(claims.to_string()));
        format!("{text}.{}", BASE64.encode(self.key.sign(text.as_bytes())))
    }
}

fn pairs(text: &str) -> BTreeMap<String, String> {
    let url = Url::parse(&format!("http://form.invalid/?{text}")).unwrap();
    url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

pub(crate) async fn set() -> (Server, Provider) {
    let provider = Provider::serve().await;
    let folder = Folder::new();
    let text = std::fs::read_to_string(folder.path().join("stanch.toml")).unwrap();
    let oidc = format!(
        "[oidc]\nissuer = \"{}\"\naudience = \"stanch\"\nclient_id = \"stanch\"\n\
         [oidc.groups]\nsoc = [\"responder\"]\n",
        provider.url
    );
    folder.write("stanch.toml", &format!("{text}{oidc}"));
    let mut command = folder.command(&["serve"]);
    let process = Process::start(command.env("STANCH_LOG", "trace"));
    (Server::started(process, folder).await, provider)
}

/// A command of somebody whose home is the folder.
pub(crate) fn command(server: &Server, arguments: &[&str]) -> tokio::process::Command {
    let mut command = server.folder.command(arguments);
    command.env("STANCH_URL", &server.url).env("HOME", server.folder.path());
    command
}

pub(crate) async fn run(server: &Server, arguments: &[&str]) -> Ran {
    Ran::of(command(server, arguments).output().await.unwrap())
}

/// Begins to sign in, and gives the address that is to be opened.
pub(crate) async fn begin(server: &Server) -> (Process, Url) {
    let mut process = Process::start(&mut command(server, &["login"]));
    let line = process.wait_for_line(|line| line.starts_with("http")).await;
    (process, Url::parse(&line).unwrap())
}

/// Opens an address, as a browser does that follows nothing by itself: the status, and where it leads.
pub(crate) async fn open(url: &str) -> (u16, String) {
    let http = stanch_plugins_http::client_builder().build().unwrap();
    let answer = http.get(url).send().await.unwrap();
    let to = answer.headers().get("location").map(|to| to.to_str().unwrap().to_owned());
    (answer.status().as_u16(), to.unwrap_or_default())
}

/// Where the provider sends the browser back to.
pub(crate) async fn signed_in(url: &Url) -> Url {
    let (status, to) = open(url.as_str()).await;
    assert_eq!(status, 302);
    Url::parse(&to).unwrap()
}

/// The same address with another value.
fn with(url: &Url, name: &str, value: &str) -> Url {
    let mut pairs = pairs(url.query().unwrap());
    pairs.insert(name.to_owned(), value.to_owned());
    let mut bare = url.clone();
    bare.set_query(None);
    Url::parse_with_params(bare.as_str(), pairs).unwrap()
}

pub(crate) fn kept(server: &Server) -> Option<String> {
    let place = server.folder.path().join(".config/stanch/sign-in.json");
    let text = std::fs::read_to_string(&place).ok()?;
    assert_eq!(std::fs::metadata(&place).unwrap().mode() & 0o777, 0o600);
    Some(text)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_with_a_browser_and_the_commands_speak_as_them() {
    let (server, _provider) = set().await;
    let (mut process, url) = begin(&server).await;
    let back = signed_in(&url).await;
    assert_eq!(back.host_str(), Some("127.0.0.1"));
    assert_eq!(open(back.as_str()).await.0, 200);
    assert!(process.wait().await.success(), "{}", process.output());
    assert!(process.output().contains("mia is signed in"), "{}", process.output());
    let text = kept(&server).unwrap();
    // Her group is a role here.
    let halted = run(&server, &["halt", "--reason", "it spreads"]).await;
    assert_eq!(halted.code, 0, "{halted:?}");
    let (_, told) = server.get("/v1/audit?verb=halt").await;
    assert_eq!(told["items"][0]["actor"], "mia", "{told}");
    let unhalted = run(&server, &["unhalt"]).await;
    assert!(
        unhalted.code == 1 && unhalted.err.contains("mia has not the role admin"),
        "{unhalted:?}"
    );

    // When it is over nobody else speaks in her place, although the admin's token is at hand.
    let mut all: Value = serde_json::from_str(&text).unwrap();
    all[&server.url]["expires_at"] = json!("2026-01-01T00:00:00Z");
    std::fs::write(server.folder.path().join(".config/stanch/sign-in.json"), all.to_string())
        .unwrap();
    let late = run(&server, &["nodes"]).await;
    assert!(late.code == 1 && late.err.contains("stanch login"), "{late:?}");
    assert_eq!(run(&server, &["logout"]).await.code, 0);
    assert!(!kept(&server).unwrap().contains(&server.url));
    assert_eq!(run(&server, &["logout"]).await.code, 1);
    assert_eq!(run(&server, &["unhalt"]).await.code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_another_sign_in_is_refused_and_the_right_one_is_still_taken() {
    let (server, provider) = set().await;
    let (mut process, url) = begin(&server).await;
    let back = signed_in(&url).await;
    for (name, value) in [("state", "guessed"), ("iss", "http://127.0.0.1:1")] {
        assert_eq!(open(with(&back, name, value).as_str()).await.0, 400, "{name}");
    }
    assert_eq!(provider.exchanges(), 0, "no code of theirs is given for anything");
    assert_eq!(open(back.as_str()).await.0, 200);
    assert!(process.wait().await.success(), "{}", process.output());
    assert_eq!(provider.exchanges(), 1);
}

/// Ends a sign-in by this answer, which must come to nothing, and gives what was said.
async fn comes_to_nothing(server: &Server, mut process: Process, back: &Url) -> String {
    let before = kept(server);
    assert_eq!(open(back.as_str()).await.0, 400, "the browser is told, too");
    assert!(!process.wait().await.success(), "{}", process.output());
    assert_eq!(kept(server), before, "nothing new is kept");
    process.output()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_good_once_and_for_whoever_asked_for_it() {
    let (server, provider) = set().await;
    let (mut first, url) = begin(&server).await;
    let used = signed_in(&url).await;
    open(used.as_str()).await;
    assert!(first.wait().await.success(), "{}", first.output());

    // A code that was used, put into another sign-in.
    let (second, url) = begin(&server).await;
    let own = signed_in(&url).await;
    let replayed = with(&own, "code", &pairs(used.query().unwrap())["code"]);
    let said = comes_to_nothing(&server, second, &replayed).await;
    assert!(said.contains("invalid_grant"), "{said}");

    // A code that somebody else asked for: their verifier is not ours.
    let (_theirs, other) = begin(&server).await;
    let stolen = pairs(signed_in(&other).await.query().unwrap())["code"].clone();
    let (third, url) = begin(&server).await;
    let injected = with(&signed_in(&url).await, "code", &stolen);
    let said = comes_to_nothing(&server, third, &injected).await;
    assert!(said.contains("invalid_grant"), "{said}");

    // A provider that looks at no verifier: the token was made for another sign-in.
    provider.set(|state| state.is_lax = true);
    let stolen = pairs(signed_in(&other).await.query().unwrap())["code"].clone();
    let (fourth, url) = begin(&server).await;
    let injected = with(&signed_in(&url).await, "code", &stolen);
    let said = comes_to_nothing(&server, fourth, &injected).await;
    assert!(said.contains("`nonce`"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_not_of_this_sign_in_is_not_kept() {
    let (server, provider) = set().await;
    for (claims, says) in [
        (json!({"nonce": "another"}), "`nonce`"),
        (json!({"nonce": null}), "`nonce`"),
        (json!({"aud": "somebody-else"}), "another audience"),
        (json!({"aud": ["stanch", "somebody-else"]}), "`azp`"),
        (json!({"azp": "somebody-else"}), "somebody else"),
        (json!({"iss": "https://idp.example.com"}), "another issuer"),
        (json!({"exp": 1_700_000_000}), "expired"),
        (json!({"sub": "admin"}), "nobody's name"),
    ] {
        provider.set(|state| state.claims = claims.clone());
        let (process, url) = begin(&server).await;
        let said = comes_to_nothing(&server, process, &signed_in(&url).await).await;
        assert!(said.contains(says), "{claims}: {said}");
        assert!(kept(&server).is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_without_s256_is_not_asked() {
    let (server, provider) = set().await;
    for methods in [json!(["plain"]), json!([])] {
        provider.set(|state| state.methods = methods);
        let ran = run(&server, &["login"]).await;
        assert!(ran.code == 1 && ran.err.contains("PKCE with S256"), "{ran:?}");
        assert!(!ran.out.contains("http"), "no address is shown: {ran:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_signs_in_it_is_said_so() {
    let server = Folder::new().serve().await;
    let ran = run(&server, &["login"]).await;
    assert!(ran.code == 1 && ran.err.contains("client_id"), "{ran:?}");
}
