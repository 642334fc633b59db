//! `GET /openapi.json`: the API as OpenAPI 3.1, made of the table of access, which names every call,
//! and of `calls` and `schemas`, which say more about them.

mod calls;
mod schemas;

use axum::Json;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use crate::access::{Needs, RULES, Rule};
use crate::audit;
use calls::Call;

/// The document.
pub(crate) async fn show() -> Response {
    Json(document()).into_response()
}

fn document() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    // The pages of the console are for browsers.
    for rule in RULES.iter().filter(|rule| !rule.path.starts_with("/console")) {
        let path = paths.entry(rule.path).or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            path.insert(rule.method.to_lowercase(), operation(rule));
        }
    }
    let named = schemas::SCHEMAS.iter().map(|(name, members)| {
        let schema = object_of(members, true);
        ((*name).to_owned(), schema)
    });
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Stanch",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Incident response playbooks for AWS as durable, auditable runs.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": named.collect::<Map<_, _>>(),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
            },
        },
    })
}

fn operation(rule: &Rule) -> Value {
    let call = calls::find(rule.method, rule.path);
    let name = audit::verb(rule);
    let Call(_, _, summary, query, body, answer) =
        call.unwrap_or(Call(rule.method, rule.path, "", "", "", "200"));
    let summary = if summary.is_empty() { name.as_str() } else { summary };
    let tag = rule.path.trim_start_matches("/v1").split('/').nth(1).unwrap_or_default();
    let mut operation = json!({
        "operationId": name, "summary": summary, "tags": [tag],
        "parameters": parameters(rule.path, query), "responses": responses(rule, answer),
        "x-needs": needs(rule.needs),
    });
    let members = operation.as_object_mut();
    if let Some(members) = members {
        if matches!(rule.needs, Needs::Token | Needs::Roles(_)) {
            members.insert("security".to_owned(), json!([{"token": []}]));
        } else {
            members.insert("security".to_owned(), json!([]));
        }
        if !body.is_empty() {
            let schema = object_of(body, false);
            let is_needed = body.contains('!');
            let content = json!({"application/json": {"schema": schema}});
            let body = json!({"required": is_needed, "content": content});
            members.insert("requestBody".to_owned(), body);
        }
    }
    operation
}

/// What a call needs, in words.
fn needs(needs: Needs) -> String {
    match needs {
        Needs::Nothing => "nothing".to_owned(),
        Needs::Proof => "a proof of the sender".to_owned(),
        Needs::Token => "any token".to_owned(),
        Needs::Roles(roles) => {
            let roles: Vec<_> = roles.iter().map(|role| role.as_str()).collect();
            format!("{}, or admin", roles.join(" and "))
        }
    }
}

fn parameters(path: &str, query: &str) -> Vec<Value> {
    let in_path = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let in_path = in_path.map(
        |name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}),
    );
    let in_query = members(query).map(|member| {
        json!({"name": member.name, "in": "query", "required": false, "schema": member.schema(true)})
    });
    in_path.chain(in_query).collect()
}

fn responses(rule: &Rule, answer: &str) -> Value {
    let (status, of) = answer.split_once(' ').unwrap_or((answer, ""));
    let content = match of.strip_prefix('[').and_then(|of| of.strip_suffix(']')) {
        Some(of) => json!({"application/json": {"schema": {
            "type": "object", "required": ["items", "next_cursor"],
            "properties": {
                "items": {"type": "array", "items": reference(of)},
                "next_cursor": {"type": ["string", "null"]},
            },
        }}}),
        None if of.contains('/') => {
            of.split(' ').map(|of| (of.to_owned(), json!({}))).collect::<Map<_, _>>().into()
        }
        None if of.is_empty() => json!({"application/json": {}}),
        None => json!({"application/json": {"schema": reference(of)}}),
    };
    let mut responses = Map::new();
    responses.insert(status.to_owned(), json!({"description": "It is done.", "content": content}));
    let problem = json!({"application/problem+json": {"schema": reference("Problem")}});
    let mut refused = vec![("default", "It was refused, or failed; the code says why.")];
    if matches!(rule.needs, Needs::Token | Needs::Roles(_)) {
        refused.push(("401", "The token is missing or unknown."));
    }
    if matches!(rule.needs, Needs::Roles(_)) {
        refused.push(("403", "The token may not do this."));
    }
    for (status, why) in refused {
        responses.insert(status.to_owned(), json!({"description": why, "content": problem}));
    }
    responses.into()
}

fn reference(name: &str) -> Value {
    match name {
        "any" => json!({}),
        name => json!({"$ref": format!("#/components/schemas/{name}")}),
    }
}

/// A member as it stands in the tables: `name`, `name:type`; `!` after it where it must be there, `?`
/// where it may be null.
struct Member<'t> {
    name: &'t str,
    kind: &'t str,
    is_needed: bool,
    may_be_null: bool,
}

fn members(table: &str) -> impl Iterator<Item = Member<'_>> {
    table.split_whitespace().map(|text| {
        let bare = text.trim_end_matches(['!', '?']);
        let (name, kind) = bare.split_once(':').unwrap_or((bare, "string"));
        Member { name, kind, is_needed: text.ends_with('!'), may_be_null: text.ends_with('?') }
    })
}

impl Member<'_> {
    fn schema(&self, is_answer: bool) -> Value {
        let kind = match self.kind {
            "any" => return json!({}),
            "time" | "string" => "string",
            "list" => "array",
            other => other,
        };
        let may_be_null = self.may_be_null || !(is_answer || self.is_needed);
        let kind = if may_be_null { json!([kind, "null"]) } else { json!(kind) };
        match self.kind {
            "time" => json!({"type": kind, "format": "date-time"}),
            "list" => json!({"type": kind, "items": {}}),
            _ => json!({"type": kind}),
        }
    }
}

/// An object of the members of a table: of an answer, which has them all, or of a body.
fn object_of(table: &str, is_answer: bool) -> Value {
    let all: Vec<_> = members(table).collect();
    let needed = all.iter().filter(|member| is_answer || member.is_needed);
    let needed: Vec<_> = needed.map(|member| member.name).collect();
    let properties: Map<_, _> =
        all.iter().map(|member| (member.name.to_owned(), member.schema(is_answer))).collect();
    json!({
        "type": "object", "properties": properties, "required": needed,
        "additionalProperties": is_answer,
    })
}
