//! Many threads on one circuit.

mod common;

use common::{circuit_of, ripe, state, tracker};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Barrier;
use std::thread;
use trip::{PermitError, Reason, Settled, State};

const THREADS: usize = 50;

#[test]
fn of_fifty_threads_one_probes() {
    let tracker = tracker();
    let circuit = circuit_of(&tracker);
    ripe(&tracker, &circuit);
    let (start, asked) = (Barrier::new(THREADS), Barrier::new(THREADS));
    let probes = AtomicU32::new(0);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                start.wait();
                let answer = circuit.permit();
                asked.wait();
                match answer {
                    Ok(probe) => {
                        probes.fetch_add(1, Ordering::Relaxed);
                        assert_eq!(probe.record_success(), Settled::Counted);
                    }
                    Err(PermitError::Rejected(rejected)) => assert_eq!(rejected.reason, Reason::Probing),
                    Err(PermitError::Failed(error)) => panic!("{error}"),
                }
            });
        }
    });
    assert_eq!(probes.into_inner(), 1);
    let info = circuit.inspect().unwrap();
    assert_eq!((info.state, info.rejections), (State::Closed, THREADS as u64 - 1));
}

#[test]
fn every_permit_of_every_thread_is_counted() {
    const EACH: u64 = 1000;
    let tracker = tracker();
    let circuit = circuit_of(&tracker);
    thread::scope(|scope| {
        for _ in 0..8 {
            // Each thread gets the circuit for itself, under the same key.
            scope.spawn(|| {
                let circuit = circuit_of(&tracker);
                for turn in 0..EACH {
                    let permit = circuit.permit().unwrap();
                    if turn % 2 == 0 {
                        permit.record_success();
                    } else {
                        permit.cancel();
                    }
                }
            });
        }
    });
    let info = circuit.inspect().unwrap();
    assert_eq!((info.permits, info.successes, info.cancels), (8 * EACH, 4 * EACH, 4 * EACH));
    assert_eq!(state(&circuit), State::Closed);
}

#[test]
fn a_tracker_may_be_destroyed_under_its_callers() {
    let tracker = tracker();
    let circuit = circuit_of(&tracker);
    let start = Barrier::new(5);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                start.wait();
                loop {
                    match circuit.permit() {
                        Ok(permit) => drop(permit.record_success()),
                        Err(PermitError::Failed(trip::Error::Handle)) => break,
                        Err(other) => panic!("{other}"),
                    }
                }
            });
        }
        start.wait();
        tracker.destroy().unwrap();
    });
}
