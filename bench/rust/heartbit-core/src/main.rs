//! The stand of heartbit-core: a map of circuits under a read-write lock, a mutex in each.

use heartbit_core::auth::TenantScope;
use heartbit_core::{CircuitConfig, CircuitPermit, CircuitTracker, ProviderCircuit};
use stand::{repeat, requests, Column, Peer, Request};
use std::sync::Arc;
use std::time::Duration;

const LOCK: &str = include_str!("../Cargo.lock");

type Circuit = Arc<ProviderCircuit>;

fn config(failure_threshold: u32, open: Duration) -> CircuitConfig {
    CircuitConfig {
        failure_threshold,
        initial_open_duration: open,
        max_open_duration: open.max(Duration::from_secs(300)),
        backoff_multiplier: 2.0,
    }
}

fn usual() -> CircuitConfig {
    config(5, Duration::from_secs(30))
}

/// In the form in which it wants its names.
fn scoped(request: Request) -> (TenantScope, &'static str) {
    (TenantScope::new(request.tenant), request.provider)
}

fn circuit(config: CircuitConfig) -> Circuit {
    let (scope, provider) = scoped(stand::name(0));
    CircuitTracker::new(config).circuit_for(&scope, provider)
}

fn pair(circuit: &Circuit) -> bool {
    circuit.permit().map(CircuitPermit::record_success).is_ok()
}

fn fail(circuit: &Circuit) -> bool {
    circuit.permit().map(CircuitPermit::record_failure).is_ok()
}

fn open_circuit() -> Circuit {
    let circuit = circuit(config(5, Duration::from_secs(24 * 3600)));
    assert!((0..5).all(|_| fail(&circuit)), "five failures pass");
    circuit
}

fn filled(circuits: u64) -> Arc<CircuitTracker> {
    let tracker = CircuitTracker::new(usual());
    for i in 0..circuits {
        let (scope, provider) = scoped(stand::name(i));
        tracker.circuit_for(&scope, provider);
    }
    Arc::new(tracker)
}

fn lookup(tracker: Arc<CircuitTracker>, keys: u64, seed: u64) -> impl FnMut(u64) -> u64 + Send {
    let mut requests = requests(keys, seed, scoped);
    repeat(move || {
        let (scope, provider) = requests.next();
        pair(&tracker.circuit_for(scope, provider))
    })
}

fn peer() -> Peer {
    let shared = circuit(usual());
    Peer::new(
        "heartbit-core",
        stand::locked_version(LOCK, "heartbit-core"),
        "MIT OR Apache-2.0",
        "failure_threshold 5, 30 s, at most 300 s, multiplier 2: its defaults. pair: ProviderCircuit::permit, \
         record_success. failure: threshold 4294967295. refusal: open for a day. It evicts nothing",
    )
    .column(Column::new("pair", || {
        let circuit = circuit(usual());
        repeat(move || pair(&circuit))
    }))
    .column(Column::new("failure", || {
        let circuit = circuit(config(u32::MAX, Duration::from_secs(30)));
        repeat(move || fail(&circuit))
    }))
    .column(Column::new("refusal", || {
        let circuit = open_circuit();
        repeat(move || circuit.permit().is_err())
    }))
    .column(Column::new("lookup_8", || lookup(filled(8), 8, 0)))
    .column(Column::new("lookup_1k", || lookup(filled(1000), 1000, 0)))
    .column(Column::new("lookup_100k", || lookup(filled(100_000), 100_000, 0)))
    .column(Column::new("lookup_1M", || lookup(filled(1_000_000), 1_000_000, 0)))
    .column(Column::two_threads("lookup_1k_2t", {
        let tracker = filled(1000);
        move |thread| lookup(Arc::clone(&tracker), 1000, thread as u64)
    }))
    .column(Column::two_threads("pair_2t_one", move |_| {
        let circuit = Arc::clone(&shared);
        repeat(move || pair(&circuit))
    }))
    .column(Column::two_threads("pair_2t_many", |_| {
        let circuit = circuit(usual());
        repeat(move || pair(&circuit))
    }))
    .memory(|circuits| std::mem::forget(filled(circuits)))
}

fn main() {
    stand::serve(&[peer()]);
}
