# The same as ../../cloudformation/member.yaml: once in each account.

data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}

locals {
  read_actions = [
    "cloudtrail:DescribeTrails",
    "cloudtrail:GetTrail",
    "cloudtrail:GetTrailStatus",
    "cloudtrail:LookupEvents",
    "config:DescribeConfigurationRecorderStatus",
    "config:DescribeConfigurationRecorders",
    "config:DescribeDeliveryChannels",
    "config:GetResourceConfigHistory",
    "config:ListDiscoveredResources",
    "detective:GetInvestigation",
    "detective:ListGraphs",
    "detective:ListIndicators",
    "detective:ListInvestigations",
    "ec2:DescribeFlowLogs",
    "ec2:DescribeInstances",
    "ec2:DescribeRegions",
    "ec2:DescribeTags",
    "ec2:DescribeVolumes",
    "ec2:DescribeVpcs",
    "ec2:GetConsoleOutput",
    "elasticloadbalancing:DescribeLoadBalancerAttributes",
    "elasticloadbalancing:DescribeLoadBalancers",
    "guardduty:GetDetector",
    "guardduty:GetFindings",
    "guardduty:GetFindingsStatistics",
    "guardduty:ListDetectors",
    "iam:GetAccessKeyLastUsed",
    "iam:GetRole",
    "iam:GetUser",
    "iam:GetUserPolicy",
    "iam:ListAccessKeys",
    "iam:ListAttachedUserPolicies",
    "iam:ListGroupsForUser",
    "iam:ListMFADevices",
    "iam:ListRoleTags",
    "iam:ListUserPolicies",
    "iam:ListUserTags",
    "logs:DescribeLogGroups",
    "organizations:DescribeOrganizationalUnit",
    "organizations:ListAccounts",
    "organizations:ListAccountsForParent",
    "organizations:ListOrganizationalUnitsForParent",
    "organizations:ListParents",
    "organizations:ListTagsForResource",
    "route53resolver:ListResolverQueryLogConfigAssociations",
    "route53resolver:ListResolverQueryLogConfigs",
    "s3:GetBucketLogging",
    "s3:GetBucketTagging",
    "s3:ListAllMyBuckets",
    "securityhub:DescribeHub",
    "securityhub:GetFindings",
    "ssm:DescribeDocument",
    "ssm:GetAutomationExecution",
    "sts:GetCallerIdentity",
    "tag:GetResources",
  ]
  # `stanch doctor`, and the node's own comparison with the detectors.
  node_actions = [
    "ec2:DescribeRegions",
    "events:ListRules",
    "events:ListTargetsByRule",
    "guardduty:GetDetector",
    "guardduty:GetFindings",
    "guardduty:ListDetectors",
    "guardduty:ListFindings",
    "iam:SimulatePrincipalPolicy",
    "securityhub:DescribeHub",
    "securityhub:GetFindings",
  ]
  collect_actions = [
    "athena:GetQueryExecution",
    "athena:GetQueryResults",
    "athena:GetWorkGroup",
    "cloudtrail:LookupEvents",
    "config:GetResourceConfigHistory",
    "config:ListDiscoveredResources",
    "detective:GetInvestigation",
    "detective:ListGraphs",
    "detective:ListIndicators",
    "detective:StartInvestigation",
    "ec2:DescribeIamInstanceProfileAssociations",
    "ec2:DescribeInstanceAttribute",
    "ec2:DescribeInstances",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeRegions",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSnapshotAttribute",
    "ec2:DescribeSnapshots",
    "ec2:DescribeTags",
    "ec2:DescribeVolumes",
    "ec2:GetConsoleOutput",
    "ec2:GetConsoleScreenshot",
    "guardduty:GetFindings",
    "guardduty:ListDetectors",
    "guardduty:ListFindings",
    "iam:GenerateServiceLastAccessedDetails",
    "iam:GetAccessKeyLastUsed",
    "iam:GetGroupPolicy",
    "iam:GetLoginProfile",
    "iam:GetPolicy",
    "iam:GetPolicyVersion",
    "iam:GetRole",
    "iam:GetRolePolicy",
    "iam:GetServiceLastAccessedDetails",
    "iam:GetUser",
    "iam:GetUserPolicy",
    "iam:ListAccessKeys",
    "iam:ListAttachedGroupPolicies",
    "iam:ListAttachedRolePolicies",
    "iam:ListAttachedUserPolicies",
    "iam:ListGroupPolicies",
    "iam:ListGroupsForUser",
    "iam:ListInstanceProfilesForRole",
    "iam:ListMFADevices",
    "iam:ListRolePolicies",
    "iam:ListSigningCertificates",
    "iam:ListUserPolicies",
    "lambda:GetFunction",
    "lambda:GetFunctionCodeSigningConfig",
    "lambda:GetFunctionConcurrency",
    "lambda:GetFunctionConfiguration",
    "lambda:GetFunctionUrlConfig",
    "lambda:GetPolicy",
    "lambda:ListAliases",
    "lambda:ListEventSourceMappings",
    "lambda:ListVersionsByFunction",
    "logs:GetQueryResults",
    "logs:StartQuery",
    "logs:StopQuery",
    "s3:GetBucketAcl",
    "s3:GetBucketLogging",
    "s3:GetBucketObjectLockConfiguration",
    "s3:GetBucketPolicy",
    "s3:GetBucketPublicAccessBlock",
    "s3:GetBucketVersioning",
    "s3:GetBucketWebsite",
    "s3:GetEncryptionConfiguration",
    "s3:GetLifecycleConfiguration",
    "s3:GetObject",
    "s3:GetObjectVersion",
    "s3:GetReplicationConfiguration",
    "s3:ListBucket",
    "s3:ListBucketVersions",
    "securityhub:GetFindingHistory",
    "securityhub:GetFindings",
    "ssm:DescribeDocument",
    "ssm:DescribeInstanceInformation",
    "ssm:GetCommandInvocation",
    "ssm:ListCommandInvocations",
    "ssm:ListCommands",
  ]
  collect_take_actions = [
    "athena:StartQueryExecution",
    "ec2:CreateSnapshots",
    "ec2:CreateTags",
    "ec2:ModifySnapshotAttribute",
    "glue:GetDatabase",
    "glue:GetPartitions",
    "glue:GetTable",
    "s3:GetBucketLocation",
    "s3:GetObject",
    "s3:ListBucket",
    "s3:PutObject",
    "ssm:SendCommand",
  ]
  switch_on_actions = [
    "cloudtrail:CreateTrail",
    "cloudtrail:DeleteTrail",
    "cloudtrail:StartLogging",
    "cloudtrail:StopLogging",
    "cloudtrail:UpdateTrail",
    "config:DeleteConfigurationRecorder",
    "config:DeleteDeliveryChannel",
    "config:PutConfigurationRecorder",
    "config:PutDeliveryChannel",
    "config:StartConfigurationRecorder",
    "config:StopConfigurationRecorder",
    "ec2:CreateFlowLogs",
    "ec2:DeleteFlowLogs",
    "elasticloadbalancing:ModifyLoadBalancerAttributes",
    "guardduty:CreateDetector",
    "guardduty:DeleteDetector",
    "guardduty:UpdateDetector",
    "logs:DeleteRetentionPolicy",
    "logs:PutRetentionPolicy",
    "route53resolver:AssociateResolverQueryLogConfig",
    "route53resolver:CreateResolverQueryLogConfig",
    "route53resolver:DisassociateResolverQueryLogConfig",
    "s3:PutBucketLogging",
    "securityhub:DisableSecurityHub",
    "securityhub:EnableSecurityHub",
  ]
  contain_actions = [
    "guardduty:ArchiveFindings",
    "guardduty:UnarchiveFindings",
    "guardduty:UpdateFindingsFeedback",
    "iam:DeleteUserPolicy",
    "iam:PutUserPolicy",
    "iam:UpdateAccessKey",
    "securityhub:BatchUpdateFindings",
    "ssm:GetAutomationExecution",
    "ssm:StartAutomationExecution",
  ]
  arn = "arn:${data.aws_partition.this.partition}"
  own = [for name in [var.read_role_name, var.contain_role_name] : "${local.arn}:iam::${data.aws_caller_identity.this.account_id}:role/${name}"]
}

data "aws_iam_policy_document" "trust" {
  for_each = toset(["read", "contain"])

  statement {
    actions = ["sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"]
    principals {
      type        = "AWS"
      identifiers = [var.runner_arn]
    }
    condition {
      test     = "StringEquals"
      variable = "sts:ExternalId"
      values   = [var.external_id]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/stanch:use"
      values   = [each.key]
    }
  }
}

resource "aws_iam_role" "read" {
  name                 = var.read_role_name
  description          = "Stanch reads with it."
  max_session_duration = 3600
  assume_role_policy   = data.aws_iam_policy_document.trust["read"].json
}

resource "aws_iam_role_policy" "read_playbooks" {
  name = "playbooks"
  role = aws_iam_role.read.id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Sid = "Playbooks", Effect = "Allow", Action = local.read_actions, Resource = "*" }]
  })
}

resource "aws_iam_role_policy" "read_node" {
  name = "node"
  role = aws_iam_role.read.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Sid = "Node", Effect = "Allow", Action = local.node_actions, Resource = "*" },
      {
        Sid      = "Undelivered"
        Effect   = "Allow"
        Action   = "sqs:GetQueueAttributes"
        Resource = "${local.arn}:sqs:*:${data.aws_caller_identity.this.account_id}:stanch-undelivered"
      },
    ]
  })
}

resource "aws_iam_role" "contain" {
  count = var.may_contain ? 1 : 0

  name                 = var.contain_role_name
  description          = "Stanch carries approved plans out with it."
  max_session_duration = 3600
  assume_role_policy   = data.aws_iam_policy_document.trust["contain"].json
}

resource "aws_iam_role_policy" "contain_playbooks" {
  count = var.may_contain ? 1 : 0

  name = "playbooks"
  role = aws_iam_role.contain[0].id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Sid = "Playbooks", Effect = "Allow", Action = local.contain_actions, Resource = "*" }]
  })
}

# Whoever takes Stanch over can't give it more than it has.
resource "aws_iam_role_policy" "contain_never" {
  count = var.may_contain ? 1 : 0

  name = "never"
  role = aws_iam_role.contain[0].id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Sid = "OwnRoles", Effect = "Deny", Action = "iam:*", Resource = local.own }]
  })
}

resource "aws_iam_role_policy" "contain_switch_on" {
  count = var.may_contain && var.may_switch_on ? 1 : 0

  name = "logging-baseline"
  role = aws_iam_role.contain[0].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Sid = "Baseline", Effect = "Allow", Action = local.switch_on_actions, Resource = "*" },
      {
        Sid       = "BaselineRoles"
        Effect    = "Allow"
        Action    = "iam:PassRole"
        Resource  = "*"
        Condition = { StringEquals = { "iam:PassedToService" = ["config.amazonaws.com", "vpc-flow-logs.amazonaws.com"] } }
      },
    ]
  })
}

resource "aws_iam_role_policy" "read_collect" {
  count = var.may_collect ? 1 : 0

  name = "collect"
  role = aws_iam_role.read.id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Sid = "Collect", Effect = "Allow", Action = local.collect_actions, Resource = "*" }]
  })
}

resource "aws_iam_role_policy" "contain_collect" {
  count = var.may_contain && var.may_collect ? 1 : 0

  name = "collect"
  role = aws_iam_role.contain[0].id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Sid = "CollectTake", Effect = "Allow", Action = local.collect_take_actions, Resource = "*" }]
  })
}

resource "aws_iam_role_policy" "contain_runbooks" {
  count = var.may_contain && var.automation_role_arn != "" ? 1 : 0

  name = "runbooks"
  role = aws_iam_role.contain[0].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "Automation"
      Effect    = "Allow"
      Action    = "iam:PassRole"
      Resource  = var.automation_role_arn
      Condition = { StringEquals = { "iam:PassedToService" = "ssm.amazonaws.com" } }
    }]
  })
}

output "read_role_arn" {
  value = aws_iam_role.read.arn
}

output "contain_role_arn" {
  value = one(aws_iam_role.contain[*].arn)
}
