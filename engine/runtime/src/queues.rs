//! Queues that alerts are taken from, for those who let nothing in: long polling, and a message is
//! deleted after its commit and never before. What can't be read becomes a dead letter and is
//! deleted too; what can't be stored stays in the queue.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use stanch_engine_core::effect::Effect;
use stanch_engine_core::span::Span;
use stanch_plugins_sdk::{ActionContext, Outcome, Patience, Urgency};
use tokio::sync::watch;

use crate::intake::{self, IntakeError};
use crate::settings::QueueSettings;
use crate::shared::Shared;

/// The action that calls AWS.
const CALL: &str = "aws.call";

/// How long a poll waits for messages, in seconds: the longest that SQS takes.
const POLL_S: i64 = 20;

/// Messages of one poll: the most that SQS gives.
const MESSAGES: u32 = 10;

/// The pause after a poll that failed, in milliseconds.
const PAUSE_MS: i64 = 5_000;

/// Takes alerts from a queue until it is told to stop.
pub(crate) async fn work(
    shared: Arc<Shared>,
    queue: QueueSettings,
    mut stop: watch::Receiver<bool>,
) {
    let queue = Queue { shared, queue };
    let mut is_failing = false;
    while !*stop.borrow() {
        let polled = tokio::select! {
            polled = queue.poll() => polled,
            _ = stop.changed() => break,
        };
        match polled {
            Ok(messages) => {
                is_failing = false;
                queue.take(messages).await;
            }
            Err(error) => {
                // Once, and not at every try.
                if !std::mem::replace(&mut is_failing, true) {
                    tracing::error!(queue = queue.queue.url, %error, "a queue can't be read");
                }
                let until = queue.shared.world.now().plus_ms(PAUSE_MS);
                tokio::select! {
                    () = queue.shared.world.clock.sleep_until(until) => {}
                    _ = stop.changed() => {}
                }
            }
        }
    }
}

struct Queue {
    shared: Arc<Shared>,
    queue: QueueSettings,
}

/// A message: its id, its handle, and what is in it.
struct Message {
    id: String,
    handle: String,
    body: String,
}

/// The handles of the messages that are being worked on, by their ids.
type Open = Mutex<BTreeMap<String, String>>;

impl Queue {
    async fn poll(&self) -> Result<Vec<Message>, String> {
        let params = json!({
            "MaxNumberOfMessages": MESSAGES, "WaitTimeSeconds": POLL_S,
            "VisibilityTimeout": self.queue.visibility_s,
        });
        let answer = self.call("sqs:ReceiveMessage", params, POLL_S + 10).await?;
        let text = |message: &Value, name: &str| message.get(name)?.as_str().map(str::to_owned);
        let message = |message: &Value| {
            let (id, handle) = (text(message, "MessageId")?, text(message, "ReceiptHandle")?);
            Some(Message { id, handle, body: text(message, "Body").unwrap_or_default() })
        };
        let messages = answer.get("Messages").and_then(Value::as_array);
        Ok(messages.into_iter().flatten().filter_map(message).collect())
    }

    /// Works messages off; those that wait are kept from other consumers as long as it takes.
    async fn take(&self, messages: Vec<Message>) {
        if messages.is_empty() {
            return;
        }
        let handles = messages.iter().map(|m| (m.id.clone(), m.handle.clone()));
        let open: Open = Mutex::new(handles.collect());
        tokio::select! {
            () = self.take_each(messages, &open) => {}
            () = self.hold(&open) => {}
        }
    }

    async fn take_each(&self, messages: Vec<Message>, open: &Open) {
        for message in messages {
            let taken = self.take_one(&message).await;
            open.lock().unwrap_or_else(PoisonError::into_inner).remove(&message.id);
            if let Err(error) = taken {
                tracing::warn!(queue = self.queue.url, message.id, %error, "a message stays in its queue");
            }
        }
    }

    async fn take_one(&self, message: &Message) -> Result<(), String> {
        let (source, body) = (&self.queue.source, message.body.as_bytes());
        match intake::receive_for(&self.shared, source, body).await {
            Ok(_) => {}
            Err(unreadable @ IntakeError::Unreadable { .. }) => {
                tracing::warn!(queue = self.queue.url, message.id, %unreadable, "a message is no alert");
            }
            Err(error) => return Err(error.to_string()),
        }
        // What is not deleted comes again, and is a duplicate then.
        let params = json!({ "ReceiptHandle": message.handle });
        self.call("sqs:DeleteMessage", params, 20).await.map(drop)
    }

    /// Extends what is open before it becomes visible again. It never ends by itself.
    async fn hold(&self, open: &Open) {
        loop {
            let pause_ms = self.queue.visibility_s.saturating_mul(1_000) / 3;
            let until = self.shared.world.now().plus_ms(pause_ms.max(100));
            self.shared.world.clock.sleep_until(until).await;
            let handles = open.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let entries: Vec<_> = handles
                .values()
                .enumerate()
                .map(|(at, handle)| {
                    json!({"Id": at.to_string(), "ReceiptHandle": handle,
                        "VisibilityTimeout": self.queue.visibility_s})
                })
                .collect();
            let params = json!({ "Entries": entries });
            if let Err(error) = self.call("sqs:ChangeMessageVisibilityBatch", params, 20).await {
                tracing::warn!(queue = self.queue.url, %error, "messages can't be held");
            }
        }
    }

    async fn call(&self, operation: &str, params: Value, within_s: i64) -> Result<Value, String> {
        let mut params = params;
        if let Some(members) = params.as_object_mut() {
            members.insert("QueueUrl".to_owned(), json!(self.queue.url));
        }
        let action = self.shared.catalogue.action(CALL)?.clone();
        let context = ActionContext {
            incident: None,
            run: None,
            step: "queue".to_owned(),
            token: uuid::Uuid::from_u128(self.shared.world.entropy.next()),
            attempt: 1,
            account: None,
            region: self.queue.region.clone(),
            role: None,
            urgency: Urgency::Response,
            patience: Patience::default(),
            granted: Effect::Destroy,
            plan: Vec::new(),
            timeout: Span::from_secs(within_s),
            now: self.shared.world.now(),
            state: None,
        };
        let input = json!({"operation": operation, "params": params});
        let called = action.run(&context, &input);
        match tokio::time::timeout(context.timeout.duration(), called).await {
            Ok(Ok(Outcome::Done(done))) => Ok(done.value),
            Ok(Ok(Outcome::Again { .. })) => Err(format!("{operation} is not over")),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("{operation} was not answered in time")),
        }
    }
}
