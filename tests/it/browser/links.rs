//! The page behind a link: what is asked, a form, two buttons.

use serde_json::json;
use stanch_tests::browser::Browser;
use stanch_tests::eventually;

use super::front::Front;
use super::{HOSTILE, is_only_text, is_quiet, is_sealed, is_well};
use crate::links::{Set, set_asking};
use crate::stage::Plan;

const CUTS: &str = r##"
const PLAYBOOK = #{ name: "asks", title: "Cuts a key off", mode: "ask" };
let cut = plan([change("iam:UpdateAccessKey",
    #{ UserName: "ci-deploy", AccessKeyId: "AKIAIOSFODNN7EXAMPLE", Status: "Inactive" })]);
let gate = approval("Cut the key of ci-deploy off?", #{ plan: cut, approvers: ["role:responder"],
    expires: "30m", form: #{ type: "object", required: ["ticket", "place"], properties: #{
        ticket: #{ type: "string", title: "Ticket", description: "as in INC-7", pattern: "^INC-[0-9]+$" },
        place: #{ title: "Place", enum: ["prod", "test"] },
        blast: #{ title: "How many hosts", type: "integer", minimum: 1 },
        hosts: #{ title: "Hosts", type: "array", items: #{ type: "string" } } } } });
if gate.outcome == "approved" { execute(cut); }
[gate.outcome, gate.reason, gate.form]
"##;

/// A mail that is read in a browser, which looks ahead wherever it is told to.
fn mail(link: &str) -> String {
    let ahead = json!({"prefetch": [{"urls": [link], "eagerness": "immediate"}],
        "prerender": [{"urls": [link], "eagerness": "immediate"}]});
    format!(
        "<!doctype html><title>Mail</title><link rel=\"prefetch\" href=\"{link}\">\
         <script type=\"speculationrules\">{ahead}</script><a href=\"{link}\">Decide</a>"
    )
}

async fn front(set: &Set) -> Front {
    Front::of(&set.stage.url, None, mail(&set.link)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_approves_by_a_link_and_a_browser_that_looks_ahead_decides_nothing() {
    let set = set_asking(Plan::new(), CUTS).await;
    let (front, browser) = (front(&set).await, Browser::start().await);
    browser.open(&format!("{}/page", front.url)).await;
    eventually("a look ahead", async || {
        front.asked().into_iter().find(|asked| asked.is_ahead && asked.path == set.link)
    })
    .await;
    assert_eq!(set.shown().await["decisions"], json!([]));

    browser.click("a").await;
    assert_eq!(browser.text("h1").await, "Cut the key of ci-deploy off?");
    let words = browser.words().await;
    for read in [
        "iam:UpdateAccessKey",
        "111122223333",
        "AKIAIOSFODNN7EXAMPLE",
        "Inactive",
        "role:responder",
        "in 29 min",
        "You decide as mia",
        "as in INC-7",
    ] {
        assert!(words.contains(read), "{read}: {words}");
    }
    is_well(&browser, "link").await;

    // What is left out is not even sent.
    browser.fill("textarea[name=reason]", "it is ours\nto stop").await;
    browser.click("button[value=approve]").await;
    assert!(front.asked().iter().all(|asked| asked.method == "GET"), "{:?}", front.asked());

    // What is wrong is told, and nothing is typed twice.
    browser.fill("input[name='form.ticket']", "7\" onfocus=\"x").await;
    browser.fill("select[name='form.place']", "test").await;
    browser.fill("textarea[name='form.hosts']", "\na\nb").await;
    browser.click("button[value=approve]").await;
    browser.reads("Nothing is decided: `form.ticket` must fit").await;
    is_well(&browser, "link-again").await;
    let kept = "return ['reason', 'form.ticket', 'form.place', 'form.blast', 'form.hosts'].map((name) => \
        document.getElementsByName(name)[0].value)";
    let typed = json!(["it is ours\nto stop", "7\" onfocus=\"x", "test", "", "\na\nb"]);
    assert_eq!(browser.eval(kept).await, typed);
    assert_eq!(set.shown().await["decisions"], json!([]));

    browser.clear("input[name='form.ticket']").await;
    browser.fill("input[name='form.ticket']", "INC-7").await;
    browser.click("button[value=approve]").await;
    browser.reads("It is decided").await;
    is_well(&browser, "link-decided").await;
    let form = json!({"ticket": "INC-7", "place": "test", "blast": null, "hosts": ["a", "b"]});
    let ended = set.stage.over(&set.run).await;
    assert_eq!(ended["result"], json!(["approved", "it is ours\r\nto stop", form]), "{ended}");
    assert_eq!(set.stage.changes(), ["iam:UpdateAccessKey"]);

    browser.open(&format!("{}{}", front.url, set.link)).await;
    browser.reads("the link was used already").await;
    is_well(&browser, "link-used").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_rejects_by_a_link_without_scripts_and_without_the_form() {
    let set = set_asking(Plan::new(), CUTS).await;
    let (front, browser) = (front(&set).await, Browser::start().await);
    browser.forbid_scripts().await;
    browser.open(&format!("{}{}", front.url, set.link)).await;
    // A no wants its reason, too, and nothing else.
    browser.click("button[value=reject]").await;
    browser.reads("Nothing is decided").await;
    assert_eq!(set.shown().await["decisions"], json!([]));
    browser.fill("textarea[name=reason]", "not ours").await;
    browser.click("button[value=reject]").await;
    browser.reads("mia said no").await;
    let ended = set.stage.over(&set.run).await;
    let form = json!({"ticket": null, "place": null, "blast": null, "hosts": null});
    assert_eq!(ended["result"], json!(["rejected", "not ours", form]), "{ended}");
    assert_eq!(set.stage.changes(), [""; 0]);
    is_quiet(&browser).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_playbook_asks_runs_nothing_in_a_browser() {
    let text = r##"
const PLAYBOOK = #{ name: "asks", title: "Asks", mode: "ask" };
approval(HOSTILE, #{ approvers: ["role:responder"], expires: "30m", form: #{ type: "object",
    properties: #{ a: #{ title: HOSTILE, description: HOSTILE, enum: [HOSTILE, "b"] } } } }).form.a
"##;
    let text = text.replace("HOSTILE", &json!(HOSTILE).to_string());
    let set = set_asking(Plan::new(), &text).await;
    let (front, browser) = (front(&set).await, Browser::start().await);
    browser.open(&format!("{}{}", front.url, set.link)).await;
    is_only_text(&browser).await;
    is_well(&browser, "link-hostile").await;
    is_sealed(&browser).await;

    // What is chosen is sent as it was written, also what is not seen of it.
    browser.open(&format!("{}{}", front.url, set.link)).await;
    browser.eval("document.getElementsByName('form.a')[0].selectedIndex = 1").await;
    browser.fill("textarea[name=reason]", HOSTILE).await;
    browser.click("button[value=approve]").await;
    browser.reads("It is decided").await;
    is_quiet(&browser).await;
    assert_eq!(set.stage.over(&set.run).await["result"], HOSTILE);
}
