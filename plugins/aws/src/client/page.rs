//! A list that comes in pages, as one answer.

use serde_json::{Map, Value};
use stanch_plugins_sdk::core::limits;

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
    /// Calls until there are no more pages or `most` items are there, and puts them together. The
    /// token of the next page stays in the answer only where there is one.
    pub(crate) async fn call_pages(
        &self,
        wanted: Wanted<'_>,
        paginator: &Paginator,
        most: Option<usize>,
    ) -> Result<Pages, Failure> {
        let mut params = wanted.params.clone();
        let mut whole: Option<Answer> = None;
        let mut bytes = 0;
        for _ in 0..PAGES {
            let page = self.call(Wanted { params: &params, ..wanted }).await?;
            let tokens = next_tokens(&page.value, paginator);
            bytes += size(&page.value);
            let mut answer = match whole.take() {
                None => page,
                Some(mut so_far) => {
                    join(&mut so_far.value, &page.value, paginator);
                    Answer { value: so_far.value, ..page }
                }
            };
            let same = |(name, token): (&str, &Value)| params.get(name) == Some(token);
            let is_again =
                !tokens.is_empty() && tokens.iter().map(|(n, t)| (n.as_str(), t)).all(same);
            let is_last = tokens.is_empty() || is_again;
            if let Some(most) = most {
                let shortened = shorten(&mut answer.value, paginator, most);
                if let Some(is_cut) = shortened.map(|is_cut| is_cut || !is_last) {
                    let cut =
                        || format!("the list is longer than {most} items: the rest is missing");
                    return Ok(Pages { answer, caveat: is_cut.then(cut) });
                }
            }
            if is_last {
                // The end of a log is told by its own token, once more.
                let is_suspect = is_again && wanted.named.to_string() != "logs:GetLogEvents";
                let again = || "a page gave its own token for the next: the rest may be missing";
                let caveat = is_suspect.then(|| again().to_owned());
                return Ok(Pages { answer, caveat });
            }
            if bytes > limits::RESULT_BYTES {
                let most = limits::RESULT_BYTES;
                let caveat = format!("the list is longer than {most} bytes: the rest is missing");
                return Ok(Pages { answer, caveat: Some(caveat) });
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

/// Cuts the list down to `most` items once there are as many, and says whether there were more.
/// A paginator's first result is the list; the others belong to the answer as a whole.
fn shorten(whole: &mut Value, paginator: &Paginator, most: usize) -> Option<bool> {
    let path = paginator.result_key.first()?;
    let list = whole.pointer_mut(&format!("/{}", path.replace('.', "/")))?.as_array_mut()?;
    let count = list.len();
    list.truncate(most);
    (count >= most).then_some(count > most)
}

/// Bytes of a value as JSON.
fn size(value: &Value) -> usize {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    let _ = serde_json::to_writer(&mut count, value);
    count.0
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
        let pointer = format!("/{}", path.replace('.', "/"));
        if let (Some(member), Some(more)) = (whole.pointer_mut(&pointer), page.pointer(&pointer)) {
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
    fn a_list_is_cut_down_to_so_many_items_and_says_so() {
        let paginator = paginator(json!({
            "input_token": "Marker", "output_token": "Marker", "result_key": ["Users", "Other"],
        }));
        let whole = json!({"Users": [1, 2, 3], "Marker": null});
        for (most, kept, said) in [
            (2, json!([1, 2]), Some(true)),
            (3, json!([1, 2, 3]), Some(false)),
            (4, json!([1, 2, 3]), None),
        ] {
            let mut cut = whole.clone();
            assert_eq!(shorten(&mut cut, &paginator, most), said, "{most}");
            assert_eq!(cut["Users"], kept, "{most}");
        }
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
