variable "organization_id" {
  type        = string
  description = "The organization whose accounts may send events, such as o-a1b2c3d4e5."
}

variable "delivery" {
  type        = string
  default     = "queue"
  description = "queue: Stanch takes findings from SQS and nothing is let in. webhook: EventBridge calls Stanch."
  validation {
    condition     = contains(["queue", "webhook"], var.delivery)
    error_message = "It is queue or webhook."
  }
}

variable "webhook_url" {
  type        = string
  default     = "https://stanch.invalid/v1/webhooks/eventbridge"
  description = "With webhook, the source's address, such as https://stanch.example.com/v1/webhooks/eventbridge."
}

variable "webhook_key" {
  type        = string
  default     = "not-used-with-a-queue"
  sensitive   = true
  description = "With webhook, the secret that stands in stanch.toml under [sources.eventbridge] header."
}

variable "runner_service" {
  type        = string
  default     = "ec2.amazonaws.com"
  description = "What Stanch runs on: ec2.amazonaws.com, ecs-tasks.amazonaws.com or pods.eks.amazonaws.com."
}

variable "runner_role_name" {
  type    = string
  default = "stanch-runner"
}

variable "read_role_name" {
  type    = string
  default = "stanch-read"
}

variable "contain_role_name" {
  type    = string
  default = "stanch-contain"
}
