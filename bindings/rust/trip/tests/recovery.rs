//! Recovery that is awaited: whoever waits holds no thread and no permit, and goes on when the circuit admits calls.
//! Tokio's clock is paused here: it jumps to the next timer when nothing else is left to do.

mod common;

use common::{circuit_of, config, open, permits_out, ripe, state, tracker, OPEN_PERIOD};
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::task::{yield_now, JoinSet};
use tokio::time::{sleep, timeout, Instant};
use trip::{Error, Mode, State, Tracker};

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test(start_paused = true)]
async fn a_circuit_that_admits_calls_is_not_waited_for() {
    let tracker = tracker();
    let circuit = circuit_of(&tracker);
    let begun = Instant::now();
    circuit.recovered().await.unwrap();
    assert_eq!(permits_out(&circuit), 0);
    circuit.wait_for_permit().await.unwrap().record_success();
    ripe(&tracker, &circuit);
    circuit.recovered().await.unwrap();
    assert_eq!(state(&circuit), State::Open, "to wait takes no probe");
    assert_eq!(Instant::now(), begun);
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_goes_on_when_the_open_period_is_over() {
    let tracker = tracker();
    let circuit = circuit_of(&tracker);
    open(&circuit);
    let waiting = tokio::spawn({
        let circuit = circuit.clone();
        async move { circuit.wait_for_permit().await.map(trip::Permit::record_success) }
    });
    sleep(HOUR).await; // by tokio's clock, and not by the tracker's
    assert!(!waiting.is_finished());
    tracker.advance(OPEN_PERIOD).unwrap();
    waiting.await.unwrap().unwrap();
    assert_eq!(state(&circuit), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn an_operators_order_is_noticed_long_before_the_open_period_is_over() {
    let tracker = tracker();
    let circuit = circuit_of(&tracker);
    circuit.set_mode(Mode::ForcedOpen, Some(HOUR), "").unwrap();
    let waiting = tokio::spawn({
        let circuit = circuit.clone();
        async move { circuit.recovered().await }
    });
    yield_now().await;
    circuit.set_mode(Mode::Auto, None, "").unwrap();
    let begun = Instant::now();
    waiting.await.unwrap().unwrap();
    assert!(begun.elapsed() <= Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn of_those_who_wait_for_one_probe_each_gets_a_permit_in_turn() {
    let tracker = tracker();
    let circuit = circuit_of(&tracker);
    open(&circuit);
    let mut waiters = JoinSet::new();
    for _ in 0..10 {
        let circuit = circuit.clone();
        waiters.spawn(async move {
            let permit = circuit.wait_for_permit().await.unwrap();
            let was_probe = permit.inspect().unwrap().is_probe;
            sleep(Duration::from_secs(1)).await;
            permit.record_success();
            was_probe
        });
    }
    yield_now().await;
    tracker.advance(OPEN_PERIOD).unwrap();
    let probes = waiters.join_all().await.into_iter().filter(|was_probe| *was_probe).count();
    assert_eq!((probes, permits_out(&circuit)), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_given_up_holds_nothing() {
    let tracker = tracker();
    let circuit = circuit_of(&tracker);
    open(&circuit);
    assert!(timeout(HOUR, circuit.wait_for_permit()).await.is_err());
    let mut waiting = pin!(circuit.wait_for_permit());
    let mut context = Context::from_waker(Waker::noop());
    assert!(matches!(waiting.as_mut().poll(&mut context), Poll::Pending));
    tracker.advance(OPEN_PERIOD).unwrap();
    let info = circuit.inspect().unwrap();
    assert_eq!((info.state, info.permits, info.rejections), (State::Open, 1, 0), "to look is not to ask");
}

#[tokio::test(start_paused = true)]
async fn who_waits_when_the_tracker_ends_is_told() {
    let tracker = tracker();
    let circuit = circuit_of(&tracker);
    open(&circuit);
    let waiting = tokio::spawn({
        let circuit = circuit.clone();
        async move { circuit.recovered().await }
    });
    yield_now().await;
    tracker.destroy().unwrap();
    assert_eq!(waiting.await.unwrap(), Err(Error::Handle));
    assert_eq!(circuit.wait_for_permit().await.unwrap_err(), Error::Handle);
}

/// A stream that has stalled is found when a permit is asked for: until then the circuit seems to admit calls.
#[tokio::test(start_paused = true)]
async fn whoever_is_refused_after_all_waits_on() {
    let tracker = Tracker::new(&config().stall(Duration::from_secs(5))).unwrap();
    let circuit = circuit_of(&tracker);
    let stream = circuit.permit().unwrap();
    stream.progress().unwrap();
    tracker.advance(Duration::from_secs(6)).unwrap();
    circuit.recovered().await.unwrap();
    let waiting = tokio::spawn({
        let circuit = circuit.clone();
        async move { circuit.wait_for_permit().await.map(trip::Permit::record_success) }
    });
    sleep(HOUR).await;
    assert_eq!((state(&circuit), waiting.is_finished()), (State::Open, false));
    tracker.advance(OPEN_PERIOD).unwrap();
    waiting.await.unwrap().unwrap();
    assert_eq!(state(&circuit), State::Closed);
}
