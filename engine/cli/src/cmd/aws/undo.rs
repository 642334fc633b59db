//! What the undo catalogue says of an operation, as a person reads it.

use serde_json::Value;

/// The lines under `stanch aws describe`.
pub(super) fn lines(entry: &Value) -> Vec<String> {
    let mut out = vec!["undo:".to_owned()];
    let mut say = |what: &str, text: String| {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        out.push(format!("  {what:<16}{text}"));
    };
    if entry.is_null() {
        say(
            "unknown",
            "a plan marks it UNVERIFIED and FINAL, unless the playbook says more".into(),
        );
        return out;
    }
    let text = |name: &str| entry[name].as_str().map(str::to_owned);
    if let Some(find) = entry["find"]["read"].as_str() {
        say("found by", find.to_owned());
    }
    if let Some(read) = text("read") {
        say("state before", format!("{read} {}", text("params").unwrap_or_default()));
        say("", text("keep").unwrap_or_default());
    }
    let absent = entry["absent"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let absent = absent.collect::<Vec<_>>().join(", ");
    if !absent.is_empty() {
        say("none when", absent.clone());
    }
    if let Some(why) = text("unverified") {
        say("UNVERIFIED", why);
    } else if entry["gone"] == true {
        say("effective when", format!("it answers {absent}"));
    } else if let Some(becomes) = text("becomes") {
        say("effective when", format!("the state is {becomes}"));
    } else if let Some(shows) = text("shows") {
        say("effective when", shows);
    }
    for case in entry["probe"].as_array().into_iter().flatten() {
        let part = |name: &str| case[name].as_str().unwrap_or_default();
        say("effective when", format!("{} (if {})", part("shows"), part("when")));
    }
    for inverse in entry["inverse"].as_array().into_iter().flatten() {
        let part = |name: &str| inverse[name].as_str();
        let given = inverse["given"].as_object().into_iter().flatten();
        let given: String =
            given.map(|(name, from)| format!(", {name} from its answer's {from}")).collect();
        let when = part("when").map(|when| format!(" (if {when})")).unwrap_or_default();
        let call = part("call").unwrap_or_default();
        say("undone by", format!("{call} {}{given}{when}", part("params").unwrap_or_default()));
    }
    if let Some(why) = text("final") {
        say("FINAL", why);
    }
    if let Some(note) = text("note") {
        say("note", note);
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_entry_reads_like_a_sentence() {
        let entry = json!({
            "read": "iam:GetUserPolicy", "params": "{UserName: params.UserName}",
            "keep": "PolicyDocument", "absent": ["NoSuchEntity"], "gone": true,
            "inverse": [{"when": "before", "call": "iam:PutUserPolicy", "params": "{A: before}"}],
            "note": "n",
        });
        let lines = lines(&entry);
        assert_eq!(lines[1], "  state before    iam:GetUserPolicy {UserName: params.UserName}");
        assert!(lines.contains(&"  effective when  it answers NoSuchEntity".to_owned()));
        assert!(
            lines.contains(
                &"  undone by       iam:PutUserPolicy {A: before} (if before)".to_owned()
            )
        );
    }

    #[test]
    fn what_is_final_or_unknown_says_so() {
        let final_entry = json!({"unverified": "no state", "final": "gone"});
        assert_eq!(
            lines(&final_entry)[1..],
            ["  UNVERIFIED      no state", "  FINAL           gone"]
        );
        assert!(lines(&Value::Null)[1].contains("UNVERIFIED and FINAL"));
    }
}
