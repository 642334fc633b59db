//! People sign in with a real browser, and see what came of it.

use serde_json::json;
use stanch_tests::browser::{Browser, DESKTOP, PHONE};
use tokio::net::TcpStream;

use crate::login::{begin, kept, set};

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_and_the_browser_says_so() {
    let (server, _provider) = set().await;
    let (mut process, url) = begin(&server).await;
    let browser = Browser::start().await;
    browser.open(url.as_str()).await;
    assert_eq!(browser.text("h1").await, "You are signed in");
    assert!(process.wait().await.success(), "{}", process.output());
    assert!(process.output().contains("mia is signed in"), "{}", process.output());
    assert!(!process.output().contains("refused"), "{}", process.output());
    for window in [DESKTOP, PHONE] {
        for is_dark in [false, true] {
            browser.look_from(window).await;
            browser.darken(is_dark).await;
            assert_eq!(browser.audit().await, [""; 0]);
        }
    }
    assert_eq!(browser.console().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_that_comes_to_nothing_is_no_success_in_the_browser_either() {
    let (server, provider) = set().await;
    provider.set(|state| state.claims = json!({"nonce": "another"}));
    let (mut process, url) = begin(&server).await;
    let browser = Browser::start().await;
    browser.open(url.as_str()).await;
    assert_eq!(browser.text("h1").await, "Nobody is signed in");
    assert!(!process.wait().await.success(), "{}", process.output());
    assert!(kept(&server).is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_on_which_nothing_is_said_keep_nobody_waiting() {
    let (server, _provider) = set().await;
    let (mut process, url) = begin(&server).await;
    let back = url.query_pairs().find(|(name, _)| name == "redirect_uri").unwrap().1.into_owned();
    let address = back.strip_prefix("http://").unwrap().strip_suffix("/callback").unwrap();
    // As many as would take longer than a test waits, if each were waited for.
    let mut silent = Vec::new();
    for _ in 0..30 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    let browser = Browser::start().await;
    browser.open(url.as_str()).await;
    assert_eq!(browser.text("h1").await, "You are signed in");
    assert!(process.wait().await.success(), "{}", process.output());
    drop(silent);
}
