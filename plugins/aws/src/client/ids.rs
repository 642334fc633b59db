//! Ids that AWS gives in another form than it takes them: those of Route 53, `/hostedzone/Z1` and
//! `Z1`.

use std::borrow::Cow;

use serde_json::Value;

use crate::model::Named;

/// The shapes of such ids in Route 53's model.
const SHAPES: [&str; 3] = ["ChangeId", "DelegationSetId", "ResourceId"];

/// The same parameters with ids as AWS takes them. What an earlier answer gave can be handed on.
pub(crate) fn as_taken<'p>(named: Named, params: &'p Value) -> Cow<'p, Value> {
    let Some(input) =
        named.model.input(named.operation).filter(|_| &*named.model.name == "route53")
    else {
        return Cow::Borrowed(params);
    };
    let mut params = params.clone();
    for (name, value) in params.as_object_mut().into_iter().flatten() {
        let shape = input.members.get(&**name).map(|member| &*member.shape);
        let is_id = shape.is_some_and(|shape| SHAPES.contains(&shape));
        if let (true, Value::String(id)) = (is_id, value)
            && let Some((_, last)) = id.rsplit_once('/')
        {
            *id = last.to_owned();
        }
    }
    Cow::Owned(params)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::ModelStore;

    #[test]
    fn what_an_answer_gave_is_taken() {
        let models = ModelStore::open(None).unwrap();
        let taken = |operation: &str, params: Value| {
            as_taken(models.operation(operation).unwrap(), &params).into_owned()
        };
        let zone = json!({"HostedZoneId": "/hostedzone/Z1", "StartRecordName": "a/b"});
        let zone = taken("route53:ListResourceRecordSets", zone);
        assert_eq!(zone, json!({"HostedZoneId": "Z1", "StartRecordName": "a/b"}));
        assert_eq!(taken("route53:GetChange", json!({"Id": "/change/C1"})), json!({"Id": "C1"}));
        assert_eq!(taken("route53:GetHostedZone", json!({"Id": "Z1"})), json!({"Id": "Z1"}));
        let other = json!({"Name": "/a/b"});
        assert_eq!(taken("ssm:GetParameter", other.clone()), other);
    }
}
