//! An organization, as moto plays it: a playbook goes through its accounts, and one of its units is
//! protected.

use serde_json::{Value, json};
use stanch_engine_cli::config::{Account, Protect};
use stanch_engine_core::effect::Mode;
use stanch_tests::moto::Moto;

use crate::stage::{Plan, Stage, id};

/// The account that moto plays unless a role of another one is taken.
pub(crate) const MANAGEMENT: &str = "123456789012";

/// The root, an outer unit with an inner one, an account in each of them, and one that is closed.
pub(crate) struct Organization {
    pub(crate) stage: Stage,
    moto: Moto,
    outer: String,
    in_outer: String,
    pub(crate) in_inner: String,
    at_root: String,
    closed: String,
}

/// A node that calls moto, each account with a role of its own.
async fn stage(moto: &Moto, set: impl FnOnce(&mut Plan)) -> Stage {
    let mut plan = Plan::new();
    plan.ships = false;
    plan.aws_url = Some(moto.url().to_owned());
    plan.config.aws.roles.read = Some("arn:aws:iam::{account}:role/stanch-read".to_owned());
    plan.config.aws.roles.contain = Some("arn:aws:iam::{account}:role/stanch-contain".to_owned());
    set(&mut plan);
    plan.set().await
}

async fn organization() -> Organization {
    organization_with(|_| {}).await
}

/// An organization, of a node that is set as it is said.
pub(crate) async fn organization_with(set: impl FnOnce(&mut Plan)) -> Organization {
    let moto = Moto::start().await;
    let stage = stage(&moto, set).await;
    let ask = async |operation: &str, params: Value| {
        stage.call(MANAGEMENT, &format!("organizations:{operation}"), params).await
    };
    ask("CreateOrganization", json!({})).await;
    let root = id(&ask("ListRoots", json!({})).await["Roots"][0]["Id"]);
    let unit = async |parent: &str, name: &str| {
        let made = ask("CreateOrganizationalUnit", json!({"ParentId": parent, "Name": name})).await;
        id(&made["OrganizationalUnit"]["Id"])
    };
    let outer = unit(&root, "production").await;
    let inner = unit(&outer, "payments").await;
    let account = async |name: &str, parent: &str| {
        let email = format!("{name}@example.com");
        let made = ask("CreateAccount", json!({"AccountName": name, "Email": email})).await;
        let account = id(&made["CreateAccountStatus"]["AccountId"]);
        if parent != root {
            let there = json!({"AccountId": account, "SourceParentId": root,
                "DestinationParentId": parent});
            ask("MoveAccount", there).await;
        }
        account
    };
    let (in_outer, in_inner) = (account("web", &outer).await, account("cards", &inner).await);
    let (at_root, closed) = (account("lab", &root).await, account("old", &inner).await);
    ask("CloseAccount", json!({"AccountId": closed})).await;
    Organization { stage, moto, outer, in_outer, in_inner, at_root, closed }
}

fn sorted(value: &Value) -> Vec<String> {
    let mut all: Vec<String> = value.as_array().unwrap().iter().map(id).collect();
    all.sort();
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn each_account_of_a_unit_is_called_as_itself() {
    let it = organization().await;
    it.stage
        .publish(
            r#"
const PLAYBOOK = #{ name: "sweep", title: "Who is where", mode: "ask", inputs: #{ of: "string" } };
let ended = each(accounts(inputs.of), #{ max_concurrency: 2 }, |account| {
    [account.id, account.ou, aws("sts:GetCallerIdentity", #{}, #{ account: account.id }).Account]
});
ended.map(|one| one.value)
"#,
        )
        .await;
    let run = it.stage.start("sweep", json!({"of": it.outer})).await;
    let ended = it.stage.over(&run).await;
    assert_eq!(ended["status"], "succeeded", "{ended}\n{}", it.moto.log());
    let seen = ended["result"].as_array().unwrap();
    for one in seen {
        assert_eq!(one[0], one[2], "each is called with a role of its own: {ended}");
    }
    let mut expected = vec![it.in_outer.clone(), it.in_inner.clone()];
    expected.sort();
    assert_eq!(sorted(&seen.iter().map(|one| one[0].clone()).collect()), expected);
    assert_eq!(seen[0][1], json!(it.outer));
    // The one that is closed is told of, and not called.
    let journal = Value::from(it.stage.journal(&run).await).to_string();
    assert!(journal.contains(&it.closed) && journal.contains("are left out"), "{journal}");
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_accounts_may_fail_as_is_said_and_no_more() {
    let it = organization().await;
    let run = async |most: u32| {
        let text = format!(
            r#"
const PLAYBOOK = #{{ name: "most", title: "M", mode: "ask", inputs: #{{ of: "string", ill: "string" }} }};
let ended = each(accounts(inputs.of), #{{ max_errors: {most} }}, |account| {{
    if account.id == inputs.ill {{
        aws("iam:GetUser", #{{ UserName: "nobody" }}, #{{ account: account.id }});
    }}
    account.id
}});
ended.map(|one| [one.item.id, one.ok])
"#
        );
        it.stage.publish(&text).await;
        let run = it.stage.start("most", json!({"of": it.outer, "ill": it.in_inner})).await;
        it.stage.over(&run).await
    };
    let borne = run(1).await;
    let mut seen: Vec<Value> = borne["result"].as_array().unwrap().clone();
    seen.sort_by_key(Value::to_string);
    let mut expected = vec![json!([it.in_outer, true]), json!([it.in_inner, false])];
    expected.sort_by_key(Value::to_string);
    assert_eq!(seen, expected, "{borne}");
    let ended = run(0).await;
    assert_eq!(ended["status"], "failed", "{ended}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_account_is_listed_where_no_unit_is_named_and_a_slip_is_refused() {
    let it = organization().await;
    let header = "const PLAYBOOK = #{ name: \"all\", title: \"All\", mode: \"ask\" };\n";
    it.stage.publish(&format!("{header}accounts().map(|account| account.id)")).await;
    let run = it.stage.start("all", json!({})).await;
    let mut expected =
        vec![MANAGEMENT.to_owned(), it.in_outer.clone(), it.in_inner.clone(), it.at_root.clone()];
    expected.sort();
    assert_eq!(sorted(&it.stage.over(&run).await["result"]), expected);

    it.stage.publish(&format!("{header}accounts(\"{}\")", it.at_root)).await;
    let run = it.stage.start("all", json!({})).await;
    let error = it.stage.over(&run).await["error"].clone();
    assert!(error["message"].as_str().unwrap().contains("`ou-…`"), "{error}");

    it.stage.publish(&format!("{header}accounts(\"ou-ab12-nothere1\")")).await;
    let run = it.stage.start("all", json!({})).await;
    let error = it.stage.over(&run).await["error"].clone();
    assert_eq!(error["code"], "ParentNotFoundException", "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_protects_the_accounts_of_the_units_within_it() {
    let it = organization().await;
    let stage = stage(&it.moto, |plan| {
        for account in [&it.in_outer, &it.in_inner, &it.at_root] {
            plan.config.accounts.insert(account.clone(), Account::of_mode(Mode::Auto));
        }
        plan.config.guard.protect.push(Protect {
            name: "units".to_owned(),
            reason: "the shop stands on it".to_owned(),
            owner: "team payments".to_owned(),
            arns: Vec::new(),
            tags: Default::default(),
            accounts: Vec::new(),
            ous: vec![it.outer.clone()],
        });
    })
    .await;
    stage
        .publish(
            r#"
const PLAYBOOK = #{ name: "cut", title: "Cuts a key off", mode: "auto" };
execute(plan([change("iam:UpdateAccessKey", // check: dynamic
    #{ UserName: "u", AccessKeyId: inputs.key, Status: "Inactive" }, #{ account: inputs.account })]))
"#,
        )
        .await;
    for (account, is_protected) in
        [(&it.in_outer, true), (&it.in_inner, true), (&it.at_root, false)]
    {
        stage.call(account, "iam:CreateUser", json!({"UserName": "u"})).await;
        let made = stage.call(account, "iam:CreateAccessKey", json!({"UserName": "u"})).await;
        let key = id(&made["AccessKey"]["AccessKeyId"]);
        let run = stage.start("cut", json!({"account": account, "key": key})).await;
        let ended = stage.over(&run).await;
        let keys = stage.call(account, "iam:ListAccessKeys", json!({"UserName": "u"})).await;
        let status = &keys["AccessKeyMetadata"][0]["Status"];
        if is_protected {
            assert_eq!(ended["error"]["code"], "protected", "{ended}");
            let message = ended["error"]["message"].as_str().unwrap();
            assert!(message.contains("units") && message.contains("team payments"), "{message}");
            assert_eq!(status, "Active");
        } else {
            assert_eq!(ended["status"], "succeeded", "{ended}\n{}", it.moto.log());
            assert_eq!(status, "Inactive");
        }
    }
}
