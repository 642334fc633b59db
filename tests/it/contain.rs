//! Every function of `lib/contain`, through the whole engine against moto: it contains, which is
//! seen from outside; it is taken back; and where AWS accepts it and nothing comes of it, nothing is
//! called contained. A row of `contain/rows.json` each.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use stanch_engine_cli::config::Account;
use stanch_engine_core::effect::Mode;
use stanch_engine_core::probe::search;
use stanch_engine_core::time::Timestamp;
use stanch_plugins_aws::sandbox::Sandbox;
use stanch_tests::moto::Moto;

use crate::deaf::{Deaf, Forgotten};
use crate::stage::{Plan, Stage, id};

/// The account that moto plays.
const ACCOUNT: &str = "123456789012";

const LIBRARY: &str = include_str!("../../playbooks/lib/contain.rhai");

/// Contains by AWS's own runbook, which moto does not have: `effectiveness.rs` has its tests.
const BY_RUNBOOK: &str = "ec2_instance";

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    /// The function of the library.
    function: String,
    /// The plan, in Rhai; the kept names are `inputs`.
    plan: String,
    /// What must be there first.
    setup: Vec<Call>,
    /// How the effect is seen past Stanch, and what of the answer.
    look: Call,
    see: String,
    /// What is seen when it is contained: a value, or an error's code.
    contained: Value,
    /// Whether nothing undoes it.
    #[serde(default, rename = "final")]
    is_final: bool,
    /// The operations that are to be accepted and forgotten.
    forgets: BTreeMap<String, Forgotten>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    call: String,
    params: Value,
    /// Names for parts of the answer: `$NAME` in what follows.
    #[serde(default)]
    keep: BTreeMap<String, String>,
}

fn rows() -> Vec<Row> {
    serde_json::from_str(include_str!("contain/rows.json")).unwrap()
}

type Names = BTreeMap<String, String>;

/// A value with its names filled in.
fn filled(value: &Value, names: &Names) -> Value {
    let mut text = value.to_string();
    for (name, value) in names.iter().rev() {
        text = text.replace(&format!("${name}"), value);
    }
    serde_json::from_str(&text).unwrap()
}

struct Ground {
    moto: Moto,
    deaf: Deaf,
    stage: Stage,
}

impl Ground {
    async fn set() -> Self {
        let moto = Moto::start().await;
        let deaf = Deaf::before(moto.url(), ACCOUNT).await;
        let mut plan = Plan::new().manual();
        plan.ships = false;
        plan.aws_url = Some(deaf.url.clone());
        plan.config.accounts.insert(ACCOUNT.to_owned(), Account::of_mode(Mode::Ask));
        let stage = plan.set().await;
        stage.call(ACCOUNT, "sns:CreateTopic", json!({"Name": "stanch-pages"})).await;
        Self { moto, deaf, stage }
    }

    async fn set_up(&self, row: &Row) -> Names {
        let mut names = Names::new();
        for Call { call, params, keep } in &row.setup {
            let answer = self.stage.call(ACCOUNT, call, filled(params, &names)).await;
            for (name, expression) in keep {
                let value = search(expression, &answer).unwrap();
                names.insert(name.clone(), id(&value));
            }
        }
        names
    }

    /// What is seen of the row's subject, past Stanch.
    async fn look(&self, row: &Row, names: &Names) -> Value {
        let params = filled(&row.look.params, names);
        match self.stage.try_call(ACCOUNT, &row.look.call, params).await {
            Ok(answer) => search(&row.see, &answer).unwrap(),
            Err(error) if error.code.starts_with("http_") => panic!("{error}\n{}", self.moto.log()),
            Err(error) => json!(error.code),
        }
    }

    /// Runs the row's plan to its end, and gives the run.
    async fn run(&self, row: &Row, names: &Names) -> Value {
        let name = row.function.replace('_', "-");
        let text = format!(
            "const PLAYBOOK = #{{ name: \"{name}\", title: \"A row\", mode: \"ask\" }};\n\
             import \"lib/contain\" as contain;\n\
             let cut = plan({});\n\
             if approval(\"Do it?\", #{{ plan: cut }}).outcome == \"approved\" {{ execute(cut); }}",
            row.plan
        );
        self.stage.publish(&text).await;
        let finding = Sandbox::demo_finding(Timestamp::parse("2026-11-24T03:00:00Z").unwrap());
        let finding = finding.to_string().replace(crate::stage::ACCOUNT, ACCOUNT);
        let finding: Value = serde_json::from_str(&finding).unwrap();
        let body = json!({"playbook": name, "alert": finding, "inputs": names});
        let run = id(&self.stage.mia.post("/runs", &body).await["id"]);
        self.stage.approve(&run).await;
        self.stage.over_in_time(&run, 500).await
    }

    async fn incident(&self, run: &Value) -> Value {
        self.stage.incident(run).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_containment_is_effective_and_is_taken_back() {
    let ground = Ground::set().await;
    for row in rows() {
        let what = &row.function;
        let names = ground.set_up(&row).await;
        let before = ground.look(&row, &names).await;
        let contained = filled(&row.contained, &names);
        assert_ne!(before, contained, "{what}");
        let ended = ground.run(&row, &names).await;
        assert_eq!(ended["status"], "succeeded", "{what}: {ended}\n{}", ground.moto.log());
        assert_eq!(ground.look(&row, &names).await, contained, "{what}");
        assert_eq!(ground.incident(&ended).await["status"], "contained", "{what}");

        let path = format!("/runs/{}/undo", id(&ended["id"]));
        let reason = json!({"reason": "a drill"});
        if row.is_final {
            let journal = Value::from(ground.stage.journal(&id(&ended["id"])).await).to_string();
            assert!(journal.contains("FINAL: "), "{what}: it is said before anybody approves");
            continue;
        }
        let undo = id(&ground.stage.mia.post(&path, &reason).await["id"]);
        ground.stage.approve(&undo).await;
        let undone = ground.stage.over_in_time(&undo, 500).await;
        assert_eq!(undone["status"], "succeeded", "{what}: {undone}");
        assert_eq!(ground.look(&row, &names).await, before, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_accepted_and_not_effective_is_not_called_contained() {
    let ground = Ground::set().await;
    for row in rows() {
        let what = &row.function;
        ground.deaf.forget(&BTreeMap::new());
        let names = ground.set_up(&row).await;
        let before = ground.look(&row, &names).await;
        ground.deaf.forget(&row.forgets);
        let ended = ground.run(&row, &names).await;
        assert_eq!(ended["error"]["code"], "unverified", "{what}: {ended}");
        let message = ended["error"]["message"].as_str().unwrap();
        assert!(message.contains("NOT EFFECTIVE"), "{what}: {message}");
        assert_eq!(ground.look(&row, &names).await, before, "{what}");
        assert_eq!(ground.incident(&ended).await["status"], "open", "{what}");
    }
}

#[test]
fn every_function_of_the_library_has_a_row() {
    let mut lines = LIBRARY.lines().peekable();
    let mut public = BTreeSet::new();
    while let Some(line) = lines.next() {
        let next = lines.peek().and_then(|next| next.strip_prefix("fn "));
        if line.starts_with("///")
            && let Some(function) = next
        {
            public.insert(function.split('(').next().unwrap().to_owned());
        }
    }
    let mut tested: BTreeSet<String> = rows().into_iter().map(|row| row.function).collect();
    tested.insert(BY_RUNBOOK.to_owned());
    assert_eq!(public, tested);
}
