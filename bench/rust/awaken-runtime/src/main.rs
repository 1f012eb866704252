//! The stand of awaken-runtime: one map of models under one lock, which every step takes.

use awaken_runtime::engine::{CircuitBreaker, CircuitBreakerConfig};
use stand::{repeat, requests, Column, Peer, Request};
use std::sync::Arc;
use std::time::Duration;

const LOCK: &str = include_str!("../Cargo.lock");

fn breaker(failure_threshold: u32, cooldown: Duration) -> Arc<CircuitBreaker> {
    Arc::new(CircuitBreaker::new(CircuitBreakerConfig { failure_threshold, cooldown, half_open_max: 1 }))
}

fn usual() -> Arc<CircuitBreaker> {
    breaker(5, Duration::from_secs(30))
}

/// It knows circuits by one name.
fn model(request: Request) -> String {
    format!("{}/{}", request.tenant, request.provider)
}

fn pair(breaker: &CircuitBreaker, model: &str) -> bool {
    let is_admitted = breaker.check(model).is_ok();
    breaker.record_success(model);
    is_admitted
}

fn fail(breaker: &CircuitBreaker, model: &str) -> bool {
    let is_admitted = breaker.check(model).is_ok();
    breaker.record_failure(model);
    is_admitted
}

/// Pairs on the only model of a breaker, or on one of two.
fn pairs(breaker: Arc<CircuitBreaker>, number: u64) -> impl FnMut(u64) -> u64 + Send {
    let model = model(stand::name(number));
    repeat(move || pair(&breaker, &model))
}

fn failures() -> impl FnMut(u64) -> u64 + Send {
    let (breaker, model) = (breaker(u32::MAX, Duration::from_secs(30)), model(stand::name(0)));
    repeat(move || fail(&breaker, &model))
}

fn refusals() -> impl FnMut(u64) -> u64 + Send {
    let (breaker, model) = (breaker(5, Duration::from_secs(24 * 3600)), model(stand::name(0)));
    assert!((0..5).all(|_| fail(&breaker, &model)), "five failures pass");
    repeat(move || breaker.check(&model).is_err())
}

fn filled(circuits: u64) -> Arc<CircuitBreaker> {
    let breaker = usual();
    for i in 0..circuits {
        breaker.check(&model(stand::name(i))).expect("a new model is admitted");
    }
    breaker
}

fn lookup(breaker: Arc<CircuitBreaker>, keys: u64, seed: u64) -> impl FnMut(u64) -> u64 + Send {
    let mut requests = requests(keys, seed, model);
    repeat(move || pair(&breaker, requests.next()))
}

fn peer() -> Peer {
    let (one, both) = (usual(), usual());
    Peer::new(
        "awaken-runtime",
        stand::locked_version(LOCK, "awaken-runtime"),
        "MIT OR Apache-2.0",
        "failure_threshold 5, cooldown 30 s, half_open_max 1: its defaults. pair: check, record_success; each looks \
         the model up, in every column. pair_2t_many: two models of one breaker. failure: threshold 4294967295. \
         refusal: open for a day. It evicts nothing",
    )
    .column(Column::new("pair", || pairs(usual(), 0)))
    .column(Column::new("failure", failures))
    .column(Column::new("refusal", refusals))
    .column(Column::new("lookup_8", || lookup(filled(8), 8, 0)))
    .column(Column::new("lookup_1k", || lookup(filled(1000), 1000, 0)))
    .column(Column::new("lookup_100k", || lookup(filled(100_000), 100_000, 0)))
    .column(Column::new("lookup_1M", || lookup(filled(1_000_000), 1_000_000, 0)))
    .column(Column::two_threads("lookup_1k_2t", {
        let breaker = filled(1000);
        move |thread| lookup(Arc::clone(&breaker), 1000, thread as u64)
    }))
    .column(Column::two_threads("pair_2t_one", move |_| pairs(Arc::clone(&one), 0)))
    .column(Column::two_threads("pair_2t_many", move |thread| pairs(Arc::clone(&both), thread as u64)))
    .memory(|circuits| std::mem::forget(filled(circuits)))
}

fn main() {
    stand::serve(&[peer()]);
}
