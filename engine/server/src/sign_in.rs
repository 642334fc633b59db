//! `GET /v1/sign-in`: how people sign in with a browser. `stanch login` asks it before anybody is
//! known, and nothing of it is secret.

use axum::Json;
use axum::extract::State;
use stanch_engine_runtime::oidc::SignIn;

use crate::App;
use crate::problem::{Handled, Refusal};

pub(crate) async fn show(State(app): State<App>) -> Handled<Json<SignIn>> {
    let detail = "nobody signs in with a browser here: set `client_id` under [oidc]";
    let found = app.settings.sign_in.as_deref().cloned();
    found.map(Json).ok_or_else(|| Refusal::not_found(detail))
}
