//! One call, from parameters to answer.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_runtime::auth::sigv4::{SCHEME_ID, SigV4AuthScheme};
use aws_runtime::auth::{SigV4OperationSigningConfig, SigningOptions};
use aws_sigv4::http_request::SignableBody;
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_http_client::Connector;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::client::auth::static_resolver::StaticAuthSchemeOptionResolver;
use aws_smithy_runtime_api::client::auth::{AuthSchemeOptionResolverParams, SharedAuthScheme};
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::identity::SharedIdentityResolver;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_runtime_api::client::runtime_plugin::StaticRuntimePlugin;
use aws_smithy_types::DateTime;
use aws_smithy_types::config_bag::Layer;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::region::{Region, SigningRegion};
use aws_types::{SdkConfig, SigningName};
use bytes::Bytes;
use serde_json::Value;
use stanch_plugins_sdk::core::effect::Effect;
use stanch_plugins_sdk::core::step::ErrorKind;
use stanch_plugins_sdk::core::time::Timestamp;
use stanch_plugins_sdk::{Patience, Urgency};

use super::answer::{Raw, read};
use super::assume::Sessions;
use super::clock::AwsClock;
use super::content::Content;
use super::endpoint::{Endpoint, Endpoints, Variant, labelled_host, without_bucket};
use super::error_details;
use super::failure::Failure;
use super::fault::Fault;
use super::http as outward;
use super::identity::Callers;
use super::keychain::Keychain;
use super::protocol;
use crate::action::Places;
use crate::model::{ModelError, ModelStore, Named};
use crate::quota::{Counter, Quotas};
use crate::settings::{AwsSettings, Roles};

/// The client: any operation of any service.
pub(crate) struct Client {
    /// The models that it knows.
    pub(crate) models: ModelStore,
    /// Its credentials.
    pub(crate) keychain: Keychain,
    /// Who its credentials belong to.
    pub(super) callers: Callers,
    /// The roles that it takes.
    pub(crate) roles: Roles,
    /// The account that the organization is asked in, where it is not the base credentials'.
    pub(crate) organization_account: Option<String>,
    /// Where accounts are in the organization.
    pub(crate) places: Places,
    /// The sessions of roles that it has taken.
    pub(super) sessions: Sessions,
    /// The time as AWS has it.
    clock: AwsClock,
    endpoints: Endpoints,
    quotas: Quotas,
    http: SharedHttpClient,
    /// What follows links; it is made for the first of them.
    pub(super) links: OnceLock<Connector>,
    endpoint_url: Option<String>,
    default_region: Option<String>,
}

/// A call that is wanted. The parameters must have been checked.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a> {
    /// The operation.
    pub(crate) named: Named,
    /// Its parameters.
    pub(crate) params: &'a Value,
    /// Where its content is.
    pub(crate) content: Content<'a>,
    /// The region.
    pub(crate) region: &'a str,
    /// How long it may take.
    pub(crate) timeout: Duration,
    /// The time now.
    pub(crate) now: Timestamp,
    /// Who calls.
    pub(crate) credentials: &'a Credentials,
    /// The account that is called, where it is known.
    pub(crate) account: Option<&'a str>,
    /// How soon it is wanted.
    pub(crate) urgency: Urgency,
    /// The time that it waits for its turn.
    pub(crate) patience: &'a Patience,
}

/// What AWS answered.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The answer, every modelled member of it.
    pub(crate) value: Value,
    /// Its content, where that was asked for beside the value and there is one.
    pub(crate) content: Option<Bytes>,
    /// AWS's id of the request.
    pub(crate) request_id: Option<String>,
    /// AWS's clock minus ours, in milliseconds. AWS gives whole seconds.
    pub(crate) clock_offset_ms: Option<i64>,
}

impl Client {
    /// A client that has sent nothing and looked for no credentials yet.
    ///
    /// # Errors
    /// When the models can't be read.
    pub(crate) fn new(settings: &AwsSettings) -> Result<Self, ModelError> {
        let http = outward::client();
        Ok(Self {
            models: ModelStore::open(settings.models_dir.as_deref())?,
            keychain: Keychain::new(settings, http.clone()),
            callers: Callers::default(),
            roles: settings.roles.clone(),
            organization_account: settings.organization_account.clone(),
            places: Places::default(),
            sessions: Sessions::default(),
            clock: AwsClock::default(),
            endpoints: Endpoints::default(),
            quotas: Quotas::new(settings.quotas.clone()),
            http,
            links: OnceLock::new(),
            endpoint_url: settings.endpoint_url.clone(),
            default_region: settings.default_region.clone(),
        })
    }

    /// The region of a call that names none, if there is one.
    pub(crate) async fn default_region(&self) -> Option<String> {
        match &self.default_region {
            Some(region) => Some(region.clone()),
            None => self.keychain.config().await.region().map(Region::to_string),
        }
    }

    /// The address that calls to a service go to, where settings or AWS's variables give one.
    pub(crate) async fn endpoint_url(&self, service_id: &str) -> Option<String> {
        match &self.endpoint_url {
            Some(url) => Some(url.clone()),
            None => self.keychain.endpoint_url(service_id).await,
        }
    }

    /// What AWS's typed clients are made with.
    pub(crate) async fn sdk_config(
        &self,
        service_id: &str,
        region: &str,
        timeout: Duration,
        credentials: &Credentials,
    ) -> SdkConfig {
        let mut config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .credentials_provider(SharedCredentialsProvider::new(credentials.clone()))
            .http_client(self.http.clone())
            .region(Region::new(region.to_owned()))
            .retry_config(RetryConfig::disabled())
            .sleep_impl(TokioSleep::new())
            .time_source(self.clock.clone())
            .timeout_config(timeouts(timeout));
        config.set_endpoint_url(self.endpoint_url(service_id).await);
        config.build()
    }

    /// Calls when it is its turn: once, and a second time only after a no to the time of the
    /// signature, which is no call at all.
    pub(crate) async fn call(&self, wanted: Wanted<'_>) -> Result<Answer, Failure> {
        let counter = Counter::new(wanted.account, wanted.region, wanted.named.to_string());
        self.quotas.turn(&counter, wanted.urgency, wanted.patience).await;
        let answer = Box::pin(self.send(wanted)).await;
        if let Err(failure) = &answer
            && failure.kind(Effect::Read) == ErrorKind::Throttle
        {
            self.quotas.throttled(&counter);
        }
        answer
    }

    async fn send(&self, wanted: Wanted<'_>) -> Result<Answer, Failure> {
        let Wanted { named, params, content, region, .. } = wanted;
        let url = self.endpoint_url(&named.model.metadata.service_id).await;
        refuse_other_signatures(named)?;
        let host = url.as_deref().map(|url| labelled_host(named, params, url)).transpose();
        let host = host.map_err(Failure::Unsendable)?;
        let endpoint = self.endpoint(named, region, params, url).await?;
        let unsendable = |error: &dyn std::fmt::Display| Failure::Unsendable(error.to_string());
        let request = protocol::request(named, params, content.body());
        let mut request = request.map_err(|error| unsendable(&error))?;
        match host {
            Some(None) => {}
            Some(Some(host)) => {
                request
                    .headers_mut()
                    .try_insert("host", host)
                    .map_err(|error| unsendable(&error))?;
            }
            None => {
                if let Some(uri) = without_bucket(named, params, request.uri()) {
                    request.set_uri(uri).map_err(|error| unsendable(&error))?;
                }
            }
        }
        let started = Instant::now();
        let again = request.try_clone();
        let mut sent = Box::pin(self.operation(wanted, &endpoint).invoke(request)).await;
        if let (Err(error), Some(again)) = (&sent, again)
            && self.clock.learns_of(error)
        {
            sent = Box::pin(self.operation(wanted, &endpoint).invoke(again)).await;
        }
        let now = wanted.now.plus_ms(i64::try_from(started.elapsed().as_millis()).unwrap_or(0));
        let Raw { value, content, request_id, date } =
            sent.map_err(|error| failure(named, error))?;
        let offset = |date: DateTime| Some(date.to_millis().ok()? - now.millis());
        Ok(Answer { value, content, request_id, clock_offset_ms: date.and_then(offset) })
    }

    /// Where a call goes: to the address that was given, else where AWS's rules say. A given
    /// address does not change how the call is signed.
    async fn endpoint(
        &self,
        named: Named,
        region: &str,
        params: &Value,
        url: Option<String>,
    ) -> Result<Endpoint, Failure> {
        let metadata = &named.model.metadata;
        let variant = match &self.endpoint_url {
            Some(_) => Variant::default(),
            None => self.keychain.variant().await,
        };
        let resolved = self.endpoints.resolve(&self.models, named, region, variant, params);
        let Some(url) = url else { return resolved.map_err(Failure::Unsendable) };
        require_address(&url)?;
        Ok(match resolved {
            Ok(endpoint) => Endpoint { url, ..endpoint },
            Err(_) => Endpoint {
                url,
                signing_region: region.to_owned(),
                signing_name: metadata.signing_name().to_owned(),
                is_signable: true,
                properties: Value::Null,
                headers: Value::Null,
            },
        })
    }

    fn operation(
        &self,
        wanted: Wanted<'_>,
        endpoint: &Endpoint,
    ) -> Operation<HttpRequest, Raw, Fault> {
        let Wanted { named, content, timeout, credentials, .. } = wanted;
        let is_beside = content.is_beside();
        let operation = Operation::builder()
            .service_name(named.model.metadata.service_id.to_string())
            .operation_name(named.operation.name.to_string())
            .behavior_version(BehaviorVersion::latest())
            .http_client(self.http.clone())
            .endpoint_url(&endpoint.url)
            .no_retry()
            .sleep_impl(TokioSleep::new())
            .timeout_config(timeouts(timeout));
        let operation = if named.operation.authtype.as_deref() == Some("none") {
            operation.no_auth()
        } else {
            let clock = self.clock.clone();
            operation.runtime_plugin(signing(named, endpoint, credentials.clone(), clock))
        };
        operation
            .serializer(|request: HttpRequest| Ok(request))
            .deserializer(move |response: &HttpResponse| read(named, response, is_beside))
            .build()
    }
}

/// Refuses an address that nothing can be sent to. The crates that would find out show the request.
fn require_address(url: &str) -> Result<(), Failure> {
    let parsed = url.parse::<http::Uri>().ok();
    let is_one = parsed.is_some_and(|uri| {
        uri.host().is_some_and(|host| !host.is_empty())
            && matches!(uri.scheme_str(), Some("http" | "https"))
    });
    let why = || format!("`{url}` is no address to call: write https://HOST or http://HOST:PORT");
    is_one.then_some(()).ok_or_else(|| Failure::Unsendable(why()))
}

/// Refuses a call that takes another proof than a signature by SigV4, before anything is sent.
fn refuse_other_signatures(named: Named) -> Result<(), Failure> {
    let is_open = named.operation.authtype.as_deref() == Some("none");
    let wanted = match &*named.model.metadata.signature_version {
        "bearer" => "a bearer token",
        "v2" => "signatures of version 2",
        _ => return Ok(()),
    };
    if is_open {
        return Ok(());
    }
    let why = format!("{named} takes {wanted}, and Stanch signs by SigV4 only");
    Err(Failure::Unsendable(why))
}

fn timeouts(timeout: Duration) -> TimeoutConfig {
    TimeoutConfig::builder().connect_timeout(outward::CONNECT).operation_timeout(timeout).build()
}

/// What failed, with what AWS's model says that its error tells.
fn failure(named: Named, error: SdkError<Fault, HttpResponse>) -> Failure {
    match error {
        SdkError::ServiceError(said) => {
            let mut fault = Fault::read(said.raw());
            fault.details = error_details::of(named, &fault, said.raw());
            Failure::Fault(fault)
        }
        other => Failure::of(other),
    }
}

fn signing(
    named: Named,
    endpoint: &Endpoint,
    credentials: Credentials,
    clock: AwsClock,
) -> StaticRuntimePlugin {
    let mut options = SigningOptions::default();
    if named.operation.authtype.as_deref() == Some("v4-unsigned-body") {
        options.payload_override = Some(SignableBody::UnsignedPayload);
        options.content_sha256_header = true;
    }
    if named.model.metadata.signing_name().starts_with("s3") {
        // S3 signs its paths as they are sent, and wants the hash of the body in a header.
        options.double_uri_encode = false;
        options.normalize_uri_path = false;
        options.content_sha256_header = true;
    }
    let mut layer = Layer::new("signing");
    layer.store_put(SigningRegion::from(Region::new(endpoint.signing_region.clone())));
    layer.store_put(SigningName::from(endpoint.signing_name.clone()));
    layer.store_put(SigV4OperationSigningConfig {
        signing_options: options,
        ..SigV4OperationSigningConfig::default()
    });
    layer.store_put(AuthSchemeOptionResolverParams::new(()));
    let components = RuntimeComponentsBuilder::new("signing")
        .with_time_source(Some(clock))
        .with_auth_scheme(SharedAuthScheme::new(SigV4AuthScheme::new()))
        .with_auth_scheme_option_resolver(Some(StaticAuthSchemeOptionResolver::new(vec![
            SCHEME_ID,
        ])))
        .with_identity_resolver(
            SCHEME_ID,
            SharedIdentityResolver::new(SharedCredentialsProvider::new(credentials)),
        );
    StaticRuntimePlugin::new().with_config(layer.freeze()).with_runtime_components(components)
}
