//! Circuits and trackers: refusals, keys, handles, lives.

mod common;

use common::{circuit_of, config, open, rejection, ripe, state, tracker, OPEN_PERIOD};
use std::time::Duration;
use trip::{Backoff, Circuit, Clock, Config, Error, Mode, PermitError, Reason, State, Tracker};

/// The library error with which a permit failed.
fn failure<T: std::fmt::Debug>(answer: Result<T, PermitError>) -> Error {
    match answer {
        Err(PermitError::Failed(error)) => error,
        other => panic!("a library error is expected, and {other:?} came back"),
    }
}

#[test]
fn a_refusal_says_why_and_when_to_come_back() {
    let tracker = tracker();
    let circuit = circuit_of(&tracker);
    open(&circuit);
    tracker.advance(Duration::from_secs(10)).unwrap();
    let rejected = rejection(&circuit);
    assert_eq!((rejected.reason, rejected.state, rejected.failures), (Reason::Open, State::Open, 1));
    assert_eq!((rejected.retry_after, rejected.open_duration), (Duration::from_secs(20), OPEN_PERIOD));
    assert_eq!(rejected.provider(), b"llm");
    assert_eq!(rejected.to_string(), r#"the circuit of tenant "acme" to provider "llm" is open; retry in 20s"#);
}

#[test]
fn a_probe_keeps_others_out() {
    let tracker = Tracker::new(&config().probe_retry(Duration::from_millis(7))).unwrap();
    let circuit = circuit_of(&tracker);
    ripe(&tracker, &circuit);
    assert!(circuit.peek().is_ok());
    let probe = circuit.permit().unwrap();
    let rejected = rejection(&circuit);
    assert_eq!((rejected.reason, rejected.state), (Reason::Probing, State::HalfOpen));
    assert_eq!(rejected.retry_after, Duration::from_millis(7));
    assert!(rejected.to_string().contains("is being probed"));
    probe.record_success();
    assert_eq!(state(&circuit), State::Closed);
}

#[test]
fn peeking_changes_nothing() {
    let circuit = circuit_of(&tracker());
    assert!(circuit.peek().is_ok());
    open(&circuit);
    let before = circuit.inspect().unwrap();
    let Err(PermitError::Rejected(rejected)) = circuit.peek() else { panic!("an open circuit lets nobody pass") };
    assert_eq!(rejected.retry_after, OPEN_PERIOD);
    assert_eq!(circuit.inspect().unwrap(), before);
}

#[test]
fn inspecting_shows_the_whole_circuit() {
    let circuit = circuit_of(&tracker());
    open(&circuit);
    let _ = rejection(&circuit);
    let info = circuit.inspect().unwrap();
    assert_eq!((info.state, info.mode, info.failures, info.level, info.probes_out), (State::Open, Mode::Auto, 1, 0, 0));
    assert_eq!((info.retry_after, info.open_duration), (OPEN_PERIOD, OPEN_PERIOD));
    assert_eq!((info.permits, info.failures_total, info.rejections, info.opens), (1, 1, 1, 1));
}

#[test]
fn tenants_do_not_stop_each_other() {
    let tracker = tracker();
    open(&circuit_of(&tracker));
    assert!(tracker.circuit("other", "llm").unwrap().permit().is_ok_and(|permit| {
        permit.record_success();
        true
    }));
}

#[test]
fn the_same_key_is_the_same_circuit() {
    let tracker = tracker();
    let circuit = circuit_of(&tracker);
    assert_eq!(circuit_of(&tracker).handle(), circuit.handle());
    assert_ne!(tracker.circuit("acmel", "lm").unwrap().handle(), circuit.handle());
    open(&circuit.clone());
    assert_eq!(state(&circuit), State::Open);
}

#[test]
fn a_key_is_any_bytes() {
    let tracker = tracker();
    let every_byte: Vec<u8> = (0..=254).collect();
    for (tenant, provider) in [(&every_byte[..], &b""[..]), (b"", b"\0\xFF"), (b"", b"")] {
        let circuit = tracker.circuit(tenant, provider).unwrap();
        let found = Circuit::from_handle(circuit.handle()).unwrap();
        assert_eq!((circuit.tenant(), circuit.provider()), (tenant, provider));
        assert_eq!((found.tenant(), found.provider()), (tenant, provider));
    }
    let circuit = tracker.circuit([0xFF, b'"'], String::from("llm")).unwrap();
    assert!(format!("{circuit:?}").contains(r#"tenant: "\xff\"""#), "{circuit:?}");
}

#[test]
fn a_key_is_at_most_255_bytes() {
    let tracker = tracker();
    let long = [b'x'; 256];
    assert!(tracker.circuit(&long[..255], &long[..255]).is_ok());
    assert_eq!(tracker.circuit(long, "llm").unwrap_err(), Error::Invalid);
    assert_eq!(tracker.circuit("acme", long).unwrap_err(), Error::Invalid);
}

#[test]
fn an_evicted_circuit_is_found_again() {
    let tracker = Tracker::new(&config().max_circuits(1)).unwrap();
    let first = circuit_of(&tracker);
    let evicted = first.handle();
    let second = tracker.circuit("other", "llm").unwrap();
    assert_eq!(Circuit::from_handle(evicted).unwrap_err(), Error::Handle);

    first.permit().unwrap().record_success();
    assert_ne!(first.handle(), evicted);
    assert_eq!(first.inspect().unwrap().permits, 1);
    assert!(second.peek().is_ok());
    assert!(first.inspect().is_ok());
}

#[test]
fn a_circuit_that_finds_no_room_says_so() {
    let tracker = Tracker::new(&config().max_circuits(1)).unwrap();
    let first = circuit_of(&tracker);
    let second = tracker.circuit("other", "llm").unwrap();
    open(&second);
    assert_eq!(failure(first.permit()), Error::Capacity);
    assert_eq!(tracker.circuit("third", "llm").unwrap_err(), Error::Capacity);
}

#[test]
fn circuits_keep_their_tracker_alive() {
    let circuit = circuit_of(&tracker());
    let other = circuit.clone();
    drop(circuit);
    assert!(other.peek().is_ok());
    let handle = other.handle();
    drop(other);
    assert_eq!(Circuit::from_handle(handle).unwrap_err(), Error::Handle);
}

#[test]
fn destroying_ends_everything_at_once() {
    let tracker = tracker();
    let circuit = circuit_of(&tracker);
    tracker.clone().destroy().unwrap();
    assert_eq!(failure(circuit.permit()), Error::Handle);
    assert_eq!(failure(circuit.peek()), Error::Handle);
    assert_eq!(circuit.inspect().unwrap_err(), Error::Handle);
    assert_eq!(tracker.circuit("acme", "llm").unwrap_err(), Error::Handle);
    assert_eq!(tracker.advance(Duration::ZERO), Err(Error::Handle));
    assert_eq!(tracker.destroy(), Err(Error::Handle));
}

#[test]
fn another_owners_tracker_can_be_used_and_stays_theirs() {
    let owner = tracker();
    let circuit = circuit_of(&owner);
    {
        let guest = Tracker::from_handle(owner.handle());
        assert_eq!(circuit_of(&guest).handle(), circuit.handle());
    }
    open(&circuit);
    let found = Circuit::from_handle(circuit.handle()).unwrap();
    assert_eq!(rejection(&found).retry_after, OPEN_PERIOD);
}

#[test]
fn any_value_is_a_legal_handle() {
    let circuit = circuit_of(&tracker());
    for handle in [0, 1, u64::MAX, circuit.handle(), 0xDEAD_BEEF_DEAD_BEEF] {
        let tracker = Tracker::from_handle(handle);
        assert_eq!(tracker.circuit("acme", "llm").unwrap_err(), Error::Handle, "{handle:#x}");
        assert_eq!(tracker.advance(Duration::MAX), Err(Error::Handle), "{handle:#x}");
        assert_eq!(tracker.destroy(), Err(Error::Handle), "{handle:#x}");
    }
    for handle in [0, 1, u64::MAX, 0xDEAD_BEEF_DEAD_BEEF] {
        assert_eq!(Circuit::from_handle(handle).unwrap_err(), Error::Handle, "{handle:#x}");
    }
    assert_eq!(state(&circuit), State::Closed);
}

#[test]
fn only_a_manual_clock_can_be_advanced() {
    let tracker = Tracker::new(&Config::default()).unwrap();
    assert_eq!(tracker.advance(Duration::ZERO), Err(Error::Unsupported));
    let manual = Tracker::new(&Config::default().clock(Clock::Manual)).unwrap();
    assert_eq!(manual.advance(Duration::MAX), Ok(()));
}

#[test]
fn the_defaults_are_the_librarys() {
    let config = Config::default();
    assert_eq!((config.failure_threshold, config.max_circuits), (5, 65536));
    assert_eq!((config.initial_open, config.max_open), (Duration::from_secs(30), Duration::from_secs(300)));
    assert_eq!((config.probe_lease, config.probe_retry), (Duration::from_secs(600), Duration::from_millis(50)));
    assert_eq!((config.half_open_max_probes, config.half_open_successes), (1, 1));
    assert_eq!((config.backoff, config.clock), (Backoff::First, Clock::Monotonic));
}

/// `fault` is out of range; the refusal must name `field`.
fn assert_refused(field: &str, fault: &Config) {
    match Tracker::new(fault) {
        Err(Error::Config(refused)) => {
            assert_eq!(refused.field, Some(field));
            assert!(!refused.message.is_empty());
            assert!(refused.to_string().starts_with(field));
        }
        other => panic!("{field} is out of range, and {other:?} came back"),
    }
}

#[test]
fn a_config_out_of_range_is_refused_by_its_field() {
    let good = Config::default();
    assert_refused("failure_threshold", &good.failure_threshold(0));
    assert_refused("initial_open", &good.initial_open(Duration::ZERO));
    assert_refused("max_open", &good.max_open(Duration::MAX));
    let more_than_64_bits = Duration::from_nanos(u64::MAX) + Duration::from_secs(60);
    assert_refused("max_open", &good.max_open(more_than_64_bits));
    assert_refused("backoff_multiplier", &good.backoff_multiplier(f64::NAN));
    assert_refused("backoff", &good.backoff(Backoff::Other(7)));
    assert_refused("half_open_max_probes", &good.half_open_max_probes(64));
    assert_refused("half_open_successes", &good.half_open_successes(0));
    assert_refused("on_drop", &good.on_drop(trip::OnDrop::Other(2)));
    assert_refused("probe_lease", &good.probe_lease(Duration::from_millis(3)));
    assert_refused("probe_retry", &good.probe_retry(Duration::MAX));
    assert_refused("jitter", &good.jitter(f64::INFINITY));
    assert_refused("clock", &good.clock(Clock::Other(9)));
    assert_refused("max_circuits", &good.max_circuits(0));
}

#[test]
fn errors_have_the_numbers_and_names_of_the_abi() {
    let cases = [
        (Error::Stale, 4, "TRIP_STALE"),
        (Error::Invalid, -1, "TRIP_E_INVALID"),
        (Error::Handle, -2, "TRIP_E_HANDLE"),
        (Error::Consumed, -3, "TRIP_E_CONSUMED"),
        (Error::NoMemory, -4, "TRIP_E_NOMEM"),
        (Error::Capacity, -5, "TRIP_E_CAPACITY"),
        (Error::TooNew, -7, "TRIP_E_TOO_NEW"),
        (Error::Unsupported, -8, "TRIP_E_UNSUPPORTED"),
        (Error::System, -9, "TRIP_E_SYSTEM"),
        (Error::Unknown(-1000), -1000, "TRIP_UNKNOWN"),
    ];
    for (error, status, name) in cases {
        assert_eq!((error.status(), error.name()), (status, name));
    }
    let refused = Tracker::new(&Config::default().jitter(2.0)).unwrap_err();
    assert_eq!((refused.status(), refused.name()), (-6, "TRIP_E_CONFIG"));
}

#[test]
fn the_library_tells_its_version() {
    assert!(trip::version().starts_with("1."), "{}", trip::version());
    assert_eq!(trip::abi_version().0, 1);
}
