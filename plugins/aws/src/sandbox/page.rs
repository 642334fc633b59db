//! Lists in pages.

use serde_json::Value;

use super::reply::Refusal;
use super::request::Asked;

/// One page of a list, and where the next begins.
///
/// # Errors
/// When the token of the call is none of ours.
pub(super) fn page(
    asked: &Asked,
    items: Vec<Value>,
    longest: usize,
) -> Result<(Vec<Value>, Option<String>), Refusal> {
    let skipped = asked.text("NextToken").map_or(Ok(0), str::parse::<usize>);
    let skipped = skipped.map_err(|_| {
        Refusal::new(400, "InvalidNextTokenException", "the token is not one of ours")
    })?;
    let most = asked.params.get("MaxResults").and_then(Value::as_u64).map(usize::try_from);
    let most = most.and_then(Result::ok).filter(|most| *most > 0).unwrap_or(longest).min(longest);
    let next = skipped.saturating_add(most);
    let token = (next < items.len()).then(|| next.to_string());
    Ok((items.into_iter().skip(skipped).take(most).collect(), token))
}
