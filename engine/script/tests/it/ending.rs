//! The end of a run: what is deferred is done however it ends, and a run may begin again as new.

use serde_json::json;
use stanch_engine_script::{Standing, Stop};

use crate::play::{Play, echo};

const DEFERS: &str = r#"
    let made = action("t.make", #{ n: 7 }).n;
    defer(|end| action("t.remove", #{ n: made, status: end.status }));
    defer(|| log("first"));
    action("t.work", #{ n: made }).n"#;

/// The steps below `0` in the order in which they were asked for.
fn closing(play: &Play) -> Vec<&str> {
    let asked = play.asked.iter().map(String::as_str);
    asked.filter(|line| line.starts_with("0")).collect()
}

#[test]
fn what_is_deferred_is_done_at_the_end_the_last_first() {
    let mut play = Play::start(DEFERS);
    play.answer("1", json!({"n": 7}));
    play.answer("2", json!({"n": 8}));
    assert_eq!(
        play.standing,
        Standing::Blocked,
        "the end has come, and what was deferred is at work"
    );
    assert_eq!(closing(&play), ["0 closing succeeded", "0.1.1 log first", "0.2.1 t.remove"]);
    let remove = play.open[&"0.2.1".into()].args.value();
    assert_eq!(remove["input"], json!({"n": 7, "status": "succeeded"}));
    play.answer("0.2.1", json!(null));
    assert_eq!(play.result(), json!(8));
    play.check_every_prefix();
}

#[test]
fn it_is_done_when_the_playbook_fails() {
    let mut play = Play::start(DEFERS);
    play.answer("1", json!({"n": 7}));
    play.fail("2", "Boom");
    assert_eq!(play.open[&"0.2.1".into()].args.value()["input"]["status"], "failed");
    play.answer("0.2.1", json!(null));
    assert_eq!(play.error(), ("Boom".to_owned(), "m".to_owned()));
    play.check_every_prefix();
}

#[test]
fn it_is_done_when_the_run_is_stopped_and_only_that() {
    for (stop, status) in [(Stop::Cancelled, "cancelled"), (Stop::TimedOut, "timed_out")] {
        let mut play = Play::start(DEFERS);
        play.answer("1", json!({"n": 7}));
        play.stop(stop);
        assert_eq!(play.open[&"0.2.1".into()].args.value()["input"]["status"], status);
        // What was under way comes to its end, and nobody hears of it.
        play.answer("2", json!({"n": 8}));
        assert_eq!(play.standing, Standing::Blocked);
        play.stop(stop);
        assert_eq!(play.standing, Standing::Blocked, "it is done once");
        play.answer("0.2.1", json!(null));
        assert_eq!(play.standing, Standing::Stopped(None));
        play.check_every_prefix();
    }
}

#[test]
fn a_stop_ends_what_defers_nothing_at_once_and_no_catch_hears_of_it() {
    for script in [
        r#"try { action("t.a", #{}) } catch { log("caught"); } log("after")"#,
        r#"[1].map(|x| { try { action("t.a", #{}) } catch { log("caught"); } }); log("after")"#,
        r#"try { parallel([|| action("t.a", #{}), || action("t.b", #{})]) } catch { log("caught"); } log("after")"#,
        r#"try { each([1, 2], |n| action("t.a", #{n: n})) } catch { log("caught"); } log("after")"#,
    ] {
        let mut play = Play::start(script);
        play.stop(Stop::Cancelled);
        assert_eq!(play.standing, Standing::Stopped(None), "{script}");
        assert!(!play.asked.iter().any(|line| line.contains("log")), "{script}: {:?}", play.asked);
        play.check_every_prefix();
    }
}

#[test]
fn one_that_fails_keeps_no_other_from_being_done() {
    let script = r#"defer(|| action("t.b", #{})); defer(|| action("t.a", #{})); 5"#;
    let mut play = Play::start(script);
    play.fail("0.1.1", "Boom");
    play.answer("0.2.1", json!(null));
    let (code, message) = play.error();
    assert_eq!(code, "Boom");
    assert!(message.starts_with("what was deferred failed"), "{message}");
    play.check_every_prefix();

    let mut play = Play::start(&script.replace("; 5", "; fail(\"no luck\")"));
    play.fail("0.1.1", "Boom");
    play.answer("0.2.1", json!(null));
    let (code, message) = play.error();
    assert_eq!(code, "fail");
    assert!(message.contains("no luck") && message.contains("Boom"), "{message}");
}

#[test]
fn it_may_call_functions_and_libraries_and_lie_in_branches() {
    let lib = r#"fn remove(n) { action("t.remove", #{ n: n }) } fn later(n) { defer(|| action("t.late", #{ n: n })); }"#;
    let script = r#"import "lib/tidy" as tidy; fn own(n) { tidy::remove(n) }
        tidy::later(0);
        each([1, 2], #{ max_concurrency: 1 }, |n| {
            defer(|| own(n));
            action("t.work", #{ n: n });
        });
        1"#;
    let play = Play::start_with(script, &[("lib/tidy", lib)]).finish(echo);
    assert_eq!(play.result(), json!(1));
    assert_eq!(
        closing(&play),
        ["0 closing succeeded", "0.1.1 t.remove", "0.2.1 t.remove", "0.3.1 t.late"]
    );
    play.check_every_prefix();
}

#[test]
fn what_is_deferred_can_defer_nothing_and_not_begin_again() {
    for script in
        ["defer(|| defer(|| 1));", "action(\"t.a\", #{}); defer(|| continue_as_new(#{}));"]
    {
        let play = Play::start(script).finish(echo);
        assert!(play.error().1.contains("in what was deferred"), "{script}: {:?}", play.error());
    }
    let play = Play::start("for i in 0..101 { defer(|| 1); }");
    assert!(play.error().1.contains("100 times"), "{:?}", play.error());
}

#[test]
fn a_playbook_begins_again_as_new() {
    let script = r#"defer(|end| log(end.status));
        let n = action("t.a", #{ n: inputs.n }).n;
        try { continue_as_new(#{ n: n + 1 }); } catch { log("caught"); }
        log("never")"#;
    let play = Play::start(script).finish(echo);
    let Standing::Continued(inputs) = &play.standing else { panic!("{:?}", play.standing) };
    assert_eq!(inputs.value(), json!({"n": 2}));
    assert_eq!(play.asked, ["1 t.a", "0 closing continued", "0.1.1 log continued"]);
    play.check_every_prefix();
}

#[test]
fn beginning_again_without_ever_waiting_is_refused_and_so_it_is_in_a_branch() {
    let (_, message) = Play::start("log(\"x\"); continue_as_new()").error();
    assert!(message.contains("never come to rest"), "{message}");
    let script = r#"action("t.a", #{}); parallel([|| continue_as_new()])"#;
    let (_, message) = Play::start(script).finish(echo).error();
    assert!(message.contains("in a branch"), "{message}");
}

#[test]
fn a_run_that_hit_a_limit_does_nothing_more() {
    let play = Play::start("defer(|| log(\"x\")); loop {}");
    assert!(matches!(play.standing, Standing::Limit(_)), "{:?}", play.standing);
    assert!(play.asked.is_empty(), "{:?}", play.asked);
}

#[test]
fn the_error_of_a_step_has_the_same_members_wherever_it_is_caught() {
    for script in [
        r#"try { action("t.a", #{}) } catch (e) { return [e.kind, e.code, e.message, e.step]; }"#,
        r#"[1].map(|x| { try { action("t.a", #{}) } catch (e) { return [e.kind, e.code, e.message, e.step]; } })[0]"#,
        r#"try { [1].map(|x| action("t.a", #{})) } catch (e) { return [e.kind, e.code, e.message, e.step]; }"#,
        r#"try { [1].filter(|x| [x].map(|y| action("t.a", #{})) == 1) } catch (e) { return [e.kind, e.code, e.message, e.step]; }"#,
        r#"fn f() { action("t.a", #{}) } try { f() } catch (e) { return [e.kind, e.code, e.message, e.step]; }"#,
        r#"try { parallel([|| action("t.a", #{})]) } catch (e) { return [e.kind, e.code, e.message, e.step]; }"#,
        r#"try { each([1], |n| action("t.a", #{})) } catch (e) { let e = e.results[0].error; return [e.kind, e.code, e.message, e.step]; }"#,
    ] {
        let mut play = Play::start(script);
        let key = play.open.keys().next().unwrap().to_string();
        play.fail(&key, "Boom");
        assert_eq!(play.result(), json!(["permanent", "Boom", "m", key]), "{script}");
        play.check_every_prefix();
    }
}
