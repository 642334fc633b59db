//! Plays a run by hand: each step is answered by a function, and at every answer the run that was
//! left standing is compared with the same journal run from its first line.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::{Value, json};
use stanch_engine_core::command::{Command, Verb};
use stanch_engine_core::digest::Sha256;
use stanch_engine_core::id::RunId;
use stanch_engine_core::journal::{
    ByPerson, Entry, Event, Head, Started, StepFailed, StepScheduled, StepSucceeded, TimedOut,
};
use stanch_engine_core::json::Json;
use stanch_engine_core::playbook::{Bundle, LANGUAGE};
use stanch_engine_core::step::{ErrorKind, StepError, StepKey};
use stanch_engine_core::time::Timestamp;
use stanch_engine_script::{
    Answer, Delivery, Hot, Interrupt, Issued, Program, Standing, Stop, Turn, advance,
};

pub(crate) const HEADER: &str =
    "const PLAYBOOK = #{ name: \"p\", title: \"t\", subject: \"AwsIamAccessKey\" };\n";

pub(crate) struct Play {
    pub(crate) program: Rc<Program>,
    pub(crate) journal: Vec<Entry>,
    pub(crate) open: BTreeMap<StepKey, Command>,
    pub(crate) standing: Standing,
    /// Every command, in the order in which it was first asked for, as `key verb summary`.
    pub(crate) asked: Vec<String>,
    hot: Hot,
    /// Whether every turn is compared with a replay.
    compares: bool,
    /// Whether nobody waits any more for what the playbook itself asked for.
    is_stopped: bool,
}

pub(crate) fn run_id() -> RunId {
    RunId::new(Timestamp::from_micros(1_000_000), 42)
}

fn head(command: &Command) -> Head {
    Head { verb: command.verb, args: command.args.clone(), position: command.position }
}

pub(crate) fn compile(script: &str, imports: &[(&str, &str)]) -> Rc<Program> {
    let imports = imports.iter().map(|(path, text)| ((*path).into(), (*text).into())).collect();
    let bundle = Bundle { main: format!("{HEADER}{script}"), imports };
    Program::compile(&bundle, &Interrupt::default()).unwrap()
}

pub(crate) fn started(scope: &Value) -> Entry {
    Entry {
        seq: 0,
        at: Timestamp::from_micros(0),
        event: Event::Started(Started {
            playbook: "p".into(),
            digest: Sha256::of("x"),
            language: LANGUAGE,
            generation: 1,
            requester: "test".into(),
            scope: Json::of(scope),
            deadline_at: Timestamp::from_micros(4_000_000_000_000_000),
        }),
    }
}

pub(crate) fn scope() -> Value {
    json!({
        "alert": {
            "account": "111122223333", "region": "eu-west-1", "type": "X:IAMUser/Y",
            "resources": [
                {"type": "AwsIamAccessKey", "id": "AKIA1"}, {"type": "AwsIamUser", "id": "ann"},
            ],
        },
        "incident": {"id": "inc_1"}, "inputs": {"n": 1}, "config": {},
    })
}

impl Play {
    pub(crate) fn start(script: &str) -> Self {
        Self::start_with(script, &[])
    }

    pub(crate) fn start_with(script: &str, imports: &[(&str, &str)]) -> Self {
        Self::start_program(compile(script, imports), &scope())
    }

    pub(crate) fn start_program(program: Rc<Program>, scope: &Value) -> Self {
        let journal = vec![started(scope)];
        let (hot, turn) = Hot::begin(&program, run_id(), &journal, at(0)).unwrap();
        let standing = turn.standing.clone();
        let (open, asked) = Default::default();
        let (compares, is_stopped) = (true, false);
        let mut play = Self { program, journal, open, standing, asked, hot, compares, is_stopped };
        play.take(turn);
        play
    }

    /// A play that is too long to be compared at every turn.
    pub(crate) fn start_unchecked(script: &str) -> Self {
        Self { compares: false, ..Self::start(script) }
    }

    /// Answers every open step by `answer` until none is left.
    pub(crate) fn finish(mut self, mut answer: impl FnMut(&Command) -> Value) -> Self {
        while let Some(key) = self.open.keys().next().cloned() {
            let value = answer(&self.open[&key]);
            self.answer(&key.0, value);
        }
        self
    }

    pub(crate) fn answer(&mut self, key: &str, value: Value) {
        self.answer_with(key, Answer::Result(Json::canonical(&value)));
    }

    pub(crate) fn fail(&mut self, key: &str, code: &str) {
        let error = StepError::new(ErrorKind::Permanent, code, "m");
        self.answer_with(key, Answer::Error(error));
    }

    fn answer_with(&mut self, key: &str, answer: Answer) {
        let key = StepKey::from(key);
        let command = self.open.remove(&key).expect("the step is open");
        let head = (!command.verb.is_side()).then(|| head(&command));
        self.append(match answer.clone() {
            Answer::Result(result) => {
                Event::StepSucceeded(StepSucceeded { key: key.clone(), head, result, call: None })
            }
            Answer::Error(error) => {
                Event::StepFailed(StepFailed { key: key.clone(), head, error, call: None })
            }
        });
        let answers = (!command.verb.is_side()).then_some(Delivery::Answer(key, answer));
        self.go_on(answers);
    }

    /// Stops the run, as a person does or its time.
    pub(crate) fn stop(&mut self, stop: Stop) {
        self.is_stopped |= !self.asked.iter().any(|line| line.starts_with("0 closing"));
        self.append(match stop {
            Stop::Cancelled => Event::CancelRequested(ByPerson {
                key: None,
                by: "mia".into(),
                reason: "enough".into(),
            }),
            Stop::TimedOut => Event::TimedOut(TimedOut {}),
        });
        self.go_on([Delivery::Stop(stop)]);
    }

    fn go_on(&mut self, deliveries: impl IntoIterator<Item = Delivery>) {
        let turn = self.hot.resume(deliveries, self.now());
        if self.compares {
            let again = advance(&self.program, run_id(), &self.journal, self.now()).unwrap();
            self.compare(&turn, &again);
        }
        self.take(turn);
    }

    fn append(&mut self, event: Event) {
        let seq = u32::try_from(self.journal.len()).unwrap();
        self.journal.push(Entry { seq, at: at(i64::from(seq)), event });
    }

    fn now(&self) -> Timestamp {
        at(i64::try_from(self.journal.len()).unwrap())
    }

    /// The law: a run that was left standing asks for what its journal makes it ask for.
    fn compare(&self, hot: &Turn, cold: &Turn) {
        assert_eq!(hot.standing, cold.standing);
        let facts = |turn: &Turn| -> Vec<_> {
            turn.issued.iter().filter(|i| matches!(i, Issued::Fact(..))).cloned().collect()
        };
        assert_eq!(facts(hot), facts(cold));
        let commands = |turn: &Turn| -> BTreeMap<StepKey, Command> {
            let commands = turn.issued.iter().filter_map(|i| match i {
                Issued::Command(command) => Some((command.key.clone(), command.clone())),
                Issued::Fact(..) => None,
            });
            commands.collect()
        };
        let is_awaited = |key: &StepKey| !self.is_stopped || key.0.starts_with("0.");
        let unjournaled = self.open.iter().filter(|(key, c)| !c.verb.is_side() && is_awaited(key));
        let mut waits: BTreeMap<_, _> = unjournaled.map(|(k, c)| (k.clone(), c.clone())).collect();
        waits.extend(commands(hot));
        assert_eq!(waits, commands(cold));
    }

    fn take(&mut self, turn: Turn) {
        for issued in turn.issued {
            match issued {
                Issued::Fact(command, result) => {
                    self.asked.push(format!("{} {}", command.key, command.summary()));
                    let head = Some(head(&command));
                    let key = command.key;
                    self.append(Event::StepSucceeded(StepSucceeded {
                        key,
                        head,
                        result,
                        call: None,
                    }));
                }
                Issued::Command(command) => {
                    self.asked.push(format!("{} {}", command.key, command.summary()));
                    if command.verb.is_side() {
                        self.append(Event::StepScheduled(StepScheduled {
                            key: command.key.clone(),
                            head: Some(head(&command)),
                            token: None,
                            waits_for: None,
                            wake_at: None,
                        }));
                    }
                    self.open.insert(command.key.clone(), command);
                }
            }
        }
        self.standing = turn.standing;
    }

    pub(crate) fn result(&self) -> Value {
        match &self.standing {
            Standing::Finished(result) => result.value(),
            other => panic!("it has not finished: {other:?}"),
        }
    }

    pub(crate) fn error(&self) -> (String, String) {
        match &self.standing {
            Standing::Failed(error) => (error.code.clone(), error.message.clone()),
            other => panic!("it has not failed: {other:?}"),
        }
    }

    /// The whole journal replays to the same end.
    pub(crate) fn check_whole(&self) {
        let turn = advance(&self.program, run_id(), &self.journal, at(1)).unwrap();
        assert_eq!((turn.standing, turn.issued), (self.standing.clone(), Vec::new()));
    }

    /// Every prefix of the journal replays: nothing diverges, and the end is the same.
    pub(crate) fn check_every_prefix(&self) {
        for length in 1..=self.journal.len() {
            let prefix = &self.journal[..length];
            let turn = advance(&self.program, run_id(), prefix, at(1)).unwrap();
            assert!(
                !matches!(turn.standing, Standing::Diverged(_)),
                "prefix {length}: {:?}",
                turn.standing
            );
            if length == self.journal.len() {
                assert_eq!(turn.standing, self.standing);
                assert_eq!(turn.issued, []);
            }
        }
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

/// An answer that gives back what the step was asked: enough for most scripts.
pub(crate) fn echo(command: &Command) -> Value {
    match command.verb {
        Verb::Action => command.args.value()["input"].clone(),
        _ => json!(null),
    }
}
