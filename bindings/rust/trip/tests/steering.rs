//! Steering: what an operator orders holds on every thread from when the order has returned, and ends as it was ordered.

mod common;

use common::{circuit_of, config, open, rejection, ripe, state, tracker, OPEN_PERIOD};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;
use trip::{Circuit, Error, Mode, Permit, PermitError, Reason, Settled, State, Tracker};

const MINUTE: Duration = Duration::from_secs(60);
const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

fn force(circuit: &Circuit, mode: Mode) {
    circuit.set_mode(mode, None, "").unwrap();
}

#[test]
fn forced_open_refuses_for_its_time_and_says_so() {
    let tracker = tracker();
    let circuit = circuit_of(&tracker);
    circuit.set_mode(Mode::ForcedOpen, Some(MINUTE), "key rotation").unwrap();
    let rejected = rejection(&circuit);
    assert_eq!((rejected.reason, rejected.state), (Reason::Forced, State::Closed));
    assert_eq!(rejected.retry_after, MINUTE);
    assert!(rejected.to_string().contains("is forced open"), "{rejected}");
    tracker.advance(MINUTE / 3).unwrap();
    let info = circuit.inspect().unwrap();
    assert_eq!((info.mode, info.mode_left), (Mode::ForcedOpen, Some(MINUTE / 3 * 2)));
    tracker.advance(MINUTE / 3 * 2).unwrap();
    circuit.permit().unwrap().record_success();
    let info = circuit.inspect().unwrap();
    assert_eq!((info.mode, info.mode_left, info.rejections), (Mode::Auto, None, 1));
}

#[test]
fn forced_closed_grants_what_an_open_circuit_refuses() {
    let circuit = circuit_of(&tracker());
    open(&circuit);
    force(&circuit, Mode::ForcedClosed);
    assert_eq!(circuit.inspect().unwrap().mode_left, None);
    assert_eq!(circuit.permit().unwrap().record_failure(), Settled::Counted);
    force(&circuit, Mode::Auto);
    assert_eq!(rejection(&circuit).retry_after, OPEN_PERIOD);
}

#[test]
fn observing_refuses_nobody_and_counts() {
    let circuit = circuit_of(&tracker());
    force(&circuit, Mode::Observe);
    open(&circuit);
    circuit.permit().unwrap().record_success();
    let info = circuit.inspect().unwrap();
    assert_eq!((info.mode, info.state, info.rejections), (Mode::Observe, State::Open, 1));
}

#[test]
fn a_mode_is_refused_whole() {
    let circuit = circuit_of(&tracker());
    circuit.set_mode(Mode::Observe, Some(YEAR), [b'x'; 255]).unwrap();
    let before = circuit.inspect().unwrap();
    let nothing = Duration::ZERO;
    let a_second_more = YEAR + Duration::from_secs(1);
    for (mode, ttl, length) in [
        (Mode::Other(4), None, 0),
        (Mode::Other(u32::MAX), None, 0),
        (Mode::ForcedOpen, Some(nothing), 0),
        (Mode::ForcedOpen, Some(a_second_more), 0),
        (Mode::ForcedOpen, Some(Duration::MAX), 0),
        (Mode::ForcedOpen, None, 256),
        (Mode::ForcedOpen, None, 1 << 20),
    ] {
        assert_eq!(circuit.set_mode(mode, ttl, vec![b'x'; length]), Err(Error::Invalid), "{mode:?} {ttl:?} {length}");
    }
    assert_eq!(circuit.inspect().unwrap(), before);
    assert!(circuit.explain().unwrap().contains(&"x".repeat(255)));
}

#[test]
fn tripping_opens_and_resetting_closes() {
    let tracker = tracker();
    let circuit = circuit_of(&tracker);
    let before = circuit.permit().unwrap();
    circuit.trip().unwrap();
    assert_eq!(rejection(&circuit).retry_after, OPEN_PERIOD);
    assert_eq!(before.record_success(), Settled::Stale);
    circuit.reset().unwrap();
    let info = circuit.inspect().unwrap();
    assert_eq!((info.state, info.opens, info.stale, info.rejections), (State::Closed, 1, 1, 1));
    ripe(&tracker, &circuit);
    let probe = circuit.permit().unwrap();
    circuit.reset().unwrap();
    assert_eq!((probe.record_failure(), state(&circuit)), (Settled::Stale, State::Closed));
}

#[test]
fn a_removed_circuit_is_gone_once_and_found_anew() {
    let tracker = tracker();
    let circuit = circuit_of(&tracker);
    open(&circuit);
    let removed = circuit.handle();
    circuit.remove().unwrap();
    assert_eq!(circuit.remove(), Err(Error::Handle));
    assert_eq!(Circuit::from_handle(removed).unwrap_err(), Error::Handle);
    assert_eq!(tracker.circuits().count(), 0);

    assert_eq!(circuit.inspect().map(|info| (info.state, info.permits)), Ok((State::Closed, 0)));
    assert_ne!(circuit.handle(), removed);
    assert_eq!(tracker.circuits().count(), 1);
}

#[test]
fn each_order_finds_a_circuit_that_was_removed() {
    let tracker = tracker();
    let circuit = circuit_of(&tracker);
    let other = circuit.clone();
    for (order, expected) in [
        (Circuit::trip as fn(&Circuit) -> Result<(), Error>, State::Open),
        (Circuit::reset, State::Closed),
        (|circuit| circuit.set_mode(Mode::Observe, None, ""), State::Closed),
    ] {
        other.remove().unwrap();
        order(&circuit).unwrap();
        assert_eq!((circuit.handle(), state(&circuit)), (circuit_of(&tracker).handle(), expected));
        assert_eq!(state(&other), expected); // which finds it too
    }
    other.remove().unwrap();
    assert!(circuit.explain().unwrap().contains("closed"));
}

#[test]
fn orders_to_a_destroyed_tracker_are_refused() {
    let tracker = tracker();
    let circuit = circuit_of(&tracker);
    tracker.destroy().unwrap();
    assert_eq!(circuit.set_mode(Mode::ForcedOpen, None, "late"), Err(Error::Handle));
    assert_eq!(circuit.trip(), Err(Error::Handle));
    assert_eq!(circuit.reset(), Err(Error::Handle));
    assert_eq!(circuit.remove(), Err(Error::Handle));
    assert_eq!(circuit.explain(), Err(Error::Handle));
}

/// Calls by a lane that was used a moment before, on other threads, around an order.
#[test]
fn no_call_is_admitted_once_a_circuit_was_forced_open() {
    for _ in 0..200 {
        let circuit = circuit_of(&tracker());
        let (admitted, is_forced) = (AtomicU64::new(0), AtomicBool::new(false));
        thread::scope(|scope| {
            let call = || loop {
                let was_forced = is_forced.load(Ordering::Acquire);
                match circuit.permit() {
                    Ok(permit) => {
                        assert!(!was_forced, "admitted by a circuit that is forced open");
                        permit.record_success();
                        admitted.fetch_add(1, Ordering::Relaxed);
                    }
                    Err(PermitError::Rejected(rejected)) => {
                        assert_eq!(rejected.reason, Reason::Forced);
                        if was_forced {
                            break;
                        }
                    }
                    Err(PermitError::Failed(error)) => panic!("{error}"),
                }
            };
            let callers = [(); 2].map(|()| scope.spawn(call));
            while admitted.load(Ordering::Relaxed) < 100 {
                thread::yield_now();
            }
            force(&circuit, Mode::ForcedOpen);
            is_forced.store(true, Ordering::Release);
            assert_eq!(rejection(&circuit).reason, Reason::Forced);
            for caller in callers {
                caller.join().unwrap();
            }
        });
        let info = circuit.inspect().unwrap();
        assert_eq!((info.permits, info.successes), (admitted.load(Ordering::Relaxed), admitted.into_inner()));
    }
}

#[test]
fn a_call_that_was_admitted_before_still_counts() {
    let circuit = circuit_of(&Tracker::new(&config().failure_threshold(2)).unwrap());
    let permits = [(); 2].map(|()| circuit.permit().unwrap());
    force(&circuit, Mode::ForcedOpen);
    for permit in permits {
        assert_eq!(permit.record_failure(), Settled::Counted);
    }
    force(&circuit, Mode::Auto);
    assert_eq!(rejection(&circuit).reason, Reason::Open);
}

#[test]
fn what_is_granted_by_force_may_be_given_away() {
    let circuit = circuit_of(&tracker());
    open(&circuit);
    force(&circuit, Mode::ForcedClosed);
    let handle = circuit.permit().unwrap().into_handle();
    assert_eq!(Permit::from_handle(handle).record_success(), Settled::Counted);
    assert_eq!(Permit::from_handle(handle).record_success(), Settled::Failed(Error::Consumed));
    assert_eq!(state(&circuit), State::Open);
}

#[test]
fn many_threads_may_give_orders() {
    let tracker = tracker();
    let circuit = circuit_of(&tracker);
    // Whoever finds a circuit again may find that it was removed again.
    let is_obeyed = |answer| assert!(matches!(answer, Ok(()) | Err(Error::Handle)), "{answer:?}");
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..200 {
                    for mode in [Mode::ForcedOpen, Mode::Observe, Mode::ForcedClosed, Mode::Auto] {
                        is_obeyed(circuit.set_mode(mode, Some(MINUTE), "one of many"));
                    }
                    is_obeyed(circuit.trip());
                    is_obeyed(circuit.reset());
                    is_obeyed(circuit.remove());
                }
            });
        }
    });
    force(&circuit, Mode::Auto);
    circuit.reset().unwrap();
    assert_eq!(circuit.permit().unwrap().record_success(), Settled::Counted);
}
