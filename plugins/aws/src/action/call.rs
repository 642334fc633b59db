//! `aws.call`: one call of any operation.
//!
//! Input: `{"operation": "iam:ListAccessKeys", "params": {…}, "paginate": false}` (a number: so
//! many items; `"auto"`: every page, if there are pages). Where pages are asked for, the answer to
//! a run has a member `cut_off`: whether there is more. The account and the region come from the context. The
//! result is AWS's answer, every modelled member of it, null where AWS gave none; where secrets stand
//! in it is told beside it.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;
use stanch_plugins_sdk::core::effect::{Effect, RetrySafety};
use stanch_plugins_sdk::core::guard::target::{Surveyed, Targets, Wants};
use stanch_plugins_sdk::{
    Action, ActionContext, ActionError, BoxFuture, CallRecord, Done, LookUp, Nature, Outcome, Sink,
};

use super::automation;
use super::command;
use super::content;
use super::document;
use super::input::{Input, Paginate};
use super::lookup;
use super::sampled;
use super::standing::{Breadth, Standing, is_by_hand};
use super::survey;
use crate::client::{Client, Failure, blank};
use crate::model::Named;
use crate::{effect, lookups, reviewed, safety, secrets};

/// `aws.call`.
pub(crate) struct Call(pub(crate) Arc<Client>);

impl Action for Call {
    fn name(&self) -> &'static str {
        "aws.call"
    }

    fn classify(&self, input: &Value) -> Result<Nature, ActionError> {
        let Input { named, .. } = Input::read(&self.0.models, input)?;
        Ok(nature(named))
    }

    fn run<'a>(
        &'a self,
        context: &'a ActionContext,
        input: &'a Value,
    ) -> BoxFuture<'a, Result<Outcome, ActionError>> {
        Box::pin(self.call(context, input))
    }

    fn carry<'a>(
        &'a self,
        context: &'a ActionContext,
        input: &'a Value,
        body: Option<Bytes>,
        sink: &'a mut dyn Sink,
    ) -> BoxFuture<'a, Result<Done, ActionError>> {
        Box::pin(content::carry(&self.0, context, input, body, sink))
    }

    fn look_up<'a>(
        &'a self,
        context: &'a ActionContext,
        input: &'a Value,
    ) -> BoxFuture<'a, Result<LookUp, ActionError>> {
        Box::pin(self.find(context, input))
    }

    fn survey<'a>(
        &'a self,
        context: &'a ActionContext,
        targets: &'a Targets,
        wants: Wants,
    ) -> BoxFuture<'a, Result<Surveyed, ActionError>> {
        Box::pin(survey::survey(&self.0, context, targets, wants))
    }
}

/// What an operation does, and whether it may be made twice.
pub(super) fn nature(named: Named) -> Nature {
    Nature { effect: effect::of(named), safety: safety::of(named) }
}

impl Call {
    async fn call(&self, context: &ActionContext, input: &Value) -> Result<Outcome, ActionError> {
        let mut input = Input::read(&self.0.models, input)?;
        let Nature { effect, safety } = nature(input.named);
        // What is under way is only looked at.
        let goes_on = automation::is_one(input.named) || command::is_one(input.named);
        let is_look = goes_on && context.state.is_some();
        let reach = if is_look { Effect::Read } else { effect };
        let mut breadth = Breadth::Plan;
        if !is_look {
            let takes = Box::pin(document::require(&self.0, context, &input)).await?;
            breadth = automation::act_with(&self.0, context, &mut input, &takes);
        }
        let standing = Standing::with(&self.0, context, input.named, reach, breadth);
        let standing = Box::pin(standing).await?;
        fill_token(&mut input, context);
        // By hand a command or an automation is one request, as every call is.
        if automation::is_one(input.named) && !is_by_hand(context) {
            let step = automation::step(&self.0, context, &standing, &input);
            return Box::pin(step).await.map_err(|error| standing.told(error));
        }
        if command::is_one(input.named) && context.run.is_some() {
            let step = command::step(&self.0, context, &standing, &mut input);
            return Box::pin(step).await.map_err(|error| standing.told(error));
        }
        // Only a repetition asks what became of the one before, and there may be much of it.
        let given = (context.attempt > 1).then(|| input.params.clone());
        // By hand nobody looks for it.
        if safety == RetrySafety::Lookup && !is_by_hand(context) {
            // What does not fit leaves it to a person, if it comes to that.
            let _fits = lookup::mark(&mut input, context.token);
        }
        let failure = match Box::pin(self.send(context, &standing, &input)).await {
            Ok(done) => return Ok(Outcome::Done(done)),
            Err(failure) => failure,
        };
        if let Some(given) = given.filter(|_| is_done_before(context, input.named, &failure)) {
            let input = Input { params: given, ..input };
            let earlier = Box::pin(self.earlier(context, &standing, input, &failure)).await;
            if let Some(done) = earlier {
                return Ok(Outcome::Done(done));
            }
        }
        // What is not repeated blindly is in doubt as a change is, although it only tells somebody.
        let is_blind = matches!(safety, RetrySafety::Natural);
        let reach = if is_blind { effect } else { effect.max(Effect::Change) };
        Err(standing.told(failure.into_error(reach)))
    }

    /// What the earlier attempt did, of which an error of this one tells. Where it can be looked
    /// up, somebody else may have been there before.
    async fn earlier(
        &self,
        context: &ActionContext,
        standing: &Standing,
        input: Input,
        failure: &Failure,
    ) -> Option<Done> {
        let Input { named, .. } = input;
        let value = if lookups::of(named).is_some() {
            let looking = Box::pin(self.looking(context, named)).await.ok()?;
            match Box::pin(lookup::find(&self.0, context, &looking, input)).await {
                Ok(LookUp::Happened(value)) => value,
                _ => return None,
            }
        } else {
            blank(named.model, named.operation.output.as_ref().map(|output| &*output.shape))
        };
        let mut call = standing.record();
        let code = failure.code();
        call.caveats.push(format!("an earlier attempt took place: this one got {code}"));
        Some(Done { value, secrets: Vec::new(), call })
    }

    async fn send(
        &self,
        context: &ActionContext,
        standing: &Standing,
        input: &Input,
    ) -> Result<Done, Failure> {
        let wanted = standing.wanted(context, input.named, &input.params);
        let is_in_pages = input.paginate != Paginate::No;
        let (answer, caveat) = match input.named.paginator.filter(|_| is_in_pages) {
            Some(paginator) => {
                let most = input.paginate.items();
                let pages = Box::pin(self.0.call_pages(wanted, paginator, most)).await?;
                (pages.answer, pages.caveat)
            }
            None => (Box::pin(self.0.call(wanted)).await?, None),
        };
        let mut call = CallRecord {
            request_id: answer.request_id,
            clock_offset_ms: answer.clock_offset_ms,
            ..standing.record()
        };
        let mut value = answer.value;
        if let (Value::Object(members), true) = (&mut value, input.paginate.is_told())
            && context.run.is_some()
        {
            members.insert("cut_off".to_owned(), caveat.is_some().into());
        }
        call.caveats.extend(caveat);
        call.caveats.extend(sampled::caveat(&input.named.to_string(), &input.params, &value));
        // Nothing keeps the answer to a person who calls by hand.
        let secrets = match context.run {
            Some(_) => secrets::places(input.named, &value),
            None => Vec::new(),
        };
        Ok(Done { value, secrets, call })
    }

    /// Where and as whom it is looked whether a call took place.
    async fn looking(
        &self,
        context: &ActionContext,
        named: Named,
    ) -> Result<Standing, ActionError> {
        let mut standing = Box::pin(Standing::find(&self.0, context, named, Effect::Read)).await?;
        let is_sure = Box::pin(standing.make_sure(&self.0, context, named)).await;
        is_sure.map_err(|error| standing.told(error))?;
        Ok(standing)
    }

    async fn find(&self, context: &ActionContext, input: &Value) -> Result<LookUp, ActionError> {
        let input = Input::read(&self.0.models, input)?;
        let standing = Box::pin(self.looking(context, input.named)).await?;
        let found = match command::is_one(input.named) {
            true => Box::pin(command::find(&self.0, context, &standing, &input)).await,
            false => Box::pin(lookup::find(&self.0, context, &standing, input)).await,
        };
        found.map_err(|failure| standing.told(failure.into_error(Effect::Read)))
    }
}

/// Gives the operation the step's idempotency token, unless the playbook gave one of its own.
fn fill_token(input: &mut Input, context: &ActionContext) {
    let member = safety::token_member(input.named);
    if let (Some(member), Value::Object(params)) = (member, &mut input.params) {
        let given = params.get(member).is_some_and(|token| !token.is_null());
        if !given {
            params.insert(member.to_owned(), context.token.to_string().into());
        }
    }
}

/// Whether the error of a repetition says that the earlier attempt took place. Of a first attempt
/// the same error is one: then the name is wrong, or somebody else was there before.
fn is_done_before(context: &ActionContext, named: Named, failure: &Failure) -> bool {
    let reviewed = reviewed::of(named).filter(|_| context.attempt > 1);
    reviewed.is_some_and(|reviewed| reviewed.is_done(&failure.code()))
}
