//! The one way in which an engine is made, for checking and for running alike: a text that one
//! accepts and the other does not would be a hole.

use rhai::packages::{Package, StandardPackage};
use rhai::{Engine, EvalAltResult, FLOAT, INT, OptimizationLevel};
use stanch_engine_core::limits;

use crate::hot::with_fiber;
use crate::interrupt::Interrupt;
use crate::tape::Tape;
use crate::{host, sealed, sort};

/// What runs text as code.
const WITHHELD: &str = "eval";

/// What lists functions in an order that differs from one process to the next.
const UNORDERED: &str = "get_fn_metadata_list";

/// Makes hashes, and so the names of anonymous functions, the same in every process. It must come
/// before the first engine; later calls change nothing.
fn fix_hashes() {
    let _ = rhai::config::hashing::set_hashing_seed(Some([0x7374, 0x616e, 0x6368, 1]));
}

/// An engine with the language and nothing else, without a way out.
fn closed() -> Engine {
    fix_hashes();
    let mut engine = Engine::new_raw();
    engine.register_global_module(StandardPackage::new().as_shared_module());
    engine.disable_symbol(WITHHELD);
    withhold(&mut engine, UNORDERED);
    engine.set_optimization_level(OptimizationLevel::None);
    engine.set_max_call_levels(limits::CALL_LEVELS);
    engine.set_max_expr_depths(limits::EXPRESSION_DEPTH, limits::EXPRESSION_DEPTH);
    engine.set_max_array_size(limits::ARRAY_ITEMS);
    engine.set_max_map_size(limits::MAP_MEMBERS);
    engine.set_max_strings_interned(256);
    sort::register(&mut engine);
    engine
}

/// An engine with the verbs and the limits of playbooks.
pub(crate) fn engine(interrupt: &Interrupt) -> Engine {
    let mut engine = closed();
    engine.set_fail_on_invalid_map_property(true);
    engine.set_max_operations(0);
    engine.set_max_string_size(limits::STRING_CHARS);
    let interrupt = interrupt.clone();
    engine.on_progress(move |_| {
        let may_go_on = |tape: &Tape| {
            if interrupt.is_raised() {
                tape.hit_limit("the playbook computed for too long between two steps".to_owned());
            }
            tape.count_operation()
        };
        let goes_on = with_fiber(|fiber| may_go_on(&fiber.tape)).unwrap_or(true);
        (!goes_on).then(|| "limit".into())
    });
    sealed::register(&mut engine);
    host::register(&mut engine);
    engine
}

/// An engine that reads payloads: no verb, no import. What a payload lacks is `()`, since nobody
/// knows beforehand what a sender leaves out.
pub(crate) fn reader(may_go_on: impl Fn() -> bool + 'static) -> Engine {
    let mut engine = closed();
    engine.disable_symbol("import");
    engine.register_fn("sleep", |_: INT| -> Refused { refused("sleep") });
    engine.register_fn("sleep", |_: FLOAT| -> Refused { refused("sleep") });
    engine.set_fail_on_invalid_map_property(false);
    engine.set_max_operations(limits::SOURCE_OPERATIONS);
    engine.set_max_string_size(limits::SOURCE_STRING_BYTES);
    engine.on_progress(move |_| (!may_go_on()).then(|| "limit".into()));
    engine
}

/// Puts an error in the place of a function that can't be disabled as a symbol.
fn withhold(engine: &mut Engine, name: &'static str) {
    engine.register_fn(name, move || -> Refused { refused(name) });
    engine.register_fn(name, move |_: &str| -> Refused { refused(name) });
    engine.register_fn(name, move |_: &str, _: INT| -> Refused { refused(name) });
}

type Refused = Result<(), Box<EvalAltResult>>;

fn refused(name: &str) -> Refused {
    Err(format!("`{name}` is not available here").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn engine() -> Engine {
        super::engine(&Interrupt::default())
    }

    #[test]
    fn there_is_no_way_out() {
        for script in [
            "eval(\"1\")",
            "timestamp()",
            "let f = Fn(\"eval\"); f.call(\"1\")",
            "get_fn_metadata_list()",
            "get_fn_metadata_list(\"x\")",
            "import \"/etc/passwd\" as x;",
            "sleep(1)",
            "rand()",
            "open_file(\"x\")",
        ] {
            assert!(engine().eval::<rhai::Dynamic>(script).is_err(), "{script}");
        }
    }

    #[test]
    fn a_misspelt_property_is_an_error_and_not_nothing() {
        let error = engine().eval::<rhai::Dynamic>("let m = #{ a: 1 }; m.b").unwrap_err();
        assert!(error.to_string().contains('b'), "{error}");
    }

    #[test]
    fn values_have_limits() {
        for script in [
            "let s = \"x\"; for i in 0..40 { s += s; } s.len()",
            "let a = []; a.pad(2_000_000, 0); a.len()",
            "let a = [[]]; a[0].pad(999_999, 0); let b = [a, a]; b.len()",
        ] {
            assert!(engine().eval::<rhai::Dynamic>(script).is_err(), "{script}");
        }
    }
}
