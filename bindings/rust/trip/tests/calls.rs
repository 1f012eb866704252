//! Guarded calls, plain and asynchronous: what they record, what they refuse, and that a library error stops none of
//! them.

mod common;

use common::{circuit_of, config, open, ripe, state, tracker};
use std::fmt;
use std::future::{pending, poll_fn, ready, Future};
use std::io;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::pin::{pin, Pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use trip::{CallError, Circuit, Error, Outcome, Reason, State, Tracker};

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Polls until it is ready: for futures that wait for nothing but the next poll.
fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = poll(future.as_mut()) {
            return output;
        }
    }
}

/// Waits for one poll.
async fn yield_once() {
    let mut is_first = true;
    poll_fn(|_| if std::mem::take(&mut is_first) { Poll::Pending } else { Poll::Ready(()) }).await;
}

fn outage() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionRefused, "nobody there")
}

fn go_wrong() -> Result<(), io::Error> {
    panic!("the call went wrong")
}

fn assert_rejected<T: fmt::Debug, E: fmt::Debug>(answer: Result<T, CallError<E>>) {
    match answer {
        Err(CallError::Rejected(rejected)) => assert_eq!(rejected.reason, Reason::Open),
        other => panic!("a rejection is expected, and {other:?} came back"),
    }
}

#[test]
fn a_call_records_how_it_went() {
    let circuit = circuit_of(&tracker());
    assert_eq!(circuit.call(|| Ok::<_, io::Error>(42)).unwrap(), 42);
    let error = circuit.call(|| Err::<(), _>(outage())).unwrap_err();
    assert_eq!(error.to_string(), "nobody there");
    let info = circuit.inspect().unwrap();
    assert_eq!((info.successes, info.failures_total, info.state), (1, 1, State::Open));
}

#[test]
fn a_refused_call_is_not_made() {
    let circuit = circuit_of(&tracker());
    open(&circuit);
    let mut is_made = false;
    assert_rejected(circuit.call(|| {
        is_made = true;
        Ok::<_, io::Error>(())
    }));
    assert!(!is_made);
    assert_rejected(block_on(circuit.call_async(async { go_wrong() })));
}

#[test]
fn a_call_is_judged_by_its_error() {
    let judge = |error: &io::Error| match error.kind() {
        io::ErrorKind::InvalidInput => Outcome::Success,
        io::ErrorKind::Interrupted => Outcome::Cancel,
        _ => Outcome::Failure,
    };
    let circuit = circuit_of(&tracker());
    for kind in [io::ErrorKind::InvalidInput, io::ErrorKind::Interrupted] {
        assert!(circuit.call_judged(judge, || Err::<(), _>(io::Error::from(kind))).is_err());
        assert!(block_on(circuit.call_async_judged(judge, ready(Err::<(), _>(io::Error::from(kind))))).is_err());
    }
    let info = circuit.inspect().unwrap();
    assert_eq!((info.successes, info.cancels, info.failures_total), (2, 2, 0));
    assert!(circuit.call_judged(judge, || Err::<(), _>(outage())).is_err());
    assert_eq!(state(&circuit), State::Open);
}

#[test]
fn a_panic_in_a_call_drops_the_permit() {
    let circuit = circuit_of(&tracker());
    assert!(catch_unwind(AssertUnwindSafe(|| circuit.call(go_wrong))).is_err());
    let info = circuit.inspect().unwrap();
    assert_eq!((info.drops, info.state), (1, State::Open));
}

#[test]
fn an_asynchronous_call_records_how_it_went() {
    let circuit = circuit_of(&tracker());
    let answer = block_on(circuit.call_async(async {
        yield_once().await;
        Ok::<_, io::Error>(42)
    }));
    assert_eq!(answer.unwrap(), 42);
    assert!(block_on(circuit.call_async(ready(Err::<(), _>(outage())))).is_err());
    let info = circuit.inspect().unwrap();
    assert_eq!((info.successes, info.failures_total, info.cancels, info.drops), (1, 1, 0, 0));
}

#[test]
fn a_future_asks_for_its_permit_when_it_is_polled() {
    let circuit = circuit_of(&tracker());
    let mut call = Box::pin(circuit.call_async(pending::<Result<(), io::Error>>()));
    assert_eq!(circuit.inspect().unwrap().permits, 0);
    assert!(poll(call.as_mut()).is_pending());
    assert_eq!(circuit.inspect().unwrap().permits, 1);
}

#[test]
fn a_future_that_is_given_up_cancels_its_permit() {
    let tracker = tracker();
    let circuit = circuit_of(&tracker);
    ripe(&tracker, &circuit);
    let mut probing = Box::pin(circuit.call_async(pending::<Result<(), io::Error>>()));
    assert!(poll(probing.as_mut()).is_pending());
    assert_eq!(circuit.inspect().unwrap().probes_out, 1);
    drop(probing);
    let info = circuit.inspect().unwrap();
    assert_eq!((info.state, info.probes_out, info.cancels, info.drops), (State::HalfOpen, 0, 1, 0));
}

#[test]
fn a_future_that_is_given_up_while_its_thread_panics_is_cancelled_too() {
    let circuit = circuit_of(&tracker());
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let mut call = Box::pin(circuit.call_async(pending::<Result<(), io::Error>>()));
        assert!(poll(call.as_mut()).is_pending());
        panic!("not the call's doing");
    }));
    assert!(unwound.is_err());
    let info = circuit.inspect().unwrap();
    assert_eq!((info.cancels, info.drops), (1, 0));
}

#[test]
fn a_panic_in_a_future_drops_the_permit() {
    let circuit = circuit_of(&tracker());
    let call = || {
        block_on(circuit.call_async(async {
            yield_once().await;
            go_wrong()
        }))
    };
    assert!(catch_unwind(AssertUnwindSafe(call)).is_err());
    let info = circuit.inspect().unwrap();
    assert_eq!((info.drops, info.cancels, info.state), (1, 0, State::Open));
}

#[test]
fn an_asynchronous_call_can_be_sent_to_another_thread() {
    let circuit = circuit_of(&tracker());
    let call = async move { circuit.call_async(async { Ok::<_, io::Error>(42) }).await };
    assert_eq!(std::thread::spawn(|| block_on(call)).join().unwrap().unwrap(), 42);
}

#[test]
fn a_library_error_is_reported_and_stops_no_call() {
    let reports = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&reports);
    let reporter = move |circuit: &Circuit, error: &Error| {
        sink.lock().unwrap().push((circuit.provider().to_vec(), error.clone()));
    };
    let tracker = Tracker::with_reporter(&config(), reporter).unwrap();
    let circuit = circuit_of(&tracker);
    // Before the first call, and within the second.
    let within = circuit.call(|| tracker.destroy());
    assert!(within.is_ok());
    let after = circuit.call(|| Ok::<_, io::Error>(42));
    assert_eq!(after.unwrap(), 42);
    let later = block_on(circuit.call_async(ready(Ok::<_, io::Error>(43))));
    assert_eq!(later.unwrap(), 43);
    assert_eq!(*reports.lock().unwrap(), vec![(b"llm".to_vec(), Error::Handle); 3]);
}

#[derive(Debug)]
struct Unreachable(io::Error);

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unreachable")
    }
}

impl std::error::Error for Unreachable {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

#[test]
fn a_call_error_reads_as_the_error_it_holds() {
    let circuit = circuit_of(&tracker());
    let error = circuit.call(|| Err::<(), _>(Unreachable(outage()))).unwrap_err();
    assert_eq!(error.to_string(), "unreachable");
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "nobody there");
    let refused = circuit.call(|| Ok::<_, io::Error>(())).unwrap_err();
    assert!(refused.to_string().contains("is open"), "{refused}");
}
