//! People are told: by each chain of channels, by the next one where one is dead, once, and how it
//! stands when that changes.

pub(crate) mod others;

use std::path::Path;

use serde_json::{Value, json};
use stanch_engine_cli::config::Config;
use stanch_tests::eventually;

use crate::stage::{Plan, Stage, id};
use others::{Heard, MailServer, Other, Trouble, plain};

/// Longer than any secret may be short.
const SECRET: &str = "xoxb-a-token-of-some-length";

const ASKS: &str = r#"
const PLAYBOOK = #{ name: "asks", title: "Asks", mode: "ask" };
approval("Cut <it> off?", #{ approvers: ["role:responder"], expires: "30m" }).outcome
"#;

const BREAKS: &str = r#"
const PLAYBOOK = #{ name: "breaks", title: "Breaks" };
fail("nothing works");
"#;

/// Reads a part of a configuration. `SECRET` in it is a file with the secret.
pub(crate) fn configure(config: &mut Config, folder: &Path, text: &str) {
    let file = folder.join("channel.secret");
    std::fs::write(&file, SECRET).unwrap();
    let text = text.replace("SECRET", &format!("file:{}", file.display()));
    let read: Config = toml::from_str(&text).unwrap();
    (config.notify, config.people, config.oncall) = (read.notify, read.people, read.oncall);
    config.slack = read.slack;
}

pub(crate) fn slack(name: &str, url: &str) -> String {
    format!(
        "[notify.channels.{name}]\nkind = \"slack\"\ntoken = \"SECRET\"\nchannel = \"C1\"\n\
         base_url = \"{url}\"\n"
    )
}

fn pagerduty(name: &str, url: &str) -> String {
    format!(
        "[notify.channels.{name}]\nkind = \"pagerduty\"\nrouting_key = \"SECRET\"\n\
         base_url = \"{url}\"\n"
    )
}

fn webhook(name: &str, url: &str) -> String {
    format!(
        "[notify.channels.{name}]\nkind = \"webhook\"\nsecrets = [\"SECRET\"]\n\
         url = \"{url}/hook\"\n"
    )
}

fn route(channels: &[&str], conditions: &str) -> String {
    format!("[[notify.routes]]\nchannels = {channels:?}\n{conditions}\n")
}

/// A stage that is configured so.
async fn stage(plan: Plan, text: &str) -> (Stage, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let mut plan = plan;
    configure(&mut plan.config, folder.path(), text);
    let stage = plan.set().await;
    stage.publish(ASKS).await;
    stage.publish(BREAKS).await;
    (stage, folder)
}

/// The page of a run.
async fn page_of(stage: &Stage, run: &str) -> String {
    let page = eventually("the page of a run", async || {
        let pages = stage.mia.list("/pages").await;
        pages.into_iter().find(|page| page["run_id"] == *run)
    });
    id(&page.await["id"])
}

/// A page, when it is as it is waited for.
async fn page_when(stage: &Stage, page: &str, fits: impl Fn(&Value) -> bool) -> Value {
    let path = format!("/pages/{page}");
    eventually("a page as it is waited for", async || {
        Some(stage.mia.get(&path).await).filter(&fits)
    })
    .await
}

fn sendings(page: &Value) -> Vec<(&str, &str, u64)> {
    let rows = page["sendings"].as_array().unwrap();
    rows.iter()
        .map(|row| {
            (
                row["channel"].as_str().unwrap(),
                row["status"].as_str().unwrap(),
                row["attempts"].as_u64().unwrap(),
            )
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_channel_falls_to_the_next_and_each_try_is_shown() {
    let (chat, duty) = (Other::play().await, Other::play().await);
    let denied = json!({"ok": false, "error": "invalid_auth"});
    chat.will([Trouble::Answer(200, denied)]);
    let text = [
        slack("ops", &chat.url),
        pagerduty("duty", &duty.url),
        route(&["duty"], "severity = \"critical\""),
        route(&["ops", "duty"], ""),
    ];
    let (stage, _folder) = stage(Plan::new(), &text.concat()).await;
    let run = stage.start_for_finding("breaks").await;
    let event = &duty.at("/v2/enqueue", 1).await[0];
    assert_eq!(event.body["event_action"], "trigger");
    assert_eq!(event.body["routing_key"], SECRET);
    assert_eq!(event.body["payload"]["severity"], "warning", "the finding is of severity medium");
    let page = page_of(&stage, &run).await;
    let page = page_when(&stage, &page, |page| page["deliveries"] == 1).await;
    assert_eq!(sendings(&page), [("ops", "failed", 1), ("duty", "sent", 1)]);
    assert_eq!(page["sendings"][0]["error"], "slack_invalid_auth: Slack says `invalid_auth`");
    assert_eq!(page["last_error"], Value::Null, "somebody was reached");
    assert!(!page.to_string().contains(SECRET));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_is_a_thread_and_its_messages_say_how_they_stand() {
    for plan in [Plan::new(), Plan::new().on_postgres().await] {
        let chat = Other::play().await;
        let text = [slack("ops", &chat.url), route(&["ops"], "")].concat();
        let (stage, _folder) = stage(plan, &text).await;
        let run = stage.start_for_finding("asks").await;
        let asked = &chat.at("/chat.postMessage", 1).await[0];
        assert_eq!(asked.header("authorization"), format!("Bearer {SECRET}"));
        assert!(asked.body["thread_ts"].is_null(), "it is the first of its incident");
        assert!(asked.body.to_string().contains("Cut &lt;it&gt; off?"), "{}", asked.body);

        let broken = stage.start_for_finding("breaks").await;
        let all = chat.at("/chat.postMessage", 2).await;
        assert_eq!(all[1].body["thread_ts"], "17.001");
        assert_eq!(all[1].body["reply_broadcast"], true);

        stage.approve(&run).await;
        stage.over(&run).await;
        let updates = chat.at("/chat.update", 1).await;
        let update = updates.iter().find(|update| update.body["ts"] == "17.001").unwrap();
        assert_eq!(update.body["channel"], "C1");
        let said = update.body.to_string();
        assert!(said.contains("Approved by mia: it is ours to stop"), "{said}");
        let page = page_of(&stage, &run).await;
        page_when(&stage, &page, |page| page["sendings"][0]["told"] == "over").await;
        let open = page_of(&stage, &broken).await;
        let open = stage.mia.get(&format!("/pages/{open}")).await;
        assert_eq!(open["sendings"][0]["told"], "open", "that one nobody has taken");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pagerduty_hears_that_it_is_taken_and_that_it_is_over() {
    let duty = Other::play().await;
    let text = [pagerduty("duty", &duty.url), route(&["duty"], "")].concat();
    let (stage, _folder) = stage(Plan::new(), &text).await;
    let run = stage.start_for_finding("breaks").await;
    stage.over(&run).await;
    duty.at("/v2/enqueue", 1).await;
    let page = page_of(&stage, &run).await;
    page_when(&stage, &page, |page| page["deliveries"] == 1).await;
    let incident = id(&stage.mia.get(&format!("/runs/{run}")).await["incident_id"]);
    stage.mia.post(&format!("/pages/{page}/ack"), &json!({})).await;
    duty.at("/v2/enqueue", 2).await;
    let close = json!({"reason": "a drill", "verdict": "benign_positive", "force": true});
    stage.mia.post(&format!("/incidents/{incident}/close"), &close).await;
    let heard = duty.at("/v2/enqueue", 3).await;
    let said: Vec<_> = heard.iter().map(|heard| &heard.body["event_action"]).collect();
    assert_eq!(said, ["trigger", "acknowledge", "resolve"]);
    let keys: Vec<_> = heard.iter().map(|heard| id(&heard.body["dedup_key"])).collect();
    assert_eq!(keys, [page.clone(), page.clone(), page]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_for_a_while_is_tried_again_and_who_heard_it_hears_it_once() {
    let (chat, crm) = (Other::play().await, Other::play().await);
    let busy = || Trouble::Answer(503, json!({"error": "busy"}));
    chat.will([busy(), busy()]);
    let text = [
        slack("ops", &chat.url),
        webhook("crm", &crm.url),
        route(&["crm"], "and_on = true"),
        route(&["ops"], ""),
    ];
    let (stage, _folder) = stage(Plan::new().manual(), &text.concat()).await;
    let run = stage.start_for_finding("breaks").await;
    let page = page_of(&stage, &run).await;
    let failed = |tries: u64| {
        move |page: &Value| {
            let rows = sendings(page);
            rows.contains(&("ops", "failed", tries)) && page["last_error"].is_string()
        }
    };
    page_when(&stage, &page, failed(1)).await;
    stage.pass(2_000);
    page_when(&stage, &page, failed(2)).await;
    assert_eq!(chat.heard().len(), 2);
    stage.pass(8_000);
    let sent = page_when(&stage, &page, |page| page["deliveries"] == 1).await;
    assert_eq!(sendings(&sent), [("crm", "sent", 1), ("ops", "sent", 3)]);
    assert_eq!(sent["last_error"], Value::Null);
    is_signed(&crm.at("/hook", 1).await[0], &page);
    assert_eq!(crm.heard().len(), 1);
}

/// Checks a webhook as `docs/notifications.md` tells a receiver to.
fn is_signed(heard: &Heard, page: &str) {
    let time = heard.header("stanch-timestamp");
    let signed = [time.as_bytes(), b".", &heard.raw].concat();
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, SECRET.as_bytes());
    let shown = heard.header("stanch-signature");
    let shown = shown.strip_prefix("v1=").unwrap();
    let hex = |at: usize| u8::from_str_radix(&shown[at..at + 2], 16).unwrap();
    let bytes: Vec<u8> = (0..shown.len()).step_by(2).map(hex).collect();
    ring::hmac::verify(&key, &signed, &bytes).unwrap();
    assert_eq!(heard.header("stanch-delivery"), format!("{page}/1/open"));
    assert_eq!((&heard.body["event"], &heard.body["key"]), (&json!("page.sent"), &json!(page)));
    assert_eq!(heard.body["severity"], "medium");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_was_on_its_way_when_the_node_stopped_goes_out_again() {
    let chat = Other::play().await;
    chat.will([Trouble::Silence]);
    let text = [slack("ops", &chat.url), route(&["ops"], "")].concat();
    let (mut stage, _folder) = stage(Plan::new().manual(), &text).await;
    let run = stage.start_for_finding("breaks").await;
    chat.at("/chat.postMessage", 1).await;
    let page = page_of(&stage, &run).await;
    let cut = stage.mia.get(&format!("/pages/{page}")).await;
    assert_eq!(sendings(&cut), [("ops", "sending", 1)], "it is written down before it is sent");
    stage.restart().await;
    stage.pass(60_000);
    chat.at("/chat.postMessage", 2).await;
    let sent = page_when(&stage, &page, |page| page["deliveries"] == 1).await;
    assert_eq!(sendings(&sent), [("ops", "sent", 2)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_on_call_is_called_by_name_and_the_list_holds_when_nobody_can_say() {
    let (chat, duty) = (Other::play().await, Other::play().await);
    let on_call = json!({"oncalls": [{"user": {"id": "PU2", "summary": "Lea"}}]});
    duty.will([Trouble::Answer(200, on_call), Trouble::Answer(500, json!({}))]);
    let people = format!(
        "[people.mia]\nslack = \"U1\"\n[people.lea]\nslack = \"U2\"\npagerduty = \"PU2\"\n\
         [oncall.first]\npeople = [\"mia\"]\npagerduty_schedule = \"PS\"\n\
         pagerduty_token = \"SECRET\"\nbase_url = \"{}\"\n",
        duty.url
    );
    let text = [slack("ops", &chat.url), route(&["ops"], ""), people].concat();
    let (stage, _folder) = stage(Plan::new(), &text).await;
    let pages = r#"const PLAYBOOK = #{ name: "pages", title: "Pages" };
        page("oncall:first", "Look at this");"#;
    stage.publish(pages).await;
    for (times, mention) in [(1, "<@U2>"), (2, "<@U1>")] {
        stage.start("pages", json!({})).await;
        let said = chat.at("/chat.postMessage", times).await.pop().unwrap().body;
        assert!(id(&said["text"]).starts_with(mention), "{said}");
    }
    let asked = &duty.heard()[0];
    assert!(asked.path.starts_with("/oncalls?schedule_ids%5B%5D=PS"), "{}", asked.path);
    assert_eq!(asked.header("authorization"), format!("Token token={SECRET}"));
    // Who was disabled has no duty.
    stage.admin.post("/people/mia/disable", &json!({"reason": "left"})).await;
    let lea = stage.person("lea", &["responder"]).await;
    duty.will([Trouble::Answer(500, json!({}))]);
    lea.post("/runs", &json!({"playbook": "pages", "inputs": {}})).await;
    let said = chat.at("/chat.postMessage", 3).await.pop().unwrap().body;
    assert!(!said.to_string().contains("<@"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_goes_out_over_tls_to_the_people_of_a_role() {
    let folder = tempfile::tempdir().unwrap();
    let roots = folder.path().join("roots.pem");
    let server = MailServer::serve(&roots).await;
    let channel = |roots: &str| {
        format!(
            "[notify.channels.mail]\nkind = \"email\"\nhost = \"localhost\"\nport = {}\n{roots}\
             user = \"stanch\"\npassword = \"SECRET\"\nfrom = \"stanch@example.com\"\n\
             to = [\"soc@example.com\"]\n",
            server.port
        )
    };
    let people = "[people.mia]\nemail = \"mia@example.com\"\nroles = [\"responder\"]\n\
                  [people.vic]\nemail = \"vic@example.com\"\nroles = [\"viewer\"]\n";
    let trusted = channel(&format!("roots = {:?}\n", roots.display().to_string()));
    let text = [trusted, route(&["mail"], ""), people.to_owned()].concat();
    let (stage, _folder) = stage(Plan::new(), &text).await;
    let first = stage.start_for_finding("breaks").await;
    let mails: Vec<String> = server.mails(2).await.iter().map(|mail| plain(mail)).collect();
    assert!(mails[0].contains("RCPT TO:<mia@example.com>"), "{}", mails[0]);
    assert!(mails[0].contains("AUTH PLAIN"), "{}", mails[0]);
    assert!(mails[0].contains(&first) && mails[0].contains("Subject: Stanch: medium ST0106"));
    assert!(mails[1].contains("soc@example.com"), "{}", mails[1]);
    assert!(!mails.concat().contains("vic@"));

    // A server whose certificate nobody vouches for is told nothing.
    let text = [channel(""), route(&["mail"], "")].concat();
    let (stage, _folder) = self::stage(Plan::new(), &text).await;
    let run = stage.start_for_finding("breaks").await;
    let page = page_of(&stage, &run).await;
    let failed = page_when(&stage, &page, |page| page["last_error"].is_string()).await;
    assert!(failed["last_error"].as_str().unwrap().contains("certificate"), "{failed}");
    let mails: Vec<String> = server.mails(2).await.iter().map(|mail| plain(mail)).collect();
    let about = |run: &str| mails.iter().filter(|mail| mail.contains(run)).count();
    assert!(about(&first) > 0 && about(&run) == 0, "{mails:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_playbook_tells_by_the_same_ways() {
    let (chat, crm) = (Other::play().await, Other::play().await);
    chat.will([Trouble::Answer(200, json!({"ok": false, "error": "channel_not_found"}))]);
    let text = [
        slack("ops", &chat.url),
        webhook("crm", &crm.url),
        route(&["ops", "crm"], "playbooks = [\"tells\"]"),
        route(&["ops"], ""),
    ];
    let (stage, _folder) = stage(Plan::new(), &text.concat()).await;
    let tells = r#"const PLAYBOOK = #{ name: "tells", title: "Tells" };
        notify("role:responder", "It is over");"#;
    stage.publish(tells).await;
    let run = stage.start("tells", json!({})).await;
    assert_eq!(stage.over(&run).await["status"], "succeeded");
    let journal = stage.journal(&run).await;
    let results = journal.iter().map(|entry| &entry["body"]["result"]);
    let told: Vec<&Value> = results.filter(|result| result["channels"].is_array()).collect();
    assert_eq!(told, [&json!({"channels": ["crm"]})]);
    let told = &crm.at("/hook", 1).await[0].body;
    assert_eq!((&told["code"], &told["text"]), (&json!("notice"), &json!("It is over")));
}
