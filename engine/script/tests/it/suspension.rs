//! Where other ways of suspending leak: a step that has no answer yet must stop the script
//! wherever it stands, must not be heard of by any `catch`, and must never look like an end.

use serde_json::json;
use stanch_engine_script::Standing;

use crate::play::{Play, echo};

/// Shapes of a step inside of something that could swallow a suspension. Each says `after` when
/// it goes on, and `caught` when it hears of anything.
const SHAPES: &[(&str, &str)] = &[
    ("direct", r#"try { action("t.a", #{n: 1}); } catch { log("caught"); } log("after")"#),
    (
        "function",
        r#"fn f() { action("t.a", #{n: 1}) } try { f(); } catch { log("caught"); } log("after")"#,
    ),
    (
        "map",
        r#"try { [1].map(|x| action("t.a", #{n: x})); } catch { log("caught"); } log("after")"#,
    ),
    (
        "filter",
        r#"try { [1].filter(|x| action("t.a", #{n: x}).n == 1); } catch { log("caught"); } log("after")"#,
    ),
    (
        "for_each",
        r#"try { [1].for_each(|| action("t.a", #{n: this})); } catch { log("caught"); } log("after")"#,
    ),
    (
        "reduce",
        r#"try { [1].reduce(|s, v| action("t.a", #{n: v})); } catch { log("caught"); } log("after")"#,
    ),
    (
        "drain",
        r#"let m = #{a: 1}; try { m.drain(|k, v| action("t.a", #{n: v}).n == 1); } catch { log("caught"); } log("after")"#,
    ),
    (
        "call",
        r#"let f = |x| action("t.a", #{n: x}); try { f.call(1); } catch { log("caught"); } log("after")"#,
    ),
    (
        "function pointer",
        r#"fn g(x) { action("t.a", #{n: x}) } let f = Fn("g"); try { f.call(1); } catch { log("caught"); } log("after")"#,
    ),
    (
        "interpolation",
        r#"try { let s = `${action("t.a", #{n: 1})}`; } catch { log("caught"); } log("after")"#,
    ),
    (
        "for",
        r#"try { for i in 1..2 { action("t.a", #{n: i}); } } catch { log("caught"); } log("after")"#,
    ),
    (
        "switch",
        r#"try { switch action("t.a", #{n: 1}) { 1 => 2, _ => 3 } } catch { log("caught"); } log("after")"#,
    ),
    (
        "parallel",
        r#"try { parallel([|| action("t.a", #{n: 1})]); } catch { log("caught"); } log("after")"#,
    ),
    (
        "wait_until",
        r#"try { wait_until("x", #{}, || action("t.a", #{n: 1}).n == 1); } catch { log("caught"); } log("after")"#,
    ),
    (
        "nested closures",
        r#"try { [1].map(|x| [x].map(|y| [y].filter(|z| action("t.a", #{n: z}).n == 1))); } catch { log("caught"); } log("after")"#,
    ),
    (
        "catch inside catch",
        r#"try { throw 1; } catch { try { [1].map(|x| action("t.a", #{n: x})); } catch { log("caught"); } } log("after")"#,
    ),
];

#[test]
fn a_step_without_an_answer_stops_the_script_in_every_shape() {
    for (name, script) in SHAPES {
        let play = Play::start(script);
        assert_eq!(play.standing, Standing::Blocked, "{name}");
        assert_eq!(play.open.len(), 1, "{name}");
        assert!(!play.asked.iter().any(|a| a.contains("log")), "{name}: {:?}", play.asked);
    }
}

#[test]
fn the_answer_goes_on_where_the_script_stood_in_every_shape() {
    for (name, script) in SHAPES {
        let play = Play::start(script).finish(echo);
        assert!(matches!(play.standing, Standing::Finished(_)), "{name}: {:?}", play.standing);
        let logs: Vec<_> = play.asked.iter().filter(|a| a.contains(" log ")).collect();
        assert_eq!(logs.len(), 1, "{name}: {:?}", play.asked);
        assert!(logs[0].ends_with("log after"), "{name}: {:?}", play.asked);
        play.check_every_prefix();
    }
}

#[test]
fn the_error_of_a_step_is_heard_by_the_catch_around_it_in_every_shape() {
    for (name, script) in SHAPES {
        let mut play = Play::start(script);
        let key = play.open.keys().next().unwrap().clone();
        play.fail(&key.0, "Boom");
        assert!(play.asked.iter().any(|a| a.ends_with("log caught")), "{name}: {:?}", play.asked);
        play.check_every_prefix();
    }
}

#[test]
fn a_waiting_last_statement_never_looks_like_an_end() {
    let play = Play::start(r#"try { [1].map(|x| action("t.a", #{n: x})) } catch {}"#);
    assert_eq!(play.standing, Standing::Blocked);
}

#[test]
fn a_run_that_is_dropped_in_the_middle_of_anything_stops_there() {
    for (_, script) in SHAPES {
        drop(Play::start(script));
    }
    let script = r#"parallel([|| parallel([|| action("t.a", #{}), || action("t.b", #{})]), || action("t.c", #{})])"#;
    let play = Play::start(script);
    assert_eq!(play.open.len(), 3);
    drop(play);
    assert_eq!(Play::start("1 + 1").result(), json!(2), "the thread is as good as before");
}

#[test]
fn a_step_inside_a_comparer_is_refused_with_a_reason() {
    for script in [
        r#"let a = [3, 1, 2]; a.sort(|x, y| action("t.a", #{n: x}).n - y); a"#,
        r#"let a = [3, 1, 2]; a.sort_by(|x, y| action("t.a", #{n: x}).n - y); a"#,
        r#"[3, 1, 2].order_by(|x, y| action("t.a", #{n: x}).n - y)"#,
        r#"let a = [1, 1]; a.dedup(|x, y| action("t.a", #{n: x}).n == y); a"#,
        r#"let a = [3, 1]; a.sort(|x, y| { log("x"); x - y }); a"#,
        r#"let a = [3, 1]; a.sort(|x, y| { parallel([|| 1]); x - y }); a"#,
    ] {
        let play = Play::start(script);
        let (code, message) = play.error();
        assert_eq!(code, "playbook", "{script}");
        assert!(message.contains("comparer"), "{message}");
        assert!(play.asked.is_empty(), "{script}");
    }
}

#[test]
fn sorting_works_and_a_comparers_error_is_an_error() {
    let sorted = Play::start("let a = [3, 1, 2]; a.sort(|x, y| x - y); a");
    assert_eq!(sorted.result(), json!([1, 2, 3]));
    let by_truth = Play::start("[3, 1, 2].order_by(|x, y| x >= y)");
    assert_eq!(by_truth.result(), json!([3, 2, 1]));
    let thrown = Play::start("let a = [2, 1]; a.sort(|x, y| throw \"no\"); a");
    assert!(matches!(thrown.standing, Standing::Failed(_)));
    assert_eq!(Play::start("let a = [1, 1, 2]; a.dedup(|x, y| x == y); a").result(), json!([1, 2]));
    assert_eq!(Play::start("let a = [2, 1]; a.sort(); a").result(), json!([1, 2]));
}
