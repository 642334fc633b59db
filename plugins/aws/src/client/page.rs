//! A list that comes in pages, as one answer.

use serde_json::{Map, Value};

use super::call::{Answer, Client, Wanted};
use super::failure::Failure;
use crate::model::Paginator;

/// Pages of one call. A list that is longer is read in parts, by filters or by time.
const PAGES: usize = 100;

/// An answer of several pages, and what it lacks.
pub(crate) struct Pages {
    /// The pages put together.
    pub(crate) answer: Answer,
    /// That there would have been more.
    pub(crate) caveat: Option<String>,
}

impl Client {
    /// Calls until there are no more pages, and puts them together. The token of the next page
    /// stays in the answer only where there is one.
    pub(crate) async fn call_pages(
        &self,
        wanted: Wanted<'_>,
        paginator: &Paginator,
    ) -> Result<Pages, Failure> {
        let mut params = wanted.params.clone();
        let mut whole: Option<Answer> = None;
        for _ in 0..PAGES {
            let page = self.call(Wanted { params: &params, ..wanted }).await?;
            let tokens = next_tokens(&page.value, paginator);
            let answer = match whole.take() {
                None => page,
                Some(mut so_far) => {
                    join(&mut so_far.value, &page.value, paginator);
                    Answer { value: so_far.value, ..page }
                }
            };
            let same = |(name, token): (&str, &Value)| params.get(name) == Some(token);
            if tokens.is_empty() || tokens.iter().map(|(n, t)| (n.as_str(), t)).all(same) {
                return Ok(Pages { answer, caveat: None });
            }
            if let Value::Object(members) = &mut params {
                members.extend(tokens);
            }
            whole = Some(answer);
        }
        let caveat = Some(format!("the list is longer than {PAGES} pages: the rest is missing"));
        match whole {
            Some(answer) => Ok(Pages { answer, caveat }),
            None => Err(Failure::Unsendable("no page was asked for".to_owned())),
        }
    }
}

/// The parameters that ask for the page after this one; none when it is the last.
fn next_tokens(page: &Value, paginator: &Paginator) -> Map<String, Value> {
    let more = paginator.more_results.as_deref().map(|path| at(page, path));
    if more.is_some_and(|more| more != Value::Bool(true)) {
        return Map::new();
    }
    let tokens = paginator.input_token.iter().zip(&paginator.output_token);
    tokens
        .map(|(name, path)| (name.to_string(), at(page, path)))
        .filter(|(_, token)| !token.is_null() && token != "")
        .collect()
}

/// The value at the end of a path, or null. Paginators use three forms of JMESPath: names with
/// dots between, `[-1]` for the last item, and `a || b`.
fn at(value: &Value, path: &str) -> Value {
    let found = path.split("||").find_map(|path| along(value, path.trim()));
    found.cloned().unwrap_or(Value::Null)
}

fn along<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    let end = path.split('.').try_fold(value, |value, step| match step.strip_suffix("[-1]") {
        Some(name) => value.get(name)?.as_array()?.last(),
        None => value.get(step),
    });
    end.filter(|value| !value.is_null())
}

fn join(whole: &mut Value, page: &Value, paginator: &Paginator) {
    for path in &paginator.result_key {
        let pointer = format!("/{}", path.replace('.', "/"));
        let Some(more) = page.pointer(&pointer) else { continue };
        match (whole.pointer_mut(&pointer), more) {
            (Some(Value::Array(items)), Value::Array(more)) => items.extend(more.iter().cloned()),
            (Some(Value::Object(members)), Value::Object(more)) => {
                members.extend(more.iter().map(|(name, value)| (name.clone(), value.clone())));
            }
            (Some(so_far @ Value::Number(_)), Value::Number(more)) => {
                let sum = so_far.as_i64().zip(more.as_i64()).map(|(a, b)| a.saturating_add(b));
                *so_far = sum.map_or(Value::Null, Value::from);
            }
            (Some(so_far @ Value::Null), more) => *so_far = more.clone(),
            _ => {}
        }
    }
    for path in paginator.output_token.iter().chain(&paginator.more_results) {
        if let (Some(member), Some(more)) = (whole.get_mut(&**path), page.get(&**path)) {
            *member = more.clone();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn paginator(value: Value) -> Paginator {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn lists_are_joined_and_the_last_token_is_gone() {
        let paginator = paginator(json!({
            "input_token": "Marker", "output_token": "Marker",
            "more_results": "IsTruncated", "result_key": "Users",
        }));
        let mut whole = json!({"Users": [1], "IsTruncated": true, "Marker": "m"});
        let last = json!({"Users": [2], "IsTruncated": false, "Marker": null});
        assert_eq!(Value::Object(next_tokens(&whole, &paginator)), json!({"Marker": "m"}));
        join(&mut whole, &last, &paginator);
        assert_eq!(whole, json!({"Users": [1, 2], "IsTruncated": false, "Marker": null}));
        assert!(next_tokens(&whole, &paginator).is_empty());
    }

    #[test]
    fn every_path_of_the_models_is_of_a_form_that_is_read() {
        let store = crate::model::ModelStore::open(None).unwrap();
        let mut paths = 0;
        for service in store.services() {
            for operation in store.service(service).unwrap().operations.keys() {
                let named = store.operation(&format!("{service}:{operation}")).unwrap();
                let Some(paginator) = named.paginator else { continue };
                for path in paginator.output_token.iter().chain(&paginator.more_results) {
                    let steps = path.split("||").flat_map(|path| path.trim().split('.'));
                    for step in steps.map(|step| step.strip_suffix("[-1]").unwrap_or(step)) {
                        assert!(
                            step.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'),
                            "{path}"
                        );
                        paths += 1;
                    }
                }
            }
        }
        assert!(paths > 3_000, "{paths}");
    }

    #[test]
    fn a_token_may_be_an_expression_over_the_answer() {
        let paginator = paginator(json!({
            "input_token": "Marker", "output_token": "NextMarker || Contents[-1].Key",
            "more_results": "IsTruncated", "result_key": ["Contents", "CommonPrefixes"],
        }));
        let page = json!({"NextMarker": null, "IsTruncated": true, "Contents": [{"Key": "k"}]});
        assert_eq!(Value::Object(next_tokens(&page, &paginator)), json!({"Marker": "k"}));
    }
}
