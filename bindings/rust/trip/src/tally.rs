//! What this process has counted on express lanes and not told the library yet. Every thread counts for itself, in
//! cells that it alone writes, with loads and stores and nothing dearer; whoever inspects a circuit adds up what all
//! threads have pending. No lock is taken here, so that the child of a fork finds none taken.
#![allow(unsafe_code)]

use crate::{ffi, strays};
use std::cell::Cell;
use std::ptr;
use std::sync::atomic::{fence, AtomicBool, AtomicPtr, AtomicU64, Ordering};
use std::thread;

/// Circuits that a thread counts for at once.
pub(crate) const SEATS: usize = 64;

/// The library is told after so many successes: others in this process see what is no older than that. A power of 2.
const BATCH: u64 = 1024;

/// How often a look at the tallies is repeated that met a thread in the middle of handing in.
const LOOKS: u32 = 64;

/// The counts of one thread for one circuit. Its thread writes it, anybody reads it.
pub(crate) struct Tally {
    /// Odd while counts are on their way to where others count: they are in both places then, or in neither.
    version: AtomicU64,
    circuit: AtomicU64,
    /// Admitted here and not handed in. Wraps below 0 on a thread that settles what others admitted.
    permits: AtomicU64,
    successes: AtomicU64,
}

impl Tally {
    pub(crate) const fn new() -> Self {
        Tally {
            version: AtomicU64::new(0),
            circuit: AtomicU64::new(0),
            permits: AtomicU64::new(0),
            successes: AtomicU64::new(0),
        }
    }

    #[inline]
    pub(crate) fn count_permit(&self) {
        self.permits.store(self.permits.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn count_success(&self) {
        let successes = self.successes.load(Ordering::Relaxed).wrapping_add(1);
        self.successes.store(successes, Ordering::Relaxed);
        if successes % BATCH == 0 {
            self.hand_in();
        }
    }

    /// The library has counted a permit that was counted here.
    pub(crate) fn take_back_permit(&self) {
        self.permits.store(self.permits.load(Ordering::Relaxed).wrapping_sub(1), Ordering::Relaxed);
    }

    /// Tells the library of the calls that have ended well.
    #[cold]
    pub(crate) fn hand_in(&self) {
        self.while_moving(|circuit| self.give_successes(circuit));
    }

    /// Counts for `circuit` from now on. What was counted goes to the library, or to the strays.
    pub(crate) fn give_to(&self, circuit: u64) {
        self.while_moving(|before| {
            self.give_successes(before);
            strays::add(before, self.permits.swap(0, Ordering::Relaxed));
            self.circuit.store(circuit, Ordering::Relaxed);
        });
    }

    fn while_moving(&self, act: impl FnOnce(u64)) {
        let version = self.version.load(Ordering::Relaxed);
        self.version.store(version.wrapping_add(1), Ordering::Relaxed);
        fence(Ordering::Release);
        act(self.circuit.load(Ordering::Relaxed));
        self.version.store(version.wrapping_add(2), Ordering::Release);
    }

    fn give_successes(&self, circuit: u64) {
        let successes = self.successes.swap(0, Ordering::Relaxed);
        if successes > 0 {
            // A circuit that is gone has taken its counters along: there is nobody left to tell.
            let _ = ffi::circuit_count(circuit, successes, successes);
            self.permits.store(self.permits.load(Ordering::Relaxed).wrapping_sub(successes), Ordering::Relaxed);
        }
    }

    /// Adds what is counted here for `circuit`.
    fn add_to(&self, sum: &mut Pending, circuit: u64) {
        let version = self.version.load(Ordering::Acquire);
        if self.circuit.load(Ordering::Relaxed) != circuit {
            return;
        }
        let permits = self.permits.load(Ordering::Relaxed);
        let successes = self.successes.load(Ordering::Relaxed);
        fence(Ordering::Acquire);
        if version % 2 != 0 || self.version.load(Ordering::Relaxed) != version {
            sum.is_moving = true;
            return;
        }
        sum.permits = sum.permits.wrapping_add(permits);
        sum.successes = sum.successes.wrapping_add(successes);
        sum.tallies += 1;
        sum.versions = sum.versions.wrapping_add(version);
    }
}

/// What all threads have counted for a circuit and not handed in.
#[derive(Default)]
pub(crate) struct Pending {
    pub(crate) permits: u64,
    pub(crate) successes: u64,
    tallies: u64,
    versions: u64,
    is_moving: bool,
}

impl Pending {
    fn of(circuit: u64) -> Self {
        let mut sum = Pending::default();
        Block::all().for_each(|block| block.tallies[seat(circuit)].add_to(&mut sum, circuit));
        sum
    }

    /// Nothing was handed in since `earlier`: that would have changed a version, or taken a tally away.
    fn is_where_it_was(&self, earlier: &Pending) -> bool {
        !self.is_moving && (self.tallies, self.versions) == (earlier.tallies, earlier.versions)
    }
}

/// Asks the library about a circuit, and says what is pending beside its answer: nothing is missed or counted twice.
/// When threads hand in all the time, or one was not taken along by a fork while it did, the last look is the answer.
pub(crate) fn beside<T>(circuit: u64, ask: impl Fn() -> T) -> (T, Pending) {
    let mut looks = 0;
    loop {
        let before = Pending::of(circuit);
        let answer = ask();
        let strays = strays::of(circuit);
        let mut after = Pending::of(circuit);
        looks += 1;
        if looks == LOOKS || (!before.is_moving && after.is_where_it_was(&before)) {
            after.permits = after.permits.wrapping_add(strays);
            return (answer, after);
        }
        thread::yield_now();
    }
}

/// Where a circuit is counted. The handles of circuits that were made one after the other differ in their low bits.
#[inline]
pub(crate) fn seat(circuit: u64) -> usize {
    #[allow(clippy::cast_possible_truncation)] // the low bits are what is wanted
    let low = circuit as usize;
    low % SEATS
}

/// The tallies of a thread: in nobody's stack, so that others can read them whatever becomes of the thread. The next
/// thread takes them over.
#[repr(align(64))]
struct Block {
    is_taken: AtomicBool,
    /// The block that was made before this one; never changes once this one can be found.
    next: AtomicPtr<Block>,
    tallies: [Tally; SEATS],
}

/// The last block that was made. Blocks are never freed.
static NEWEST: AtomicPtr<Block> = AtomicPtr::new(ptr::null_mut());

impl Block {
    fn at(place: &AtomicPtr<Block>) -> Option<&'static Block> {
        // SAFETY: null, or a block that was leaked before it was published.
        unsafe { place.load(Ordering::Acquire).as_ref() }
    }

    fn all() -> impl Iterator<Item = &'static Block> {
        std::iter::successors(Block::at(&NEWEST), |block| Block::at(&block.next))
    }

    fn take() -> Option<&'static Block> {
        let is_free =
            |block: &&Block| block.is_taken.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_ok();
        Block::all().find(is_free).or_else(Block::make)
    }

    /// `None`: out of memory.
    fn make() -> Option<&'static Block> {
        let mut room = Vec::new();
        room.try_reserve_exact(1).ok()?;
        room.push(Block {
            is_taken: AtomicBool::new(true),
            next: AtomicPtr::new(ptr::null_mut()),
            tallies: [const { Tally::new() }; SEATS],
        });
        let block: &'static mut Block = &mut room.leak()[0];
        let published = NEWEST.fetch_update(Ordering::Release, Ordering::Relaxed, |newest| {
            *block.next.get_mut() = newest;
            Some(ptr::from_mut(block))
        });
        debug_assert!(published.is_ok());
        Some(block)
    }
}

/// A thread's hold on its block: what it counted is handed in when it ends.
struct Held(Cell<Option<&'static Block>>);

thread_local! {
    static HELD: Held = const { Held(Cell::new(None)) };
}

impl Drop for Held {
    fn drop(&mut self) {
        crate::lane::close_all();
        if let Some(block) = self.0.take() {
            block.tallies.iter().for_each(|tally| tally.give_to(0));
            block.is_taken.store(false, Ordering::Release);
        }
    }
}

/// The tally of this thread at a seat. `None`: the thread is ending, or out of memory.
pub(crate) fn of_thread(seat: usize) -> Option<&'static Tally> {
    let block = HELD.try_with(|held| {
        if held.0.get().is_none() {
            held.0.set(Block::take());
        }
        held.0.get()
    });
    Some(&block.ok()??.tallies[seat])
}

/// Hands in all that this thread has counted.
pub(crate) fn hand_in() {
    let _ = HELD.try_with(|held| {
        if let Some(block) = held.0.get() {
            block.tallies.iter().for_each(Tally::hand_in);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Config, Tracker};

    /// The counts of a circuit at rest, while its tally hands them in and goes over to others.
    #[test]
    fn counts_on_their_way_are_neither_missed_nor_seen_twice() {
        let circuit = Tracker::new(&Config::default()).unwrap().circuit("acme", "llm").unwrap();
        let handle = circuit.handle();
        let ended = AtomicU64::new(0);
        thread::scope(|scope| {
            scope.spawn(|| {
                let tally = of_thread(seat(handle)).unwrap();
                for turn in 1..=20_000 {
                    tally.give_to(handle);
                    for _ in 0..5 {
                        tally.count_permit();
                        tally.count_success();
                    }
                    tally.count_permit();
                    ended.store(turn, Ordering::Release);
                    tally.give_to(0);
                    while ended.load(Ordering::Acquire) == turn {
                        thread::yield_now();
                    }
                }
            });
            for turn in 1..=20_000 {
                while ended.load(Ordering::Acquire) != turn {
                    thread::yield_now();
                }
                for _ in 0..5 {
                    let info = circuit.inspect().unwrap();
                    assert_eq!((info.permits, info.successes), (6 * turn, 5 * turn));
                }
                ended.store(0, Ordering::Release);
            }
        });
    }
}
