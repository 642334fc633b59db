//! Finds out whether a call took place whose answer was lost, as the catalogue of lookups says.

use serde_json::{Map, Value, json};
use stanch_plugins_sdk::{ActionContext, LookUp};
use uuid::Uuid;

use super::input::Input;
use super::standing::Standing;
use crate::client::{Client, Failure, blank};
use crate::lookups::{self, Asked, Lookup, Mark, Shown, TAG};
use crate::model::{Kind, Model, Named};
use crate::secrets;

/// Puts the step's token into what is about to be made, where there is a place for it. False when
/// it does not fit: then nobody can tell afterwards.
pub(super) fn mark(input: &mut Input, token: Uuid) -> bool {
    let Some(mark) = lookups::of(input.named).and_then(|lookup| lookup.mark.as_ref()) else {
        return true;
    };
    let Value::Object(params) = &mut input.params else { return false };
    let tag = json!({"Key": TAG, "Value": token.to_string()});
    let member = params.entry(mark.member()).or_insert(Value::Null);
    match mark {
        Mark::Specification { specify } => specify_tag(list(member), specify, tag),
        Mark::Tags { .. } => list(member).is_some_and(|tags| {
            tags.push(tag);
            true
        }),
        Mark::Note { most, .. } => {
            let text = member.as_str().unwrap_or_default();
            let noted = format!("{text} stanch:{token}").trim_start().to_owned();
            let fits = noted.chars().count() <= *most;
            if fits {
                *member = noted.into();
            }
            fits
        }
    }
}

/// A list, which is made where there is none.
fn list(member: &mut Value) -> Option<&mut Vec<Value>> {
    if member.is_null() {
        *member = json!([]);
    }
    member.as_array_mut()
}

fn specify_tag(specifications: Option<&mut Vec<Value>>, kind: &str, tag: Value) -> bool {
    let Some(specifications) = specifications else { return false };
    let of_kind = |specification: &&mut Value| {
        specification.get("ResourceType").is_some_and(|own| own == kind)
    };
    let tags = specifications.iter_mut().find(of_kind).and_then(Value::as_object_mut);
    match tags {
        Some(specification) => {
            let Some(tags) = list(specification.entry("Tags").or_insert(Value::Null)) else {
                return false;
            };
            tags.push(tag);
        }
        None => specifications.push(json!({"ResourceType": kind, "Tags": [tag]})),
    }
    true
}

/// Looks whether a call took place.
pub(super) async fn find(
    client: &Client,
    context: &ActionContext,
    standing: &Standing,
    mut input: Input,
) -> Result<LookUp, Failure> {
    let Some(lookup) = lookups::of(input.named) else { return Ok(LookUp::Unknown) };
    let params = input.params.clone();
    if !mark(&mut input, context.token) {
        return Ok(LookUp::Unknown);
    }
    let asked = Asked { params: &params, token: context.token };
    match Box::pin(read(client, context, standing, lookup, asked)).await {
        Ok(Some(answer)) => Ok(match lookup.shows(asked, &answer) {
            Shown::Happened => {
                let mut value = as_answered(input.named, lookup.result(asked, &answer));
                secrets::hide(input.named, &mut value);
                LookUp::Happened(value)
            }
            Shown::DidNot => LookUp::DidNotHappen,
            Shown::Nothing => LookUp::Unknown,
        }),
        Ok(None) => Ok(LookUp::Unknown),
        Err(failure) => {
            let code = failure.code();
            let is_one = |codes: &[Box<str>]| codes.iter().any(|own| **own == *code);
            if is_one(&lookup.absent) {
                Ok(LookUp::DidNotHappen)
            } else if is_one(&lookup.gone) {
                Ok(LookUp::Happened(as_answered(input.named, Value::Null)))
            } else {
                Err(failure)
            }
        }
    }
}

/// Asks AWS, all pages. Nothing when there are more than are read: what is not among those may
/// be among the others.
async fn read(
    client: &Client,
    context: &ActionContext,
    standing: &Standing,
    lookup: &Lookup,
    asked: Asked<'_>,
) -> Result<Option<Value>, Failure> {
    let unsendable = |why: String| Failure::Unsendable(why);
    let named = client.models.operation(&lookup.read);
    let named = named.map_err(|error| unsendable(error.to_string()))?;
    let params = lookup.params(asked).map_err(|error| unsendable(error.to_string()))?;
    let wanted = standing.wanted(context, named, &params);
    match named.paginator {
        Some(paginator) => {
            let pages = Box::pin(client.call_pages(wanted, paginator, None)).await?;
            Ok(Some(pages.answer.value).filter(|_| pages.caveat.is_none()))
        }
        None => Ok(Some(Box::pin(client.call(wanted)).await?.value)),
    }
}

/// A value in the shape of an operation's answer: what else it has is left out, and what it lacks
/// is null.
fn as_answered(named: Named, value: Value) -> Value {
    match &named.operation.output {
        Some(output) if value.is_object() => fit(named.model, &output.shape, value),
        output => blank(named.model, output.as_ref().map(|output| &*output.shape)),
    }
}

fn fit(model: &Model, target: &str, value: Value) -> Value {
    let Some(shape) = model.shape(target) else { return value };
    match (shape.kind, value) {
        (Kind::Structure, Value::Object(mut given)) if !shape.document => {
            let members = shape.members.iter().map(|(name, member)| {
                let value = given.remove(&**name).unwrap_or_default();
                (name.to_string(), fit(model, &member.shape, value))
            });
            Value::Object(members.collect::<Map<_, _>>())
        }
        (Kind::List, Value::Array(items)) => {
            let member = shape.member.as_ref().map_or("", |member| &member.shape);
            items.into_iter().map(|item| fit(model, member, item)).collect()
        }
        (_, value) => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ModelStore;

    fn input(operation: &str, params: Value) -> Input {
        let store = ModelStore::open(None).unwrap();
        Input::read(&store, &json!({"operation": operation, "params": params})).unwrap()
    }

    #[test]
    fn the_tag_joins_those_that_were_asked_for() {
        let token = Uuid::from_u128(7);
        let tag = json!({"Key": TAG, "Value": token.to_string()});
        let own = json!({"Key": "ir:incident", "Value": "INC-1"});
        for (given, expected) in [
            (json!(null), json!([{"ResourceType": "snapshot", "Tags": [tag]}])),
            (
                json!([{"ResourceType": "snapshot"}]),
                json!([{"ResourceType": "snapshot", "Tags": [tag]}]),
            ),
            (
                json!([{"ResourceType": "snapshot", "Tags": [own]}]),
                json!([{"ResourceType": "snapshot", "Tags": [own, tag]}]),
            ),
        ] {
            let instance = json!({"InstanceId": "i-1"});
            let params = json!({"InstanceSpecification": instance, "TagSpecifications": given});
            let mut input = input("ec2:CreateSnapshots", params);
            assert!(mark(&mut input, token));
            assert_eq!(input.params["TagSpecifications"], expected);
        }
        let mut user = input("iam:CreateUser", json!({"UserName": "u", "Tags": [own]}));
        assert!(mark(&mut user, token));
        assert_eq!(user.params["Tags"], json!([own, tag]));
    }

    #[test]
    fn a_note_stands_after_what_was_written_and_only_where_it_fits() {
        let token = Uuid::from_u128(7);
        let params =
            |comment: Value| json!({"DocumentName": "AWS-RunShellScript", "Comment": comment});
        for (given, expected) in [
            (json!(null), format!("stanch:{token}")),
            (json!("memory of i-1"), format!("memory of i-1 stanch:{token}")),
        ] {
            let mut command = input("ssm:SendCommand", params(given));
            assert!(mark(&mut command, token));
            assert_eq!(command.params["Comment"], expected);
        }
        let long = json!("x".repeat(60));
        let mut command = input("ssm:SendCommand", params(long.clone()));
        assert!(!mark(&mut command, token), "a comment has 100 characters at most");
        assert_eq!(command.params["Comment"], long);
    }

    #[test]
    fn what_is_found_looks_like_the_answer_that_was_lost() {
        let store = ModelStore::open(None).unwrap();
        let named = store.operation("ec2:CreateSnapshots").unwrap();
        let found = json!({"SnapshotId": "snap-1", "VolumeId": "vol-1", "KmsKeyId": "k"});
        let answer = as_answered(named, json!({"Snapshots": [found]}));
        assert_eq!(answer["Snapshots"][0]["SnapshotId"], "snap-1");
        assert_eq!(answer["Snapshots"][0]["Progress"], Value::Null);
        assert!(answer["Snapshots"][0].get("KmsKeyId").is_none());
        assert_eq!(as_answered(named, Value::Null), json!({"Snapshots": null}));
    }
}
