//! SNS: what is published is kept.

use serde_json::{Value, json};

use super::reply::Refusal;
use super::request::Asked;
use super::world::{Published, World};

/// Answers for SNS.
pub(super) fn answer(
    world: &mut World,
    operation: &str,
    asked: &Asked,
) -> Option<Result<Value, Refusal>> {
    (operation == "Publish").then(|| publish(world, asked))
}

fn publish(world: &mut World, asked: &Asked) -> Result<Value, Refusal> {
    let text = |name| asked.text(name).map(str::to_owned);
    let topic_arn = text("TopicArn").or_else(|| text("TargetArn")).ok_or_else(|| {
        Refusal::new(400, "InvalidParameter", "Invalid parameter: TopicArn or TargetArn")
    })?;
    let message = text("Message").unwrap_or_default();
    world.published.push(Published { topic_arn, subject: text("Subject"), message });
    Ok(json!({"MessageId": world.next_uuid()}))
}
