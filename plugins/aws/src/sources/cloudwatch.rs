//! CloudWatch's alarms: EventBridge's event, the message of an SNS action, what a Lambda action is
//! called with, and what `DescribeAlarms` answers
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html>).
//!
//! An alarm has no severity: in alarm it is medium, without data it is low, and all right it is
//! informational and resolved, so that the next time is a crossing again.

use serde_json::Value;
use stanch_plugins_sdk::core::alert::{Alert, AlertStatus, Resource};
use stanch_plugins_sdk::core::severity::Severity;
use stanch_plugins_sdk::payload::{at, items, member, text, time};
use stanch_plugins_sdk::{Around, Draft, Source, SourceError};

use super::event::{Event, account};
use super::region;
use stanch_plugins_sdk::payload::arn::{self, Arn};

const NAME: &str = "cloudwatch";

/// What EventBridge calls a change of state. The other ways have no name for it.
const EVENT: &str = "CloudWatch Alarm State Change";

/// CloudWatch's alarms.
pub(crate) struct CloudWatch;

impl Source for CloudWatch {
    fn name(&self) -> &str {
        NAME
    }

    fn recognises(&self, payload: &Value) -> bool {
        Form::of(payload).is_some()
    }

    fn read(&self, payload: &Value, around: &Around) -> Vec<Result<Alert, SourceError>> {
        vec![match Form::of(payload) {
            Some(form) => read(payload, &form, around),
            None => Err(SourceError::NotMine("it is no alarm of CloudWatch".to_owned())),
        }]
    }
}

/// Where the parts of an alarm stand in each of its forms.
struct Form<'v> {
    alarm: &'v Value,
    state: &'static [&'static str],
    reason: &'static [&'static str],
    at: &'static [&'static str],
    description: &'static [&'static str],
    arn: Option<String>,
}

impl<'v> Form<'v> {
    fn of(payload: &'v Value) -> Option<Self> {
        let event = Event::of(payload);
        // An alarm that somebody made, changed or deleted has a state too, and did not change it.
        if event.detail_type().is_some_and(|kind| kind != EVENT) {
            return None;
        }
        let data = payload.get("alarmData").unwrap_or(event.detail);
        if data.get("alarmName").is_some() && at(data, &["state", "value"]).is_some() {
            let arn = text(payload, &["alarmArn"]);
            return Some(Self {
                alarm: data,
                state: &["state", "value"],
                reason: &["state", "reason"],
                at: &["state", "timestamp"],
                description: &["configuration", "description"],
                arn: arn.or_else(|| {
                    event
                        .resources()
                        .chain(items(payload, &["resources"]).iter().filter_map(Value::as_str))
                        .next()
                        .map(str::to_owned)
                }),
            });
        }
        payload.get("AlarmName")?;
        let (state, reason, at): (&[&str], &[&str], &[&str]) =
            if payload.get("NewStateValue").is_some() {
                (&["NewStateValue"], &["NewStateReason"], &["StateChangeTime"])
            } else {
                payload.get("StateValue")?;
                (&["StateValue"], &["StateReason"], &["StateUpdatedTimestamp"])
            };
        let arn = text(payload, &["AlarmArn"]);
        Some(Self { alarm: payload, state, reason, at, description: &["AlarmDescription"], arn })
    }
}

fn read(payload: &Value, form: &Form<'_>, around: &Around) -> Result<Alert, SourceError> {
    let event = Event::of(payload);
    let name =
        text(form.alarm, &["alarmName"]).ok_or_else(|| event.missing("alarmName", "a text"))?;
    let state = text(form.alarm, form.state)
        .ok_or_else(|| event.missing(&form.state.join("."), "a text"))?;
    let (severity, status) = match state.as_str() {
        "ALARM" => (Severity::Medium, AlertStatus::Active),
        "OK" => (Severity::Informational, AlertStatus::Resolved),
        "INSUFFICIENT_DATA" => (Severity::Low, AlertStatus::Active),
        _ => return Err(event.missing(&form.state.join("."), "ALARM, OK or INSUFFICIENT_DATA")),
    };
    let changed = at(form.alarm, form.at).and_then(time).or_else(|| event.time());
    let arn = form.arn.as_deref().and_then(Arn::parse);
    let said = [&["AWSAccountId"][..], &["accountId"], &["account"]];
    let named = || [form.alarm, payload].iter().find_map(|it| text(it, &["region"]));
    let draft = Draft {
        title: Some(format!("{name} is {state}")),
        description: description(form),
        severity,
        account: said
            .iter()
            .find_map(|path| account(payload, path))
            .or_else(|| arn.and_then(|arn| arn.account()))
            .or_else(|| around.account.clone()),
        region: arn
            .and_then(|arn| arn.region())
            .or_else(|| region::code(&named()?))
            .or_else(|| around.region.clone()),
        resources: resources(form, &name),
        detected_at: changed,
        updated_at: changed,
        status,
        ..Draft::new(name.clone(), format!("{EVENT}/{name}"))
    };
    draft.alert(NAME, payload)
}

fn description(form: &Form<'_>) -> Option<String> {
    let parts = [text(form.alarm, form.description), text(form.alarm, form.reason)];
    let said: Vec<_> = parts.into_iter().flatten().collect();
    (!said.is_empty()).then(|| said.join("\n"))
}

/// What the alarm watches, by its dimensions, and the alarm itself.
fn resources(form: &Form<'_>, name: &str) -> Vec<Resource> {
    let mut metrics: Vec<&Value> = vec![form.alarm];
    metrics.extend(member(form.alarm, "trigger"));
    for path in [&["configuration", "metrics"][..], &["trigger", "metrics"], &["metrics"]] {
        let all = items(form.alarm, path).iter();
        metrics.extend(all.filter_map(|metric| at(metric, &["metricStat", "metric"])));
    }
    let watched = metrics.iter().flat_map(|metric| dimensions(metric));
    let arn = form.arn.as_deref().filter(|arn| Arn::parse(arn).is_some());
    watched.chain([arn::plain("AwsCloudWatchAlarm", name, arn)]).collect()
}

/// Dimensions are a map in events and a list in messages.
fn dimensions(metric: &Value) -> Vec<Resource> {
    let namespace = text(metric, &["namespace"]).unwrap_or_default();
    match member(metric, "dimensions") {
        Some(Value::Object(all)) => {
            let pair =
                |(name, value): (&String, &Value)| dimension(name, value.as_str()?, &namespace);
            all.iter().filter_map(pair).collect()
        }
        Some(Value::Array(all)) => {
            let pair =
                |it: &Value| dimension(&text(it, &["name"])?, &text(it, &["value"])?, &namespace);
            all.iter().filter_map(pair).collect()
        }
        _ => Vec::new(),
    }
}

fn dimension(name: &str, value: &str, namespace: &str) -> Option<Resource> {
    let is_eks = namespace.contains("ContainerInsights") || namespace.contains("EKS");
    let kind = match name {
        "ClusterName" if is_eks => "AwsEksCluster",
        _ => DIMENSIONS.iter().find(|(dimension, _)| *dimension == name).map(|(_, kind)| *kind)?,
    };
    // `app/name/hash`, as load balancers are named here.
    let own = value.split('/').nth(1).filter(|_| name == "LoadBalancer").unwrap_or(value);
    (!own.is_empty()).then(|| arn::plain(kind, own, None))
}

const DIMENSIONS: &[(&str, &str)] = &[
    ("ApiName", "AwsApiGatewayRestApi"),
    ("AutoScalingGroupName", "AwsAutoScalingAutoScalingGroup"),
    ("BucketName", "AwsS3Bucket"),
    ("ClusterName", "AwsEcsCluster"),
    ("DBClusterIdentifier", "AwsRdsDbCluster"),
    ("DBInstanceIdentifier", "AwsRdsDbInstance"),
    ("DistributionId", "AwsCloudFrontDistribution"),
    ("FileSystemId", "AwsEfsFileSystem"),
    ("FunctionName", "AwsLambdaFunction"),
    ("InstanceId", "AwsEc2Instance"),
    ("KeyId", "AwsKmsKey"),
    ("LoadBalancer", "AwsElbv2LoadBalancer"),
    ("LoadBalancerName", "AwsElbLoadBalancer"),
    ("LogGroupName", "AwsLogsLogGroup"),
    ("NatGatewayId", "AwsEc2NatGateway"),
    ("QueueName", "AwsSqsQueue"),
    ("ServiceName", "AwsEcsService"),
    ("StateMachineArn", "AwsStepFunctionStateMachine"),
    ("StreamName", "AwsKinesisStream"),
    ("TableName", "AwsDynamoDbTable"),
    ("TopicName", "AwsSnsTopic"),
    ("VolumeId", "AwsEc2Volume"),
];
