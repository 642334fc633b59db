//! Detective: investigations of users and roles, which take their time
//! (<https://docs.aws.amazon.com/detective/latest/APIReference/API_StartInvestigation.html>).

use serde_json::{Value, json};
use stanch_plugins_sdk::core::time::Timestamp;

use super::ec2::set;
use super::page::page;
use super::reply::Refusal;
use super::request::Asked;
use super::world::World;
use crate::client::value;

type Answered = Result<Value, Refusal>;

/// How long an investigation takes.
const TAKES_MS: i64 = 120_000;

/// Answers for Detective.
pub(super) fn answer(
    world: &mut World,
    operation: &str,
    asked: &Asked,
    now: Timestamp,
) -> Option<Answered> {
    Some(match operation {
        "ListGraphs" => Ok(json!({"GraphList": [{"Arn": graph(world, asked)}]})),
        "StartInvestigation" => start(world, asked, now),
        "GetInvestigation" => get(world, asked),
        "ListInvestigations" => list(world, asked),
        "ListIndicators" => indicators(world, asked),
        "UpdateInvestigationState" => update(world, asked),
        _ => return None,
    })
}

/// Lets investigations go on until then.
pub(super) fn go_on(world: &mut World, now: Timestamp) {
    for investigation in &mut world.investigations {
        let since = investigation.get("CreatedTime").and_then(value::timestamp);
        let since = since.and_then(|since| since.to_millis().ok()).unwrap_or_default();
        if now.millis() - since >= TAKES_MS {
            set(investigation, "Status", "SUCCESSFUL".into());
        }
    }
}

fn graph(world: &World, asked: &Asked) -> String {
    let (region, account) = (&asked.region, &world.account);
    format!("arn:aws:detective:{region}:{account}:graph:027c7c4610ea4aacaf0b883093cab899")
}

fn no_such(what: &str) -> Refusal {
    Refusal::new(404, "ResourceNotFoundException", format!("There is no such {what}."))
}

fn of_graph(world: &World, asked: &Asked) -> Result<String, Refusal> {
    let graph = graph(world, asked);
    if asked.text("GraphArn") == Some(&graph) { Ok(graph) } else { Err(no_such("graph")) }
}

fn start(world: &mut World, asked: &Asked, now: Timestamp) -> Answered {
    let graph = of_graph(world, asked)?;
    let entity = asked.text("EntityArn").unwrap_or_default();
    let kind = match entity {
        entity if entity.contains(":user/") => "IAM_USER",
        entity if entity.contains(":role/") => "IAM_ROLE",
        _ => {
            let why = "EntityArn is the ARN of an IAM user or of an IAM role";
            return Err(Refusal::new(400, "ValidationException", why));
        }
    };
    let number = 601_000_000_000_000_000_000_u128 + world.investigations.len() as u128;
    let id = number.to_string();
    world.investigations.push(json!({
        "GraphArn": graph,
        "InvestigationId": id,
        "EntityArn": entity,
        "EntityType": kind,
        "CreatedTime": now,
        "ScopeStartTime": asked.params.get("ScopeStartTime"),
        "ScopeEndTime": asked.params.get("ScopeEndTime"),
        "Status": "RUNNING",
        "Severity": "MEDIUM",
        "State": "ACTIVE",
    }));
    Ok(json!({"InvestigationId": id}))
}

fn find<'w>(world: &'w mut World, asked: &Asked) -> Result<&'w mut Value, Refusal> {
    of_graph(world, asked)?;
    let id = asked.text("InvestigationId").unwrap_or_default();
    let is_it = |one: &&mut Value| one.get("InvestigationId").is_some_and(|own| own == id);
    world.investigations.iter_mut().find(is_it).ok_or_else(|| no_such("investigation"))
}

fn get(world: &mut World, asked: &Asked) -> Answered {
    find(world, asked).map(|investigation| investigation.clone())
}

fn list(world: &World, asked: &Asked) -> Answered {
    of_graph(world, asked)?;
    let names = [
        "InvestigationId",
        "Severity",
        "Status",
        "State",
        "CreatedTime",
        "EntityArn",
        "EntityType",
    ];
    let entity = asked.params.pointer("/FilterCriteria/EntityArn/Value");
    let is_asked = |one: &&Value| entity.is_none_or(|entity| one.get("EntityArn") == Some(entity));
    let details = world.investigations.iter().filter(is_asked).map(|one| {
        let members = names
            .iter()
            .map(|name| ((*name).to_owned(), one.get(name).cloned().unwrap_or_default()));
        Value::Object(members.collect())
    });
    let (details, next) = page(asked, details.collect(), 100)?;
    Ok(json!({"InvestigationDetails": details, "NextToken": next}))
}

/// What was found: that somebody called from where nobody did before. Nothing while it runs.
fn indicators(world: &mut World, asked: &Asked) -> Answered {
    let investigation = find(world, asked)?;
    let is_over = investigation.get("Status").is_some_and(|status| status == "SUCCESSFUL");
    let (id, graph) = (investigation.get("InvestigationId"), investigation.get("GraphArn"));
    let found = if is_over {
        json!([{
            "IndicatorType": "FLAGGED_IP_ADDRESS",
            "IndicatorDetail": {"FlaggedIpAddressDetail": {
                "IpAddress": "198.51.100.77", "Reason": "AWS_THREAT_INTELLIGENCE",
            }},
        }])
    } else {
        json!([])
    };
    Ok(json!({"GraphArn": graph, "InvestigationId": id, "Indicators": found}))
}

fn update(world: &mut World, asked: &Asked) -> Answered {
    let state = asked.params.get("State").cloned().unwrap_or_default();
    set(find(world, asked)?, "State", state);
    Ok(Value::Null)
}
