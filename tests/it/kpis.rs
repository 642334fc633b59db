//! KPIs on both databases: three computations of the same incidents agree, whatever happens to
//! these; figures lead to their incidents; targets that are missed page.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use stanch_engine_core::id::IncidentId;
use stanch_engine_core::incident::{IncidentStatus, Milestone, Verdict};
use stanch_engine_core::kpi::Dimension;
use stanch_engine_core::limits;
use stanch_engine_core::severity::Severity;
use stanch_engine_core::span::Span;
use stanch_engine_core::time::Timestamp;
use stanch_engine_runtime::kpis::{self, Figures, Filter, Question};
use stanch_engine_store::incidents::Incident;
use stanch_engine_store::kpis::plain;
use stanch_engine_store::{StoreError, Tx, incidents, milestones};
use stanch_tests::eventually;

use crate::stage::{Plan, Stage, id};

/// Numbers that follow from a seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: i64) -> i64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from(self.0 >> 33).unwrap() % sides
    }
}

const DAY_MS: i64 = 86_400_000;

fn severity(dice: &mut Dice) -> Severity {
    Severity::ALL[usize::try_from(dice.roll(5)).unwrap()]
}

/// An incident of the last 40 days, with some of its milestones, some of which make no sense.
async fn some_incident(
    tx: &mut Tx<'_>,
    number: u128,
    now: Timestamp,
    dice: &mut Dice,
) -> Result<(), StoreError> {
    let opened_at = now.plus_ms(-dice.roll(40 * DAY_MS) - 3_600_000);
    let incident = Incident {
        id: IncidentId::new(opened_at, number),
        title: "some".into(),
        status: IncidentStatus::Open,
        severity: severity(dice),
        account: (dice.roll(4) > 0).then(|| format!("{:012}", dice.roll(3))),
        is_sample: dice.roll(10) == 0,
        phase: None,
        verdict: None,
        verdict_reason: None,
        acknowledged_by: None,
        opened_at,
        last_alert_at: opened_at,
        merged_into: None,
        split_from: None,
        part_of: None,
    };
    incidents::insert(tx, &incident).await?;
    for milestone in [
        Milestone::OccurredAt,
        Milestone::DetectedAt,
        Milestone::ReceivedAt,
        Milestone::AcknowledgedAt,
        Milestone::ContainedAt,
    ] {
        if dice.roll(5) > 0 {
            let at = opened_at.plus_ms(dice.roll(3_000_000) - 600_000);
            milestones::mark(tx, incident.id, milestone, at, "dice").await?;
        }
    }
    if dice.roll(3) > 0 {
        incidents::taken_up(
            tx,
            incident.id,
            ["mia", "ben"][usize::try_from(dice.roll(2)).unwrap()],
        )
        .await?;
    }
    Ok(())
}

async fn write<T: Send + 'static>(
    stage: &Stage,
    body: impl for<'a> Fn(&'a mut Tx<'_>) -> stanch_engine_store::BoxFuture<'a, Result<T, StoreError>>
    + Send
    + 'static,
) -> T {
    stage.runtime.store().write(body).await.unwrap()
}

fn ask(facts: u32, filter: &[(Dimension, &str)], by: Option<Dimension>) -> Question {
    let filter = filter.iter().map(|(dimension, value)| (*dimension, (*value).to_owned()));
    let window = Span::from_ms(30 * DAY_MS);
    Question { window, filter: Filter(filter.collect()), by, facts }
}

/// Everything of the figures that is exact however they were come by.
fn counted(figures: &Figures) -> Value {
    let kpis: Vec<_> = figures
        .kpis
        .iter()
        .map(|figure| {
            let summary = &figure.summary;
            json!([summary.count, summary.mean_ms, summary.open, summary.reasons])
        })
        .collect();
    let shares: Vec<_> = figures.shares.iter().map(|share| (share.part, share.whole)).collect();
    json!([figures.incidents, figures.alerts, kpis, shares])
}

fn percentiles(figures: &Figures) -> Vec<i64> {
    let all = figures.kpis.iter().map(|figure| &figure.summary);
    all.flat_map(|summary| [summary.p50_ms, summary.p90_ms, summary.p95_ms])
        .map(Option::unwrap_or_default)
        .collect()
}

/// The answer of facts, the answer of tallies, and the plain statement over the milestones.
async fn agree(stage: &Stage) {
    let filters: [&[(Dimension, &str)]; 4] = [
        &[],
        &[(Dimension::Severity, "high")],
        &[(Dimension::Account, "000000000001")],
        &[(Dimension::Person, "mia")],
    ];
    for filter in filters {
        let by = filter.is_empty().then_some(Dimension::Severity);
        let exact =
            kpis::report(&stage.runtime, &ask(limits::KPI_FACTS, filter, by)).await.unwrap();
        let rough = kpis::report(&stage.runtime, &ask(0, filter, by)).await.unwrap();
        assert_eq!((exact.figures.precision, rough.figures.precision), ("exact", "1.6%"));
        assert!(exact.figures.incidents > 5 && exact.is_complete, "{filter:?}");
        assert_eq!(counted(&exact.figures), counted(&rough.figures), "{filter:?}");
        for (exact, rough) in
            percentiles(&exact.figures).into_iter().zip(percentiles(&rough.figures))
        {
            assert!((exact - rough).abs() * 64 <= exact, "{rough} is not near {exact}");
        }
        let group = |groups: Option<BTreeMap<String, Figures>>| {
            groups.map(|all| all.iter().map(|(k, v)| (k.clone(), counted(v))).collect::<Vec<_>>())
        };
        assert_eq!(group(exact.groups), group(rough.groups));
        if filter.is_empty() {
            scanned(stage, exact.since, &exact.figures).await;
        }
    }
}

async fn scanned(stage: &Stage, since: Timestamp, figures: &Figures) {
    for (name, from, to) in [
        ("time_to_contain", Milestone::ReceivedAt, Milestone::ContainedAt),
        ("time_to_acknowledge", Milestone::ReceivedAt, Milestone::AcknowledgedAt),
    ] {
        let plain = stage.runtime.store().read(|conn| Box::pin(plain::scan(conn, since, from, to)));
        let plain = plain.await.unwrap();
        let named = |figure: &&kpis::Figure| figure.summary.definition.name == name;
        let summary = &figures.kpis.iter().find(named).unwrap().summary;
        assert!(plain.count > 5, "{plain:?}");
        let figures =
            (summary.count, summary.mean_ms, [summary.p50_ms, summary.p90_ms, summary.p95_ms]);
        assert_eq!((plain.count, plain.mean_ms, plain.percentiles_ms), figures, "{name}");
    }
}

/// Something happens to every third incident: it gets worse, is undone, decided, or made one with another.
async fn life_goes_on(stage: &Stage, ids: &Arc<Vec<IncidentId>>, seed: u64) {
    let ids = ids.clone();
    write(stage, move |tx| {
        let ids = ids.clone();
        Box::pin(async move {
            let mut dice = Dice(seed);
            for id in ids.iter().step_by(3) {
                match dice.roll(5) {
                    0 => incidents::set_severity(tx, *id, severity(&mut dice)).await?,
                    1 => milestones::unmark(tx, *id, Milestone::ContainedAt).await?,
                    2 => incidents::set_verdict(tx, *id, Verdict::FalsePositive, "dice").await?,
                    3 => {
                        let was = incidents::get(tx, *id).await?.unwrap().status;
                        incidents::set_status(tx, *id, was, IncidentStatus::Closed).await?;
                    }
                    _ => incidents::set_merged(tx, *id, ids[0]).await?,
                }
            }
            Ok(())
        })
    })
    .await;
}

async fn three_computations(plan: Plan) {
    let stage = plan.set().await;
    let now = stage.runtime.world().now();
    for seed in 1..=3_u64 {
        write(&stage, move |tx| {
            Box::pin(async move {
                let mut dice = Dice(seed);
                for number in 0..150 {
                    some_incident(tx, u128::from(seed) * 1_000 + number, now, &mut dice).await?;
                }
                Ok(())
            })
        })
        .await;
        agree(&stage).await;
        let store = stage.runtime.store();
        let rows =
            store.read(|conn| Box::pin(incidents::list(conn, None, None, 150))).await.unwrap();
        let ids = Arc::new(rows.iter().map(|row| row.id).collect::<Vec<_>>());
        life_goes_on(&stage, &ids, seed).await;
        agree(&stage).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_computations_agree_on_sqlite() {
    three_computations(Plan::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_computations_agree_on_postgres() {
    three_computations(Plan::new().on_postgres().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_figure_leads_to_its_incidents_and_a_question_that_can_not_be_answered_says_so() {
    let stage = Plan::new().set().await;
    let received = stage.find_key().await;
    let incident = id(&received["incident_id"]);
    let severity = stage.incident(&received).await["severity"].as_str().unwrap().to_owned();
    let report = stage.mia.get(&format!("/kpis?window=7d&severity={severity}&by=handling")).await;
    let contain = |figures: &Value| {
        let kpis = figures["kpis"].as_array().unwrap().clone();
        kpis.into_iter().find(|kpi| kpi["name"] == "time_to_contain").unwrap()
    };
    assert_eq!((&report["incidents"], &report["precision"]), (&json!(1), &json!("exact")));
    let kpi = contain(&report);
    assert_eq!((&kpi["open"], &kpi["count"], &kpi["p50_ms"]), (&json!(1), &json!(0), &Value::Null));
    let url = kpi["incidents_url"].as_str().unwrap().strip_prefix("/v1").unwrap().to_owned();
    assert!(url.contains(&format!("severity={severity}")), "{url}");
    let listed = stage.mia.list(&url).await;
    assert_eq!(
        (listed.len(), &listed[0]["incident"], &listed[0]["state"]),
        (1, &json!(incident), &json!("open"))
    );
    assert!(stage.mia.list(&format!("{url}&state=measured")).await.is_empty());
    let groups = report["groups"].as_object().unwrap();
    assert_eq!(groups.keys().collect::<Vec<_>>(), ["unattended"]);
    let url = contain(&groups["unattended"])["incidents_url"].as_str().unwrap().to_owned();
    assert!(url.contains("handling=unattended"), "{url}");
    assert_eq!(stage.mia.get("/kpis?window=7d&account=999999999999").await["incidents"], 0);

    let weeks = stage.mia.list("/kpis/trend?weeks=4").await;
    assert_eq!((weeks.len(), &weeks[0]["incidents"]), (1, &json!(1)));
    let definitions = stage.mia.list("/kpis/definitions").await;
    assert_eq!(definitions.len(), 24);
    assert!(
        definitions.iter().all(|it| it["formula"].as_str().is_some_and(|text| !text.is_empty()))
    );
    for wrong in [
        "/kpis?window=9000d",
        "/kpis?by=weather",
        "/kpis/mttr/incidents",
        "/kpis?colour=red",
        "/kpis?severity=urgent",
        "/kpis?handling=careful",
    ] {
        let (status, problem) = stage.mia.try_ask(reqwest::Method::GET, wrong, None).await.unwrap();
        assert!((400..=404).contains(&status), "{wrong}: {status} {problem}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_sweep_says_what_is_covered() {
    let stage = Plan::new().set().await;
    let none = stage.mia.get("/kpis").await;
    assert!(none["coverage"]["reason"].as_str().unwrap().contains("`coverage`"), "{none}");
    let sweep = r#"
        const PLAYBOOK = #{ name: "coverage", title: "What the detectors cover" };
        #{ detectors: #{ guardduty: #{ critical: 12, covered: 11 }, broken: #{ critical: 1, covered: 2 } } }
    "#;
    stage.publish(sweep).await;
    let run = stage.start("coverage", json!({})).await;
    assert_eq!(stage.over(&run).await["status"], "succeeded");
    let coverage = stage.mia.get("/kpis").await["coverage"].clone();
    let detectors = coverage["detectors"].as_object().unwrap();
    assert_eq!(detectors.keys().collect::<Vec<_>>(), ["guardduty"], "more than all is no part");
    assert_eq!(
        (&detectors["guardduty"]["part"], &detectors["guardduty"]["whole"]),
        (&json!(11), &json!(12))
    );
    assert_eq!(coverage["run"], json!(run));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_is_missed_pages_once_and_one_that_is_kept_does_not() {
    let mut plan = Plan::new().manual();
    let target = |name: &str, span: Span| (name.to_owned(), span);
    let minutes = |n: i64| Span::from_secs(n * 60);
    let targets =
        [target("time_to_acknowledge", minutes(15)), target("time_to_contain", minutes(60))];
    for severity in Severity::ALL {
        plan.config.targets.insert(severity, targets.clone().into());
    }
    let stage = plan.set().await;
    let received = stage.find_key().await;
    let incident = id(&received["incident_id"]);
    let missed = async || {
        let pages = stage.mia.list("/pages").await;
        let all = pages.iter().filter(|page| page["code"] == "target_missed");
        all.map(|page| page["message"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let kpis = stage.mia.get(&format!("/incidents/{incident}/kpis")).await;
    assert_eq!(kpis["targets_ms"]["time_to_contain"], 3_600_000);
    stage.mia.get("/kpis").await;
    stage.pass(14 * 60_000);
    stage.mia.get("/kpis").await;
    assert!(missed().await.is_empty());
    stage.pass(2 * 60_000);
    eventually("the page", async || (missed().await.len() == 1).then_some(())).await;
    assert!(missed().await[0].contains("time to acknowledge"), "{:?}", missed().await);
    stage.mia.post(&format!("/incidents/{incident}/ack"), &json!({})).await;
    stage.mia.get("/kpis").await;
    stage.pass(50 * 60_000);
    eventually("the second page", async || (missed().await.len() == 2).then_some(())).await;
    stage.pass(300 * 60_000);
    stage.mia.get("/kpis").await;
    assert_eq!(missed().await.len(), 2, "each target pages once");
    let severity = stage.incident(&received).await["severity"].as_str().unwrap().to_owned();
    let report = stage.mia.get("/kpis?window=7d&by=severity").await;
    let kpis = report["groups"][&severity]["kpis"].as_array().unwrap();
    let acknowledge = kpis.iter().find(|kpi| kpi["name"] == "time_to_acknowledge").unwrap();
    assert_eq!(
        (&acknowledge["target_ms"], &acknowledge["within_target"]),
        (&json!(900_000), &json!(0))
    );
}
