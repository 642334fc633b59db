//! Which answers a value was taken from: a playbook puts together what several calls gave, and keeps it.
//!
//! A value has parts, which are the lists, maps and texts in it. Where one stands in an answer as it
//! is, that is where it comes from. What a playbook made itself comes from nowhere.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;

use crate::digest::Sha256;

/// Bytes of a part that tells where it comes from: a smaller one, such as an id or a word, stands in
/// many answers.
const PART_BYTES: usize = 24;

/// A value by its hash, with what is in it.
struct Part {
    hash: Sha256,
    bytes: usize,
    parts: Vec<Part>,
}

impl Part {
    fn of(value: &Value) -> Self {
        match value {
            Value::Object(members) => {
                let mut members: Vec<_> = members.iter().collect();
                members.sort_unstable_by_key(|(name, _)| name.as_str());
                let parts: Vec<Self> = members.iter().map(|(_, value)| Self::of(value)).collect();
                let names: Vec<&[u8]> = members.iter().map(|(name, _)| name.as_bytes()).collect();
                Self::made_of(b"map", &names, parts)
            }
            Value::Array(items) => {
                Self::made_of(b"list", &[], items.iter().map(Self::of).collect())
            }
            plain => {
                let text = plain.to_string();
                let hash = Sha256::of_parts(&[&b"plain"[..], text.as_bytes()]);
                Self { hash, bytes: text.len(), parts: Vec::new() }
            }
        }
    }

    fn made_of(kind: &[u8], names: &[&[u8]], parts: Vec<Self>) -> Self {
        let mut hashed = vec![kind];
        hashed.extend(names);
        hashed.extend(parts.iter().map(|part| &part.hash.bytes()[..]));
        let hash = Sha256::of_parts(&hashed);
        let of_names: usize = names.iter().map(|name| name.len() + 4).sum();
        let bytes = 2 + of_names + parts.iter().map(|part| part.bytes).sum::<usize>();
        Self { hash, bytes, parts }
    }

    fn is_telling(&self) -> bool {
        self.bytes >= PART_BYTES
    }

    /// Asks for itself and whatever is in it.
    fn ask(&self, asked: &mut HashMap<Sha256, Option<usize>>) {
        if self.is_telling() {
            asked.insert(self.hash, None);
            self.parts.iter().for_each(|part| part.ask(asked));
        }
    }

    /// Answers what is asked for and was not answered before.
    fn answer(&self, number: usize, asked: &mut HashMap<Sha256, Option<usize>>) {
        if self.is_telling() {
            if let Some(slot) = asked.get_mut(&self.hash) {
                slot.get_or_insert(number);
            }
            self.parts.iter().for_each(|part| part.answer(number, asked));
        }
    }

    /// The answers of the largest parts that have one.
    fn gather(&self, asked: &HashMap<Sha256, Option<usize>>, found: &mut BTreeSet<usize>) {
        match asked.get(&self.hash) {
            Some(Some(number)) => {
                found.insert(*number);
            }
            Some(None) => self.parts.iter().for_each(|part| part.gather(asked, found)),
            // Too small to be asked for.
            None => {}
        }
    }
}

/// The numbers of the answers that a value was taken from. What stands in several was taken from the
/// first of them.
pub fn origins<'a>(value: &Value, answers: impl IntoIterator<Item = &'a Value>) -> BTreeSet<usize> {
    let (whole, mut asked, mut found) = (Part::of(value), HashMap::new(), BTreeSet::new());
    whole.ask(&mut asked);
    for (number, answer) in answers.into_iter().enumerate() {
        Part::of(answer).answer(number, &mut asked);
    }
    whole.gather(&asked, &mut found);
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(value: &Value, answers: &[Value]) -> Vec<usize> {
        origins(value, answers).into_iter().collect()
    }

    #[test]
    fn a_value_comes_from_the_answers_that_its_parts_stand_in() {
        let user =
            json!({"User": {"UserName": "ci-deploy", "Arn": "arn:aws:iam::1:user/ci-deploy"}});
        let keys = json!({"Keys": [{"AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "Status": "Active"}]});
        let other = json!({"Groups": [{"GroupName": "nobody has asked for it"}]});
        let answers = [user.clone(), keys.clone(), other];
        assert_eq!(of(&user, &answers), [0], "as a whole");
        assert_eq!(of(&user["User"], &answers), [0], "a part");
        assert_eq!(of(&keys["Keys"][0]["AccessKeyId"], &answers), Vec::<usize>::new(), "an id");
        let both =
            json!({"who": user["User"], "keys": keys["Keys"], "note": "made by hand, as it is"});
        assert_eq!(of(&both, &answers), [0, 1]);
        let deep = json!([{"x": {"y": keys["Keys"][0]}}]);
        assert_eq!(of(&deep, &answers), [1]);
        for nowhere in [json!({"User": {"UserName": "another-one", "Arn": "x"}}), json!(null)] {
            assert_eq!(of(&nowhere, &answers), Vec::<usize>::new(), "{nowhere}");
        }
    }

    #[test]
    fn what_stands_in_several_answers_comes_from_the_first_and_from_the_one_that_has_most_of_it() {
        let tags = json!([{"Key": "environment", "Value": "production"}]);
        let one = json!({"Instance": {"InstanceId": "i-1", "Tags": tags}});
        let two = json!({"Instance": {"InstanceId": "i-2", "Tags": tags}});
        assert_eq!(of(&two, &[one.clone(), two.clone()]), [1], "its tags are not all of it");
        assert_eq!(of(&tags, &[one.clone(), two.clone()]), [0]);
        assert_eq!(of(&one, &[one.clone(), one.clone()]), [0]);
    }

    #[test]
    fn the_order_of_members_is_nothing_and_that_of_items_is() {
        let a: Value = serde_json::from_str(r#"{"name":"a long enough one","number":1}"#).unwrap();
        let b: Value = serde_json::from_str(r#"{"number":1,"name":"a long enough one"}"#).unwrap();
        assert_eq!(of(&a, &[b]), [0]);
        let list = json!(["the first of two items", "the second"]);
        let turned = json!([list[1], list[0]]);
        assert_eq!(of(&turned, &[json!({"l": list})]), [0], "the text of one still is");
        let numbers = json!([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
        assert_eq!(of(&numbers, &[list]), Vec::<usize>::new());
    }
}
