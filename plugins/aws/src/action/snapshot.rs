//! Snapshots, which take no idempotency token: each is tagged with the token, and found by it.

use serde_json::{Map, Value, json};
use stanch_plugins_sdk::{ActionContext, LookUp};
use uuid::Uuid;

use super::input::Input;
use super::standing::Standing;
use crate::client::{Client, Failure, blank};

/// The tag that carries the token of the step that made a snapshot.
const TAG: &str = "stanch:token";

/// Adds the tag to what is about to be created.
pub(super) fn mark(input: &mut Input, token: Uuid) {
    let Value::Object(params) = &mut input.params else { return };
    let tag = json!({"Key": TAG, "Value": token.to_string()});
    let wanted = params.entry("TagSpecifications").or_insert(Value::Null);
    let specifications = match wanted {
        Value::Array(specifications) => specifications,
        other => {
            *other = json!([]);
            let Value::Array(specifications) = other else { return };
            specifications
        }
    };
    let of_snapshots = |specification: &&mut Value| {
        specification.get("ResourceType").is_some_and(|kind| kind == "snapshot")
    };
    let tags = specifications.iter_mut().find(of_snapshots).and_then(|specification| {
        specification.as_object_mut()?.entry("Tags").or_insert_with(|| json!([])).as_array_mut()
    });
    match tags {
        Some(tags) => tags.push(tag),
        None => specifications.push(json!({"ResourceType": "snapshot", "Tags": [tag]})),
    }
}

/// Looks for snapshots with the step's token.
pub(super) async fn find(
    client: &Client,
    context: &ActionContext,
    standing: &Standing,
    input: &Input,
) -> Result<LookUp, Failure> {
    let named = client
        .models
        .operation("ec2:DescribeSnapshots")
        .map_err(|error| Failure::Unsendable(error.to_string()))?;
    let token = context.token.to_string();
    let params = json!({"Filters": [{"Name": format!("tag:{TAG}"), "Values": [token]}]});
    let wanted = standing.wanted(context, named, &params);
    let answer = Box::pin(client.call(wanted)).await?;
    let snapshots = answer.value.get("Snapshots").and_then(Value::as_array);
    let snapshots = snapshots.map(Vec::as_slice).unwrap_or_default();
    Ok(match snapshots.first() {
        None => LookUp::DidNotHappen,
        Some(first) => LookUp::Happened(as_answered(input, snapshots, first)),
    })
}

/// The answer that the operation would have given, as far as the snapshots tell.
fn as_answered(input: &Input, snapshots: &[Value], first: &Value) -> Value {
    let model = input.named.model;
    let output = input.named.operation.output.as_ref().map(|output| &*output.shape);
    let mut answer = blank(model, output);
    let shape = output.and_then(|output| model.shape(output));
    let item = shape
        .and_then(|shape| model.shape(&shape.members.get("Snapshots")?.shape))
        .and_then(|list| list.member.as_ref())
        .map(|member| &*member.shape);
    match (item, answer.get_mut("Snapshots")) {
        (Some(item), Some(list)) => {
            *list =
                snapshots.iter().map(|snapshot| fit(blank(model, Some(item)), snapshot)).collect();
            answer
        }
        _ => fit(answer, first),
    }
}

/// Fills the members of a blank answer that something else has too.
fn fit(blank: Value, from: &Value) -> Value {
    let members = blank.as_object().cloned().unwrap_or_default();
    let filled = members.into_iter().map(|(name, nothing)| {
        let value = from.get(&name).cloned().unwrap_or(nothing);
        (name, value)
    });
    Value::Object(filled.collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ModelStore;

    fn input(params: Value) -> Input {
        let store = ModelStore::open(None).unwrap();
        let call = json!({"operation": "ec2:CreateSnapshots", "params": params});
        Input::read(&store, &call).unwrap()
    }

    #[test]
    fn the_tag_joins_those_that_were_asked_for() {
        let token = Uuid::from_u128(7);
        let tag = json!({"Key": TAG, "Value": token.to_string()});
        let own = json!({"Key": "ir:incident", "Value": "INC-1"});
        for (given, expected) in [
            (json!(null), json!([{"ResourceType": "snapshot", "Tags": [tag]}])),
            (
                json!([{"ResourceType": "snapshot", "Tags": [own]}]),
                json!([{"ResourceType": "snapshot", "Tags": [own, tag]}]),
            ),
        ] {
            let instance = json!({"InstanceId": "i-1"});
            let mut input =
                input(json!({"InstanceSpecification": instance, "TagSpecifications": given}));
            mark(&mut input, token);
            assert_eq!(input.params["TagSpecifications"], expected);
        }
    }

    #[test]
    fn what_is_found_looks_like_the_answer_that_was_lost() {
        let input = input(json!({"InstanceSpecification": {"InstanceId": "i-1"}}));
        let found = json!({"SnapshotId": "snap-1", "VolumeId": "vol-1", "KmsKeyId": "k"});
        let answer = as_answered(&input, std::slice::from_ref(&found), &found);
        assert_eq!(answer["Snapshots"][0]["SnapshotId"], "snap-1");
        assert_eq!(answer["Snapshots"][0]["Progress"], Value::Null);
        assert!(answer["Snapshots"][0].get("KmsKeyId").is_none());
    }
}
