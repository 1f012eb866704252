//! Permits: settled once, on any thread, and by their destructor when nobody else has done it.

mod common;

use common::{circuit_of, config, open, ripe, state, tracker, OPEN_PERIOD};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::thread;
use std::time::Duration;
use trip::{Error, OnDrop, Permit, Settled, State, Tracker};

#[test]
fn success_and_failure_are_counted() {
    let circuit = circuit_of(&tracker());
    assert_eq!(circuit.permit().unwrap().record_success(), Settled::Counted);
    assert_eq!(circuit.permit().unwrap().record_failure(), Settled::Counted);
    let info = circuit.inspect().unwrap();
    assert_eq!((info.permits, info.successes, info.failures_total, info.drops, info.opens), (2, 1, 1, 0, 1));
}

#[test]
fn dropping_a_permit_counts_as_a_failure() {
    let circuit = circuit_of(&tracker());
    drop(circuit.permit().unwrap());
    let info = circuit.inspect().unwrap();
    assert_eq!((info.state, info.drops, info.failures_total), (State::Open, 1, 0));
}

#[test]
fn dropping_a_permit_counts_as_nothing_where_configured_so() {
    let circuit = circuit_of(&Tracker::new(&config().on_drop(OnDrop::Cancel)).unwrap());
    drop(circuit.permit().unwrap());
    let info = circuit.inspect().unwrap();
    assert_eq!((info.state, info.drops, info.failures), (State::Closed, 1, 0));
}

#[test]
fn abandoning_is_dropping_with_an_answer() {
    let circuit = circuit_of(&tracker());
    assert_eq!(circuit.permit().unwrap().abandon(), Settled::Counted);
    assert_eq!(circuit.inspect().unwrap().drops, 1);
}

#[test]
fn a_settled_permit_is_not_settled_again_by_its_destructor() {
    let circuit = circuit_of(&tracker());
    for settle in [Permit::record_success, Permit::cancel] {
        settle(circuit.permit().unwrap());
    }
    let info = circuit.inspect().unwrap();
    assert_eq!((info.successes, info.cancels, info.drops, info.state), (1, 1, 0, State::Closed));
}

#[test]
fn a_panic_drops_the_permit() {
    let circuit = circuit_of(&tracker());
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _permit = circuit.permit().unwrap();
        panic!("the call went wrong");
    }));
    assert!(panicked.is_err());
    assert_eq!(circuit.inspect().unwrap().drops, 1);
    assert_eq!(state(&circuit), State::Open);
}

#[test]
fn a_permit_may_be_settled_on_another_thread() {
    let circuit = circuit_of(&tracker());
    let permit = circuit.permit().unwrap();
    assert_eq!(thread::spawn(|| permit.record_failure()).join().unwrap(), Settled::Counted);
    assert_eq!(state(&circuit), State::Open);
}

#[test]
fn a_permit_may_be_dropped_on_another_thread() {
    let circuit = circuit_of(&tracker());
    let permit = circuit.permit().unwrap();
    thread::spawn(move || drop(permit)).join().unwrap();
    assert_eq!(circuit.inspect().unwrap().drops, 1);
}

#[test]
fn settling_twice_through_the_handle_is_refused() {
    let circuit = circuit_of(&tracker());
    let handle = circuit.permit().unwrap().into_handle();
    assert_eq!(Permit::from_handle(handle).record_success(), Settled::Counted);
    for settle in [Permit::record_success, Permit::record_failure, Permit::cancel, Permit::abandon] {
        assert_eq!(settle(Permit::from_handle(handle)), Settled::Failed(Error::Consumed));
    }
    let permit = Permit::from_handle(handle);
    assert_eq!(permit.renew(), Err(Error::Consumed));
    assert_eq!(permit.inspect(), Err(Error::Consumed));
    drop(permit);
    let info = circuit.inspect().unwrap();
    assert_eq!((info.permits, info.successes, info.failures_total, info.cancels, info.drops), (1, 1, 0, 0, 0));
}

#[test]
fn giving_the_handle_away_settles_nothing() {
    let circuit = circuit_of(&tracker());
    let handle = circuit.permit().unwrap().into_handle();
    assert_eq!(circuit.inspect().unwrap().drops, 0);
    assert_eq!(Permit::from_handle(handle).cancel(), Settled::Counted);
}

#[test]
fn a_late_settlement_is_stale() {
    let circuit = circuit_of(&tracker());
    let late = [circuit.permit().unwrap(), circuit.permit().unwrap()];
    open(&circuit);
    for permit in late {
        assert_eq!(permit.renew(), Err(Error::Stale));
        assert_eq!(permit.inspect(), Err(Error::Stale));
        assert_eq!(permit.record_success(), Settled::Stale);
    }
    assert_eq!(state(&circuit), State::Open);
    assert_eq!(circuit.inspect().unwrap().stale, 2);
}

#[test]
fn a_permit_that_outlives_its_tracker_is_harmless() {
    let permits = {
        let circuit = circuit_of(&tracker());
        [(); 3].map(|()| circuit.permit().unwrap())
    };
    let [settled, asked, dropped] = permits;
    assert_eq!(settled.record_failure(), Settled::Failed(Error::Handle));
    assert_eq!(asked.inspect(), Err(Error::Handle));
    drop(dropped);
}

#[test]
fn any_value_is_a_legal_handle() {
    let circuit = circuit_of(&tracker());
    for handle in [0, 1, u64::MAX, circuit.handle(), 0xDEAD_BEEF_DEAD_BEEF] {
        assert!(matches!(Permit::from_handle(handle).record_failure(), Settled::Failed(_)), "{handle:#x}");
        assert!(Permit::from_handle(handle).inspect().is_err(), "{handle:#x}");
        assert!(Permit::from_handle(handle).renew().is_err(), "{handle:#x}");
    }
    assert_eq!(state(&circuit), State::Closed);
}

#[test]
fn an_ordinary_permit_has_no_lease() {
    let circuit = circuit_of(&tracker());
    let permit = circuit.permit().unwrap();
    let info = permit.inspect().unwrap();
    assert_eq!((info.is_probe, info.lease_left), (false, Duration::ZERO));
    assert_eq!(permit.renew(), Ok(()));
    permit.record_success();
}

#[test]
fn a_probe_is_settled_within_its_lease_or_renews_it() {
    let lease = Duration::from_secs(60);
    let tracker = Tracker::new(&config().probe_lease(lease)).unwrap();
    let circuit = circuit_of(&tracker);
    ripe(&tracker, &circuit);
    let probe = circuit.permit().unwrap();
    assert_eq!(probe.inspect().unwrap().lease_left, lease);
    assert!(probe.inspect().unwrap().is_probe);

    tracker.advance(lease / 2).unwrap();
    assert_eq!(probe.inspect().unwrap().lease_left, lease / 2);
    probe.renew().unwrap();
    tracker.advance(lease / 2 + lease / 4).unwrap();
    assert_eq!(state(&circuit), State::HalfOpen);

    tracker.advance(lease).unwrap();
    assert_eq!(state(&circuit), State::Open);
    assert_eq!(probe.record_success(), Settled::Stale);
}

#[test]
fn a_cancelled_probe_leaves_room_for_another() {
    let tracker = tracker();
    let circuit = circuit_of(&tracker);
    ripe(&tracker, &circuit);
    circuit.permit().unwrap().cancel();
    assert_eq!(circuit.permit().unwrap().record_success(), Settled::Counted);
    assert_eq!(state(&circuit), State::Closed);
}

#[test]
fn a_dropped_probe_opens_the_circuit_again() {
    let tracker = tracker();
    let circuit = circuit_of(&tracker);
    ripe(&tracker, &circuit);
    drop(circuit.permit().unwrap());
    let info = circuit.inspect().unwrap();
    assert_eq!((info.state, info.level, info.open_duration), (State::Open, 1, OPEN_PERIOD * 2));
}
