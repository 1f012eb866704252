//! Deduplication: one calls, the others wait; and arguments that are wrong.

mod common;

use common::{circuit_of, tracker, wrong_handles};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;
use trip::{Checked, Dedup, DedupConfig, Error, Settled, Ticket};

const SECOND: Duration = Duration::from_secs(1);

fn dedup() -> Dedup {
    Dedup::new(&DedupConfig::default()).unwrap()
}

fn ticket(checked: Result<Checked, Error>) -> Ticket {
    match checked {
        Ok(Checked::New(ticket)) => ticket,
        other => panic!("a ticket is expected, and {other:?} came back"),
    }
}

fn value(checked: Result<Checked, Error>) -> Vec<u8> {
    match checked {
        Ok(Checked::Cached(value)) => value,
        other => panic!("a value is expected, and {other:?} came back"),
    }
}

/// Until so many wait.
fn until_waiting(dedup: &Dedup, waiting: u32) {
    while dedup.inspect().unwrap().waiting < waiting {
        thread::yield_now();
    }
}

#[test]
fn a_call_is_new_then_in_progress_then_known() {
    let dedup = dedup();
    let call = ticket(dedup.check("key"));
    assert!(matches!(dedup.check("key"), Ok(Checked::InProgress)));
    assert!(matches!(dedup.wait("key", Some(Duration::ZERO)), Ok(Checked::InProgress)));
    assert_eq!(call.complete("value"), Settled::Counted);
    assert_eq!(value(dedup.check("key")), b"value");
    assert_eq!(value(dedup.wait("key", None)), b"value");
    dedup.forget("key").unwrap();
    drop(ticket(dedup.check("key")));
    let info = dedup.inspect().unwrap();
    assert_eq!((info.started, info.hits, info.joined, info.completed, info.failed), (2, 2, 2, 1, 1));
    assert_eq!((info.in_progress, info.cached, info.waiting, info.bytes), (0, 0, 0, 0));
}

#[test]
fn values_of_any_length_come_back_and_count_as_one_hit_each() {
    let dedup = dedup();
    for length in [0, 1, 1023, 1024] {
        let bytes = vec![0xA5; length];
        ticket(dedup.check(length.to_le_bytes())).complete(&bytes);
        assert_eq!(value(dedup.check(length.to_le_bytes())), bytes);
    }
    assert_eq!(dedup.inspect().unwrap().hits, 4);
    for length in [1025, 1 << 20] {
        let bytes: Vec<u8> = (0..length).map(|n: u32| n.to_le_bytes()[0]).collect();
        ticket(dedup.check(length.to_le_bytes())).complete(&bytes);
        assert_eq!(value(dedup.check(length.to_le_bytes())), bytes);
        assert_eq!(value(dedup.wait(length.to_le_bytes(), None)), bytes);
    }
}

#[test]
fn a_ticket_that_fails_or_is_dropped_frees_its_key_at_once() {
    let dedup = dedup();
    assert_eq!(ticket(dedup.check("key")).fail(), Settled::Counted);
    assert_eq!(ticket(dedup.check("key")).abandon(), Settled::Counted);
    drop(ticket(dedup.check("key")));
    drop(dedup.check("key")); // with the answer
    assert_eq!(dedup.inspect().unwrap().failed, 4);
    assert_eq!(dedup.inspect().unwrap().in_progress, 0);
}

#[test]
fn a_ticket_is_settled_once() {
    let dedup = dedup();
    let handle = ticket(dedup.check("key")).into_handle();
    assert_eq!(Ticket::from_handle(handle).complete("value"), Settled::Counted);
    let again = Ticket::from_handle(handle);
    assert_eq!(again.renew(), Err(Error::Consumed));
    assert_eq!(again.complete("other"), Settled::Failed(Error::Consumed));
    assert_eq!(Ticket::from_handle(handle).fail(), Settled::Failed(Error::Consumed));
    assert_eq!(value(dedup.check("key")), b"value");
}

#[test]
fn a_lease_ends_and_is_renewed() {
    let tracker = tracker();
    let dedup = tracker.dedup(&DedupConfig::default().lease(SECOND)).unwrap();
    let call = ticket(dedup.check("key"));
    tracker.advance(SECOND / 2).unwrap();
    call.renew().unwrap();
    tracker.advance(SECOND / 2).unwrap();
    assert!(matches!(dedup.check("key"), Ok(Checked::InProgress)));
    tracker.advance(SECOND / 2).unwrap();
    let next = ticket(dedup.check("key"));
    assert_eq!(call.renew(), Err(Error::Stale));
    assert_eq!(call.complete("late"), Settled::Stale);
    next.complete("value");
    assert_eq!(value(dedup.check("key")), b"value");
    assert_eq!(dedup.inspect().unwrap().expired, 1);
}

#[test]
fn with_a_ttl_of_zero_nothing_is_remembered() {
    let dedup = Dedup::new(&DedupConfig::default().ttl(Duration::ZERO)).unwrap();
    ticket(dedup.check("key")).complete("value");
    drop(ticket(dedup.check("key")));
}

#[test]
fn those_who_wait_get_the_value() {
    let dedup = dedup();
    let call = ticket(dedup.check("key"));
    thread::scope(|scope| {
        let waiters = [(); 20].map(|()| scope.spawn(|| value(dedup.wait("key", None))));
        until_waiting(&dedup, 20);
        call.complete("value");
        for waiter in waiters {
            assert_eq!(waiter.join().unwrap(), b"value");
        }
    });
    assert_eq!(dedup.inspect().unwrap().waiting, 0);
}

#[test]
fn of_those_who_wait_one_calls_when_a_call_fails() {
    let dedup = dedup();
    let (call, calls) = (ticket(dedup.check("key")), AtomicU32::new(0));
    thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| match dedup.wait("key", None) {
                Ok(Checked::New(next)) if calls.fetch_add(1, Ordering::Relaxed) < 5 => drop(next),
                Ok(Checked::New(next)) => drop(next.complete("value")),
                answer => assert_eq!(value(answer), b"value"),
            });
        }
        until_waiting(&dedup, 20);
        call.fail();
    });
    assert_eq!(calls.into_inner(), 6);
}

#[test]
fn who_waits_learns_that_the_deduplicator_is_destroyed() {
    let dedup = dedup();
    let call = ticket(dedup.check("key"));
    thread::scope(|scope| {
        let waiter = scope.spawn(|| dedup.wait("key", Some(Duration::MAX)).map(drop));
        until_waiting(&dedup, 1);
        dedup.destroy().unwrap();
        assert_eq!(waiter.join().unwrap(), Err(Error::Handle));
    });
    assert_eq!(call.renew(), Err(Error::Handle));
    assert_eq!(call.complete("value"), Settled::Failed(Error::Handle));
}

#[test]
fn bounds_are_told() {
    let dedup = Dedup::new(&DedupConfig::default().max_entries(1)).unwrap();
    let call = ticket(dedup.check("key"));
    assert_eq!(dedup.check("other").map(drop), Err(Error::Capacity));
    drop(call);
    drop(ticket(dedup.check("other")));
}

#[test]
fn a_memory_is_refused_by_its_field() {
    let good = DedupConfig::default();
    let wrong = [
        ("max_entries", good.max_entries(0)),
        ("max_entries", good.max_entries(u32::MAX)),
        ("max_bytes", good.max_bytes(0)),
        ("lease", good.lease(Duration::ZERO)),
        ("lease", good.lease(Duration::MAX)),
        ("ttl", good.ttl(Duration::MAX)),
    ];
    for (field, config) in wrong {
        match (Dedup::new(&config), tracker().dedup(&config)) {
            (Err(Error::Config(refused)), Err(Error::Config(_))) => assert_eq!(refused.field, Some(field)),
            other => panic!("{field} cannot be so, and {other:?} came back"),
        }
    }
}

fn assert_gone(dedup: &Dedup) {
    assert_eq!(dedup.check("key").map(drop), Err(Error::Handle));
    assert_eq!(dedup.wait("key", None).map(drop), Err(Error::Handle));
    assert_eq!(dedup.watch("key").map(drop), Err(Error::Handle));
    assert_eq!(dedup.forget("key"), Err(Error::Handle));
    assert_eq!(dedup.inspect(), Err(Error::Handle));
    assert_eq!(dedup.destroy(), Err(Error::Handle));
}

#[test]
fn what_is_none_says_so() {
    let (dedup, circuit) = (dedup(), circuit_of(&tracker()));
    for handle in wrong_handles(circuit.handle()) {
        assert_gone(&Dedup::from_handle(handle));
        assert_eq!(Ticket::from_handle(handle).renew(), Err(Error::Handle));
        assert_eq!(Ticket::from_handle(handle).complete("value"), Settled::Failed(Error::Handle));
        assert_eq!(Ticket::from_handle(handle).fail(), Settled::Failed(Error::Handle));
        drop(Ticket::from_handle(handle));
    }
    for length in [65537, 1 << 20] {
        let long = vec![b'x'; length];
        assert_eq!(dedup.check(&long).map(drop), Err(Error::Invalid));
        assert_eq!(dedup.wait(&long, None).map(drop), Err(Error::Invalid));
        assert_eq!(dedup.watch(&long).map(drop), Err(Error::Invalid));
        assert_eq!(dedup.forget(&long), Err(Error::Invalid));
    }
    for key in [&b""[..], b"\0", &vec![b'x'; 65536]] {
        drop(ticket(dedup.check(key)));
    }
    dedup.destroy().unwrap();
    assert_gone(&dedup.clone());
}

#[test]
fn a_memory_keeps_its_tracker_and_ends_with_it() {
    let kept = tracker().dedup(&DedupConfig::default()).unwrap();
    drop(ticket(kept.check("key")));
    let tracker = tracker();
    let dedup = tracker.dedup(&DedupConfig::default()).unwrap();
    tracker.destroy().unwrap();
    assert_eq!(dedup.check("key").map(drop), Err(Error::Handle));
    assert_eq!(tracker.dedup(&DedupConfig::default()).unwrap_err(), Error::Handle);
}
