//! SQS: what `ReceiveMessage` answers, and one message of it.

use serde_json::Value;
use stanch_plugins_sdk::{Envelope, Part};

/// Messages of a queue.
pub(crate) struct Queue;

impl Envelope for Queue {
    fn open<'v>(&self, payload: &'v Value) -> Option<Vec<Part<'v>>> {
        if let Some(Value::Array(messages)) = payload.get("Messages") {
            let part = |(at, message): (usize, &'v Value)| match body(message) {
                Some(body) => Part::of(format!("Messages[{at}].Body"), body),
                None => Part::of(format!("Messages[{at}]"), message),
            };
            return Some(messages.iter().enumerate().map(part).collect());
        }
        body(payload).map(|body| vec![Part::of("Body", body)])
    }
}

fn body(message: &Value) -> Option<&Value> {
    ["ReceiptHandle", "receiptHandle"].iter().find_map(|name| message.get(name))?;
    ["Body", "body"].iter().find_map(|name| message.get(name))
}
