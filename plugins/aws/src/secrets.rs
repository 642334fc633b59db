//! What is a secret in answers and parameters: what AWS's models mark `sensitive`, and the members
//! of `catalogue/secrets.tsv` beside them.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde_json::Value;
use stanch_plugins_sdk::core::sealed::{SHOWN, pointer_step};

use crate::model::{Kind, Model, Named, Shape};

/// What the catalogue says of any operation: names of members.
const ANY: &str = "*";

static CATALOGUE: LazyLock<HashMap<&'static str, Vec<&'static str>>> = LazyLock::new(|| {
    let mut catalogue: HashMap<&str, Vec<&str>> = HashMap::new();
    let lines = include_str!("../catalogue/secrets.tsv").lines();
    for (operation, member) in lines.filter_map(row) {
        catalogue.entry(operation).or_default().push(member);
    }
    catalogue
});

fn row(line: &'static str) -> Option<(&'static str, &'static str)> {
    line.split_once('\t').filter(|_| !line.starts_with('#'))
}

fn rows(operation: &str) -> &'static [&'static str] {
    CATALOGUE.get(operation).map(Vec::as_slice).unwrap_or_default()
}

/// The places of the secrets in an operation's answer, as JSON pointers, none within another.
pub(crate) fn places(named: Named, answer: &Value) -> Vec<String> {
    let mut search = Search { model: named.model, found: Vec::new() };
    if let Some(shape) = named.model.output(named.operation) {
        search.inside(shape, String::new(), answer, false);
    }
    for member in rows(&named.to_string()) {
        let path: Vec<&str> = member.split('.').collect();
        along(&path, String::new(), answer, &mut search.found);
    }
    outermost(search.found)
}

/// Whether the catalogue names a member of an operation's answer.
pub(crate) fn is_named(operation: &str, path: Option<&[&str]>) -> bool {
    let Some(path @ [.., name]) = path else { return false };
    rows(ANY).contains(name) || rows(operation).iter().any(|member| *member == path.join("."))
}

/// Takes the secrets out of an operation's answer.
pub(crate) fn hide(named: Named, answer: &mut Value) {
    hide_at(&places(named, answer), answer);
}

/// Takes the secrets out of an operation's parameters.
pub(crate) fn hide_in_params(named: Named, params: &mut Value) {
    let mut search = Search { model: named.model, found: Vec::new() };
    if let Some(shape) = named.model.input(named.operation) {
        search.inside(shape, String::new(), params, false);
    }
    hide_at(&search.found, params);
}

/// Puts what is shown of a secret into these places.
pub(crate) fn hide_at(places: &[String], value: &mut Value) {
    for place in places {
        if let Some(at) = value.pointer_mut(place) {
            *at = SHOWN.into();
        }
    }
}

/// Whether a secret was taken out of a value, or of a text that was made of it.
pub(crate) fn is_in(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains(SHOWN),
        Value::Array(items) => items.iter().any(is_in),
        Value::Object(members) => members.values().any(is_in),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

struct Search {
    model: &'static Model,
    found: Vec<String>,
}

impl Search {
    /// Looks through a value. A secret structure stays one, and each of its members is a secret.
    fn inside(&mut self, shape: &Shape, place: String, value: &Value, is_secret: bool) {
        let is_secret = is_secret || shape.sensitive;
        match (shape.kind, value) {
            (_, Value::Null) => {}
            (Kind::Structure, Value::Object(members)) if !shape.document => {
                for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
                    let place = pointer_step(&place, name);
                    let member = shape.members.get(name.as_str());
                    let member = member.and_then(|member| self.model.shape(&member.shape));
                    let by_name = rows(ANY).contains(&name.as_str()) && value.is_string();
                    match member {
                        Some(member) => {
                            self.inside(member, place, value, is_secret || by_name);
                        }
                        None if is_secret || by_name => self.found.push(place),
                        None => {}
                    }
                }
            }
            _ if is_secret => self.found.push(place),
            (Kind::List, Value::Array(items)) => {
                let member = shape.member.as_ref().and_then(|m| self.model.shape(&m.shape));
                for (at, item) in items.iter().enumerate() {
                    if let Some(member) = member {
                        self.inside(member, format!("{place}/{at}"), item, false);
                    }
                }
            }
            (Kind::Map, Value::Object(entries)) => {
                let member = shape.value.as_ref().and_then(|m| self.model.shape(&m.shape));
                for (name, value) in entries {
                    if let Some(member) = member {
                        self.inside(member, pointer_step(&place, name), value, false);
                    }
                }
            }
            _ => {}
        }
    }
}

/// The places that a path of the catalogue leads to.
fn along(path: &[&str], place: String, value: &Value, found: &mut Vec<String>) {
    let Some((step, rest)) = path.split_first() else {
        if !value.is_null() {
            found.push(place);
        }
        return;
    };
    match (*step, value) {
        ("[]", Value::Array(items)) => {
            for (at, item) in items.iter().enumerate() {
                along(rest, format!("{place}/{at}"), item, found);
            }
        }
        ("{}", Value::Object(entries)) => {
            for (name, value) in entries {
                along(rest, pointer_step(&place, name), value, found);
            }
        }
        (name, Value::Object(members)) => {
            if let Some(value) = members.get(name) {
                along(rest, pointer_step(&place, name), value, found);
            }
        }
        _ => {}
    }
}

fn outermost(mut places: Vec<String>) -> Vec<String> {
    places.sort_by_cached_key(|place| place.replace('/', "\0"));
    places.dedup_by(|later, before| {
        later
            .strip_prefix(before.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    });
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ModelStore;
    use serde_json::json;

    fn named(operation: &str) -> Named {
        ModelStore::open(None).unwrap().operation(operation).unwrap()
    }

    fn of(operation: &str, answer: &Value) -> Vec<String> {
        places(named(operation), answer)
    }

    /// An answer with a text in the place that a path of a shape leads to; why there is none.
    fn sample(model: &Model, shape: &Shape, path: &[&str]) -> Result<Value, String> {
        let Some((step, rest)) = path.split_first() else { return Ok(json!("canary")) };
        let next = |member: Option<&str>| {
            let shape = member.and_then(|member| model.shape(member));
            sample(model, shape.ok_or_else(|| format!("there is no `{step}`"))?, rest)
        };
        match shape.kind {
            Kind::List if *step == "[]" => {
                Ok(json!([next(shape.member.as_ref().map(|m| &*m.shape))?]))
            }
            Kind::Map => Ok(json!({ *step: next(shape.value.as_ref().map(|m| &*m.shape))? })),
            Kind::Structure => {
                Ok(json!({ *step: next(shape.members.get(*step).map(|m| &*m.shape))? }))
            }
            _ => Err(format!("`{step}` leads nowhere")),
        }
    }

    #[test]
    fn every_row_names_a_member_of_an_operation_that_there_is() {
        let lines = include_str!("../catalogue/secrets.tsv").lines();
        let lines: Vec<_> = lines.filter(|line| !line.starts_with('#')).collect();
        assert!(lines.len() > 60);
        for line in lines {
            let (operation, member) = row(line).unwrap_or_else(|| panic!("{line}"));
            if operation == ANY {
                assert!(!member.contains('.'), "{line}");
                continue;
            }
            let named = named(operation);
            let path: Vec<&str> = member.split('.').collect();
            let shape = named.model.output(named.operation).unwrap();
            let answer =
                sample(named.model, shape, &path).unwrap_or_else(|e| panic!("{line}: {e}"));
            let found = places(named, &answer);
            assert_eq!(found.len(), 1, "{line}: {answer}");
            // A row that says what the model says is one too many.
            let mut search = Search { model: named.model, found: Vec::new() };
            search.inside(shape, String::new(), &answer, false);
            assert_eq!(search.found, [""; 0], "{line}");
        }
    }

    #[test]
    fn what_was_reviewed_is_a_secret_by_the_models_or_by_the_catalogue() {
        for reviewed in [
            "iam:CreateAccessKey AccessKey.SecretAccessKey",
            "iam:CreateServiceSpecificCredential ServiceSpecificCredential.ServicePassword",
            "iam:ResetServiceSpecificCredential ServiceSpecificCredential.ServicePassword",
            "iam:CreateVirtualMFADevice VirtualMFADevice.Base32StringSeed",
            "sts:AssumeRole Credentials.SecretAccessKey",
            "sts:AssumeRole Credentials.SessionToken",
            "sts:AssumeRoleWithSAML Credentials.SessionToken",
            "sts:AssumeRoleWithWebIdentity Credentials.SessionToken",
            "sts:AssumeRoot Credentials.SessionToken",
            "sts:GetSessionToken Credentials.SessionToken",
            "sts:GetFederationToken Credentials.SessionToken",
            "secretsmanager:GetSecretValue SecretString",
            "secretsmanager:GetSecretValue SecretBinary",
            "secretsmanager:BatchGetSecretValue SecretValues.[].SecretString",
            "secretsmanager:GetRandomPassword RandomPassword",
            "ssm:GetParameter Parameter.Value",
            "ssm:GetParameters Parameters.[].Value",
            "ssm:GetParametersByPath Parameters.[].Value",
            "ssm:GetParameterHistory Parameters.[].Value",
            "kms:Decrypt Plaintext",
            "kms:GenerateDataKey Plaintext",
            "kms:GenerateDataKeyPair PrivateKeyPlaintext",
            "ecr:GetAuthorizationToken authorizationData.[].authorizationToken",
            "codeartifact:GetAuthorizationToken authorizationToken",
            "cognito-identity:GetCredentialsForIdentity Credentials.SecretKey",
            "cognito-identity:GetOpenIdToken Token",
            "cognito-idp:InitiateAuth AuthenticationResult.AccessToken",
            "cognito-idp:DescribeUserPoolClient UserPoolClient.ClientSecret",
            "redshift:GetClusterCredentials DbPassword",
            "redshift:GetClusterCredentialsWithIAM DbPassword",
            "redshift-serverless:GetCredentials dbPassword",
            "lightsail:CreateKeyPair privateKeyBase64",
            "lightsail:DownloadDefaultKeyPair privateKeyBase64",
            "lightsail:GetRelationalDatabaseMasterUserPassword masterUserPassword",
            "ec2:CreateKeyPair KeyMaterial",
            "ec2:GetPasswordData PasswordData",
            "apigateway:GetApiKey value",
            "iot:CreateKeysAndCertificate keyPair.PrivateKey",
            "sso:GetRoleCredentials roleCredentials.secretAccessKey",
            "sso-oidc:CreateToken accessToken",
            "eks-auth:AssumeRoleForPodIdentity credentials.secretAccessKey",
            "lakeformation:GetTemporaryGlueTableCredentials SecretAccessKey",
            "acm:ExportCertificate PrivateKey",
            "mwaa:CreateCliToken CliToken",
            "lambda:GetFunctionConfiguration Environment.Variables",
        ] {
            let (operation, member) = reviewed.split_once(' ').unwrap();
            let named = named(operation);
            let path: Vec<&str> = member.split('.').collect();
            let shape = named.model.output(named.operation).unwrap();
            let mut answer = sample(named.model, shape, &path).unwrap();
            assert_eq!(places(named, &answer).len(), 1, "{reviewed}");
            hide(named, &mut answer);
            assert!(!answer.to_string().contains("canary") && is_in(&answer), "{answer}");
        }
    }

    #[test]
    fn what_is_no_secret_stays_and_a_secret_structure_keeps_its_shape() {
        let key = json!({"AccessKey": {"UserName": "u", "AccessKeyId": "AKIA1",
            "SecretAccessKey": "x", "CreateDate": null}});
        assert_eq!(of("iam:CreateAccessKey", &key), ["/AccessKey/SecretAccessKey"]);
        let none = json!({"SecretString": null, "SecretBinary": null, "Name": "n"});
        assert!(of("secretsmanager:GetSecretValue", &none).is_empty());
        let token = json!({"authorizationToken": "t", "expiration": 1});
        let both = ["/authorizationToken", "/expiration"];
        assert_eq!(of("codeartifact:GetAuthorizationToken", &token), both);
        let variables = json!({"Environment": {"Variables": {"A": "1", "B": "2"}}});
        let whole = ["/Environment/Variables"];
        assert_eq!(of("lambda:GetFunctionConfiguration", &variables), whole);
    }

    #[test]
    fn of_two_places_within_each_other_the_outer_one_holds() {
        let places = ["/a/b", "/a", "/ab", "/a/b/c", "/a", "/a-x"].map(str::to_owned).to_vec();
        assert_eq!(outermost(places), ["/a", "/a-x", "/ab"]);
    }
}
