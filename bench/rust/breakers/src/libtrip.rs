//! libtrip through its binding, as any Rust program uses it.

use stand::{repeat, requests, Column, Peer, Requests};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;
use trip::{
    AcquireError, CallError, Checked, Circuit, Config, Dedup, DedupConfig, Gate, GateConfig, PermitError, Settled,
    Tracker,
};

const DAY: Duration = Duration::from_secs(24 * 3600);
const KEPT: u64 = 1024;
const NAMES: u64 = 16 * KEPT; // so many come round that each is long evicted when it does

fn config() -> Config {
    Config::default().failure_threshold(5).initial_open(Duration::from_secs(30))
}

fn tracker(config: Config) -> Tracker {
    Tracker::new(&config).expect("a tracker")
}

fn circuit(config: Config) -> Circuit {
    tracker(config).circuit("tenant-0000000", "openai").expect("a circuit")
}

#[inline(always)]
fn pair(circuit: &Circuit) -> bool {
    match circuit.permit() {
        Ok(permit) => matches!(permit.record_success(), Settled::Counted),
        Err(_) => false,
    }
}

#[inline(always)]
fn fail(circuit: &Circuit) -> bool {
    match circuit.permit() {
        Ok(permit) => matches!(permit.record_failure(), Settled::Counted),
        Err(_) => false,
    }
}

fn open_circuit() -> Circuit {
    let circuit = circuit(config().initial_open(DAY).max_open(DAY));
    assert!((0..5).all(|_| fail(&circuit)) && circuit.peek().is_err(), "five failures open it");
    circuit
}

fn filled(circuits: u64) -> Tracker {
    let tracker = tracker(config().max_circuits(circuits.try_into().expect("a count of circuits")));
    for i in 0..circuits {
        let request = stand::name(i);
        tracker.circuit(request.tenant, request.provider).expect("a circuit");
    }
    tracker
}

fn lookup(tracker: Tracker, keys: u64, seed: u64) -> impl FnMut(u64) -> u64 + Send {
    let mut requests = requests(keys, seed, |request| request);
    repeat(move || {
        let request = requests.next();
        tracker.circuit(&request.tenant, request.provider).is_ok_and(|circuit| pair(&circuit))
    })
}

fn failures() -> impl FnMut(u64) -> u64 + Send {
    let circuit = circuit(config().failure_threshold(8_388_607));
    move |calls| {
        let first = u64::from(!pair(&circuit)); // the failures in a row begin at 0: no run reaches the threshold
        first + (0..calls).map(|_| u64::from(!fail(&circuit))).sum::<u64>()
    }
}

fn creations() -> impl FnMut(u64) -> u64 + Send {
    let tracker = filled(KEPT);
    let mut requests = Requests::in_turn(NAMES, |request| request);
    repeat(move || {
        let request = requests.next();
        tracker.circuit(&request.tenant, request.provider).is_ok()
    })
}

const CAPACITY: u32 = 64;

fn gate() -> Gate {
    Gate::new("", &GateConfig::default().capacity(CAPACITY)).expect("a gate")
}

fn passes(gate: impl std::ops::Deref<Target = Gate> + Send) -> impl FnMut(u64) -> u64 + Send {
    repeat(move || gate.acquire().is_ok_and(|token| matches!(token.record_success(), Settled::Counted)))
}

fn sheds() -> impl FnMut(u64) -> u64 + Send {
    let gate = gate();
    let held: Vec<_> = (0..CAPACITY).map(|_| gate.acquire().expect("there is room")).collect();
    repeat(move || {
        let _held = &held;
        matches!(gate.acquire(), Err(AcquireError::Shed(_)))
    })
}

const VALUE: [u8; 100] = [b'v'; 100];

fn call_once(calls: &Dedup, key: &str) -> bool {
    match calls.check(key) {
        Ok(Checked::New(ticket)) => matches!(ticket.complete(VALUE), Settled::Counted),
        _ => false,
    }
}

fn dedup(entries: u64) -> (Dedup, Vec<String>) {
    let config = DedupConfig::default().max_entries(KEPT.try_into().expect("a count of entries"));
    let calls = Dedup::new(&config).expect("a deduplicator");
    let keys: Vec<String> = (0..NAMES).map(|number| format!("call {number}")).collect();
    assert!(keys.iter().take(entries as usize).all(|key| call_once(&calls, key)), "keys are new");
    (calls, keys)
}

fn new_keys() -> impl FnMut(u64) -> u64 + Send {
    let (calls, keys) = dedup(0);
    let mut next = 0;
    repeat(move || {
        next = (next + 1) % keys.len();
        call_once(&calls, &keys[next])
    })
}

fn hits() -> impl FnMut(u64) -> u64 + Send {
    let (calls, keys) = dedup(KEPT);
    repeat(move || matches!(calls.check(&keys[KEPT as usize - 1]), Ok(Checked::Cached(_))))
}

pub fn peer() -> Peer {
    let (shared, shared_gate) = (circuit(config()), Arc::new(gate()));
    Peer::new(
        "libtrip",
        trip::version().into(),
        "MIT",
        "5 failures in a row, 30 s; through the binding. pair: permit, record_success. call: Circuit::call. failure: \
         threshold 8388607. refusal: open for a day. create_evict: a tracker of 1024, full. gate: of 64. dedup: 1024 \
         entries, values of 100 bytes",
    )
    .column(Column::new("pair", || {
        let circuit = circuit(config());
        repeat(move || pair(&circuit))
    }))
    .column(Column::new("call", || {
        let circuit = circuit(config());
        repeat(move || circuit.call(|| Ok::<_, CallError<()>>(black_box(7))).is_ok_and(|got| got == 7))
    }))
    .column(Column::new("failure", failures))
    .column(Column::new("refusal", || {
        let circuit = open_circuit();
        repeat(move || matches!(circuit.permit(), Err(PermitError::Rejected(_))))
    }))
    .column(Column::new("lookup_8", || lookup(filled(8), 8, 0)))
    .column(Column::new("lookup_1k", || lookup(filled(1000), 1000, 0)))
    .column(Column::new("lookup_100k", || lookup(filled(100_000), 100_000, 0)))
    .column(Column::new("lookup_1M", || lookup(filled(1_000_000), 1_000_000, 0)))
    .column(Column::two_threads("lookup_1k_2t", {
        let tracker = filled(1000);
        move |thread| lookup(tracker.clone(), 1000, thread as u64)
    }))
    .column(Column::new("create_evict", creations))
    .column(Column::two_threads("pair_2t_one", move |_| {
        let circuit = shared.clone();
        repeat(move || pair(&circuit))
    }))
    .column(Column::two_threads("pair_2t_many", |_| {
        let circuit = circuit(config());
        repeat(move || pair(&circuit))
    }))
    .column(Column::new("gate", || passes(Box::new(gate()))))
    .column(Column::two_threads("gate_2t", move |_| passes(Arc::clone(&shared_gate))))
    .column(Column::new("gate_full", sheds))
    .column(Column::new("dedup_new", new_keys))
    .column(Column::new("dedup_hit", hits))
    .memory(|circuits| std::mem::forget(filled(circuits)))
}

pub fn two_empty_calls() -> Peer {
    Peer::new(
        "two_empty_calls",
        trip::version().into(),
        "MIT",
        "trip::abi_version twice, through the binding: what two calls cost that do nothing",
    )
    .column(Column::new("pair", || {
        let version = trip::abi_version();
        repeat(move || trip::abi_version() == version && trip::abi_version() == version)
    }))
}
