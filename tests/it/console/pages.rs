//! What the pages show, and what their forms do.

use serde_json::{Value, json};
use stanch_tests::eventually;

use super::{ASKS, signed_in, stage};
use crate::stage::{Plan, Stage, id, run_of};

const EACH: &str = r#"
const PLAYBOOK = #{ name: "each", title: "Asks for each", mode: "ask" };
each(["ann", "bob", "cat"], #{ max_errors: 3 }, |name| {
    let cut = plan([change("iam:UpdateAccessKey",
        #{ UserName: name, AccessKeyId: "AKIAIOSFODNN7EXAMPLE", Status: "Inactive" }, #{})]);
    approval(`Cut off ${name}?`, #{ plan: cut, approvers: ["role:responder"] }).outcome
})
"#;

const DESTROYS: &str = r#"
const PLAYBOOK = #{ name: "destroys", title: "Destroys", mode: "ask" };
let gone = plan([change("iam:DeleteAccessKey", #{ UserName: "ci-deploy",
    AccessKeyId: "AKIAIOSFODNN7EXAMPLE" }, #{})]);
approval("Delete the key?", #{ plan: gone, approvers: ["role:responder"] }).outcome
"#;

const NAPS: &str = r#"
const PLAYBOOK = #{ name: "naps", title: "Naps", mode: "ask" };
sleep("1h");
1
"#;

/// Every page of the console, with the ids of what there is.
async fn every_page(stage: &Stage) -> Vec<String> {
    let mut pages: Vec<String> =
        ["", "/approvals?status=all", "/incidents?status=all", "/runs", "/halt", "/kpis"]
            .map(|page| format!("/console{page}"))
            .into();
    for kind in ["approvals", "incidents", "runs"] {
        let all = stage.admin.list(&format!("/{kind}")).await;
        pages.extend(all.iter().map(|one| format!("/console/{kind}/{}", id(&one["id"]))));
    }
    pages
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_comes_from_outside_is_text_on_every_page() {
    let stage = stage().await;
    let title = "<script>alert(1)</script>\u{1b}[31m\u{202e}\"'&";
    let body = json!({"title": title, "description": title, "severity": "high"});
    let incident = id(&stage.mia.post("/incidents", &body).await["incident_id"]);
    let note = json!({"text": format!("{title} noted")});
    stage.mia.post(&format!("/incidents/{incident}/note"), &note).await;
    stage.mia.post("/halt", &json!({"reason": title})).await;
    stage.publish(ASKS).await;
    let run = stage.start_for_finding("asks").await;
    stage.approval(&run).await;
    let sue = signed_in(&stage, "sue", "admin").await;
    for path in every_page(&stage).await {
        let page = sue.page(&path).await;
        assert!(!page.contains("<script"), "{path}: {page}");
        assert!(!page.contains(['\u{1b}', '\u{202e}']), "{path}: {page}");
        assert!(
            page.contains("&lt;script&gt;alert(1)"),
            "the kill switch says why on {path}: {page}"
        );
        assert!(!page.contains(" style=") && !page.contains(" onclick"), "{path}: {page}");
        assert_eq!(page.matches("<h1>").count(), 1, "{path}: {page}");
    }
    let page = sue.page(&format!("/console/incidents/{incident}")).await;
    let shown = "&lt;script&gt;alert(1)&lt;/script&gt;\u{fffd}[31m\u{fffd}&quot;&#39;&amp; noted";
    assert!(page.contains(shown), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_is_looked_at_filled_in_and_decided_once() {
    let stage = stage().await;
    stage.publish(ASKS).await;
    let run = stage.start_for_finding("asks").await;
    let path = format!("/console/approvals/{}", id(&stage.approval(&run).await["id"]));
    let sue = signed_in(&stage, "sue", "responder").await;
    let list = sue.page("/console/approvals").await;
    assert!(list.contains(&format!("href=\"{path}\"")) && list.contains("Approvals (1)"), "{list}");
    let page = sue.page(&path).await;
    for part in [
        "<form id=\"decide\"",
        "&lt;Ticket&gt; (for a yes)",
        "name=\"form.ticket\"",
        "<button id=\"approve\"",
        "Nobody has answered.",
        "You decide as sue.",
        "role:responder",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    for (fields, status, says) in [
        (vec![("act", "approve"), ("reason", "ours")], 400, "ticket"),
        (vec![("act", "approve"), ("reason", ""), ("form.ticket", "INC-1")], 400, "reason"),
        (vec![("act", "perhaps"), ("reason", "ours")], 400, "`approve` or `reject`"),
    ] {
        let shown = sue.send(&path, &fields).await;
        assert!(
            shown.status == status && shown.page.contains(says),
            "{} {}",
            shown.status,
            shown.page
        );
    }
    let yes = [("act", "approve"), ("reason", "it is ours"), ("form.ticket", "INC-1")];
    let shown = sue.send(&path, &yes).await;
    assert!(shown.status == 200 && shown.page.contains("is counted"), "{}", shown.page);
    let result = json!(["approved", ["sue"], "it is ours", {"ticket": "INC-1"}]);
    assert_eq!(stage.over(&run).await["result"], result);
    let told = stage.admin.list("/audit?verb=approvals.decisions&actor=sue").await;
    assert!(
        told.iter().any(|one| one["outcome"] == "done" && one["reason"] == "it is ours"),
        "{told:?}"
    );

    // What comes after the end hears so.
    let shown = sue.send(&path, &[("act", "reject"), ("reason", "late")]).await;
    assert!(
        shown.status == 409 && shown.page.contains("does not count"),
        "{} {}",
        shown.status,
        shown.page
    );
    let page = sue.page(&path).await;
    assert!(page.contains("id=\"over\"") && !page.contains("id=\"approve\""), "{page}");
    assert!(page.contains("it is ours"), "who has answered what is there: {page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_plans_are_one_list_of_which_any_can_be_struck() {
    let stage = stage().await;
    stage.publish(EACH).await;
    let run = stage.start_for_finding("each").await;
    let asked = eventually("three questions", async || {
        let asked = stage.mia.list("/approvals?status=pending").await;
        (asked.len() == 3).then_some(asked)
    })
    .await;
    let digest = |at: usize| id(&asked[at]["plan_sha256"]);
    let path = format!("/console/approvals/{}", id(&asked[0]["id"]));
    let sue = signed_in(&stage, "sue", "responder").await;
    let page = sue.page(&path).await;
    assert!(page.contains("<fieldset id=\"alike\">"), "{page}");
    assert_eq!(page.matches("type=\"checkbox\" name=\"also\"").count(), 2, "{page}");
    for at in 0..3 {
        assert!(page.contains(&digest(at)), "{page}");
    }
    // One is ticked with a plan that it is not about, and one is struck.
    let (first, second) = (digest(0), digest(1));
    let wrong = format!("{} {}", id(&asked[1]["id"]), digest(2));
    let fields =
        [("act", "approve"), ("reason", "x"), ("plan", first.as_str()), ("also", wrong.as_str())];
    let shown = sue.send(&path, &fields).await;
    assert!(shown.status == 409 && shown.page.contains("Not all of it counts"), "{}", shown.page);
    let other = format!("/console/approvals/{}", id(&asked[1]["id"]));
    let fields = [("act", "approve"), ("reason", "x"), ("plan", second.as_str())];
    assert_eq!(sue.send(&other, &fields).await.status, 200);
    let pending = stage.mia.list("/approvals?status=pending").await;
    let pending: Vec<_> = pending.iter().map(|one| &one["id"]).collect();
    assert_eq!(pending, [&asked[2]["id"]], "what was struck waits");
    stage.run_when(&run, |run| run["status"] == "waiting").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_destroys_says_so_before_the_button() {
    let stage = stage().await;
    stage.publish(DESTROYS).await;
    let run = stage.start_for_finding("destroys").await;
    let approval = id(&stage.approval(&run).await["id"]);
    let sue = signed_in(&stage, "sue", "responder").await;
    let page = sue.page(&format!("/console/approvals/{approval}")).await;
    let (warning, button) = (page.find("id=\"destroys\""), page.find("id=\"approve\""));
    assert!(warning.is_some() && warning < button, "{page}");
    assert!(
        page.contains("AKIAIOSFODNN7EXAMPLE") && page.contains("it can't be taken back"),
        "{page}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_is_taken_noted_judged_and_closed() {
    let stage = stage().await;
    let body = json!({"title": "Somebody reads our mail", "severity": "high"});
    let incident = id(&stage.mia.post("/incidents", &body).await["incident_id"]);
    let path = format!("/console/incidents/{incident}");
    let sue = signed_in(&stage, "sue", "responder").await;
    let list = sue.page("/console/incidents").await;
    assert!(
        list.contains(&format!("href=\"{path}\"")) && list.contains("Somebody reads our mail"),
        "{list}"
    );
    for (fields, says) in [
        (vec![("act", "ack")], "id=\"acknowledged-by\">sue<"),
        (vec![("act", "note"), ("text", "the admin's\nmailbox")], "mailbox"),
        (
            vec![("act", "verdict"), ("verdict", "true_positive"), ("reason", "seen in the log")],
            "true_positive: seen in the log",
        ),
        (vec![("act", "close"), ("reason", "rotated"), ("force", "yes")], "closed"),
    ] {
        let shown = sue.send(&path, &fields).await;
        assert_eq!((shown.status, &shown.location), (303, &path), "{fields:?}: {}", shown.page);
        let page = sue.page(&path).await;
        assert!(page.contains(says), "{says}: {page}");
    }
    let shown = stage.mia.get(&format!("/incidents/{incident}")).await;
    assert_eq!(shown["status"], "closed");
    let shown =
        sue.send(&path, &[("act", "verdict"), ("verdict", "perhaps"), ("reason", "x")]).await;
    assert_eq!(shown.status, 400, "{}", shown.page);
    let shown = sue.send(&path, &[("act", "reopen")]).await;
    assert_eq!(shown.status, 400, "{}", shown.page);
    assert_eq!(sue.get("/console/incidents/inc_none").await.status, 404);
    assert_eq!(sue.get("/console/incidents/..%2Fruns").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_paused_resumed_and_cancelled() {
    let stage = stage().await;
    stage.publish(NAPS).await;
    let run = stage.start("naps", json!({})).await;
    let is = |status: &'static str| move |run: &Value| run["status"] == status;
    stage.run_when(&run, is("waiting")).await;
    let path = format!("/console/runs/{run}");
    let sue = signed_in(&stage, "sue", "responder").await;
    let list = sue.page("/console/runs").await;
    assert!(list.contains(&format!("href=\"{path}\"")), "{list}");
    let page = sue.page(&path).await;
    assert!(
        page.contains("id=\"pause-button\"") && page.contains("id=\"cancel-button\""),
        "{page}"
    );
    assert!(!page.contains("id=\"undo-button\"") && page.contains("sleep"), "{page}");
    assert_eq!(sue.send(&path, &[("act", "pause"), ("reason", "")]).await.status, 400);
    for (act, status) in [("pause", "paused"), ("resume", "waiting"), ("cancel", "cancelled")] {
        let shown = sue.send(&path, &[("act", act), ("reason", "a look first")]).await;
        assert_eq!((shown.status, &shown.location), (303, &path), "{act}: {}", shown.page);
        stage.run_when(&run, is(status)).await;
    }
    let page = sue.page(&path).await;
    assert!(page.contains("cancelled") && !page.contains("id=\"cancel-button\""), "{page}");
    assert_eq!(sue.send(&path, &[("act", "cancel"), ("reason", "x")]).await.status, 409);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_run_changed_is_shown_and_one_step_of_it_taken_back() {
    let stage = Plan::new().set().await;
    let received = stage.find_key().await;
    let run = run_of(&received);
    stage.approve(&run).await;
    assert_eq!(stage.over(&run).await["status"], "succeeded");
    let sue = signed_in(&stage, "sue", "responder").await;
    let page = sue.page(&format!("/console/incidents/{}", id(&received["incident_id"]))).await;
    for part in [
        "<table id=\"containments\">",
        "iam:UpdateAccessKey",
        ">effective</span>",
        "<table id=\"evidence\">",
        "<table id=\"milestones\">",
        "<ol id=\"timeline\">",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let path = format!("/console/runs/{run}");
    let page = sue.page(&path).await;
    assert!(page.contains("id=\"undo-button\""), "{page}");
    let is_change = |entry: &&Value| {
        entry["body"]["head"]["verb"] == "change" && entry["body"]["key"].is_string()
    };
    let journal = stage.journal(&run).await;
    let step = id(&journal.iter().find(is_change).unwrap()["body"]["key"]);
    assert!(page.contains(&format!("id=\"undo-{step}-button\"")), "{step}: {page}");
    let shown = sue.send(&path, &[("act", "undo"), ("step", &step), ("reason", "a drill")]).await;
    assert!(shown.status == 303 && shown.location != path, "{} {}", shown.location, shown.page);
    let undo = shown.location.strip_prefix("/console/runs/").unwrap();
    let asked = stage.approval(undo).await;
    assert_eq!(asked["card"]["changes"].as_array().unwrap().len(), 1, "{asked}");
    let page = sue.page(&shown.location).await;
    assert!(!page.contains(">Undo this step<"), "{page}");
    assert_eq!(
        sue.send(&path, &[("act", "undo"), ("step", "99"), ("reason", "x")]).await.status,
        400
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_kill_switch_is_seen_everywhere_and_taken_back_by_an_administrator() {
    let stage = stage().await;
    let sue = signed_in(&stage, "sue", "responder").await;
    let ada = signed_in(&stage, "ada", "admin").await;
    assert!(sue.page("/console/runs").await.contains("The kill switch is not thrown"));
    assert_eq!(sue.send("/console/halt", &[("act", "halt"), ("reason", " ")]).await.status, 400);
    let shown = sue.send("/console/halt", &[("act", "halt"), ("reason", "it runs wild")]).await;
    assert_eq!((shown.status, shown.location.as_str()), (303, "/console/halt"), "{}", shown.page);
    assert_eq!(stage.mia.get("/halt").await["halted"]["by"], "sue");
    for page in every_page(&stage).await {
        let page = sue.page(&page).await;
        assert!(
            page.contains("The kill switch is thrown") && page.contains("it runs wild"),
            "{page}"
        );
    }
    let page = sue.page("/console/halt").await;
    assert!(!page.contains("unhalt-button") && page.contains("An administrator"), "{page}");
    // It can't be sent from that page without a form: the mark is in the one that signs out.
    assert_eq!(sue.send("/console/halt", &[("act", "unhalt")]).await.status, 403);
    assert_eq!(ada.send("/console/halt", &[("act", "unhalt")]).await.status, 303);
    assert_eq!(stage.mia.get("/halt").await["halted"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_figure_of_the_kpis_leads_to_its_incidents() {
    let stage = stage().await;
    let body = json!({"title": "A key on the web", "severity": "high"});
    let incident = id(&stage.mia.post("/incidents", &body).await["incident_id"]);
    stage.mia.post(&format!("/incidents/{incident}/ack"), &json!({})).await;
    let sue = signed_in(&stage, "sue", "viewer").await;
    let figure = "/console/kpis/time_to_acknowledge?severity=high";
    eventually("the figure of the incident", async || {
        let page = sue.page("/console/kpis?severity=high").await;
        assert!(
            page.contains("<table id=\"kpis\">") && page.contains("<table id=\"shares\">"),
            "{page}"
        );
        page.contains(&format!("<a href=\"{figure}\">1</a>")).then_some(())
    })
    .await;
    let page = sue.page(figure).await;
    assert!(page.contains(&incident), "{page}");
    assert_eq!(sue.get("/console/kpis/nothing_known").await.status, 404);
    assert_eq!(sue.get("/console/kpis?severity=dreadful").await.status, 400);
}
