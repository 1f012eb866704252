//! Services behind circuits, of whatever they are: who is called, who is refused, and what becomes of the permit.

mod common;

use common::{circuit_of, config, ends, permits_out, ripe, state, tracker, wait_of, OPEN_PERIOD};
use std::convert::Infallible;
use std::future::{pending, ready, Future, Pending, Ready};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;
use tower::limit::ConcurrencyLimitLayer;
use tower::{service_fn, Layer, Service, ServiceBuilder, ServiceExt};
use trip::classify::{self, Class};
use trip::{CallError, Circuit, Error, Rejected, State, Tracker};
use trip_tower::CircuitLayer;

type Answer = Result<u32, &'static str>;

fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// The answer of a future that need not wait.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("it waits"),
    }
}

/// Answers each call with what it is called with.
fn echo(circuit: &Circuit) -> impl Service<Answer, Response = u32, Error = CallError<&'static str>> + Clone {
    CircuitLayer::new(circuit.clone()).layer(service_fn(|answer: Answer| ready(answer)))
}

fn refused<T: std::fmt::Debug, E: std::fmt::Debug>(answer: Result<T, CallError<E>>) -> Rejected {
    match answer {
        Err(CallError::Rejected(rejected)) => rejected,
        other => panic!("a refusal is expected, and {other:?} came back"),
    }
}

#[test]
fn answers_go_through_and_are_recorded() {
    let tracker = tracker();
    let circuit = circuit_of(&tracker);
    let service = echo(&circuit);
    assert_eq!(now(service.clone().oneshot(Ok(42))).unwrap(), 42);
    assert!(matches!(now(service.clone().oneshot(Err("down"))), Err(CallError::Inner("down"))));
    let rejected = refused(now(service.oneshot(Ok(42))));
    assert_eq!((rejected.retry_after, rejected.provider()), (OPEN_PERIOD, &b"llm"[..]));
    assert_eq!(ends(&circuit), [1, 1, 0, 0]);
}

/// Counts how often it is asked and called. Whoever calls it without having polled it ready, on the very same value,
/// does not keep the contract of services.
#[derive(Default)]
struct Strict {
    is_ready: bool,
    counts: Arc<(AtomicU32, AtomicU32)>,
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        Strict { is_ready: false, counts: Arc::clone(&self.counts) }
    }
}

impl Service<()> for Strict {
    type Response = ();
    type Error = Infallible;
    type Future = Ready<Result<(), Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.is_ready = true;
        self.counts.0.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, (): ()) -> Self::Future {
        assert!(std::mem::take(&mut self.is_ready), "called, and not polled ready before");
        self.counts.1.fetch_add(1, Ordering::Relaxed);
        ready(Ok(()))
    }
}

#[test]
fn the_service_that_was_polled_ready_is_the_one_that_is_called() {
    let tracker = tracker();
    let (circuit, strict) = (circuit_of(&tracker), Strict::default());
    let mut service = CircuitLayer::new(circuit.clone()).layer(strict.clone());
    for _ in 0..3 {
        now(now(service.ready()).unwrap().call(())).unwrap();
    }
    circuit.trip().unwrap();
    refused(now(now(service.ready()).unwrap().call(())));
    circuit.reset().unwrap();
    now(service.call(())).unwrap(); // it was polled ready, and the refusal has not used that up
    assert_eq!((strict.counts.0.load(Ordering::Relaxed), strict.counts.1.load(Ordering::Relaxed)), (4, 4));
}

#[test]
fn an_open_circuit_is_ready_and_refuses_in_call() {
    let tracker = tracker();
    let (circuit, strict) = (circuit_of(&tracker), Strict::default());
    circuit.trip().unwrap();
    let mut service = CircuitLayer::new(circuit.clone()).layer(strict.clone());
    assert!(matches!(service.poll_ready(&mut Context::from_waker(Waker::noop())), Poll::Ready(Ok(()))));
    let mut refusal = service.call(());
    assert_eq!(circuit.inspect().unwrap().rejections, 1, "before the future is polled");
    for _ in 0..2 {
        assert!(matches!(poll(&mut refusal), Poll::Ready(Err(CallError::Rejected(_)))));
    }
    assert_eq!(strict.counts.1.load(Ordering::Relaxed), 0);
}

#[test]
fn who_is_polled_ready_and_not_called_holds_no_probe() {
    let tracker = tracker();
    let circuit = circuit_of(&tracker);
    ripe(&tracker, &circuit);
    let mut service = echo(&circuit);
    assert!(matches!(service.poll_ready(&mut Context::from_waker(Waker::noop())), Poll::Ready(Ok(()))));
    assert_eq!((state(&circuit), permits_out(&circuit)), (State::Open, 0));
    now(service.call(Ok(42))).unwrap();
    assert_eq!(state(&circuit), State::Closed);
}

#[test]
fn a_place_of_the_service_behind_is_not_lost_by_a_refusal() {
    let tracker = tracker();
    let circuit = circuit_of(&tracker);
    let layers = (CircuitLayer::new(circuit.clone()), ConcurrencyLimitLayer::new(1));
    let mut service = layers.0.layer(layers.1.layer(service_fn(|()| ready(Ok::<_, Infallible>(())))));
    circuit.trip().unwrap();
    for _ in 0..3 {
        refused(now(now(service.ready()).unwrap().call(())));
    }
    circuit.reset().unwrap();
    now(now(service.ready()).unwrap().call(())).unwrap();
}

/// Ready when it likes, and never.
struct Unready(Result<Poll<()>, &'static str>);

impl Service<()> for Unready {
    type Response = ();
    type Error = &'static str;
    type Future = Pending<Result<(), &'static str>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        match self.0 {
            Ok(poll) => poll.map(Ok),
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    fn call(&mut self, (): ()) -> Self::Future {
        pending()
    }
}

#[test]
fn a_service_that_is_not_ready_is_waited_for_and_one_that_never_will_be_says_so() {
    let tracker = tracker();
    let circuit = circuit_of(&tracker);
    let layer = CircuitLayer::new(circuit.clone());
    let mut context = Context::from_waker(Waker::noop());
    assert!(layer.layer(Unready(Ok(Poll::Pending))).poll_ready(&mut context).is_pending());
    let broken = layer.layer(Unready(Err("gone"))).poll_ready(&mut context);
    assert!(matches!(broken, Poll::Ready(Err(CallError::Inner("gone")))));
    assert_eq!(ends(&circuit), [0; 4], "nobody has called");
}

#[test]
fn a_future_that_is_dropped_frees_the_probe_at_once() {
    let tracker = tracker();
    let circuit = circuit_of(&tracker);
    ripe(&tracker, &circuit);
    let mut service = CircuitLayer::new(circuit.clone()).layer(Unready(Ok(Poll::Ready(()))));
    for times_polled in 0..3 {
        let mut future = service.call(());
        assert_eq!((state(&circuit), permits_out(&circuit)), (State::HalfOpen, 1));
        for _ in 0..times_polled {
            assert!(poll(&mut future).is_pending());
        }
        refused(now(echo(&circuit).oneshot(Ok(42))));
        drop(future);
        assert_eq!(permits_out(&circuit), 0);
    }
    now(echo(&circuit).oneshot(Ok(42))).unwrap();
    assert_eq!((state(&circuit), ends(&circuit)), (State::Closed, [1, 1, 0, 3]));
}

#[test]
fn a_panic_is_no_cancel() {
    let tracker = tracker();
    let circuit = circuit_of(&tracker);
    let layer = CircuitLayer::new(circuit.clone());
    let in_call = layer.layer(service_fn(|()| -> Ready<Result<(), ()>> { panic!("in call") }));
    let in_poll = layer.layer(service_fn(|()| async { panic!("in poll") as Result<(), ()> }));
    let judge = |_: &Result<(), ()>| -> Class { panic!("in the classifier") };
    let in_judge = layer.classify(judge).layer(service_fn(|()| ready(Ok::<_, ()>(()))));
    let calls: [Box<dyn FnOnce()>; 3] = [
        Box::new(|| drop(now(in_call.oneshot(())))),
        Box::new(|| drop(now(in_poll.oneshot(())))),
        Box::new(|| drop(now(in_judge.oneshot(())))),
    ];
    for (turn, call) in (1..).zip(calls) {
        assert!(catch_unwind(AssertUnwindSafe(call)).is_err());
        assert_eq!((state(&circuit), ends(&circuit)), (State::Open, [0, 0, turn, 0]));
        circuit.reset().unwrap();
    }
}

#[test]
fn a_panic_elsewhere_cancels_the_calls_that_it_ends() {
    let tracker = tracker();
    let circuit = circuit_of(&tracker);
    let mut service = CircuitLayer::new(circuit.clone()).layer(Unready(Ok(Poll::Ready(()))));
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let mut future = service.call(());
        assert!(poll(&mut future).is_pending());
        panic!("of its caller");
    }));
    assert!(panicked.is_err());
    assert_eq!((state(&circuit), ends(&circuit)), (State::Closed, [0, 0, 0, 1]));
}

#[test]
fn clones_share_their_circuit() {
    let tracker = tracker();
    let layer = CircuitLayer::new(circuit_of(&tracker));
    let one = layer.layer(service_fn(|answer: Answer| ready(answer)));
    let another = layer.clone().layer(service_fn(|()| ready(Ok::<_, Infallible>(()))));
    now(one.clone().oneshot(Err("down"))).unwrap_err();
    refused(now(one.oneshot(Ok(42))));
    refused(now(another.oneshot(())));
}

#[test]
fn a_function_says_what_an_answer_is() {
    let tracker = tracker();
    let circuit = circuit_of(&tracker);
    let layer = CircuitLayer::new(circuit.clone()).classify(|answer: &Answer| match answer {
        Ok(0) => Class::Overloaded.into(),
        Ok(_) => Class::Success.into(),
        Err("local") => Class::Cancelled.into(),
        Err(text) => classify::text(text).retry_after(Duration::from_secs(90)),
    });
    let service = layer.layer(service_fn(|answer: Answer| ready(answer)));
    now(service.clone().oneshot(Ok(1))).unwrap();
    now(service.clone().oneshot(Err("local"))).unwrap_err();
    assert_eq!(ends(&circuit), [1, 0, 0, 1]);
    now(service.clone().oneshot(Ok(0))).unwrap();
    assert_eq!((state(&circuit), ends(&circuit)), (State::Open, [1, 1, 0, 1]));
    circuit.reset().unwrap();
    now(service.oneshot(Err("HTTP 429"))).unwrap_err();
    assert_eq!(wait_of(&circuit), Duration::from_secs(90));
}

#[test]
fn each_request_goes_through_the_circuit_of_its_tenant() {
    let tracker = tracker();
    let circuits = tracker.clone();
    let layer = CircuitLayer::by(move |request: &(String, Answer)| circuits.circuit(&request.0, "llm"));
    let service = layer.layer(service_fn(|(_, answer): (String, Answer)| ready(answer)));
    let call = |tenant: &str, answer| now(service.clone().oneshot((tenant.to_owned(), answer)));
    call("acme", Err("down")).unwrap_err();
    assert_eq!(refused(call("acme", Ok(1))).tenant(), b"acme");
    assert_eq!(call("zenith", Ok(1)).unwrap(), 1);
    assert_eq!(ends(&tracker.circuit("zenith", "llm").unwrap()), [1, 0, 0, 0]);
}

#[test]
fn an_error_of_the_library_lets_the_call_through_and_is_told() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = |from: &'static str| {
        let told = Arc::clone(&told);
        move |error: &Error| told.lock().unwrap().push((from, error.clone()))
    };
    let of_circuit = tell("circuit");
    let tracker = Tracker::with_reporter(&config(), move |_, error| of_circuit(error)).unwrap();
    let circuits = tracker.clone();
    let layer = CircuitLayer::by(move |tenant: &String| circuits.circuit(tenant, "llm")).on_error(tell("layer"));
    let service = layer.layer(service_fn(|tenant: String| ready(Ok::<_, Infallible>(tenant.len()))));
    assert_eq!(now(service.clone().oneshot("x".repeat(300))).unwrap(), 300);

    let mut waiting = CircuitLayer::new(circuit_of(&tracker)).layer(Unready(Ok(Poll::Ready(()))));
    let future = waiting.call(());
    let circuit = circuit_of(&tracker);
    tracker.destroy().unwrap();
    drop(future);
    assert_eq!(now(echo(&circuit).oneshot(Ok(42))).unwrap(), 42);
    assert_eq!(now(service.oneshot("x".into())).unwrap(), 1);
    let expected = [
        ("layer", Error::Invalid),
        ("circuit", Error::Handle), // the permit of the future that was dropped
        ("circuit", Error::Handle),
        ("layer", Error::Handle),
    ];
    assert_eq!(*told.lock().unwrap(), expected);
}

#[test]
fn a_refusal_is_found_among_boxed_errors() {
    let tracker = tracker();
    let circuit = circuit_of(&tracker);
    circuit.trip().unwrap();
    let client = ServiceBuilder::new()
        .map_err(CallError::into_boxed)
        .layer(CircuitLayer::new(circuit))
        .timeout(Duration::from_secs(1)) // whose errors are boxed
        .service_fn(|()| ready(Ok::<_, Infallible>(())));
    let error = now(client.oneshot(())).unwrap_err();
    assert_eq!(error.downcast_ref::<Rejected>().unwrap().retry_after, OPEN_PERIOD);
}

#[test]
fn of_many_threads_exactly_one_gets_the_probe() {
    let tracker = tracker();
    let circuit = circuit_of(&tracker);
    ripe(&tracker, &circuit);
    let service = CircuitLayer::new(circuit.clone()).layer(service_fn(|()| pending::<Result<(), ()>>()));
    let mut calls: Vec<_> = thread::scope(|scope| {
        let calling = [(); 20].map(|()| scope.spawn(|| service.clone().call(())));
        calling.into_iter().map(|call| call.join().unwrap()).collect()
    });
    calls.retain_mut(|call| poll(call).is_pending());
    assert_eq!((calls.len(), permits_out(&circuit)), (1, 1));
    assert_eq!(circuit.inspect().unwrap().rejections, 19);
}
