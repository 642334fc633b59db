//! The console: every page of it, and what a person does there.

use serde_json::{Value, json};
use stanch_tests::browser::Browser;

use super::{HOSTILE, is_only_text, is_quiet, is_sealed, is_well};
use crate::console::{stage, token};
use crate::stage::{Plan, Stage, id, run_of};

const ASKS: &str = r##"
const PLAYBOOK = #{ name: "asks", title: "Cuts a key off", mode: "ask" };
let cut = plan([change("iam:UpdateAccessKey",
    #{ UserName: "ci-deploy", AccessKeyId: "AKIAIOSFODNN7EXAMPLE", Status: "Inactive" })]);
let gate = approval(HOSTILE, #{ plan: cut, approvers: ["role:responder"], expires: "30m", form: #{
    type: "object", required: ["ticket"], properties: #{
        ticket: #{ type: "string", title: "Ticket", pattern: "^INC-[0-9]+$" },
        place: #{ title: HOSTILE, description: HOSTILE, enum: ["prod", "test"] },
        hosts: #{ title: "Hosts", type: "array", items: #{ type: "string" } } } } });
if gate.outcome == "approved" { execute(cut); }
[gate.outcome, gate.form.ticket]
"##;

/// A browser in which somebody with a role has signed in.
async fn signed_in(stage: &Stage, role: &str) -> Browser {
    let browser = Browser::start().await;
    browser.open(&format!("{}/console", stage.url)).await;
    browser.is_headed("Sign in to Stanch").await;
    browser.fill("#secret", &token(stage, "sue", role).await).await;
    browser.click("#sign-in-button").await;
    browser.is_headed("Now").await;
    assert_eq!(browser.url().await, format!("{}/console", stage.url));
    browser
}

/// Publishes what asks with hostile words, and gives what it asks.
async fn asked(stage: &Stage) -> (String, String) {
    stage.publish(&ASKS.replace("HOSTILE", &json!(HOSTILE).to_string())).await;
    let run = stage.start_for_finding("asks").await;
    let approval = id(&stage.approval(&run).await["id"]);
    (run, approval)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_read_on_a_desktop_on_a_phone_and_in_the_dark() {
    let stage = Plan::new().set().await;
    let received = stage.find_key().await;
    let done = run_of(&received);
    stage.approve(&done).await;
    stage.over(&done).await;
    let decided = stage.mia.list("/approvals").await;
    let (_, approval) = asked(&stage).await;
    let kpis = stage.mia.get("/kpis?window=30d").await;
    let kpi = id(&kpis["kpis"][0]["name"]);
    let browser = signed_in(&stage, "admin").await;
    let pages = [
        ("now", String::new()),
        ("approvals", "/approvals".to_owned()),
        ("approval", format!("/approvals/{approval}")),
        ("approval-decided", format!("/approvals/{}", id(&decided[0]["id"]))),
        ("incidents", "/incidents?status=all".to_owned()),
        ("incident", format!("/incidents/{}", id(&received["incident_id"]))),
        ("runs", "/runs".to_owned()),
        ("run", format!("/runs/{done}")),
        ("halt", "/halt".to_owned()),
        ("kpis", "/kpis".to_owned()),
        ("kpis-high", "/kpis?severity=high".to_owned()),
        ("kpi", format!("/kpis/{kpi}")),
        ("nothing", "/runs/run_none".to_owned()),
    ];
    for (name, path) in pages {
        browser.open(&format!("{}/console{path}", stage.url)).await;
        // What is folded away is looked at, too.
        browser
            .eval("for (const one of document.querySelectorAll('details')) one.open = true")
            .await;
        is_well(&browser, &format!("console-{name}")).await;
    }
    browser.click("#sign-out-button").await;
    browser.reads("Sign in to Stanch").await;
    is_well(&browser, "console-sign-in").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_decides_in_the_console_without_scripts() {
    let stage = stage().await;
    let (run, approval) = asked(&stage).await;
    let browser = signed_in(&stage, "responder").await;
    is_only_text(&browser).await;
    browser.forbid_scripts().await;
    browser.click("#nav-approvals").await;
    browser.is_headed("Approvals").await;
    browser.click(&format!("main a[href='/console/approvals/{approval}']")).await;
    browser.reads("Your answer").await;
    is_only_text(&browser).await;
    browser.fill("#decide-reason", "it is ours").await;
    browser.fill("[name='form.place']", "test").await;
    browser.fill("[name='form.hosts']", "a\nb").await;
    browser.fill("[name='form.ticket']", "7").await;
    browser.click("#approve").await;
    browser.reads("must fit ^INC-").await;
    let shown = stage.mia.get(&format!("/approvals/{approval}")).await;
    assert_eq!(shown["decisions"], json!([]));
    // Whatever was typed is still there.
    let kept = "return ['reason', 'form.ticket', 'form.place', 'form.hosts'].map((name) => \
        document.getElementsByName(name)[0]?.value ?? null)";
    assert_eq!(browser.eval(kept).await, json!(["it is ours", "7", "test", "a\nb"]));
    is_well(&browser, "console-approval-again").await;
    browser.clear("[name='form.ticket']").await;
    browser.fill("[name='form.ticket']", "INC-7").await;
    browser.click("#approve").await;
    browser.reads("is counted").await;
    is_well(&browser, "console-counted").await;
    assert_eq!(stage.over(&run).await["result"], json!(["approved", "INC-7"]));
    browser.open(&format!("{}/console/approvals/{approval}", stage.url)).await;
    browser.reads("It is over since").await;
    is_quiet(&browser).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_kill_switch_is_thrown_and_taken_back_in_the_console() {
    let stage = stage().await;
    let browser = signed_in(&stage, "admin").await;
    browser.click("#halt-state a").await;
    browser.fill("#halt-reason", HOSTILE).await;
    browser.click("#halt-button").await;
    browser.reads("It was thrown by sue").await;
    is_only_text(&browser).await;
    assert_eq!(stage.mia.get("/halt").await["halted"]["by"], "sue");
    is_well(&browser, "console-halted").await;
    is_sealed(&browser).await;
    browser.open(&format!("{}/console/halt", stage.url)).await;
    browser.click("#unhalt-button").await;
    browser.reads("It is not thrown").await;
    assert_eq!(stage.mia.get("/halt").await["halted"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_elsewhere_leads_here_and_sends_nothing() {
    let stage = stage().await;
    let browser = signed_in(&stage, "admin").await;
    let elsewhere = |inner: &str| format!("data:text/html,<!doctype html><title>E</title>{inner}");
    // A link in a message: the browser keeps the session back, and the page is asked for once more.
    browser.open(&elsewhere(&format!("<a href='{}/console/halt'>Look</a>", stage.url))).await;
    browser.click("a").await;
    browser.reads("It is not thrown").await;
    // A form comes to nothing, and neither does a frame.
    let forged = format!(
        "<form method=post action='{}/console/halt'><input name=act value=halt><input name=reason \
         value=x><button>Win a prize</button></form>",
        stage.url
    );
    browser.open(&elsewhere(&forged)).await;
    browser.click("button").await;
    browser.reads("Nothing was done").await;
    assert_eq!(stage.mia.get("/halt").await["halted"], Value::Null);
    browser.open(&elsewhere(&format!("<iframe src='{}/console/halt'></iframe>", stage.url))).await;
    browser.enter_frame().await;
    let shown = browser.eval("return location.href").await;
    assert!(shown.as_str().unwrap().starts_with("chrome-error:"), "{shown}");
}
