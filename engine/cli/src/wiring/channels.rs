//! Puts the channels of the configuration into the catalogue.

use std::sync::Arc;

use anyhow::Context as _;
use stanch_plugins_http::{Dialer, Exchanger};
use stanch_plugins_notify::{
    Email, Mailbox, OnCall, PagerDuty, Secret, Sender, Ses, Slack, SlackEar, Webhook,
};
use stanch_plugins_sdk::{Action, Catalogue, Channel, Ear, Exchange};

use crate::config::{ChannelConfig, Config, ConfigError, Duty, Reference, Variable};

/// Where Slack's API is.
const SLACK: &str = "https://slack.com/api";

/// Adds every channel that is not a topic of SNS, and every roster.
///
/// # Errors
/// When a secret is not where it is said to be, or there is no TLS on this machine.
pub(super) fn register(
    mut catalogue: Catalogue,
    config: &Config,
    variable: Variable<'_>,
) -> anyhow::Result<Catalogue> {
    let rosters = config.oncall.iter().filter(|(_, duty)| duty.pagerduty_schedule.is_some());
    if config.notify.channels.is_empty() && rosters.clone().next().is_none() {
        return Ok(catalogue);
    }
    let mailer = catalogue.action("aws.ses_send").map_err(ConfigError)?.clone();
    let make = Make { exchange: Arc::new(Exchanger::new()?), mailer, config, variable };
    for (name, channel) in &config.notify.channels {
        if let Some(channel) = make.channel(name, channel)? {
            catalogue = catalogue.with_channel(name.clone(), channel);
        }
    }
    for (name, duty) in rosters {
        let roster = Arc::new(make.roster(name, duty)?);
        catalogue = catalogue.with_roster(name.clone(), roster);
    }
    Ok(catalogue)
}

/// What is listened to: Slack, where it is told on a line.
///
/// # Errors
/// When the secret is not where it is said to be, or there is no TLS on this machine.
pub(super) fn ears(config: &Config, variable: Variable<'_>) -> anyhow::Result<Vec<Arc<dyn Ear>>> {
    let Some(token) = &config.slack.app_token else { return Ok(Vec::new()) };
    let base_url = config.slack.base_url.as_deref().unwrap_or(SLACK).trim_end_matches('/');
    let ear = SlackEar {
        base_url: base_url.to_owned(),
        token: secret("slack.app_token", token, variable)?,
        exchange: Arc::new(Exchanger::new()?),
        dial: Arc::new(Dialer::new()?),
    };
    Ok(vec![Arc::new(ear)])
}

fn secret(key: &str, reference: &Reference, variable: Variable<'_>) -> Result<Secret, ConfigError> {
    reference.resolve_whole(key, variable).map(Secret::new)
}

struct Make<'c> {
    exchange: Arc<dyn Exchange>,
    /// Hands mails to SES.
    mailer: Arc<dyn Action>,
    config: &'c Config,
    variable: Variable<'c>,
}

impl Make<'_> {
    fn secret(&self, key: &str, reference: &Reference) -> Result<Secret, ConfigError> {
        secret(key, reference, self.variable)
    }

    fn channel(
        &self,
        name: &str,
        channel: &ChannelConfig,
    ) -> anyhow::Result<Option<Arc<dyn Channel>>> {
        let key = |member: &str| format!("notify.channels.{name}.{member}");
        let base = |given: &Option<String>, usual: &str| {
            given.as_deref().unwrap_or(usual).trim_end_matches('/').to_owned()
        };
        let exchange = self.exchange.clone();
        Ok(Some(match channel {
            ChannelConfig::Sns { .. } => return Ok(None),
            ChannelConfig::Slack { token, channel, base_url } => Arc::new(Slack {
                base_url: base(base_url, SLACK),
                token: self.secret(&key("token"), token)?,
                channel: channel.clone(),
                is_interactive: self.config.has_buttons(),
                exchange,
            }),
            ChannelConfig::Pagerduty { routing_key, base_url } => Arc::new(PagerDuty {
                base_url: base(base_url, "https://events.pagerduty.com"),
                routing_key: self.secret(&key("routing_key"), routing_key)?,
                public_url: self.config.public_url(),
                exchange,
            }),
            ChannelConfig::Webhook { url, secrets } => {
                if secrets.is_empty() {
                    let why = format!("`{}` names no secret", key("secrets"));
                    return Err(ConfigError(why).into());
                }
                let secrets = secrets.iter().map(|secret| self.secret(&key("secrets"), secret));
                let secrets = secrets.collect::<Result<_, _>>()?;
                Arc::new(Webhook { url: url.clone(), secrets, exchange })
            }
            ChannelConfig::Ses { from, to, region, configuration_set } => {
                let sender = Sender {
                    from: from.clone(),
                    to: to.clone(),
                    region: region.clone(),
                    configuration_set: configuration_set.clone(),
                };
                let named = |error| ConfigError(format!("[notify.channels.{name}] {error}"));
                let made = Ses::new(sender, self.config.public_url(), self.mailer.clone());
                Arc::new(made.map_err(named)?)
            }
            ChannelConfig::Email { .. } => Arc::new(self.email(name, channel)?),
        }))
    }

    fn email(&self, name: &str, channel: &ChannelConfig) -> anyhow::Result<Email> {
        let ChannelConfig::Email { host, port, security, roots, user, password, from, to } =
            channel
        else {
            anyhow::bail!("[notify.channels.{name}] is no mail server");
        };
        let user = match (user, password) {
            (None, None) => None,
            (Some(user), Some(password)) => {
                let key = format!("notify.channels.{name}.password");
                let password = Secret::new(password.resolve(&key, self.variable)?);
                Some((user.clone(), password))
            }
            _ => {
                let why = format!("[notify.channels.{name}] `user` and `password` go together");
                return Err(ConfigError(why).into());
            }
        };
        let roots_pem = match roots {
            Some(file) => Some(std::fs::read(file).with_context(|| format!("{}", file.display()))?),
            None => None,
        };
        let mailbox = Mailbox {
            host: host.clone(),
            port: *port,
            security: *security,
            roots_pem,
            user,
            from: from.clone(),
            to: to.clone(),
        };
        let named = |error| ConfigError(format!("[notify.channels.{name}] {error}"));
        Ok(Email::new(mailbox, self.config.public_url()).map_err(named)?)
    }

    fn roster(&self, name: &str, duty: &Duty) -> Result<OnCall, ConfigError> {
        let key = format!("oncall.{name}.pagerduty_token");
        let (Some(schedule), Some(token)) = (&duty.pagerduty_schedule, &duty.pagerduty_token)
        else {
            return Err(ConfigError(format!("`{key}` is missing")));
        };
        let base_url = duty.base_url.as_deref().unwrap_or("https://api.pagerduty.com");
        Ok(OnCall {
            base_url: base_url.trim_end_matches('/').to_owned(),
            token: self.secret(&key, token)?,
            schedule: schedule.clone(),
            exchange: self.exchange.clone(),
        })
    }
}
