# The same as ../../cloudformation/central.yaml: once, in the account and region of Stanch.

data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}
data "aws_region" "this" {}

locals {
  by_queue   = var.delivery == "queue" ? 1 : 0
  by_webhook = var.delivery == "webhook" ? 1 : 0
  arn        = "arn:${data.aws_partition.this.partition}"
  account    = data.aws_caller_identity.this.account_id
}

resource "aws_cloudwatch_event_bus" "stanch" {
  name = "stanch"
}

resource "aws_cloudwatch_event_bus_policy" "organization" {
  event_bus_name = aws_cloudwatch_event_bus.stanch.name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "organization"
      Effect    = "Allow"
      Principal = "*"
      Action    = "events:PutEvents"
      Resource  = aws_cloudwatch_event_bus.stanch.arn
      Condition = { StringEquals = { "aws:PrincipalOrgID" = var.organization_id } }
    }]
  })
}

# What could be delivered nowhere, and what was taken five times and not deleted.
resource "aws_sqs_queue" "dead_letters" {
  name                      = "stanch-dead-letters"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_sqs_queue" "findings" {
  count = local.by_queue

  name                       = "stanch-findings"
  message_retention_seconds  = 1209600
  receive_wait_time_seconds  = 20
  visibility_timeout_seconds = 60
  sqs_managed_sse_enabled    = true
  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letters.arn
    maxReceiveCount     = 5
  })

  lifecycle {
    prevent_destroy = true
  }
}

data "aws_iam_policy_document" "queue" {
  for_each = merge(
    { dead_letters = aws_sqs_queue.dead_letters.arn },
    { for queue in aws_sqs_queue.findings : "findings" => queue.arn },
  )

  statement {
    sid       = "EventBridge"
    effect    = "Allow"
    actions   = ["sqs:SendMessage"]
    resources = [each.value]
    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }
    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = ["${local.arn}:events:${data.aws_region.this.name}:${local.account}:rule/stanch/*"]
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

resource "aws_sqs_queue_policy" "dead_letters" {
  queue_url = aws_sqs_queue.dead_letters.id
  policy    = data.aws_iam_policy_document.queue["dead_letters"].json
}

resource "aws_sqs_queue_policy" "findings" {
  count = local.by_queue

  queue_url = aws_sqs_queue.findings[0].id
  policy    = data.aws_iam_policy_document.queue["findings"].json
}

resource "aws_cloudwatch_event_rule" "to_queue" {
  count = local.by_queue

  name           = "stanch-to-queue"
  description    = "Everything on the bus goes to the queue of Stanch."
  event_bus_name = aws_cloudwatch_event_bus.stanch.name
  event_pattern  = jsonencode({ version = ["0"] })
}

resource "aws_cloudwatch_event_target" "to_queue" {
  count = local.by_queue

  rule           = aws_cloudwatch_event_rule.to_queue[0].name
  event_bus_name = aws_cloudwatch_event_bus.stanch.name
  target_id      = "stanch"
  arn            = aws_sqs_queue.findings[0].arn

  dead_letter_config {
    arn = aws_sqs_queue.dead_letters.arn
  }
}

resource "aws_cloudwatch_event_connection" "stanch" {
  count = local.by_webhook

  name               = "stanch"
  authorization_type = "API_KEY"
  auth_parameters {
    api_key {
      key   = "X-Stanch-Key"
      value = var.webhook_key
    }
  }
}

resource "aws_cloudwatch_event_api_destination" "stanch" {
  count = local.by_webhook

  name                             = "stanch"
  connection_arn                   = aws_cloudwatch_event_connection.stanch[0].arn
  http_method                      = "POST"
  invocation_endpoint              = var.webhook_url
  invocation_rate_limit_per_second = 300
}

resource "aws_iam_role" "destination" {
  count = local.by_webhook

  name_prefix = "stanch-destination-"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })
}

resource "aws_iam_role_policy" "destination" {
  count = local.by_webhook

  name = "invoke"
  role = aws_iam_role.destination[0].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = "events:InvokeApiDestination"
      Resource = aws_cloudwatch_event_api_destination.stanch[0].arn
    }]
  })
}

resource "aws_cloudwatch_event_rule" "to_webhook" {
  count = local.by_webhook

  name           = "stanch-to-webhook"
  description    = "Everything on the bus goes to the webhook of Stanch."
  event_bus_name = aws_cloudwatch_event_bus.stanch.name
  event_pattern  = jsonencode({ version = ["0"] })
}

resource "aws_cloudwatch_event_target" "to_webhook" {
  count = local.by_webhook

  rule           = aws_cloudwatch_event_rule.to_webhook[0].name
  event_bus_name = aws_cloudwatch_event_bus.stanch.name
  target_id      = "stanch"
  arn            = aws_cloudwatch_event_api_destination.stanch[0].arn
  role_arn       = aws_iam_role.destination[0].arn

  retry_policy {
    maximum_event_age_in_seconds = 86400
    maximum_retry_attempts       = 185
  }
  dead_letter_config {
    arn = aws_sqs_queue.dead_letters.arn
  }
}

resource "aws_sns_topic" "pages" {
  name              = "stanch-pages"
  kms_master_key_id = "alias/aws/sns"
}

resource "aws_iam_role" "runner" {
  name = var.runner_role_name
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = var.runner_service }
      Action    = ["sts:AssumeRole", "sts:TagSession"]
    }]
  })
}

resource "aws_iam_role_policy" "accounts" {
  name = "accounts"
  role = aws_iam_role.runner.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "Accounts"
        Effect   = "Allow"
        Action   = ["sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"]
        Resource = [for name in [var.read_role_name, var.contain_role_name] : "${local.arn}:iam::*:role/${name}"]
      },
      {
        Sid      = "Pages"
        Effect   = "Allow"
        Action   = ["sns:GetTopicAttributes", "sns:Publish"]
        Resource = aws_sns_topic.pages.arn
      },
      {
        Sid      = "DeadLetters"
        Effect   = "Allow"
        Action   = "sqs:GetQueueAttributes"
        Resource = aws_sqs_queue.dead_letters.arn
      },
      # `stanch doctor` looks at what this module made.
      {
        Sid      = "Doctor"
        Effect   = "Allow"
        Action   = ["events:ListRules", "events:ListTargetsByRule"]
        Resource = "${local.arn}:events:*:${local.account}:rule/*"
      },
    ]
  })
}

resource "aws_iam_role_policy" "queue" {
  count = local.by_queue

  name = "queue"
  role = aws_iam_role.runner.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "Findings"
      Effect   = "Allow"
      Action   = ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
      Resource = aws_sqs_queue.findings[0].arn
    }]
  })
}

resource "aws_iam_instance_profile" "runner" {
  name = var.runner_role_name
  role = aws_iam_role.runner.name
}

output "bus_arn" {
  description = "central_bus_arn of the module regional."
  value       = aws_cloudwatch_event_bus.stanch.arn
}

output "runner_arn" {
  description = "runner_arn of the module member."
  value       = aws_iam_role.runner.arn
}

output "queue_url" {
  description = "url of [[queues]] in stanch.toml."
  value       = one(aws_sqs_queue.findings[*].id)
}

output "pages_arn" {
  description = "default_topic of [notify] in stanch.toml."
  value       = aws_sns_topic.pages.arn
}

output "dead_letters_url" {
  description = "Where to look when something did not come."
  value       = aws_sqs_queue.dead_letters.id
}
