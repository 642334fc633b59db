//! The addresses of SNS. They are read by a grammar that knows nothing but these, so that no two
//! readers of URLs can disagree about where one leads.

/// SNS in one region.
pub(super) struct Endpoint {
    host: String,
}

impl Endpoint {
    /// That of a topic, by its ARN.
    pub(super) fn of_topic(arn: &str) -> Option<Self> {
        let parts: Vec<&str> = arn.split(':').collect();
        let ["arn", partition, "sns", region, account, name] = parts.as_slice() else {
            return None;
        };
        let is_named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let is_account = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
        if !is_region(region) || !is_account || name.is_empty() || !name.chars().all(is_named) {
            return None;
        }
        let suffix = match *partition {
            "aws" | "aws-us-gov" => "",
            "aws-cn" => ".cn",
            _ => return None,
        };
        Some(Self { host: format!("sns.{region}.amazonaws.com{suffix}") })
    }

    /// Whether it is the address of one of its certificates.
    pub(super) fn has_certificate(&self, url: &str) -> bool {
        let name = url
            .strip_prefix("https://")
            .and_then(|rest| rest.strip_prefix(self.host.as_str()))
            .and_then(|path| path.strip_prefix("/SimpleNotificationService-"))
            .and_then(|rest| rest.strip_suffix(".pem"));
        name.is_some_and(|name| is_word(name, 64))
    }

    /// Where a subscription is confirmed, made of what was checked; nothing when the address that
    /// the message names leads elsewhere.
    pub(super) fn confirmation(&self, topic: &str, token: &str, named: &str) -> Option<String> {
        let host = &self.host;
        let is_ours = named.starts_with(&format!("https://{host}/?Action=ConfirmSubscription&"));
        let url =
            format!("https://{host}/?Action=ConfirmSubscription&TopicArn={topic}&Token={token}");
        (is_ours && is_word(token, 1_024)).then_some(url)
    }
}

/// Whether it is the address of the certificate of one of Amazon's authorities. It is not secret
/// and it proves itself, so it comes without TLS.
pub(super) fn is_of_authority(url: &str) -> bool {
    let Some((host, path)) = url.strip_prefix("http://").and_then(|rest| rest.split_once('/'))
    else {
        return false;
    };
    let is_host = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-');
    let is_path = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    host.ends_with(".amazontrust.com")
        && host.chars().all(is_host)
        && path.ends_with(".cer")
        && path.chars().all(is_path)
}

/// Whether it is a region's name, such as `us-east-1` or `us-gov-west-1`.
fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let Some((number, words)) = parts.split_last() else { return false };
    let is_lower = |word: &&str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase());
    let is_number = number.len() == 1 && number.bytes().all(|b| b.is_ascii_digit());
    is_number && (2..=4).contains(&words.len()) && words.iter().all(is_lower)
}

fn is_word(text: &str, most: usize) -> bool {
    !text.is_empty() && text.len() <= most && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOPIC: &str = "arn:aws:sns:us-east-1:111122223333:findings";
    const PEM: &str = "SimpleNotificationService-7ff5318490ec183fbaddaa2a969abfda.pem";

    #[test]
    fn only_sns_in_the_topics_region_has_its_certificates() {
        let sns = Endpoint::of_topic(TOPIC).unwrap();
        assert!(sns.has_certificate(&format!("https://sns.us-east-1.amazonaws.com/{PEM}")));
        let china = Endpoint::of_topic("arn:aws-cn:sns:cn-north-1:111122223333:f").unwrap();
        assert!(china.has_certificate(&format!("https://sns.cn-north-1.amazonaws.com.cn/{PEM}")));
        for url in [
            "http://sns.us-east-1.amazonaws.com/PEM",
            "https://sns.eu-west-1.amazonaws.com/PEM",
            "https://sns.us-east-1.amazonaws.com.cn/PEM",
            "https://sns.us-east-1.amazonaws.com.evil.example/PEM",
            "https://sns.us-east-1.amazonaws.com@evil.example/PEM",
            "https://evil.example/@sns.us-east-1.amazonaws.com/PEM",
            "https://user@sns.us-east-1.amazonaws.com/PEM",
            "https://sns.us-east-1.amazonaws.com:8443/PEM",
            "https://sns.us-east-1.amazonaws.com\\@evil.example/PEM",
            "https://sns.us-east-1.amazonaws.com#@evil.example/PEM",
            "https://sns.us-east-1.amazonaws.com/../PEM",
            "https://sns.us-east-1.amazonaws.com//PEM",
            "https://sns.us-east-1.amazonaws.com/PEM?x=1",
            "https://sns.us-east-1.amazonaws.com/PEM#x",
            "https://sns.us-east-1.amazonaws.com/x/PEM",
            "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-a%2f.pem",
            "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-.pem",
            "https://sns.us-east-1.amazonaws.com/bucket.pem",
            "https://snsxus-east-1.amazonaws.com/PEM",
            "https://sns.s3.us-east-1.amazonaws.com/PEM",
            "https://SNS.us-east-1.amazonaws.com/PEM",
            "https://sns.us\u{2011}east-1.amazonaws.com/PEM",
            "https://127.0.0.1/PEM",
            "https://[::1]/PEM",
            "https://2130706433/PEM",
            " https://sns.us-east-1.amazonaws.com/PEM",
            "https:///sns.us-east-1.amazonaws.com/PEM",
            "file:///etc/passwd",
            "",
        ] {
            assert!(!sns.has_certificate(&url.replace("PEM", PEM)), "{url}");
        }
    }

    #[test]
    fn a_topic_names_a_region_and_nothing_that_looks_like_one() {
        for arn in [
            "arn:aws:sns:evil.example/:111122223333:f",
            "arn:aws:sns:s3:111122223333:f",
            "arn:aws:sns:us-east-1.evil:111122223333:f",
            "arn:aws:sns:us-east-12:111122223333:f",
            "arn:aws:sns:us-east-1:1:f",
            "arn:aws:sns:us-east-1:111122223333:f&Action=x",
            "arn:aws:sns:us-east-1:111122223333:f:sub",
            "arn:aws:sqs:us-east-1:111122223333:f",
            "arn:evil:sns:us-east-1:111122223333:f",
            "",
        ] {
            assert!(Endpoint::of_topic(arn).is_none(), "{arn}");
        }
    }

    #[test]
    fn a_confirmation_goes_to_the_topics_region_whatever_the_message_says() {
        let sns = Endpoint::of_topic(TOPIC).unwrap();
        let named = "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=x";
        let url = sns.confirmation(TOPIC, "2336412f37", named).unwrap();
        let right = "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=";
        assert_eq!(url, format!("{right}{TOPIC}&Token=2336412f37"));
        assert!(sns.confirmation(TOPIC, "a&b", named).is_none());
        assert!(sns.confirmation(TOPIC, "", named).is_none());
        for named in [
            "https://sns.us-east-1.amazonaws.com.evil.example/?Action=ConfirmSubscription&",
            "https://169.254.169.254/latest/meta-data/",
            "http://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&",
            "https://sns.us-east-1.amazonaws.com/?Action=DeleteTopic&",
            "",
        ] {
            assert!(sns.confirmation(TOPIC, "2336412f37", named).is_none(), "{named}");
        }
    }

    #[test]
    fn authorities_are_amazons() {
        assert!(is_of_authority("http://crt.r2m01.amazontrust.com/r2m01.cer"));
        for url in [
            "http://amazontrust.com.evil.example/r.cer",
            "http://evilamazontrust.com/r.cer",
            "http://crt.amazontrust.com:80/r.cer",
            "http://crt.amazontrust.com@evil.example/r.cer",
            "http://evil.example/crt.amazontrust.com/r.cer",
            "http://crt.amazontrust.com/../r.cer",
            "http://crt.amazontrust.com/r.cer?x",
            "https://169.254.169.254/r.cer",
        ] {
            assert!(!is_of_authority(url), "{url}");
        }
    }
}
