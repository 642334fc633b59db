//! Evidence that a responder asks for by hand, and the library that it is collected by: against moto
//! where moto plays the service, else against the sandbox.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use stanch_engine_cli::config::Account;
use stanch_engine_core::effect::Mode;
use stanch_tests::moto::Moto;

use crate::bundle::{Files, unpack};
use crate::stage::{ACCOUNT, Plan, Stage, id};

mod code;
mod in_sandbox;

/// The account that moto plays.
const MOTO: &str = "123456789012";

/// A node, and an incident that somebody opened by hand.
struct Scene {
    stage: Stage,
    incident: String,
    account: &'static str,
}

impl Scene {
    async fn of(mut plan: Plan, account: &'static str) -> Self {
        plan.ships = false;
        plan.config.accounts.insert(account.to_owned(), Account::of_mode(Mode::Ask));
        let stage = plan.set().await;
        let body = json!({"title": "somebody is in", "severity": "high", "account": account});
        let incident = id(&stage.mia.post("/incidents", &body).await["incident_id"]);
        Self { stage, incident, account }
    }

    async fn in_sandbox() -> Self {
        Self::of(Plan::new().manual(), ACCOUNT).await
    }

    async fn before(moto: &Moto) -> Self {
        let mut plan = Plan::new();
        plan.aws_url = Some(moto.url().to_owned());
        Self::of(plan, MOTO).await
    }

    async fn ask(&self, operation: &str, params: Value) -> Value {
        self.stage.call(self.account, operation, params).await
    }

    async fn begin(&self, what: &str, of: &str, more: Value) -> String {
        let mut body = json!({"what": what, "of": of, "region": "us-east-1"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let path = format!("/incidents/{}/collect", self.incident);
        id(&self.stage.mia.post(&path, &body).await["id"])
    }

    /// What a run gave, which must have gone well.
    async fn result(&self, run: &str) -> Value {
        let over = match self.stage.clock {
            Some(_) => self.stage.over_in_time(run, 5_000).await,
            None => self.stage.over(run).await,
        };
        assert_eq!(over["status"], "succeeded", "{over}");
        over["result"].clone()
    }

    async fn collect(&self, what: &str, of: &str, more: Value) -> Value {
        let run = self.begin(what, of, more).await;
        self.result(&run).await
    }

    async fn refused(&self, what: &str, of: &str, more: Value) -> String {
        let run = self.begin(what, of, more).await;
        let over = self.stage.over(&run).await;
        assert_eq!(over["status"], "failed", "{over}");
        over["error"]["message"].as_str().unwrap().to_owned()
    }

    /// Begins what asks people, and says no for them; gives the error that it fails with.
    async fn denied(&self, what: &str, of: &str) -> String {
        let run = self.begin(what, of, json!({})).await;
        let approval = id(&self.stage.approval(&run).await["id"]);
        let no = json!({"decision": "reject", "reason": "not on this machine"});
        let path = format!("/approvals/{approval}/decisions");
        assert_eq!(self.stage.mia.post(&path, &no).await["status"], "rejected");
        let over = self.stage.over(&run).await;
        assert_eq!(over["status"], "failed", "{over}");
        over["error"]["message"].as_str().unwrap().to_owned()
    }

    /// Every item of the incident that is JSON, its bytes by its label, as the bundle proves it.
    async fn kept(&self) -> BTreeMap<String, Value> {
        let (files, items) = self.exported().await;
        let items = items.iter().filter(|item| item["media_type"] == "application/json");
        let item = |item: &Value| {
            let bytes = &files[&format!("items/{}", id(&item["sha256"]))];
            (id(&item["label"]), serde_json::from_slice(bytes).unwrap())
        };
        items.map(item).collect()
    }

    /// The files of the bundle, and the items that the API lists.
    async fn exported(&self) -> (Files, Vec<Value>) {
        let path = format!("/incidents/{}", self.incident);
        let files = unpack(&self.stage.mia.bytes(&format!("{path}/export")).await);
        (files, self.stage.mia.list(&format!("{path}/evidence")).await)
    }

    async fn kept_as(&self, label: &str) -> Value {
        let mut kept = self.kept().await;
        let labels: Vec<_> = kept.keys().cloned().collect();
        kept.remove(label).unwrap_or_else(|| panic!("{label} is not among {labels:?}"))
    }

    fn script(&self, answers: Value) {
        let now = self.stage.runtime.world().now();
        self.stage.aws.load(json!({"answers": answers}), now).unwrap();
    }

    fn sent(&self, operation: &str) -> usize {
        self.stage.aws.calls().iter().filter(|call| call.operation == operation).count()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn principals_and_buckets_are_kept_as_they_stand() {
    let moto = Moto::start().await;
    let it = Scene::before(&moto).await;
    let allow = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]})
    .to_string();
    it.ask("iam:CreateUser", json!({"UserName": "ann"})).await;
    it.ask("iam:CreateAccessKey", json!({"UserName": "ann"})).await;
    let inline = json!({"UserName": "ann", "PolicyName": "own", "PolicyDocument": allow});
    it.ask("iam:PutUserPolicy", inline).await;
    it.ask("iam:CreateGroup", json!({"GroupName": "ops"})).await;
    it.ask("iam:AddUserToGroup", json!({"GroupName": "ops", "UserName": "ann"})).await;
    let managed = json!({"PolicyName": "shared", "PolicyDocument": allow});
    let arn = it.ask("iam:CreatePolicy", managed).await["Policy"]["Arn"].clone();
    it.ask("iam:AttachGroupPolicy", json!({"GroupName": "ops", "PolicyArn": arn})).await;
    let item = it.collect("iam-user", "ann", json!({})).await;
    assert_eq!(item["sha256"].as_str().unwrap().len(), 64, "{item}");
    let kept = it.kept_as("IAM user ann").await;
    assert_eq!(kept["user"]["UserName"], "ann");
    assert_eq!(kept["keys"]["AccessKeyMetadata"].as_array().unwrap().len(), 1);
    // AWS gives it percent-encoded, and it is kept as AWS gives it.
    assert!(kept["inline_texts"][0].to_string().contains("s3%3A%2A"), "{kept}");
    let of_group = &kept["of_groups"][0];
    assert!(of_group["attached_texts"][0]["text"].to_string().contains("s3:*"), "{of_group}");
    assert_eq!(kept["password"]["error"]["code"], "NoSuchEntity", "what is not there says so");

    let trust = json!({"RoleName": "app", "AssumeRolePolicyDocument": allow});
    it.ask("iam:CreateRole", trust).await;
    it.collect("iam-role", "app", json!({})).await;
    assert_eq!(it.kept_as("IAM role app").await["role"]["RoleName"], "app");

    it.ask("s3:CreateBucket", json!({"Bucket": "cards"})).await;
    let versions = json!({"Bucket": "cards", "VersioningConfiguration": {"Status": "Enabled"}});
    it.ask("s3:PutBucketVersioning", versions).await;
    for body in ["b25l", "dHdv"] {
        it.ask("s3:PutObject", json!({"Bucket": "cards", "Key": "a/x", "Body": body})).await;
    }
    it.ask("s3:DeleteObject", json!({"Bucket": "cards", "Key": "a/x"})).await;
    it.collect("bucket", "cards", json!({})).await;
    assert_eq!(it.kept_as("bucket cards").await["versioning"]["Status"], "Enabled");
    it.collect("versions", "cards", json!({"more": {"prefix": "a/"}})).await;
    let kept = it.kept_as("versions in cards/a/").await;
    let listed = &kept["regions"]["us-east-1"];
    assert_eq!(listed["Versions"].as_array().unwrap().len(), 2, "{kept}");
    assert_eq!(listed["DeleteMarkers"].as_array().unwrap().len(), 1, "{kept}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_access_log_of_a_bucket_is_kept_file_by_file() {
    let moto = Moto::start().await;
    let it = Scene::before(&moto).await;
    for bucket in ["cards", "logs"] {
        it.ask("s3:CreateBucket", json!({"Bucket": bucket})).await;
    }
    let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
        "Principal": {"Service": "logging.s3.amazonaws.com"}, "Action": "s3:PutObject",
        "Resource": "arn:aws:s3:::logs/*"}]});
    it.ask("s3:PutBucketPolicy", json!({"Bucket": "logs", "Policy": policy.to_string()})).await;
    let says = it.refused("access-logs", "cards", json!({})).await;
    assert!(says.contains("writes no access log"), "{says}");
    let logging = json!({"Bucket": "cards", "BucketLoggingStatus": {"LoggingEnabled":
        {"TargetBucket": "logs", "TargetPrefix": "of/"}}});
    it.ask("s3:PutBucketLogging", logging).await;
    for key in ["of/1", "of/2", "other/3"] {
        it.ask("s3:PutObject", json!({"Bucket": "logs", "Key": key, "Body": "bGluZQ=="})).await;
    }
    let found = it.collect("access-logs", "cards", json!({"since": "1h"})).await;
    let files = found["files"].as_array().unwrap();
    assert!(files.contains(&json!("of/1")) && files.contains(&json!("of/2")), "{found}");
    assert!(!files.contains(&json!("other/3")), "{found}");
    let kept = it.kept_as("access log of/1").await;
    assert!(kept.to_string().contains("bGluZQ=="), "{kept}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_is_looked_at_and_its_disks_go_to_another_account() {
    let moto = Moto::start().await;
    let it = Scene::before(&moto).await;
    let images = it.ask("ec2:DescribeImages", json!({"Owners": ["amazon"]})).await;
    let image = images["Images"][0]["ImageId"].clone();
    let run = json!({"ImageId": image, "MinCount": 1, "MaxCount": 1});
    let instance = id(&it.ask("ec2:RunInstances", run).await["Instances"][0]["InstanceId"]);
    it.collect("instance", &instance, json!({})).await;
    let kept = it.kept().await;
    let described = &kept[&format!("instance {instance}")]["regions"]["us-east-1"];
    assert_eq!(described["Reservations"][0]["Instances"][0]["InstanceId"], json!(instance));
    for what in ["volumes", "interfaces", "console", "security groups"] {
        assert!(kept.contains_key(&format!("{what} of {instance}")), "{:?}", kept.keys());
    }

    let why = it.denied("snapshots", &instance).await;
    assert!(why.contains("nobody agreed: rejected"), "{why}");
    let ours = json!({"OwnerIds": ["self"]});
    let none = it.ask("ec2:DescribeSnapshots", ours).await["Snapshots"].to_string();
    assert!(!none.contains(&it.incident), "a no takes nothing: {none}");

    let share = json!({"more": {"share": "999988887777"}});
    let run = it.begin("snapshots", &instance, share).await;
    it.stage.approve(&run).await;
    it.stage.approve(&run).await;
    let ids = it.result(&run).await;
    let snapshot = &ids[0];
    let which = json!({"SnapshotIds": [snapshot]});
    let there = it.ask("ec2:DescribeSnapshots", which).await["Snapshots"][0].clone();
    let tags = there["Tags"].to_string();
    assert!(tags.contains(&it.incident) && tags.contains(&instance), "{tags}");
    let asked = json!({"SnapshotId": snapshot, "Attribute": "createVolumePermission"});
    let shared = it.ask("ec2:DescribeSnapshotAttribute", asked).await;
    assert_eq!(shared["CreateVolumePermissions"][0]["UserId"], "999988887777", "{shared}");
    let kept = it.kept_as(&format!("snapshots of {}", it.incident)).await;
    assert_eq!(kept["regions"]["us-east-1"]["Snapshots"][0]["SnapshotId"], *snapshot);
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_of_a_log_group_are_asked_for_and_kept() {
    let moto = Moto::start().await;
    let it = Scene::before(&moto).await;
    it.ask("logs:CreateLogGroup", json!({"logGroupName": "app"})).await;
    let stream = json!({"logGroupName": "app", "logStreamName": "s"});
    it.ask("logs:CreateLogStream", stream.clone()).await;
    let now = it.stage.runtime.world().now().millis();
    let events = json!([{"timestamp": now - 2_000, "message": "first"},
        {"timestamp": now - 1_000, "message": "second"}]);
    let put = json!({"logGroupName": "app", "logStreamName": "s", "logEvents": events});
    it.ask("logs:PutLogEvents", put).await;
    let found = it.collect("lines", "app", json!({"since": "1h"})).await;
    assert_eq!(found, json!({"rows": 2, "parts": 1, "cut_off": false}));
    let kept = it.kept_as("lines of app").await.to_string();
    assert!(kept.contains("first") && kept.contains("second"), "{kept}");
    let query = json!({"more": {"query": "fields @message | limit 1"}, "since": "1h"});
    assert_eq!(it.collect("logs", "app", query).await["rows"], 1);
    assert!(it.kept().await.contains_key("logs of app"));
}

async fn work_group(it: &Scene, name: &str, limit: Option<i64>) {
    let result = json!({"OutputLocation": "s3://results/"});
    let mut rules = json!({"ResultConfiguration": result});
    if let Some(limit) = limit {
        rules["BytesScannedCutoffPerQuery"] = json!(limit);
    }
    it.ask("athena:CreateWorkGroup", json!({"Name": name, "Configuration": rules})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn athena_is_asked_only_where_a_query_can_not_cost_more_than_is_allowed() {
    let moto = Moto::start().await;
    let it = Scene::before(&moto).await;
    work_group(&it, "free", None).await;
    work_group(&it, "wide", Some(9_000_000_000_000)).await;
    work_group(&it, "narrow", Some(1_000_000_000)).await;
    let text = "SELECT * FROM trail LIMIT 1";
    let by = |group: &str| json!({"more": {"workgroup": group, "database": "security"}});
    for (group, words) in [("free", "has no limit"), ("wide", "lets a query scan")] {
        let says = it.refused("athena", text, by(group)).await;
        assert!(says.contains(words) && says.contains(group), "{says}");
    }
    let mut strict = by("narrow");
    strict["more"]["most_bytes"] = json!("1000");
    let says = it.refused("athena", text, strict).await;
    assert!(says.contains("1000 are allowed"), "{says}");

    let http = stanch_plugins_http::client_builder().build().unwrap();
    let rows = json!([{"Data": [{"VarCharValue": "eventname"}]}, {"Data": [{"VarCharValue": "StopLogging"}]}]);
    let columns = json!([{"Name": "eventname", "Type": "varchar", "Label": "eventname",
        "CatalogName": "hive", "SchemaName": "", "TableName": "", "Precision": 1, "Scale": 0,
        "Nullable": "UNKNOWN", "CaseSensitive": true}]);
    let answer = json!({"results": [{"rows": rows, "column_info": columns}]});
    let url = format!("{}/moto-api/static/athena/query-results", moto.url());
    http.post(url).json(&answer).send().await.unwrap().error_for_status().unwrap();
    let run = it.begin("athena", text, by("narrow")).await;
    it.stage.approve(&run).await;
    let found = it.result(&run).await;
    assert_eq!(found["limit_bytes"], 1_000_000_000, "{found}");
    let kept = it.kept().await;
    assert!(kept["athena"].to_string().contains("StopLogging"), "{}", kept["athena"]);
    assert!(kept["athena, how"].to_string().contains(text), "{}", kept["athena, how"]);
}
