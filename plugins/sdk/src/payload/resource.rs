//! A resource as people describe one: by its ARN, by an id that says what it is of, or in members.

use serde_json::Value;
use stanch_engine_core::alert::Resource;

use super::arn;
use super::member::{at, scalar, text};

/// The resource that a text or an object with `type`, `id`, `arn`, `name` and `tags` describes;
/// nothing when it names none.
pub fn resource_of(value: &Value) -> Option<Resource> {
    if let Value::String(text) = value {
        let found = arn::resource(text);
        return found.or_else(|| (!text.is_empty()).then(|| arn::plain("Other", text, None)));
    }
    let arn = text(value, &["arn"]);
    let by_arn = arn.as_deref().and_then(arn::resource);
    let id = scalar(value, &["id"]).or_else(|| by_arn.as_ref().map(|found| found.id.clone()))?;
    let by_id = arn::resource(&id).map(|found| found.kind);
    let kind = text(value, &["type"]).or_else(|| by_arn.map(|found| found.kind)).or(by_id);
    let kind = kind.unwrap_or_else(|| "Other".to_owned());
    let tags = at(value, &["tags"]).and_then(Value::as_object).into_iter().flatten();
    let tags = tags.filter_map(|(name, tag)| Some((name.clone(), tag.as_str()?.to_owned())));
    let plain = arn::plain(&kind, &id, arn.as_deref());
    Some(Resource { name: text(value, &["name"]), tags: tags.collect(), ..plain })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn it_is_what_its_arn_its_id_or_its_members_say() {
        let of = |value| resource_of(&value).map(|found| (found.kind, found.id));
        let named = |kind: &str, id: &str| Some((kind.to_owned(), id.to_owned()));
        let arn = "arn:aws:s3:::logs";
        assert_eq!(of(json!(arn)), named("AwsS3Bucket", "logs"));
        assert_eq!(of(json!("i-0abcdef12")), named("AwsEc2Instance", "i-0abcdef12"));
        assert_eq!(of(json!("web")), named("Other", "web"));
        assert_eq!(of(json!({"arn": arn})), named("AwsS3Bucket", "logs"));
        assert_eq!(of(json!({"type": "Host", "id": 7})), named("Host", "7"));
        assert_eq!(of(json!({"type": "Host"})), None);
        let tagged = resource_of(&json!({"id": "x", "tags": {"team": "web", "n": 1}})).unwrap();
        assert_eq!(tagged.tags, [("team".to_owned(), "web".to_owned())].into());
    }
}
