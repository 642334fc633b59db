//! Changes as data, and what `execute` makes of them.

use serde_json::{Value, json};
use stanch_engine_core::command::{
    ApprovalArgs, ChangeArgs, Command, ExecuteArgs, ItemOutcome, Verb,
};
use stanch_engine_script::Standing;

use crate::play::Play;

const PLAN: &str = r#"
    fn cut(id) {
        change("iam:UpdateAccessKey", #{ AccessKeyId: id, Status: "Inactive" }, #{
            probe: probe("iam:ListAccessKeys", #{}, "x", #{ within: "10s", every: "5s" }),
            inverse: change("iam:UpdateAccessKey", #{ AccessKeyId: id, Status: "Active" }),
        })
    }
    let p = plan([cut("AKIA1"), cut("AKIA2")]);
"#;

/// Answers of a world in which `passes` says what each look sees.
fn world(command: &Command, passes: &mut dyn FnMut() -> bool, looks: &mut i64) -> Value {
    match command.verb {
        Verb::Probe => {
            *looks += 1;
            let at = stanch_engine_core::time::Timestamp::from_micros(*looks * 5_000_000);
            json!({"passes": passes(), "value": null, "at": at})
        }
        Verb::Verify => {
            let args: ExecuteArgs = command.args.read().unwrap();
            json!({"outcomes": args.outcomes})
        }
        Verb::Approval => json!({"outcome": "approved"}),
        _ => json!({}),
    }
}

fn outcomes(script: &str, mut passes: impl FnMut() -> bool) -> (Play, Value) {
    let mut looks = 0;
    let play = Play::start(script).finish(|c| world(c, &mut passes, &mut looks));
    let result = play.result();
    play.check_every_prefix();
    (play, result)
}

#[test]
fn every_change_is_made_and_then_every_probe_is_looked_at() {
    let (play, result) = outcomes(&format!("{PLAN} execute(p).outcomes"), || true);
    assert_eq!(result, json!(["effective", "effective"]));
    let verbs: Vec<_> = play.asked.iter().map(|a| a.split(' ').nth(1).unwrap()).collect();
    assert_eq!(verbs, ["execute", "change", "change", "probe", "probe", "verify"]);
}

#[test]
fn a_probe_that_never_passes_is_not_effective() {
    let (play, result) = outcomes(&format!("{PLAN} execute(p).outcomes"), || false);
    assert_eq!(result, json!(["not_effective", "not_effective"]));
    assert_eq!(play.asked.iter().filter(|a| a.contains("probe")).count(), 6);
}

#[test]
fn a_probe_that_passes_late_is_effective() {
    let mut looks = 0;
    let (_, result) = outcomes(&format!("{PLAN} execute(p).outcomes"), || {
        looks += 1;
        looks > 1
    });
    assert_eq!(result, json!(["effective", "effective"]));
}

#[test]
fn the_first_change_that_fails_leaves_the_rest_alone_and_what_was_made_is_probed() {
    let mut play = Play::start(&format!(
        "{PLAN} let r = (); try {{ execute(p) }} catch (e) {{ r = e.code; }} r"
    ));
    let mut asked = Vec::new();
    let mut looks = 0;
    while let Some((key, command)) = play.open.pop_first() {
        asked.push(command.clone());
        play.open.insert(key.clone(), command.clone());
        let second =
            command.verb == Verb::Change && command.args.read::<ChangeArgs>().unwrap().item == 1;
        if second {
            play.fail(&key.0, "AccessDenied");
        } else {
            play.answer(&key.0, world(&command, &mut || true, &mut looks));
        }
    }
    assert_eq!(play.result(), json!("AccessDenied"));
    let verify = asked.iter().find(|c| c.verb == Verb::Verify).unwrap();
    let args: ExecuteArgs = verify.args.read().unwrap();
    assert_eq!(args.outcomes, [ItemOutcome::Effective, ItemOutcome::Failed]);
    play.check_every_prefix();
}

#[test]
fn a_change_that_was_only_recorded_is_not_probed() {
    let play = Play::start(&format!("{PLAN} execute(p).outcomes")).finish(|c| match c.verb {
        Verb::Change => json!({"would_call": true}),
        _ => world(c, &mut || true, &mut 0),
    });
    assert_eq!(play.result(), json!(["would_call", "would_call"]));
}

#[test]
fn a_change_without_a_probe_stays_unverified() {
    let script = r#"execute(plan([change("iam:UpdateAccessKey", #{})])).outcomes"#;
    let (_, result) = outcomes(script, || true);
    assert_eq!(result, json!(["unverified"]));
}

/// Two changes of one thing: the first must be seen before the second is made.
const SETTLED: &str = r#"
    let look = || probe("ec2:DescribeNetworkInterfaces", #{}, "x", #{ within: "10s", every: "5s" });
    let p = plan([
        change("ec2:ModifyNetworkInterfaceAttribute", #{ Groups: ["open"] }, #{ settles: true,
            probe: look.call(), inverse: change("a:B", #{}) }),
        change("ec2:ModifyNetworkInterfaceAttribute", #{ Groups: ["closed"] }, #{
            probe: look.call(), inverse: change("a:B", #{}) }),
    ]);
"#;

#[test]
fn what_settles_is_seen_before_the_next_change_and_not_again() {
    let (play, result) = outcomes(&format!("{SETTLED} execute(p).outcomes"), || true);
    assert_eq!(result, json!(["effective", "effective"]));
    let verbs: Vec<_> = play.asked.iter().map(|a| a.split(' ').nth(1).unwrap()).collect();
    assert_eq!(verbs, ["execute", "change", "probe", "change", "probe", "verify"]);
}

#[test]
fn what_does_not_settle_keeps_the_rest_from_being_made() {
    let (play, result) = outcomes(&format!("{SETTLED} execute(p).outcomes"), || false);
    assert_eq!(result, json!(["not_effective", "not_attempted"]));
    assert_eq!(play.asked.iter().filter(|a| a.contains(" change ")).count(), 1);
}

#[test]
fn what_a_change_lacks_is_added_and_what_the_playbook_says_holds() {
    let script = r#"let p = plan([change("iam:UpdateAccessKey", #{ Status: "Inactive" }, #{
        inverse: change("own:Inverse", #{}) })]); p.items[0]"#;
    let play = Play::start(script).finish(|command| {
        assert_eq!(command.verb, Verb::Action);
        let args = command.args.value();
        assert_eq!(args["action"], "aws.prepare");
        assert_eq!(args["input"]["change"]["operation"], "iam:UpdateAccessKey");
        json!({
            "probe": {"operation": "iam:ListAccessKeys", "params": {}, "expression": "x"},
            "inverse": {"operation": "catalogue:Inverse", "params": {}}, "notes": ["n"],
        })
    });
    let item = play.result();
    assert_eq!(item["probe"]["operation"], "iam:ListAccessKeys");
    assert_eq!(item["inverse"]["operation"], "own:Inverse");
    assert_eq!(item["notes"], json!(["n"]));
    play.check_every_prefix();
}

#[test]
fn an_approval_and_an_execution_of_one_plan_name_one_digest() {
    let script = format!("{PLAN} approval(\"ok?\", #{{ plan: p }}); execute(p)");
    let mut digests = Vec::new();
    let mut looks = 0;
    Play::start(&script).finish(|command| {
        match command.verb {
            Verb::Approval => {
                digests.push(
                    command.args.read::<ApprovalArgs>().unwrap().options.plan.unwrap().digest(),
                );
            }
            Verb::Execute => {
                digests.push(command.args.read::<ExecuteArgs>().unwrap().plan.digest())
            }
            Verb::Change => digests.push(command.args.read::<ChangeArgs>().unwrap().plan),
            _ => {}
        }
        world(command, &mut || true, &mut looks)
    });
    assert_eq!(digests.len(), 4);
    assert!(digests.iter().all(|digest| *digest == digests[0]));
}

#[test]
fn a_plan_says_where_it_acts_without_being_told() {
    let play = Play::start(&format!("{PLAN} p.items[0].account + p.items[0].inverse.region"));
    assert_eq!(play.result(), json!("111122223333eu-west-1"));
}

#[test]
fn what_is_wrong_with_a_plan_is_said_before_anybody_is_asked() {
    for (script, what) in [
        ("plan([])", "at least one"),
        ("plan([#{}])", "operation"),
        ("plan([#{ operation: \"a:B\", params: #{}, prob: 1 }])", "prob"),
        ("probe(\"a:B\", #{}, \"[?\")", "JMESPath"),
        ("probe(\"a:B\", #{}, \"`true`\")", "empty answer"),
        (
            "plan([#{ operation: \"a:B\", params: #{}, probe: #{ operation: \"a:C\", params: #{}, \
             expression: \"x == null\" } }])",
            "empty answer",
        ),
        ("change(\"a:B\", #{}, #{ probe: 3 })", "Probe"),
    ] {
        let play = Play::start(script);
        assert!(play.error().1.contains(what), "{script}: {:?}", play.error());
        assert!(play.asked.is_empty());
    }
}

#[test]
fn gate_and_verdict_take_an_empty_form() {
    let script = r#"let gate = approval("x", #{ form: "verdict" });
        switch gate.outcome { "approved" => 1, "rejected" => verdict(gate.form.verdict, gate.reason), "expired" => 2 }"#;
    let play = Play::start(script)
        .finish(|_| json!({"outcome": "rejected", "reason": "no", "form": {"verdict": null}}));
    assert!(matches!(play.standing, Standing::Finished(_)));
}
