//! The console, as a browser without scripts uses it: a page, its form, and what the form did.

mod browser;
mod forged;
mod pages;
mod sessions;

use serde_json::json;

use crate::stage::{Plan, Stage, id};
use browser::Browser;

/// A question with a form, about an alert.
const ASKS: &str = r##"
const PLAYBOOK = #{ name: "asks", title: "Asks", mode: "ask" };
let gate = approval("Cut <script>alert(1)</script> off?", #{ approvers: ["role:responder"], expires: "30m", form: #{
    type: "object", required: ["ticket"], properties: #{ ticket: #{ type: "string", title: "<Ticket>" } } } });
[gate.outcome, gate.decided_by, gate.reason, gate.form]
"##;

/// A token of a person with a role, under a name of its own.
pub(crate) async fn token(stage: &Stage, name: &str, role: &str) -> String {
    let made = json!({"name": name, "roles": [role]});
    id(&stage.admin.post("/tokens", &made).await["token"])
}

/// A browser in which somebody with a role has signed in.
async fn signed_in(stage: &Stage, name: &str, role: &str) -> Browser {
    let token = token(stage, name, role).await;
    let mut browser = Browser::new(&stage.url);
    let shown = browser.sign_in(&token).await;
    assert_eq!((shown.status, shown.location.as_str()), (303, "/console"), "{}", shown.page);
    browser
}

/// A stage on which an alert starts nothing by itself.
pub(crate) async fn stage() -> Stage {
    Plan { ships: false, ..Plan::new() }.set().await
}
