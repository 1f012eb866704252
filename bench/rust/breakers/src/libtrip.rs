//! libtrip through its binding, as any Rust program uses it.

use stand::{repeat, requests, Column, Peer, Requests};
use std::hint::black_box;
use std::time::Duration;
use trip::{CallError, Circuit, Config, PermitError, Settled, Tracker};

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

pub fn peer() -> Peer {
    let shared = circuit(config());
    Peer::new(
        "libtrip",
        trip::version().into(),
        "MIT",
        "5 failures in a row, 30 s; through the binding. pair: permit, record_success. call: Circuit::call. failure: \
         threshold 8388607. refusal: open for a day. create_evict: a tracker of 1024, full",
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
