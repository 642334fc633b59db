# The same as ../../cloudformation/regional.yaml: once in each region of each account.

data "aws_caller_identity" "this" {}

locals {
  rules = {
    "guardduty" = {
      description = "Findings of GuardDuty."
      source      = ["aws.guardduty"]
      detail_type = ["GuardDuty Finding"]
      aggregated  = true
    }
    "securityhub" = {
      description = "Findings of Security Hub, old and new, and those that people send by a custom action."
      source      = ["aws.securityhub"]
      detail_type = ["Security Hub Findings - Imported", "Security Hub Findings - Custom Action", "Security Hub Insight Results", "Findings Imported V2"]
      aggregated  = true
    }
    "config" = {
      description = "Rules of AWS Config that are no longer complied with, or are again."
      source      = ["aws.config"]
      detail_type = ["Config Rules Compliance Change"]
      aggregated  = false
    }
    "sign-in" = {
      description = "Sign-ins to the console, as CloudTrail records them."
      source      = ["aws.signin"]
      detail_type = ["AWS Console Sign In via CloudTrail"]
      aggregated  = false
    }
    "health" = {
      description = "What AWS tells of its services and of this account."
      source      = ["aws.health"]
      detail_type = ["AWS Health Event", "AWS Health Abuse Event"]
      aggregated  = false
    }
    "inspector" = {
      description = "Findings of Inspector."
      source      = ["aws.inspector2"]
      detail_type = ["Inspector2 Finding"]
      aggregated  = true
    }
    "macie" = {
      description = "Findings of Macie."
      source      = ["aws.macie"]
      detail_type = ["Macie Finding"]
      aggregated  = true
    }
    "access-analyzer" = {
      description = "Findings of IAM Access Analyzer."
      source      = ["aws.access-analyzer"]
      detail_type = ["Access Analyzer Finding", "Internal Access Finding", "Unused Access Finding for IAM entities"]
      aggregated  = false
    }
  }
  aggregates = var.only_administrator == "" || var.only_administrator == data.aws_caller_identity.this.account_id
}

resource "aws_cloudwatch_event_rule" "detector" {
  for_each = { for name, rule in local.rules : name => rule if local.aggregates || !rule.aggregated }

  name        = "stanch-${each.key}"
  description = each.value.description
  event_pattern = jsonencode({
    source        = each.value.source
    "detail-type" = each.value.detail_type
  })
}

resource "aws_cloudwatch_event_target" "central" {
  for_each = aws_cloudwatch_event_rule.detector

  rule      = each.value.name
  target_id = "stanch"
  arn       = var.central_bus_arn
  role_arn  = aws_iam_role.to_central.arn

  dead_letter_config {
    arn = aws_sqs_queue.dead_letters.arn
  }
}

resource "aws_sqs_queue" "dead_letters" {
  name                      = "stanch-undelivered"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_sqs_queue_policy" "dead_letters" {
  queue_url = aws_sqs_queue.dead_letters.id
  policy    = data.aws_iam_policy_document.dead_letters.json
}

data "aws_iam_policy_document" "dead_letters" {
  statement {
    sid       = "EventBridge"
    effect    = "Allow"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.dead_letters.arn]
    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }
    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = [for rule in aws_cloudwatch_event_rule.detector : rule.arn]
    }
  }
  statement {
    sid       = "OnlyTls"
    effect    = "Deny"
    actions   = ["sqs:*"]
    resources = ["*"]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_iam_role" "to_central" {
  name_prefix        = "stanch-to-central-"
  assume_role_policy = data.aws_iam_policy_document.events.json
}

data "aws_iam_policy_document" "events" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.this.account_id]
    }
  }
}

resource "aws_iam_role_policy" "to_central" {
  name   = "put"
  role   = aws_iam_role.to_central.id
  policy = data.aws_iam_policy_document.put.json
}

data "aws_iam_policy_document" "put" {
  statement {
    actions   = ["events:PutEvents"]
    resources = [var.central_bus_arn]
  }
}

output "dead_letters_url" {
  description = "Where to look when something did not come."
  value       = aws_sqs_queue.dead_letters.id
}
