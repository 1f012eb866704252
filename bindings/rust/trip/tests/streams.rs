//! Events that are awaited: the descriptor wakes whoever waits, and nothing is left behind of those who do not any more.

mod common;

use common::{circuit_of, open, tracker};
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::task::{yield_now, JoinSet};
use trip::{Circuit, Error, EventKind, Events, Mode, Tracker};

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_io().build().unwrap()
}

/// A runtime whose one thread is the caller's: nothing goes on there while a test does.
fn still_runtime() -> Runtime {
    Builder::new_current_thread().enable_io().build().unwrap()
}

async fn next_kind(events: &mut Events) -> Option<EventKind> {
    events.next().await.unwrap().map(|event| event.kind)
}

/// Asks once, and leaves the future.
fn poll_once(events: &mut Events, waker: &Waker) -> Poll<Option<EventKind>> {
    let next = pin!(events.next());
    next.poll(&mut Context::from_waker(waker)).map(|event| event.unwrap().map(|event| event.kind))
}

#[test]
fn what_has_happened_and_what_happens_is_told_in_order() {
    let tracker = tracker();
    let circuit = circuit_of(&tracker);
    open(&circuit);
    runtime().block_on(async {
        let mut events = tracker.events().unwrap();
        assert_eq!(next_kind(&mut events).await, Some(EventKind::Opened));
        let operator = circuit.clone();
        let order = thread::spawn(move || operator.set_mode(Mode::ForcedOpen, None, b"\xFF"));
        let event = events.next().await.unwrap().unwrap();
        assert_eq!((event.kind, event.number, event.reason()), (EventKind::Forced, 2, &b"\xFF"[..]));
        assert_eq!((event.tenant(), event.provider()), (&b"acme"[..], &b"llm"[..]));
        order.join().unwrap().unwrap();
        assert_eq!(events.lost(), 0);
    });
}

/// Counts how often it was woken.
#[derive(Default)]
struct Woken(AtomicU32);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn who_waits_is_woken_by_an_event_and_by_nothing_else() {
    let (tracker, woken) = (tracker(), Arc::new(Woken::default()));
    let (circuit, waker) = (circuit_of(&tracker), Waker::from(Arc::clone(&woken)));
    still_runtime().block_on(async {
        let mut events = tracker.events().unwrap();
        for turn in 1..=3 {
            assert_eq!(poll_once(&mut events, &waker), Poll::Pending);
            for _ in 0..100 {
                yield_now().await; // the runtime looks at its descriptors
            }
            assert_eq!(woken.0.load(Ordering::Relaxed), turn - 1);
            circuit.trip().unwrap();
            while woken.0.load(Ordering::Relaxed) < turn {
                yield_now().await;
            }
            assert_eq!(poll_once(&mut events, &waker), Poll::Ready(Some(EventKind::Opened)));
            circuit.reset().unwrap();
            assert_eq!(next_kind(&mut events).await, Some(EventKind::Closed));
        }
    });
}

#[test]
fn a_wait_that_is_given_up_takes_no_event() {
    let tracker = tracker();
    let circuit = circuit_of(&tracker);
    runtime().block_on(async {
        let mut events = tracker.events().unwrap();
        for turn in 0..200_u64 {
            let (ask, mut asked) = mpsc::unbounded_channel::<()>();
            let operator = circuit.clone();
            tokio::spawn(async move {
                operator.trip().unwrap(); // which waits for no lock, and so tells of none
                drop(ask);
            });
            let told = tokio::select! {
                event = events.next() => event.unwrap(),
                _ = asked.recv() => None,
            };
            let event = match told {
                Some(event) => event,
                None => events.next().await.unwrap().unwrap(),
            };
            assert_eq!((event.number, event.kind), (2 * turn + 1, EventKind::Opened));
            circuit.reset().unwrap();
            assert_eq!(next_kind(&mut events).await, Some(EventKind::Closed));
        }
    });
    assert_eq!(tracker.take_events(10).unwrap().events, []);
}

#[test]
fn each_event_goes_to_one_of_those_who_wait() {
    const EACH: usize = 400; // in all fewer than the tracker keeps
    let tracker = tracker();
    let mut numbers = runtime().block_on(async {
        let (told, mut tells) = mpsc::unbounded_channel();
        let mut waiters = JoinSet::new();
        for _ in 0..6 {
            let (mut events, told) = (tracker.events().unwrap(), told.clone());
            waiters.spawn(async move {
                while let Some(event) = events.next().await.unwrap() {
                    assert_eq!(events.lost(), 0);
                    told.send((event.number, event.kind)).unwrap();
                }
            });
        }
        drop(told);
        let tellers = [(); 8].map(|()| {
            let circuit = circuit_of(&tracker);
            thread::spawn(move || (0..EACH).for_each(|_| circuit.set_mode(Mode::Observe, None, "again").unwrap()))
        });
        let (mut numbers, mut orders) = (Vec::new(), 0);
        while orders < tellers.len() * EACH {
            let (number, kind) = tells.recv().await.unwrap();
            numbers.push(number);
            orders += usize::from(kind == EventKind::Forced); // else: that a teller has waited for another
        }
        for teller in tellers {
            teller.join().unwrap();
        }
        tracker.destroy().unwrap();
        waiters.join_all().await;
        while let Some((number, kind)) = tells.recv().await {
            assert_eq!(kind, EventKind::LockWaited);
            numbers.push(number);
        }
        numbers
    });
    numbers.sort_unstable();
    let count = numbers.len() as u64;
    assert!(numbers.into_iter().eq(1..=count));
}

/// As another language does it.
fn destroy_from_c(tracker: &Tracker) {
    // SAFETY: any value is a legal handle.
    assert_eq!(unsafe { trip_sys::trip_tracker_destroy(tracker.handle()) }, trip_sys::TRIP_OK);
}

#[test]
fn everybody_learns_of_the_end_of_the_tracker() {
    for destroy in [destroy_from_c, |tracker: &Tracker| tracker.destroy().unwrap()] {
        let tracker = tracker();
        runtime().block_on(async {
            let mut waiters = JoinSet::new();
            for _ in 0..5 {
                let mut events = tracker.events().unwrap();
                waiters.spawn(async move { (events.next().await, events.next().await) });
            }
            yield_now().await;
            let guest = Tracker::from_handle(tracker.handle());
            thread::spawn(move || destroy(&guest)).join().unwrap();
            while let Some(ended) = waiters.join_next().await {
                assert_eq!(ended.unwrap(), (Ok(None), Ok(None)));
            }
            assert_eq!(tracker.events().unwrap_err(), Error::Handle);
        });
    }
}

#[test]
fn whoever_waits_keeps_the_tracker_alive() {
    let tracker = tracker();
    let handle = circuit_of(&tracker).handle();
    runtime().block_on(async {
        let mut events = tracker.events().unwrap();
        drop(tracker);
        let circuit = Circuit::from_handle(handle).unwrap();
        circuit.trip().unwrap();
        assert_eq!(next_kind(&mut events).await, Some(EventKind::Opened));
        drop(events);
        assert_eq!(circuit.inspect().unwrap_err(), Error::Handle);
    });
}

#[test]
fn runtimes_may_share_a_tracker() {
    let tracker = tracker();
    let runtimes = [runtime(), still_runtime()];
    let mut waiters: Vec<_> = runtimes
        .iter()
        .map(|runtime| {
            let _entered = runtime.enter();
            tracker.events().unwrap()
        })
        .collect();
    for (runtime, events) in runtimes.iter().zip(&mut waiters) {
        circuit_of(&tracker).trip().unwrap();
        assert_eq!(runtime.block_on(next_kind(events)), Some(EventKind::Opened));
        circuit_of(&tracker).reset().unwrap();
        assert_eq!(runtime.block_on(next_kind(events)), Some(EventKind::Closed));
    }
}

#[test]
fn who_waits_in_a_runtime_that_ends_is_told() {
    let tracker = tracker();
    let ended = runtime();
    let mut events = ended.block_on(async { tracker.events().unwrap() });
    drop(ended);
    assert_eq!(still_runtime().block_on(events.next()), Err(Error::System));
    open(&circuit_of(&tracker));
    assert_eq!(tracker.take_events(10).unwrap().events.len(), 1);
}

#[test]
#[should_panic(expected = "runtime")]
fn outside_of_a_runtime_nobody_can_wait() {
    let _ = tracker().events();
}

#[test]
fn what_was_lost_is_told_to_who_waits() {
    let tracker = tracker();
    let circuit = circuit_of(&tracker);
    for _ in 0..2100 {
        circuit.trip().unwrap();
        circuit.reset().unwrap();
    }
    runtime().block_on(async {
        let mut events = tracker.events().unwrap();
        assert_eq!(events.lost(), 0);
        assert_eq!(events.next().await.unwrap().unwrap().number, 1);
        assert_eq!(events.lost(), 104);
    });
}

#[cfg(feature = "stream")]
#[test]
fn events_are_a_stream_that_ends_with_the_tracker_or_with_an_error() {
    use futures_core::Stream;
    use std::future::poll_fn;
    use std::pin::Pin;

    fn poll_stream(events: &mut Events) -> Poll<Option<Result<EventKind, Error>>> {
        let next = Stream::poll_next(Pin::new(events), &mut Context::from_waker(Waker::noop()));
        next.map(|event| event.map(|event| event.map(|event| event.kind)))
    }
    let tracker = tracker();
    let circuit = circuit_of(&tracker);
    let mut ended_early = runtime().block_on(async {
        let mut events = tracker.events().unwrap();
        assert_eq!(poll_stream(&mut events), Poll::Pending);
        circuit.trip().unwrap();
        let next = poll_fn(|context| Stream::poll_next(Pin::new(&mut events), context)).await;
        assert_eq!(next.unwrap().unwrap().kind, EventKind::Opened);
        events
    });
    assert_eq!(poll_stream(&mut ended_early), Poll::Ready(Some(Err(Error::System))), "its runtime has ended");
    assert_eq!(poll_stream(&mut ended_early), Poll::Ready(None));
    still_runtime().block_on(async {
        let mut events = tracker.events().unwrap();
        tracker.destroy().unwrap();
        for _ in 0..2 {
            assert!(poll_fn(|context| Stream::poll_next(Pin::new(&mut events), context)).await.is_none());
        }
    });
}
