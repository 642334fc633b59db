"""AWS's own client for Python against `stanch aws sandbox`: it signs, calls, pages, waits and reads
errors as it would with AWS. Each function whose name begins with `check_` is one case."""

import json
import socket
import sys
import time
import traceback
import urllib.request

import boto3
import botocore.auth
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError

URL, KEY, SECRET = sys.argv[1:4]
ACCOUNT = "111122223333"

# Retries and waiters pause; the sandbox goes on each time that it is looked at.
time.sleep = lambda seconds: None

# S3 Control puts the account in front of the host, and no resolver knows of this one.
resolve = socket.getaddrinfo
socket.getaddrinfo = lambda host, *more, **named: resolve(
    host.removeprefix(f"{ACCOUNT}."), *more, **named
)


def client(service, key=KEY, secret=SECRET, attempts=1, region="us-east-1", **more):
    config = Config(
        retries={"mode": "standard", "total_max_attempts": attempts},
        s3={"addressing_style": "path"},
        inject_host_prefix=False,
        read_timeout=20,
        **more,
    )
    return boto3.client(
        service,
        endpoint_url=URL,
        region_name=region,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        config=config,
    )


def control(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{URL}/_sandbox/{path}", data=data, method=method)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def order(operation, kind, times=1):
    control("POST", "faults", {"operation": operation, "kind": kind, "times": times})


def refused(call, *codes):
    try:
        answer = call()
    except ClientError as error:
        code = error.response["Error"]["Code"]
        assert code in codes, (code, codes)
        assert error.response["ResponseMetadata"]["RequestId"], error.response
        return error
    raise AssertionError(f"not refused: {answer}")


def check_query():
    iam = client("iam")
    user = iam.create_user(UserName="mallory", Tags=[{"Key": "team", "Value": "a + b"}])["User"]
    assert user["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/mallory", user
    refused(lambda: iam.create_user(UserName="mallory"), "EntityAlreadyExists")
    names = [u["UserName"] for page in iam.get_paginator("list_users").paginate() for u in page["Users"]]
    assert names == ["ci-deploy", "mallory"], names
    made = iam.create_access_key(UserName="mallory")["AccessKey"]
    own = {"key": made["AccessKeyId"], "secret": made["SecretAccessKey"]}
    assert client("sts", **own).get_caller_identity()["Arn"] == user["Arn"]
    iam.update_access_key(UserName="mallory", AccessKeyId=own["key"], Status="Inactive")
    refused(lambda: client("sts", **own).get_caller_identity(), "InvalidClientTokenId")
    refused(lambda: iam.delete_user(UserName="mallory"), "DeleteConflict")
    policy = {"UserName": "mallory", "PolicyName": "deny"}
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}
    iam.put_user_policy(PolicyDocument=json.dumps(document), **policy)
    assert iam.get_user_policy(**policy)["PolicyDocument"] == document
    sns = client("sns")
    assert sns.publish(TopicArn=f"arn:aws:sns:us-east-1:{ACCOUNT}:t", Message="m")["MessageId"]
    client("elbv2").describe_load_balancers()
    client("autoscaling").enter_standby(AutoScalingGroupName="a", ShouldDecrementDesiredCapacity=True)


def check_ec2():
    ec2 = client("ec2")
    pages = ec2.get_paginator("describe_instances").paginate()
    (instance,) = [i for page in pages for r in page["Reservations"] for i in r["Instances"]]
    snapshot = ec2.create_snapshot(VolumeId=instance["BlockDeviceMappings"][0]["Ebs"]["VolumeId"])
    ids = {"SnapshotIds": [snapshot["SnapshotId"]]}
    assert ec2.describe_snapshots(**ids)["Snapshots"][0]["State"] == "pending"
    ec2.get_waiter("snapshot_completed").wait(**ids)
    ec2.modify_snapshot_attribute(
        SnapshotId=snapshot["SnapshotId"],
        CreateVolumePermission={"Add": [{"UserId": "444455556666"}]},
    )
    shared = ec2.describe_snapshot_attribute(
        SnapshotId=snapshot["SnapshotId"], Attribute="createVolumePermission"
    )
    assert shared["CreateVolumePermissions"] == [{"UserId": "444455556666"}], shared
    made = ec2.create_security_group(GroupName="isolate", Description="d", VpcId=instance["VpcId"])
    group = made["GroupId"]
    out = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    ec2.revoke_security_group_egress(GroupId=group, IpPermissions=out)
    refused(
        lambda: ec2.revoke_security_group_egress(GroupId=group, IpPermissions=out),
        "InvalidPermission.NotFound",
    )
    ssh = [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}]
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=ssh)
    refused(
        lambda: ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=ssh),
        "InvalidPermission.Duplicate",
    )
    interface = instance["NetworkInterfaces"][0]["NetworkInterfaceId"]
    ec2.modify_network_interface_attribute(NetworkInterfaceId=interface, Groups=[group])
    seen = ec2.describe_instances(InstanceIds=[instance["InstanceId"]])
    groups = seen["Reservations"][0]["Instances"][0]["SecurityGroups"]
    assert groups == [{"GroupId": group, "GroupName": "isolate"}], groups
    refused(lambda: ec2.delete_security_group(GroupId=group), "DependencyViolation")
    ec2.stop_instances(InstanceIds=[instance["InstanceId"]])
    ec2.get_waiter("instance_stopped").wait(InstanceIds=[instance["InstanceId"]])
    refused(lambda: ec2.describe_instances(InstanceIds=["i-0"]), "InvalidInstanceID.NotFound")


def check_json():
    trail = client("cloudtrail")
    lookup = {"LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": "CreateUser"}]}
    pages = trail.get_paginator("lookup_events").paginate(**lookup, PaginationConfig={"PageSize": 2})
    events = [event for page in pages for event in page["Events"]]
    assert [event["EventId"] for event in events] == ["e5", "e4", "e3", "e2", "e1"], events
    assert events[0]["EventTime"].isoformat().startswith("2026-11-24T"), events[0]
    ssm = client("ssm")
    (host,) = ssm.describe_instance_information()["InstanceInformationList"]
    sent = ssm.send_command(
        InstanceIds=[host["InstanceId"]],
        DocumentName="AWS-RunShellScript",
        Parameters={"commands": ["id"]},
    )
    command = {"CommandId": sent["Command"]["CommandId"], "InstanceId": host["InstanceId"]}
    ssm.get_waiter("command_executed").wait(**command)
    assert ssm.get_command_invocation(**command)["Status"] == "Success"
    other = ssm.send_command(InstanceIds=[host["InstanceId"]], DocumentName="AWS-RunShellScript")
    ssm.cancel_command(CommandId=other["Command"]["CommandId"])
    (listed,) = ssm.list_commands(CommandId=other["Command"]["CommandId"])["Commands"]
    assert listed["Status"] == "Cancelled", listed
    refused(
        lambda: ssm.send_command(InstanceIds=["i-0123456789abcdef0"], DocumentName="AWS-RunShellScript"),
        "InvalidInstanceId",
    )
    contain = {"InstanceId": [host["InstanceId"]], "Action": ["Contain"], "BackupS3BucketName": ["b"]}
    start = {"DocumentName": "AWSSupport-ContainEC2Instance", "Parameters": contain}
    first = ssm.start_automation_execution(**start)["AutomationExecutionId"]
    look = {"AutomationExecutionId": first}
    before = ssm.get_automation_execution(**look)["AutomationExecution"]
    assert before["AutomationExecutionStatus"] == "InProgress", before
    control("POST", "clock", {"advance_ms": 600_000})
    after = ssm.get_automation_execution(**look)["AutomationExecution"]
    assert after["AutomationExecutionStatus"] == "Success", after
    second = ssm.start_automation_execution(**start)["AutomationExecutionId"]
    ssm.stop_automation_execution(AutomationExecutionId=second, Type="Cancel")
    listed = ssm.describe_automation_executions(Filters=[{"Key": "ExecutionId", "Values": [second]}])
    (metadata,) = listed["AutomationExecutionMetadataList"]
    assert metadata["AutomationExecutionStatus"] == "Cancelled", metadata
    rules = client("config").describe_compliance_by_config_rule()["ComplianceByConfigRules"]
    assert rules[0]["Compliance"]["ComplianceType"] == "NON_COMPLIANT", rules
    assert client("kms").describe_key(KeyId="k")["KeyMetadata"]["KeyId"] == "k"
    client("organizations").describe_organization()


def check_rest_json():
    guardduty = client("guardduty")
    (detector,) = guardduty.list_detectors()["DetectorIds"]
    criteria = {"Criterion": {"severity": {"GreaterThanOrEqual": 7}, "service.archived": {"Equals": ["false"]}}}
    find = {"DetectorId": detector, "FindingCriteria": criteria}
    (high,) = guardduty.list_findings(**find)["FindingIds"]
    (finding,) = guardduty.get_findings(DetectorId=detector, FindingIds=[high])["Findings"]
    assert finding["Type"] == "Backdoor:EC2/C&CActivity.B", finding["Type"]
    guardduty.archive_findings(DetectorId=detector, FindingIds=[high])
    assert guardduty.list_findings(**find)["FindingIds"] == []
    guardduty.unarchive_findings(DetectorId=detector, FindingIds=[high])
    guardduty.update_findings_feedback(DetectorId=detector, FindingIds=[high], Feedback="USEFUL")
    (finding,) = guardduty.get_findings(DetectorId=detector, FindingIds=[high])["Findings"]
    assert finding["Service"]["UserFeedback"] == "USEFUL"
    hub = client("securityhub")
    new = {"WorkflowStatus": [{"Value": "NEW", "Comparison": "EQUALS"}]}
    (found,) = hub.get_findings(Filters=new)["Findings"]
    which = {"Id": found["Id"], "ProductArn": found["ProductArn"]}
    updated = hub.batch_update_findings(
        FindingIdentifiers=[which, {**which, "Id": "none"}],
        Workflow={"Status": "RESOLVED"},
        Note={"Text": "INC-1", "UpdatedBy": "stanch"},
    )
    assert updated["ProcessedFindings"] == [which], updated
    assert updated["UnprocessedFindings"][0]["ErrorCode"] == "FindingNotFound", updated
    assert hub.get_findings(Filters=new)["Findings"] == []
    detective = client("detective")
    graph = detective.list_graphs()["GraphList"][0]["Arn"]
    started = detective.start_investigation(
        GraphArn=graph,
        EntityArn=f"arn:aws:iam::{ACCOUNT}:user/ci-deploy",
        ScopeStartTime="2026-11-23T00:00:00Z",
        ScopeEndTime="2026-11-24T00:00:00Z",
    )
    which = {"GraphArn": graph, "InvestigationId": started["InvestigationId"]}
    assert detective.get_investigation(**which)["Status"] == "RUNNING"
    assert detective.list_indicators(**which)["Indicators"] == []
    control("POST", "clock", {"advance_ms": 600_000})
    assert detective.get_investigation(**which)["Status"] == "SUCCESSFUL"
    assert len(detective.list_indicators(**which)["Indicators"]) == 1
    refused(
        lambda: detective.get_investigation(GraphArn=graph, InvestigationId="6" * 21),
        "ResourceNotFoundException",
    )
    assert client("lambda").get_function(FunctionName="f")["Configuration"]["FunctionName"] == "f"
    assert client("lambda").invoke(FunctionName="f", Payload=b"{}")["Payload"].read() == b"sandbox"
    assert client("eks").describe_cluster(name="c")["cluster"]["name"] == "c"


def check_rest_xml():
    s3 = client("s3")
    put = s3.put_object(Bucket="b", Key="a b/ü+1", Body=b"evidence", Metadata={"incident": "INC-1"})
    assert put["ETag"], put
    (call,) = [c for c in control("GET", "calls")["calls"] if c["operation"] == "s3:PutObject"]
    assert call["params"]["Key"] == "a b/ü+1" and call["params"]["Metadata"] == {"incident": "INC-1"}
    got = s3.get_object(Bucket="b", Key="a b/ü+1")
    # The client holds the content against it.
    assert got["ChecksumCRC32"] and got["Body"].read() == b"sandbox", got
    for algorithm in ("CRC32", "SHA1", "SHA256"):
        s3.put_object(Bucket="b", Key="k", Body=b"evidence", ChecksumAlgorithm=algorithm)
    refused(lambda: s3.put_object(Bucket="b", Key="k", Body=b"e", ContentMD5="A" * 22 + "=="), "BadDigest")
    refused(lambda: s3.put_object(Bucket="b", Key="k", Body=b"e", ChecksumSHA1="A" * 27 + "="), "BadDigest")
    s3.put_bucket_policy(Bucket="b", Policy="{}")
    s3.delete_objects(Bucket="b", Delete={"Objects": [{"Key": "k"}]})
    assert s3.head_object(Bucket="b", Key="k")["ContentLength"] >= 0
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket="b")
    assert sum(len(page["Contents"]) for page in pages) == 1
    block = dict.fromkeys(
        ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"], True
    )
    s3.put_public_access_block(Bucket="b", PublicAccessBlockConfiguration=block)
    lock = {"Mode": "GOVERNANCE", "RetainUntilDate": "2027-01-01T00:00:00Z"}
    s3.put_object_retention(Bucket="b", Key="k", Retention=lock)
    s3.get_bucket_location(Bucket="b")
    s3.get_bucket_acl(Bucket="b")
    client("s3control").get_public_access_block(AccountId=ACCOUNT)
    client("s3control").create_access_grants_instance(AccountId=ACCOUNT)
    client("route53").list_hosted_zones()
    client("cloudfront").list_distributions()
    refused(lambda: s3.get_object(Bucket="b", Key="missing"), "NoSuchKey")


def check_cbor():
    events = client("eventbridgev2")
    kinds = []
    seen = lambda request, **_: kinds.append(request.headers["Content-Type"])
    events.meta.events.register("before-send", seen)
    made = events.create_event_bus(Name="ir", Tags={"team": "ü"})
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 200, made
    buses = [bus for page in events.get_paginator("list_event_buses").paginate() for bus in page["EventBuses"]]
    assert len(buses) == 1, buses
    refused(lambda: client("eventbridgev2", parameter_validation=False).create_event_bus(), "ValidationException")
    assert {kind.decode() if isinstance(kind, bytes) else kind for kind in kinds} == {"application/cbor"}, kinds
    (call,) = [c for c in control("GET", "calls")["calls"] if c["outcome"] == "ok" and c["operation"].endswith(":CreateEventBus")]
    assert call["params"]["Name"] == "ir" and call["params"]["Tags"] == {"team": "ü"}, call
    watch = client("cloudwatch")
    assert watch.describe_alarms(AlarmNames=["a"])["MetricAlarms"][0]["StateUpdatedTimestamp"].year > 2000
    big = [{"MetricName": "m" * 200, "Value": float(n)} for n in range(200)]
    watch.put_metric_data(Namespace="IR", MetricData=big)
    (call,) = [c for c in control("GET", "calls")["calls"] if c["operation"] == "cloudwatch:PutMetricData"]
    assert call["params"]["MetricData"] == big, call


def check_signatures():
    for service, call, unknown, wrong in [
        ("sts", "get_caller_identity", "InvalidClientTokenId", "SignatureDoesNotMatch"),
        ("ec2", "describe_regions", "AuthFailure", "SignatureDoesNotMatch"),
        ("ssm", "list_commands", "UnrecognizedClientException", "InvalidSignatureException"),
        ("guardduty", "list_detectors", "UnrecognizedClientException", "InvalidSignatureException"),
        ("s3", "list_buckets", "InvalidAccessKeyId", "SignatureDoesNotMatch"),
        ("eventbridgev2", "list_event_buses", "UnrecognizedClientException", "InvalidSignatureException"),
    ]:
        refused(getattr(client(service, key="AKIAUNKNOWN000000000"), call), unknown)
        refused(getattr(client(service, secret="wrong"), call), wrong)
    session = boto3.Session(KEY, SECRET, "no-such-session")
    sts = session.client("sts", endpoint_url=URL, region_name="us-east-1")
    refused(sts.get_caller_identity, "InvalidClientTokenId")
    link = client("s3", signature_version="s3v4").generate_presigned_url("get_object", Params={"Bucket": "b", "Key": "k"})
    with urllib.request.urlopen(link) as answer:
        assert answer.read() == b"sandbox"


def check_mistakes():
    loose = {"parameter_validation": False}
    for service, call, params, code in [
        ("iam", "update_access_key", {"AccessKeyId": "A" * 16, "Status": "inactive"}, "ValidationError"),
        ("ec2", "describe_instances", {"InstanceIds": "i-1", "MaxResults": "five"}, "InvalidParameterValue"),
        ("ssm", "send_command", {"InstanceIds": ["i-0123456789abcdef0"]}, "ValidationException"),
        ("guardduty", "get_findings", {"DetectorId": "d"}, "ValidationException"),
    ]:
        error = refused(lambda: getattr(client(service, **loose), call)(**params), code)
        assert "`" in error.response["Error"]["Message"], error


def check_faults():
    iam = client("iam", attempts=5)
    order("iam:ListUsers", "throttle", 2)
    assert iam.list_users()["ResponseMetadata"]["RetryAttempts"] == 2
    order("ec2:DescribeRegions", "html", 2)
    assert client("ec2", attempts=5).describe_regions()["ResponseMetadata"]["RetryAttempts"] == 2
    order("ssm:ListCommands", "cut_midway", 1)
    try:
        client("ssm").list_commands()
        raise AssertionError("the answer was cut")
    except HTTPClientError:
        pass
    once = client("iam")
    order("iam:CreateUser", "cut_after_apply")
    try:
        once.create_user(UserName="trent")
        raise AssertionError("the connection was cut")
    except HTTPClientError:
        pass
    assert once.get_user(UserName="trent")["User"]["UserName"] == "trent"
    for kind, code in [("denied", "AccessDenied"), ("expired", "ExpiredToken"), ("server_error", "InternalFailure")]:
        order("iam:GetUser", kind)
        refused(lambda: once.get_user(UserName="trent"), code)
    order("iam:GetUser", {"late": {"after_ms": 1}})
    once.get_user(UserName="trent")


def check_tokens():
    athena = client("athena")
    ask = {"QueryString": "select 1", "ClientRequestToken": "t" * 32}
    first = athena.start_query_execution(**ask)["QueryExecutionId"]
    assert athena.start_query_execution(**ask)["QueryExecutionId"] == first
    refused(
        lambda: athena.start_query_execution(**{**ask, "QueryString": "select 2"}),
        "IdempotentParameterMismatchException",
        "InvalidRequestException",
    )
    ec2 = client("ec2")
    run = {"MinCount": 1, "MaxCount": 1, "ImageId": "ami-1", "ClientToken": "run-1"}
    ec2.run_instances(**run)
    refused(lambda: ec2.run_instances(**{**run, "ImageId": "ami-2"}), "IdempotentParameterMismatch")


def check_script():
    secrets = client("secretsmanager")
    assert secrets.get_secret_value(SecretId="of-the-script")["SecretString"] == "hunter2"
    refused(lambda: secrets.get_secret_value(SecretId="another"), "ResourceNotFoundException")
    assert secrets.get_secret_value(SecretId="third")["Name"] == "sandbox-1"


def main():
    checks = [(name, check) for name, check in globals().items() if name.startswith("check_")]
    failed = 0
    for name, check in checks:
        control("DELETE", "calls")
        try:
            check()
            print(name, flush=True)
        except Exception:
            failed += 1
            print(f"{name}: {traceback.format_exc()}", file=sys.stderr, flush=True)
    print(f"{len(checks)} checks", flush=True)
    sys.exit(1 if failed else 0)


main()
