//! Snapshots: a restarted process goes on where the last one was, or is told why not.

mod common;

use common::{circuit_of, config, rejection, ripe, state, tracker, OPEN_PERIOD};
use std::thread;
use std::time::{Duration, SystemTime};
use trip::{Error, Mode, State, Tracker};

const SECOND: Duration = Duration::from_secs(1);

fn today() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_764_000_000)
}

/// A tracker with an open circuit, and its snapshot.
fn open_and_saved() -> (Tracker, Vec<u8>) {
    let tracker = tracker();
    circuit_of(&tracker).trip().unwrap();
    let bytes = tracker.snapshot_at(today()).unwrap();
    (tracker, bytes)
}

#[test]
fn an_open_circuit_stays_open_for_what_is_left() {
    let (_, bytes) = open_and_saved();
    for (later, left) in [(10, 20), (30, 0), (1 << 30, 0)] {
        let restarted = tracker();
        restarted.restore_at(&bytes, today() + SECOND * later).unwrap();
        let info = circuit_of(&restarted).inspect().unwrap();
        assert_eq!((info.state, info.retry_after, info.opens), (State::Open, SECOND * left, 1));
    }
}

#[test]
fn no_time_passes_backwards() {
    let (_, bytes) = open_and_saved();
    for before in [today() - SECOND, SystemTime::UNIX_EPOCH, SystemTime::UNIX_EPOCH - SECOND] {
        let restarted = tracker();
        restarted.restore_at(&bytes, before).unwrap();
        assert_eq!(rejection(&circuit_of(&restarted)).retry_after, OPEN_PERIOD);
    }
}

#[test]
fn the_time_of_day_is_the_systems_unless_said() {
    let (tracker, _) = open_and_saved();
    let restarted = common::tracker();
    restarted.restore(&tracker.snapshot().unwrap()).unwrap();
    let left = rejection(&circuit_of(&restarted)).retry_after;
    assert!(left > Duration::ZERO && left <= OPEN_PERIOD, "{left:?}");
}

#[test]
fn modes_and_keys_of_any_bytes_are_kept() {
    let tracker = tracker();
    let circuit = tracker.circuit([0xFF, 0], "").unwrap();
    circuit.set_mode(Mode::ForcedOpen, Some(SECOND * 60), [0xFE; 255]).unwrap();
    let restarted = common::tracker();
    restarted.restore_at(&tracker.snapshot_at(today()).unwrap(), today() + SECOND * 20).unwrap();
    let (circuit, info) = restarted.circuits().next().unwrap().unwrap();
    assert_eq!((circuit.tenant(), circuit.provider()), (&[0xFF, 0][..], &b""[..]));
    assert_eq!((info.mode, info.mode_left), (Mode::ForcedOpen, Some(SECOND * 40)));
    assert!(circuit.explain().unwrap().contains(&"\\xfe".repeat(255)));
}

/// `bytes` are refused with a line that says so, and nothing changes.
fn assert_damaged(tracker: &Tracker, bytes: &[u8], what: impl std::fmt::Debug) {
    match tracker.restore_at(bytes, today()) {
        Err(Error::Snapshot(why)) => assert!(!why.is_empty()),
        other => panic!("{what:?} came to {other:?}"),
    }
    assert_eq!(tracker.circuits().count(), 0, "{what:?}");
}

#[test]
fn what_is_no_snapshot_is_refused_with_a_reason() {
    let (_, bytes) = open_and_saved();
    let restarted = tracker();
    for length in 0..bytes.len() {
        assert_damaged(&restarted, &bytes[..length], length);
    }
    for position in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[position] ^= 0x40;
        match restarted.restore_at(&damaged, today()) {
            Err(Error::Snapshot(_) | Error::TooNew) => assert_eq!(restarted.circuits().count(), 0),
            other => panic!("a flipped byte at {position} came to {other:?}"),
        }
    }
    assert_damaged(&restarted, &[bytes.clone(), vec![0]].concat(), "one byte more");
    assert_damaged(&restarted, &vec![0xFF; 1 << 20], "garbage");
    let error = restarted.restore(b"").unwrap_err();
    assert_eq!((error.status(), error.name()), (-1, "TRIP_E_INVALID"));
    assert!(error.to_string().contains("snapshot"), "{error}");
    restarted.restore_at(&bytes, today()).unwrap();
    assert_eq!(state(&circuit_of(&restarted)), State::Open);
}

#[test]
fn what_does_not_fit_is_refused_whole() {
    let small = config().max_circuits(2);
    let tracker = Tracker::new(&small).unwrap();
    for provider in ["a", "b"] {
        tracker.circuit("acme", provider).unwrap();
    }
    let bytes = tracker.snapshot().unwrap();
    let restarted = Tracker::new(&small).unwrap();
    restarted.circuit("acme", "c").unwrap();
    assert_eq!(restarted.restore(&bytes), Err(Error::Capacity));
    assert_eq!(restarted.circuits().count(), 1);
}

#[test]
fn a_circuit_that_is_there_becomes_what_the_snapshot_says() {
    let (tracker, bytes) = open_and_saved();
    let circuit = circuit_of(&tracker);
    circuit.reset().unwrap();
    let before = circuit.permit().unwrap();
    tracker.restore_at(&bytes, today()).unwrap();
    let info = circuit.inspect().unwrap();
    assert_eq!((info.state, info.opens), (State::Open, 2));
    assert_eq!(before.record_success(), trip::Settled::Stale);
}

#[test]
fn a_snapshot_of_many_circuits_is_whole() {
    let tracker = tracker();
    for i in 0..2000_u32 {
        tracker.circuit(i.to_le_bytes(), [b'x'; 200]).unwrap();
    }
    let restarted = common::tracker();
    restarted.restore(&tracker.snapshot().unwrap()).unwrap();
    assert_eq!(restarted.circuits().count(), 2000);
}

#[test]
fn snapshots_are_taken_while_threads_call() {
    let tracker = tracker();
    thread::scope(|scope| {
        for number in 0..4_u32 {
            let tracker = &tracker;
            scope.spawn(move || {
                for turn in 0..200_u32 {
                    let circuit = tracker.circuit(number.to_le_bytes(), turn.to_le_bytes()).unwrap();
                    ripe(tracker, &circuit);
                    circuit.permit().unwrap().record_success();
                }
            });
        }
        for _ in 0..50 {
            let restarted = common::tracker();
            restarted.restore(&tracker.snapshot().unwrap()).unwrap();
            assert!(restarted.circuits().all(|listed| listed.is_ok()));
        }
    });
    assert_eq!(tracker.circuits().count(), 800);
}

#[test]
fn a_destroyed_tracker_has_no_snapshot() {
    let (tracker, bytes) = open_and_saved();
    tracker.destroy().unwrap();
    assert_eq!(tracker.snapshot(), Err(Error::Handle));
    assert_eq!(tracker.restore(&bytes), Err(Error::Handle));
}
