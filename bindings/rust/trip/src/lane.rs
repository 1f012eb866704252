//! Express lanes: while a circuit is closed, its calls are admitted by looking at its word, and while it is healthy their
//! successes are recorded so too, without a call into the library. What a thread knows of a lane it fetched itself and
//! reads alone, so that word, value and permit always belong together.
#![allow(unsafe_code)]

use crate::ffi::{self, Express, Lanes};
use crate::permit::Permit;
use crate::{seat, strays};
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

/// What a circuit's word must be for a success to teach it nothing.
#[derive(Clone, Copy)]
pub(crate) struct Sign {
    word: &'static AtomicU64,
    value: u64,
}

/// A circuit that has no lane is asked for one again after so many successes: its policy may be another by then.
const PATIENCE: u64 = 4096;

static NOWHERE: AtomicU64 = AtomicU64::new(0);

impl Sign {
    /// Of what has no lane: it is never up. No constant, in which Rust 1.85 allows nothing that may change.
    #[inline]
    pub(crate) fn none() -> Sign {
        Sign { word: &NOWHERE, value: 1 }
    }

    pub(crate) fn is_of_a_lane(self) -> bool {
        !ptr::eq(self.word, &raw const NOWHERE)
    }

    #[inline]
    pub(crate) fn is_up(self) -> bool {
        self.word.load(Ordering::Acquire) == self.value
    }
}

/// What a thread knows of the lane of a circuit, once it has one. Written and read by that thread alone: relaxed.
pub(crate) struct Lane {
    word: AtomicPtr<AtomicU64>,
    value: AtomicU64,
    admit_mask: AtomicU64,
    /// That of the lane; where there is none, how many successes ago that was told.
    permit: AtomicU64,
}

impl Lane {
    pub(crate) const fn new() -> Self {
        Lane {
            word: AtomicPtr::new(ptr::null_mut()),
            value: AtomicU64::new(0),
            admit_mask: AtomicU64::new(0),
            permit: AtomicU64::new(0),
        }
    }

    fn set(&self, express: &Express) {
        self.word.store(ptr::from_ref(express.word).cast_mut(), Ordering::Relaxed);
        self.value.store(express.value, Ordering::Relaxed);
        self.admit_mask.store(express.admit_mask, Ordering::Relaxed);
        self.permit.store(express.permit, Ordering::Relaxed);
    }

    /// Of a circuit whose policy gives it no lane.
    fn set_none(&self) {
        self.set(&Express { word: &NOWHERE, value: Sign::none().value, admit_mask: 0, permit: 0 });
    }

    fn is_none(&self) -> bool {
        ptr::eq(self.word.load(Ordering::Relaxed), &raw const NOWHERE)
    }

    /// Another success of a circuit that has none.
    fn is_to_be_asked_again(&self) -> bool {
        let successes = self.permit.load(Ordering::Relaxed).wrapping_add(1);
        self.permit.store(successes, Ordering::Relaxed);
        successes >= PATIENCE
    }

    /// The sign by which successes are recorded, if calls are admitted now.
    ///
    /// # Safety
    /// Its seat has a circuit.
    #[inline]
    unsafe fn sign(&self) -> Option<Sign> {
        // SAFETY: `open` set it before it gave the seat to the circuit: a reference that is good for ever.
        let word = unsafe { &*self.word.load(Ordering::Relaxed) };
        let value = self.value.load(Ordering::Relaxed);
        let seen = word.load(Ordering::Acquire);
        let is_closed = seen == value || seen & self.admit_mask.load(Ordering::Relaxed) == value;
        is_closed.then_some(Sign { word, value })
    }
}

/// A permit, if the lane of this circuit is open.
#[inline]
pub(crate) fn admit(circuit: u64) -> Option<Permit> {
    let seat = seat::of(circuit);
    if seat.tally.circuit() != circuit {
        return None;
    }
    // SAFETY: it has this circuit, and 0 is none.
    let sign = unsafe { seat.lane.sign() }?;
    seat.tally.count_permit();
    Some(Permit::express(sign, seat.lane.permit.load(Ordering::Relaxed), circuit))
}

/// Counts the success of a call that a lane admitted. False: this thread does not count for that circuit.
#[inline]
pub(crate) fn count_success(circuit: u64) -> bool {
    let tally = &seat::of(circuit).tally;
    let is_known = tally.circuit() == circuit;
    if is_known {
        tally.count_success();
    }
    is_known
}

/// The library has counted a permit that a lane admitted: it shall not be counted twice.
pub(crate) fn take_back_permit(circuit: u64) {
    let tally = &seat::of(circuit).tally;
    if tally.circuit() == circuit {
        tally.take_back_permit();
    } else {
        strays::add(circuit, 1_u64.wrapping_neg());
    }
}

/// An ordinary permit of this circuit has ended as a success: perhaps it has a lane.
#[inline]
pub(crate) fn consider(circuit: u64) {
    let seat = seat::of(circuit);
    let is_wanted = if seat.tally.circuit() != circuit {
        seat.tally.gives_way_to(circuit)
    } else if seat.lane.is_none() {
        seat.lane.is_to_be_asked_again()
    } else {
        // SAFETY: it has this circuit, and 0 is none.
        unsafe { seat.lane.sign() }.is_none()
    };
    if is_wanted {
        open(circuit);
    }
}

#[cold]
fn open(circuit: u64) {
    let lanes = ffi::circuit_express(circuit);
    let Some(seat) = seat::own(circuit) else { return };
    match lanes {
        Lanes::Open(express) => seat.lane.set(&express),
        Lanes::Closed => return,
        Lanes::None => seat.lane.set_none(), // and takes its seat, so as not to be asked for again soon
    }
    if seat.tally.circuit() != circuit {
        seat.tally.give_to(circuit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Config, Tracker};
    use std::time::Duration;

    #[test]
    fn a_circuit_without_lanes_is_asked_for_one_once() {
        let second = Duration::from_secs(1);
        let configs = [
            Config::default().count_window(100),
            Config::default().time_window(second),
            Config::default().hang(second).hang_calls(100),
            Config::default().ramp(second),
            Config::default().stall(second),
        ];
        for config in configs {
            let circuit = Tracker::new(&config).unwrap().circuit("acme", "llm").unwrap();
            let is_known = || {
                let seat = seat::of(circuit.handle());
                seat.tally.circuit() == circuit.handle() && seat.lane.is_none()
            };
            for _ in 0..100 {
                circuit.permit().unwrap().record_success();
            }
            assert!(is_known(), "{config:?}");
            assert!(admit(circuit.handle()).is_none());
            assert_eq!(circuit.inspect().unwrap().successes, 100);
        }
    }

    #[test]
    fn a_circuit_with_lanes_takes_over_the_seat_of_one_without() {
        let window = Tracker::new(&Config::default().count_window(100)).unwrap().circuit("acme", "llm").unwrap();
        window.permit().unwrap().record_success();
        let tracker = Tracker::new(&Config::default()).unwrap();
        let circuits = (0..2000_u32).map(|number| tracker.circuit("acme", number.to_le_bytes()).unwrap());
        let same_seat = |handle: u64| ptr::eq(seat::of(handle), seat::of(window.handle()));
        let Some(other) = circuits.into_iter().find(|circuit| same_seat(circuit.handle())) else {
            panic!("no circuit has that seat");
        };
        for _ in 0..3 {
            other.permit().unwrap().record_success();
        }
        let permit = admit(other.handle()).expect("it has its lane");
        permit.record_success();
        window.permit().unwrap().record_success();
        assert_eq!(other.inspect().unwrap().successes, 4);
        assert_eq!(window.inspect().unwrap().successes, 2);
    }
}
