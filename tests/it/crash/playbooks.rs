//! The playbooks of a plot.

use std::path::Path;

use stanch_engine_core::effect::Mode;
use stanch_engine_runtime::{Runtime, playbooks};

use super::story::Plot;
use crate::stage::{Plan, publish_shipped};

/// Does several things at once, of items, by a child and at its end, and all of it twice.
const BRANCHES: &str = r#"
const PLAYBOOK = #{ name: "branches", title: "Branches", mode: "auto", subject: "AwsIamAccessKey",
    triggers: [#{ source: "guardduty", type: "*" }] };
let round = if "round" in inputs { inputs.round } else { 0 };
let key = subject();
defer(|end| {
    aws("iam:TagUser", #{ UserName: "ci-deploy", Tags: [#{ Key: `ended-${round}`, Value: end.status }] });
});
parallel([
    || aws("iam:GetUser", #{ UserName: "ci-deploy" }).User.UserName,
    || { aws("iam:TagUser", #{ UserName: "ci-deploy", Tags: [#{ Key: "branch", Value: `${round}` }] }); 1 },
]);
each(["a", "b", "c"], #{ max_concurrency: 2 }, |item| {
    aws("iam:TagUser", #{ UserName: "ci-deploy", Tags: [#{ Key: item, Value: `${round}` }] });
    item
});
sleep("1s");
run_playbook("branches-child", #{ key: key.id, round: round });
if round == 0 { continue_as_new(#{ round: 1 }); }
"done"
"#;

const CHILD: &str = r#"
const PLAYBOOK = #{ name: "branches-child", title: "A child", mode: "auto",
    inputs: #{ key: "string", round: "integer" } };
let status = if inputs.round == 0 { "Inactive" } else { "Active" };
execute(plan([change("iam:UpdateAccessKey",
    #{ UserName: "ci-deploy", AccessKeyId: inputs.key, Status: status })]));
"#;

/// Ticks three times a minute.
const SWEEP: &str = r#"
const PLAYBOOK = #{ name: "sweep", title: "A sweep", mode: "observe",
    schedules: [#{ name: "often", cron: "*/20 * * * * *", overlap: "allow_all", catch_up: "24h" }] };
schedule.tick_at
"#;

/// How the node of a plot is set up.
pub(super) fn plan(plot: Plot) -> Plan {
    match plot {
        Plot::Branches => Plan::new().mode(Mode::Auto),
        _ => Plan::new(),
    }
}

/// Publishes what a plot needs.
pub(super) async fn publish(runtime: &Runtime, plot: Plot) {
    let texts: &[(&str, &str)] = match plot {
        Plot::Key | Plot::Instance => return publish_shipped(runtime).await,
        Plot::Branches => &[("branches", BRANCHES), ("branches-child", CHILD)],
        Plot::Clock => &[("sweep", SWEEP)],
    };
    for (name, text) in texts {
        let bundle = playbooks::gather(text, Path::new(".")).unwrap();
        playbooks::publish(runtime, bundle, "test", name).await.unwrap();
    }
}
