//! The document of the API, held against the API.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};
use stanch_engine_server::access::{Needs, RULES};

use crate::access::filled;
use crate::caller::Caller;
use crate::stage::{Plan, Stage, run_of};

async fn document(stage: &Stage) -> Value {
    let nobody = Caller::new(&stage.url, "stk_none");
    let (status, document) = nobody.root("/openapi.json").await;
    assert_eq!(status, 200);
    document
}

/// Every operation: its method, its path and itself.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().unwrap();
    let of_path = |(path, operations): (&String, &Value)| {
        let operations = operations.as_object().unwrap().clone().into_iter();
        let path = path.clone();
        operations.map(move |(method, it)| (method.to_uppercase(), path.clone(), it))
    };
    paths.iter().flat_map(of_path).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_is_in_the_document_and_nothing_else_and_every_reference_leads_somewhere() {
    let stage = Plan::new().set().await;
    let document = document(&stage).await;
    assert_eq!(document["openapi"], "3.1.0");
    let operations = operations(&document);
    let told: BTreeSet<_> =
        operations.iter().map(|(method, path, _)| format!("{method} {path}")).collect();
    // The pages of the console are for browsers, and call what is in the document.
    let api = RULES.iter().filter(|rule| !rule.path.starts_with("/console"));
    let known: BTreeSet<_> = api.map(|r| format!("{} {}", r.method, r.path)).collect();
    assert_eq!(told, known);
    let ids: BTreeSet<_> =
        operations.iter().map(|(.., it)| it["operationId"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), operations.len(), "an operation's id is its own");
    for (method, path, it) in &operations {
        let named = it["parameters"].as_array().unwrap().iter();
        let named = named.filter(|p| p["in"] == "path").map(|p| p["name"].as_str().unwrap());
        let in_path: Vec<_> =
            path.split('/').filter_map(|p| p.strip_prefix('{')?.strip_suffix('}')).collect();
        assert_eq!(named.collect::<Vec<_>>(), in_path, "{method} {path}");
        assert!(it["responses"]["default"].is_object(), "{method} {path}");
    }
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
}

/// What the API says that it knows, when it is asked for something unheard-of.
fn known(problem: &Value) -> BTreeSet<String> {
    let detail = problem["detail"].as_str().unwrap_or_default();
    let expected = detail.split("expected").nth(1).unwrap_or_default();
    expected.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_document_says_can_be_sent_can_be_sent() {
    let stage = Plan::new().set().await;
    let document = document(&stage).await;
    let (mut queries, mut bodies) = (0, 0);
    let with_proof = |path: &str| RULES.iter().any(|r| r.path == path && r.needs == Needs::Proof);
    for (method, path, it) in operations(&document) {
        let Some(rest) = path.strip_prefix("/v1").filter(|_| !with_proof(&path)) else { continue };
        let target = filled(rest);
        let parameters = it["parameters"].as_array().unwrap().iter();
        let query = parameters.filter(|p| p["in"] == "query").map(|p| p["name"].as_str().unwrap());
        let query: BTreeSet<_> = query.map(str::to_owned).collect();
        if !query.is_empty() {
            let asked = format!("{target}?unheard-of=1");
            let answer = stage.admin.try_ask(Method::GET, &asked, None).await.unwrap();
            assert_eq!(answer.0, 400, "{path}: {}", answer.1);
            let known = known(&answer.1);
            assert!(query.is_subset(&known), "{path}: {query:?} and {known:?}");
            queries += 1;
        }
        let members = &it["requestBody"]["content"]["application/json"]["schema"]["properties"];
        if let Some(members) = members.as_object() {
            let members: BTreeSet<_> = members.keys().cloned().collect();
            let method: Method = method.parse().unwrap();
            let body = json!({"unheard-of": true});
            let answer = stage.admin.try_ask(method, &target, Some(&body)).await.unwrap();
            assert_eq!(answer.0, 400, "{path}: {}", answer.1);
            let known = known(&answer.1);
            assert!(members.is_subset(&known), "{path}: {members:?} and {known:?}");
            bodies += 1;
        }
    }
    assert!(queries > 10 && bodies > 20, "{queries} {bodies}");
}

fn fits(value: &Value, schema: &Value) -> bool {
    let kinds = match &schema["type"] {
        Value::Array(kinds) => kinds.clone(),
        Value::Null => return true,
        kind => vec![kind.clone()],
    };
    kinds.iter().any(|kind| match kind.as_str().unwrap() {
        "string" => value.is_string(),
        "integer" => value.is_i64(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        other => panic!("{other}"),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_have_the_members_that_the_document_says() {
    let stage = Plan::new().set().await;
    let received = stage.find_key().await;
    let run = run_of(&received);
    let approval = stage.approval(&run).await;
    stage.approve(&run).await;
    stage.over(&run).await;
    let mia = &stage.mia;
    let incident = received["incident_id"].as_str().unwrap();
    let first = async |path: String| stage.admin.list(&path).await.remove(0);
    let answers = [
        ("Received", received.clone()),
        ("Approval", approval),
        ("Alert", first("/alerts".to_owned()).await),
        ("Incident", mia.get(&format!("/incidents/{incident}")).await),
        ("Line", first(format!("/incidents/{incident}/timeline")).await),
        ("Evidence", first(format!("/incidents/{incident}/evidence")).await),
        ("Run", mia.get(&format!("/runs/{run}")).await),
        ("Entry", first(format!("/runs/{run}/journal")).await),
        ("Page", first("/pages".to_owned()).await),
        ("Playbook", first("/playbooks".to_owned()).await),
        ("AuditRecord", first("/audit".to_owned()).await),
        ("Problem", mia.try_ask(Method::GET, "/runs/none", None).await.unwrap().1),
        ("Readiness", mia.root("/readyz").await.1),
    ];
    let document = document(&stage).await;
    for (name, answer) in answers {
        let schema = &document["components"]["schemas"][name];
        for (member, of) in schema["properties"].as_object().unwrap() {
            let value = answer.get(member).unwrap_or_else(|| panic!("{name}.{member}: {answer}"));
            assert!(fits(value, of), "{name}.{member}: {value} is not {of}");
        }
    }
}
