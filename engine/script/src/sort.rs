//! Rhai's sorting functions, made safe for durable runs.
//!
//! Rhai's own drop the comparer's errors, and catch what unwinds through them, which would keep
//! a dropped run alive. These pass errors on and refuse steps in a comparer: how often and in
//! which order a comparer is called is nobody's promise.

use std::cmp::Ordering;

use rhai::{Array, Dynamic, Engine, EvalAltResult, FnPtr, NativeCallContext};

use crate::hot::with_fiber;

type Fallible<T> = Result<T, Box<EvalAltResult>>;

const WHY: &str = "a step inside a comparer (`sort`, `sort_by`, `order`, `order_by`, `dedup`) can't be replayed: \
     take the steps in a `for` loop first and sort their results";

pub(crate) fn register(engine: &mut Engine) {
    for name in ["sort", "sort_by"] {
        engine.register_fn(name, |ctx: NativeCallContext, array: &mut Array, comparer: FnPtr| {
            sorted(&ctx, array, &comparer).map(|items| *array = items)
        });
    }
    for name in ["order", "order_by"] {
        engine.register_fn(name, |ctx: NativeCallContext, array: &mut Array, comparer: FnPtr| {
            sorted(&ctx, array, &comparer)
        });
    }
    engine.register_fn("dedup", dedup);
}

fn without_steps<T>(body: impl FnOnce() -> T) -> T {
    match with_fiber(|fiber| fiber.tape.clone()) {
        Some(tape) => tape.refuse_during(WHY, body),
        None => body(),
    }
}

fn sorted(ctx: &NativeCallContext, array: &[Dynamic], comparer: &FnPtr) -> Fallible<Array> {
    without_steps(|| merge_sort(array, &mut |a, b| compare(ctx, comparer, a, b)))
}

/// A comparer gives a number (below, at or above zero) or says whether `a` may stand before `b`.
fn compare(
    ctx: &NativeCallContext,
    comparer: &FnPtr,
    a: &Dynamic,
    b: &Dynamic,
) -> Fallible<Ordering> {
    let result: Dynamic = comparer.call_within_context(ctx, (a.clone(), b.clone()))?;
    match (result.as_int(), result.as_bool()) {
        (Ok(number), _) => Ok(number.cmp(&0)),
        (_, Ok(true)) => Ok(Ordering::Less),
        (_, Ok(false)) => Ok(Ordering::Greater),
        _ => {
            Err(format!("a comparer gives a number or a boolean, not {}", result.type_name())
                .into())
        }
    }
}

fn merge_sort(
    items: &[Dynamic],
    compare: &mut impl FnMut(&Dynamic, &Dynamic) -> Fallible<Ordering>,
) -> Fallible<Array> {
    if items.len() <= 1 {
        return Ok(items.to_vec());
    }
    let (left, right) = items.split_at(items.len() / 2);
    let mut left = merge_sort(left, compare)?.into_iter().peekable();
    let mut right = merge_sort(right, compare)?.into_iter().peekable();
    let mut merged = Array::with_capacity(items.len());
    loop {
        let take_right = match (left.peek(), right.peek()) {
            (Some(a), Some(b)) => compare(a, b)? == Ordering::Greater,
            (None, Some(_)) => true,
            (Some(_), None) => false,
            (None, None) => return Ok(merged),
        };
        merged.extend(if take_right { right.next() } else { left.next() });
    }
}

fn dedup(ctx: NativeCallContext, array: &mut Array, comparer: FnPtr) -> Fallible<()> {
    without_steps(|| {
        let mut kept = Array::new();
        for item in array.drain(..) {
            let same = match kept.last() {
                Some(last) => comparer.call_within_context(&ctx, (last.clone(), item.clone()))?,
                None => false,
            };
            if !same {
                kept.push(item);
            }
        }
        *array = kept;
        Ok(())
    })
}
