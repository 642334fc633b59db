//! `[[queues]]`: queues of SQS that alerts are taken from.

use serde::Deserialize;
use stanch_engine_runtime::settings::QueueSettings;

use super::{Config, ConfigError};

/// The longest that SQS keeps a message from other consumers, in seconds.
const VISIBILITY_MOST_S: i64 = 12 * 60 * 60;

/// One queue.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Queue {
    /// Its URL.
    pub url: String,
    /// Its region; that of the URL unless it is said.
    pub region: Option<String>,
    /// The source that reads what is in it; `sqs` unless it is said, which recognises all that AWS
    /// sends.
    pub source: Option<String>,
    /// For how many seconds a message is kept from other consumers at a time; a minute unless it is
    /// said.
    pub visibility_s: Option<i64>,
}

impl Queue {
    /// `https://sqs.REGION.amazonaws.com/ACCOUNT/NAME`.
    fn region(&self) -> Option<String> {
        let host = self.url.split('/').nth(2)?.strip_prefix("sqs.")?;
        let (region, rest) = host.split_once('.')?;
        rest.starts_with("amazonaws.com").then(|| region.to_owned())
    }

    fn source(&self) -> &str {
        self.source.as_deref().unwrap_or("sqs")
    }
}

impl Config {
    /// What the runtime is told of queues.
    pub(crate) fn queue_settings(&self) -> Vec<QueueSettings> {
        let settings = |queue: &Queue| QueueSettings {
            url: queue.url.clone(),
            region: queue.region.clone().or_else(|| queue.region()),
            source: queue.source().to_owned(),
            visibility_s: queue.visibility_s.unwrap_or(60),
        };
        self.queues.iter().map(settings).collect()
    }

    /// # Errors
    /// [`ConfigError`] names the queue.
    pub(crate) fn check_queues(&self, is_known: impl Fn(&str) -> bool) -> Result<(), ConfigError> {
        for queue in &self.queues {
            let wrong = |why: &str| Err(ConfigError(format!("[[queues]] `{}`: {why}", queue.url)));
            if !queue.url.starts_with("https://") && !queue.url.starts_with("http://") {
                return wrong("`url` is no URL of a queue");
            }
            if !is_known(queue.source()) {
                return wrong("`source` names no source");
            }
            if !(1..=VISIBILITY_MOST_S).contains(&queue.visibility_s.unwrap_or(60)) {
                return wrong("`visibility_s` must be from 1 to 43200");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::load;

    #[test]
    fn a_queue_needs_nothing_but_its_url() {
        let url = "https://sqs.eu-west-1.amazonaws.com/111122223333/findings";
        let config = load(&format!("[[queues]]\nurl = \"{url}\""), &[]).unwrap();
        config.check_queues(|_| true).unwrap();
        let queue = &config.queue_settings()[0];
        assert_eq!(queue.region.as_deref(), Some("eu-west-1"));
        assert_eq!((queue.source.as_str(), queue.visibility_s), ("sqs", 60));
    }

    #[test]
    fn what_can_not_be_is_named() {
        for (text, word) in [
            ("url = \"findings\"", "no URL"),
            ("url = \"https://x\"\nsource = \"gone\"", "source"),
            ("url = \"https://x\"\nvisibility_s = 0", "visibility_s"),
        ] {
            let config = load(&format!("[[queues]]\n{text}"), &[]).unwrap();
            let error = config.check_queues(|name| name == "sqs").unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }
}
