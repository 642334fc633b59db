//! `stanch break-glass …`: by the API, and at the machine of a node, in the database itself.

use std::path::Path;

use anyhow::Context as _;
use serde_json::{Value, json};
use stanch_engine_runtime::offline::{Offline, OfflineKey, Spoken, Switch};
use stanch_engine_runtime::system;

use super::approvals::filled_in;
use super::look::{self, Kind};
use crate::args::{BreakGlass, Common, Glass, Look};
use crate::client::Client;
use crate::config::{Config, environment};
use crate::{output, wiring};

const GLASS: Kind = Kind {
    path: "/break-glass",
    columns: &[
        ("APPROVAL", "/approval_id"),
        ("STATUS", "/status"),
        ("BY", "/person"),
        ("AT", "/at"),
        ("REVIEWED BY", "/reviewed_by"),
        ("REASON", "/reason"),
    ],
};

pub(super) async fn run(common: &Common, mut args: BreakGlass) -> anyhow::Result<()> {
    let json = common.json;
    match args.what.take() {
        Some(Glass::List(list)) => {
            look::run(&Client::of(common)?, &GLASS, Look::List(list), json).await
        }
        Some(Glass::Review { approval, text }) => {
            let path = format!("/break-glass/{approval}/review");
            let answer = Client::of(common)?.post(&path, &json!({"text": text})).await?;
            match json {
                true => output::json(&answer),
                false => println!("{approval}: reviewed"),
            }
            Ok(())
        }
        Some(Glass::Waiting) => waiting(common).await,
        Some(Glass::Key { output, person, reason, .. }) => {
            let by = spoken(Some(&person), Some(&reason));
            key(common, output.as_deref(), by).await
        }
        None => match &args.at_node.offline {
            Some(file) => offline(common, file, &args).await,
            None => by_the_api(&Client::of(common)?, &args, json).await,
        },
    }
}

async fn by_the_api(client: &Client, args: &BreakGlass, json: bool) -> anyhow::Result<()> {
    let approval = args.approval.clone().unwrap_or_default();
    let asked = client.get(&format!("/approvals/{approval}"), &[]).await?;
    let form = filled_in(&asked, &args.form)?;
    let body = json!({"reason": args.reason, "form": form});
    let answer = client.post(&format!("/approvals/{approval}/break-glass"), &body).await?;
    match json {
        true => output::json(&answer),
        false => told(&approval, &output::text(&answer["status"])),
    }
    Ok(())
}

fn told(approval: &str, status: &str) {
    println!("{approval} is {status}: everybody is told, and another person must look at it");
}

async fn open(common: &Common) -> anyhow::Result<Offline> {
    let config = Config::load(common.config.as_deref(), &environment)?;
    wiring::offline(&config, system::world(), &environment).await
}

/// Who speaks, where only the key knows them.
pub(super) fn spoken(person: Option<&str>, reason: Option<&str>) -> Spoken {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    Spoken { person: text(person), reason: text(reason), fields: Vec::new() }
}

/// The kill switch, in the database itself.
pub(super) async fn switch(
    common: &Common,
    file: &Path,
    to: Switch,
    by: Spoken,
) -> anyhow::Result<Value> {
    let (key, person) = (OfflineKey::read(file)?, by.person.clone());
    open(common).await?.switch(&key, to, by).await?;
    Ok(json!({"halted": to == Switch::Thrown, "by": person}))
}

async fn offline(common: &Common, file: &Path, args: &BreakGlass) -> anyhow::Result<()> {
    let key = OfflineKey::read(file)?;
    let approval = args.approval.clone().unwrap_or_default();
    let field = |pair: &String| {
        let read = pair.split_once('=').map(|(name, text)| (name.to_owned(), text.to_owned()));
        read.with_context(|| format!("`--form {pair}`: write NAME=VALUE"))
    };
    let by = Spoken {
        fields: args.form.iter().map(field).collect::<anyhow::Result<_>>()?,
        ..spoken(args.at_node.person.as_deref(), args.reason.as_deref())
    };
    let person = by.person.clone();
    let status = open(common).await?.break_glass(&key, approval.parse()?, by).await?;
    match common.json {
        true => output::json(&json!({"id": approval, "status": status, "break_glass": person})),
        false => told(&approval, status.as_str()),
    }
    Ok(())
}

/// What is asked, so that nobody answers what they have not read.
async fn waiting(common: &Common) -> anyhow::Result<()> {
    let found = open(common).await?.waiting().await?;
    if common.json {
        let item = |it: &stanch_engine_store::approvals::Approval| {
            json!({
                "id": it.id, "title": it.title, "run_id": it.run, "incident_id": it.incident,
                "approvers": it.approvers, "quorum": it.quorum, "expires_at": it.expires_at,
                "plan_sha256": it.plan_digest, "form": it.form, "card": it.card.value(),
            })
        };
        output::json(&json!({"items": found.iter().map(item).collect::<Vec<_>>()}));
        return Ok(());
    }
    for it in &found {
        println!("{} {}", it.id, output::seen(&it.title));
        println!("    asked: {}; a no at {:.0}", it.approvers.join(", "), it.expires_at);
        let card = it.card.value();
        for change in card["changes"].as_array().into_iter().flatten() {
            let text = |name: &str| output::text(&change[name]);
            println!("    {} {} {}", text("operation"), text("account"), change["params"]);
        }
    }
    if found.is_empty() {
        println!("nothing waits for people");
    }
    Ok(())
}

async fn key(common: &Common, file: Option<&Path>, by: Spoken) -> anyhow::Result<()> {
    let offline = open(common).await?;
    let said = match file {
        Some(file) => {
            offline.make_key(file, by).await?;
            format!("{}: keep it in a safe, and not on this machine", file.display())
        }
        None => {
            offline.revoke_key(by).await?;
            "no offline key is good any more".to_owned()
        }
    };
    match common.json {
        true => output::json(&json!({"file": file})),
        false => println!("{said}"),
    }
    Ok(())
}
