//! Steps in a few words.

use serde_json::Value;

use crate::command::Verb;

/// A step in a few words, for timelines: `aws iam:ListAccessKeys`.
pub fn summary(verb: Verb, args: &Value) -> String {
    let text = |path: &str| args.pointer(path).and_then(Value::as_str).unwrap_or_default();
    let word = verb.as_str();
    match verb {
        Verb::Action => match text("/action") {
            "aws.call" => format!("aws {}", text("/input/operation")),
            "aws.prepare" => format!("prepare {}", text("/input/change/operation")),
            "http.request" => format!("http {} {}", text("/input/method"), text("/input/url")),
            other => other.to_owned(),
        },
        Verb::Collect => format!("{word} {} by {}", text("/label"), text("/operation")),
        Verb::Evidence => format!("{word} {}", text("/label")),
        Verb::Change => format!("{word} {}", text("/change/operation")),
        Verb::Probe => format!("{word} {}", text("/probe/operation")),
        Verb::Approval => format!("{word} {}", text("/title")),
        Verb::Sleep => format!("{word} {}", text("/span")),
        Verb::RunPlaybook => format!("{word} {}", text("/playbook")),
        Verb::WaitSignal => {
            let names = args.get("names").and_then(Value::as_array).into_iter().flatten();
            let names: Vec<&str> = names.filter_map(Value::as_str).collect();
            format!("{word} {}", names.join(", "))
        }
        Verb::RaiseAlert => format!("{word} {}", text("/title")),
        Verb::Notify | Verb::Page => format!("{word} {}: {}", text("/to"), text("/message")),
        Verb::Phase
        | Verb::Log
        | Verb::Milestone
        | Verb::Verdict
        | Verb::Severity
        | Verb::Now
        | Verb::Closing => {
            let value = args.get("value").and_then(Value::as_str).unwrap_or_default();
            format!("{word} {value}").trim_end().to_owned()
        }
        Verb::Each => {
            let failed = args.get("failed").and_then(Value::as_array).map_or(0, Vec::len);
            let total = args.get("total").and_then(Value::as_u64).unwrap_or_default();
            format!("{word}: {failed} of {total} failed")
        }
        Verb::Execute | Verb::Verify | Verb::UndoPlan | Verb::Owners => word.to_owned(),
    }
}
