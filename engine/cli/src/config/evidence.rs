//! `[evidence]`: where the ends of custody chains are laid down.

use serde::Deserialize;
use stanch_engine_core::span::Span;
use stanch_engine_runtime::settings::{AnchorSettings, LockMode};

use super::{Config, ConfigError};

/// How evidence is kept.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Evidence {
    /// Where the ends of custody chains are laid down; nowhere unless it is said.
    pub anchor: Option<Anchor>,
}

/// A bucket with Object Lock.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Anchor {
    /// The bucket. It lies in an account that whoever runs Stanch does not govern.
    pub bucket: String,
    /// What keys begin with.
    #[serde(default)]
    pub prefix: String,
    /// Its region; that of `[aws]` unless it is said.
    pub region: Option<String>,
    /// `governance` or `compliance`, which is meant unless it is said.
    pub mode: Option<LockMode>,
    /// For how many days none can be taken out; a year unless it is said.
    pub days: Option<i64>,
    /// How often it is laid down what is new; every five minutes unless it is said.
    pub every: Option<Span>,
}

impl Config {
    /// What the runtime is told of anchors.
    pub(crate) fn anchor_settings(&self) -> Option<AnchorSettings> {
        let anchor = self.evidence.anchor.as_ref()?;
        let prefix = anchor.prefix.trim_matches('/');
        Some(AnchorSettings {
            bucket: anchor.bucket.clone(),
            prefix: if prefix.is_empty() { String::new() } else { format!("{prefix}/") },
            region: anchor.region.clone(),
            mode: anchor.mode.unwrap_or(LockMode::Compliance),
            days: anchor.days.unwrap_or(365),
            every: anchor.every.unwrap_or(Span::from_secs(300)),
        })
    }

    /// # Errors
    /// [`ConfigError`] names the key.
    pub(super) fn check_evidence(&self) -> Result<(), ConfigError> {
        let Some(anchor) = self.anchor_settings() else { return Ok(()) };
        let wrong =
            |key: &str, why: &str| Err(ConfigError(format!("`evidence.anchor.{key}`: {why}")));
        if anchor.bucket.is_empty() || anchor.bucket.contains(['/', ':']) {
            return wrong(
                "bucket",
                "it is the name of a bucket, without `s3://` and without a path",
            );
        }
        if !(1..=36_500).contains(&anchor.days) {
            return wrong("days", "it must be from 1 to 36500");
        }
        match anchor.every < Span::from_secs(1) {
            true => wrong("every", "it is less than a second"),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::load;
    use super::*;

    #[test]
    fn an_anchor_needs_nothing_but_its_bucket() {
        let config = load("[evidence.anchor]\nbucket = \"log-archive\"", &[]).unwrap();
        let anchor = config.anchor_settings().unwrap();
        assert_eq!(
            (anchor.prefix.as_str(), anchor.days, anchor.mode),
            ("", 365, LockMode::Compliance)
        );
        let text = "[evidence.anchor]\nbucket = \"b\"\nprefix = \"/stanch\"\nmode = \"governance\"";
        let anchor = load(text, &[]).unwrap().anchor_settings().unwrap();
        assert_eq!((anchor.prefix.as_str(), anchor.mode), ("stanch/", LockMode::Governance));
        assert!(load("", &[]).unwrap().anchor_settings().is_none());
    }

    #[test]
    fn what_can_not_be_is_named() {
        for (text, word) in [
            ("bucket = \"s3://b/p\"", "without"),
            ("bucket = \"b\"\ndays = 0", "days"),
            ("bucket = \"b\"\nevery = \"0s\"", "every"),
            ("bucket = \"b\"\nmode = \"none\"", "none"),
            ("prefix = \"p\"", "bucket"),
        ] {
            let error = load(&format!("[evidence.anchor]\n{text}"), &[]).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }
}
