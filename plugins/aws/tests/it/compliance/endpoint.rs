//! AWS's cases for the endpoints of every service.

use serde::Deserialize;
use serde_json::{Map, Value};
use stanch_plugins_aws::{Aws, AwsSettings};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cases {
    test_cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    documentation: Option<String>,
    expect: Value,
    #[serde(default)]
    params: Map<String, Value>,
}

#[test]
fn every_service_is_found_where_aws_says() {
    let aws = Aws::open(&AwsSettings::default()).unwrap();
    let (mut count, mut wrong) = (0, Vec::new());
    for folder in std::fs::read_dir(super::folder("functional/endpoint-rules")).unwrap() {
        let folder = folder.unwrap().path();
        let Ok(text) = std::fs::read_to_string(folder.join("endpoint-tests-1.json")) else {
            continue;
        };
        let service = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let cases: Cases = serde_json::from_str(&text).unwrap();
        for case in cases.test_cases {
            count += 1;
            if let Some(what) = check(&aws, &service, &case) {
                let name = case.documentation.unwrap_or_default();
                wrong.push(format!("{service}: {name}: {what}"));
            }
        }
    }
    assert!(count > 14_000, "{count} cases are too few to be all");
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
}

fn check(aws: &Aws, service: &str, case: &Case) -> Option<String> {
    let found = aws.endpoint_by_rules(service, &case.params);
    match (case.expect.get("error"), case.expect["endpoint"]["url"].as_str(), found) {
        (Some(_), _, Err(_)) => None,
        (Some(error), _, Ok(found)) => Some(format!("{} and not {error}", found.url)),
        (None, Some(url), Ok(found))
            if found.url.trim_end_matches('/') == url.trim_end_matches('/') =>
        {
            let said = [("properties", &found.properties), ("headers", &found.headers)];
            let mut said =
                said.into_iter().map(|(name, seen)| (name, &case.expect["endpoint"][name], seen));
            let wrong = said.find(|(_, expected, seen)| !expected.is_null() && expected != seen);
            wrong.map(|(name, expected, seen)| format!("{name} are {seen} and not {expected}"))
        }
        (None, url, found) => Some(format!("{found:?} and not {url:?}")),
    }
}
