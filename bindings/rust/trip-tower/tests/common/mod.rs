//! What the tests of the crate `trip` begin with, and what these look at beside it.
#![allow(dead_code, unused_imports)] // every test takes what it needs

#[path = "../../../trip/tests/common/mod.rs"]
mod circuits;

pub use circuits::{circuit_of, config, permits_out, ripe, state, tracker, OPEN_PERIOD};
use std::time::Duration;
use trip::{Circuit, PermitError};

/// What has become of the permits: successes, failures, drops, cancels; none is out.
pub fn ends(circuit: &Circuit) -> [u64; 4] {
    assert_eq!(permits_out(circuit), 0);
    let info = circuit.inspect().unwrap();
    [info.successes, info.failures_total, info.drops, info.cancels]
}

/// How long an open circuit refuses.
pub fn wait_of(circuit: &Circuit) -> Duration {
    match circuit.peek() {
        Err(PermitError::Rejected(rejected)) => rejected.retry_after,
        other => panic!("a refusal is expected, and {other:?} came back"),
    }
}
