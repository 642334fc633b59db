//! Forms that are not ours, and people who may not: nothing is done.

use reqwest::Method;
use serde_json::{Value, json};

use super::browser::{Browser, form, form_token};
use super::{ASKS, signed_in, stage};
use crate::stage::{Stage, id};

/// What is wrong with it, its headers, and the mark that it bears.
type Forgery<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str);

/// Everything that a form of the console could do, with all that it needs but the mark of its session.
async fn everything(stage: &Stage) -> Vec<(String, Vec<(&'static str, &'static str)>)> {
    stage.publish(ASKS).await;
    let run = stage.start_for_finding("asks").await;
    let approval = id(&stage.approval(&run).await["id"]);
    let incident = id(&stage.mia.get(&format!("/runs/{run}")).await["incident_id"]);
    let incident = format!("/console/incidents/{incident}");
    let run = format!("/console/runs/{run}");
    vec![
        ("/console/halt".to_owned(), vec![("act", "halt"), ("reason", "x")]),
        (
            format!("/console/approvals/{approval}"),
            vec![("act", "approve"), ("reason", "x"), ("form.ticket", "INC-1")],
        ),
        (incident.clone(), vec![("act", "ack")]),
        (incident.clone(), vec![("act", "note"), ("text", "canary")]),
        (
            incident.clone(),
            vec![("act", "verdict"), ("verdict", "false_positive"), ("reason", "x")],
        ),
        (
            incident,
            vec![
                ("act", "close"),
                ("verdict", "false_positive"),
                ("reason", "x"),
                ("force", "yes"),
            ],
        ),
        (run.clone(), vec![("act", "pause"), ("reason", "x")]),
        (run.clone(), vec![("act", "cancel"), ("reason", "x")]),
        (run, vec![("act", "undo"), ("reason", "x")]),
        ("/console/sign-out".to_owned(), vec![]),
    ]
}

/// All that a form could have changed.
async fn state(stage: &Stage) -> Value {
    let runs = stage.admin.list("/runs").await;
    let runs: Vec<_> = runs.iter().map(|run| json!([run["id"], run["status"]])).collect();
    let incidents = stage.admin.list("/incidents").await;
    let id = id(&incidents[0]["id"]);
    let timeline = json!(stage.admin.list(&format!("/incidents/{id}/timeline")).await);
    let is_noted = timeline.to_string().contains("canary");
    let (halt, approvals) = (stage.admin.get("/halt").await, stage.admin.list("/approvals").await);
    json!([halt, runs, incidents, approvals, is_noted])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_is_not_of_this_session_changes_nothing() {
    let stage = stage().await;
    let sue = signed_in(&stage, "sue", "admin").await;
    let eve = signed_in(&stage, "eve", "admin").await;
    let everything = everything(&stage).await;
    let own = form_token(&sue.page("/console/halt").await);
    let of_eve = form_token(&eve.page("/console/halt").await);
    assert_ne!(own, of_eve);
    let (own, of_eve) = (own.as_str(), of_eve.as_str());
    let before = state(&stage).await;
    let here = stage.url.as_str();
    let forgeries: &[Forgery<'_>] = &[
        ("without a word of where it comes from", &[], own),
        ("from elsewhere", &[("origin", "https://evil.example")], own),
        ("from nowhere", &[("origin", "null")], own),
        ("from another port", &[("origin", "http://127.0.0.1:1")], own),
        (
            "from elsewhere, as the browser says",
            &[("origin", here), ("sec-fetch-site", "cross-site")],
            own,
        ),
        ("from a sibling", &[("origin", here), ("sec-fetch-site", "same-site")], own),
        ("without the mark", &[("origin", here)], ""),
        ("with the mark of another session", &[("origin", here)], of_eve),
    ];
    for (path, fields) in &everything {
        for (what, headers, token) in forgeries {
            let mut all = vec![("form_token", *token)];
            all.extend(fields);
            let shown = sue.ask(Method::POST, path, headers, form(&all)).await;
            assert_eq!(shown.status, 403, "{path} {what}: {}", shown.page);
            assert!(shown.page.contains("Nothing was done"), "{path} {what}: {}", shown.page);
        }
        // A look does nothing either.
        let query = format!("{path}?{}", form(fields));
        let looked = sue.ask(Method::GET, &query, &[], String::new()).await.status;
        assert!([200, 405].contains(&looked), "{query}: {looked}");
    }
    assert_eq!(state(&stage).await, before);
    assert_eq!(sue.get("/console").await.status, 200, "and sue is signed in as before");

    // Nor is anybody signed in as somebody else by a form of another site.
    let made = json!({"name": "mallory", "roles": ["viewer"]});
    let token = id(&stage.admin.post("/tokens", &made).await["token"]);
    let body = form(&[("secret", token.as_str())]);
    let headers = [("origin", "https://evil.example")];
    let shown = sue.ask(Method::POST, "/console/sign-in", &headers, body).await;
    assert!(shown.status == 403 && shown.cookie.is_empty(), "{}", shown.page);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_not_sees_no_button_and_is_refused_when_they_send_the_form_anyway() {
    let stage = stage().await;
    let vic = signed_in(&stage, "vic", "viewer").await;
    let everything = everything(&stage).await;
    let before = state(&stage).await;
    for (path, fields) in everything.iter().filter(|(path, _)| !path.ends_with("sign-out")) {
        let page = vic.page(path).await;
        assert!(page.contains("<h1>") && page.contains("id=\"sign-out\""), "{page}");
        // What a person is asked by name or group is for the approval to say.
        if !path.starts_with("/console/approvals/") {
            assert_eq!(page.matches("<form").count(), 1, "{path}: nothing but signing out: {page}");
        }
        let shown = vic.send(path, fields).await;
        assert_eq!(shown.status, 403, "{path}: {}", shown.page);
        assert!(shown.page.contains("id=\"refused\""), "{path}: {}", shown.page);
    }
    assert_eq!(state(&stage).await, before);
    // Whoever is nobody is shown where to sign in.
    for (path, fields) in &everything {
        let headers = [("origin", stage.url.as_str())];
        let shown = Browser::new(&stage.url).ask(Method::POST, path, &headers, form(fields)).await;
        assert_eq!(
            (shown.status, shown.location.as_str()),
            (303, "/console/sign-in?next=%2Fconsole")
        );
    }
    assert_eq!(state(&stage).await, before);
}
