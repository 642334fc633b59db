//! `deploy/aws`: what wires an organization, read by CloudFormation's linter, held against the
//! playbooks and against its twin for Terraform, and deployed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};
use stanch_tests::moto::Moto;
use stanch_tests::python;
use tokio::process::Command;

use crate::server::Folder;

/// The account that moto plays.
const ACCOUNT: &str = "123456789012";

pub(crate) fn deployed() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/aws"))
}

/// Everything of the folder, as JSON.
async fn read() -> Value {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/deploy/read.py");
    let ran = Command::new(python()).arg(script).arg(deployed()).output().await.unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    serde_json::from_slice(&ran.stdout).unwrap()
}

/// The statement of a role's or a policy's documents that has this id.
fn statement<'v>(template: &'v Value, resource: &str, sid: &str) -> &'v Value {
    let properties = &template["Resources"][resource]["Properties"];
    let inline = properties["Policies"].as_array().into_iter().flatten();
    let documents = inline.chain([properties]).map(|policy| &policy["PolicyDocument"]["Statement"]);
    let mut all = documents.filter_map(Value::as_array).flatten();
    all.find(|statement| statement["Sid"] == sid).unwrap()
}

fn strings(value: &Value) -> BTreeSet<String> {
    let all = value.as_array().unwrap().iter();
    all.map(|one| one.as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_templates_are_what_the_linter_takes() {
    let lint = "from cfnlint.runner import main; main()";
    let mut command = Command::new(python());
    command.args(["-c", lint, "--non-zero-exit-code", "informational"]);
    for name in ["central", "member", "regional"] {
        command.arg(deployed().join(format!("cloudformation/{name}.yaml")));
    }
    let ran = command.output().await.unwrap();
    assert!(ran.status.success(), "{ran:?}");
}

#[tokio::test]
async fn the_roles_may_do_what_the_playbooks_need_and_no_more() {
    let all = read().await;
    let member = &all["cloudformation"]["member"];
    let locals = &all["terraform"]["member"]["locals"];
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/../../playbooks");
    let report = Folder::new().run(&["--json", "check", shipped]).await.json();
    // What switches on, and what collects by hand, is asked for by a parameter of its own.
    for (role, resource, sid, local, of) in [
        ("read", "Read", "Playbooks", "read_actions", &["response", "baseline"][..]),
        ("read", "CollectRead", "Collect", "collect_actions", &["collect"]),
        ("contain", "Contain", "Playbooks", "contain_actions", &["response"]),
        ("contain", "SwitchOn", "Baseline", "switch_on_actions", &["baseline"]),
        ("contain", "CollectTake", "CollectTake", "collect_take_actions", &["collect"]),
    ] {
        let is_meant = |file: &&Value| {
            let path = file["path"].as_str().unwrap();
            let kind = match path {
                path if path.contains("logging-baseline") => "baseline",
                path if path.ends_with("/collect.rhai") => "collect",
                _ => "response",
            };
            of.contains(&kind)
        };
        let files = report["files"].as_array().unwrap().iter().filter(is_meant);
        let policies = files.map(|file| &file["policies"][role]).filter(|policy| !policy.is_null());
        let mut needed: BTreeSet<String> =
            policies.flat_map(|policy| strings(&policy["Statement"][0]["Action"])).collect();
        // That has a statement of its own, for the services that it is passed to.
        let is_passing = needed.remove("iam:PassRole");
        assert!(!is_passing || statement(member, resource, "BaselineRoles").is_object());
        let given = strings(&statement(member, resource, sid)["Action"]);
        for (place, given) in [
            ("cloudformation/member.yaml", &given),
            ("terraform/member/main.tf", &strings(&locals[local])),
        ] {
            let lacking: Vec<_> = needed.difference(given).collect();
            let idle: Vec<_> = given.difference(&needed).collect();
            assert!(
                lacking.is_empty() && idle.is_empty(),
                "deploy/aws/{place}, {resource} to {role}: add {lacking:?}; no playbook needs {idle:?}"
            );
        }
        let length = statement(member, resource, sid).to_string().len();
        assert!(length < 5_000, "IAM takes 10,240 characters of a role's own policies: {length}");
    }
    let node = strings(&statement(member, "Read", "Node")["Action"]);
    assert_eq!(node, strings(&locals["node_actions"]));
}

/// What Terraform makes for a resource of CloudFormation.
fn twins(resource: &Value) -> Vec<&'static str> {
    let inline = resource["Properties"]["Policies"].as_array().map_or(0, Vec::len);
    let mut twins = match resource["Type"].as_str().unwrap() {
        "AWS::Events::ApiDestination" => vec!["aws_cloudwatch_event_api_destination"],
        "AWS::Events::Connection" => vec!["aws_cloudwatch_event_connection"],
        "AWS::Events::EventBus" => vec!["aws_cloudwatch_event_bus"],
        "AWS::Events::EventBusPolicy" => vec!["aws_cloudwatch_event_bus_policy"],
        "AWS::Events::Rule" => vec!["aws_cloudwatch_event_rule", "aws_cloudwatch_event_target"],
        "AWS::IAM::InstanceProfile" => vec!["aws_iam_instance_profile"],
        "AWS::IAM::Policy" => vec!["aws_iam_role_policy"],
        "AWS::IAM::Role" => vec!["aws_iam_role"],
        "AWS::SNS::Topic" => vec!["aws_sns_topic"],
        "AWS::SQS::Queue" => vec!["aws_sqs_queue"],
        "AWS::SQS::QueuePolicy" => vec!["aws_sqs_queue_policy"],
        other => panic!("say what Terraform calls {other}"),
    };
    twins.extend(vec!["aws_iam_role_policy"; inline]);
    twins
}

fn in_snake_case(name: &str) -> String {
    let mut snake = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

#[tokio::test]
async fn terraform_makes_the_same_as_cloudformation() {
    let all = read().await;
    for name in ["central", "member", "regional"] {
        let template = &all["cloudformation"][name];
        let module = &all["terraform"][name];
        let rules = module["locals"]["rules"].as_object();
        let mut made = BTreeMap::<String, usize>::new();
        for resource in template["Resources"].as_object().unwrap().values() {
            twins(resource).into_iter().for_each(|twin| *made.entry(twin.into()).or_default() += 1);
        }
        let mut there = BTreeMap::<String, usize>::new();
        for resource in module["resources"].as_array().unwrap() {
            let kind = resource[0].as_str().unwrap();
            let each = rules.filter(|_| kind.starts_with("aws_cloudwatch_event_"));
            *there.entry(kind.to_owned()).or_default() += each.map_or(1, |rules| rules.len());
        }
        assert_eq!(made, there, "{name}");
        let parameters = template["Parameters"].as_object().unwrap().keys();
        let parameters: BTreeSet<_> = parameters.map(|name| in_snake_case(name)).collect();
        assert_eq!(parameters, strings(&module["variables"]), "{name}");
    }
    let resources = all["cloudformation"]["regional"]["Resources"].as_object().unwrap();
    let rules = resources.values().filter(|resource| resource["Type"] == "AWS::Events::Rule");
    let rules: BTreeMap<_, _> = rules
        .map(|rule| {
            let is = &rule["Properties"];
            let name = is["Name"].as_str().unwrap().strip_prefix("stanch-").unwrap().to_owned();
            let told = json!({
                "description": is["Description"], "source": is["EventPattern"]["source"],
                "detail_type": is["EventPattern"]["detail-type"],
                "aggregated": rule["Condition"] == "Aggregated",
            });
            (name, told)
        })
        .collect();
    assert_eq!(json!(rules), all["terraform"]["regional"]["locals"]["rules"]);
}

/// A moto, and a folder to call it from.
pub(crate) struct Deployment {
    pub(crate) moto: Moto,
    pub(crate) folder: Folder,
}

impl Deployment {
    pub(crate) async fn start() -> Self {
        Self { moto: Moto::start().await, folder: Folder::new() }
    }

    /// A command of the program that calls it.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.folder.command(arguments);
        command.env("AWS_ENDPOINT_URL", self.moto.url()).env("AWS_REGION", "us-east-1");
        command.env("AWS_ACCESS_KEY_ID", "AKIAI44QH8DHBEXAMPLE").env("AWS_SECRET_ACCESS_KEY", "s");
        command
    }

    pub(crate) async fn call(&self, operation: &str, params: Value) -> Value {
        let params = params.to_string();
        let mut command = self.command(&["aws", "call", operation, "--params", &params]);
        let ran = command.output().await.unwrap();
        assert!(ran.status.success(), "{operation}: {}", String::from_utf8_lossy(&ran.stderr));
        serde_json::from_slice(&ran.stdout).unwrap()
    }

    /// Deploys a template, and gives its outputs.
    pub(crate) async fn deploy(&self, name: &str, with: &[(&str, &str)]) -> Value {
        let file = deployed().join(format!("cloudformation/{name}.yaml"));
        let parameters: Vec<Value> = with
            .iter()
            .map(|(key, value)| json!({"ParameterKey": key, "ParameterValue": value}))
            .collect();
        let body = std::fs::read_to_string(file).unwrap();
        let params = json!({"StackName": name, "TemplateBody": body, "Parameters": parameters,
            "Capabilities": ["CAPABILITY_NAMED_IAM"]});
        self.call("cloudformation:CreateStack", params).await;
        let stacks = self.call("cloudformation:DescribeStacks", json!({"StackName": name})).await;
        let stack = &stacks["Stacks"][0];
        assert_eq!(stack["StackStatus"], "CREATE_COMPLETE", "{stack}");
        let outputs = stack["Outputs"].as_array().unwrap().iter();
        let pair = |one: &Value| {
            (one["OutputKey"].as_str().unwrap().to_owned(), one["OutputValue"].clone())
        };
        outputs.map(pair).collect::<serde_json::Map<_, _>>().into()
    }

    /// All three, and their outputs.
    pub(crate) async fn whole(&self) -> Value {
        let mut outputs = self.deploy("central", &[("OrganizationId", "o-a1b2c3d4e5")]).await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let (bus, runner) = (text(&outputs["BusArn"]), text(&outputs["RunnerArn"]));
        let mut regional = self.deploy("regional", &[("CentralBusArn", &bus)]).await;
        let of_member = [("RunnerArn", runner.as_str()), ("ExternalId", "stanch-7f3a9b2c-test")];
        let mut member = self.deploy("member", &of_member).await;
        let all = outputs.as_object_mut().unwrap();
        all.append(regional.as_object_mut().unwrap());
        all.append(member.as_object_mut().unwrap());
        outputs
    }
}

#[tokio::test]
async fn a_finding_goes_by_the_rule_and_the_bus_into_the_queue() {
    let it = Deployment::start().await;
    let outputs = it.whole().await;
    let rules = it.call("events:ListRules", json!({})).await;
    let names: BTreeSet<_> = rules["Rules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| rule["Name"].as_str().unwrap())
        .collect();
    let expected = [
        "access-analyzer",
        "config",
        "guardduty",
        "health",
        "inspector",
        "macie",
        "securityhub",
        "sign-in",
    ]
    .map(|name| format!("stanch-{name}"));
    assert_eq!(names, expected.iter().map(String::as_str).collect());
    for rule in &names {
        let targets = it.call("events:ListTargetsByRule", json!({"Rule": rule})).await;
        let target = &targets["Targets"][0];
        assert_eq!(target["Arn"], outputs["BusArn"], "{rule}");
        let dead = target["DeadLetterConfig"]["Arn"].as_str().unwrap();
        assert!(dead.ends_with(":stanch-undelivered"), "{rule}: {dead}");
    }
    let queue = outputs["QueueUrl"].as_str().unwrap();
    let asked = json!({"QueueUrl": queue, "AttributeNames": ["All"]});
    let attributes = it.call("sqs:GetQueueAttributes", asked).await;
    let redrive = attributes["Attributes"]["RedrivePolicy"].as_str().unwrap();
    assert!(redrive.contains("stanch-dead-letters") && redrive.contains('5'), "{redrive}");

    let fixture =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/payloads/guardduty.event.json");
    let event: Value = serde_json::from_slice(&std::fs::read(fixture).unwrap()).unwrap();
    let entry = |source: &str| {
        json!({"Source": source, "DetailType": event["detail-type"],
        "Detail": event["detail"].to_string()})
    };
    let entries = json!({"Entries": [entry("aws.guardduty"), entry("nobody.listens")]});
    it.call("events:PutEvents", entries).await;
    let taken = json!({"QueueUrl": queue, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 0});
    let messages = it.call("sqs:ReceiveMessage", taken).await;
    let [message] = &messages["Messages"].as_array().unwrap()[..] else { panic!("{messages}") };
    it.folder.write("message.json", message["Body"].as_str().unwrap());
    let read = it.folder.run(&["--json", "normalize", "--source", "sqs", "message.json"]).await;
    assert_eq!(read.json()["alerts"][0]["type"], event["detail"]["type"], "{read:?}");
}

#[tokio::test]
async fn the_roles_can_be_taken_under_their_conditions() {
    let it = Deployment::start().await;
    let outputs = it.whole().await;
    for (of, output) in [("read", "ReadRoleArn"), ("contain", "ContainRoleArn")] {
        let role = outputs[output].as_str().unwrap();
        assert_eq!(role, format!("arn:aws:iam::{ACCOUNT}:role/stanch-{of}"));
        let params = json!({"RoleArn": role, "RoleSessionName": "stanch", "SourceIdentity": "stanch",
            "ExternalId": "stanch-7f3a9b2c-test", "Tags": [{"Key": "stanch:use", "Value": of}]});
        let session = it.call("sts:AssumeRole", params).await;
        assert!(
            session["AssumedRoleUser"]["Arn"].as_str().unwrap().contains("/stanch"),
            "{session}"
        );
        // moto takes any session; what AWS would refuse by stands in what was deployed.
        let there = it.call("iam:GetRole", json!({"RoleName": format!("stanch-{of}")})).await;
        let trust = there["Role"]["AssumeRolePolicyDocument"].to_string();
        for part in [
            "sts:ExternalId",
            "stanch-7f3a9b2c-test",
            "aws:RequestTag/stanch:use",
            "stanch-runner",
            "sts:SetSourceIdentity",
            "sts:TagSession",
            of,
        ] {
            let part = part.replace(':', "%3A");
            let is_there = trust.contains(&part) || trust.contains(&part.replace("%3A", ":"));
            assert!(is_there, "{of}: {part} in {trust}");
        }
    }
    let never = json!({"RoleName": "stanch-contain", "PolicyName": "never"});
    let never = it.call("iam:GetRolePolicy", never).await["PolicyDocument"].to_string();
    assert!(never.contains("Deny") && never.contains("stanch-contain"), "{never}");
}

#[tokio::test]
async fn where_nothing_may_be_contained_there_is_no_role_for_it() {
    let it = Deployment::start().await;
    let runner = format!("arn:aws:iam::{ACCOUNT}:role/stanch-runner");
    let with =
        [("RunnerArn", &*runner), ("ExternalId", "stanch-7f3a9b2c-test"), ("MayContain", "no")];
    let outputs = it.deploy("member", &with).await;
    assert!(outputs["ReadRoleArn"].is_string() && outputs.get("ContainRoleArn").is_none());
    let roles = it.call("iam:ListRoles", json!({})).await.to_string();
    assert!(roles.contains("stanch-read") && !roles.contains("stanch-contain"), "{roles}");
}
