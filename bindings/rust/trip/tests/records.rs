//! Outcomes recorded, streams that tell of progress, and classifiers, as Rust takes them. What each class does to a
//! circuit is the contract's.

mod common;

use common::{circuit_of, config, open, rejection, ripe, state, tracker, OPEN_PERIOD};
use std::future::{poll_fn, ready, Future};
use std::io;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::pin::pin;
use std::sync::Barrier;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;
use trip::classify::{self, Class, Outcome};
use trip::{CallError, Circuit, Config, Effect, Error, Permit, PermitError, Reason, Settled, State, Tracker};

/// On its lane, without one yet, and one that never has any: each opens at the second failure.
fn every_way(test: impl Fn(&Tracker, &Circuit)) {
    for (pairs, window) in [(3, 0), (0, 0), (0, 2047)] {
        let tracker = Tracker::new(&config().failure_threshold(2).count_window(window)).unwrap();
        let circuit = circuit_of(&tracker);
        for _ in 0..pairs {
            circuit.permit().unwrap().record_success();
        }
        test(&tracker, &circuit);
    }
}

fn record(circuit: &Circuit, outcome: impl Into<Outcome>) -> Settled {
    circuit.permit().unwrap().record(outcome)
}

#[test]
fn an_outcome_counts_as_its_class_says() {
    every_way(|_, circuit| {
        let before = circuit.inspect().unwrap().successes;
        assert_eq!(record(circuit, Class::Overloaded), Settled::Counted);
        assert_eq!(record(circuit, Outcome::new(Class::Cancelled)), Settled::Counted);
        assert_eq!(circuit.inspect().unwrap().failures, 1);
        record(circuit, classify::http(401_u16, ""));
        record(circuit, Outcome::new(Class::Success).duration(Duration::from_secs(1)));
        let info = circuit.inspect().unwrap();
        assert_eq!((info.failures, info.failures_total, info.cancels), (0, 1, 1));
        assert_eq!((info.successes, info.permits), (before + 2, before + 4));
    });
}

#[test]
fn a_config_says_what_a_class_counts_as() {
    let circuit = circuit_of(&Tracker::new(&config().on_auth(Effect::Failure)).unwrap());
    record(&circuit, Class::Auth);
    assert_eq!(state(&circuit), State::Open);
    let Err(Error::Config(fault)) = Tracker::new(&config().on_quota(Effect::Other(3))) else {
        panic!("an effect that does not exist is taken");
    };
    assert_eq!(fault.field, Some("on_quota"));
}

#[test]
fn a_wait_keeps_the_circuit_open() {
    every_way(|_, circuit| {
        let limited = classify::http(429_u16, "").retry_after(Duration::from_secs(1200));
        record(circuit, limited);
        record(circuit, limited);
        assert_eq!(rejection(circuit).retry_after, Duration::from_secs(1200));
    });
    let circuit = circuit_of(&tracker());
    record(&circuit, Outcome::new(Class::Timeout).retry_after(Duration::MAX).duration(Duration::MAX));
    assert_eq!(rejection(&circuit).retry_after, Duration::from_secs(3600));
}

#[test]
fn an_outcome_settles_once() {
    every_way(|_, circuit| {
        let handle = circuit.permit().unwrap().into_handle();
        assert_eq!(Permit::from_handle(handle).record(Class::Auth), Settled::Counted);
        assert_eq!(Permit::from_handle(handle).progress(), Err(Error::Consumed));
        assert_eq!(Permit::from_handle(handle).record(Class::Auth), Settled::Failed(Error::Consumed));
        assert_eq!(Permit::from_handle(7).record(Class::Success), Settled::Failed(Error::Handle));
        assert_eq!(Permit::from_handle(7).progress(), Err(Error::Handle));
        let (late, later) = (circuit.permit().unwrap(), circuit.permit().unwrap());
        for _ in 0..2 {
            circuit.permit().unwrap().record_failure();
        }
        assert_eq!(late.progress(), Err(Error::Stale));
        assert_eq!(late.record(Class::Timeout), Settled::Stale);
        assert_eq!(later.record(Class::Success), Settled::Stale);
    });
}

#[test]
fn an_outcome_of_no_class_drops_its_permit() {
    every_way(|_, circuit| {
        for class in [14, 99, u32::MAX] {
            assert_eq!(record(circuit, Class::Other(class)), Settled::Failed(Error::Invalid));
            record(circuit, Class::Success);
        }
        let info = circuit.inspect().unwrap();
        assert_eq!((info.drops, info.failures, info.failures_total), (3, 0, 0));
        assert_eq!(info.permits, info.successes + info.drops);
    });
}

#[test]
fn threads_settle_a_permit_once() {
    const ROUNDS: u64 = 200;
    every_way(|_, circuit| {
        let before = circuit.inspect().unwrap().permits;
        for _ in 0..ROUNDS {
            let handle = circuit.permit().unwrap().into_handle();
            let start = Barrier::new(4);
            let settled = thread::scope(|scope| {
                let races = [Class::Success, Class::Auth, Class::Cancelled, Class::NotFound].map(|class| {
                    let start = &start;
                    scope.spawn(move || {
                        start.wait();
                        Permit::from_handle(handle).record(class)
                    })
                });
                races.map(|race| race.join().unwrap())
            });
            assert_eq!(settled.iter().filter(|settled| **settled == Settled::Counted).count(), 1, "{settled:?}");
        }
        let info = circuit.inspect().unwrap();
        assert_eq!(info.permits - before, ROUNDS);
        assert_eq!(info.permits, info.successes + info.cancels);
    });
}

#[test]
fn a_probe_is_over_with_its_first_token() {
    let tracker = Tracker::new(&config().stall(Duration::from_secs(5))).unwrap();
    let circuit = circuit_of(&tracker);
    ripe(&tracker, &circuit);
    let probe = circuit.permit().unwrap();
    probe.progress().unwrap();
    assert_eq!(state(&circuit), State::Closed);
    circuit.permit().unwrap().record_success();
    tracker.advance(Duration::from_secs(5)).unwrap();
    assert_eq!(rejection(&circuit).reason, Reason::Open);
    assert_eq!(probe.progress(), Err(Error::Stale));
    assert_eq!(probe.record_success(), Settled::Stale);
    let info = circuit.inspect().unwrap();
    assert_eq!((info.failures_total, info.opens, info.stale), (2, 2, 1));
}

#[test]
fn a_ramp_says_so() {
    let tracker = Tracker::new(&config().ramp(Duration::from_secs(100)).ramp_steps(100)).unwrap();
    let circuit = circuit_of(&tracker);
    open(&circuit);
    tracker.advance(OPEN_PERIOD).unwrap();
    circuit.permit().unwrap().record_success();
    circuit.permit().unwrap().record_success();
    let rejected = rejection(&circuit);
    assert_eq!((rejected.reason, rejected.state), (Reason::Ramp, State::Closed));
    assert!(rejected.to_string().contains("admits a part of the calls"));
    assert!(matches!(circuit.peek(), Err(PermitError::Rejected(peeked)) if peeked.reason == Reason::Ramp));
}

// ---- Classifiers ----

struct Refused(u16);

fn of_response(error: &Refused) -> Outcome {
    classify::http(error.0, "")
}

/// Polls until it is ready: for futures that wait for nothing but the next poll.
fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return output;
        }
    }
}

#[test]
fn a_classifier_says_what_an_error_tells() {
    every_way(|_, circuit| {
        let before = circuit.inspect().unwrap().successes;
        for status in [400, 401] {
            let answer = circuit.call_classified(of_response, || Err::<(), _>(Refused(status)));
            assert!(matches!(answer, Err(CallError::Inner(Refused(told))) if told == status));
            let call = ready(Err::<(), _>(Refused(status)));
            assert!(block_on(circuit.call_async_classified(of_response, call)).is_err());
        }
        assert!(circuit.call_classified(|_: &io::Error| Class::Unknown, || Ok(42)).is_ok());
        let info = circuit.inspect().unwrap();
        assert_eq!((info.successes, info.failures_total), (before + 5, 0));
        assert!(circuit.call_classified(|()| Class::Timeout, || Err::<(), _>(())).is_err());
        assert!(block_on(circuit.call_async_classified(of_response, ready(Err::<(), _>(Refused(503))))).is_err());
        assert_eq!(state(circuit), State::Open);
        assert!(matches!(circuit.call_classified(of_response, || Ok(())), Err(CallError::Rejected(_))));
    });
}

#[test]
fn a_classifier_that_names_no_class_drops_the_permit() {
    every_way(|_, circuit| {
        assert!(circuit.call_classified(|()| Class::Other(99), || Err::<(), _>(())).is_err());
        assert_eq!(circuit.inspect().unwrap().drops, 1);
    });
}

#[test]
fn a_classifier_that_panics_drops_the_permit() {
    every_way(|_, circuit| {
        let no_idea = |(): &()| -> Class { panic!("no idea") };
        let call = || circuit.call_classified(no_idea, || Err::<(), _>(()));
        assert!(catch_unwind(AssertUnwindSafe(call)).is_err());
        let waiting = poll_fn(|_| Poll::Ready(Err::<(), _>(())));
        let call = || block_on(circuit.call_async_classified(no_idea, waiting));
        assert!(catch_unwind(AssertUnwindSafe(call)).is_err());
        assert_eq!(circuit.inspect().unwrap().drops, 2);
    });
}

#[test]
fn what_windows_need_is_refused_field_by_field() {
    let second = Duration::from_secs(1);
    let cases: [(Config, &str); 6] = [
        (config().count_slow_ratio(f64::NAN), "count_slow_ratio"),
        (config().time_slow_ratio(0.5), "time_slow_ratio"),
        (config().hang_calls(1), "hang"),
        (config().time_window(second).time_buckets(u32::MAX), "time_buckets"),
        (config().max_retry_after(Duration::MAX), "max_retry_after"),
        (config().half_open_probes(16), "half_open_probes"),
    ];
    for (config, field) in cases {
        let Err(Error::Config(fault)) = Tracker::new(&config) else { panic!("{field} is taken") };
        assert_eq!(fault.field, Some(field));
    }
}
