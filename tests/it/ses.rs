//! Pages by the API of Amazon SES, against moto.

use serde_json::{Value, json};
use stanch_engine_cli::config::Account;
use stanch_engine_core::effect::Mode;
use stanch_tests::eventually;
use stanch_tests::moto::Moto;

use crate::channels::configure;
use crate::stage::{Plan, Stage};

/// The account that moto plays.
const ACCOUNT: &str = "123456789012";

const BREAKS: &str = r#"
const PLAYBOOK = #{ name: "breaks", title: "Breaks" };
fail("nothing works");
"#;

const MAIL: &str = r#"
[notify.channels.mail]
kind = "ses"
from = "Stanch <stanch@example.com>"
to = ["soc@example.com"]
region = "us-east-1"
[[notify.routes]]
channels = ["mail"]
[people.mia]
email = "mia@example.com"
roles = ["responder"]
"#;

async fn set(moto: &Moto) -> (Stage, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let mut plan = Plan::new();
    plan.ships = false;
    plan.aws_url = Some(moto.url().to_owned());
    plan.config.accounts.insert(ACCOUNT.to_owned(), Account::of_mode(Mode::Ask));
    configure(&mut plan.config, folder.path(), MAIL);
    let stage = plan.set().await;
    stage.publish(BREAKS).await;
    (stage, folder)
}

/// The page about a run, with its sendings, when they are as they are waited for.
async fn page_when(stage: &Stage, run: &str, fits: impl Fn(&Value) -> bool) -> Value {
    eventually("a page", async || {
        let pages = stage.mia.list("/pages").await;
        let page = pages.into_iter().find(|page| page["run_id"] == *run)?;
        let shown = stage.mia.get(&format!("/pages/{}", page["id"].as_str()?)).await;
        Some(shown).filter(&fits)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_goes_by_ses_and_a_sender_that_ses_does_not_know_is_told() {
    let moto = Moto::start().await;
    let (stage, _folder) = set(&moto).await;
    let run = stage.start("breaks", json!({})).await;
    let refused = page_when(&stage, &run, |page| page.to_string().contains("\"failed\"")).await;
    assert!(refused.to_string().contains("MessageRejected"), "{refused}");

    let sender = json!({"EmailIdentity": "stanch@example.com"});
    stage.call(ACCOUNT, "sesv2:CreateEmailIdentity", sender).await;
    let run = stage.start("breaks", json!({})).await;
    page_when(&stage, &run, |page| page.to_string().contains("\"sent\"")).await;
    // One for mia, and one for those who always get it.
    let quota = stage.call(ACCOUNT, "ses:GetSendQuota", json!({})).await;
    assert!(quota["SentLast24Hours"].as_f64().unwrap() >= 2.0, "{quota}");
}
