//! KPIs that people are told by themselves.

use stanch_engine_cli::config::Digest;
use stanch_engine_core::schedule::Zone;

use crate::stage::{Plan, Stage, run_of};

/// From Tuesday, 24 November 2026, 03:00 UTC on.
async fn stage(monthly: bool) -> Stage {
    stage_in(monthly, "UTC").await
}

async fn stage_in(monthly: bool, zone: &str) -> Stage {
    let mut plan = Plan::new().manual();
    let to = "role:incident-lead".to_owned();
    let zone = Zone::parse(zone).unwrap();
    plan.config.kpis.digest = Some(Digest { to, weekly: true, monthly, hour: 8, zone });
    plan.set().await
}

/// Lets hours pass, one after the other.
async fn pass_hours(stage: &Stage, hours: i64) {
    for _ in 0..hours {
        stage.pass(3_600_000);
        stage.mia.get("/halt").await;
    }
}

fn digests(stage: &Stage, of: &str) -> Vec<String> {
    let told = stage.paged().into_iter();
    told.filter(|message| message.contains(&format!("KPIs of a {of}"))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_told_the_kpis_of_each_week_once() {
    let mut stage = stage(false).await;
    let run = run_of(&stage.find_key().await);
    stage.approve(&run).await;
    stage.over_in_time(&run, 1_000).await;
    // The week that it began in was not whole, and Monday has not come.
    pass_hours(&stage, 24).await;
    assert!(digests(&stage, "week").is_empty());
    // Until Monday, 30 November, 08:00 UTC and a little more.
    pass_hours(&stage, 5 * 24 + 6).await;
    let told = stage.page_that_says("KPIs of a week").await;
    for words in ["role:incident-lead", "1 incidents of 1 alerts", "Time to contain: half within"] {
        assert!(told.contains(words), "{words}: {told}");
    }
    // Not again, also after a restart; and again in the week after.
    pass_hours(&stage, 3).await;
    stage.restart().await;
    pass_hours(&stage, 3).await;
    assert_eq!(digests(&stage, "week").len(), 1);
    pass_hours(&stage, 7 * 24).await;
    let second = async || (digests(&stage, "week").len() == 2).then_some(());
    stanch_tests::eventually("the second week", second).await;
    assert!(digests(&stage, "week")[1].contains("0 incidents of 0 alerts"));
    assert!(digests(&stage, "month").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_told_the_kpis_of_each_month_on_its_first() {
    let stage = stage(true).await;
    pass_hours(&stage, 6 * 24).await;
    assert!(digests(&stage, "month").is_empty());
    pass_hours(&stage, 32).await;
    let told = stage.page_that_says("KPIs of a month").await;
    assert!(told.contains("2026-11-01T00:00:00Z to 2026-12-01T00:00:00Z"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_began_since_midnight_is_told_with_its_own_week() {
    let stage = stage(false).await;
    // Until Monday, 30 November, 05:00 UTC.
    pass_hours(&stage, 6 * 24 + 2).await;
    stage.find_key().await;
    pass_hours(&stage, 4).await;
    let told = stage.page_that_says("KPIs of a week").await;
    for words in [
        "2026-11-23T00:00:00Z to 2026-11-30T00:00:00Z",
        "0 incidents of 0 alerts",
        "/v1/kpis?window=7d",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    pass_hours(&stage, 7 * 24).await;
    let second = async || digests(&stage, "week").get(1).cloned();
    let told = stanch_tests::eventually("the second week", second).await;
    for words in ["2026-11-30T00:00:00Z to 2026-12-07T00:00:00Z", "1 incidents of 1 alerts"] {
        assert!(told.contains(words), "{words}: {told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn weeks_begin_where_people_are() {
    let stage = stage_in(false, "America/New_York").await;
    // Monday, 03:00 UTC: there it is Sunday.
    pass_hours(&stage, 6 * 24).await;
    stage.find_key().await;
    // 12:00 UTC, which is 7 o'clock, and then 9.
    pass_hours(&stage, 9).await;
    assert!(digests(&stage, "week").is_empty());
    pass_hours(&stage, 2).await;
    let told = stage.page_that_says("KPIs of a week").await;
    for words in ["2026-11-23T05:00:00Z to 2026-11-30T05:00:00Z", "1 incidents of 1 alerts"] {
        assert!(told.contains(words), "{words}: {told}");
    }
}
