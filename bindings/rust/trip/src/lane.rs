//! The express lanes that this thread knows: while a circuit is healthy, its calls are admitted and recorded by looking
//! at its word, without a call into the library. What a thread knows of a lane it fetched itself and reads alone, so
//! that word, value and permit always belong together.

use crate::ffi::{self, Express};
use crate::permit::Permit;
use crate::strays;
use crate::tally::{self, seat, Tally, SEATS};
use std::cell::Cell;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a circuit's word must be for its lane to be open.
#[derive(Clone, Copy)]
pub(crate) struct Sign {
    word: &'static AtomicU64,
    value: u64,
}

static NOWHERE: AtomicU64 = AtomicU64::new(0);

impl Sign {
    /// Of what has no lane: it is never up.
    pub(crate) const NONE: Sign = Sign { word: &NOWHERE, value: 1 };

    pub(crate) const fn new(word: &'static AtomicU64, value: u64) -> Self {
        Sign { word, value }
    }

    pub(crate) fn is_of_a_lane(self) -> bool {
        !ptr::eq(self.word, &raw const NOWHERE)
    }

    #[inline]
    pub(crate) fn is_up(self) -> bool {
        self.word.load(Ordering::Acquire) == self.value
    }
}

struct Lane {
    /// 0: nobody's.
    circuit: Cell<u64>,
    sign: Cell<Sign>,
    permit: Cell<u64>,
    tally: Cell<&'static Tally>,
    /// Who would have liked this place last.
    applicant: Cell<u64>,
}

static NOBODYS: Tally = Tally::new();

thread_local! {
    static LANES: [Lane; SEATS] = const {
        [const {
            Lane {
                circuit: Cell::new(0),
                sign: Cell::new(Sign::NONE),
                permit: Cell::new(0),
                tally: Cell::new(&NOBODYS),
                applicant: Cell::new(0),
            }
        }; SEATS]
    };
}

#[inline]
fn with_lane<T>(circuit: u64, act: impl FnOnce(&Lane) -> T) -> T {
    LANES.with(|lanes| act(&lanes[seat(circuit)]))
}

/// A permit, if the lane of this circuit is open.
#[inline]
pub(crate) fn admit(circuit: u64) -> Option<Permit> {
    with_lane(circuit, |lane| {
        if lane.circuit.get() != circuit {
            return None;
        }
        let sign = lane.sign.get();
        if !sign.is_up() {
            return None;
        }
        lane.tally.get().count_permit();
        Some(Permit::express(sign, lane.permit.get(), circuit))
    })
}

/// Counts the success of a call that a lane admitted. False: this thread does not count for that circuit.
#[inline]
pub(crate) fn count_success(circuit: u64) -> bool {
    with_lane(circuit, |lane| {
        let is_known = lane.circuit.get() == circuit;
        if is_known {
            lane.tally.get().count_success();
        }
        is_known
    })
}

/// The library has counted a permit that a lane admitted: it shall not be counted twice.
pub(crate) fn take_back_permit(circuit: u64) {
    with_lane(circuit, |lane| {
        if lane.circuit.get() == circuit {
            lane.tally.get().take_back_permit();
        } else {
            strays::add(circuit, 1_u64.wrapping_neg());
        }
    });
}

/// An ordinary permit of this circuit has ended as a success: perhaps it has a lane. It takes the place of another
/// circuit when it asks twice in a row, so that those who come once do not drive out those who come often.
pub(crate) fn consider(circuit: u64) {
    with_lane(circuit, |lane| {
        let holder = lane.circuit.get();
        if holder == circuit {
            if !lane.sign.get().is_up() {
                open(lane, circuit);
            }
        } else if holder == 0 || lane.applicant.replace(circuit) == circuit {
            open(lane, circuit);
        }
    });
}

#[cold]
fn open(lane: &Lane, circuit: u64) {
    let Some(Express { sign, permit }) = ffi::circuit_express(circuit) else { return };
    if lane.circuit.get() != circuit {
        let Some(tally) = tally::of_thread(seat(circuit)) else { return };
        tally.give_to(circuit);
        lane.tally.set(tally);
        lane.circuit.set(circuit);
    }
    lane.sign.set(sign);
    lane.permit.set(permit);
}

/// The thread is ending: nothing more is counted on it.
pub(crate) fn close_all() {
    LANES.with(|lanes| {
        for lane in lanes {
            lane.circuit.set(0);
            lane.sign.set(Sign::NONE);
        }
    });
}
