variable "runner_arn" {
  type        = string
  description = "Output runner_arn of the module central. The role must exist before."
}

variable "external_id" {
  type        = string
  sensitive   = true
  description = "external_id of stanch.toml."
}

variable "read_role_name" {
  type    = string
  default = "stanch-read"
}

variable "contain_role_name" {
  type    = string
  default = "stanch-contain"
}

variable "may_contain" {
  type        = bool
  default     = true
  description = "Whether there is a role that contains. Without one Stanch can change nothing here, whatever its configuration says."
}

variable "may_switch_on" {
  type        = bool
  default     = false
  description = "Whether the role that contains may also switch on what the playbook logging-baseline proposes, and off again what it switched on: trails, detectors, recorders."
}

variable "may_collect" {
  type        = bool
  default     = true
  description = "Whether responders may collect evidence by hand with the playbook collect. It reads objects of S3, and, once people agree, asks Athena, runs commands on hosts and takes snapshots."
}

variable "automation_role_arn" {
  type        = string
  default     = ""
  description = "automation_role of stanch.toml, which runbooks of SSM act with; empty where there is none."
}
