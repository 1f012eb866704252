//! Events: each told once, in order, with its texts; what is lost is counted.

mod common;

use common::{circuit_of, config, open, rejection, ripe, tracker, OPEN_PERIOD};
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};
use trip::{Cause, Error, Event, EventKind, Mode, Scope, State, Tracker};

fn take(tracker: &Tracker) -> Vec<Event> {
    tracker.take_events(10_000).unwrap().events
}

fn kinds(events: &[Event]) -> Vec<EventKind> {
    events.iter().map(|event| event.kind).collect()
}

#[test]
fn an_outage_is_told_from_beginning_to_end() {
    let tracker = tracker();
    let circuit = circuit_of(&tracker);
    assert_eq!(take(&tracker), []);
    open(&circuit);
    rejection(&circuit);
    tracker.advance(OPEN_PERIOD).unwrap();
    circuit.permit().unwrap().record_success();
    let events = take(&tracker);
    let [opened, refused, probed, closed] = &events[..] else { panic!("{events:?}") };
    assert_eq!(kinds(&events), [EventKind::Opened, EventKind::RefusedFirst, EventKind::HalfOpened, EventKind::Closed]);
    assert_eq!((opened.number, opened.at, opened.duration), (1, Duration::ZERO, OPEN_PERIOD));
    assert_eq!((opened.state, opened.cause, opened.failures), (State::Open, Cause::Failures, 1));
    assert_eq!((opened.scope, opened.mode, opened.circuit), (Scope::Circuit, Mode::Auto, Some(circuit.handle())));
    assert_eq!((opened.tenant(), opened.provider(), opened.reason()), (&b"acme"[..], &b"llm"[..], &b""[..]));
    assert_eq!((closed.number, closed.at, closed.cause), (4, OPEN_PERIOD, Cause::Probe));
    assert!(opened.epoch == refused.epoch && refused.epoch != probed.epoch && probed.epoch != closed.epoch);
    assert_eq!(closed.epoch, circuit.inspect().unwrap().epoch);
    let ago = SystemTime::now().duration_since(opened.time).unwrap();
    assert!(ago < Duration::from_secs(3600), "{ago:?}");
    assert_eq!(take(&tracker), []);
}

#[test]
fn keys_and_reasons_of_any_bytes_survive() {
    let tracker = tracker();
    let every_byte: Vec<u8> = (0..=254).collect();
    for (tenant, provider) in [(&every_byte[..], &every_byte[..]), (b"", b"\0\xFF"), (b"", b"")] {
        let circuit = tracker.circuit(tenant, provider).unwrap();
        circuit.set_mode(Mode::Observe, None, &every_byte).unwrap();
        let events = take(&tracker);
        assert_eq!(kinds(&events), [EventKind::Forced]);
        assert_eq!((events[0].tenant(), events[0].provider(), events[0].reason()), (tenant, provider, &every_byte[..]));
        assert!(format!("{:?}", events[0]).contains(r#"reason: "\x00\x01"#), "{:?}", events[0]);
    }
}

#[test]
fn events_outlive_what_they_are_about() {
    let tracker = Tracker::new(&config().max_circuits(1)).unwrap();
    circuit_of(&tracker);
    tracker.circuit("other", "llm").unwrap().remove().unwrap();
    let events = take(&tracker);
    assert_eq!(kinds(&events), [EventKind::Evicted; 2]);
    assert_eq!(events.iter().map(|event| event.cause).collect::<Vec<_>>(), [Cause::Capacity, Cause::Operator]);
    assert_eq!((events[0].tenant(), events[1].tenant()), (&b"acme"[..], &b"other"[..]));
}

#[test]
fn what_is_not_taken_stays() {
    let tracker = tracker();
    let circuit = circuit_of(&tracker);
    for _ in 0..150 {
        circuit.trip().unwrap();
        circuit.reset().unwrap();
    }
    let mut numbers = Vec::new();
    for (at_most, taken) in [(1, 1), (2, 2), (64, 64), (65, 65), (1000, 168), (usize::MAX, 0)] {
        let events = tracker.take_events(at_most).unwrap().events;
        assert_eq!(events.len(), taken, "{at_most}");
        numbers.extend(events.iter().map(|event| event.number));
    }
    assert!(numbers.into_iter().eq(1..=300));
}

#[test]
fn what_nobody_takes_is_lost_and_counted() {
    let tracker = tracker();
    let circuit = circuit_of(&tracker);
    for _ in 0..2100 {
        circuit.trip().unwrap();
        circuit.reset().unwrap();
    }
    let batch = tracker.take_events(usize::MAX).unwrap();
    assert_eq!((batch.events.len(), batch.lost), (4096, 104));
    circuit.trip().unwrap();
    let batch = tracker.take_events(1).unwrap();
    assert_eq!((batch.events[0].number, batch.lost), (4097, 104));
}

/// Takes so many at a time until `is_over` and nothing is left.
fn take_all(tracker: &Tracker, at_most: usize, is_over: &AtomicBool) -> Vec<Event> {
    let mut events = Vec::new();
    loop {
        let is_last = is_over.load(Ordering::Acquire);
        let batch = tracker.take_events(at_most).unwrap().events;
        if is_last && batch.is_empty() {
            return events;
        }
        events.extend(batch);
    }
}

#[test]
fn many_threads_take_each_event_once() {
    const EACH: usize = 3000;
    let (tracker, is_over) = (tracker(), AtomicBool::new(false));
    let taken = thread::scope(|scope| {
        let takers = [1, 7, 100, 5000].map(|at_most| {
            let (tracker, is_over) = (&tracker, &is_over);
            scope.spawn(move || take_all(tracker, at_most, is_over))
        });
        let tell = || (0..EACH).for_each(|_| circuit_of(&tracker).set_mode(Mode::Observe, None, "again").unwrap());
        for teller in [(); 4].map(|()| scope.spawn(tell)) {
            teller.join().unwrap();
        }
        is_over.store(true, Ordering::Release);
        takers.map(|taker| taker.join().unwrap()).concat()
    });
    let mut numbers: Vec<_> = taken.iter().map(|event| event.number).collect();
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(1..=taken.len() as u64));
    // The others are that a teller has waited for another.
    let (orders, others): (Vec<_>, Vec<_>) = taken.into_iter().partition(|event| event.kind == EventKind::Forced);
    assert!(orders.iter().all(|event| event.reason() == b"again"));
    assert!(others.iter().all(|event| event.kind == EventKind::LockWaited), "{others:?}");
    let lost = usize::try_from(tracker.take_events(1).unwrap().lost).unwrap();
    assert!(orders.len() <= 4 * EACH && orders.len() + lost >= 4 * EACH, "{} {lost}", orders.len());
}

#[test]
fn none_are_taken_where_none_are_asked_for() {
    let tracker = tracker();
    open(&circuit_of(&tracker));
    assert_eq!(tracker.take_events(0), Err(Error::Invalid));
    assert_eq!(take(&tracker).len(), 1);
    tracker.destroy().unwrap();
    assert_eq!(tracker.take_events(1), Err(Error::Handle));
    assert_eq!(Tracker::from_handle(u64::MAX).take_events(1), Err(Error::Handle));
}

/// Whether the descriptor is readable. Reading takes that away, so that a descriptor is good for one look.
fn is_readable(tracker: &Tracker) -> bool {
    is_readable_now(&mut File::from(tracker.event_fd().unwrap()))
}

fn is_readable_now(descriptor: &mut File) -> bool {
    match descriptor.read(&mut [0; 8]) {
        Ok(_) => true,
        Err(error) if error.kind() == ErrorKind::WouldBlock => false,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn the_descriptor_is_readable_while_events_wait() {
    let tracker = tracker();
    let circuit = circuit_of(&tracker);
    assert!(!is_readable(&tracker));
    ripe(&tracker, &circuit);
    circuit.permit().unwrap().record_success();
    assert!(is_readable(&tracker));
    take(&tracker);
    assert!(!is_readable(&tracker));
}

#[test]
fn a_copy_of_the_descriptor_tells_of_the_end() {
    let tracker = tracker();
    let mut descriptor = File::from(tracker.event_fd().unwrap());
    assert!(!is_readable_now(&mut descriptor));
    Tracker::from_handle(tracker.handle()).destroy().unwrap();
    assert!(is_readable_now(&mut descriptor));
    assert_eq!(tracker.event_fd().unwrap_err(), Error::Handle);

    let mut descriptor = File::from(common::tracker().event_fd().unwrap()); // whose tracker is dropped here
    assert!(is_readable_now(&mut descriptor));
}
