//! tower-resilience-circuitbreaker: a layer around a service, whose calls are futures.

use stand::{block_on, Column, Peer};
use std::future::{ready, Ready};
use std::hint::black_box;
use std::time::Duration;
use tower::{service_fn, Layer, Service, ServiceExt};
use tower_resilience_circuitbreaker::{CircuitBreakerError, CircuitBreakerLayer};

type Answer = Result<u32, u32>;
type Outcome = Result<u32, CircuitBreakerError<u32>>;

trait Breaker: Service<Answer, Response = u32, Error = CircuitBreakerError<u32>, Future: Send> + Clone + Send {}
impl<S> Breaker for S where
    S: Service<Answer, Response = u32, Error = CircuitBreakerError<u32>, Future: Send> + Clone + Send
{
}

/// Around a service that answers at once what the request tells it to.
fn breaker(threshold: usize, open: Duration) -> impl Breaker {
    let layer = CircuitBreakerLayer::builder().consecutive_failures(threshold).wait_duration_in_open(open).build();
    let answer = |answer: Answer| -> Ready<Answer> { ready(black_box(answer)) };
    layer.expect("a legal configuration").layer(service_fn(answer))
}

fn usual() -> impl Breaker {
    breaker(5, Duration::from_secs(30))
}

fn calls(mut breaker: impl Breaker, answer: Answer, is_right: fn(&Outcome) -> bool) -> impl FnMut(u64) -> u64 + Send {
    move |calls| {
        block_on(async {
            let mut wrong = 0;
            for _ in 0..calls {
                let outcome = match breaker.ready().await {
                    Ok(ready) => ready.call(answer).await,
                    Err(error) => Err(error),
                };
                wrong += u64::from(!is_right(&outcome));
            }
            wrong
        })
    }
}

fn is_success(outcome: &Outcome) -> bool {
    matches!(outcome, Ok(7))
}

fn is_failure(outcome: &Outcome) -> bool {
    matches!(outcome, Err(CircuitBreakerError::Inner(7)))
}

fn is_refusal(outcome: &Outcome) -> bool {
    matches!(outcome, Err(CircuitBreakerError::OpenCircuit))
}

fn open_breaker() -> impl Breaker {
    let breaker = breaker(5, Duration::from_secs(24 * 3600));
    assert_eq!(calls(breaker.clone(), Err(7), is_failure)(5), 0, "five failures pass");
    breaker
}

pub fn peer() -> Peer {
    let shared = usual();
    Peer::new(
        "tower-resilience-circuitbreaker",
        crate::version("tower-resilience-circuitbreaker"),
        "MIT OR Apache-2.0",
        "consecutive_failures(5), 30 s, around a service that answers at once. Every column by ready() and call(): it \
         has no other form. failure: threshold 2^64 - 1. refusal: open for a day. It has no look-up by name",
    )
    .column(Column::new("call", || calls(usual(), Ok(7), is_success)))
    .column(Column::new("failure", || calls(breaker(usize::MAX, Duration::from_secs(30)), Err(7), is_failure)))
    .column(Column::new("refusal", || calls(open_breaker(), Ok(7), is_refusal)))
    .column(Column::two_threads("pair_2t_one", move |_| calls(shared.clone(), Ok(7), is_success)))
    .column(Column::two_threads("pair_2t_many", |_| calls(usual(), Ok(7), is_success)))
}
