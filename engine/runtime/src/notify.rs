//! How a message reaches a person: the ways that the configuration names for them, and one step on
//! one of them.

use std::sync::Arc;

use serde_json::json;
use stanch_engine_core::command::StepOptions;
use stanch_engine_core::effect::{Effect, RetrySafety};
use stanch_engine_core::id::{IncidentId, RunId};
use stanch_engine_core::notify::{self, About};
use stanch_engine_core::span::Span;
use stanch_engine_core::step::ErrorKind;
use stanch_plugins_sdk::{
    ActionContext, ActionError, Channel, Message, Outcome, Patience, Receipt, Urgency,
};
use uuid::Uuid;

use crate::job::Call;
use crate::shared::Shared;

/// The action that publishes to a topic.
const PUBLISH: &str = "aws.sns_publish";

/// The name of the channel where the configuration names a topic and no channel.
const TOPIC: &str = "sns";

/// A channel with its name.
#[derive(Clone)]
pub(crate) struct Way {
    pub(crate) name: String,
    pub(crate) by: By,
}

/// What carries a message.
#[derive(Clone)]
pub(crate) enum By {
    /// A topic of SNS, by the action that anything else of AWS's goes by.
    Topic(String),
    /// A channel of the catalogue.
    Channel(Arc<dyn Channel>),
}

/// The chains of channels that carry this: one of each is to take it. Where no route fits, it is the
/// topic of whoever is told. Nothing when there is none.
pub(crate) fn chains(shared: &Shared, about: &About<'_>) -> Vec<Vec<Way>> {
    let settings = &shared.settings.notify;
    let named = |name: &String| {
        let topic = settings.topic_channels.get(name).cloned().map(By::Topic);
        let by = topic.or_else(|| shared.catalogue.channel(name).cloned().map(By::Channel))?;
        Some(Way { name: name.clone(), by })
    };
    let routed = notify::chains(&settings.routes, about).into_iter();
    let routed: Vec<Vec<Way>> = routed
        .map(|chain| chain.iter().filter_map(named).collect())
        .filter(|chain: &Vec<Way>| !chain.is_empty())
        .collect();
    if !routed.is_empty() {
        return routed;
    }
    let topic = settings.topic_of(about.to).map(|topic| By::Topic(topic.to_owned()));
    topic.map(|by| vec![Way { name: TOPIC.to_owned(), by }]).into_iter().collect()
}

/// Why nobody can be told.
pub(crate) fn no_way(to: &str) -> String {
    format!(
        "no channel reaches {to}: set `default_topic`, or routes, under [notify] in stanch.toml"
    )
}

/// The call that tells a topic.
pub(crate) fn publish(topic: &str, to: &str, subject: &str, message: &str) -> Call {
    // arn:aws:sns:REGION:ACCOUNT:NAME
    let mut parts = topic.split(':').skip(3).map(str::to_owned);
    let (region, account) = (parts.next(), parts.next());
    Call {
        action: PUBLISH.to_owned(),
        input: json!({"topic_arn": topic, "subject": subject, "message": format!("{to}: {message}")}),
        kept: None,
        options: StepOptions { account, region, ..StepOptions::default() },
        effect: Effect::Notify,
        safety: RetrySafety::Natural,
        plan: Vec::new(),
        approval: None,
    }
}

/// What a channel may know of what it is called for.
pub(crate) fn context(
    shared: &Shared,
    (incident, run): (Option<IncidentId>, Option<RunId>),
    (token, attempt): (Uuid, u32),
    timeout: Span,
) -> ActionContext {
    ActionContext {
        incident,
        run,
        step: "page".to_owned(),
        token,
        attempt,
        account: None,
        region: None,
        role: None,
        urgency: Urgency::Response,
        patience: Patience::default(),
        granted: Effect::Notify,
        plan: Vec::new(),
        timeout,
        now: shared.world.now(),
        state: None,
    }
}

/// Sends a message one way, once.
pub(crate) async fn send(
    shared: &Shared,
    way: &Way,
    context: &ActionContext,
    message: &Message,
    thread: Option<&serde_json::Value>,
) -> Result<Receipt, ActionError> {
    let late = || ActionError::new(ErrorKind::Transient, "late", "no answer came in time");
    let timeout = context.timeout.duration();
    match &way.by {
        By::Channel(channel) => {
            let sent = channel.send(context, message, thread);
            tokio::time::timeout(timeout, sent).await.map_err(|_| late())?
        }
        By::Topic(topic) => {
            let subject = format!("Stanch: {}", message.code);
            let call = publish(topic, &message.to, &subject, &with_ids(message));
            let no_action = |why| ActionError::permanent("no_channel", why);
            let action = shared.catalogue.action(&call.action).map_err(no_action)?.clone();
            let context = ActionContext {
                account: call.options.account.clone(),
                region: call.options.region.clone(),
                ..context.clone()
            };
            let sent = action.run(&context, &call.input);
            let place = match tokio::time::timeout(timeout, sent).await.map_err(|_| late())?? {
                Outcome::Done(done) => done.value,
                Outcome::Again { state, .. } => state,
            };
            Ok(Receipt { place, is_followed: false })
        }
    }
}

fn with_ids(message: &Message) -> String {
    let incident = message.incident_id.map(|id| id.to_string());
    let run = message.run_id.map(|id| id.to_string());
    let ids = [incident, run, Some(message.key.clone())];
    format!("{} [{}]", message.text, ids.into_iter().flatten().collect::<Vec<_>>().join(" "))
}
