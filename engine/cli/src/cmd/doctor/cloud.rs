//! What Stanch itself has in AWS: its credentials, its queues, its topics.

use serde_json::{Value, json};

use super::super::by_hand::{Caller, text, told};
use super::report::Report;
use crate::config::Config;

/// From here on evidence bears a wrong time, in milliseconds.
const OFFSET_MS: i64 = 2_000;

/// From here on AWS is soon to refuse what is signed by this clock.
const FAR_MS: i64 = 60_000;

/// Whose the credentials are, and whether the clock is right: the account.
pub(super) async fn credentials(caller: &Caller, report: &mut Report) -> Option<String> {
    let asked = match caller.call("sts:GetCallerIdentity", json!({}), None).await {
        Ok(done) => done,
        Err(error) => {
            let mend = "docs/aws.md says where credentials are looked for; on AWS give the machine the \
                        role `stanch-runner` (docs/deploy.md)";
            report.missing("credentials", "base", told(&error), mend);
            return None;
        }
    };
    let (account, arn) = (text(&asked.value, "/Account"), text(&asked.value, "/Arn"));
    report.ok("credentials", "base", format!("{arn} in {account}"));
    clock(asked.call.clock_offset_ms, report);
    Some(account.to_owned())
}

/// The clock of this machine beside AWS's.
fn clock(offset_ms: Option<i64>, report: &mut Report) {
    let mend = "let the machine keep its time by NTP (chrony, systemd-timesyncd)";
    let Some(offset_ms) = offset_ms else {
        return report.warn("clock", "this machine", "AWS did not say its time", mend);
    };
    let found = format!("AWS's clock is {offset_ms} ms from this one");
    match offset_ms.abs() {
        0..OFFSET_MS => report.ok("clock", "this machine", found),
        OFFSET_MS..FAR_MS => report.warn("clock", "this machine", found, mend),
        _ => report.missing("clock", "this machine", found, mend),
    }
}

/// The queues that alerts are taken from.
pub(super) async fn queues(config: &Config, caller: &Caller, report: &mut Report) {
    for queue in config.queue_settings() {
        let params = json!({"QueueUrl": queue.url, "AttributeNames": ["All"]});
        let asked = caller.call("sqs:GetQueueAttributes", params, queue.region.as_deref()).await;
        match asked {
            Ok(done) => redrive(&queue.url, &done.value, report),
            Err(error) => {
                let mend = "make it (docs/deploy.md), or allow sqs:GetQueueAttributes, \
                            sqs:ReceiveMessage, sqs:DeleteMessage and sqs:ChangeMessageVisibility on it";
                report.missing("queue", &queue.url, told(&error), mend);
            }
        }
    }
}

/// Whether what is taken again and again goes somewhere.
fn redrive(url: &str, answer: &Value, report: &mut Report) {
    let waiting = text(answer, "/Attributes/ApproximateNumberOfMessages");
    let policy = text(answer, "/Attributes/RedrivePolicy");
    let policy: Value = serde_json::from_str(policy).unwrap_or_default();
    let Some(dead) = policy.pointer("/deadLetterTargetArn").and_then(Value::as_str) else {
        let found = format!("it is there with {waiting} messages, and has no dead-letter queue");
        let mend = "give it a RedrivePolicy: a message that kills a node would come back for ever";
        return report.missing("queue", url, found, mend);
    };
    report.ok("queue", url, format!("{waiting} messages wait; after that they go to {dead}"));
}

/// The topics that pages go to.
pub(super) async fn topics(config: &Config, caller: &Caller, report: &mut Report) {
    let settings = config.notify_settings();
    let named = settings.topics.values().chain(settings.topic_channels.values());
    let mut topics: Vec<&String> = named.chain(&settings.default_topic).collect();
    topics.sort();
    topics.dedup();
    if !config.reaches_somebody() {
        let mend = "name a `default_topic`, or routes, under [notify]: pages reach nobody";
        return report.missing("topic", "[notify]", "there is none", mend);
    }
    for topic in topics {
        let region = topic.split(':').nth(3).filter(|region| !region.is_empty());
        let params = json!({"TopicArn": topic});
        match caller.call("sns:GetTopicAttributes", params, region).await {
            Ok(done) => subscriptions(topic, &done.value, report),
            Err(error) => {
                let mend = "make it, or allow sns:GetTopicAttributes and sns:Publish on it";
                report.missing("topic", topic, told(&error), mend);
            }
        }
    }
}

/// Whether anybody hears what is sent to a topic.
fn subscriptions(topic: &str, answer: &Value, report: &mut Report) {
    match text(answer, "/Attributes/SubscriptionsConfirmed") {
        "" | "0" => {
            let mend = "subscribe the people on duty: an address, a phone, a chat";
            report.warn("topic", topic, "it is there, and nobody is subscribed", mend);
        }
        count => report.ok("topic", topic, format!("{count} subscriptions")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::Health;
    use super::*;

    #[test]
    fn a_clock_that_is_off_is_looked_at_and_one_that_is_far_off_is_refused_soon() {
        for (offset_ms, health) in [
            (Some(40), Health::Ok),
            (Some(-1_999), Health::Ok),
            (Some(-5_000), Health::Warning),
            (Some(90_000), Health::Missing),
            (Some(-90_000), Health::Missing),
            (None, Health::Warning),
        ] {
            let mut report = Report::default();
            clock(offset_ms, &mut report);
            assert_eq!(report.0[0].health, health, "{offset_ms:?}");
            assert_eq!(report.0[0].mend.is_none(), health == Health::Ok);
        }
    }
}
