//! The same for every item: in order, so many at once, and no further than errors allow.

use serde_json::{Value, json};

use crate::play::{Play, echo};

const DOUBLES: &str =
    r#"each([1, 2, 3, 4, 5], #{ max_concurrency: 2 }, |n| action("t.a", #{n: n}).n * 2)"#;

fn values(results: &Value) -> Vec<Value> {
    results.as_array().unwrap().iter().map(|result| result["value"].clone()).collect()
}

fn open(play: &Play) -> Vec<String> {
    play.open.keys().map(ToString::to_string).collect()
}

#[test]
fn so_many_are_worked_on_at_once_and_results_keep_their_order() {
    let mut play = Play::start(DOUBLES);
    assert_eq!(open(&play), ["1.0.1", "1.1.1"]);
    let end = |play: &mut Play, key: &str| {
        let value = echo(&play.open[&key.into()]);
        play.answer(key, value);
    };
    end(&mut play, "1.1.1");
    assert_eq!(open(&play), ["1.0.1", "1.2.1"]);
    end(&mut play, "1.2.1");
    assert_eq!(open(&play), ["1.0.1", "1.3.1"]);
    end(&mut play, "1.0.1");
    end(&mut play, "1.4.1");
    end(&mut play, "1.3.1");
    let results = play.result();
    assert_eq!(values(&results), [2, 4, 6, 8, 10].map(Value::from));
    assert_eq!(results[0], json!({"item": 1, "ok": true, "value": 2, "error": null}));
    play.check_every_prefix();
}

#[test]
fn the_first_error_stops_it_unless_more_may_fail() {
    let script = r#"try { each([1, 2, 3, 4], #{ max_concurrency: 2 }, |n| action("t.a", #{n: n})) }
        catch (e) { return #{ code: e.code, message: e.message, ends: e.results.map(|r| r.error),
            failed: e.failed, not_started: e.not_started, total: e.total }; }"#;
    let mut play = Play::start(script);
    play.fail("1.0.1", "Boom");
    assert_eq!(open(&play), ["1.1.1"], "what is under way comes to its end, and nothing begins");
    play.answer("1.1.1", json!(1));
    let caught = play.result();
    assert_eq!(caught["code"], "too_many_errors");
    let message = caught["message"].as_str().unwrap();
    assert!(message.starts_with("1 of 4 items failed, and 2 had not begun"), "{message}");
    assert!(message.contains("Boom: m"), "{message}");
    assert_eq!((&caught["failed"], &caught["not_started"]), (&json!(1), &json!(2)));
    assert_eq!(caught["ends"][0]["code"], "Boom");
    assert_eq!(caught["ends"][0]["step"], "1.0.1");
    assert_eq!(caught["ends"][1], json!(null));
    assert_eq!(caught["ends"][2]["code"], "not_started");
    assert_eq!(play.asked.last().unwrap(), "1 each: 1 of 4 failed");
    play.check_every_prefix();
}

/// The order of the journal decides, and not the order of the items: an item that began before
/// others failed has begun at every replay.
#[test]
fn an_item_that_had_begun_before_others_failed_has_begun_at_every_replay() {
    let script = r#"each([1, 2, 3, 4, 5, 6], #{ max_concurrency: 3, max_errors: 1 },
        |n| { action("t.a", #{n: n}); action("t.b", #{n: n}).n })"#;
    let mut play = Play::start(script);
    for key in ["1.2.1", "1.2.2", "1.3.1", "1.3.2"] {
        play.answer(key, json!({"n": 1}));
    }
    assert_eq!(open(&play), ["1.0.1", "1.1.1", "1.4.1"]);
    play.fail("1.1.1", "Boom");
    assert_eq!(open(&play), ["1.0.1", "1.4.1", "1.5.1"], "one error is allowed");
    play.fail("1.0.1", "Boom");
    play.answer("1.5.1", json!({"n": 1}));
    play.answer("1.5.2", json!({"n": 1}));
    play.answer("1.4.1", json!({"n": 1}));
    play.answer("1.4.2", json!({"n": 1}));
    assert_eq!(play.error().0, "too_many_errors");
    play.check_every_prefix();
}

#[test]
fn a_canary_goes_before_all_and_its_death_is_the_end() {
    let script = r#"each(["a", "b", "c"], #{ canary: 1, max_errors: "100%" }, |n| action("t.a", #{n: n}).n)"#;
    let mut play = Play::start(script);
    assert_eq!(open(&play), ["1.0.1"]);
    play.answer("1.0.1", json!({"n": 1}));
    assert_eq!(open(&play), ["1.1.1", "1.2.1"]);
    play.fail("1.1.1", "Boom");
    play.answer("1.2.1", json!({"n": 3}));
    assert_eq!(values(&play.result()), [json!(1), json!(null), json!(3)]);
    play.check_every_prefix();

    let mut play = Play::start(script);
    play.fail("1.0.1", "Boom");
    assert!(play.error().1.contains("2 had not begun"), "{:?}", play.error());
    play.check_every_prefix();
}

#[test]
fn items_share_nothing_that_they_captured() {
    let script = r#"let sum = 0;
        each([1, 2, 3], #{ max_concurrency: 1 }, |n| { sum += action("t.a", #{n: n}).n; sum }).map(|r| r.value)"#;
    let play = Play::start(script).finish(echo);
    assert_eq!(play.result(), json!([1, 2, 3]));
    play.check_every_prefix();
}

#[test]
fn it_nests() {
    let script = r#"each(["x", "y"], |a| each([1, 2], #{ max_errors: 1 }, |n|
            parallel([|| action("t.a", #{a: a, n: n}), || action("t.b", #{a: a, n: n})]).len()
        ).map(|r| r.value)).map(|r| r.value)"#;
    let play = Play::start(script);
    assert_eq!(open(&play).len(), 8);
    assert_eq!(open(&play)[0], "1.0.1.0.1.0.1");
    let mut play = play;
    play.fail("1.0.1.1.1.0.1", "Boom");
    let play = play.finish(echo);
    assert_eq!(play.result(), json!([[2, null], [2, 2]]));
    play.check_every_prefix();
}

#[test]
fn an_item_fails_by_any_error() {
    let script = r#"each([1, 2, 3, 4], #{ max_errors: 3 }, |n| switch n {
            1 => fail("no luck"), 2 => throw "words", 3 => [][7], _ => n })
        .map(|r| if r.ok { "ok" } else { `${r.error.code}: ${r.error.message}` })"#;
    let results = Play::start(script).result();
    assert_eq!(results[0], "fail: no luck");
    assert_eq!(results[1], "thrown: words");
    assert!(results[2].as_str().unwrap().starts_with("script_error: "), "{results}");
    assert_eq!(results[3], "ok");
}

#[test]
fn ten_thousand_items_are_worked_through() {
    let script = r#"let items = []; for i in 0..10_000 { items.push(i); }
        let ended = each(items, #{ max_concurrency: 50, max_errors: "1%" }, |n| action("t.a", #{n: n}).n);
        ended.filter(|r| r.ok).len()"#;
    let mut play = Play::start_unchecked(script);
    play.fail("1.7.1", "Boom");
    let play = play.finish(echo);
    assert_eq!(play.result(), json!(9_999));
    play.check_whole();
}

#[test]
fn what_can_not_be_followed_is_refused() {
    for (script, words) in [
        ("each([1], #{ max_concurency: 1 }, |n| n)", "max_concurency"),
        ("each([1], #{ max_concurrency: 0 }, |n| n)", "from 1 to 100"),
        ("each([1], #{ max_errors: \"ten\" }, |n| n)", "10%"),
        ("each([1], #{ waves: [1] }, |n| n)", "100%"),
        ("let a = []; a.pad(10_001, 0); each(a, |n| n)", "at most 10000 items"),
    ] {
        let (_, message) = Play::start(script).error();
        assert!(message.contains(words), "{script}: {message}");
    }
    assert_eq!(Play::start("each([], |n| n)").result(), json!([]));
}
