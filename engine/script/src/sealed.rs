//! A secret as a playbook has it: something to hand on. It can be put into parameters, lists and
//! maps; it can't be read, compared or joined to a text.

use std::rc::Rc;

use rhai::{Dynamic, Engine, EvalAltResult, ImmutableString};
use stanch_engine_core::sealed::{self, NotSealed, SHOWN};

/// A sealed value. It has the text that the journal has.
#[derive(Clone, Debug)]
pub(crate) struct Sealed(Rc<str>);

impl Sealed {
    /// The value of a text of the journal.
    ///
    /// # Errors
    /// When it is not the text of a sealed value.
    pub(crate) fn of(text: &str) -> Result<Self, NotSealed> {
        let _: sealed::Sealed = text.parse()?;
        Ok(Self(text.into()))
    }

    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}

type Refused<T> = Result<T, Box<EvalAltResult>>;

fn unreadable<T>(what: &str) -> Refused<T> {
    let why = format!(
        "a sealed value is a secret, which can't be {what}: hand it on as it is, as a parameter of a call"
    );
    Err(why.into())
}

pub(crate) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Sealed>("Sealed");
    for name in ["to_string", "to_debug"] {
        engine.register_fn(name, |_: &mut Sealed| SHOWN);
    }
    for name in ["==", "!=", "<", "<=", ">", ">="] {
        engine.register_fn(name, |_: Sealed, _: Sealed| unreadable::<bool>("compared"));
        engine.register_fn(name, |_: Sealed, _: ImmutableString| unreadable::<bool>("compared"));
        engine.register_fn(name, |_: ImmutableString, _: Sealed| unreadable::<bool>("compared"));
    }
    for name in ["+", "+="] {
        engine.register_fn(name, |_: Sealed, _: Sealed| joined());
        engine.register_fn(name, |_: Sealed, _: ImmutableString| joined());
        engine.register_fn(name, |_: &mut ImmutableString, _: Sealed| joined());
    }
}

fn joined() -> Refused<Dynamic> {
    unreadable("joined to a text")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interrupt::Interrupt;
    use rhai::Scope;
    use stanch_engine_core::id::RunId;
    use stanch_engine_core::time::Timestamp;

    fn eval(script: &str) -> Refused<Dynamic> {
        let mut scope = Scope::new();
        for (name, body) in [("a", "AAAA"), ("b", "AAAA"), ("c", "BBBB")] {
            let run = RunId::new(Timestamp::default(), 7);
            let text = format!("1.key.{run}.{body}");
            scope.push_constant(name, Sealed::of(&text).unwrap());
        }
        crate::sandbox::engine(&Interrupt::default()).eval_with_scope(&mut scope, script)
    }

    #[test]
    fn it_is_shown_as_what_it_is_and_never_as_what_it_holds() {
        for (script, shown) in [
            ("a.to_string()", "<sealed>"),
            ("`the key is ${a}`", "the key is <sealed>"),
            ("#{ x: [a] }.to_string()", "#{\"x\": [<sealed>]}"),
            ("type_of(a)", "Sealed"),
            ("#{ x: a }.x.type_of()", "Sealed"),
        ] {
            assert_eq!(eval(script).unwrap().to_string(), shown, "{script}");
        }
        let json = eval("#{ x: a }.to_json()").unwrap().to_string();
        assert!(!json.contains("AAAA"), "{json}");
    }

    #[test]
    fn it_can_not_be_compared_joined_or_looked_into() {
        for script in [
            "a == b",
            "a == c",
            "a != b",
            "a < c",
            "a == \"x\"",
            "\"x\" == a",
            "\"x\" != a",
            "a in [b]",
            "[a].contains(b)",
            "[a].index_of(b)",
            "[a] == [b]",
            "#{ x: a } == #{ x: b }",
            "a + b",
            "a + \"x\"",
            "\"x\" + a",
            "let s = \"x\"; s += a; s",
            "[a, c].sort(); 1",
            "a.len()",
            "a[0]",
            "a.text",
            "a.starts_with(\"1\")",
            "a.split(\".\")",
            "a.parse_int()",
            "a.to_blob()",
            "a.hash()",
            "a as string",
        ] {
            let said = eval(script);
            assert!(said.is_err(), "{script} gives {said:?}");
        }
        // What asks only whether it is there.
        assert!(!eval("a == ()").unwrap().as_bool().unwrap());
        assert!(eval("a != ()").unwrap().as_bool().unwrap());
        for script in ["let l = [a, b]; l.dedup(); l.len()", "let l = [a, c]; l.dedup(); l.len()"] {
            assert_eq!(eval(script).unwrap().as_int().unwrap(), 2, "{script}");
        }
        let chosen = eval("switch a { \"x\" => 1, _ => 2 }").unwrap();
        assert_eq!(chosen.as_int().unwrap(), 2);
    }
}
