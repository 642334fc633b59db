//! `[evidence]`: where evidence is kept, and where the ends of custody chains are laid down.

use serde::Deserialize;
use stanch_engine_core::span::Span;
use stanch_engine_runtime::settings::{AnchorSettings, BucketSettings, Lock, LockMode};

use super::{Config, ConfigError};

/// How evidence is kept.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Evidence {
    /// The key that signs: `kms:ARN`; a file of the data folder unless it is said.
    pub key: Option<String>,
    /// Where it is kept: `s3://BUCKET/PREFIX`; in the data folder unless it is said.
    pub store: Option<String>,
    /// The bucket's region; that of `[aws]` unless it is said.
    pub region: Option<String>,
    /// The key of KMS that objects are encrypted with; as the bucket has it unless it is said.
    pub encryption_key: Option<String>,
    /// `governance` or `compliance`: that nobody takes an object out before its time is over.
    pub lock: Option<LockMode>,
    /// For how many days; a year unless it is said.
    pub lock_days: Option<i64>,
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
    /// The address of an authority for time-stamps (RFC 3161) that stamps it, too.
    pub tsa_url: Option<String>,
}

/// The name and the beginning of keys in `s3://BUCKET/PREFIX`.
fn bucket_of(place: &str) -> Option<(&str, String)> {
    let (bucket, prefix) = place.strip_prefix("s3://").map(|rest| {
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        (bucket, prefix.trim_matches('/'))
    })?;
    let is_name = !bucket.is_empty() && !bucket.contains(':');
    is_name.then(|| (bucket, begin(prefix)))
}

/// A bucket by its name and what its keys begin with, `s3://BUCKET/PREFIX`, to be read.
pub(crate) fn bucket_at(place: &str, region: Option<String>) -> Option<BucketSettings> {
    let (bucket, prefix) = bucket_of(place)?;
    let (bucket, encryption_key, lock) = (bucket.to_owned(), None, None);
    Some(BucketSettings { bucket, prefix, region, encryption_key, lock })
}

/// What keys begin with under a path.
fn begin(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!("{path}/") }
}

impl Config {
    /// What the runtime is told of the bucket that evidence is kept in.
    pub(crate) fn bucket_settings(&self) -> Option<BucketSettings> {
        let evidence = &self.evidence;
        let (bucket, prefix) = bucket_of(evidence.store.as_deref()?)?;
        let lock = evidence.lock.map(|mode| Lock { mode, days: evidence.lock_days.unwrap_or(365) });
        Some(BucketSettings {
            bucket: bucket.to_owned(),
            prefix,
            region: evidence.region.clone(),
            encryption_key: evidence.encryption_key.clone(),
            lock,
        })
    }

    /// The ARN of the key in KMS that signs.
    pub(crate) fn signing_key(&self) -> Option<&str> {
        self.evidence.key.as_deref()?.strip_prefix("kms:")
    }

    /// What the runtime is told of anchors.
    pub(crate) fn anchor_settings(&self) -> Option<AnchorSettings> {
        let anchor = self.evidence.anchor.as_ref()?;
        Some(AnchorSettings {
            bucket: anchor.bucket.clone(),
            prefix: begin(anchor.prefix.trim_matches('/')),
            region: anchor.region.clone(),
            mode: anchor.mode.unwrap_or(LockMode::Compliance),
            days: anchor.days.unwrap_or(365),
            every: anchor.every.unwrap_or(Span::from_secs(300)),
            tsa_url: anchor.tsa_url.clone(),
        })
    }

    /// # Errors
    /// [`ConfigError`] names the key.
    pub(super) fn check_evidence(&self) -> Result<(), ConfigError> {
        self.check_store()?;
        let is_key = |key: &str| {
            let parts: Vec<&str> = key.splitn(7, ':').collect();
            matches!(&parts[..], ["kms", "arn", _, "kms", region, account, key]
                if !region.is_empty() && account.len() == 12 && key.starts_with("key/"))
        };
        if self.evidence.key.as_deref().is_some_and(|key| !is_key(key)) {
            let why = "it is `kms:` and the ARN of a key, such as kms:arn:aws:kms:eu-central-1:111122223333:key/…; \
                       without it, the key lies in the data folder";
            return Err(ConfigError(format!("`evidence.key`: {why}")));
        }
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
        let is_address =
            |url: &String| ["http://", "https://"].iter().any(|start| url.starts_with(start));
        if anchor.tsa_url.as_ref().is_some_and(|url| !is_address(url)) {
            return wrong("tsa_url", "it begins with http:// or https://");
        }
        match anchor.every < Span::from_secs(1) {
            true => wrong("every", "it is less than a second"),
            false => Ok(()),
        }
    }

    fn check_store(&self) -> Result<(), ConfigError> {
        let Evidence { store, region, encryption_key, lock, lock_days, .. } = &self.evidence;
        let wrong = |key: &str, why: &str| Err(ConfigError(format!("`evidence.{key}`: {why}")));
        if store.as_deref().is_some_and(|store| bucket_of(store).is_none()) {
            return wrong(
                "store",
                "it is `s3://BUCKET/PREFIX`; without it, evidence lies in the data folder",
            );
        }
        let of_bucket = [
            ("region", region.is_some()),
            ("encryption_key", encryption_key.is_some()),
            ("lock", lock.is_some()),
            ("lock_days", lock_days.is_some()),
        ];
        let alone = of_bucket.iter().find(|(_, is_said)| *is_said && store.is_none());
        if let Some((key, _)) = alone {
            return wrong(key, "it is of a bucket, and `evidence.store` names none");
        }
        if lock_days.is_some_and(|days| !(1..=36_500).contains(&days)) {
            return wrong("lock_days", "it must be from 1 to 36500");
        }
        match lock_days.is_some() && lock.is_none() {
            true => wrong("lock_days", "say `lock = \"governance\"` or \"compliance\" with it"),
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
    fn a_store_is_a_bucket_and_what_its_keys_begin_with() {
        let bucket =
            |text: &str| load(&format!("[evidence]\n{text}"), &[]).unwrap().bucket_settings();
        let plain = bucket("store = \"s3://ir-evidence\"").unwrap();
        assert_eq!((plain.bucket.as_str(), plain.prefix.as_str()), ("ir-evidence", ""));
        assert!(plain.lock.is_none() && bucket("").is_none());
        let text = "store = \"s3://ir-evidence/prod/eu/\"\nlock = \"compliance\"\nlock_days = 7";
        let locked = bucket(text).unwrap();
        let lock = locked.lock.unwrap();
        assert_eq!(
            (locked.prefix.as_str(), lock.mode, lock.days),
            ("prod/eu/", LockMode::Compliance, 7)
        );
        for (text, word) in [
            ("store = \"ir-evidence\"", "s3://BUCKET/PREFIX"),
            ("store = \"s3:///x\"", "s3://BUCKET/PREFIX"),
            ("lock = \"governance\"", "names none"),
            ("store = \"s3://b\"\nlock_days = 7", "lock"),
            ("store = \"s3://b\"\nlock = \"governance\"\nlock_days = 0", "36500"),
        ] {
            let error = load(&format!("[evidence]\n{text}"), &[]).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn what_can_not_be_is_named() {
        for (text, word) in [
            ("bucket = \"s3://b/p\"", "without"),
            ("bucket = \"b\"\ndays = 0", "days"),
            ("bucket = \"b\"\nevery = \"0s\"", "every"),
            ("bucket = \"b\"\nmode = \"none\"", "none"),
            ("bucket = \"b\"\ntsa_url = \"tsa.example\"", "https://"),
            ("prefix = \"p\"", "bucket"),
        ] {
            let error = load(&format!("[evidence.anchor]\n{text}"), &[]).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }
}
