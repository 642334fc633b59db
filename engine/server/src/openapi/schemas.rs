//! What answers look like. An answer may have more members than are named here.

/// Name and members.
pub(super) const SCHEMAS: &[(&str, &str)] = &[
    ("Problem", "type title status:integer detail code"),
    ("Readiness", "status wrong:list halted:boolean checks:list"),
    ("Received", "alert_id incident_id? run_ids:list duplicate:boolean"),
    ("Started", "id status"),
    (
        "Alert",
        "id source type title severity status account? region? incident_id? received_at:time",
    ),
    (
        "Incident",
        "id title status severity account? sample:boolean phase? verdict? verdict_reason? \
         acknowledged_by? opened_at:time last_alert_at:time merged_into? split_from? \
         part_of?",
    ),
    ("Line", "at:time kind text about"),
    (
        "Run",
        "id playbook digest status parked_reason? incident_id? alert_id? generation:integer parent_id? \
         requester result:any error:any parked:any wake_at:time? created_at:time updated_at:time \
         finished_at:time? level:integer",
    ),
    ("Entry", "seq:integer at:time kind body:object"),
    (
        "Approval",
        "id run_id step incident_id? status title approvers:list quorum:integer form:any plan:any \
         plan_sha256? card:any requested_at:time expires_at:time decided_at:time? decisions:any",
    ),
    (
        "Evidence",
        "id label sha256 bytes:integer media_type run_id? step? captured_at:time captured_by how:any \
         deleted_at:time?",
    ),
    (
        "Page",
        "id incident_id? run_id? code message chain:list level:integer deliveries:integer last_error? \
         raised_at:time next_at:time? taken_at:time? taken_by?",
    ),
    (
        "Playbook",
        "name title mode subject? triggers:list digest previous_digest? activated_at:time activated_by",
    ),
    (
        "AuditRecord",
        "seq:integer at:time actor? token? verb object? outcome status:integer? code? from reason? \
         detail:object prev",
    ),
];
