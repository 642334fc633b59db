//! A node that loses a run's lease and takes it again, while what it did under the lost one is still under way.

use stanch_engine_core::journal::Event;

use super::*;
use crate::live::simulated::surroundings::{Surroundings, claimed};

/// It has something to write as soon as it is worked on.
const PLAYBOOK: &str = r#"
const PLAYBOOK = #{ name: "simulated", title: "Simulated", mode: "auto" };
action("world.do", #{ n: 0, safety: "token" })
"#;

/// A shard that nobody but the test tells anything, and the run that is taken up there.
struct Alone {
    shard: Shard,
    bundle: Arc<Bundle>,
    entries: Vec<Entry>,
    around: Surroundings,
    _messages: mpsc::Receiver<Message>,
}

impl Alone {
    async fn open() -> Self {
        let around = Surroundings::open().await;
        let shared = around.shared.clone();
        let (at, event) = (shared.world.now(), Event::Started(around.started()));
        let (messages, inbox) = mpsc::channel();
        let shard = Shard {
            sink: shared.store.register(Arc::new(Outcomes(messages.clone()))),
            shared,
            handle: ShardHandle { messages },
            runtime: tokio::runtime::Handle::current(),
            watch: Watch::default(),
            programs: Recent::of(limits::PLAYBOOKS_KEPT),
            residents: HashMap::new(),
            ready: VecDeque::new(),
            appends: Vec::new(),
            missed: HashMap::new(),
            draining: None,
        };
        let bundle = Bundle { main: PLAYBOOK.to_owned(), imports: Default::default() };
        Self {
            shard,
            bundle: Arc::new(bundle),
            entries: vec![Entry { seq: 0, at, event }],
            around,
            _messages: inbox,
        }
    }

    /// The run is taken up under a lease with this epoch.
    fn begin(&mut self, epoch: i64) -> RunId {
        let claimed = claimed(Sha256::of(PLAYBOOK), epoch);
        let run = claimed.id;
        let begin = Begin::Claimed {
            claimed,
            place: self.shard.shared.room.take_one_more(),
            bundle: self.bundle.clone(),
            entries: self.entries.clone(),
            bodies: Bodies::default(),
            facts: Vec::new(),
        };
        assert!(self.shard.hear(Message::Begin(Box::new(begin))));
        run
    }

    /// The database says what became of a commit.
    fn commit(&mut self, run: RunId, epoch: i64, result: Result<(), StoreError>) {
        let outcome = Committed { run, epoch, result };
        assert!(self.shard.hear(Message::Committed(vec![outcome])));
    }

    /// So much later it is said which leases the node has; what is let go of then.
    fn count(&mut self, later_ms: i64, leases: &[(RunId, i64)]) -> Vec<(RunId, i64)> {
        self.around.clock.jump_ms(later_ms);
        assert!(self.shard.hear(Message::Held(leases.to_vec())));
        std::mem::take(&mut *self.shard.shared.orphans.lock().unwrap())
    }

    /// The lease under which the run is worked on, and whether its commit is under way.
    fn at_work(&self, run: RunId) -> Option<(i64, bool)> {
        let resident = self.shard.residents.get(&run)?;
        Some((resident.live.who.epoch, resident.is_committing))
    }
}

#[tokio::test]
async fn what_became_of_a_commit_under_a_lost_lease_says_nothing_of_the_run() {
    let mut alone = Alone::open().await;
    let run = alone.begin(1);
    assert_eq!(alone.at_work(run), Some((1, true)));
    alone.begin(2);
    alone.commit(run, 1, Err(StoreError::Fenced));
    assert_eq!(alone.at_work(run), Some((2, true)), "somebody is at it");
    alone.commit(run, 1, Ok(()));
    assert_eq!(alone.at_work(run), Some((2, true)), "its own commit is not through");
    alone.commit(run, 2, Ok(()));
    assert_eq!(alone.at_work(run), Some((2, false)));
    alone.commit(run, 2, Err(StoreError::Fenced));
    assert_eq!(alone.at_work(run), None, "this one is another node's");
}

#[tokio::test]
async fn who_has_read_a_journal_for_longer_than_the_lease_comes_too_late() {
    let mut alone = Alone::open().await;
    let run = alone.begin(2);
    alone.begin(1);
    assert_eq!(alone.at_work(run), Some((2, true)));
    assert_eq!(alone.shard.shared.room.taken(), 1, "its place is given back");
    alone.begin(3);
    assert_eq!(alone.at_work(run), Some((3, true)));
    assert_eq!(alone.shard.shared.room.taken(), 1);
}

#[tokio::test]
async fn a_lease_that_nobody_knows_of_is_let_go() {
    let mut alone = Alone::open().await;
    let run = claimed(Sha256::of(PLAYBOOK), 1).id;
    assert_eq!(alone.count(0, &[(run, 1)]), []);
    assert_eq!(alone.count(59_000, &[(run, 1)]), [], "its journal may be on the way");
    assert_eq!(alone.count(1_000, &[(run, 1)]), [(run, 1)]);
    assert_eq!(alone.count(1_000, &[(run, 2)]), [], "another lease, which is looked at anew");
    alone.begin(2);
    assert_eq!(alone.count(60_000, &[(run, 2)]), [], "somebody is at it");
    assert_eq!(alone.count(60_000, &[(run, 2)]), []);
}
