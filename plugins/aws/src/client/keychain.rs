//! Credentials and AWS's own settings: read when the first call needs them, so that a machine
//! without any can still start, check and test.

use std::time::{Duration, SystemTime};

use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_types::service_config::ServiceConfigKey;
use stanch_plugins_sdk::core::time::Timestamp;
use tokio::sync::{Mutex, OnceCell};

use super::endpoint::Variant;
use super::failure::Failure;
use crate::settings::{AwsSettings, StaticCredentials};

/// For how long credentials without an end are kept before they are looked for again.
const KEPT_MS: i64 = 15 * 60 * 1_000;

/// How long before their end credentials are replaced.
const EARLY_MS: i64 = 5 * 60 * 1_000;

/// The credentials of calls, and what AWS's variables and files say.
#[derive(Debug)]
pub(crate) struct Keychain {
    given: Option<Credentials>,
    http: SharedHttpClient,
    config: OnceCell<SdkConfig>,
    kept: Mutex<Option<Kept>>,
}

#[derive(Debug)]
struct Kept {
    credentials: Credentials,
    until: Timestamp,
}

impl Keychain {
    /// A keychain that has looked at nothing yet.
    pub(crate) fn new(settings: &AwsSettings, http: SharedHttpClient) -> Self {
        let given = settings.credentials.clone().map(of_settings);
        Self { given, http, config: OnceCell::new(), kept: Mutex::default() }
    }

    /// AWS's variables and files, read once.
    pub(crate) async fn config(&self) -> &SdkConfig {
        let load = || async {
            let loader = aws_config::defaults(BehaviorVersion::latest());
            Box::pin(loader.http_client(self.http.clone()).load()).await
        };
        self.config.get_or_init(load).await
    }

    /// The address that AWS's variables and files give for a service, if they do:
    /// `AWS_ENDPOINT_URL_<SERVICE>` before `AWS_ENDPOINT_URL`.
    pub(crate) async fn endpoint_url(&self, service_id: &str) -> Option<String> {
        let config = self.config().await;
        let key = ServiceConfigKey::builder()
            .service_id(service_id)
            .env("AWS_ENDPOINT_URL")
            .profile("endpoint_url")
            .build()
            .ok();
        let own = key.and_then(|key| config.service_config()?.load_config(key));
        own.or_else(|| config.endpoint_url().map(str::to_owned))
    }

    /// Which hosts AWS's variables and files ask for.
    pub(crate) async fn variant(&self) -> Variant {
        let config = self.config().await;
        let asked = |flag: Option<bool>| flag.unwrap_or(false);
        Variant { fips: asked(config.use_fips()), dual_stack: asked(config.use_dual_stack()) }
    }

    /// The credentials to sign with now.
    pub(crate) async fn credentials(&self, now: Timestamp) -> Result<Credentials, Failure> {
        if let Some(given) = &self.given {
            return Ok(given.clone());
        }
        let mut kept = self.kept.lock().await;
        if let Some(kept) = kept.as_ref().filter(|kept| now < kept.until) {
            return Ok(kept.credentials.clone());
        }
        let provider = self.config().await.credentials_provider();
        let provider = provider.ok_or_else(|| Failure::NoCredentials(NONE.to_owned()))?;
        let credentials = provider.provide_credentials().await.map_err(|error| refused(&error))?;
        let until = credentials.expiry().map_or(now.plus_ms(KEPT_MS), early);
        *kept = Some(Kept { credentials: credentials.clone(), until });
        Ok(credentials)
    }
}

const NONE: &str = "no AWS credentials could be loaded: set AWS_ACCESS_KEY_ID and \
    AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or run where a role is attached. A profile with SSO \
    needs an `aws sso login` that has not ended. `aws sts get-caller-identity` with the same \
    variables shows more";

/// What a provider says may repeat what it was given, so that it is not repeated here.
fn refused(error: &CredentialsError) -> Failure {
    match error {
        CredentialsError::ProviderTimedOut(_) => {
            Failure::NotSent("the provider of AWS credentials did not answer in time".to_owned())
        }
        _ => Failure::NoCredentials(NONE.to_owned()),
    }
}

fn early(end: SystemTime) -> Timestamp {
    let since = end.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let micros = i64::try_from(since.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_micros(micros).plus_ms(-EARLY_MS)
}

fn of_settings(given: StaticCredentials) -> Credentials {
    let StaticCredentials { access_key_id, secret_access_key, session_token } = given;
    Credentials::new(access_key_id, secret_access_key, session_token, None, "settings")
}
