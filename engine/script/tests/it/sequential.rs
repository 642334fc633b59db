//! Steps one after the other.

use serde_json::json;

use crate::play::{Play, echo};

#[test]
fn steps_come_one_after_the_other_and_see_each_others_results() {
    let play = Play::start(
        r#"let a = action("t.a", #{ n: 1 });
           let b = action("t.b", #{ n: a.n + 1 });
           [a.n, b.n]"#,
    )
    .finish(echo);
    assert_eq!(play.result(), json!([1, 2]));
    assert_eq!(play.asked, ["1 t.a", "2 t.b"]);
    play.check_every_prefix();
}

#[test]
fn a_failed_step_throws_what_a_playbook_can_catch() {
    let mut play = Play::start(
        r#"let r = "no"; try { action("t.a", #{}); } catch (e) { r = `${e.kind} ${e.code} ${e.step}`; } r"#,
    );
    play.fail("1", "NoSuchEntity");
    assert_eq!(play.result(), json!("permanent NoSuchEntity 1"));
    play.check_every_prefix();
}

#[test]
fn an_error_that_nothing_catches_fails_the_run_at_its_place() {
    let mut play = Play::start("\nlet x = 1;\n  action(\"t.a\", #{});");
    play.fail("1", "AccessDenied");
    assert_eq!(play.error(), ("AccessDenied".into(), "m".into()));
}

#[test]
fn an_error_may_come_back_as_a_value() {
    let mut play = Play::start(r#"aws("iam:GetUser", #{}, #{ on_error: "return" }).error.code"#);
    play.fail("1", "NoSuchEntity");
    assert_eq!(play.result(), json!("NoSuchEntity"));
}

#[test]
fn facts_are_written_down_and_wait_for_nothing() {
    let play = Play::start(
        r#"phase("triage"); log("hello"); let t = now(); let u = uuid(); verdict("true_positive", "seen");
           [type_of(t), u.len(), subject().id, alert.account]"#,
    );
    assert_eq!(play.result(), json!(["string", 36, "AKIA1", "111122223333"]));
    assert_eq!(play.asked, ["1 phase triage", "2 log hello", "3 now", "5 verdict true_positive"]);
    play.check_every_prefix();
}

#[test]
fn the_time_is_what_the_journal_says_it_was() {
    let mut play = Play::start(r#"let t = now(); action("t.a", #{}); [t, now()]"#);
    play.answer("2", json!(null));
    assert_eq!(play.result(), json!(["1970-01-01T00:00:00Z", "1970-01-01T00:00:03Z"]));
    play.check_every_prefix();
}

#[test]
fn a_side_step_delays_nothing() {
    let play = Play::start(
        r#"collect("trail", "cloudtrail:LookupEvents", #{}, #{ regions: "enabled", since: "24h" });
           action("t.a", #{})"#,
    );
    assert_eq!(play.asked, ["1 collect trail by cloudtrail:LookupEvents", "2 t.a"]);
    let play = play.finish(|_| json!(7));
    assert_eq!(play.result(), json!(7));
    play.check_every_prefix();
}

#[test]
fn a_side_step_that_fails_is_nobodys_error() {
    let mut play = Play::start(
        r#"collect("trail", "cloudtrail:LookupEvents", #{}); action("t.a", #{}); action("t.b", #{})"#,
    );
    play.fail("1", "AccessDenied");
    play.answer("2", json!(1));
    play.answer("3", json!(2));
    assert_eq!(play.result(), json!(2));
    play.check_every_prefix();
}

#[test]
fn results_reach_the_script_as_the_journal_holds_them() {
    let play = Play::start(
        r#"let r = action("t.a", #{ c: 'x', b: blob(2, 1), f: 1.0, u: () });
           [type_of(r.c), type_of(r.b), type_of(r.f), type_of(r.u)]"#,
    )
    .finish(echo);
    assert_eq!(play.result(), json!(["char", "blob", "f64", "()"]));
}

#[test]
fn what_can_not_be_kept_is_refused_before_it_is_asked_for() {
    for script in [
        r#"action("t.a", #{ f: || 1 })"#,
        r#"action("t.a", #{ n: 0.0 / 0.0 })"#,
        r#"action("t.a", #{}, #{ regoin: "x" })"#,
        r#"approval("x", #{ aprovers: [] })"#,
        r#"verdict("maybe")"#,
        r#"milestone("contained")"#,
        r#"sleep("soon")"#,
    ] {
        let play = Play::start(script);
        assert!(play.asked.is_empty(), "{script}");
        assert_eq!(play.error().0, "playbook", "{script}");
    }
}

#[test]
fn sleeping_takes_a_span_or_seconds_and_never_the_thread() {
    let play = Play::start("sleep(\"90s\"); sleep(90); sleep(0.5);").finish(|_| json!(null));
    assert_eq!(play.asked, ["1 sleep 1m 30s", "2 sleep 1m 30s", "3 sleep 500ms"]);
}

#[test]
fn return_and_exit_end_a_run() {
    assert_eq!(Play::start("return 3; fail(\"no\")").result(), json!(3));
    assert_eq!(Play::start("fn f() { exit(4) } f(); 5").result(), json!(4));
}

#[test]
fn fail_fails_with_its_message() {
    let (code, message) = Play::start(r#"fail("the account is ours")"#).error();
    assert_eq!((code.as_str(), message.as_str()), ("fail", "the account is ours"));
}

#[test]
fn waiting_until_something_is_so_asks_again_and_gives_up() {
    let script = r#"wait_until("it is done", #{ every: "10s", timeout: "25s" }, || action("t.a", #{}) == "done"); "ok""#;
    let mut answers = ["no", "no", "done"].into_iter();
    let play = Play::start(script).finish(|command| match command.verb {
        stanch_engine_core::command::Verb::Action => json!(answers.next()),
        _ => json!(null),
    });
    assert_eq!(play.result(), json!("ok"));
    assert_eq!(play.asked[..3], ["1.1 now", "1.2 t.a", "1.3 now"]);
    play.check_every_prefix();

    let script = script.replace("25s", "0s");
    let play = Play::start(&script).finish(|_| json!("no"));
    assert_eq!(play.error().0, "timeout");
}
