//! The report of an incident, on a screen and on paper.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::json;
use stanch_tests::browser::{Browser, DESKTOP, PHONE};

use super::front::Front;
use super::{HOSTILE, is_only_text, is_sealed, is_well};
use crate::report::undone;
use crate::stage::{Plan, Stage, id};

/// Opens the report of an incident, as somebody who may read it.
async fn open(stage: &Stage, incident: &str) -> Browser {
    let token = std::fs::read_to_string(stage.dir().join("keys/admin.token")).unwrap();
    let front = Front::of(&stage.url, Some(token.trim().to_owned()), String::new()).await;
    let browser = Browser::start().await;
    let path = format!("/v1/incidents/{incident}/report?format=html");
    browser.open(&format!("{}{path}", front.url)).await;
    browser
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_read_on_a_desktop_on_a_phone_and_on_paper() {
    let stage = Plan::new().set().await;
    let incident = undone(&stage).await;
    let browser = open(&stage, &incident).await;
    assert!(browser.text("h1").await.contains(&incident));
    let heads = "return [...document.querySelectorAll('h2')].map((head) => head.innerText)";
    let heads = browser.eval(heads).await;
    for head in
        ["Summary", "What was done", "What was taken back", "Approvals", "Evidence", "Timeline"]
    {
        assert!(heads.as_array().unwrap().contains(&json!(head)), "{head}: {heads}");
    }
    is_well(&browser, "report").await;
    for window in [DESKTOP, PHONE] {
        browser.look_from(window).await;
        let wide = "return [...document.querySelectorAll('table, td')].filter((one) => { \
            const { left, right } = one.getBoundingClientRect(); return left < 0 || right > innerWidth; \
            }).length";
        assert_eq!(browser.eval(wide).await, 0, "{window:?}");
        // No cell is as narrow as a letter or two.
        let narrow = "return [...document.querySelectorAll('td')].filter((one) => \
            one.innerText.length > 20 && one.getBoundingClientRect().width < 60).length";
        assert_eq!(browser.eval(narrow).await, 0, "{window:?}");
    }
    let paper = BASE64.decode(browser.print().await).unwrap();
    let paper = String::from_utf8_lossy(&paper);
    let (_, count) = paper.split_once("/Count ").unwrap();
    let count: u32 = count.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap();
    assert!(count > 0, "{count}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_incident_is_called_runs_nothing_in_a_browser() {
    let mut plan = Plan::new();
    plan.ships = false;
    let stage = plan.set().await;
    let body = json!({"title": HOSTILE, "severity": "high"});
    let incident = id(&stage.mia.post("/incidents", &body).await["incident_id"]);
    stage.mia.post(&format!("/incidents/{incident}/note"), &json!({"text": HOSTILE})).await;
    let browser = open(&stage, &incident).await;
    is_only_text(&browser).await;
    is_well(&browser, "report-hostile").await;
    is_sealed(&browser).await;
}
