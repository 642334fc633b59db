//! How a message reaches a person: by the SNS topic that the configuration names for them.

use serde_json::json;
use stanch_engine_core::command::StepOptions;
use stanch_engine_core::effect::{Effect, RetrySafety};

use crate::job::Call;
use crate::settings::Settings;

/// The action that publishes to a topic.
const PUBLISH: &str = "aws.sns_publish";

/// The call that tells somebody; nothing when the configuration names no topic for them.
pub(crate) fn publish(settings: &Settings, to: &str, subject: &str, message: &str) -> Option<Call> {
    let topic = settings.notify.topic_of(to)?;
    // arn:aws:sns:REGION:ACCOUNT:NAME
    let mut parts = topic.split(':').skip(3).map(str::to_owned);
    let (region, account) = (parts.next(), parts.next());
    Some(Call {
        action: PUBLISH.to_owned(),
        input: json!({"topic_arn": topic, "subject": subject, "message": format!("{to}: {message}")}),
        kept: None,
        options: StepOptions { account, region, ..StepOptions::default() },
        effect: Effect::Notify,
        safety: RetrySafety::Natural,
        plan: Vec::new(),
        approval: None,
    })
}
