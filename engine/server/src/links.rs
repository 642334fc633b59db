//! Links by which one person decides once. A GET shows what is asked and changes nothing, however often
//! a mail scanner or a preview opens it; only a POST decides.

mod page;

use axum::body::Bytes;
use axum::extract::{FromRequestParts as _, Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::Response;
use stanch_engine_core::approval::Answer;
use stanch_engine_core::audit::Ended;
use stanch_engine_runtime::approvals::DecideError;
use stanch_engine_runtime::elsewhere::{ElsewhereError, Said};
use stanch_engine_runtime::links::{self, LinkError};

use crate::auth::Known;
use crate::body::capped;
use crate::problem::{Handled, status_of};
use crate::{App, audit, auth, fields};

use page::Asked;

/// Bytes of a form: a reason, and what a question asks for.
const MOST_BYTES: usize = 64 * 1024;

pub(crate) async fn show(State(app): State<App>, Path(text): Path<String>) -> Handled<Response> {
    let looked = async {
        let link = links::read(&app.runtime, &text)?;
        let approval = links::look(&app.runtime, &link).await?;
        Ok((link, approval))
    };
    match looked.await {
        Ok((link, approval)) => {
            let now = app.runtime.world().now();
            let asked = Asked { link: &link, approval: &approval, now, filled: &[], wrong: None };
            Ok(page::question(StatusCode::OK, &asked))
        }
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
        Ok((link, answer, status)) => Ok(page::said_so(&link, answer, status)),
        Err(error) if status_of(error.code()) == StatusCode::BAD_REQUEST => {
            asked_again(&app, &text, &body, error).await
        }
        Err(error) => refused(error),
    }
}

/// The question once more, with what is wrong with the answer: nobody types a reason twice.
async fn asked_again(app: &App, text: &str, body: &Bytes, wrong: LinkError) -> Handled<Response> {
    let looked = async {
        let link = links::read(&app.runtime, text)?;
        let approval = links::look(&app.runtime, &link).await?;
        Ok::<_, LinkError>((link, approval))
    };
    let Ok((link, approval)) = looked.await else { return refused(wrong) };
    let filled: Vec<_> = form_urlencoded::parse(body).into_owned().collect();
    let (now, wrong) = (app.runtime.world().now(), Some(wrong.to_string()));
    let asked = Asked { link: &link, approval: &approval, now, filled: &filled, wrong };
    Ok(page::question(StatusCode::BAD_REQUEST, &asked))
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
    Ok(page::refusal(status, &error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_means_anything_to_a_browser() {
        let hostile = "<script>'\"&";
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
