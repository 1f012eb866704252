//! failsafe: consecutive failures under a mutex.

use failsafe::backoff::{self, Constant};
use failsafe::failure_policy::{consecutive_failures, ConsecutiveFailures};
use failsafe::{CircuitBreaker, Config, StateMachine};
use stand::{repeat, Column, Peer};
use std::hint::black_box;
use std::time::Duration;

type Breaker = StateMachine<ConsecutiveFailures<Constant>, ()>;

fn breaker(threshold: u32, open: Duration) -> Breaker {
    Config::new().failure_policy(consecutive_failures(threshold, backoff::constant(open))).build()
}

fn usual() -> Breaker {
    breaker(5, Duration::from_secs(30))
}

fn pair(breaker: &Breaker) -> bool {
    let is_permitted = breaker.is_call_permitted();
    breaker.on_success();
    is_permitted
}

fn fail(breaker: &Breaker) -> bool {
    let is_permitted = breaker.is_call_permitted();
    breaker.on_error();
    is_permitted
}

fn open_breaker() -> Breaker {
    let breaker = breaker(5, Duration::from_secs(24 * 3600));
    assert!((0..5).all(|_| fail(&breaker)), "five failures pass");
    breaker
}

pub fn peer() -> Peer {
    let shared = usual();
    Peer::new(
        "failsafe",
        crate::version("failsafe"),
        "MIT",
        "consecutive_failures(5), constant backoff of 30 s. pair: is_call_permitted, on_success. call: \
         CircuitBreaker::call. failure: threshold 4294967295. refusal: open for a day. It has no look-up by name",
    )
    .column(Column::new("pair", || {
        let breaker = usual();
        repeat(move || pair(&breaker))
    }))
    .column(Column::new("call", || {
        let breaker = usual();
        repeat(move || breaker.call(|| Ok::<_, ()>(black_box(7))).is_ok_and(|got| got == 7))
    }))
    .column(Column::new("failure", || {
        let breaker = breaker(u32::MAX, Duration::from_secs(30));
        repeat(move || fail(&breaker))
    }))
    .column(Column::new("refusal", || {
        let breaker = open_breaker();
        repeat(move || !breaker.is_call_permitted())
    }))
    .column(Column::two_threads("pair_2t_one", move |_| {
        let breaker = shared.clone();
        repeat(move || pair(&breaker))
    }))
    .column(Column::two_threads("pair_2t_many", |_| {
        let breaker = usual();
        repeat(move || pair(&breaker))
    }))
}
