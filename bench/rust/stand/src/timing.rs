//! The clock: one run, on one thread or two.

use crate::Run;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

const FIRST_CALLS: u64 = 64;

/// What a run came to.
pub struct Outcome {
    pub ns_per_call: f64,
    pub wrong: u64,
}

/// From the first thread's start to the last one's end. None starts before all are awake and have made their first
/// calls.
pub fn time(runs: &mut [Run], calls: u64) -> Outcome {
    let waiting = AtomicUsize::new(runs.len());
    let lane = |run: &mut Run| {
        let mut wrong = run(FIRST_CALLS);
        waiting.fetch_sub(1, Ordering::SeqCst);
        while waiting.load(Ordering::SeqCst) > 0 {
            thread::yield_now();
        }
        let start = Instant::now();
        wrong += run(calls);
        (start, Instant::now(), wrong)
    };
    let (own, others) = runs.split_first_mut().expect("a column has a thread");
    let lanes: Vec<_> = thread::scope(|scope| {
        let others: Vec<_> = others.iter_mut().map(|run| scope.spawn(|| lane(run))).collect();
        let mut lanes = vec![lane(own)];
        lanes.extend(others.into_iter().map(|other| other.join().expect("a thread of a run has panicked")));
        lanes
    });
    let start = lanes.iter().map(|lane| lane.0).min().expect("a lane");
    let end = lanes.iter().map(|lane| lane.1).max().expect("a lane");
    Outcome {
        ns_per_call: (end - start).as_nanos() as f64 / calls as f64,
        wrong: lanes.iter().map(|lane| lane.2).sum(),
    }
}
