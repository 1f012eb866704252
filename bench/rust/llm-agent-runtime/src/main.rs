//! The stand of llm-agent-runtime: a breaker around a closure, with its state behind a backend; its BackpressureGuard and
//! its Deduplicator.

use llm_agent_runtime::error::AgentRuntimeError;
use llm_agent_runtime::orchestrator::{BackpressureGuard, CircuitBreaker, DeduplicationResult, Deduplicator};
use stand::{repeat, Column, Peer};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

const CAPACITY: usize = 64;
const ENTRIES: u64 = 1024;
const TTL: Duration = Duration::from_secs(300);

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

fn passes(guard: BackpressureGuard) -> impl FnMut(u64) -> u64 + Send {
    repeat(move || guard.try_acquire().is_ok() && guard.release().is_ok())
}

fn guard() -> BackpressureGuard {
    BackpressureGuard::new(CAPACITY).expect("a legal capacity")
}

fn sheds() -> impl FnMut(u64) -> u64 + Send {
    let full = guard();
    assert!((0..CAPACITY).all(|_| full.try_acquire().is_ok()), "as many pass as there are places");
    repeat(move || matches!(full.try_acquire(), Err(AgentRuntimeError::BackpressureShed { .. })))
}

fn key(number: u64) -> String {
    format!("call {number}")
}

fn call_once(calls: &Deduplicator, key: &str, value: &str) -> bool {
    matches!(calls.check_and_register(key), Ok(DeduplicationResult::New)) && calls.complete(key, value).is_ok()
}

/// It keeps everything for its time, so that it is made anew when it has as many entries as libtrip keeps.
fn new_keys() -> impl FnMut(u64) -> u64 + Send {
    let value = "v".repeat(100);
    let keys: Vec<String> = (0..ENTRIES).map(key).collect();
    let mut calls = Deduplicator::new(TTL);
    let mut next = 0;
    repeat(move || {
        if next == keys.len() {
            (calls, next) = (Deduplicator::new(TTL), 0);
        }
        next += 1;
        call_once(&calls, &keys[next - 1], &value)
    })
}

fn hits() -> impl FnMut(u64) -> u64 + Send {
    let value = "v".repeat(100);
    let calls = Deduplicator::new(TTL);
    assert!((0..ENTRIES).all(|i| call_once(&calls, &key(i), &value)), "keys are new");
    let key = key(ENTRIES - 1);
    repeat(move || matches!(calls.check_and_register(&key), Ok(DeduplicationResult::Cached(_))))
}

fn peer() -> Peer {
    let (shared, shared_guard) = (usual(), guard());
    Peer::new(
        "llm-agent-runtime",
        stand::locked_version(LOCK, "llm-agent-runtime"),
        "MIT",
        "threshold 5, recovery window 30 s, in-memory backend, no tracing subscriber. Every column by call(): it has \
         no other form. failure: threshold 4294967295. refusal: open for a day. Its backend ignores the name: no \
         look-up. gate: a BackpressureGuard of 64. dedup: a Deduplicator of 300 s, values of 100 bytes, at most 1024",
    )
    .column(Column::new("call", || successes(usual())))
    .column(Column::new("failure", failures))
    .column(Column::new("refusal", refusals))
    .column(Column::two_threads("pair_2t_one", move |_| successes(Arc::clone(&shared))))
    .column(Column::two_threads("pair_2t_many", |_| successes(usual())))
    .column(Column::new("gate", || passes(guard())))
    .column(Column::two_threads("gate_2t", move |_| passes(shared_guard.clone())))
    .column(Column::new("gate_full", sheds))
    .column(Column::new("dedup_new", new_keys))
    .column(Column::new("dedup_hit", hits))
}

fn main() {
    stand::serve(&[peer()]);
}
