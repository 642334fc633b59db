//! Who is signed in, and for how long.

use reqwest::Method;
use serde_json::{Value, json};

use super::browser::Browser;
use super::{signed_in, stage, token};
use crate::stage::{Plan, id};

/// Whether somebody is signed in there.
async fn is_in(browser: &Browser) -> bool {
    let shown = browser.get("/console").await;
    match shown.status {
        200 => true,
        303 => {
            assert_eq!(shown.location, "/console/sign-in?next=%2Fconsole");
            false
        }
        other => panic!("{other}: {}", shown.page),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_begins_a_session_that_no_script_reads_and_signing_out_ends_it() {
    for plan in [Plan::new(), Plan::new().on_postgres().await] {
        let stage = plan.set().await;
        let token = token(&stage, "sue", "responder").await;
        let mut browser = Browser::new(&stage.url);
        assert!(!is_in(&browser).await);
        let page = browser.page("/console/sign-in").await;
        assert!(page.contains("<form id=\"sign-in\"") && !page.contains("<script"), "{page}");
        let shown = browser.sign_in("stk_nobodys").await;
        assert!(shown.status == 401 && shown.cookie.is_empty(), "{} {}", shown.status, shown.page);

        let shown = browser.sign_in(&token).await;
        assert_eq!((shown.status, shown.location.as_str()), (303, "/console"), "{}", shown.page);
        for part in ["; HttpOnly", "; SameSite=Strict", "; Path=/", "; Max-Age=43"] {
            assert!(shown.cookie.contains(part), "{}", shown.cookie);
        }
        assert!(
            !shown.cookie.contains(&token) && !shown.cookie.contains("Secure"),
            "{}",
            shown.cookie
        );
        let shown = browser.get("/console").await;
        assert!(shown.status == 200 && shown.page.contains("<span id=\"who\">sue</span>"));
        let policy = shown.headers["content-security-policy"].to_str().unwrap();
        for part in [
            "default-src 'none'",
            "style-src 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        ] {
            assert!(policy.contains(part), "{policy}");
        }
        assert_eq!(shown.headers["cache-control"], "no-store");
        let style = browser.get("/console/style.css").await;
        assert_eq!(style.status, 200);
        assert_eq!(style.headers["content-type"], "text/css; charset=utf-8");

        let shown = browser.send("/console/sign-out", &[]).await;
        assert!(shown.status == 200 && shown.cookie.contains("Max-Age=0"), "{}", shown.page);
        assert!(
            !is_in(&browser).await,
            "the cookie is good for nothing, wherever it was copied to"
        );
        let told = stage.admin.list("/audit?actor=sue").await;
        let told: Vec<_> = told.iter().map(|one| one["verb"].as_str().unwrap()).collect();
        assert_eq!(told, ["console.sign-out", "console.sign-in"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_over_with_its_token_its_person_and_its_time() {
    let stage = Plan::new().manual().set().await;
    let revoked = signed_in(&stage, "rev", "viewer").await;
    let rotated = signed_in(&stage, "rot", "viewer").await;
    let gone = signed_in(&stage, "gone", "viewer").await;
    let stays = signed_in(&stage, "stays", "viewer").await;
    for browser in [&revoked, &rotated, &gone, &stays] {
        assert!(is_in(browser).await);
    }
    stage.admin.delete("/tokens/rev").await;
    stage.admin.post("/tokens/rot/rotate", &json!({})).await;
    stage.admin.post("/people/gone/disable", &json!({"reason": "left"})).await;
    for browser in [&revoked, &rotated, &gone] {
        assert!(!is_in(browser).await);
    }
    stage.pass(12 * 3_600_000 - 1_000);
    assert!(is_in(&stays).await);
    stage.pass(1_000);
    assert!(!is_in(&stays).await);

    let made = json!({"name": "brief", "roles": ["viewer"], "expires": "1h"});
    let made = id(&stage.admin.post("/tokens", &made).await["token"]);
    let mut brief = Browser::new(&stage.url);
    brief.sign_in(&made).await;
    assert!(is_in(&brief).await);
    stage.pass(3_600_000);
    assert!(!is_in(&brief).await, "no session outlives its token");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_administrator_signs_in_and_no_session_begins_another() {
    let stage = stage().await;
    let admin = std::fs::read_to_string(stage.dir().join("keys/admin.token")).unwrap();
    let mut browser = Browser::new(&stage.url);
    assert_eq!(browser.sign_in(admin.trim()).await.status, 303);
    let page = browser.page("/console").await;
    assert!(page.contains("<span id=\"who\">admin</span>"), "{page}");
    let session = browser.cookie.clone().unwrap();
    let (_, session) = session.split_once('=').unwrap();
    let shown = Browser::new(&stage.url).sign_in(session).await;
    assert!(shown.status == 403 && shown.cookie.is_empty(), "{} {}", shown.status, shown.page);
    // Nor is a token that is good for longer a session.
    let mut other = Browser::new(&stage.url);
    let long = token(&stage, "sue", "viewer").await;
    other.cookie = Some(format!("stanch_console={long}"));
    assert!(!is_in(&other).await);
    other.cookie = Some(format!("stanch_console={session}; stanch_console={session}"));
    assert!(!is_in(&other).await, "of two cookies one is somebody else's");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_there_is_tls_the_cookie_is_for_this_host_alone() {
    let mut plan = Plan::new();
    plan.config.public_url = Some("https://stanch.test/".to_owned());
    let stage = plan.set().await;
    let token = token(&stage, "sue", "responder").await;
    let mut browser = Browser::new(&stage.url);
    browser.origin = "https://stanch.test".to_owned();
    let shown = browser.sign_in(&token).await;
    assert!(shown.cookie.starts_with("__Host-stanch_console="), "{}", shown.cookie);
    assert!(
        shown.cookie.ends_with("; Secure") && shown.cookie.contains("; Path=/;"),
        "{}",
        shown.cookie
    );
    assert!(is_in(&browser).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_from_elsewhere_is_opened_once_more_from_here_and_leads_nowhere_else() {
    let stage = stage().await;
    let browser = Browser::new(&stage.url);
    let headers = [("sec-fetch-site", "cross-site")];
    let shown =
        browser.ask(Method::GET, "/console/runs?status=failed", &headers, String::new()).await;
    let again = "<meta http-equiv=\"refresh\" content=\"0; url=/console/runs?status=failed\">";
    assert!(shown.status == 200 && shown.page.contains(again), "{} {}", shown.status, shown.page);
    let page = browser.page("/console/sign-in?next=https://evil.example").await;
    assert!(page.contains("name=\"next\" value=\"/console\"") && !page.contains("evil"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_listed_with_the_tokens_as_its_persons() {
    let stage = stage().await;
    let _sue = signed_in(&stage, "sue", "responder").await;
    let names: Vec<Value> = stage.admin.list("/tokens").await;
    let session =
        names.iter().find(|one| one["name"].as_str().unwrap().starts_with("console:sue:"));
    let session = session.unwrap();
    assert_eq!((&session["person"], &session["roles"]), (&json!("sue"), &json!(["responder"])));
    assert!(session["expires_at"].is_string());
}
