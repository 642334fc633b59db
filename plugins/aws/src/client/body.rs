//! How much of an answer is read: a bound, whatever the other side sends.

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::shared::IntoShared;
use aws_smithy_types::body::SdkBody;
use http_body_util::{BodyExt as _, Limited};

/// Bytes of one answer: thirty times what a step's result may have, so that a page of what is
/// filtered later gets through, and an endless answer does not fill the memory.
pub(crate) const ANSWER_BYTES: usize = 32 * 1024 * 1024;

/// An HTTP client that stops reading at [`ANSWER_BYTES`].
#[derive(Debug)]
pub(crate) struct Bounded(pub(crate) SharedHttpClient);

impl HttpClient for Bounded {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        BoundedConnector(self.0.http_connector(settings, components)).into_shared()
    }
}

#[derive(Debug)]
struct BoundedConnector(SharedHttpConnector);

impl HttpConnector for BoundedConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let answer = self.0.call(request);
        HttpConnectorFuture::new(async move {
            let bound = |body: SdkBody| {
                let body = body.map_err(|why| CutOff(why.to_string()));
                SdkBody::from_body_1_x(Limited::new(body, ANSWER_BYTES))
            };
            Ok(answer.await?.map(bound))
        })
    }
}

/// The connection ended in the middle of an answer.
#[derive(Debug, thiserror::Error)]
#[error("the answer was cut off: {0}")]
pub(super) struct CutOff(String);

/// Whether an error says that the bound was reached.
pub(crate) fn is_too_large(error: &(dyn std::error::Error + 'static)) -> bool {
    find::<http_body_util::LengthLimitError>(error).is_some()
}

/// The first error of a type in a chain of causes.
pub(crate) fn find<'e, E: std::error::Error + 'static>(
    error: &'e (dyn std::error::Error + 'static),
) -> Option<&'e E> {
    std::iter::successors(Some(error), |error| (**error).source())
        .find_map(|error| error.downcast_ref())
}
