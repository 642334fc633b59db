//! A command whose answer was lost is found again, or nobody says that it is not there.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use stanch_plugins_aws::sandbox::{Fault, FaultKind, Sandbox};
use stanch_plugins_sdk::core::id::RunId;
use stanch_plugins_sdk::core::step::ErrorKind;
use stanch_plugins_sdk::{ActionContext, Catalogue, LookUp};
use tokio::io::AsyncWriteExt as _;

use crate::context::{anywhere, call, catalogue, context, done};
use crate::listener::{listen, now, read, serve};

const ACCOUNT: &str = "111122223333";
const MINUTE_MS: i64 = 60_000;

fn input() -> Value {
    json!({
        "operation": "ssm:SendCommand",
        "params": {"DocumentName": "AWS-RunShellScript", "DocumentVersion": "1",
            "InstanceIds": ["i-0abc1234def567890"], "Parameters": {"commands": ["id"]}},
        "timeout": "5m",
    })
}

/// The call, with the document that the sandbox has.
async fn pinned(aws: &Catalogue) -> Value {
    let document = json!({"Name": "AWS-RunShellScript", "DocumentVersion": "1"});
    let document = done(aws, &anywhere(), "ssm:DescribeDocument", document).await.value;
    let document = &document["Document"];
    let mut input = input();
    input["document"] = json!({"name": document["Name"], "version": document["DocumentVersion"],
        "hash": document["Hash"], "hash_type": document["HashType"]});
    input
}

fn of_a_run() -> ActionContext {
    let context = context(ACCOUNT);
    ActionContext { run: Some(RunId::new(context.now, 1)), ..context }
}

/// A sandbox that took a command and whose answer was lost.
async fn lost() -> Catalogue {
    let sandbox = Arc::new(Sandbox::demo(now()).unwrap());
    let url = serve(Arc::clone(&sandbox)).await;
    let operation = "ssm:SendCommand".to_owned();
    sandbox.fault(Fault { operation, kind: FaultKind::CutAfterApply, times: 1 });
    let aws = catalogue(&url);
    let error = call(&aws).run(&of_a_run(), &pinned(&aws).await).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::InDoubt, "{error}");
    aws
}

#[tokio::test]
async fn a_command_that_is_found_again_has_waited_since_it_was_sent() {
    let aws = lost().await;
    let later = ActionContext { now: now().plus_ms(10 * MINUTE_MS), ..of_a_run() };
    let found = call(&aws).look_up(&later, &input()).await.unwrap();
    let LookUp::UnderWay { state, .. } = found else { panic!("{found:?}") };
    let next = ActionContext { state: Some(state), ..later };
    let error = call(&aws).run(&next, &input()).await.unwrap_err();
    assert_eq!(error.code, "command_timeout", "five minutes are over since it was sent");
}

#[tokio::test]
async fn a_look_into_another_account_does_not_say_that_nothing_was_done() {
    let aws = lost().await;
    let elsewhere = ActionContext { account: Some("444455556666".to_owned()), ..of_a_run() };
    let error = call(&aws).look_up(&elsewhere, &input()).await.unwrap_err();
    assert_eq!((error.code.as_str(), error.kind), ("account_mismatch", ErrorKind::Denied));
    let made = json!({"operation": "iam:CreateUser", "params": {"UserName": "ann"}});
    let error = call(&aws).look_up(&elsewhere, &made).await.unwrap_err();
    assert_eq!((error.code.as_str(), error.kind), ("account_mismatch", ErrorKind::Denied));
}

/// An SSM that has more and more commands, and how often it was asked.
async fn endless(last: Option<usize>) -> (String, Arc<AtomicUsize>) {
    let (listener, url) = listen().await;
    let asked = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            if read(&mut stream).await.is_none() {
                continue;
            }
            let at = count.fetch_add(1, Ordering::SeqCst) + 1;
            let next = (last != Some(at)).then(|| format!("page-{at}"));
            let body = json!({"Commands": [{"CommandId": "c", "Comment": "another's"}],
                "NextToken": next});
            let body = body.to_string();
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.1";
            let length = body.len();
            let answer =
                format!("{head}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (url, asked)
}

#[tokio::test]
async fn a_command_may_be_on_a_page_that_was_not_read() {
    for (last, expected) in [(Some(3), LookUp::DidNotHappen), (None, LookUp::Unknown)] {
        let (url, asked) = endless(last).await;
        let found = call(&catalogue(&url)).look_up(&anywhere(), &input()).await.unwrap();
        assert_eq!(found, expected);
        assert!(asked.load(Ordering::SeqCst) >= last.unwrap_or(50), "{asked:?}");
    }
}
