//! The HTTP client that every call goes out by: TLS, proxies, and a bound on answers.

use std::time::Duration;

use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::shared::IntoShared;

use super::body::Bounded;

/// How long a connection may take to be made.
pub(super) const CONNECT: Duration = Duration::from_secs(5);

/// A client that goes by the proxies of `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`,
/// and trusts the certificates of the system, or those of `SSL_CERT_FILE`.
pub(super) fn client() -> SharedHttpClient {
    let through = build(ProxyConfig::from_env);
    let direct = build(ProxyConfig::disabled);
    Bounded(Routed { through, direct }.into_shared()).into_shared()
}

/// What follows a link by the same proxies. It reads without a bound: whoever takes the bytes has one.
pub(super) fn connector() -> Connector {
    let settings = HttpConnectorSettings::builder().connect_timeout(CONNECT).build();
    Connector::builder()
        .proxy_config(ProxyConfig::from_env())
        .connector_settings(settings)
        .sleep_impl(TokioSleep::new())
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build()
}

fn build(proxies: fn() -> ProxyConfig) -> SharedHttpClient {
    Builder::new().build_with_connector_fn(move |settings, components| {
        let mut builder = Connector::builder().proxy_config(proxies());
        builder.set_connector_settings(settings.cloned());
        if let Some(components) = components {
            builder.set_sleep_impl(components.sleep_impl());
        }
        builder.tls_provider(Provider::Rustls(CryptoMode::Ring)).build()
    })
}

/// By a proxy, where there is one, save to the machine's own metadata services: they give
/// credentials to whoever asks from here, so that a proxy must not ask.
#[derive(Debug)]
struct Routed {
    through: SharedHttpClient,
    direct: SharedHttpClient,
}

impl HttpClient for Routed {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let connector = |client: &SharedHttpClient| client.http_connector(settings, components);
        RoutedConnector { through: connector(&self.through), direct: connector(&self.direct) }
            .into_shared()
    }
}

#[derive(Debug)]
struct RoutedConnector {
    through: SharedHttpConnector,
    direct: SharedHttpConnector,
}

impl HttpConnector for RoutedConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        match is_metadata_service(request.uri()) {
            true => self.direct.call(request),
            false => self.through.call(request),
        }
    }
}

/// Whether an address is that of a metadata service: of an instance, a task, or a pod, by IPv4 or
/// IPv6. <https://docs.aws.amazon.com/sdkref/latest/guide/feature-imds-credentials.html>,
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html>
fn is_metadata_service(uri: &str) -> bool {
    ["http://169.254.", "http://[fd00:ec2:"].iter().any(|start| uri.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_metadata_services_are_asked_directly() {
        for uri in [
            "http://169.254.169.254/latest/api/token",
            "http://169.254.170.2/v2/credentials/x",
            "http://169.254.170.23/v1/credentials",
            "http://[fd00:ec2::254]/latest",
        ] {
            assert!(is_metadata_service(uri), "{uri}");
        }
        for uri in
            ["https://sts.us-east-1.amazonaws.com/", "http://169.25.4.1/", "http://[fd00::1]/"]
        {
            assert!(!is_metadata_service(uri), "{uri}");
        }
    }
}
