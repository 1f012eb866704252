//! What this process has counted on express lanes and not told the library yet. Every thread counts for itself, in
//! cells that it alone writes, with loads and stores and nothing dearer; whoever inspects a circuit adds up what all
//! threads have pending, and whoever asks the library for more than a circuit's counters hands it in for them. Looking
//! waits for what is just handed in, but not for a thread that a fork has left behind.

use crate::seat::{self, Block};
use crate::{ffi, strays};
use std::sync::atomic::{fence, AtomicU16, AtomicU32, AtomicU64, Ordering};
use std::thread;

/// The library is told after so many successes: others in this process see what is no older than that.
const BATCH: u64 = 1024;

/// How often a look at the tallies is repeated during which a thread handed in.
const LOOKS: u32 = 64;

/// The counts of one thread for one circuit. Its thread writes it, anybody reads it; but who moves its counts holds the
/// lock of its block.
pub(crate) struct Tally {
    /// 0: nobody's.
    circuit: AtomicU64,
    /// Admitted here and not handed in. Wraps below 0 on a thread that settles what others admitted.
    permits: AtomicU64,
    /// Ended well and not handed in, less `BATCH`: it wraps to 0 when it is time to, which costs no comparison.
    successes: AtomicU64,
    /// Odd while counts are on their way to where others count: they are in both places then, or in neither.
    version: AtomicU32,
    /// How many of these permits and successes other threads have handed in; at most `BATCH`.
    told: AtomicU16,
    /// Who would have liked this place last: a part of its handle.
    applicant: AtomicU16,
}

impl Tally {
    pub(crate) const fn new() -> Self {
        Tally {
            circuit: AtomicU64::new(0),
            permits: AtomicU64::new(0),
            successes: AtomicU64::new(0),
            version: AtomicU32::new(0),
            told: AtomicU16::new(0),
            applicant: AtomicU16::new(0),
        }
    }

    /// Whom it counts for; 0: nobody.
    #[inline]
    pub(crate) fn circuit(&self) -> u64 {
        self.circuit.load(Ordering::Relaxed)
    }

    /// A circuit takes the place of another when it asks twice in a row, so that those who come once do not drive out
    /// those who come often.
    pub(crate) fn gives_way_to(&self, circuit: u64) -> bool {
        if self.circuit() == 0 {
            return true;
        }
        #[allow(clippy::cast_possible_truncation)] // one that is mistaken for another gets a place too soon
        let applicant = (circuit >> 10) as u16; // above the bits that all who want this place have in common
        let last = self.applicant.load(Ordering::Relaxed);
        self.applicant.store(applicant, Ordering::Relaxed);
        last == applicant
    }

    #[inline]
    pub(crate) fn count_permit(&self) {
        self.permits.store(self.permits.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn count_success(&self) {
        let successes = self.successes.load(Ordering::Relaxed).wrapping_add(1);
        self.successes.store(successes, Ordering::Relaxed);
        if successes == 0 {
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
        self.while_moving(seat::block(), |circuit| self.give_successes(circuit));
    }

    /// Counts for `circuit` from now on. What was counted goes to the library, or to the strays.
    pub(crate) fn give_to(&self, circuit: u64) {
        self.while_moving(seat::block(), |before| {
            self.give_successes(before);
            strays::add(before, self.permits.swap(0, Ordering::Relaxed));
            self.circuit.store(circuit, Ordering::Relaxed);
        });
    }

    /// The same as `hand_in`, by any thread: the one that counts here goes on meanwhile.
    fn hand_in_for_others(&self, block: &Block) {
        self.while_moving(block, |circuit| {
            let told = self.told.load(Ordering::Relaxed);
            let successes = self.successes.load(Ordering::Relaxed).wrapping_add(BATCH);
            let untold = successes.wrapping_sub(told.into());
            if let (1.., Ok(successes)) = (untold, u16::try_from(successes)) {
                let _ = ffi::circuit_count(circuit, untold, untold); // as below
                self.told.store(successes, Ordering::Relaxed);
            }
        });
    }

    /// A thread that a fork left behind while it moved counts has left an odd version.
    fn while_moving(&self, block: &Block, act: impl FnOnce(u64)) {
        block.moving.held(|| {
            let moving = self.version.load(Ordering::Relaxed) | 1;
            self.version.store(moving, Ordering::Release);
            fence(Ordering::Release);
            act(self.circuit.load(Ordering::Relaxed));
            self.version.store(moving.wrapping_add(1), Ordering::Release);
        });
    }

    fn give_successes(&self, circuit: u64) {
        let successes = self.successes.swap(BATCH.wrapping_neg(), Ordering::Relaxed).wrapping_add(BATCH);
        let untold = successes.wrapping_sub(self.told.swap(0, Ordering::Relaxed).into());
        if circuit != 0 && successes > 0 {
            // A circuit that is gone has taken its counters along: there is nobody left to tell.
            let _ = ffi::circuit_count(circuit, untold, untold);
            self.permits.store(self.permits.load(Ordering::Relaxed).wrapping_sub(successes), Ordering::Relaxed);
        }
    }

    /// Adds what is counted here for `circuit`. Waits while it is on its way, but not for a thread that `is_gone`.
    fn add_to(&self, sum: &mut Pending, circuit: u64, is_gone: impl Fn() -> bool) {
        loop {
            let version = self.version.load(Ordering::Acquire);
            let holder = self.circuit();
            let permits = self.permits.load(Ordering::Relaxed);
            let successes = self.successes.load(Ordering::Relaxed);
            let told = u64::from(self.told.load(Ordering::Relaxed));
            fence(Ordering::Acquire);
            // Whoever lets go of the lock has passed the version on before.
            let is_at_rest = version % 2 == 0 || is_gone();
            if !is_at_rest || self.version.load(Ordering::Relaxed) != version {
                thread::yield_now();
                continue;
            }
            sum.versions = sum.versions.wrapping_add(version.into());
            if holder == circuit {
                sum.permits = sum.permits.wrapping_add(permits).wrapping_sub(told);
                sum.successes = sum.successes.wrapping_add(successes).wrapping_add(BATCH).wrapping_sub(told);
            }
            return;
        }
    }
}

/// What all threads have counted for a circuit and not handed in.
#[derive(Default)]
pub(crate) struct Pending {
    pub(crate) permits: u64,
    pub(crate) successes: u64,
    /// Those of all tallies that may have counted for the circuit: they only grow.
    versions: u64,
}

impl Pending {
    fn of(circuit: u64) -> Self {
        let mut sum = Pending::default();
        for block in Block::all() {
            block.seat(circuit).tally.add_to(&mut sum, circuit, || !block.moving.is_held());
        }
        sum
    }

    /// Nothing was handed in since `earlier`.
    fn is_where_it_was(&self, earlier: &Pending) -> bool {
        self.versions == earlier.versions
    }
}

/// Asks the library about a circuit, and says what is pending beside its answer: nothing is missed or counted twice.
/// When threads hand in all the time, the last look is the answer.
pub(crate) fn beside<T>(circuit: u64, ask: impl Fn() -> T) -> (T, Pending) {
    let mut looks = 0;
    loop {
        let before = Pending::of(circuit);
        let answer = ask();
        let strays = strays::of(circuit);
        let mut after = Pending::of(circuit);
        looks += 1;
        if looks == LOOKS || after.is_where_it_was(&before) {
            after.permits = after.permits.wrapping_add(strays);
            return (answer, after);
        }
    }
}

/// Hands in what all threads have counted for a circuit.
pub(crate) fn hand_in(circuit: u64) {
    for block in Block::all() {
        let tally = &block.seat(circuit).tally;
        if tally.circuit() == circuit {
            tally.hand_in_for_others(block);
        }
    }
}

/// Hands in what all threads have counted for any circuit.
pub(crate) fn hand_in_all() {
    for block in Block::all() {
        block.taken().for_each(|seat| seat.tally.hand_in_for_others(block));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Config, Tracker};

    #[test]
    fn nobody_waits_for_a_thread_that_a_fork_left_behind() {
        let tally = Tally::new();
        tally.give_to(1);
        tally.count_permit();
        tally.version.fetch_add(1, Ordering::Relaxed);
        let mut sum = Pending::default();
        tally.add_to(&mut sum, 1, || true);
        assert_eq!((sum.permits, sum.successes), (1, 0));
        tally.hand_in(); // and then it is at rest again
        tally.add_to(&mut sum, 1, || false);
        assert_eq!((sum.permits, sum.successes), (2, 0));
    }

    /// The counts of a circuit at rest, while its tally hands them in and goes over to others.
    #[test]
    fn counts_on_their_way_are_neither_missed_nor_seen_twice() {
        let circuit = Tracker::new(&Config::default()).unwrap().circuit("acme", "llm").unwrap();
        let handle = circuit.handle();
        let ended = AtomicU64::new(0);
        let mut seen = Vec::new();
        thread::scope(|scope| {
            scope.spawn(|| {
                let tally = &seat::own(handle).unwrap().tally;
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
                let looks = [(); 5].map(|()| {
                    hand_in(handle);
                    circuit.inspect().unwrap()
                });
                seen.extend(looks.iter().map(|info| (turn, info.permits, info.successes)));
                ended.store(0, Ordering::Release);
            }
        });
        let wrong: Vec<_> = seen.into_iter().filter(|&(turn, p, s)| (p, s) != (6 * turn, 5 * turn)).collect();
        assert_eq!(wrong, [], "turn, permits, successes");
    }
}
