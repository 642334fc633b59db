variable "central_bus_arn" {
  type        = string
  description = "Output bus_arn of the module central."
}

variable "only_administrator" {
  type        = string
  default     = ""
  description = "The account that GuardDuty, Security Hub, Inspector and Macie report to for the organization. With it, their rules are on there only, and each finding comes once instead of twice."
}
