//! Runs that stand where they wait: each branch of a playbook is a coroutine with a stack of its
//! own, so that a step that has no answer yet suspends the script in the middle of whatever it
//! does, and no `catch`, closure or native function of Rhai ever hears of it.
//!
//! This is the only file with `unsafe`: the three places where a coroutine's own parts are reached
//! through a pointer. Everything here stays on one thread; the types are neither `Send` nor `Sync`.
#![expect(
    unsafe_code,
    reason = "a coroutine is reached through its yielder, which is on its stack"
)]

use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::rc::Rc;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};
use stanch_engine_core::step::StepKey;

use crate::tape::Tape;

/// Bytes of a branch's stack. Only what is touched takes memory: some 16 KiB for a usual run.
/// The deepest script that the limits allow fits with room to spare; debug builds use far larger
/// frames.
const STACK_BYTES: usize = if cfg!(debug_assertions) { 16 << 20 } else { 2 << 20 };

/// Stacks that are kept for the next branch, on each thread.
const STACKS_KEPT: usize = 256;

thread_local! {
    static CURRENT: Cell<Option<NonNull<Fiber>>> = const { Cell::new(None) };
    static STACKS: RefCell<Vec<DefaultStack>> = const { RefCell::new(Vec::new()) };
}

type Yield = Yielder<(), ()>;

/// What the code that runs in a branch can reach: its run's tape and its own place in the run.
pub(crate) struct Fiber {
    yielder: NonNull<Yield>,
    pub(crate) tape: Rc<Tape>,
    /// Whether it is the whole run and not a branch of it.
    pub(crate) is_root: bool,
    path: RefCell<Path>,
}

/// The place of the next step: `prefix` and then `next`.
#[derive(Clone)]
struct Path {
    prefix: String,
    next: u32,
}

impl Fiber {
    /// The place of the next step of this branch.
    pub(crate) fn next_key(&self) -> StepKey {
        let mut path = self.path.borrow_mut();
        path.next += 1;
        StepKey(format!("{}{}", path.prefix, path.next).into())
    }

    /// Goes down below the place `key`, and says where to come back to.
    fn descend(&self, key: &StepKey) -> Path {
        self.path.replace(Path { prefix: format!("{key}."), next: 0 })
    }
}

/// The branch that runs on this thread, if a playbook does.
pub(crate) fn with_fiber<R>(body: impl FnOnce(&Fiber) -> R) -> Option<R> {
    let fiber = CURRENT.get()?;
    // SAFETY: CURRENT is set only by the coroutine that runs now, to the `Fiber` on its own stack,
    // and reset when it yields or ends. The reference does not outlive this call, during which
    // the coroutine can't end.
    Some(body(unsafe { fiber.as_ref() }))
}

/// Takes the steps of `body` below the place `key`.
pub(crate) fn below<R>(key: &StepKey, body: impl FnOnce() -> R) -> R {
    let before = with_fiber(|fiber| fiber.descend(key));
    let result = body();
    if let Some(before) = before {
        with_fiber(|fiber| fiber.path.replace(before));
    }
    result
}

/// Suspends the branch that runs on this thread until it is resumed. When the run is dropped
/// instead, this never returns: the branch's stack is unwound.
pub(crate) fn suspend() {
    let Some(current) = CURRENT.get() else { return };
    let Some(yielder) = with_fiber(|fiber| fiber.yielder) else { return };
    // SAFETY: the yielder belongs to the coroutine that runs now and lives as long as it does.
    unsafe { yielder.as_ref() }.suspend(());
    CURRENT.set(Some(current));
}

/// A piece of a playbook that runs on a stack of its own.
pub(crate) struct Strand<'a, T> {
    coroutine: Option<Coroutine<(), (), T>>,
    borrows: PhantomData<&'a mut ()>,
}

impl<'a, T: 'a> Strand<'a, T> {
    /// A strand that will run `body`, with its steps below `prefix`.
    ///
    /// # Errors
    /// When there is no memory for its stack.
    pub(crate) fn new(
        tape: Rc<Tape>,
        prefix: String,
        body: impl FnOnce() -> T + 'a,
    ) -> std::io::Result<Self> {
        let stack = match STACKS.with_borrow_mut(Vec::pop) {
            Some(stack) => stack,
            None => DefaultStack::new(STACK_BYTES)?,
        };
        let is_root = prefix.is_empty();
        let run = move |yielder: &Yield, ()| {
            let path = RefCell::new(Path { prefix, next: 0 });
            let fiber = Fiber { yielder: NonNull::from(yielder), tape, is_root, path };
            CURRENT.set(Some(NonNull::from(&fiber)));
            body()
        };
        // SAFETY: what `body` borrows outlives `'a`, and the coroutine lives inside this value,
        // which can't outlive `'a` and unwinds the coroutine when it is dropped. It is private to
        // this crate and never leaked.
        let coroutine = unsafe { Coroutine::with_stack_unchecked(stack, run) };
        Ok(Self { coroutine: Some(coroutine), borrows: PhantomData })
    }

    /// Lets it run until it suspends, or returns what it ended with.
    pub(crate) fn resume(&mut self) -> Option<T> {
        let coroutine = self.coroutine.as_mut()?;
        let _back = Back(CURRENT.get());
        match coroutine.resume(()) {
            CoroutineResult::Yield(()) => None,
            CoroutineResult::Return(value) => {
                self.retire();
                Some(value)
            }
        }
    }
}

impl<T> Strand<'_, T> {
    /// Unwinds what is left of it and keeps its stack for another.
    fn retire(&mut self) {
        let Some(mut coroutine) = self.coroutine.take() else { return };
        let _back = Back(CURRENT.get());
        coroutine.force_unwind();
        let stack = coroutine.into_stack();
        STACKS.with_borrow_mut(|stacks| {
            if stacks.len() < STACKS_KEPT {
                stacks.push(stack);
            }
        });
    }
}

impl<T> Drop for Strand<'_, T> {
    fn drop(&mut self) {
        self.retire();
    }
}

/// Puts the branch back that ran before, whichever way its child comes to an end.
struct Back(Option<NonNull<Fiber>>);

impl Drop for Back {
    fn drop(&mut self) {
        CURRENT.set(self.0);
    }
}
