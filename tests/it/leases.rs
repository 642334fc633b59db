//! Containments against a small oracle: random sequences of what people say of them, of what is taken
//! back and stands again, of time, of owners who leave and of nodes that go. A failure names its seed;
//! `STANCH_TEST_SEED=N` plays that one alone, `STANCH_TEST_SEQUENCES=N` so many.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use stanch_engine_core::effect::Mode;
use stanch_engine_core::time::Timestamp;
use stanch_tests::chance::Chance;
use stanch_tests::eventually;

use crate::stage::{ACCOUNT, Plan, Stage, id};

const HOUR_MS: i64 = 3_600_000;

/// How long a containment stands before it is asked about, and how long until it is again.
const STANDS_MS: i64 = 72 * HOUR_MS;
const AGAIN_MS: i64 = 24 * HOUR_MS;

const STEPS: u32 = 60;
const CONTAINMENTS: usize = 4;
const PEOPLE: [&str; 4] = ["ann", "bob", "cat", "dan"];
const ANYBODY: &str = "role:responder";

const CUTS: &str = r#"
const PLAYBOOK = #{ name: "cuts", title: "Cuts", mode: "auto",
    inputs: #{ user: "string", key: "string" } };
execute(plan([change("iam:UpdateAccessKey",
    #{ UserName: inputs.user, AccessKeyId: inputs.key, Status: "Inactive" })]));
"#;

/// What should stand in the database.
#[derive(Debug)]
struct Lease {
    id: String,
    run: String,
    status: &'static str,
    owner: String,
    expires_at: Timestamp,
    ask_at: Timestamp,
    asked: u64,
    /// Whether a page asks, and nobody has answered.
    is_asking: bool,
    /// The run that took it back.
    undone_by: Option<String>,
}

struct Model {
    stage: Stage,
    chance: Chance,
    leases: Vec<Lease>,
    gone: BTreeSet<&'static str>,
    /// How often something was changed in AWS.
    changes: usize,
}

impl Model {
    async fn new(plan: Plan, seed: u64) -> Self {
        let stage = plan.mode(Mode::Auto).manual().set().await;
        stage.publish(CUTS).await;
        for name in PEOPLE {
            stage.person(name, &["viewer"]).await;
        }
        let mut model = Self {
            stage,
            chance: Chance::of(seed),
            leases: Vec::new(),
            gone: BTreeSet::new(),
            changes: 0,
        };
        for number in 0..CONTAINMENTS {
            model.contain(number).await;
        }
        model.changes = model.stage.changes().len();
        model
    }

    /// Has a key of its own cut off.
    async fn contain(&mut self, number: usize) {
        let stage = &self.stage;
        let user = format!("bot-{number}");
        let name = json!({"UserName": user});
        stage.call(ACCOUNT, "iam:CreateUser", name.clone()).await;
        let made = stage.call(ACCOUNT, "iam:CreateAccessKey", name).await;
        let inputs = json!({"user": user, "key": made["AccessKey"]["AccessKeyId"]});
        let run = stage.start_for_finding_with("cuts", inputs).await;
        let ended = stage.over_in_time(&run, 100).await;
        assert_eq!(ended["status"], "succeeded", "{ended}");
        let all = stage.mia.list("/containments").await;
        let it = all.into_iter().find(|it| it["run_id"] == *run).unwrap();
        let expires_at = time(&it["expires_at"]);
        self.leases.push(Lease {
            id: id(&it["id"]),
            run,
            status: "open",
            owner: ANYBODY.to_owned(),
            expires_at,
            ask_at: expires_at,
            asked: 0,
            is_asking: false,
            undone_by: None,
        });
    }

    fn now(&self) -> Timestamp {
        self.stage.runtime.world().now()
    }

    async fn step(&mut self) {
        let (what, which) = (self.chance.below(20), self.chance.below(CONTAINMENTS));
        println!("{what} of {which} at {}", self.now());
        match what {
            0..=3 => self.extend(which).await,
            4 => self.finalize(which).await,
            5..=8 => self.hand_over(which).await,
            9..=11 => self.take_back(which).await,
            12 if self.chance.once_in(2) => self.disable().await,
            13 if self.chance.once_in(2) => self.stage.restart().await,
            _ => {
                let hours = 1 + self.chance.below(40);
                self.stage.pass(i64::try_from(hours).unwrap() * HOUR_MS);
            }
        }
        self.ask();
        self.is_as_foretold().await;
    }

    /// Says something of a containment; what is answered.
    async fn say(&self, which: usize, verb: &str, body: Value) -> u16 {
        let path = format!("/containments/{}/{verb}", self.leases[which].id);
        let said = self.stage.mia.try_ask(reqwest::Method::POST, &path, Some(&body)).await;
        said.unwrap().0
    }

    async fn extend(&mut self, which: usize) {
        let days = i64::try_from(self.chance.below(100)).unwrap() - 2;
        let until = self.now().plus_ms(days * 24 * HOUR_MS);
        let said = self.say(which, "extend", json!({"until": until, "reason": "r"})).await;
        let lease = &mut self.leases[which];
        if !(1..=90).contains(&days) {
            assert_eq!(said, 400);
        } else if lease.status == "open" {
            assert_eq!(said, 200);
            (lease.expires_at, lease.ask_at, lease.is_asking) = (until, until, false);
        } else {
            assert_eq!(said, 409);
        }
    }

    async fn finalize(&mut self, which: usize) {
        let said = self.say(which, "finalize", json!({"reason": "r"})).await;
        let lease = &mut self.leases[which];
        assert_eq!(said, if lease.status == "open" { 200 } else { 409 });
        if lease.status == "open" {
            (lease.status, lease.is_asking) = ("final", false);
        }
    }

    async fn hand_over(&mut self, which: usize) {
        let to = ["ann", "bob", "cat", "dan", "role:night", "zed"][self.chance.below(6)];
        let said = self.say(which, "handover", json!({"to": to, "reason": "r"})).await;
        let is_there = to != "zed" && !self.gone.contains(to);
        let lease = &mut self.leases[which];
        match (lease.status, is_there) {
            ("open", true) => {
                assert_eq!(said, 200);
                (lease.owner, lease.is_asking) = (to.to_owned(), false);
            }
            ("open", false) => assert_eq!(said, 400),
            _ => assert_eq!(said, 409),
        }
    }

    /// Has it taken back, or what took it back. That takes a while: not just before somebody is asked.
    async fn take_back(&mut self, which: usize) {
        let soon = self.now().plus_ms(HOUR_MS);
        if self.leases.iter().any(|lease| lease.status == "open" && lease.ask_at <= soon) {
            return;
        }
        let lease = &self.leases[which];
        let target = match (lease.status, &lease.undone_by) {
            ("open", _) => lease.run.clone(),
            ("undone", Some(undo)) => undo.clone(),
            _ => return,
        };
        let begun = self.now();
        let path = format!("/runs/{target}/undo");
        let undo = id(&self.stage.mia.post(&path, &json!({"reason": "r"})).await["id"]);
        self.stage.approve(&undo).await;
        let ended = self.stage.over_in_time(&undo, 100).await;
        assert_eq!(ended["status"], "succeeded", "{ended}");
        assert!(self.now() < soon, "that took longer than it may");
        self.changes += 1;
        let shown = self.stage.mia.get(&format!("/containments/{}", self.leases[which].id)).await;
        let again = (begun.plus_ms(STANDS_MS), self.now().plus_ms(STANDS_MS));
        let lease = &mut self.leases[which];
        if lease.status == "open" {
            (lease.status, lease.is_asking, lease.undone_by) = ("undone", false, Some(undo));
            assert_eq!(shown["undone_by"], json!(lease.undone_by), "{shown}");
        } else {
            let expires_at = time(&shown["expires_at"]);
            assert!(again.0 <= expires_at && expires_at <= again.1, "{shown}");
            (lease.status, lease.undone_by) = ("open", None);
            (lease.expires_at, lease.ask_at) = (expires_at, expires_at);
        }
    }

    /// Somebody leaves: nothing of theirs is nobody's.
    async fn disable(&mut self) {
        let who = PEOPLE[self.chance.below(PEOPLE.len())];
        let path = format!("/people/{who}/disable");
        let body = json!({"reason": "r"});
        let said = self.stage.admin.try_ask(reqwest::Method::POST, &path, Some(&body)).await;
        let (status, answer) = said.unwrap();
        assert_eq!(status, if self.gone.insert(who) { 200 } else { 409 }, "{answer}");
        if status == 409 {
            return;
        }
        let theirs = |lease: &&mut Lease| lease.status != "final" && lease.owner == who;
        let mut handed_over = Vec::new();
        for lease in self.leases.iter_mut().filter(theirs) {
            ANYBODY.clone_into(&mut lease.owner);
            handed_over.push(lease.id.clone());
        }
        handed_over.sort();
        assert_eq!(answer["containments_handed_over"], json!(handed_over));
    }

    /// Whose time is over is asked about, once until a day later, and nothing else becomes of it.
    fn ask(&mut self) {
        let now = self.now();
        for lease in &mut self.leases {
            if lease.status == "open" && lease.ask_at <= now {
                lease.asked += 1;
                lease.is_asking = true;
                lease.ask_at = now.plus_ms(AGAIN_MS);
            }
        }
    }

    async fn is_as_foretold(&self) {
        let mia = &self.stage.mia;
        for lease in &self.leases {
            let path = format!("/containments/{}", lease.id);
            let shown =
                eventually(&format!("{} asked {} times", lease.id, lease.asked), async || {
                    Some(mia.get(&path).await).filter(|it| it["asked"] == lease.asked)
                })
                .await;
            let said = ["status", "owner", "expires_at"].map(|name| shown[name].clone());
            let foretold = json!([lease.status, lease.owner, lease.expires_at]);
            assert_eq!(json!(said), foretold, "{lease:?}");
        }
        let asking = self.leases.iter().filter(|lease| lease.is_asking).count();
        let open = mia.list("/pages?status=open").await;
        let asks = open.iter().filter(|page| page["code"] == "containment").count();
        assert_eq!(asks, asking, "{open:?}");
        assert_eq!(self.stage.changes().len(), self.changes, "nothing is taken back by itself");
    }
}

fn time(value: &Value) -> Timestamp {
    Timestamp::parse(value.as_str().unwrap()).unwrap()
}

async fn play(plan: Plan, seed: u64) {
    println!("STANCH_TEST_SEED={seed}");
    let mut model = Model::new(plan, seed).await;
    for _ in 0..STEPS {
        model.step().await;
    }
    let asked: u64 = model.leases.iter().map(|lease| lease.asked).sum();
    assert!(asked > 0, "a test in which nobody is asked shows nothing");
}

fn seeds() -> std::ops::Range<u64> {
    let number =
        |name| stanch_tests::variable_if_set(name).map(|text| text.parse::<u64>().unwrap());
    match number("STANCH_TEST_SEED") {
        Some(seed) => seed..seed + 1,
        None => 1..number("STANCH_TEST_SEQUENCES").unwrap_or(1) + 1,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_said_and_done_a_containment_stands_as_the_oracle_says_on_sqlite() {
    for seed in seeds() {
        Box::pin(play(Plan::new(), seed)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_said_and_done_a_containment_stands_as_the_oracle_says_on_postgres() {
    for seed in seeds() {
        Box::pin(play(Plan::new().on_postgres().await, seed)).await;
    }
}
