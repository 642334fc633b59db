//! What people are asked about what stands, and whom they tell.

use super::{Call, WHY};

/// The calls, in the order of the table of access.
pub(super) const CALLS: &[Call] = &[
    Call(
        "GET",
        "/v1/incidents/{id}/updates",
        "Who is told from time to time how the incident stands.",
        "",
        "",
        "200 [any]",
    ),
    Call(
        "POST",
        "/v1/incidents/{id}/updates",
        "Has people told now, and from now on.",
        "",
        "template to:list every text",
        "200 [any]",
    ),
    Call(
        "POST",
        "/v1/incidents/{id}/updates/stop",
        "Has them told no more.",
        "",
        "template reason!",
        "200 [any]",
    ),
    Call(
        "GET",
        "/v1/containments",
        "What was contained, the newest first; with `status=open` what stands for a while.",
        "limit:integer cursor status incident",
        "",
        "200 [any]",
    ),
    Call("GET", "/v1/containments/{id}", "One of them.", "", "", "200"),
    Call(
        "POST",
        "/v1/containments/{id}/extend",
        "Has it stand longer.",
        "",
        "until:time! reason!",
        "200",
    ),
    Call("POST", "/v1/containments/{id}/finalize", "Has it stand for good.", "", WHY, "200"),
    Call(
        "POST",
        "/v1/containments/{id}/handover",
        "Gives it to another owner.",
        "",
        "to! reason!",
        "200",
    ),
    Call("GET", "/v1/sign-in", "How people sign in with a browser.", "", "", "200"),
];
