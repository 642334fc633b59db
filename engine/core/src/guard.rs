//! Whether an action may go ahead: the one decision that stands before every change.

pub mod limits;
pub mod own;
pub mod pattern;
pub mod rails;
pub mod target;

use serde_json::Value;

use crate::effect::{Effect, Mode};

/// All that the decision depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Circumstances {
    /// How far the action reaches.
    pub effect: Effect,
    /// The strictest of the account's and the playbook's mode.
    pub mode: Mode,
    /// Whether the kill switch is thrown.
    pub is_halted: bool,
    /// Whether the run is about a detector's sample.
    pub is_sample: bool,
    /// Whether people approved exactly this.
    pub is_approved: bool,
    /// Whether people must be asked in any mode: it touches much, or is wanted at a bad time.
    pub must_ask: bool,
}

/// The decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permit {
    /// It goes ahead.
    Go,
    /// It is recorded and not made.
    WouldCall(WhyNot),
    /// People are asked first.
    Ask,
    /// It is refused.
    Refuse(WhyNot),
}

/// Which rule says no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhyNot {
    /// The kill switch is thrown.
    Halted,
    /// A sample never changes AWS.
    Sample,
    /// The account or the playbook only observes.
    Observe,
}

impl WhyNot {
    /// The code in errors and results.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Halted => "halted",
            Self::Sample => "sample",
            Self::Observe => "observe",
        }
    }

    /// The rule in words, and how it is changed.
    pub const fn explanation(self) -> &'static str {
        match self {
            Self::Halted => {
                "the kill switch is thrown: nothing is changed until `stanch unhalt`; then run the playbook again"
            }
            Self::Sample => "the alert is a detector's sample: it never changes AWS",
            Self::Observe => {
                "the account or the playbook is in mode `observe`: set `mode = \"ask\"` for the account in stanch.toml and `mode: \"ask\"` in the playbook's header"
            }
        }
    }
}

/// The decision. The strictest rule holds.
pub fn permit(case: &Circumstances) -> Permit {
    if !case.effect.is_guarded() {
        return Permit::Go;
    }
    if case.is_halted {
        return Permit::Refuse(WhyNot::Halted);
    }
    if case.is_sample {
        return Permit::WouldCall(WhyNot::Sample);
    }
    match (case.mode, case.effect) {
        (Mode::Observe, _) => Permit::WouldCall(WhyNot::Observe),
        (Mode::Auto, Effect::Change) if !case.must_ask => Permit::Go,
        (Mode::Auto | Mode::Ask, _) if case.is_approved => Permit::Go,
        (Mode::Auto | Mode::Ask, _) => Permit::Ask,
    }
}

/// Whether an error is a guard rail's: the call was not sent.
pub fn is_refusal(code: &str) -> bool {
    let rules = [WhyNot::Halted, WhyNot::Sample, WhyNot::Observe].map(WhyNot::code);
    rules.contains(&code)
        || [rails::PROTECTED, rails::UNKNOWN, "plan_not_approved", "approval_revoked"]
            .contains(&code)
        || [limits::SPENT, limits::COOLING, limits::NO_EVIDENCE, limits::FROZEN].contains(&code)
}

/// Whether a step's result says that its call was not made, and only would have been.
pub fn is_would_call(result: &Value) -> bool {
    result.get("would_call").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case() -> Circumstances {
        Circumstances {
            effect: Effect::Change,
            mode: Mode::Ask,
            is_halted: false,
            is_sample: false,
            is_approved: false,
            must_ask: false,
        }
    }

    #[test]
    fn looking_and_telling_are_always_allowed() {
        for effect in [Effect::Read, Effect::Notify] {
            let case = Circumstances { effect, is_halted: true, mode: Mode::Observe, ..case() };
            assert_eq!(permit(&case), Permit::Go);
        }
    }

    #[test]
    fn no_approval_gets_round_the_kill_switch_a_sample_or_observe() {
        let approved = Circumstances { is_approved: true, mode: Mode::Auto, ..case() };
        let halted = Circumstances { is_halted: true, ..approved };
        assert_eq!(permit(&halted), Permit::Refuse(WhyNot::Halted));
        let sample = Circumstances { is_sample: true, ..approved };
        assert_eq!(permit(&sample), Permit::WouldCall(WhyNot::Sample));
        let observe = Circumstances { mode: Mode::Observe, ..approved };
        assert_eq!(permit(&observe), Permit::WouldCall(WhyNot::Observe));
    }

    #[test]
    fn ask_asks_and_auto_asks_before_it_destroys() {
        assert_eq!(permit(&case()), Permit::Ask);
        assert_eq!(permit(&Circumstances { is_approved: true, ..case() }), Permit::Go);
        let auto = Circumstances { mode: Mode::Auto, ..case() };
        assert_eq!(permit(&auto), Permit::Go);
        assert_eq!(permit(&Circumstances { effect: Effect::Destroy, ..auto }), Permit::Ask);
        let wide = Circumstances { must_ask: true, ..auto };
        assert_eq!(permit(&wide), Permit::Ask);
        assert_eq!(permit(&Circumstances { is_approved: true, ..wide }), Permit::Go);
    }
}
