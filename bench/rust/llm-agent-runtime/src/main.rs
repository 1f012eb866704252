//! The stand of llm-agent-runtime: a breaker around a closure, with its state behind a backend.

use llm_agent_runtime::error::AgentRuntimeError;
use llm_agent_runtime::orchestrator::CircuitBreaker;
use stand::{repeat, Column, Peer};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

const LOCK: &str = include_str!("../Cargo.lock");

fn breaker(threshold: u32, open: Duration) -> Arc<CircuitBreaker> {
    Arc::new(CircuitBreaker::new("openai", threshold, open).expect("a legal threshold"))
}

fn usual() -> Arc<CircuitBreaker> {
    breaker(5, Duration::from_secs(30))
}

fn succeed(breaker: &CircuitBreaker) -> bool {
    breaker.call(|| Ok::<_, &str>(black_box(7))).is_ok_and(|got| got == 7)
}

fn fail(breaker: &CircuitBreaker) -> bool {
    matches!(breaker.call(|| Err::<(), _>(black_box("down"))), Err(AgentRuntimeError::Orchestration(_)))
}

fn refuse(breaker: &CircuitBreaker) -> bool {
    matches!(breaker.call(|| Ok::<_, &str>(7)), Err(AgentRuntimeError::CircuitOpen { .. }))
}

fn failures() -> impl FnMut(u64) -> u64 + Send {
    let breaker = breaker(u32::MAX, Duration::from_secs(30));
    repeat(move || fail(&breaker))
}

fn refusals() -> impl FnMut(u64) -> u64 + Send {
    let breaker = breaker(5, Duration::from_secs(24 * 3600));
    assert!((0..5).all(|_| fail(&breaker)), "five failures pass");
    repeat(move || refuse(&breaker))
}

fn successes(breaker: Arc<CircuitBreaker>) -> impl FnMut(u64) -> u64 + Send {
    repeat(move || succeed(&breaker))
}

fn peer() -> Peer {
    let shared = usual();
    Peer::new(
        "llm-agent-runtime",
        stand::locked_version(LOCK, "llm-agent-runtime"),
        "MIT",
        "threshold 5, recovery window 30 s, in-memory backend, no tracing subscriber. Every column by call(): it has \
         no other form. failure: threshold 4294967295. refusal: open for a day. Its backend ignores the name: no \
         look-up",
    )
    .column(Column::new("call", || successes(usual())))
    .column(Column::new("failure", failures))
    .column(Column::new("refusal", refusals))
    .column(Column::two_threads("pair_2t_one", move |_| successes(Arc::clone(&shared))))
    .column(Column::two_threads("pair_2t_many", |_| successes(usual())))
}

fn main() {
    stand::serve(&[peer()]);
}
