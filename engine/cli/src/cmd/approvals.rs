//! `stanch approvals|approve|reject|withdraw`.

use anyhow::Context as _;
use serde_json::{Map, Value, json};

use crate::args::{Approvals, Decide, Look, Withdraw};
use crate::client::Client;
use crate::cmd::look;
use crate::output;

pub(super) async fn run(client: &Client, what: Approvals, json: bool) -> anyhow::Result<()> {
    let (approval, to, reason) = match what {
        Approvals::List(list) => {
            return look::run(client, &look::APPROVALS, Look::List(list), json).await;
        }
        Approvals::Show { id } => {
            return look::run(client, &look::APPROVALS, Look::Show { id }, json).await;
        }
        Approvals::Handover { approval, to, reason } => (approval, to, reason),
    };
    let body = json!({"to": to, "reason": reason});
    let answer = client.post(&format!("/approvals/{approval}/handover"), &body).await?;
    match json {
        true => output::json(&answer),
        false => println!("{approval} is for {to} to decide"),
    }
    Ok(())
}

pub(super) async fn decide(
    client: &Client,
    args: Decide,
    decision: &str,
    json: bool,
) -> anyhow::Result<()> {
    let ids = meant(client, &args).await?;
    let (mut answers, mut undecided) = (Vec::new(), 0);
    for id in &ids {
        match decide_one(client, &args, decision, id).await {
            Ok((asked, answer)) => {
                if !json {
                    tell(&asked, &answer);
                }
                answers.push(answer);
            }
            // Each is decided by itself: what is wrong with one keeps nobody from the others.
            Err(error) if ids.len() > 1 => {
                eprintln!("{id} is not decided: {error:#}");
                undecided += 1;
            }
            Err(error) => return Err(error),
        }
    }
    match (json, answers.as_slice()) {
        (true, [answer]) if ids.len() == 1 => output::json(answer),
        (true, answers) => output::json(&json!({"items": answers})),
        (false, _) => {}
    }
    anyhow::ensure!(undecided == 0, "{undecided} of {} are not decided", ids.len());
    Ok(())
}

/// Decides one; what was asked, and what the server answered.
async fn decide_one(
    client: &Client,
    args: &Decide,
    decision: &str,
    id: &str,
) -> anyhow::Result<(Value, Value)> {
    let asked = client.get(&format!("/approvals/{id}"), &[]).await?;
    let form = filled_in(&asked, &args.form)?;
    let body = json!({
        "decision": decision, "reason": args.reason, "form": form,
        "plan_sha256": asked["plan_sha256"],
    });
    let answer = client.post(&format!("/approvals/{id}/decisions"), &body).await?;
    Ok((asked, answer))
}

fn tell(asked: &Value, answer: &Value) {
    let plan = match asked["plan_sha256"].as_str() {
        Some(plan) => format!(" (plan {plan})"),
        None => String::new(),
    };
    println!("{} is {}{plan}", output::text(&asked["id"]), output::text(&answer["status"]));
    if answer["halted"] == true {
        println!(
            "the kill switch is thrown: nothing will be changed (`stanch unhalt` takes it back)"
        );
    }
}

/// The approvals that are meant, each once.
async fn meant(client: &Client, args: &Decide) -> anyhow::Result<Vec<String>> {
    let mut ids = args.approvals.clone();
    for id in args.approvals.iter().filter(|_| args.identical) {
        let found = client.get("/approvals", &[("identical_to", id.clone())]).await?;
        let items = found["items"].as_array().into_iter().flatten();
        ids.extend(items.filter_map(|one| one["id"].as_str()).map(str::to_owned));
    }
    if let Some(unknown) = args.except.iter().find(|id| !ids.contains(id)) {
        anyhow::bail!("`--except {unknown}`: it is none of them");
    }
    let mut seen = Vec::new();
    for id in ids {
        if !seen.contains(&id) && !args.except.contains(&id) {
            seen.push(id);
        }
    }
    Ok(seen)
}

/// What is filled in, each member as the form wants it.
pub(super) fn filled_in(asked: &Value, pairs: &[String]) -> anyhow::Result<Map<String, Value>> {
    let mut form = Map::new();
    for pair in pairs {
        let (name, text) =
            pair.split_once('=').with_context(|| format!("`--form {pair}`: write NAME=VALUE"))?;
        let kind = &asked["form"]["properties"][name]["type"];
        let value = match kind.as_str() {
            None | Some("string") => Value::String(text.to_owned()),
            Some(kind) => serde_json::from_str(text)
                .with_context(|| format!("`--form {pair}`: `{name}` is of type {kind}"))?,
        };
        form.insert(name.to_owned(), value);
    }
    Ok(form)
}

pub(super) async fn withdraw(client: &Client, args: Withdraw, json: bool) -> anyhow::Result<()> {
    let path = format!("/approvals/{}/withdraw", args.approval);
    let answer = client.post(&path, &json!({"reason": args.reason})).await?;
    if json {
        output::json(&answer);
    } else {
        println!("{}: your yes is taken back", args.approval);
    }
    Ok(())
}
