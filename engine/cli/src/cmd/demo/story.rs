//! What happens on the stage, told step by step.

use std::collections::HashSet;
use std::path::Path;

use anyhow::bail;
use serde_json::{Value, json};
use stanch_engine_runtime::evidence::verify::{self, Brought};
use stanch_engine_runtime::system;

use super::stage::Stage;
use crate::cmd::look::timeline_line;
use crate::cmd::{bundle, kpis};
use crate::output;

/// The pause between two looks, in milliseconds.
const LOOK_MS: i64 = 150;

/// Tells the whole story.
pub(super) async fn tell(stage: &Stage, dir: &Path, approves: bool) -> anyhow::Result<()> {
    introduce(stage, dir);
    heading("A finding arrives");
    let finding = Stage::finding();
    let received = stage.detector.post("/webhooks/guardduty", &finding).await?;
    let incident = output::text(&received["incident_id"]);
    let run = output::text(&received["run_ids"][0]);
    println!(
        "POST /v1/webhooks/guardduty  202  {} {incident} {run}",
        output::text(&received["alert_id"])
    );
    let again = stage.detector.post("/webhooks/guardduty", &finding).await?;
    println!(
        "the same again               202  duplicate: {}, nothing started",
        again["duplicate"]
    );

    let mut teller = Teller { stage, incident: &incident, told: HashSet::new(), approves };
    heading("The playbook runs, and asks before it changes anything");
    let ended = teller.follow(&run, "true_positive").await?;
    if ended["status"] != "succeeded" {
        bail!("{run} ended as {}: {}", ended["status"], ended["error"]);
    }
    let after = stage.person.get(&format!("/incidents/{incident}"), &[]).await?;
    println!("\n{incident} is {}", output::text(&after["status"]).to_uppercase());
    prove(stage, dir, &incident).await?;
    heading("KPIs");
    kpis::show(&stage.person.get("/kpis", &[("window", "1d".to_owned())]).await?);
    if ended["result"] != "approved" {
        println!("\nNothing was changed, so there is nothing to undo.");
        return Ok(());
    }
    undo(&mut teller, &run).await
}

fn introduce(stage: &Stage, dir: &Path) {
    println!("Stanch is at {}, on SQLite in {}", stage.url, dir.display());
    println!("A stand-in for AWS plays account 111122223333: a user, an access key, its trail.");
    println!("\nTo look around from another terminal:");
    println!("  export STANCH_URL={} STANCH_TOKEN={}", stage.url, stage.token);
    println!("  {} incidents list", program());
}

/// How this program is called from where the person stands.
fn program() -> String {
    let path = std::env::current_exe().ok();
    path.map_or_else(|| "stanch".to_owned(), |path| path.display().to_string())
}

fn heading(text: &str) {
    println!("\n== {text}");
}

/// Prints what is new in the timeline, and asks the person where the run does.
struct Teller<'a> {
    stage: &'a Stage,
    incident: &'a str,
    told: HashSet<String>,
    approves: bool,
}

impl Teller<'_> {
    /// Follows a run to its end.
    async fn follow(&mut self, run: &str, verdict: &str) -> anyhow::Result<Value> {
        let world = system::world();
        let mut asked = None;
        loop {
            let found = self.stage.person.get(&format!("/runs/{run}"), &[]).await?;
            self.tell_new().await?;
            match found["status"].as_str() {
                Some("succeeded" | "failed" | "cancelled" | "parked") => return Ok(found),
                Some("waiting") => {
                    if let Some(approval) = self.pending(run).await?
                        && asked.as_ref() != Some(&approval["id"])
                    {
                        asked = Some(approval["id"].clone());
                        self.ask(&approval, verdict).await?;
                    }
                }
                _ => {}
            }
            world.clock.sleep_until(world.now().plus_ms(LOOK_MS)).await;
        }
    }

    async fn tell_new(&mut self) -> anyhow::Result<()> {
        let path = format!("/incidents/{}/timeline", self.incident);
        let timeline = self.stage.person.get(&path, &[]).await?;
        let lines = timeline["items"].as_array().map_or(&[][..], Vec::as_slice);
        for line in lines {
            // A line may belong before one that was told: what tells them apart is what they say.
            if self.told.insert(line.to_string()) {
                println!("{}", timeline_line(line));
            }
        }
        Ok(())
    }

    async fn pending(&self, run: &str) -> anyhow::Result<Option<Value>> {
        let query = [("status", "pending".to_owned())];
        let found = self.stage.person.get("/approvals", &query).await?;
        let items = found["items"].as_array().into_iter().flatten();
        Ok(items.into_iter().find(|approval| approval["run_id"] == run).cloned())
    }

    /// Shows what is asked, and how it is answered.
    async fn ask(&self, approval: &Value, verdict: &str) -> anyhow::Result<()> {
        let id = output::text(&approval["id"]);
        println!("\n   {}", output::text(&approval["title"]));
        for change in approval["card"]["changes"].as_array().into_iter().flatten() {
            println!(
                "   - {}  {}  (undone by {}, probed by {})",
                output::text(&change["operation"]),
                change["params"],
                output::text(&change["undone_by"]),
                output::text(&change["probed_by"]),
            );
        }
        println!("   plan sha256 {}", output::text(&approval["plan_sha256"]));
        println!("   no answer by {} is a no", output::moment(&approval["expires_at"]));
        let form = if approval["form"].is_null() {
            String::new()
        } else {
            format!(" --form verdict={verdict}")
        };
        println!("   look:    {} approvals show {id}", program());
        println!("   approve: {} approve {id} --reason \"it is ours to stop\"{form}", program());
        println!("   reject:  {} reject {id} --reason \"not now\"\n", program());
        if !self.approves {
            println!("   waiting for you …\n");
            return Ok(());
        }
        let form = if approval["form"].is_null() { json!({}) } else { json!({"verdict": verdict}) };
        let body =
            json!({"decision": "approve", "reason": "the demo says yes by itself", "form": form});
        let decided = self.stage.person.post(&format!("/approvals/{id}/decisions"), &body).await?;
        println!("   --yes: {}\n", output::text(&decided["status"]));
        Ok(())
    }
}

/// Evidence, and the bundle that proves it without us.
async fn prove(stage: &Stage, dir: &Path, incident: &str) -> anyhow::Result<()> {
    heading("Evidence, and a bundle that proves itself");
    let evidence = stage.person.get(&format!("/incidents/{incident}/evidence"), &[]).await?;
    let columns = &[
        ("LABEL", "/label"),
        ("BYTES", "/bytes"),
        ("SHA-256", "/sha256"),
        ("CAPTURED", "/captured_at"),
    ];
    output::table(evidence["items"].as_array().map_or(&[], Vec::as_slice), columns);
    let (file, key) = (dir.join("incident.zip"), dir.join("keys").join("evidence.pub"));
    bundle::save(&stage.person, incident, &[], &file).await?;
    let pem = std::fs::read_to_string(&key)?;
    let brought = Brought { keys: &[&pem], ..Brought::default() };
    let verified = verify::prove(std::fs::File::open(&file)?, &brought)?;
    println!("\nexport:  {} export {incident} -o {}", program(), file.display());
    println!("verify:  {} verify {} --key {}", program(), file.display(), key.display());
    println!(
        "whole: {} records, {} items, {} files, signed by this installation",
        verified.records, verified.items, verified.files
    );
    Ok(())
}

/// Takes it all back.
async fn undo(teller: &mut Teller<'_>, run: &str) -> anyhow::Result<()> {
    heading("And back");
    println!("undo:    {} undo {run} --reason \"it was a drill\"", program());
    if !teller.approves {
        println!("Undo it, or end here with Ctrl-C.");
    }
    let id = if teller.approves {
        let body = json!({"reason": "it was a drill"});
        let started = teller.stage.person.post(&format!("/runs/{run}/undo"), &body).await?;
        output::text(&started["id"])
    } else {
        wait_for_undo(teller.stage, teller.incident).await?
    };
    let ended = teller.follow(&id, "benign_positive").await?;
    if ended["status"] != "succeeded" {
        bail!("{id} ended as {}: {}", ended["status"], ended["error"]);
    }
    let after = teller.stage.person.get(&format!("/incidents/{}", teller.incident), &[]).await?;
    let (incident, status) = (teller.incident, output::text(&after["status"]));
    if ended["result"] == "approved" {
        println!("\n{incident} is {status} again: what was changed is changed back");
    } else {
        println!("\n{incident} is still {status}: nothing was taken back");
    }
    println!("AWS was called {} times", teller.stage.aws.calls().len());
    Ok(())
}

async fn wait_for_undo(stage: &Stage, incident: &str) -> anyhow::Result<String> {
    let world = system::world();
    loop {
        let found = stage.person.get(&format!("/incidents/{incident}"), &[]).await?;
        let runs = found["runs"].as_array().into_iter().flatten();
        if let Some(run) = runs.into_iter().find(|run| run["playbook"] == "undo") {
            return Ok(output::text(&run["id"]));
        }
        world.clock.sleep_until(world.now().plus_ms(LOOK_MS)).await;
    }
}
