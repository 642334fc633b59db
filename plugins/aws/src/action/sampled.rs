//! Answers that are samples: AWS counts more than it shows, or was asked to pick.

use serde_json::Value;

/// What the answer to an operation is a sample of, if it is one.
pub(super) fn caveat(operation: &str, params: &Value, answer: &Value) -> Option<String> {
    let number = |name: &str| answer.get(name).and_then(Value::as_u64);
    let shown = |name: &str| answer.get(name).and_then(Value::as_array).map_or(0, Vec::len);
    match operation {
        // WAF shows 500 of the first 5,000 requests at most, and says of how many they are.
        "waf:GetSampledRequests"
        | "waf-regional:GetSampledRequests"
        | "wafv2:GetSampledRequests" => {
            let (shown, all) = (shown("SampledRequests"), number("PopulationSize"));
            match all {
                Some(all) if all > shown as u64 => {
                    Some(format!("sampled: AWS shows {shown} of {all} requests"))
                }
                _ => None,
            }
        }
        "xray:GetTraceSummaries" if params.get("Sampling") == Some(&Value::Bool(true)) => {
            let (shown, all) = (shown("TraceSummaries"), number("TracesProcessedCount"));
            let all = all.map_or_else(|| "more".to_owned(), |all| all.to_string());
            Some(format!("sampled: AWS was asked to pick, and shows {shown} of {all} traces"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_sample_is_said_to_be_one_and_what_is_whole_is_not() {
        let some = json!({"SampledRequests": [{}, {}], "PopulationSize": 40});
        let said = caveat("wafv2:GetSampledRequests", &json!({}), &some);
        assert_eq!(said.as_deref(), Some("sampled: AWS shows 2 of 40 requests"));
        let all = json!({"SampledRequests": [{}, {}], "PopulationSize": 2});
        assert_eq!(caveat("wafv2:GetSampledRequests", &json!({}), &all), None);
        let traces = json!({"TraceSummaries": [{}], "TracesProcessedCount": 9});
        let picked = caveat("xray:GetTraceSummaries", &json!({"Sampling": true}), &traces);
        assert!(picked.unwrap().ends_with("shows 1 of 9 traces"));
        assert_eq!(caveat("xray:GetTraceSummaries", &json!({"Sampling": false}), &traces), None);
        assert_eq!(caveat("iam:ListUsers", &json!({}), &some), None);
    }

    #[test]
    fn each_of_them_is_an_operation_of_the_models() {
        let store = crate::model::ModelStore::open(None).unwrap();
        for operation in [
            "waf:GetSampledRequests",
            "waf-regional:GetSampledRequests",
            "wafv2:GetSampledRequests",
            "xray:GetTraceSummaries",
        ] {
            assert_eq!(store.operation(operation).unwrap().to_string(), operation);
        }
    }
}
