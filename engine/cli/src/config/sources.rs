//! `[sources.NAME]`: how the senders of a source prove who they are, how much they may send, and,
//! for a sender of one's own, where the fields of its alerts stand.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Deserializer};
use stanch_engine_core::limits;
use stanch_engine_core::span::Span;
use stanch_engine_server::trust::{
    Encoding, Network, Proof, Rate, Secrets, Signature, SignedTime, SourcePolicy,
};
use stanch_plugins_aws::TopicSender;
use stanch_plugins_http::{Fetcher, Mapping};

use super::{Config, ConfigError, Reference, Variable};

/// One source.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// Who may send.
    pub trust: Trust,
    /// Where the fields of its alerts stand, when it is a sender of one's own.
    pub mapping: Option<Mapping>,
    /// For how long it may say nothing before that is an alert.
    pub silent_after: Option<Span>,
}

/// Who may send to a source. One of the proofs is enough; without any, it is the webhook's token.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Trust {
    /// Networks that senders connect from.
    pub from: Vec<String>,
    /// Tokens in `Authorization: Bearer`.
    pub bearer: Vec<Reference>,
    /// A user and passwords in `Authorization: Basic`.
    pub basic: Option<Basic>,
    /// A secret in a header of any name.
    pub header: Option<Header>,
    /// An HMAC-SHA256 of the body.
    pub signature: Option<Signed>,
    /// Topics whose messages SNS has signed.
    pub sns_topics: Vec<String>,
    /// Bytes of a body, at most.
    pub max_body: Option<usize>,
    /// How often it may send.
    pub rate: Option<SendRate>,
}

/// The keys of [`Trust`] in a table that may hold a mapping too.
const TRUST: [&str; 8] =
    ["from", "bearer", "basic", "header", "signature", "sns_topics", "max_body", "rate"];

/// A user with passwords.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Basic {
    /// The user.
    pub user: String,
    /// The passwords, several while they are rotated.
    pub passwords: Vec<Reference>,
}

/// A header with a secret.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Its name.
    pub name: String,
    /// The secrets, several while they are rotated.
    pub secrets: Vec<Reference>,
}

/// How a sender signs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signed {
    /// As a known sender does, and the other keys say what differs.
    pub style: Option<Style>,
    /// The secrets, several while they are rotated.
    pub secrets: Vec<Reference>,
    /// The header with the signature.
    pub header: Option<String>,
    /// What stands before the signature.
    pub prefix: Option<String>,
    /// `hex` or `base64`.
    pub encoding: Option<Written>,
    /// The header with the time, where one is signed.
    pub time_header: Option<String>,
    /// How far the time may be from now; five minutes unless it is said.
    pub window: Option<Span>,
    /// What is signed, such as `{timestamp}.{body}`.
    pub signed: Option<String>,
}

/// Senders whose way to sign is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Style {
    /// `X-PagerDuty-Signature: v1=…`.
    Pagerduty,
    /// `X-Grafana-Alerting-Signature`.
    Grafana,
    /// `Sentry-Hook-Signature`.
    Sentry,
}

/// How a signature is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Written {
    /// Hexadecimal.
    Hex,
    /// Base64.
    Base64,
}

/// How often a source may send.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SendRate {
    /// Requests a second in the long run.
    pub per_second: f64,
    /// Requests at once after a pause; those of a second unless it is said.
    pub burst: Option<f64>,
}

impl<'de> Deserialize<'de> for Source {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut mapped = toml::Table::deserialize(deserializer)?;
        let trust = TRUST.iter().filter_map(|key| mapped.remove_entry(*key)).collect();
        let silent = mapped.remove("silent_after");
        let error = |error: toml::de::Error| serde::de::Error::custom(error.message());
        let trust = toml::Value::Table(trust).try_into().map_err(error)?;
        let mapping = (!mapped.is_empty()).then(|| toml::Value::Table(mapped).try_into());
        let silent_after = silent.map(toml::Value::try_into).transpose().map_err(error)?;
        Ok(Self { trust, mapping: mapping.transpose().map_err(error)?, silent_after })
    }
}

impl Config {
    /// The mappings of senders of one's own.
    pub fn mappings(&self) -> BTreeMap<String, Mapping> {
        let mapped = self.sources.iter();
        mapped.filter_map(|(name, s)| Some((name.clone(), s.mapping.clone()?))).collect()
    }

    /// What is asked of the senders of each source. `is_known` says whether there is such a source.
    ///
    /// # Errors
    /// [`ConfigError`] names the key.
    pub fn source_policies(
        &self,
        variable: Variable<'_>,
        is_known: impl Fn(&str) -> bool,
    ) -> Result<BTreeMap<String, SourcePolicy>, ConfigError> {
        let policy = |(name, source): (&String, &Source)| {
            let named = |ConfigError(why)| ConfigError(format!("[sources.{name}] {why}"));
            if !is_known(name) {
                let why = "there is no such source, and no mapping makes it one".to_owned();
                return Err(named(ConfigError(why)));
            }
            Ok((name.clone(), source.trust.policy(variable).map_err(named)?))
        };
        self.sources.iter().map(policy).collect()
    }
}

impl Trust {
    fn policy(&self, variable: Variable<'_>) -> Result<SourcePolicy, ConfigError> {
        let network = |text: &String| {
            text.parse::<Network>().map_err(|error| ConfigError(format!("`from`: {error}")))
        };
        let most_bytes = self.max_body.unwrap_or(limits::REQUEST_BYTES);
        if !(1..=limits::REQUEST_BYTES).contains(&most_bytes) {
            let most = limits::REQUEST_BYTES;
            return Err(ConfigError(format!("`max_body` must be from 1 to {most} bytes")));
        }
        Ok(SourcePolicy {
            from: self.from.iter().map(network).collect::<Result<_, _>>()?,
            proofs: self.proofs(variable)?,
            most_bytes,
            rate: self.rate.map(SendRate::rate).transpose()?,
        })
    }

    fn proofs(&self, variable: Variable<'_>) -> Result<Vec<Proof>, ConfigError> {
        let mut proofs = Vec::new();
        if !self.bearer.is_empty() {
            proofs.push(Proof::Bearer(Secrets::new(secrets("bearer", &self.bearer, variable)?)));
        }
        if let Some(basic) = &self.basic {
            let passwords = secrets("basic.passwords", &basic.passwords, variable)?;
            let pairs = passwords.into_iter().map(|password| format!("{}:{password}", basic.user));
            proofs.push(Proof::Basic(Secrets::new(pairs)));
        }
        if let Some(header) = &self.header {
            let known = secrets("header.secrets", &header.secrets, variable)?;
            proofs.push(Proof::Header(header_name(&header.name)?, Secrets::new(known)));
        }
        if let Some(signed) = &self.signature {
            proofs.push(Proof::Signature(signed.signature(variable)?));
        }
        if !self.sns_topics.is_empty() {
            proofs.push(Proof::Body(Arc::new(self.topics()?)));
        }
        Ok(proofs)
    }

    fn topics(&self) -> Result<TopicSender, ConfigError> {
        if let Some(wrong) = self.sns_topics.iter().find(|arn| !arn.starts_with("arn:aws")) {
            return Err(ConfigError(format!("`sns_topics`: `{wrong}` is no ARN of a topic")));
        }
        let fetch =
            Fetcher::new().map_err(|error| ConfigError(format!("`sns_topics`: {error}")))?;
        Ok(TopicSender::new(self.sns_topics.clone(), Arc::new(fetch)))
    }
}

impl SendRate {
    fn rate(self) -> Result<Rate, ConfigError> {
        let burst = self.burst.unwrap_or(self.per_second.max(1.0));
        let wrong = "`rate` takes `per_second` above 0 and a `burst` from 1";
        Rate::new(self.per_second, burst).ok_or_else(|| ConfigError(wrong.to_owned()))
    }
}

impl Signed {
    fn signature(&self, variable: Variable<'_>) -> Result<Signature, ConfigError> {
        let (header, prefix) = match self.style {
            Some(Style::Pagerduty) => (Some("x-pagerduty-signature"), "v1="),
            Some(Style::Grafana) => (Some("x-grafana-alerting-signature"), ""),
            Some(Style::Sentry) => (Some("sentry-hook-signature"), ""),
            None => (None, ""),
        };
        let header = self.header.as_deref().or(header);
        let missing = || ConfigError("`signature` needs a `style` or a `header`".to_owned());
        let usual = match (self.style, &self.time_header) {
            (Some(Style::Grafana), Some(_)) => "{timestamp}:{body}",
            _ => "{body}",
        };
        let signed = self.signed.as_deref().unwrap_or(usual);
        let around = signed.split_once("{body}").filter(|(_, after)| !after.contains("{body}"));
        let no_body = "`signature.signed` must hold `{body}` once";
        let (before, after) = around.ok_or_else(|| ConfigError(no_body.to_owned()))?;
        if signed.contains("{timestamp}") != self.time_header.is_some() {
            let why = "`signature.time_header` and `{timestamp}` in `signature.signed` go together: a \
                       time that is not signed proves nothing";
            return Err(ConfigError(why.to_owned()));
        }
        let window_ms = self.window.map_or(limits::SIGNED_WINDOW_MS, |window| window.ms);
        let time = self
            .time_header
            .as_deref()
            .map(|name| Ok::<_, ConfigError>(SignedTime { header: header_name(name)?, window_ms }));
        Ok(Signature {
            header: header_name(header.ok_or_else(missing)?)?,
            prefix: self.prefix.clone().unwrap_or_else(|| prefix.to_owned()),
            encoding: match self.encoding {
                Some(Written::Base64) => Encoding::Base64,
                Some(Written::Hex) | None => Encoding::Hex,
            },
            secrets: secrets("signature.secrets", &self.secrets, variable)?
                .into_iter()
                .map(String::into_bytes)
                .collect(),
            time: time.transpose()?,
            around: (before.to_owned(), after.to_owned()),
        })
    }
}

fn header_name(name: &str) -> Result<http::HeaderName, ConfigError> {
    name.parse().map_err(|_| ConfigError(format!("`{name}` is no name of a header")))
}

/// The secrets at their places. A short one can be guessed.
fn secrets(
    key: &str,
    references: &[Reference],
    variable: Variable<'_>,
) -> Result<Vec<String>, ConfigError> {
    if references.is_empty() {
        return Err(ConfigError(format!("`{key}` names no secret")));
    }
    references.iter().map(|reference| reference.resolve_whole(key, variable)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::load;
    use super::*;

    fn policies(text: &str) -> Result<BTreeMap<String, SourcePolicy>, ConfigError> {
        let find = |name: &str| (name == "LONG").then(|| "0123456789abcdef".to_owned());
        load(text, &[])?.source_policies(&find, |name| name != "nobody")
    }

    #[test]
    fn a_table_holds_trust_and_a_mapping() {
        let text = "[sources.scanner]\nseverity = \"rank\"\nbearer = [\"env:LONG\"]\nmax_body = 1000\n\
                    [sources.pagerduty.signature]\nstyle = \"pagerduty\"\nsecrets = [\"env:LONG\"]\n";
        let config = load(text, &[]).unwrap();
        let names: Vec<_> = config.mappings().into_keys().collect();
        assert_eq!(names, ["scanner"], "a table of trust alone makes no source");
        let policies = policies(text).unwrap();
        assert_eq!(policies["scanner"].most_bytes, 1_000);
        assert!(matches!(policies["pagerduty"].proofs[..], [Proof::Signature(_)]));
    }

    #[test]
    fn what_can_not_be_is_named() {
        for (text, word) in [
            ("[sources.nobody]\nfrom = [\"10.0.0.0/8\"]", "no such source"),
            ("[sources.x]\nfrom = [\"everywhere\"]", "everywhere"),
            ("[sources.x]\nbearer = [\"hunter2hunter2hunter2\"]", "reference"),
            ("[sources.x]\nbearer = [\"env:GONE\"]", "GONE"),
            ("[sources.x]\nmax_body = 99999999", "max_body"),
            ("[sources.x]\nrate = { per_second = 0 }", "per_second"),
            ("[sources.x]\nsignature = { secrets = [\"env:LONG\"] }", "style"),
            ("[sources.x]\nsignature = { style = \"sentry\", secrets = [] }", "names no secret"),
            ("[sources.x]\nsignature = { header = \"a b\", secrets = [\"env:LONG\"] }", "a b"),
            (
                "[sources.x]\nsignature = { header = \"x\", secrets = [\"env:LONG\"], signed = \"{timestamp}{body}\" }",
                "time_header",
            ),
            (
                "[sources.x]\nsignature = { header = \"x\", secrets = [\"env:LONG\"], time_header = \"t\" }",
                "time_header",
            ),
            ("[sources.x]\nsns_topics = [\"findings\"]", "findings"),
            ("[sources.x]\nbarer = [\"env:LONG\"]", "barer"),
        ] {
            let error = policies(text).unwrap_err().to_string();
            assert!(error.contains(word), "{text}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
