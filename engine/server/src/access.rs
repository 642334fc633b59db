//! Who may call what: one row for each path and method. What has no row is refused.

use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use stanch_engine_core::error_code;
use stanch_engine_runtime::people::{Caller, Role};

use crate::App;
use crate::audit;
use crate::auth::Known;
use crate::problem::{Handled, Refusal};
use crate::reach::Reach;

/// What a call needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: there is nothing to learn here.
    Nothing,
    /// A proof of the sender, which the path checks by itself.
    Proof,
    /// Any token. What a person is asked by name or group, the path checks by itself.
    Token,
    /// A token with each of these roles, or with that of an admin.
    Roles(&'static [Role]),
}

/// A path, a method, and what they need.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// The method.
    pub method: &'static str,
    /// The path, with its parameters in braces.
    pub path: &'static str,
    /// What it needs.
    pub needs: Needs,
}

macro_rules! rules {
    ($($method:ident $path:literal $needs:expr;)*) => {
        /// Every call that there is.
        pub const RULES: &[Rule] = &[
            $(Rule { method: stringify!($method), path: $path, needs: $needs },)*
        ];
    };
}

use Needs::{Nothing, Proof, Token};

const RESPONDER: Needs = Needs::Roles(&[Role::Responder]);
const AUTHOR: Needs = Needs::Roles(&[Role::Author]);
const ADMIN: Needs = Needs::Roles(&[Role::Admin]);
const MIGRATION: Needs = Needs::Roles(&[Role::Author, Role::Responder]);

rules! {
    GET "/healthz" Nothing;
    GET "/readyz" Nothing;
    GET "/metrics" Token;
    GET "/openapi.json" Nothing;
    GET "/errors/{code}" Nothing;
    POST "/v1/webhooks/{source}" Proof;
    GET "/v1/alerts" Token;
    GET "/v1/alerts/{id}" Token;
    POST "/v1/alerts/{id}/replay" RESPONDER;
    GET "/v1/dead-letters" Token;
    GET "/v1/dead-letters/{id}" Token;
    POST "/v1/dead-letters/{id}/replay" RESPONDER;
    GET "/v1/incidents" Token;
    GET "/v1/incidents/{id}" Token;
    GET "/v1/incidents/{id}/timeline" Token;
    GET "/v1/incidents/{id}/evidence" Token;
    POST "/v1/incidents/{id}/evidence" RESPONDER;
    POST "/v1/incidents/{id}/collect" RESPONDER;
    POST "/v1/incidents/{id}/evidence/hold" RESPONDER;
    POST "/v1/incidents/{id}/evidence/release" ADMIN;
    GET "/v1/incidents/{id}/kpis" Token;
    GET "/v1/incidents/{id}/export" RESPONDER;
    GET "/v1/incidents/{id}/report" Token;
    POST "/v1/incidents" RESPONDER;
    POST "/v1/incidents/{id}/ack" RESPONDER;
    POST "/v1/incidents/{id}/note" RESPONDER;
    POST "/v1/incidents/{id}/verdict" RESPONDER;
    POST "/v1/incidents/{id}/milestone" RESPONDER;
    POST "/v1/incidents/{id}/assign" RESPONDER;
    POST "/v1/incidents/{id}/close" RESPONDER;
    POST "/v1/incidents/{id}/reopen" RESPONDER;
    GET "/v1/incidents/{id}/review" Token;
    POST "/v1/incidents/{id}/review" RESPONDER;
    POST "/v1/incidents/{id}/review/sign-off" RESPONDER;
    POST "/v1/incidents/{id}/impact" RESPONDER;
    POST "/v1/incidents/{id}/merge" RESPONDER;
    POST "/v1/incidents/{id}/split" RESPONDER;
    POST "/v1/incidents/{id}/attach" RESPONDER;
    POST "/v1/incidents/{id}/detach" RESPONDER;
    GET "/v1/incidents/{id}/updates" Token;
    POST "/v1/incidents/{id}/updates" RESPONDER;
    POST "/v1/incidents/{id}/updates/stop" RESPONDER;
    GET "/v1/containments" Token;
    GET "/v1/containments/{id}" Token;
    POST "/v1/containments/{id}/extend" RESPONDER;
    POST "/v1/containments/{id}/finalize" RESPONDER;
    POST "/v1/containments/{id}/handover" RESPONDER;
    GET "/v1/suppressions" Token;
    POST "/v1/suppressions" RESPONDER;
    GET "/v1/suppressions/{id}" Token;
    POST "/v1/suppressions/{id}/end" RESPONDER;
    GET "/v1/noise/suggestions" Token;
    GET "/v1/reconcile" Token;
    POST "/v1/reconcile" RESPONDER;
    GET "/v1/runs" Token;
    POST "/v1/runs" RESPONDER;
    GET "/v1/runs/{id}" Token;
    GET "/v1/runs/{id}/journal" Token;
    GET "/v1/runs/{id}/events" Token;
    POST "/v1/runs/{id}/cancel" RESPONDER;
    POST "/v1/runs/{id}/pause" RESPONDER;
    POST "/v1/runs/{id}/resume" RESPONDER;
    POST "/v1/runs/{id}/retry" RESPONDER;
    POST "/v1/runs/{id}/signal" RESPONDER;
    POST "/v1/runs/{id}/migrate" MIGRATION;
    POST "/v1/runs/{id}/undo" RESPONDER;
    GET "/v1/approvals" Token;
    GET "/v1/approvals/{id}" Token;
    POST "/v1/approvals/{id}/decisions" Token;
    POST "/v1/approvals/{id}/withdraw" Token;
    POST "/v1/approvals/{id}/handover" Token;
    POST "/v1/approvals/{id}/break-glass" Token;
    GET "/v1/break-glass" Token;
    POST "/v1/break-glass/{id}/review" RESPONDER;
    GET "/v1/pages" Token;
    GET "/v1/pages/{id}" Token;
    POST "/v1/pages/{id}/ack" Token;
    GET "/v1/sign-in" Nothing;
    POST "/v1/slack/interactions" Proof;
    GET "/v1/links/{link}" Proof;
    POST "/v1/links/{link}" Proof;
    GET "/v1/kpis" Token;
    GET "/v1/kpis/definitions" Token;
    GET "/v1/kpis/trend" Token;
    GET "/v1/kpis/{name}/incidents" Token;
    GET "/v1/playbooks" Token;
    POST "/v1/playbooks" AUTHOR;
    GET "/v1/playbooks/{name}/versions" Token;
    POST "/v1/playbooks/{name}/activate" AUTHOR;
    POST "/v1/playbooks/{name}/rollback" AUTHOR;
    GET "/v1/schedules" Token;
    GET "/v1/schedules/{playbook}/{name}" Token;
    POST "/v1/schedules/{playbook}/{name}/pause" RESPONDER;
    POST "/v1/schedules/{playbook}/{name}/resume" RESPONDER;
    POST "/v1/schedules/{playbook}/{name}/trigger" RESPONDER;
    POST "/v1/schedules/{playbook}/{name}/backfill" RESPONDER;
    GET "/v1/halt" Token;
    POST "/v1/halt" RESPONDER;
    DELETE "/v1/halt" ADMIN;
    GET "/v1/tokens" ADMIN;
    POST "/v1/tokens" ADMIN;
    DELETE "/v1/tokens/{name}" ADMIN;
    POST "/v1/tokens/{name}/rotate" ADMIN;
    GET "/v1/people/absent" Token;
    POST "/v1/people/{name}/absent" Token;
    POST "/v1/people/{name}/back" Token;
    GET "/v1/people/disabled" ADMIN;
    POST "/v1/people/{name}/disable" ADMIN;
    POST "/v1/people/{name}/enable" ADMIN;
    GET "/v1/nodes" Token;
    GET "/v1/evidence-key" Token;
    POST "/v1/evidence-key/rotate" ADMIN;
    GET "/v1/audit" ADMIN;
    GET "/v1/audit/export" ADMIN;
    GET "/console" Proof;
    GET "/console/style.css" Nothing;
    GET "/console/sign-in" Nothing;
    POST "/console/sign-in" Proof;
    GET "/console/sign-in/provider" Nothing;
    GET "/console/sign-in/callback" Proof;
    POST "/console/sign-out" Proof;
    GET "/console/approvals" Proof;
    GET "/console/approvals/{id}" Proof;
    POST "/console/approvals/{id}" Proof;
    GET "/console/incidents" Proof;
    GET "/console/incidents/{id}" Proof;
    POST "/console/incidents/{id}" Proof;
    GET "/console/runs" Proof;
    GET "/console/runs/{id}" Proof;
    POST "/console/runs/{id}" Proof;
    GET "/console/halt" Proof;
    POST "/console/halt" Proof;
    GET "/console/kpis" Proof;
    GET "/console/kpis/{name}" Proof;
}

/// The rule of a call. A look at the head of a page is a look at the page.
fn rule(method: &Method, path: &str) -> Option<&'static Rule> {
    let method = if *method == Method::HEAD { "GET" } else { method.as_str() };
    RULES.iter().find(|rule| rule.method == method && rule.path == path)
}

/// Lets a call through that its rule allows. Whoever calls is known to the handler then.
pub(crate) async fn check(State(app): State<App>, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    // What is nowhere is answered by what says so.
    let Some(path) = path else { return next.run(request).await };
    let Some(rule) = rule(request.method(), &path) else {
        return not_allowed(request.method(), &path);
    };
    if matches!(rule.needs, Needs::Nothing | Needs::Proof) {
        return next.run(request).await;
    }
    if audit::is_told(rule) {
        return audit::carry_out(app, rule, request, next).await;
    }
    let (mut parts, body) = request.into_parts();
    match admit(&app, rule, &mut parts).await {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(refusal) => refusal.into_response(),
    }
}

/// Finds out who calls, which is in the head from then on, and whether they may.
pub(crate) async fn admit(app: &App, rule: &Rule, parts: &mut Parts) -> Handled<()> {
    let caller = Known::from_request_parts(parts, app).await?;
    // Who is refused is known, too.
    parts.extensions.insert(caller.0.clone());
    let caller = within_reach(app, caller, parts, rule).await?;
    parts.extensions.insert(caller.0.clone());
    let roles = if let Needs::Roles(roles) = rule.needs { roles } else { &[] };
    roles.iter().try_for_each(|role| caller.must_be(*role).map(drop))
}

/// Whether the roles of a caller let them make a call: its method, its path with parameters in braces, and
/// its path. What a person is asked by name or group is for the path to say.
pub(crate) async fn may(
    app: &App,
    caller: &Caller,
    reach: &Reach,
    call: (&str, &str, &str),
) -> Handled<bool> {
    let Some(rule) = RULES.iter().find(|rule| (rule.method, rule.path) == (call.0, call.1)) else {
        return Ok(false);
    };
    let is_whole = reach.is_whole();
    let roles = if is_whole { caller.roles.clone() } else { reach.for_call(app, call).await? };
    let within = Caller { roles, ..caller.clone() };
    Ok(match rule.needs {
        Nothing | Proof => true,
        Token => is_whole || !within.roles.is_empty(),
        Needs::Roles(roles) => roles.iter().all(|role| within.is(*role)),
    })
}

/// The caller with the roles that reach what the call is about.
async fn within_reach(app: &App, caller: Known, parts: &Parts, rule: &Rule) -> Handled<Known> {
    let reach = parts.extensions.get::<Reach>().cloned().unwrap_or_default();
    if reach.is_whole() {
        return Ok(caller);
    }
    let call = (rule.method, rule.path, parts.uri.path());
    let roles = reach.for_call(app, call).await?;
    if roles.is_empty() {
        let detail = format!("the roles of {} do not reach this", caller.0.name);
        return Err(Refusal::forbidden(detail));
    }
    Ok(Known(Caller { roles, ..caller.0 }))
}

fn not_allowed(method: &Method, path: &str) -> Response {
    let methods: Vec<_> = RULES.iter().filter(|r| r.path == path).map(|r| r.method).collect();
    let methods = methods.join(", ");
    let detail = format!("{path} takes {methods}, and not {method}");
    let refusal = Refusal::new(StatusCode::METHOD_NOT_ALLOWED, error_code::BAD_REQUEST, detail);
    let mut response = refusal.into_response();
    if let Ok(allow) = HeaderValue::from_str(&methods) {
        response.headers_mut().insert(header::ALLOW, allow);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_has_one_rule_and_what_has_none_is_refused() {
        for (at, rule) in RULES.iter().enumerate() {
            let same = |other: &&Rule| (other.method, other.path) == (rule.method, rule.path);
            assert_eq!(RULES.iter().position(|other| same(&other)), Some(at), "{rule:?}");
        }
        assert!(rule(&Method::HEAD, "/v1/runs").is_some());
        assert!(rule(&Method::DELETE, "/v1/runs").is_none());
        assert!(rule(&Method::GET, "/v1/new").is_none());
        assert_eq!(not_allowed(&Method::DELETE, "/v1/runs").headers()["allow"], "GET, POST");
    }
}
