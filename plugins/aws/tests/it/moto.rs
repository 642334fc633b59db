//! The client against moto, which was written by others and knows nothing of our models.

use serde_json::{Value, json};
use stanch_plugins_sdk::core::id::RunId;
use stanch_plugins_sdk::core::plan::Probe;
use stanch_plugins_sdk::core::probe;
use stanch_plugins_sdk::core::step::ErrorKind;
use stanch_plugins_sdk::{ActionContext, Catalogue, Outcome};
use stanch_tests::moto::Moto;

use crate::context::{call, catalogue, context, done, error};

/// The account that moto plays.
const ACCOUNT: &str = "123456789012";

async fn moto() -> (Moto, Catalogue) {
    let moto = Moto::start().await;
    let catalogue = catalogue(moto.url());
    (moto, catalogue)
}

#[tokio::test]
async fn a_waiter_looks_until_it_is_so() {
    let (_moto, aws) = moto().await;
    let context = context(ACCOUNT);
    let wait = aws.action("aws.wait").unwrap();
    let input = json!({"waiter": "iam:UserExists", "params": {"UserName": "late"}});
    let Ok(Outcome::Again { state, after }) = wait.run(&context, &input).await else {
        panic!("the user is not there yet")
    };
    assert_eq!((state["looks"].as_u64(), after.ms), (Some(1), 1_000));
    done(&aws, &context, "iam:CreateUser", json!({"UserName": "late"})).await;
    let later = ActionContext { state: Some(state), ..context };
    let Ok(Outcome::Done(seen)) = wait.run(&later, &input).await else { panic!("it is there") };
    assert_eq!(seen.value["User"]["UserName"], "late");
    let wrong = json!({"waiter": "iam:UserExist", "params": {}});
    assert!(wait.classify(&wrong).unwrap_err().message.contains("UserExists"));
}

#[tokio::test]
async fn a_secret_goes_to_a_person_and_into_no_journal() {
    let (_moto, aws) = moto().await;
    let by_hand = context(ACCOUNT);
    let user = json!({"UserName": "ci-deploy"});
    done(&aws, &by_hand, "iam:CreateUser", user.clone()).await;
    let of_a_run = ActionContext { run: Some(RunId::new(by_hand.now, 1)), ..by_hand.clone() };
    for (context, is_kept) in [(&by_hand, false), (&of_a_run, true)] {
        let made = done(&aws, context, "iam:CreateAccessKey", user.clone()).await;
        assert_eq!(made.secrets == ["/AccessKey/SecretAccessKey"], is_kept, "{made:?}");
        assert!(made.value["AccessKey"]["AccessKeyId"].as_str().unwrap().starts_with("AKIA"));
    }
}

#[tokio::test]
async fn a_key_lives_is_cut_off_and_the_probe_sees_it() {
    let (_moto, aws) = moto().await;
    let context = context(ACCOUNT);
    let user = json!({"UserName": "ci-deploy"});
    done(&aws, &context, "iam:CreateUser", user.clone()).await;
    let created = done(&aws, &context, "iam:CreateAccessKey", user.clone()).await;
    let key = created.value["AccessKey"]["AccessKeyId"].clone();

    let owner = json!({"AccessKeyId": key});
    let owner = done(&aws, &context, "iam:GetAccessKeyLastUsed", owner).await;
    assert_eq!(owner.value["UserName"], "ci-deploy");

    let cut = json!({"UserName": "ci-deploy", "AccessKeyId": key, "Status": "Inactive"});
    let changed = done(&aws, &context, "iam:UpdateAccessKey", cut).await;
    assert_eq!(changed.call.account.as_deref(), Some(ACCOUNT));
    assert!(changed.call.caller.unwrap().contains(ACCOUNT));

    let keys = done(&aws, &context, "iam:ListAccessKeys", user).await;
    let probe: Probe = serde_json::from_value(json!({
        "operation": "iam:ListAccessKeys", "params": {},
        "expression": format!("AccessKeyMetadata[?AccessKeyId=='{}'] | [0].Status == 'Inactive'",
            key.as_str().unwrap()),
    }))
    .unwrap();
    assert!(probe::look(&probe, &keys.value).unwrap().passes);
    // A member that moto leaves out is there, and null.
    assert_eq!(keys.value["Marker"], Value::Null);
}

#[tokio::test]
async fn instances_are_run_described_tagged_and_snapshotted() {
    let (_moto, aws) = moto().await;
    let context = context(ACCOUNT);
    let images = done(&aws, &context, "ec2:DescribeImages", json!({"Owners": ["amazon"]})).await;
    let image = &images.value["Images"][0]["ImageId"];
    let run = json!({"ImageId": image, "MinCount": 1, "MaxCount": 1, "InstanceType": "t3.micro"});
    let run = done(&aws, &context, "ec2:RunInstances", run).await;
    let id = run.value["Instances"][0]["InstanceId"].clone();

    let tags = json!({"Resources": [id], "Tags": [{"Key": "ir:incident", "Value": "INC & <1>"}]});
    done(&aws, &context, "ec2:CreateTags", tags).await;
    let filter = json!({"Filters": [{"Name": "tag:ir:incident", "Values": ["INC & <1>"]}]});
    let seen = done(&aws, &context, "ec2:DescribeInstances", filter).await;
    let instance = &seen.value["Reservations"][0]["Instances"][0];
    assert_eq!(instance["InstanceId"], id);
    assert_eq!(instance["State"]["Code"], 16);
    assert_eq!(instance["KernelId"], Value::Null);
    assert!(instance["LaunchTime"].as_str().unwrap().ends_with('Z'));

    let snapshots = json!({"InstanceSpecification": {"InstanceId": id}, "Description": "evidence"});
    let made = done(&aws, &context, "ec2:CreateSnapshots", snapshots).await;
    assert!(made.value["Snapshots"][0]["SnapshotId"].as_str().unwrap().starts_with("snap-"));
}

#[tokio::test]
async fn snapshots_whose_answer_was_lost_are_found_by_their_token() {
    let (_moto, aws) = moto().await;
    let context = context(ACCOUNT);
    let volume = json!({"AvailabilityZone": "us-east-1a", "Size": 1});
    let volume = done(&aws, &context, "ec2:CreateVolume", volume).await.value["VolumeId"].clone();
    let input = json!({"operation": "ec2:CreateSnapshot", "params": {"VolumeId": volume}});
    use stanch_plugins_sdk::LookUp;
    let before = call(&aws).look_up(&context, &input).await.unwrap();
    assert_eq!(before, LookUp::DidNotHappen);
    let Outcome::Done(made) = call(&aws).run(&context, &input).await.unwrap() else { panic!() };
    let LookUp::Happened(found) = call(&aws).look_up(&context, &input).await.unwrap() else {
        panic!("it is not found")
    };
    assert_eq!(found["SnapshotId"], made.value["SnapshotId"]);
    assert_eq!(found["VolumeId"], volume);
}

#[tokio::test]
async fn objects_go_into_s3_and_come_out() {
    let (_moto, aws) = moto().await;
    let context = context(ACCOUNT);
    done(&aws, &context, "s3:CreateBucket", json!({"Bucket": "evidence"})).await;
    let put = json!({"Bucket": "evidence", "Key": "INC-1/a b+ü.json", "Body": "e30=",
        "Metadata": {"incident": "INC-1"}, "ContentType": "application/json"});
    let put = done(&aws, &context, "s3:PutObject", put).await;
    assert!(put.value["ETag"].as_str().is_some());
    let get = json!({"Bucket": "evidence", "Key": "INC-1/a b+ü.json"});
    let got = done(&aws, &context, "s3:GetObject", get).await;
    assert_eq!(got.value["Body"], "e30=");
    assert_eq!(got.value["Metadata"], json!({"incident": "INC-1"}));
    assert_eq!(got.value["ContentType"], "application/json");
    let listed = done(&aws, &context, "s3:ListObjectsV2", json!({"Bucket": "evidence"})).await;
    assert_eq!(listed.value["Contents"][0]["Size"], 2);
    let block = json!({"Bucket": "evidence", "PublicAccessBlockConfiguration": {
        "BlockPublicAcls": true, "IgnorePublicAcls": true,
        "BlockPublicPolicy": true, "RestrictPublicBuckets": true}});
    done(&aws, &context, "s3:PutPublicAccessBlock", block).await;
    let block = json!({"Bucket": "evidence"});
    let block = done(&aws, &context, "s3:GetPublicAccessBlock", block).await;
    assert_eq!(block.value["PublicAccessBlockConfiguration"]["BlockPublicPolicy"], true);
    let missing = json!({"Bucket": "evidence", "Key": "none"});
    let error = error(&aws, &context, "s3:GetObject", missing).await;
    assert_eq!((error.code.as_str(), error.kind), ("NoSuchKey", ErrorKind::Permanent));
    let location = json!({"Bucket": "evidence"});
    done(&aws, &context, "s3:GetBucketLocation", location).await;
}

#[tokio::test]
async fn json_and_rest_json_services_answer_too() {
    let (_moto, aws) = moto().await;
    let context = context(ACCOUNT);
    let put = json!({"Name": "/a", "Value": "v", "Type": "String"});
    done(&aws, &context, "ssm:PutParameter", put).await;
    let got = done(&aws, &context, "ssm:GetParameter", json!({"Name": "/a"})).await;
    assert_eq!(got.value["Parameter"]["Value"], "v");

    let detector = done(&aws, &context, "guardduty:CreateDetector", json!({"Enable": true})).await;
    let id = detector.value["DetectorId"].clone();
    let got = done(&aws, &context, "guardduty:GetDetector", json!({"DetectorId": id})).await;
    assert_eq!(got.value["Status"], "ENABLED");

    let metric = json!({"Namespace": "IR", "MetricData": [{"MetricName": "m", "Value": 1.5}]});
    done(&aws, &context, "cloudwatch:PutMetricData", metric).await;

    let secret = json!({"Name": "s", "SecretString": "x"});
    let secret = done(&aws, &context, "secretsmanager:CreateSecret", secret).await;
    let read = json!({"SecretId": secret.value["ARN"]});
    let read = done(&aws, &context, "secretsmanager:GetSecretValue", read).await;
    // The step's token went where the model wants it.
    assert_eq!(read.value["VersionId"], context.token.to_string());
}

#[tokio::test]
async fn all_pages_come_as_one_answer() {
    let (_moto, aws) = moto().await;
    let context = context(ACCOUNT);
    for name in 0..7 {
        done(&aws, &context, "iam:CreateUser", json!({"UserName": format!("u{name}")})).await;
    }
    let input = json!({"operation": "iam:ListUsers", "params": {"MaxItems": 2}, "paginate": true});
    let Outcome::Done(all) = call(&aws).run(&context, &input).await.unwrap() else { panic!() };
    assert_eq!(all.value["Users"].as_array().unwrap().len(), 7);
    assert_eq!(all.value["Marker"], Value::Null);
    assert!(all.call.caveats.is_empty());
}

#[tokio::test]
async fn a_no_has_awss_own_code() {
    let (_moto, aws) = moto().await;
    let context = context(ACCOUNT);
    for (operation, params, code) in [
        ("iam:GetUser", json!({"UserName": "nobody"}), "NoSuchEntity"),
        ("ec2:DescribeInstances", json!({"InstanceIds": ["i-0"]}), "InvalidInstanceID.NotFound"),
        ("ssm:GetParameter", json!({"Name": "/none"}), "ParameterNotFound"),
        ("lambda:GetFunction", json!({"FunctionName": "none"}), "ResourceNotFoundException"),
    ] {
        let error = error(&aws, &context, operation, params).await;
        assert_eq!((error.code.as_str(), error.kind), (code, ErrorKind::Permanent), "{operation}");
    }
}

#[tokio::test]
async fn a_topic_is_told() {
    let (_moto, aws) = moto().await;
    let context = context(ACCOUNT);
    let topic = done(&aws, &context, "sns:CreateTopic", json!({"Name": "alerts"})).await;
    let input = json!({"topic_arn": topic.value["TopicArn"], "subject": "a\nb", "message": "m"});
    let publish = aws.action("aws.sns_publish").unwrap();
    let Outcome::Done(sent) = publish.run(&context, &input).await.unwrap() else { panic!() };
    assert!(sent.value["message_id"].as_str().is_some());
}
