//! Gates: how many calls may be in progress, and arguments that are wrong.

mod common;

use common::{circuit_of, tracker, wrong_handles};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Barrier;
use std::thread;
use std::time::Duration;
use trip::{AcquireError, Adapt, Effect, Error, EventKind, Gate, GateConfig, Settled, Shed, Token};

fn gate(capacity: u32) -> Gate {
    Gate::new("llm", &GateConfig::default().capacity(capacity)).unwrap()
}

fn shed(gate: &Gate) -> Shed {
    match gate.acquire() {
        Err(AcquireError::Shed(shed)) => shed,
        other => panic!("a full gate is expected, and {other:?} came back"),
    }
}

fn depth(gate: &Gate) -> u32 {
    gate.inspect().unwrap().depth
}

#[test]
fn a_full_gate_says_how_full() {
    let gate = gate(2);
    let tokens = [gate.acquire().unwrap(), gate.acquire().unwrap()];
    let full = shed(&gate);
    assert_eq!((full.depth, full.limit, full.capacity), (2, 2, 2));
    assert_eq!(full.to_string(), "2 calls are in progress, of 2 that may be now and 2 that may ever be");
    drop(tokens);
    let info = gate.inspect().unwrap();
    assert_eq!((info.depth, info.acquired, info.released, info.shed), (0, 2, 2, 1));
}

#[test]
fn a_token_is_released_once_however_it_ends() {
    let gate = gate(10);
    assert_eq!(gate.acquire().unwrap().record_success(), Settled::Counted);
    assert_eq!(gate.acquire().unwrap().record_failure(), Settled::Counted);
    assert_eq!(gate.acquire().unwrap().release(Effect::Nothing), Settled::Counted);
    drop(gate.acquire().unwrap());
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let _token = gate.acquire().unwrap();
        panic!("the call went wrong");
    }));
    assert!(unwound.is_err());
    assert_eq!((depth(&gate), gate.inspect().unwrap().released), (0, 5));
    let other = gate.acquire().unwrap();
    let handle = gate.acquire().unwrap().into_handle();
    assert_eq!(Token::from_handle(handle).record_success(), Settled::Counted);
    assert_eq!(Token::from_handle(handle).record_success(), Settled::Failed(Error::Consumed));
    drop(Token::from_handle(handle));
    assert_eq!(depth(&gate), 1);
    drop(other);
}

#[test]
fn an_effect_that_is_none_gives_the_place_back_all_the_same() {
    let gate = gate(1);
    assert_eq!(gate.acquire().unwrap().release(Effect::Other(9)), Settled::Failed(Error::Invalid));
    assert_eq!(depth(&gate), 0);
}

#[test]
fn fifty_threads_never_exceed_the_capacity() {
    const CAPACITY: u32 = 7;
    let (gate, inside, turned_away) = (gate(CAPACITY), AtomicU32::new(0), AtomicU32::new(0));
    let start = Barrier::new(50);
    thread::scope(|scope| {
        for _ in 0..50 {
            scope.spawn(|| {
                start.wait();
                for _ in 0..400 {
                    match gate.acquire() {
                        Ok(token) => {
                            assert!(inside.fetch_add(1, Ordering::SeqCst) < CAPACITY);
                            thread::yield_now();
                            inside.fetch_sub(1, Ordering::SeqCst);
                            token.record_success();
                        }
                        Err(AcquireError::Shed(shed)) => {
                            assert!(shed.depth <= CAPACITY, "{shed:?}");
                            turned_away.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(AcquireError::Failed(error)) => panic!("{error}"),
                    }
                }
            });
        }
    });
    let info = gate.inspect().unwrap();
    assert_eq!((info.depth, info.acquired + info.shed), (0, 50 * 400));
    assert_eq!((info.released, info.shed), (info.acquired, turned_away.into_inner().into()));
}

#[test]
fn a_limit_that_adapts_falls_with_failures() {
    let gate = Gate::new("llm", &GateConfig::default().adapt(Adapt::Aimd).initial_limit(10)).unwrap();
    let calls: Vec<_> = std::iter::from_fn(|| gate.acquire().ok()).collect();
    assert_eq!((calls.len(), shed(&gate).limit, shed(&gate).capacity), (10, 10, 100));
    for call in calls {
        call.record_failure();
    }
    assert!(gate.inspect().unwrap().limit < 10);
}

#[test]
fn events_tell_of_a_gate_by_its_name() {
    let tracker = tracker();
    let gate = tracker.gate(b"ll\xFFm", &GateConfig::default().capacity(3).soft_limit(1)).unwrap();
    let tokens: Vec<_> = std::iter::from_fn(|| gate.acquire().ok()).collect();
    let events = tracker.take_events(10).unwrap().events;
    let told: Vec<_> = events.iter().map(|event| (event.kind, event.depth, event.limit, event.reason())).collect();
    let name = &b"ll\xFFm"[..];
    assert_eq!(told, [(EventKind::GateSoft, 2, 3, name), (EventKind::GateFull, 3, 3, name)]);
    assert!(format!("{:?}", events[0]).contains("depth: 2"));
    let info = gate.inspect().unwrap();
    assert_eq!((info.soft_limit, info.soft_depth_ratio.to_bits()), (1, 3_f64.to_bits()));
    drop(tokens);
}

#[test]
fn a_gate_is_refused_by_its_field() {
    let good = GateConfig::default();
    let wrong = [
        ("capacity", good.capacity(0)),
        ("capacity", good.capacity(u32::MAX)),
        ("soft_limit", good.capacity(10).soft_limit(10)),
        ("adapt", good.adapt(Adapt::Other(3))),
        ("min_limit", good.min_limit(0)),
        ("initial_limit", good.initial_limit(101)),
        ("latency", good.latency(Duration::MAX)),
        ("decrease", good.decrease(f64::NAN)),
        ("tolerance", good.tolerance(0.0)),
        ("smoothing", good.smoothing(f64::INFINITY)),
    ];
    for (field, config) in wrong {
        match (Gate::new("llm", &config), tracker().gate("llm", &config)) {
            (Err(Error::Config(refused)), Err(Error::Config(_))) => assert_eq!(refused.field, Some(field)),
            other => panic!("{field} cannot be so, and {other:?} came back"),
        }
    }
    assert_eq!(Gate::new([b'x'; 256], &good).unwrap_err(), Error::Invalid);
    assert_eq!(tracker().gate([b'x'; 256], &good).unwrap_err(), Error::Invalid);
    assert!(Gate::new("", &good).is_ok() && Gate::new([0; 255], &good).is_ok());
}

fn assert_gone(gate: &Gate) {
    assert_eq!(gate.acquire().map(drop), Err(AcquireError::Failed(Error::Handle)));
    assert_eq!(gate.inspect(), Err(Error::Handle));
    assert_eq!(gate.destroy(), Err(Error::Handle));
}

#[test]
fn what_is_no_gate_says_so() {
    let circuit = circuit_of(&tracker());
    for handle in wrong_handles(circuit.handle()) {
        assert_gone(&Gate::from_handle(handle));
        assert_eq!(Token::from_handle(handle).record_success(), Settled::Failed(Error::Handle));
        drop(Token::from_handle(handle));
    }
    let gate = gate(2);
    let token = gate.acquire().unwrap();
    let clone = gate.clone();
    gate.destroy().unwrap();
    assert_gone(&clone);
    assert_eq!(token.record_success(), Settled::Failed(Error::Handle));
    assert_eq!(AcquireError::from(Error::Handle).to_string(), Error::Handle.to_string());
}

#[test]
fn a_gate_keeps_its_tracker_and_ends_with_it() {
    let kept = tracker().gate("llm", &GateConfig::default()).unwrap();
    drop(kept.acquire().unwrap());
    let tracker = tracker();
    let gate = tracker.gate("llm", &GateConfig::default()).unwrap();
    tracker.destroy().unwrap();
    assert_eq!(gate.acquire().map(drop), Err(AcquireError::Failed(Error::Handle)));
    assert_eq!(tracker.gate("llm", &GateConfig::default()).unwrap_err(), Error::Handle);
}
