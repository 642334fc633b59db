//! How far the caller's roles reach, and what a call is about. A call that is about nothing that is
//! known is only for roles that reach everywhere.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use stanch_engine_core::scope::{Grant, Subject, everywhere, reaching};
use stanch_engine_runtime::scopes;
use stanch_engine_store::{Conn, StoreError};

use crate::App;
use crate::problem::Handled;

/// Calls that hold what they give, or what they are given, against the caller's reach themselves.
const BY_THEMSELVES: [(&str, &str); 4] =
    [("GET", "/v1/approvals"), ("GET", "/v1/incidents"), ("GET", "/v1/runs"), ("POST", "/v1/runs")];

/// How far the caller's roles reach.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reach(pub(crate) Vec<Grant>);

impl<S: Send + Sync> FromRequestParts<S> for Reach {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}

impl Reach {
    /// Whether every role reaches everywhere.
    pub(crate) fn is_whole(&self) -> bool {
        everywhere(&self.0).len() == self.0.iter().map(|grant| grant.roles.len()).sum::<usize>()
    }

    /// The roles that reach a thing.
    pub(crate) fn roles(&self, subject: &Subject) -> Vec<String> {
        reaching(&self.0, subject)
    }

    /// Whether any role reaches a thing.
    pub(crate) fn sees(&self, subject: &Subject) -> bool {
        self.is_whole() || !self.roles(subject).is_empty()
    }

    /// The roles that hold for a call.
    pub(crate) async fn for_call(
        &self,
        app: &App,
        (method, template, path): (&str, &str, &str),
    ) -> Handled<Vec<String>> {
        if BY_THEMSELVES.contains(&(method, template)) {
            return Ok(self.0.iter().flat_map(|grant| grant.roles.clone()).collect());
        }
        let template = template.trim_start_matches("/v1/");
        let (kind, id) = match (template.split('/').next(), parameter(template, path)) {
            (Some(kind), Some(id)) => (kind.to_owned(), id),
            _ => return Ok(everywhere(&self.0)),
        };
        let read = app
            .runtime
            .store()
            .read(move |conn| Box::pin(async move { about(conn, &kind, &id).await }));
        Ok(match read.await? {
            Some(subject) => self.roles(&subject),
            None => everywhere(&self.0),
        })
    }
}

/// The first parameter of a path.
fn parameter(template: &str, path: &str) -> Option<String> {
    let parts = template.split('/').zip(path.trim_start_matches("/v1/").split('/'));
    let found = parts.filter(|(part, _)| part.starts_with('{')).map(|(_, value)| value);
    found.map(str::to_owned).next()
}

/// What a thing of a kind is about; nothing for kinds that are about everything.
async fn about(conn: &mut Conn<'_>, kind: &str, id: &str) -> Result<Option<Subject>, StoreError> {
    let unknown = Subject::default;
    Ok(Some(match kind {
        "approvals" | "break-glass" => match id.parse() {
            Ok(id) => scopes::of_approval_id(conn, id).await?,
            Err(_) => unknown(),
        },
        "runs" => match id.parse() {
            Ok(id) => scopes::of_run_id(conn, id).await?,
            Err(_) => unknown(),
        },
        "incidents" => match id.parse() {
            Ok(id) => scopes::of_incident(conn, Some(id)).await?,
            Err(_) => unknown(),
        },
        "alerts" => match id.parse() {
            Ok(id) => scopes::of_alert(conn, id).await?,
            Err(_) => unknown(),
        },
        "containments" => match id.parse() {
            Ok(id) => scopes::of_containment(conn, id).await?,
            Err(_) => unknown(),
        },
        "pages" => match id.parse() {
            Ok(id) => scopes::of_page(conn, id).await?,
            Err(_) => unknown(),
        },
        "playbooks" | "schedules" => Subject { playbook: Some(id.to_owned()), ..unknown() },
        _ => return Ok(None),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_parameter_is_what_a_call_is_about() {
        let found = |template, path| parameter(template, path);
        let template = "approvals/{id}/decisions";
        assert_eq!(found(template, "/v1/approvals/apr_1/decisions").as_deref(), Some("apr_1"));
        let template = "schedules/{playbook}/{name}";
        assert_eq!(found(template, "/v1/schedules/hunt/daily").as_deref(), Some("hunt"));
        assert_eq!(found("kpis", "/v1/kpis"), None);
    }
}
