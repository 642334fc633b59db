//! AWS for Stanch.
//!
//! Owns: a client for every operation of every service, made from AWS's own models; the actions
//! and sources that the engine has through it; what each operation does and whether it may be
//! repeated; and a sandbox that stands in for AWS in the demo and in tests.
//!
//! Must never: retry or decide, nor wait for anything but its turn under AWS's quotas. The engine
//! does.
//!
//! Start reading at [`Aws`].

mod action;
mod checksum;
mod client;
mod describe;
mod effect;
mod iam;
mod lookups;
pub mod model;
mod notification;
mod operations;
mod params;
mod percent;
mod quota;
mod reviewed;
mod rules;
mod safety;
pub mod sandbox;
mod secrets;
mod settings;
mod sources;
mod target;
mod undo;

use std::sync::Arc;

use serde_json::{Map, Value};

use stanch_plugins_sdk::Catalogue;
use stanch_plugins_sdk::core::operation::Operations;
use stanch_plugins_sdk::core::time::Timestamp;

use client::Client;
pub use client::{Endpoint, Variant};
use model::{ModelError, ModelStore};
pub use notification::TopicSender;
pub use quota::Rate;
pub use settings::{AccountRoles, AwsSettings, Roles, StaticCredentials};

/// The plugin: what a binary wires.
#[derive(Clone)]
pub struct Aws {
    client: Arc<Client>,
}

/// For how long a token of [`Aws::database_token`] makes connections.
pub const DATABASE_TOKEN_LASTS: std::time::Duration = client::DATABASE_TOKEN_LASTS;

/// The region in the name of a host of RDS: `NAME.ID.REGION.rds.amazonaws.com`.
fn region_of_database(host: &str) -> Option<&str> {
    let (name, _) = host.split_once(".rds.amazonaws.com")?;
    name.rsplit('.').next()
}

impl Aws {
    /// Opens the models. No credentials are looked for and nothing is sent before an action runs.
    ///
    /// # Errors
    /// When the folder of models in the settings can't be read.
    pub fn open(settings: &AwsSettings) -> Result<Self, ModelError> {
        Ok(Self { client: Arc::new(Client::new(settings)?) })
    }

    /// The operations that playbooks may name.
    pub fn operations(&self) -> Arc<dyn Operations> {
        Arc::new(operations::AwsOperations(Arc::clone(&self.client)))
    }

    /// The models.
    pub fn models(&self) -> &ModelStore {
        &self.client.models
    }

    /// Where a service's calls go in a region, and how they are signed.
    ///
    /// # Errors
    /// In words, when there is no such service, or it has no such host there.
    pub fn endpoint(
        &self,
        service: &str,
        region: &str,
        variant: Variant,
    ) -> Result<Endpoint, String> {
        let models = &self.client.models;
        let found = models.service_and_rules(service).map_err(|error| error.to_string())?;
        client::endpoint_of_service(models, found, region, variant, std::iter::empty())
    }

    /// What is known of a service (`iam`) or of an operation (`iam:GetUser`), as JSON.
    ///
    /// # Errors
    /// In words, with the nearest name that there is.
    pub fn describe(&self, what: &str) -> Result<Value, String> {
        describe::describe(&self.client.models, what)
    }

    /// What the endpoint rules of a service say to parameters as the rules name them: `Region`,
    /// `UseFIPS`, `UseDualStack`, `Bucket`, …
    ///
    /// # Errors
    /// In words, when there is no such service, or its rules refuse these parameters.
    pub fn endpoint_by_rules(
        &self,
        service: &str,
        params: &Map<String, Value>,
    ) -> Result<Endpoint, String> {
        let models = &self.client.models;
        let (model, rules) = models.service_and_rules(service).map_err(|e| e.to_string())?;
        client::endpoint_by_rules(models, model, rules, params)
    }

    /// The answer of an operation without the members that AWS left out, as a person reads it.
    /// Playbooks see them as null.
    pub fn without_absent(&self, operation: &str, mut answer: Value) -> Value {
        let named = self.client.models.operation(operation).ok();
        if let Some((named, output)) = named.and_then(|n| Some((n, n.operation.output.as_ref()?))) {
            client::without_absent(named.model, &output.shape, &mut answer);
        }
        answer
    }

    /// The password by which a user connects to a database of RDS that takes IAM's word for it. It
    /// makes connections for [`DATABASE_TOKEN_LASTS`].
    ///
    /// # Errors
    /// In words, when there are no credentials, or the region is neither said nor in the host's name.
    pub async fn database_token(
        &self,
        (host, port, user): (&str, u16, &str),
        now: Timestamp,
    ) -> Result<String, String> {
        let region = match region_of_database(host) {
            Some(region) => region.to_owned(),
            None => self.client.default_region().await.ok_or_else(|| {
                format!("the region of {host} is not in its name: name it as [aws] region")
            })?,
        };
        let credentials = self.client.keychain.credentials(now).await;
        let credentials = credentials.map_err(|failure| failure.message())?;
        client::database_token(credentials, &region, (host, port, user), now)
    }

    /// Adds the actions and sources of AWS to a catalogue.
    #[must_use]
    pub fn register(&self, catalogue: Catalogue) -> Catalogue {
        let catalogue = catalogue
            .with_action(Arc::new(action::Call(Arc::clone(&self.client))))
            .with_action(Arc::new(action::Wait(Arc::clone(&self.client))))
            .with_action(Arc::new(action::Accounts(Arc::clone(&self.client))))
            .with_action(Arc::new(action::Prepare(Arc::clone(&self.client))))
            .with_action(Arc::new(action::Publish(Arc::clone(&self.client))))
            .with_action(Arc::new(action::Mail(Arc::clone(&self.client))));
        sources::register(catalogue)
    }
}

#[cfg(test)]
mod tests {
    use super::region_of_database;

    #[test]
    fn a_database_says_where_it_is() {
        let host = "stanch.abc123.eu-central-1.rds.amazonaws.com";
        assert_eq!(region_of_database(host), Some("eu-central-1"));
        assert_eq!(region_of_database("s.abc.cn-north-1.rds.amazonaws.com.cn"), Some("cn-north-1"));
        assert_eq!(region_of_database("db.example.com"), None);
    }
}
