//! A sign-in that is over goes on by itself, where the provider gave what it goes on with.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::login::{Provider, begin, kept, open, run, set, signed_in};
use crate::server::{Folder, Server};

/// Somebody who has signed in, at a provider that gives new tokens for old ones.
pub(crate) async fn mia() -> (Server, Provider) {
    let (server, provider) = set().await;
    provider.set(|state| state.refresh = Some(BTreeSet::new()));
    let (mut process, url) = begin(&server).await;
    open(signed_in(&url).await.as_str()).await;
    assert!(process.wait().await.success(), "{}", process.output());
    (server, provider)
}

fn session(server: &Server) -> Value {
    let all: Value = serde_json::from_str(&kept(server).unwrap()).unwrap();
    all[&server.url].clone()
}

fn refresh_token(server: &Server) -> Option<String> {
    session(server)["refresh"]["token"].as_str().map(str::to_owned)
}

/// The time of the session is over.
pub(crate) fn expire(folder: &Folder, url: &str) {
    let place = folder.path().join(".config/stanch/sign-in.json");
    let mut all: Value = serde_json::from_slice(&std::fs::read(&place).unwrap()).unwrap();
    all[url]["expires_at"] = json!("2026-01-01T00:00:00Z");
    std::fs::write(&place, all.to_string()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_over_goes_on_once_however_many_commands_run() {
    let (server, provider) = mia().await;
    let first = refresh_token(&server).unwrap();
    assert_eq!(run(&server, &["nodes"]).await.code, 0);
    assert_eq!(provider.refreshes(), 0, "it is good");

    expire(&server.folder, &server.url);
    let halted = run(&server, &["halt", "--reason", "it spreads"]).await;
    assert_eq!(halted.code, 0, "{halted:?}");
    let (_, told) = server.get("/v1/audit?verb=halt").await;
    assert_eq!(told["items"][0]["actor"], "mia", "{told}");
    let second = refresh_token(&server).unwrap();
    assert_ne!(first, second, "the one that was spent is not kept");
    let lock = server.folder.path().join(".config/stanch/sign-in.lock");
    assert_eq!(std::fs::metadata(lock).unwrap().mode() & 0o777, 0o600);
    assert_eq!(run(&server, &["nodes"]).await.code, 0);
    assert_eq!(provider.refreshes(), 1, "it is good again");

    // Whoever asks with what was spent loses all: of many shells only one asks.
    expire(&server.folder, &server.url);
    let many = join_all((0..8).map(|_| run(&server, &["nodes"]))).await;
    assert!(many.iter().all(|ran| ran.code == 0), "{many:?}");
    assert_eq!(provider.refreshes(), 2);
    assert_ne!(refresh_token(&server).unwrap(), second);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_does_not_go_on_says_so_and_is_not_asked_for_again() {
    let (server, provider) = mia().await;
    let token = refresh_token(&server).unwrap();
    expire(&server.folder, &server.url);
    // A provider that is down is not one that says no.
    provider.set(|state| state.is_down = true);
    let down = run(&server, &["nodes"]).await;
    assert!(down.code == 1 && down.err.contains("does not answer"), "{down:?}");
    assert_eq!(refresh_token(&server).as_deref(), Some(token.as_str()));
    provider.set(|state| state.is_down = false);

    provider.set(|state| state.refresh = Some(BTreeSet::new()));
    for asked in [1, 1] {
        let over = run(&server, &["nodes"]).await;
        assert!(over.code == 1 && over.err.contains("Sign in again: `stanch login`"), "{over:?}");
        assert!(!over.err.contains(&token), "{over:?}");
        assert_eq!(provider.refreshes(), asked);
    }
    assert_eq!(refresh_token(&server), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_becomes_somebody_else_by_it() {
    let (server, provider) = mia().await;
    let before = refresh_token(&server);
    expire(&server.folder, &server.url);
    provider.set(|state| state.claims = json!({"sub": "lea"}));
    let other = run(&server, &["nodes"]).await;
    assert!(other.code == 1 && other.err.contains("the ID token is lea's"), "{other:?}");
    assert_eq!(session(&server)["name"], "mia");
    // What was given meanwhile is not lost.
    assert_ne!(refresh_token(&server), before);
    provider.set(|state| state.claims = json!({}));
    assert_eq!(run(&server, &["nodes"]).await.code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_provider_that_gave_it_is_shown_it_whatever_the_server_says() {
    let (mut server, provider) = mia().await;
    expire(&server.folder, &server.url);
    server.process.kill().await;
    let ran = run(&server, &["nodes"]).await;
    assert!(ran.code == 1 && ran.err.contains("no server answers"), "{ran:?}");
    assert_eq!(provider.refreshes(), 1, "the server was not asked who the provider is");
}
