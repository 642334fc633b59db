//! What goes wrong on the way, and what the engine is told of it.

use std::sync::Arc;

use serde_json::json;
use stanch_plugins_aws::sandbox::Sandbox;
use stanch_plugins_sdk::core::span::Span;
use stanch_plugins_sdk::core::step::ErrorKind;
use stanch_plugins_sdk::{ActionContext, ActionError};

use crate::context::{SECRET, SESSION, anywhere, catalogue, catalogue_of_runner, done, error};
use crate::listener::{Manner, misbehave, nobody, now, serve};

const READ: &str = "iam:GetUser";

async fn reading(url: &str, timeout_ms: i64) -> ActionError {
    let context = ActionContext { timeout: Span::from_ms(timeout_ms), ..anywhere() };
    let error = error(&catalogue(url), &context, READ, json!({"UserName": "u"})).await;
    for secret in [SECRET, SESSION] {
        assert!(!format!("{error:?}").contains(secret), "{error:?}");
    }
    error
}

#[tokio::test]
async fn where_nobody_listens_nothing_was_sent() {
    let error = reading(&nobody(), 30_000).await;
    assert_eq!((error.kind, error.code.as_str()), (ErrorKind::Transient, "not_connected"));
}

#[tokio::test]
async fn a_cut_leaves_a_read_to_be_repeated() {
    for manner in [Manner::Slam, Manner::Cut] {
        let error = reading(&misbehave(manner).await, 30_000).await;
        assert_eq!((error.kind, error.code.as_str()), (ErrorKind::Transient, "no_answer"));
    }
}

#[tokio::test]
async fn an_answer_that_is_cut_off_in_its_middle_leaves_a_read_to_be_repeated() {
    const PART: &str = "<GetUserResponse><GetUserResult><User><UserName>ann</UserName>";
    for (rest, code) in [
        ("content-length: 5000\r\n\r\n", "no_answer"),
        ("transfer-encoding: chunked\r\n\r\nff\r\n", "no_answer"),
        ("connection: close\r\n\r\n", "response_damaged"),
    ] {
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\n{rest}{PART}");
        let manner = Manner::Say(answer.leak());
        let read = reading(&misbehave(manner).await, 30_000).await;
        let seen = (read.kind, read.code.as_str());
        assert_eq!(seen, (ErrorKind::Transient, code), "{rest}: {}", read.message);
        let changed = catalogue(&misbehave(manner).await);
        let user = json!({"UserName": "u"});
        let error = error(&changed, &anywhere(), "iam:CreateAccessKey", user).await;
        assert_eq!(error.kind, ErrorKind::InDoubt, "{rest}: {}", error.message);
    }
}

#[tokio::test]
async fn an_attempt_ends_when_its_time_is_over() {
    for manner in [Manner::Mute, Manner::Stall] {
        let error = reading(&misbehave(manner).await, 300).await;
        assert_eq!((error.kind, error.code.as_str()), (ErrorKind::Transient, "no_answer"));
    }
}

#[tokio::test]
async fn a_page_of_html_is_judged_by_its_status() {
    let page = "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 25\r\n\r\n\
        <html><body>x</body></html";
    let error = reading(&misbehave(Manner::Say(page)).await, 30_000).await;
    assert_eq!((error.kind, error.code.as_str()), (ErrorKind::Transient, "http_500"));
}

#[tokio::test]
async fn an_answer_that_is_no_answer_is_not_asked_for_again() {
    let page = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n<not xml>";
    let error = reading(&misbehave(Manner::Say(page)).await, 30_000).await;
    assert_eq!((error.kind, error.code.as_str()), (ErrorKind::Permanent, "response_unreadable"));
}

#[tokio::test]
async fn an_endless_answer_is_cut_off() {
    let error = reading(&misbehave(Manner::Flood).await, 60_000).await;
    assert_eq!((error.kind, error.code.as_str()), (ErrorKind::Permanent, "response_too_large"));
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_set_right_by_the_first_no_and_not_asked_for_again() {
    // The sandbox lives at the time of every test, which is not this machine's.
    let sandbox = Sandbox::demo(now()).unwrap().checking_signatures();
    let sandbox = Arc::new(sandbox);
    let aws = catalogue_of_runner(&serve(Arc::clone(&sandbox)).await);
    let user = json!({"UserName": "ci-deploy"});
    let cut = json!({"UserName": "ci-deploy", "AccessKeyId": "AKIAIOSFODNN7EXAMPLE",
        "Status": "Inactive"});
    done(&aws, &anywhere(), "iam:UpdateAccessKey", cut).await;
    done(&aws, &anywhere(), READ, user).await;
    let outcomes: Vec<_> = sandbox.calls().into_iter().map(|call| call.outcome).collect();
    assert_eq!(outcomes, ["RequestExpired", "ok", "ok"]);
}

#[tokio::test]
async fn a_wrong_secret_is_not_taken_for_a_wrong_clock() {
    let sandbox = Arc::new(Sandbox::demo(now()).unwrap().checking_signatures());
    // Its session token is none that the sandbox knows.
    let aws = catalogue(&serve(Arc::clone(&sandbox)).await);
    let refused = error(&aws, &anywhere(), READ, json!({"UserName": "ci-deploy"})).await;
    assert_eq!((refused.kind, refused.code.as_str()), (ErrorKind::Denied, "InvalidClientTokenId"));
    assert_eq!(sandbox.calls().len(), 1);
}
