//! Every rule for an unknown outcome, held against an AWS that loses its answer after it did what
//! it was asked for, and before: the engine's next step is taken, and it took place once.
//!
//! What AWS does with a second call is written down in `repeat/manners.toml`, apart from the
//! catalogue. Where a rule were wrong, it would take place twice, or be said to have.

mod manners;
mod sample;

use std::sync::Arc;

use serde_json::{Value, json};
use stanch_plugins_aws::sandbox::{Fault, FaultKind, Sandbox};
use stanch_plugins_aws::{Aws, AwsSettings};
use stanch_plugins_sdk::core::effect::{Effect, RetrySafety};
use stanch_plugins_sdk::core::step::ErrorKind;
use stanch_plugins_sdk::{ActionContext, Catalogue, LookUp, Outcome};
use uuid::Uuid;

use crate::context::{call, catalogue, context};
use crate::listener::serve;
use manners::Manners;

const ACCOUNT: &str = "111122223333";
const ROWS: &str = include_str!("../../catalogue/operations.tsv");

/// What is found there may be older, and then a person decides.
const OPEN: [&str; 1] = ["iam:CreateLoginProfile"];

struct Stage {
    sandbox: Arc<Sandbox>,
    aws: Aws,
    catalogue: Catalogue,
    manners: Manners,
}

/// Parameters of a call of which nothing is known but its model and `manners.toml`.
pub(crate) fn sample(aws: &Aws, operation: &str) -> Value {
    let described = aws.describe(operation).unwrap();
    let mut params = sample::of(&described["parameters"]);
    let members = params.as_object_mut().unwrap();
    members.extend(Manners::read().params(operation));
    // The engine gives its own.
    members.remove(described["token_parameter"].as_str().unwrap_or_default());
    params
}

/// How a story ended.
#[derive(Debug, PartialEq)]
enum End {
    /// With an answer.
    Done,
    /// With a question to a person.
    Asked,
}

impl Stage {
    async fn set() -> Self {
        let sandbox = Arc::new(Sandbox::new(ACCOUNT).unwrap());
        let url = serve(Arc::clone(&sandbox)).await;
        let aws = Aws::open(&AwsSettings::default()).unwrap();
        Self { sandbox, aws, catalogue: catalogue(&url), manners: Manners::read() }
    }

    /// The operations that change something, and what the catalogue says of each.
    fn rows(&self) -> Vec<(&'static str, RetrySafety)> {
        let rows = ROWS.lines().filter(|line| !line.starts_with('#'));
        let rows = rows.map(|row| row.split('\t').next().unwrap());
        let rows = rows.map(|op| (op, self.input(op))).map(|(operation, input)| {
            let nature = call(&self.catalogue).classify(&input);
            let nature = nature.unwrap_or_else(|error| panic!("{operation}: {error}"));
            (operation, nature.effect, nature.safety)
        });
        let rows = rows.filter(|(_, effect, _)| *effect != Effect::Read);
        rows.map(|(operation, _, safety)| (operation, safety)).collect()
    }

    fn input(&self, operation: &str) -> Value {
        json!({"operation": operation, "params": sample(&self.aws, operation)})
    }

    /// One attempt, whose answer never comes; the engine's next step; and how often it took place.
    async fn story(
        &self,
        operation: &str,
        safety: RetrySafety,
        fault: FaultKind,
    ) -> Result<(End, usize), String> {
        self.sandbox.play_by(self.manners.of(&self.aws, operation)).unwrap();
        let mut bytes = [0; 16];
        for (at, byte) in format!("{operation}{fault:?}").bytes().enumerate() {
            bytes[at % 16] ^= byte.rotate_left(u32::try_from(at / 16).unwrap());
        }
        let token = uuid::Builder::from_custom_bytes(bytes).into_uuid();
        let first = ActionContext { token, ..context(ACCOUNT) };
        let input = self.input(operation);
        let action = call(&self.catalogue);
        self.sandbox.fault(Fault { operation: operation.to_owned(), kind: fault, times: 1 });
        let lost = action.run(&first, &input).await;
        match lost {
            Err(error) if error.kind == ErrorKind::InDoubt => {}
            // What only tells somebody is told again.
            Err(error) if error.kind == ErrorKind::Transient && safety == RetrySafety::Natural => {}
            other => return Err(format!("the first attempt: {other:?}")),
        }
        let found = match safety {
            RetrySafety::Natural | RetrySafety::Token => LookUp::DidNotHappen,
            RetrySafety::Lookup => {
                let found = action.look_up(&first, &input).await;
                found.map_err(|error| format!("the look-up: {error}"))?
            }
            RetrySafety::Never => LookUp::Unknown,
        };
        let end = match found {
            LookUp::Happened(value) => self.shaped(operation, &value)?,
            LookUp::UnderWay { .. } => End::Done,
            LookUp::Unknown => End::Asked,
            LookUp::DidNotHappen => {
                let second = ActionContext { attempt: 2, ..first };
                match action.run(&second, &input).await {
                    Ok(Outcome::Done(done)) => self.shaped(operation, &done.value)?,
                    Ok(Outcome::Again { .. }) => End::Done,
                    Err(error) => return Err(format!("the second attempt: {error}")),
                }
            }
        };
        Ok((end, self.sandbox.made(operation).len()))
    }

    /// Every member that AWS answers is there.
    fn shaped(&self, operation: &str, value: &Value) -> Result<End, String> {
        let described = self.aws.describe(operation).unwrap();
        let members = described["answer"].as_object().into_iter().flat_map(|m| m.keys());
        match members.into_iter().find(|name| value.get(name.as_str()).is_none()) {
            Some(name) => Err(format!("the answer lacks `{name}`: {value}")),
            None => Ok(End::Done),
        }
    }

    /// Whether a rule makes it take place once, whatever was lost.
    async fn once(&self, operation: &str, safety: RetrySafety) -> Result<(), String> {
        for (fault, made) in [(FaultKind::CutAfterApply, 1), (FaultKind::CutBefore, 0)] {
            let (end, times) = self.story(operation, safety, fault).await?;
            let is_open = safety == RetrySafety::Never
                || OPEN.contains(&operation) && fault == FaultKind::CutAfterApply;
            let (wanted, times_wanted) = match is_open {
                true => (End::Asked, made),
                false => (End::Done, 1),
            };
            let tells = self.manners.tells(operation) && times > 0;
            if end != wanted || (times != times_wanted && !tells) {
                return Err(format!("{fault:?}: {end:?}, and it took place {times} times"));
            }
        }
        Ok(())
    }
}

#[tokio::test]
async fn whatever_was_lost_takes_place_once() {
    let stage = Stage::set().await;
    let (mut wrong, mut counts) = (Vec::new(), [0; 4]);
    for (operation, safety) in stage.rows() {
        if let Err(why) = stage.once(operation, safety).await {
            wrong.push(format!("{operation} ({safety:?}): {why}"));
        }
        counts[safety as usize] += 1;
    }
    assert!(wrong.is_empty(), "{} rules do not hold:\n{}", wrong.len(), wrong.join("\n"));
    assert!(counts.iter().sum::<i32>() > 215, "{counts:?}");
    // As few questions to people as are honest.
    assert!(counts[RetrySafety::Never as usize] <= 5, "{counts:?}");
}

#[tokio::test]
async fn a_rule_that_is_wrong_is_found_out() {
    let stage = Stage::set().await;
    let mut tried = 0;
    for (operation, safety) in stage.rows() {
        let is_repeated = matches!(safety, RetrySafety::Natural | RetrySafety::Token);
        if !is_repeated
            && stage.manners.happens_again(operation)
            && !stage.manners.has_key(operation)
        {
            let found = stage.once(operation, RetrySafety::Natural).await;
            assert!(found.is_err(), "{operation} could be repeated, it seems");
            tried += 1;
        }
    }
    assert!(tried > 10, "{tried}");
    // What can't be looked up is not found.
    let never = stage.once("events:PutEvents", RetrySafety::Lookup).await;
    assert!(never.is_err(), "{never:?}");
}

#[tokio::test]
async fn a_token_stands_where_aws_looks_for_it_and_makes_the_difference() {
    let stage = Stage::set().await;
    let rows = stage.rows().into_iter().filter(|(_, safety)| *safety == RetrySafety::Token);
    for (operation, _) in rows {
        let described = stage.aws.describe(operation).unwrap();
        let taken = described["token_parameter"].as_str();
        assert_eq!(taken, stage.manners.token(operation), "{operation}");
        stage.sandbox.play_by(stage.manners.of(&stage.aws, operation)).unwrap();
        let input = stage.input(operation);
        for token in [1, 1, 2] {
            let context = ActionContext { token: Uuid::from_u128(token), ..context(ACCOUNT) };
            call(&stage.catalogue).run(&context, &input).await.unwrap();
        }
        assert_eq!(stage.sandbox.made(operation).len(), 2, "{operation}");
    }
}

#[tokio::test]
async fn what_somebody_else_made_is_not_taken_for_ours() {
    let stage = Stage::set().await;
    let action = call(&stage.catalogue);
    let mut tried = 0;
    for (operation, safety) in stage.rows() {
        let described = stage.aws.describe(operation).unwrap();
        if safety != RetrySafety::Lookup || described["looked_up"]["token_in"].is_null() {
            continue;
        }
        stage.sandbox.play_by(stage.manners.of(&stage.aws, operation)).unwrap();
        let theirs = ActionContext { token: Uuid::from_u128(1), ..context(ACCOUNT) };
        let ours = ActionContext { token: Uuid::from_u128(2), ..context(ACCOUNT) };
        let input = stage.input(operation);
        action.run(&theirs, &input).await.unwrap_or_else(|error| panic!("{operation}: {error}"));
        let found = action.look_up(&ours, &input).await.unwrap();
        assert_eq!(found, LookUp::DidNotHappen, "{operation}");
        // Where the name is taken, the repetition fails, and does not claim to be done.
        let again = action.run(&ActionContext { attempt: 2, ..ours }, &input).await;
        let is_named = stage.manners.has_key(operation);
        assert_eq!(again.is_err(), is_named, "{operation}: {again:?}");
        tried += 1;
    }
    assert!(tried > 12, "{tried}");
}
