//! Parameters that are written out, as far as they are: what only a run knows is left open.

use rhai::{Expr, Position};
use serde_json::{Map, Value};
use stanch_engine_core::operation::Operations;

use crate::calls::Call;
use crate::codec;
use crate::error::{Diagnostic, position};

/// That what is written of the parameters fits their operation.
pub(super) fn check(
    call: &Call,
    number: usize,
    operation: &str,
    operations: &dyn Operations,
) -> Vec<Diagnostic> {
    let Some(written @ Expr::Map(..)) = call.args.get(number) else { return Vec::new() };
    let mut open = Vec::new();
    let params = read(written, "", &mut open);
    let mistakes = operations.check(operation, &params).err().unwrap_or_default();
    let is_open = |mistake: &String| {
        let path = path_of(mistake);
        let about_members = mistake.contains("exactly one of");
        !open.iter().any(|hole| hole == path || about_members && within(hole, path))
    };
    let told = mistakes.into_iter().filter(is_open).map(|mistake| {
        let at = place(written, path_of(&mistake)).unwrap_or(call.at);
        Diagnostic::error(position(at), format!("{operation}: {mistake}"))
    });
    told.collect()
}

/// The path that a mistake begins with.
fn path_of(mistake: &str) -> &str {
    mistake.split('`').nth(1).filter(|_| mistake.starts_with('`')).unwrap_or_default()
}

fn within(path: &str, whole: &str) -> bool {
    path.strip_prefix(whole).is_some_and(|rest| whole.is_empty() || rest.starts_with(['.', '[']))
}

/// What is written, null where only a run knows; `open` gets the paths of these places.
fn read(expr: &Expr, path: &str, open: &mut Vec<String>) -> Value {
    match expr {
        Expr::Map(map, _) => {
            let members = map.0.iter().map(|(name, value)| {
                let name = name.name.to_string();
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                let value = read(value, &path, open);
                (name, value)
            });
            Value::Object(members.collect::<Map<_, _>>())
        }
        Expr::Array(items, _) => {
            let items = items.iter().enumerate();
            items.map(|(at, item)| read(item, &format!("{path}[{at}]"), open)).collect()
        }
        other => {
            let literal = other.get_literal_value(None);
            match literal.and_then(|literal| codec::to_json(&literal).ok()) {
                Some(json) => json.value(),
                None => {
                    open.push(path.to_owned());
                    Value::Null
                }
            }
        }
    }
}

/// Where a path stands in what is written, or the innermost part of it that does.
fn place(expr: &Expr, path: &str) -> Option<Position> {
    let mut names = path.split(['.', '[']).map(|name| name.trim_end_matches(']'));
    let (mut expr, mut found) = (expr, None);
    names.try_for_each(|name| {
        match expr {
            Expr::Map(map, _) => {
                let (member, value) = map.0.iter().find(|(member, _)| member.name == name)?;
                (expr, found) = (value, Some(member.pos));
            }
            Expr::Array(items, _) => {
                expr = items.get(name.parse::<usize>().ok()?)?;
                found = Some(expr.position());
            }
            _ => return None,
        }
        Some(())
    });
    found
}
