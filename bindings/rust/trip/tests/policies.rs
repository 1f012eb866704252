//! Policies: replaced while calls run, whole, the most specific first.

mod common;

use common::{circuit_of, config, rejection, ripe, state, tracker, OPEN_PERIOD};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;
use trip::{Circuit, Clock, Config, Error, EventKind, PermitError, Policy, Scope, State, Tracker};

/// So many failures in a row open it.
fn threshold_of(circuit: &Circuit) -> u32 {
    circuit.reset().unwrap();
    let mut failures = 0;
    while state(circuit) == State::Closed {
        circuit.permit().unwrap().record_failure();
        failures += 1;
    }
    failures
}

#[test]
fn the_most_specific_policy_wins_whole() {
    let tracker = tracker();
    let circuit = circuit_of(&tracker);
    assert_eq!(threshold_of(&circuit), 1);
    let policies =
        [Policy::TRACKER, Policy::provider("llm"), Policy::tenant(b"acme"), Policy::circuit("acme", &b"llm"[..])];
    for (threshold, policy) in (2..).zip(policies) {
        tracker.configure(policy, &config().failure_threshold(threshold)).unwrap();
        assert_eq!(threshold_of(&circuit), threshold);
    }
    assert_eq!(threshold_of(&tracker.circuit("other", "llm").unwrap()), 3); // made later
    assert_eq!(threshold_of(&tracker.circuit("acme", "other").unwrap()), 4);
    assert_eq!(threshold_of(&tracker.circuit("other", "other").unwrap()), 2);
    for (threshold, policy) in [4, 3, 2, 1].into_iter().zip(policies.into_iter().rev()) {
        tracker.withdraw(policy).unwrap();
        assert_eq!(threshold_of(&circuit), threshold);
    }
}

#[test]
fn deadlines_and_levels_outlive_a_policy() {
    let tracker = tracker();
    let circuit = circuit_of(&tracker);
    ripe(&tracker, &circuit);
    circuit.permit().unwrap().record_failure();
    let before = circuit.inspect().unwrap();
    assert_eq!((before.level, before.retry_after), (1, OPEN_PERIOD * 2));
    tracker.configure(Policy::TRACKER, &config().initial_open(Duration::from_secs(1))).unwrap();
    let after = circuit.inspect().unwrap();
    assert_eq!((after.level, after.retry_after, after.epoch), (1, OPEN_PERIOD * 2, before.epoch));
    assert_eq!(rejection(&circuit).retry_after, OPEN_PERIOD * 2);
}

/// `policy` is refused for `config`, by this field, and all stays as it was.
fn assert_refused(tracker: &Tracker, field: &str, config: &Config) {
    match tracker.configure(Policy::TRACKER, config) {
        Err(Error::Config(refused)) => {
            assert_eq!(refused.field, Some(field));
            assert!(refused.to_string().starts_with(field), "{refused}");
        }
        other => panic!("{field} cannot be so, and {other:?} came back"),
    }
}

#[test]
fn a_policy_is_refused_by_its_field() {
    let tracker = tracker();
    let good = config();
    assert_refused(&tracker, "failure_threshold", &good.failure_threshold(0));
    assert_refused(&tracker, "backoff_multiplier", &good.backoff_multiplier(f64::NAN));
    assert_refused(&tracker, "jitter", &good.jitter(-1.0));
    assert_refused(&tracker, "max_open", &good.max_open(Duration::MAX));
    assert_refused(&tracker, "clock", &good.clock(Clock::Monotonic));
    assert_refused(&tracker, "max_circuits", &good.max_circuits(7));
    assert_refused(&tracker, "half_open_max_probes", &good.half_open_max_probes(16));
    assert_eq!(threshold_of(&circuit_of(&tracker)), 1);
    let events = tracker.take_events(100).unwrap().events;
    assert!(events.iter().all(|event| event.kind != EventKind::Configured), "{events:?}");
}

#[test]
fn a_policy_that_is_none_is_refused() {
    let tracker = tracker();
    let good = config();
    for policy in [
        Policy::of(Scope::Tracker, "acme", ""),
        Policy::of(Scope::Tenant, "acme", "llm"),
        Policy::of(Scope::Provider, "acme", "llm"),
        Policy::of(Scope::Other(4), "", ""),
        Policy::tenant(&[b'x'; 256]),
        Policy::provider(&[b'x'; 256]),
        Policy::circuit("acme", &vec![b'x'; 1 << 20]),
    ] {
        assert_eq!(tracker.configure(policy, &good), Err(Error::Invalid), "{policy:?}");
        assert_eq!(tracker.withdraw(policy), Err(Error::Invalid), "{policy:?}");
    }
    assert_eq!(tracker.withdraw(Policy::tenant("nobody's")), Ok(()));
    tracker.destroy().unwrap();
    assert_eq!(tracker.configure(Policy::TRACKER, &good), Err(Error::Handle));
    assert_eq!(tracker.withdraw(Policy::TRACKER), Err(Error::Handle));
}

#[test]
fn there_are_as_many_policies_as_circuits() {
    let small = config().max_circuits(2);
    let tracker = Tracker::new(&small).unwrap();
    tracker.configure(Policy::tenant("a"), &small).unwrap();
    tracker.configure(Policy::tenant(""), &small).unwrap();
    tracker.configure(Policy::TRACKER, &small).unwrap();
    assert_eq!(tracker.configure(Policy::tenant("c"), &small), Err(Error::Capacity));
}

#[test]
fn an_event_tells_a_policy_that_can_be_named_by_it() {
    let tracker = tracker();
    tracker.configure(Policy::circuit("acme", &[0xFF, 0]), &config()).unwrap();
    let event = tracker.take_events(1).unwrap().events.remove(0);
    let policy = Policy::of(event.scope, event.tenant(), event.provider());
    assert_eq!(policy, Policy::circuit("acme", &[0xFF, 0]));
    assert_eq!(event.circuit, None);
}

/// Each decision agrees with one of two policies: of one failure, and of three with a period of another length.
#[test]
fn no_call_sees_a_torn_policy() {
    let second = Duration::from_secs(1);
    let policies = [config().initial_open(second), config().failure_threshold(3).initial_open(second * 3)];
    let tracker = Tracker::new(&policies[0]).unwrap();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for number in 0..3_u32 {
            let circuit = tracker.circuit("acme", number.to_le_bytes()).unwrap();
            let is_over = &is_over;
            scope.spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    circuit.reset().unwrap();
                    for _ in 0..4 {
                        match circuit.permit() {
                            Ok(permit) => drop(permit.record_failure()),
                            Err(PermitError::Rejected(rejected)) => {
                                let seen = (rejected.failures, rejected.open_duration);
                                assert!([(1, second), (3, second * 3)].contains(&seen), "{seen:?}");
                            }
                            Err(PermitError::Failed(error)) => panic!("{error}"),
                        }
                    }
                }
            });
        }
        for turn in 0..1000 {
            tracker.configure(Policy::TRACKER, &policies[turn % 2]).unwrap();
        }
        is_over.store(true, Ordering::Relaxed);
    });
}
