//! What goes wrong on the way, and what the engine is told of it.

use serde_json::json;
use stanch_plugins_sdk::core::span::Span;
use stanch_plugins_sdk::core::step::ErrorKind;
use stanch_plugins_sdk::{ActionContext, ActionError};

use crate::context::{SECRET, SESSION, anywhere, catalogue, error};
use crate::listener::{Manner, misbehave, nobody};

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
