//! The kill switch: thrown by whoever responds, taken back by an administrator.

use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde_json::json;

use super::api::Refused;
use super::session::{Posted, Session};
use super::show::{moment, reason, word};
use super::{Shown, layout, or_why};
use crate::html::html;
use crate::problem::Refusal;

pub(super) async fn show(session: Session) -> Response {
    let shown = page(&session).await;
    or_why(&session, shown).await
}

async fn page(session: &Session) -> Shown {
    let state = session.get("/halt").await?["halted"].clone();
    let method = if state.is_null() { "POST" } else { "DELETE" };
    let may = session.may(method, "/v1/halt", "/v1/halt").await;
    let may = may.map_err(|refusal| Refused::from(&refusal))?;
    let body = if state.is_null() {
        let form = may.then(|| {
            html!(
                "<form id=\"throw\" method=\"post\" action=\"/console/halt\">" (layout::token(session))
                (reason("halt-reason"))
                "<p><button id=\"halt-button\" class=\"bad\" name=\"act\" value=\"halt\">Throw the kill switch\
                 </button></p></form>"
            )
        });
        html!(
            "<p id=\"halt-is\">It is not thrown. Thrown, it holds every change, on every node, also of runs \
             that are between two steps. Reads and alerts go on.</p>"(form)
        )
    } else {
        let form = may.then(|| {
            html!(
                "<form id=\"take-back\" method=\"post\" action=\"/console/halt\">" (layout::token(session))
                "<p><button id=\"unhalt-button\" name=\"act\" value=\"unhalt\">Take it back</button></p></form>"
            )
        });
        let who = (!may).then(|| html!("<p>An administrator takes it back.</p>"));
        html!(
            "<p id=\"halt-is\" class=\"bad\">It was thrown by " {word(&state, "by")} " at "
            {moment(&state["at"])} ": " {word(&state, "reason")} "</p>" (form) (who)
        )
    };
    Ok(layout::page(session, StatusCode::OK, "The kill switch", body).await)
}

pub(super) async fn act(posted: Posted) -> Response {
    let shown = acted(&posted).await;
    or_why(&posted.session, shown).await
}

async fn acted(posted: &Posted) -> Shown {
    let Posted { session, fields } = posted;
    match fields.get("act") {
        "halt" => session.post("/halt", &json!({"reason": fields.get("reason")})).await?,
        "unhalt" => session.ask(Method::DELETE, "/halt", None).await?,
        _ => return Err(Refused::from(&Refusal::bad_request("say `halt` or `unhalt`"))),
    };
    Ok(layout::go("/console/halt"))
}
