//! HTTP in and out.
//!
//! Owns: the API under `/v1`, what its JSON looks like, who may call what, and the pages of the console,
//! which call the API. The only home of `axum`.
//!
//! Must never: run a script, call a plugin's action, or write to the database but through
//! `runtime`. Handlers record facts; the runtime acts on them at its own pace.
//!
//! Start reading at [`router`].

pub mod access;
mod audit;
mod auth;
mod body;
mod errors;
mod fields;
mod health;
mod html;
mod listen;
mod metrics;
mod paging;
mod pressure;
mod problem;
mod reach;
pub mod trust;
mod views;

mod absences;
mod alerts;
mod approvals;
mod break_glass;
mod collecting;
mod console;
mod containments;
mod dead_letters;
mod evidence;
mod export;
mod incident_work;
mod incidents;
mod kpis;
mod links;
mod noise;
mod openapi;
mod operations;
mod pages;
mod parts;
mod people;
mod playbooks;
mod reconcile;
mod regroup;
mod report;
mod reviews;
mod run_events;
mod runs;
mod schedules;
mod sign_in;
mod slack;
mod suppressions;
mod updates;
mod webhooks;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use stanch_engine_core::digest::Sha256;
use stanch_engine_runtime::Runtime;
use stanch_engine_runtime::oidc::{Oidc, SignIn};

use pressure::Pressure;
use trust::SourcePolicy;

pub use listen::{Reply, serve, serve_with};
pub use problem::{Problem, Refusal};
pub use sign_in::{AtProvider, Pending};

/// What the server is told when it starts.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// The SHA-256 of the token that webhooks are sent with.
    pub webhook_token: Sha256,
    /// The SHA-256 of the first person's token.
    pub admin_token: Sha256,
    /// How the senders of each source prove who they are; by the webhook's token where a source is
    /// not here.
    pub sources: Arc<BTreeMap<String, SourcePolicy>>,
    /// How Slack proves who it is; nothing where its buttons are not answered.
    pub slack: Option<Arc<SourcePolicy>>,
    /// Who vouches for callers beside the tokens of this installation.
    pub oidc: Option<Arc<Oidc>>,
    /// How people sign in there with a browser, if they do.
    pub sign_in: Option<Arc<SignIn>>,
    /// Who asks that provider for whoever signs in at the console.
    pub at_provider: Option<Arc<dyn AtProvider>>,
}

/// What every handler reaches.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) runtime: Runtime,
    pub(crate) settings: ServerSettings,
    pub(crate) pressure: Pressure,
    pub(crate) strangers: Arc<audit::Strangers>,
    pub(crate) listeners: run_events::Listeners,
}

/// The whole API, and the console that calls it.
pub fn router(runtime: Runtime, settings: ServerSettings) -> Router {
    let app = App {
        runtime,
        settings,
        pressure: Pressure::default(),
        strangers: Arc::default(),
        listeners: run_events::Listeners::default(),
    };
    let v1 = Router::new().merge(webhooks::routes()).merge(api()).fallback(problem::no_such_path);
    let api = Router::new()
        .nest("/v1", v1)
        .route("/healthz", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(metrics::show))
        .route("/openapi.json", get(openapi::show))
        .route("/errors/{code}", get(errors::page))
        .route_layer(axum::middleware::from_fn_with_state(app.clone(), access::check))
        .fallback(problem::no_such_path)
        .with_state(app.clone());
    api.clone().merge(console::routes(app, api))
}

fn api() -> Router<App> {
    people_api()
        .route("/alerts", get(alerts::list))
        .route("/alerts/{id}", get(alerts::show))
        .route("/alerts/{id}/replay", post(alerts::replay))
        .route("/dead-letters", get(dead_letters::list))
        .route("/dead-letters/{id}", get(dead_letters::show))
        .route("/dead-letters/{id}/replay", post(dead_letters::replay))
        .route("/incidents", get(incidents::list).post(incident_work::open))
        .route("/incidents/{id}", get(incidents::show))
        .route("/incidents/{id}/timeline", get(incidents::timeline))
        .route("/incidents/{id}/evidence", get(evidence::list).post(evidence::add))
        .route("/incidents/{id}/collect", post(collecting::start))
        .route("/incidents/{id}/evidence/hold", post(evidence::hold))
        .route("/incidents/{id}/evidence/release", post(evidence::release))
        .route("/incidents/{id}/kpis", get(incidents::kpis))
        .route("/incidents/{id}/export", get(export::export))
        .route("/incidents/{id}/report", get(report::show))
        .route("/incidents/{id}/ack", post(incidents::acknowledge))
        .route("/incidents/{id}/note", post(incident_work::note))
        .route("/incidents/{id}/verdict", post(incident_work::verdict))
        .route("/incidents/{id}/milestone", post(incident_work::milestone))
        .route("/incidents/{id}/assign", post(incident_work::assign))
        .route("/incidents/{id}/close", post(incident_work::close))
        .route("/incidents/{id}/reopen", post(incident_work::reopen))
        .route("/incidents/{id}/updates", get(updates::list).post(updates::begin))
        .route("/incidents/{id}/updates/stop", post(updates::stop))
        .route("/incidents/{id}/review", get(reviews::show).post(reviews::answer))
        .route("/incidents/{id}/review/sign-off", post(reviews::sign_off))
        .route("/incidents/{id}/impact", post(incident_work::impact))
        .route("/containments", get(containments::list))
        .route("/containments/{id}", get(containments::show))
        .route("/containments/{id}/extend", post(containments::extend))
        .route("/containments/{id}/finalize", post(containments::finalize))
        .route("/containments/{id}/handover", post(containments::hand_over))
        .route("/suppressions", get(suppressions::list).post(suppressions::create))
        .route("/suppressions/{id}", get(suppressions::show))
        .route("/suppressions/{id}/end", post(suppressions::end))
        .route("/noise/suggestions", get(noise::suggestions))
        .route("/reconcile", get(reconcile::status).post(reconcile::now))
        .route("/runs", get(runs::list).post(runs::start))
        .route("/runs/{id}", get(runs::show))
        .route("/runs/{id}/journal", get(runs::journal))
        .route("/runs/{id}/events", get(run_events::follow))
        .route("/runs/{id}/cancel", post(runs::cancel))
        .route("/runs/{id}/pause", post(runs::pause))
        .route("/runs/{id}/resume", post(runs::resume))
        .route("/runs/{id}/retry", post(runs::retry))
        .route("/runs/{id}/signal", post(runs::signal))
        .route("/runs/{id}/migrate", post(runs::migrate))
        .route("/runs/{id}/undo", post(runs::undo))
        .route("/kpis", get(kpis::report))
        .route("/kpis/definitions", get(kpis::all))
        .route("/kpis/trend", get(kpis::trend))
        .route("/kpis/{name}/incidents", get(kpis::incidents))
        .route("/playbooks", get(playbooks::list).post(playbooks::publish))
        .route("/playbooks/{name}/versions", get(playbooks::versions))
        .route("/playbooks/{name}/activate", post(playbooks::activate))
        .route("/playbooks/{name}/rollback", post(playbooks::rollback))
        .route("/schedules", get(schedules::list))
        .route("/schedules/{playbook}/{name}", get(schedules::show))
        .route("/schedules/{playbook}/{name}/pause", post(schedules::pause))
        .route("/schedules/{playbook}/{name}/resume", post(schedules::resume))
        .route("/schedules/{playbook}/{name}/trigger", post(schedules::trigger))
        .route("/schedules/{playbook}/{name}/backfill", post(schedules::backfill))
        .merge(regrouping())
        .merge(operate())
}

/// What people put right that rules got wrong.
fn regrouping() -> Router<App> {
    Router::new()
        .route("/incidents/{id}/merge", post(regroup::merge))
        .route("/incidents/{id}/split", post(regroup::split))
        .route("/incidents/{id}/attach", post(parts::attach))
        .route("/incidents/{id}/detach", post(parts::detach))
}

/// What operators do.
fn operate() -> Router<App> {
    Router::new()
        .route("/halt", get(operations::halted).post(operations::halt).delete(operations::unhalt))
        .route("/nodes", get(operations::nodes))
        .route("/evidence-key", get(operations::public_key))
        .route("/evidence-key/rotate", post(evidence::rotate_key))
        .route("/audit", get(audit::list))
        .route("/audit/export", get(audit::export))
}

/// What is about people: what they are asked, and who they are.
fn people_api() -> Router<App> {
    Router::new()
        .route("/approvals", get(approvals::list))
        .route("/approvals/{id}", get(approvals::show))
        .route("/approvals/{id}/decisions", post(approvals::decide))
        .route("/approvals/{id}/withdraw", post(approvals::withdraw))
        .route("/approvals/{id}/handover", post(approvals::hand_over))
        .route("/approvals/{id}/break-glass", post(break_glass::break_glass))
        .route("/break-glass", get(break_glass::list))
        .route("/break-glass/{id}/review", post(break_glass::review))
        .route("/pages", get(pages::list))
        .route("/pages/{id}", get(pages::show))
        .route("/pages/{id}/ack", post(pages::take))
        .route("/sign-in", get(sign_in::show))
        .route("/slack/interactions", post(slack::interact))
        .route("/links/{link}", get(links::show).post(links::decide))
        .route("/tokens", get(operations::tokens).post(operations::create_token))
        .route("/tokens/{name}", axum::routing::delete(operations::revoke_token))
        .route("/tokens/{name}/rotate", post(operations::rotate_token))
        .route("/people/absent", get(absences::list))
        .route("/people/{name}/absent", post(absences::leave))
        .route("/people/{name}/back", post(absences::come_back))
        .route("/people/disabled", get(people::disabled))
        .route("/people/{name}/disable", post(people::disable))
        .route("/people/{name}/enable", post(people::enable))
}
