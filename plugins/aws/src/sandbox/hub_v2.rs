//! Security Hub's second version: findings in OCSF, and what becomes of them
//! (<https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchUpdateFindingsV2.html>).

use serde_json::{Value, json};

use super::ec2::set;
use super::page::page;
use super::reply::Refusal;
use super::request::Asked;
use super::world::World;

type Answered = Result<Value, Refusal>;

/// Findings of a page.
const PAGE: usize = 100;

/// Members of a request, and what they set in a finding.
const SAID: [(&str, &str); 3] =
    [("Comment", "comment"), ("SeverityId", "severity_id"), ("StatusId", "status_id")];

/// Members of an identifier, and where they stand in a finding.
const NAMES: [(&str, &str); 3] = [
    ("CloudAccountUid", "/cloud/account/uid"),
    ("FindingInfoUid", "/finding_info/uid"),
    ("MetadataProductUid", "/metadata/product/uid"),
];

/// Answers for the second version.
pub(super) fn answer(world: &mut World, operation: &str, asked: &Asked) -> Option<Answered> {
    Some(match operation {
        "GetFindingsV2" => get(world, asked),
        "BatchUpdateFindingsV2" => Ok(update(world, asked)),
        _ => return None,
    })
}

fn get(world: &World, asked: &Asked) -> Answered {
    let composites = asked.params.pointer("/Filters/CompositeFilters").and_then(Value::as_array);
    let mut found = world.hub_v2.clone();
    for composite in composites.into_iter().flatten() {
        let others = composite.as_object().into_iter().flatten();
        let mut others = others.filter(|(name, value)| {
            !["StringFilters", "Operator"].contains(&name.as_str()) && !value.is_null()
        });
        if let Some((name, _)) = others.next() {
            let why = format!("the sandbox does not filter by {name}");
            return Err(Refusal::new(400, "ValidationException", why));
        }
        let filters = composite.get("StringFilters").and_then(Value::as_array);
        found.retain(|finding| filters.into_iter().flatten().all(|filter| fits(finding, filter)));
    }
    let (found, next) = page(asked, found, PAGE)?;
    Ok(json!({"Findings": found, "NextToken": next}))
}

fn fits(finding: &Value, filter: &Value) -> bool {
    let part = |path: &str| filter.pointer(path).and_then(Value::as_str).unwrap_or_default();
    let path = format!("/{}", part("/FieldName").replace('.', "/"));
    let own = finding.pointer(&path).and_then(Value::as_str);
    let is_equal = own == Some(part("/Filter/Value"));
    is_equal == (part("/Filter/Comparison") == "EQUALS")
}

fn update(world: &mut World, asked: &Asked) -> Value {
    let list = |name: &str| asked.params.get(name).and_then(Value::as_array).cloned();
    let by_uid = list("MetadataUids").unwrap_or_default().into_iter();
    let by_uid = by_uid.map(|uid| json!({"MetadataUid": uid}));
    let by_name = list("FindingIdentifiers").unwrap_or_default().into_iter();
    let by_name = by_name.map(|name| json!({"FindingIdentifier": name}));
    let (mut processed, mut unprocessed) = (Vec::new(), Vec::new());
    for mut asked_for in by_uid.chain(by_name) {
        let Some(finding) = world.hub_v2.iter_mut().find(|own| is_it(own, &asked_for)) else {
            set(&mut asked_for, "ErrorCode", "ResourceNotFoundException".into());
            set(&mut asked_for, "ErrorMessage", "Finding Not Found".into());
            unprocessed.push(asked_for);
            continue;
        };
        for (name, member) in SAID {
            if let Some(said) = asked.params.get(name).filter(|said| !said.is_null()) {
                set(finding, member, said.clone());
            }
        }
        processed.push(asked_for);
    }
    json!({"ProcessedFindings": processed, "UnprocessedFindings": unprocessed})
}

fn is_it(finding: &Value, asked_for: &Value) -> bool {
    match asked_for.get("FindingIdentifier") {
        Some(name) => NAMES.iter().all(|(member, path)| name.get(member) == finding.pointer(path)),
        None => asked_for.get("MetadataUid") == finding.pointer("/metadata/uid"),
    }
}
