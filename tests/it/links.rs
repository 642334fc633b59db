//! Links by which one person decides once: a look changes nothing, and nobody else's are good.

use reqwest::Method;
use serde_json::{Value, json};

use crate::channels::configure;
use crate::channels::others::{MailServer, plain};
use crate::stage::{Plan, Stage, id};

const ASKS: &str = r#"
const PLAYBOOK = #{ name: "asks", title: "Asks", mode: "ask" };
let gate = approval("Cut <b>it</b> off?", #{ approvers: ["role:responder"], form: "verdict",
    expires: "30m" });
[gate.outcome, gate.decided_by, gate.reason, gate.form.verdict]
"#;

const YES: &str = "decision=approve&reason=it+is+ours&form.verdict=true_positive";

pub(crate) struct Set {
    pub(crate) stage: Stage,
    pub(crate) run: String,
    approval: String,
    /// Mia's link, without the host.
    pub(crate) link: String,
    http: reqwest::Client,
    _folder: tempfile::TempDir,
}

const FORM: &str = r##"
const PLAYBOOK = #{ name: "asks", title: "Asks", mode: "ask" };
let gate = approval("Cut it off?", #{ approvers: ["role:responder"], expires: "30m", form: #{
    type: "object", required: ["ticket"], properties: #{
        ticket: #{ type: "string", title: "<Ticket>", pattern: "^INC-[0-9]+$" },
        blast: #{ type: "integer", minimum: 1 }, place: #{ enum: ["prod", "test"] },
        hosts: #{ type: "array", items: #{ type: "string" } } } } });
[gate.outcome, gate.form]
"##;

async fn set(plan: Plan) -> Set {
    set_asking(plan, ASKS).await
}

pub(crate) async fn set_asking(plan: Plan, playbook: &str) -> Set {
    let folder = tempfile::tempdir().unwrap();
    let roots = folder.path().join("roots.pem");
    let server = MailServer::serve(&roots).await;
    let text = format!(
        "[notify.channels.mail]\nkind = \"email\"\nhost = \"localhost\"\nport = {}\nroots = {:?}\n\
         from = \"stanch@example.com\"\nto = [\"soc@example.com\"]\n\
         [[notify.routes]]\nchannels = [\"mail\"]\n\
         [people.mia]\nemail = \"mia@example.com\"\nroles = [\"responder\"]\n\
         [people.vic]\nemail = \"vic@example.com\"\nroles = [\"viewer\"]\n",
        server.port,
        roots.display().to_string()
    );
    let mut plan = plan;
    configure(&mut plan.config, folder.path(), &text);
    plan.config.public_url = Some("https://stanch.test/".to_owned());
    let stage = plan.set().await;
    stage.publish(playbook).await;
    let run = stage.start_for_finding("asks").await;
    let approval = id(&stage.approval(&run).await["id"]);
    let mails = server.mails(2).await;
    let (own, all): (Vec<String>, _) =
        mails.iter().map(|mail| plain(mail)).partition(|mail| mail.contains("To: mia@"));
    assert!(!all.concat().contains("/v1/links/"), "a link is one person's alone");
    let at = own[0].find("https://stanch.test/v1/links/").unwrap();
    let link = own[0][at..].split_whitespace().next().unwrap();
    let link = link.strip_prefix("https://stanch.test").unwrap().to_owned();
    let http = stanch_plugins_http::client_builder().build().unwrap();
    Set { stage, run, approval, link, http, _folder: folder }
}

impl Set {
    async fn look(&self, link: &str) -> (u16, String) {
        let answer = self.http.get(format!("{}{link}", self.stage.url)).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    async fn post(&self, link: &str, form: &'static str) -> (u16, String) {
        let request = self.http.post(format!("{}{link}", self.stage.url)).body(form);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    pub(crate) async fn shown(&self) -> Value {
        self.stage.admin.get(&format!("/approvals/{}", self.approval)).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_changes_nothing_and_a_form_decides_once() {
    for plan in [Plan::new(), Plan::new().on_postgres().await] {
        let set = set(plan).await;
        // Scanners of mail and previews open a link more than once.
        for _ in 0..5 {
            let (status, page) = set.look(&set.link).await;
            assert_eq!(status, 200);
            assert!(
                page.contains("Cut &lt;b&gt;it&lt;/b&gt; off?") && !page.contains("<b>"),
                "{page}"
            );
            assert!(page.contains("You decide as mia"), "{page}");
        }
        let head = self::head(&set).await;
        assert_eq!(head["cache-control"], "no-store");
        assert_eq!(head["referrer-policy"], "no-referrer");
        assert_eq!(set.shown().await["decisions"], json!([]));

        // What is not taken leaves the link as it was.
        let (status, page) = set.post(&set.link, "decision=approve&reason=").await;
        assert_eq!(status, 400, "{page}");
        let (status, page) = set.post(&set.link, "decision=approve&reason=x").await;
        assert!(status == 400 && page.contains("verdict"), "{page}");
        let (status, page) = set.post(&set.link, YES).await;
        assert!(status == 200 && page.contains("It is decided"), "{status} {page}");
        let ended = set.stage.over(&set.run).await;
        let result = json!(["approved", ["mia"], "it is ours", "true_positive"]);
        assert_eq!(ended["result"], result, "{ended}");
        assert_eq!(set.shown().await["decisions"][0]["from"], "link 127.0.0.1");

        let (status, page) = set.post(&set.link, YES).await;
        assert!(status == 409 && page.contains("used already"), "{status} {page}");
        assert_eq!(set.look(&set.link).await.0, 409);
    }
}

async fn head(set: &Set) -> reqwest::header::HeaderMap {
    let request = set.http.request(Method::HEAD, format!("{}{}", set.stage.url, set.link));
    request.send().await.unwrap().headers().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_ten_at_once_one_decides() {
    let set = set(Plan::new()).await;
    let posts: Vec<_> = (0..10)
        .map(|_| {
            let request = set.http.post(format!("{}{}", set.stage.url, set.link)).body(YES);
            tokio::spawn(async move { request.send().await.unwrap().status().as_u16() })
        })
        .collect();
    let mut statuses = Vec::new();
    for post in posts {
        statuses.push(post.await.unwrap());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409, 409, 409, 409, 409, 409, 409, 409, 409]);
    assert_eq!(set.shown().await["decisions"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_was_changed_is_none_of_ours() {
    let set = set(Plan::new()).await;
    let text = set.link.strip_prefix("/v1/links/").unwrap();
    let (payload, signature) = text.split_once('.').unwrap();
    let flipped = |text: &str, at: usize| -> String {
        let other = if text.as_bytes()[at] == b'a' { 'b' } else { 'a' };
        format!("{}{other}{}", &text[..at], &text[at + 1..])
    };
    let mut changed = vec![
        payload.to_owned(),
        format!("{payload}."),
        format!(".{signature}"),
        format!("{payload}.{}", "0".repeat(signature.len())),
        format!("{payload}.{}", &signature[..signature.len() - 2]),
        format!("{payload}.{signature}{}", "0".repeat(2_000)),
    ];
    for at in (0..payload.len()).step_by(29) {
        changed.push(format!("{}.{signature}", flipped(payload, at)));
    }
    for at in (0..signature.len()).step_by(31) {
        changed.push(format!("{payload}.{}", flipped(signature, at)));
    }
    for text in changed {
        let link = format!("/v1/links/{text}");
        assert_eq!(set.post(&link, YES).await.0, 404, "{text}");
        assert_eq!(set.look(&link).await.0, 404, "{text}");
    }
    assert_eq!(set.shown().await["status"], "pending");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_over_with_its_approval_and_with_its_person() {
    let late = set(Plan::new().manual()).await;
    late.stage.pass(30 * 60 * 1_000);
    let (status, page) = late.post(&late.link, YES).await;
    assert!(status == 410 && page.contains("time is over"), "{status} {page}");

    let gone = set(Plan::new()).await;
    gone.stage.admin.post("/people/mia/disable", &json!({"reason": "left"})).await;
    let (status, page) = gone.post(&gone.link, YES).await;
    assert!(status == 403 && page.contains("mia was disabled"), "{status} {page}");
    assert_eq!(gone.look(&gone.link).await.0, 403);
    assert_eq!(gone.shown().await["decisions"], json!([]));

    let decided = set(Plan::new()).await;
    let lea = decided.stage.person("lea", &["responder"]).await;
    let no = json!({"decision": "reject", "reason": "not ours"});
    lea.post(&format!("/approvals/{}/decisions", decided.approval), &no).await;
    let (status, page) = decided.post(&decided.link, YES).await;
    assert!(status == 409 && page.contains("too late"), "{status} {page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_signed_in_decides_by_nobody_elses_link() {
    let set = set(Plan::new()).await;
    set.stage.person("lea", &["responder"]).await;
    let made = json!({"name": "lea-2", "person": "lea", "roles": ["responder"]});
    let token = id(&set.stage.admin.post("/tokens", &made).await["token"]);
    let post = |token: String| {
        let request = set.http.post(format!("{}{}", set.stage.url, set.link)).bearer_auth(token);
        async move { request.body(YES).send().await.unwrap().status().as_u16() }
    };
    assert_eq!(post(token).await, 403);
    assert_eq!(post("stk_nobodys".to_owned()).await, 401);
    assert_eq!(set.shown().await["decisions"], json!([]));
    let made = json!({"name": "mia-2", "person": "mia", "roles": ["responder"]});
    let token = id(&set.stage.admin.post("/tokens", &made).await["token"]);
    assert_eq!(post(token).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_is_filled_in_by_a_link_and_checked_as_the_api_checks_it() {
    let set = set_asking(Plan::new(), FORM).await;
    let (status, page) = set.look(&set.link).await;
    assert_eq!(status, 200);
    for shown in [
        "&lt;Ticket&gt; (for a yes)",
        "<input name=\"form.ticket\" required>",
        "type=\"number\" step=\"1\" name=\"form.blast\"",
        "<option value=\"test\">test</option>",
        "<textarea name=\"form.hosts\"",
    ] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    for (form, says) in [
        ("decision=approve&reason=x", "`form.ticket` is missing"),
        ("decision=approve&reason=x&form.ticket=7", "`form.ticket` must fit"),
        ("decision=approve&reason=x&form.ticket=INC-7&form.blast=0", "at least 1"),
        ("decision=approve&reason=x&form.ticket=INC-7&form.blast=many", "a whole number"),
        ("decision=approve&reason=x&form.ticket=INC-7&form.other=1", "no field `other`"),
        ("decision=approve&reason=x&form.ticket=INC-7&person=lea", "no member `person`"),
    ] {
        let (status, page) = set.post(&set.link, form).await;
        assert!(status == 400 && page.contains(says), "{form}: {status} {page}");
    }
    assert_eq!(set.shown().await["decisions"], json!([]));
    let yes = "decision=approve&reason=ours&form.ticket=INC-7&form.blast=3&form.place=&form.hosts=a%0D%0Ab";
    let (status, page) = set.post(&set.link, yes).await;
    assert_eq!(status, 200, "{page}");
    let form = json!({"ticket": "INC-7", "blast": 3, "place": null, "hosts": ["a", "b"]});
    assert_eq!(set.stage.over(&set.run).await["result"], json!(["approved", form]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_decided_by_a_link_is_in_the_audit_log_and_so_is_what_is_not() {
    let set = set(Plan::new()).await;
    let forged = format!("{}00", set.link);
    assert_eq!(set.post(&forged, "decision=approve&reason=canary").await.0, 404);
    assert_eq!(set.post(&set.link, "decision=approve&reason=x").await.0, 400);
    assert_eq!(set.post(&set.link, YES).await.0, 200);
    assert_eq!(set.post(&set.link, YES).await.0, 409);
    let told = set.stage.admin.list("/audit?verb=approvals.decisions").await;
    let shown: Vec<Value> = told
        .iter()
        .rev()
        .map(|one| json!(["actor", "object", "outcome", "code"].map(|name| one[name].clone())))
        .collect();
    let expected = [
        json!([null, null, "refused", "ST0301"]),
        json!(["mia", set.approval, "refused", "ST0302"]),
        json!(["mia", set.approval, "done", null]),
        json!(["mia", set.approval, "refused", "ST0306"]),
    ];
    assert_eq!(shown, expected);
    assert!(told.iter().all(|one| one["from"] == "link 127.0.0.1"), "{told:?}");
    assert!(!json!(told).to_string().contains("canary"));
}
