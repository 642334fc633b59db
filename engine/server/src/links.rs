//! Links by which one person decides once. A GET shows what is asked and changes nothing, however often
//! a mail scanner or a preview opens it; only a POST decides.

mod fields;

use axum::body::Bytes;
use axum::extract::{FromRequestParts as _, Path, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use stanch_engine_core::approval::{Answer, ApprovalStatus};
use stanch_engine_core::audit::Ended;
use stanch_engine_runtime::approvals::DecideError;
use stanch_engine_runtime::elsewhere::{self, ElsewhereError, Said};
use stanch_engine_runtime::links::{self, Link, LinkError};
use stanch_engine_store::approvals::Approval;

use crate::auth::Known;
use crate::body::capped;
use crate::problem::{Handled, status_of};
use crate::{App, audit, auth};

/// Bytes of a form: a reason, and what a question asks for.
const MOST_BYTES: usize = 64 * 1024;

/// What browsers are told of the page: it loads nothing, runs nothing, is framed by nobody, is kept
/// nowhere and gives its address to nobody.
const HEADERS: &[(&str, &str)] = &[
    ("cache-control", "no-store"),
    (
        "content-security-policy",
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; \
         base-uri 'none'",
    ),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
    ("x-robots-tag", "noindex, nofollow"),
];

pub(crate) async fn show(State(app): State<App>, Path(text): Path<String>) -> Handled<Response> {
    let looked = async {
        let link = links::read(&app.runtime, &text)?;
        let approval = links::look(&app.runtime, &link).await?;
        Ok((link, approval))
    };
    match looked.await {
        Ok((link, approval)) => Ok(page(StatusCode::OK, &question(&link, &approval))),
        Err(error) => refused(error),
    }
}

pub(crate) async fn decide(
    State(app): State<App>,
    Path(text): Path<String>,
    request: Request,
) -> Handled<Response> {
    let (mut head, body) = request.into_parts();
    let from = auth::address(&head);
    let _admitted = app.pressure.admit(&head.headers, MOST_BYTES)?;
    let body = capped(body, MOST_BYTES).await?;
    // Whoever has signed in as somebody decides as nobody else.
    let signed_in = match head.headers.contains_key(header::AUTHORIZATION) {
        true => Some(Known::from_request_parts(&mut head, &app).await?.0.name),
        false => None,
    };
    let decided = async {
        let link = match links::read(&app.runtime, &text) {
            Ok(link) => link,
            Err(error) => {
                let ended = Ended::by(error.code());
                audit::stranger(&app, "approvals.decisions", format!("link {from}"), ended).await;
                return Err(error);
            }
        };
        let said = read(&body).map_err(|why| {
            LinkError::Refused(ElsewhereError::Refused(DecideError::BadRequest(why)))
        })?;
        let answer = said.answer;
        let status = links::decide(&app.runtime, link.clone(), (&from, signed_in), said).await?;
        Ok((link, answer, status))
    };
    match decided.await {
        Ok((link, answer, status)) => Ok(page(StatusCode::OK, &said_so(&link, answer, status))),
        Err(error) => refused(error),
    }
}

/// What a form says.
fn read(body: &Bytes) -> Result<Said, String> {
    let (mut answer, mut reason, mut fields) = (None, String::new(), Vec::new());
    for (name, value) in form_urlencoded::parse(body) {
        match (name.as_ref(), value.as_ref()) {
            ("decision", "approve") => answer = Some(Answer::Approve),
            ("decision", "reject") => answer = Some(Answer::Reject),
            ("reason", text) => text.clone_into(&mut reason),
            (name, text) => match name.strip_prefix(fields::BEFORE) {
                Some(path) => fields.push((path.to_owned(), text.to_owned())),
                None => return Err(format!("the form has no member `{name}` of this value")),
            },
        }
    }
    let answer = answer.ok_or("say `approve` or `reject`")?;
    Ok(Said { answer, reason, fields })
}

fn refused(error: LinkError) -> Handled<Response> {
    let status = match error {
        LinkError::Refused(ElsewhereError::Store(error)) => return Err(error.into()),
        LinkError::Expired => StatusCode::GONE,
        ref other => status_of(other.code()),
    };
    Ok(page(status, &format!("<h1>Nothing is decided</h1><p>{}.</p>", escaped(&error.to_string()))))
}

/// A text in which nothing means anything to a browser.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

fn page(status: StatusCode, body: &str) -> Response {
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>Stanch</title><style>body{{font:16px/1.5 sans-serif;\
         max-width:42em;margin:2em auto;padding:0 1em}}pre{{white-space:pre-wrap;background:#eee;\
         padding:.5em}}textarea{{width:100%}}button{{font:inherit;padding:.5em 1em}}</style></head>\
         <body>{body}</body></html>"
    );
    let mut response = (status, html).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    for (name, value) in HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}

fn question(link: &Link, approval: &Approval) -> String {
    let card = &approval.card.value();
    let changes = card["changes"].as_array().map_or(&[][..], Vec::as_slice);
    let change = |change: &Value| {
        let text = |name: &str| change[name].as_str().unwrap_or("-").to_owned();
        let (params, marks) = (&change["params"], &change["marks"]);
        let marks = marks.as_array().filter(|marks| !marks.is_empty());
        let marks = marks.map(|marks| format!("\nmarked: {}", json!(marks))).unwrap_or_default();
        let place = format!("{} {}", text("account"), text("region"));
        format!(
            "<pre>{}</pre>",
            escaped(&format!("{} {place}\n{params}{marks}", text("operation")))
        )
    };
    let changes: String = changes.iter().map(change).collect();
    let about = card["about"].as_str().unwrap_or_default();
    let incident = approval.incident.map(|id| id.to_string()).unwrap_or_default();
    let head = format!(
        "<h1>{}</h1><p>{}</p><p>{} {}</p>{changes}<p>It needs {} of {}. Silence is a no at {:.0}.</p>",
        escaped(&approval.title),
        escaped(about),
        escaped(&incident),
        approval.run,
        approval.quorum,
        escaped(&approval.approvers.join(", ")),
        approval.expires_at,
    );
    if elsewhere::wants_sign_in(approval) {
        let id = approval.id;
        return format!(
            "{head}<p>This is for those who have signed in: decide it with <code>stanch approve \
             {id}</code> or <code>stanch reject {id}</code>.</p>"
        );
    }
    let form = approval.form.as_ref().and_then(|form| form.fields()).unwrap_or_default();
    let form: String = form.iter().map(fields::html).collect();
    format!(
        "{head}<form method=\"post\"><p><label>Why<br><textarea name=\"reason\" rows=\"3\" required \
         maxlength=\"2000\"></textarea></label></p>{form}<p><button name=\"decision\" \
         value=\"approve\">Approve</button> <button name=\"decision\" value=\"reject\">Reject</button>\
         </p><p>You decide as {}.</p></form>",
        escaped(&link.person)
    )
}

fn said_so(link: &Link, answer: Answer, status: ApprovalStatus) -> String {
    let word = if answer == Answer::Approve { "yes" } else { "no" };
    format!(
        "<h1>{}</h1><p>{} said {word}. {} is {}.</p>",
        if status == ApprovalStatus::Pending { "It is counted" } else { "It is decided" },
        escaped(&link.person),
        link.approval,
        status.as_str()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_means_anything_to_a_browser() {
        let hostile = "<script>'\"&";
        assert_eq!(escaped(hostile), "&lt;script&gt;&#39;&quot;&amp;");
        let response = refused(LinkError::NotYours(hostile.to_owned())).unwrap();
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
        let csp = response.headers()["content-security-policy"].to_str().unwrap();
        assert!(csp.contains("default-src 'none'") && csp.contains("frame-ancestors 'none'"));
        assert_eq!(response.headers()["cache-control"], "no-store");
    }

    #[test]
    fn a_form_says_one_thing() {
        let read = |text: &'static str| read(&Bytes::from_static(text.as_bytes()));
        let yes = read("decision=approve&reason=it+is+ours&form.host.name=web").unwrap();
        assert_eq!((yes.answer, yes.reason.as_str()), (Answer::Approve, "it is ours"));
        assert_eq!(yes.fields, [("host.name".to_owned(), "web".to_owned())]);
        assert!(read("reason=x").is_err());
        assert!(read("decision=perhaps&reason=x").is_err());
        assert!(read("decision=approve&reason=x&person=lea").is_err());
    }
}
