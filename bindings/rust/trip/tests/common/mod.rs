//! What every test begins with: a tracker on the manual clock, and a circuit in the state that the test is about.
#![allow(dead_code)] // every test takes what it needs

pub mod parts;

use std::time::Duration;
use trip::{Circuit, Clock, Config, PermitError, Rejected, State, Tracker};

pub const OPEN_PERIOD: Duration = Duration::from_secs(30);

/// One failure opens.
pub fn config() -> Config {
    Config::default().clock(Clock::Manual).failure_threshold(1)
}

pub fn tracker() -> Tracker {
    Tracker::new(&config()).unwrap()
}

pub fn circuit_of(tracker: &Tracker) -> Circuit {
    tracker.circuit("acme", "llm").unwrap()
}

pub fn open(circuit: &Circuit) {
    circuit.permit().unwrap().record_failure();
    assert_eq!(state(circuit), State::Open);
}

/// Open, with its period over: the next permit is a probe.
pub fn ripe(tracker: &Tracker, circuit: &Circuit) {
    open(circuit);
    tracker.advance(OPEN_PERIOD).unwrap();
}

pub fn state(circuit: &Circuit) -> State {
    circuit.inspect().unwrap().state
}

pub fn rejection(circuit: &Circuit) -> Rejected {
    match circuit.permit() {
        Err(PermitError::Rejected(rejected)) => rejected,
        other => panic!("a rejection is expected, and {other:?} came back"),
    }
}

/// On its lane from the next call of this thread on.
pub fn warm(circuit: &Circuit) {
    for _ in 0..3 {
        circuit.permit().unwrap().record_success();
    }
}

/// Granted and not settled.
pub fn permits_out(circuit: &Circuit) -> u64 {
    let info = circuit.inspect().unwrap();
    info.permits - info.successes - info.failures_total - info.drops - info.cancels
}

/// Handles that are none: nothing, garbage, what is of another kind, and all bits.
pub fn wrong_handles(of_another_kind: u64) -> [u64; 5] {
    [0, 1, 0x0123_4567_89ab_cdef, of_another_kind, u64::MAX]
}
