//! What a call would touch: the members of its parameters that name resources, by
//! `catalogue/resources.tsv`, and every other text.

use std::collections::HashMap;
use std::sync::LazyLock;

mod ids;

use serde_json::Value;
use stanch_plugins_sdk::core::guard::target::Targets;

use crate::client::{ids as route53, value};
use crate::model::{Kind, Model, Named, Shape};

/// What is said of a member: how the resource's ARN is made, or that it names none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Row {
    Arn(&'static str),
    Nothing,
}

static TABLE: LazyLock<HashMap<(&'static str, &'static str), Row>> = LazyLock::new(|| {
    let lines = include_str!("../catalogue/resources.tsv").lines();
    lines.filter(|line| !line.starts_with('#')).filter_map(row).collect()
});

fn row(line: &'static str) -> Option<((&'static str, &'static str), Row)> {
    let mut columns = line.split('\t');
    let (service, member, resource) = (columns.next()?, columns.next()?, columns.next()?);
    Some(((service, member), if resource == "-" { Row::Nothing } else { Row::Arn(resource) }))
}

/// Operations that only add something new to a bucket, unless an object is there already
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html>).
const ADDING: [&str; 6] = [
    "s3:CompleteMultipartUpload",
    "s3:CopyObject",
    "s3:CreateMultipartUpload",
    "s3:PutObject",
    "s3:UploadPart",
    "s3:UploadPartCopy",
];

/// What a call would touch.
pub(crate) fn of(
    named: Named,
    params: &Value,
    account: Option<&str>,
    region: Option<&str>,
) -> Targets {
    let mut walk = Walk {
        model: named.model,
        place: (account, region),
        arns: Vec::new(),
        words: Vec::new(),
        set_aside: Vec::new(),
    };
    if let Some(shape) = named.model.input(named.operation) {
        walk.inside("", shape, &route53::as_taken(named, params));
    }
    let texts = walk.words.iter().chain(&walk.set_aside);
    let ids = texts.flat_map(|text| ids::in_text(text));
    let mut by_form: Vec<String> = ids
        .filter_map(|(parameter, id)| match TABLE.get(&("ec2", parameter))? {
            Row::Arn(template) => Some(walk.arn(template, id)),
            Row::Nothing => None,
        })
        .filter(|arn| !walk.arns.contains(arn))
        .collect();
    // What seems to name nothing is looked at all the same when nothing else names anything.
    if walk.arns.is_empty() {
        walk.words.append(&mut walk.set_aside);
    }
    by_form.dedup();
    walk.arns.append(&mut by_form);
    let only_adds = ADDING.contains(&&*named.to_string());
    let bucket = params.get("Bucket").and_then(Value::as_str).filter(|_| only_adds);
    let object = bucket.zip(params.get("Key").and_then(Value::as_str));
    let new_objects = object.map(|(bucket, key)| {
        let bucket = walk.arn("arn:{partition}:s3:::{}", bucket);
        format!("{bucket}/{key}")
    });
    Targets {
        operation: named.to_string(),
        service: Some(named.model.metadata.signing_name().to_owned()),
        account: account.map(str::to_owned),
        arns: walk.arns,
        words: walk.words,
        is_open: is_open(named, params),
        only_adds,
        new_objects: new_objects.into_iter().collect(),
    }
}

/// Whether an operation runs a document of SSM.
pub(crate) fn runs_a_document(operation: &str) -> bool {
    matches!(operation, "ssm:SendCommand" | "ssm:StartAutomationExecution")
}

/// Whether a call that runs a document goes to whatever has a tag, is in a group or is there at all
/// (<https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_Target.html>).
fn is_open(named: Named, params: &Value) -> bool {
    if !runs_a_document(&named.to_string()) {
        return false;
    }
    let list = |name: &str| params.get(name).and_then(Value::as_array).into_iter().flatten();
    let is_closed = |target: &Value| {
        let key = target.get("Key").and_then(Value::as_str).unwrap_or_default();
        let values = target.get("Values").and_then(Value::as_array).into_iter().flatten();
        matches!(key, "InstanceIds" | "ParameterValues") && values.into_iter().all(|v| v != "*")
    };
    list("Targets").any(|target| !is_closed(target))
        || ["TargetLocations", "TargetMaps"].iter().any(|name| list(name).next().is_some())
        || params.get("TargetLocationsURL").is_some_and(|url| !url.is_null())
}

struct Walk<'p> {
    model: &'static Model,
    place: (Option<&'p str>, Option<&'p str>),
    arns: Vec<String>,
    words: Vec<String>,
    set_aside: Vec<String>,
}

impl Walk<'_> {
    fn inside(&mut self, name: &str, shape: &Shape, value: &Value) {
        match (shape.kind, value) {
            (Kind::Structure, Value::Object(members)) if !shape.document => {
                for (name, value) in members {
                    if let Some(member) = shape.members.get(name.as_str()) {
                        self.within(name, &member.shape, value);
                    } else {
                        self.unknown(value);
                    }
                }
            }
            (Kind::List, Value::Array(items)) => {
                let member = shape.member.as_ref().map_or("", |member| &*member.shape);
                items.iter().for_each(|item| self.within(name, member, item));
            }
            (Kind::Map, Value::Object(entries)) => {
                let member = shape.value.as_ref().map_or("", |member| &*member.shape);
                for (key, value) in entries {
                    self.words.push(key.clone());
                    self.within(key, member, value);
                }
            }
            (Kind::Blob, Value::String(_)) => {
                // What a function or a state machine is told may name what is protected.
                let bytes = value::blob(value).unwrap_or_default();
                self.words.push(String::from_utf8_lossy(&bytes).into_owned());
            }
            (_, Value::String(text)) => self.text(name, text),
            (_, other) => self.unknown(other),
        }
    }

    fn within(&mut self, name: &str, shape: &str, value: &Value) {
        match self.model.shape(shape) {
            Some(shape) => self.inside(name, shape, value),
            None => self.unknown(value),
        }
    }

    fn unknown(&mut self, value: &Value) {
        stanch_plugins_sdk::core::guard::target::texts(value, &mut self.words);
    }

    fn text(&mut self, name: &str, text: &str) {
        let service = &*self.model.name;
        let row = TABLE.get(&(service, name)).or_else(|| TABLE.get(&("*", name)));
        match row {
            Some(Row::Nothing) => self.set_aside.push(text.to_owned()),
            Some(Row::Arn(_)) if text.starts_with("arn:") => self.arns.push(text.to_owned()),
            Some(Row::Arn(template)) => self.arns.push(self.arn(template, text)),
            None => self.words.push(text.to_owned()),
        }
    }

    /// The ARN of a resource that is named; `*` where its place is not known.
    fn arn(&self, template: &str, name: &str) -> String {
        let (account, region) = self.place;
        template
            .replace("{partition}", region.map_or("*", |region| partition(Some(region))))
            .replace("{account}", account.unwrap_or("*"))
            .replace("{region}", region.unwrap_or("*"))
            .replace("{}", name)
    }
}

/// The partition of a region (<https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html>).
pub(crate) fn partition(region: Option<&str>) -> &'static str {
    match region {
        Some(region) if region.starts_with("cn-") => "aws-cn",
        Some(region) if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ModelStore;
    use serde_json::json;

    fn targets(operation: &str, params: &Value) -> Targets {
        let store = ModelStore::open(None).unwrap();
        let named = store.operation(operation).unwrap();
        of(named, params, Some("111122223333"), Some("eu-west-1"))
    }

    #[test]
    fn every_row_names_a_member_that_there_is() {
        let store = ModelStore::open(None).unwrap();
        // Parameters of runbooks are no members of a model.
        let of_runbooks =
            ["Action", "AutomationAssumeRole", "BackupS3BucketName", "BackupS3KeyName", "DryRun"];
        for (service, member) in TABLE.keys().filter(|(service, _)| *service != "*") {
            let model = store.service(service).unwrap();
            let mut shapes = model.shapes.values();
            let is_known = shapes.any(|shape| shape.members.contains_key(*member));
            assert!(is_known || of_runbooks.contains(member), "{service} {member}");
        }
        let lines = include_str!("../catalogue/resources.tsv").lines();
        let rows: Vec<_> = lines.filter(|line| !line.starts_with('#')).collect();
        assert!(rows.is_sorted() && rows.len() == TABLE.len());
    }

    #[test]
    fn resources_are_named_by_their_arns_and_the_rest_is_words() {
        let cut = targets(
            "iam:UpdateAccessKey",
            &json!({"UserName": "ann", "AccessKeyId": "AKIA1", "Status": "Inactive"}),
        );
        assert_eq!(cut.arns, ["arn:aws:iam::111122223333:user/ann"]);
        assert_eq!(cut.words, ["AKIA1"]);
        let stop = targets("ec2:StopInstances", &json!({"InstanceIds": ["i-1", "i-2"]}));
        assert_eq!(stop.arns.len(), 2);
        assert_eq!(stop.arns[0], "arn:aws:ec2:eu-west-1:111122223333:instance/i-1");
        let batch = json!({"RequestItems": {"orders": []}});
        assert_eq!(targets("dynamodb:BatchWriteItem", &batch).words, ["orders"]);
        let run = json!({"DocumentName": "AWSSupport-ContainEC2Instance",
            "Parameters": {"InstanceId": ["i-1"], "BackupS3BucketName": ["evidence"]}});
        let run = targets("ssm:StartAutomationExecution", &run);
        assert!(run.arns.contains(&"arn:aws:ec2:eu-west-1:111122223333:instance/i-1".to_owned()));
        assert!(!run.words.contains(&"evidence".to_owned()), "{run:?}");
    }

    #[test]
    fn ids_name_what_they_are_wherever_they_stand_and_a_place_that_is_not_known_is_any() {
        let store = ModelStore::open(None).unwrap();
        let of = |operation: &str, params: Value, region: Option<&str>| {
            super::of(store.operation(operation).unwrap(), &params, Some("111122223333"), region)
        };
        let id = "i-0abc1234def567890";
        let by_target =
            json!({"DocumentName": "D", "Targets": [{"Key": "InstanceIds", "Values": [id]}]});
        let here = of("ssm:SendCommand", by_target, Some("eu-west-1"));
        let arn = format!("arn:aws:ec2:eu-west-1:111122223333:instance/{id}");
        assert!(here.arns.contains(&arn) && !here.is_open, "{here:?}");
        let nowhere = of("ec2:StopInstances", json!({"InstanceIds": [id]}), None);
        assert_eq!(nowhere.arns, [format!("arn:*:ec2:*:111122223333:instance/{id}")]);
        for which in [
            json!({"Targets": [{"Key": "tag:a", "Values": ["b"]}]}),
            json!({"Targets": [{"Key": "InstanceIds", "Values": ["*"]}]}),
            json!({"TargetLocations": [{"Accounts": ["444455556666"]}]}),
        ] {
            assert!(of("ssm:StartAutomationExecution", which.clone(), None).is_open, "{which}");
        }
    }

    #[test]
    fn what_is_added_to_a_bucket_is_an_object_of_a_name() {
        let put = json!({"Bucket": "evidence", "Key": "inc-1/a b", "Body": "e30="});
        let put = targets("s3:PutObject", &put);
        assert!(put.only_adds);
        assert_eq!(put.new_objects, ["arn:aws:s3:::evidence/inc-1/a b"]);
        let delete = targets("s3:DeleteObject", &json!({"Bucket": "evidence", "Key": "a"}));
        assert!(!delete.only_adds && delete.new_objects.is_empty());
    }

    #[test]
    fn a_document_names_nothing_unless_nothing_else_does() {
        let document = json!({"Resource": "arn:aws:iam::111122223333:role/r"}).to_string();
        let put = json!({"Bucket": "b", "Policy": document});
        let put = targets("s3:PutBucketPolicy", &put);
        assert_eq!(
            (put.arns.as_slice(), put.words.len()),
            (["arn:aws:s3:::b".to_owned()].as_slice(), 0)
        );
        let other = json!({"PolicyName": "p", "PolicyDocument": document});
        assert!(targets("iam:CreatePolicy", &other).words.contains(&document));
    }
}
