//! What every test begins with: a tracker on the manual clock whose circuits one failure opens, and one of them.
#![allow(dead_code)] // every test takes what it needs

use std::time::Duration;
use trip::{Circuit, Clock, Config, PermitError, State, Tracker};

pub const OPEN_PERIOD: Duration = Duration::from_secs(30);

pub fn config() -> Config {
    Config::default().clock(Clock::Manual).failure_threshold(1)
}

pub fn tracker() -> Tracker {
    Tracker::new(&config()).unwrap()
}

pub fn circuit_of(tracker: &Tracker) -> Circuit {
    tracker.circuit("acme", "llm").unwrap()
}

/// Open, with its period over: the next call is a probe.
pub fn ripe(tracker: &Tracker, circuit: &Circuit) {
    circuit.permit().unwrap().record_failure();
    tracker.advance(OPEN_PERIOD).unwrap();
}

pub fn state(circuit: &Circuit) -> State {
    circuit.inspect().unwrap().state
}

/// What has become of the permits: successes, failures, drops, cancels; none is out.
pub fn ends(circuit: &Circuit) -> [u64; 4] {
    let info = circuit.inspect().unwrap();
    let ends = [info.successes, info.failures_total, info.drops, info.cancels];
    assert_eq!(ends.iter().sum::<u64>(), info.permits, "a permit is out");
    ends
}

pub fn permits_out(circuit: &Circuit) -> u64 {
    let info = circuit.inspect().unwrap();
    info.permits - info.successes - info.failures_total - info.drops - info.cancels
}

/// How long an open circuit refuses.
pub fn wait_of(circuit: &Circuit) -> Duration {
    match circuit.peek() {
        Err(PermitError::Rejected(rejected)) => rejected.retry_after,
        other => panic!("a refusal is expected, and {other:?} came back"),
    }
}
