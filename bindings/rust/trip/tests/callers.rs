//! The one call: the order of its parts, what each of them learns, and that nothing stays behind however it ends.

mod common;

use common::parts::{class, Failed, Parts, BOTH, OUTAGE};
use common::{config, rejection};
use std::cell::{Cell, RefCell};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use trip::classify::{self, Class};
use trip::{
    Adapt, Caller, CallerError, Checked, Circuit, Config, DedupConfig, Error, Gate, GateConfig, Jitter, OnDrop,
    Permits, Reason, Remember, Retry, RetryConfig, Route, RouteConfig, Tracker,
};

/// Fails so many times, then succeeds; and counts.
struct Flaky {
    failures: u32,
    calls: Cell<u32>,
}

impl Flaky {
    fn new(failures: u32) -> Self {
        Flaky { failures, calls: Cell::new(0) }
    }

    fn ask(&self) -> Result<u32, Failed> {
        self.calls.set(self.calls.get() + 1);
        if self.calls.get() <= self.failures {
            Err(OUTAGE)
        } else {
            Ok(self.calls.get())
        }
    }
}

/// Permits, successes, failures, cancels, drops.
fn counts(circuit: &Circuit) -> (u64, u64, u64, u64, u64) {
    let info = circuit.inspect().unwrap();
    (info.permits, info.successes, info.failures_total, info.cancels, info.drops)
}

#[test]
fn by_itself_a_caller_is_a_guarded_call() {
    let parts = Parts::new();
    let caller = Caller::of(&parts.circuit);
    let names = RefCell::new(Vec::new());
    let answer = caller.call(|provider| {
        names.borrow_mut().push(provider.to_vec());
        Ok::<_, Failed>(42)
    });
    assert_eq!((answer.unwrap(), names.into_inner()), (42, vec![b"a".to_vec()]));
    let flaky = Flaky::new(9);
    assert!(matches!(caller.call(|_| flaky.ask()), Err(CallerError::Inner(OUTAGE))));
    assert_eq!((flaky.calls.get(), counts(&parts.circuit)), (1, (2, 1, 1, 0, 0)));
    assert_eq!(caller.call_once("key", |_| Ok::<_, Failed>(String::from("not kept"))).unwrap(), "not kept");
    assert_eq!(caller.call_once("key", |_| Ok::<_, Failed>(String::from("again"))).unwrap(), "again");
}

#[test]
fn each_attempt_has_its_permit() {
    let parts = Parts::new();
    let flaky = Flaky::new(2);
    assert_eq!(parts.caller().call(|_| flaky.ask()).unwrap(), 3);
    assert_eq!(counts(&parts.circuit), (3, 1, 2, 0, 0));
    let info = parts.retry.inspect("a").unwrap();
    assert_eq!((info.calls, info.retries), (1, 2));
    assert_eq!(parts.gate.inspect().unwrap().acquired, 1);
    parts.assert_nothing_is_held();
}

#[test]
fn or_the_call_has_one_which_learns_of_its_end() {
    let parts = Parts::new();
    let caller = parts.caller().permits(Permits::PerCall);
    assert_eq!(caller.call(|_| Flaky::new(0).ask()).unwrap(), 1);
    let flaky = Flaky::new(2);
    assert_eq!(caller.call(|_| flaky.ask()).unwrap(), 3);
    assert_eq!(counts(&parts.circuit), (2, 2, 0, 0, 0));
    let flaky = Flaky::new(3);
    assert!(matches!(caller.call(|_| flaky.ask()), Err(CallerError::Inner(OUTAGE))));
    assert_eq!((flaky.calls.get(), counts(&parts.circuit)), (3, (3, 2, 1, 0, 0)));
    parts.assert_nothing_is_held();
}

#[test]
fn the_class_decides_what_counts_and_what_is_tried_again() {
    let parts = Parts::new();
    for permits in BOTH {
        let caller = parts.caller().permits(permits);
        let calls = Cell::new(0);
        let answer = caller.classify(class).call(|_| {
            calls.set(calls.get() + 1);
            Err::<(), _>(Failed(Class::Auth))
        });
        assert!(matches!(answer, Err(CallerError::Inner(Failed(Class::Auth)))));
        assert_eq!(calls.get(), 1);
    }
    assert_eq!(counts(&parts.circuit), (2, 2, 0, 0, 0)); // the provider is up, whatever it thought of the key
    let nobody_knows = parts.caller();
    let _ = nobody_knows.classify(class).call(|_| Err::<(), _>(Failed(Class::Unknown)));
    assert_eq!(counts(&parts.circuit), (3, 2, 0, 1, 0));
    parts.assert_nothing_is_held();
}

#[test]
fn a_refused_permit_is_no_attempt() {
    let parts = Parts::new();
    parts.circuits().iter().for_each(|circuit| circuit.trip().unwrap());
    for caller in [parts.caller(), parts.routed()] {
        for permits in BOTH {
            let flaky = Flaky::new(0);
            match caller.clone().permits(permits).call_once("key", |_| flaky.ask().map(drop)) {
                Err(CallerError::Rejected(rejected)) => assert_eq!(rejected.reason, Reason::Open),
                other => panic!("a rejection is expected, and {other:?} came back"),
            }
            assert_eq!(flaky.calls.get(), 0);
        }
    }
    assert_eq!(parts.retry.inspect("a").unwrap().calls, 0);
    let gate = parts.gate.inspect().unwrap();
    assert_eq!((gate.acquired, gate.released), (4, 4));
    parts.assert_nothing_is_held();
}

#[test]
fn after_an_attempt_its_own_error_says_more_than_a_refusal() {
    let parts = Parts::with(&config(), Duration::ZERO); // one failure opens
    let flaky = Flaky::new(9);
    assert!(matches!(parts.caller().call(|_| flaky.ask()), Err(CallerError::Inner(OUTAGE))));
    assert_eq!((flaky.calls.get(), rejection(&parts.circuit).reason), (1, Reason::Open));
    parts.assert_nothing_is_held();
}

#[test]
fn a_full_gate_turns_away_before_a_permit_is_asked_for() {
    let parts = Parts::new();
    let places: Vec<_> = std::iter::from_fn(|| parts.gate.acquire().ok()).collect();
    let flaky = Flaky::new(0);
    match parts.caller().call_once("key", |_| flaky.ask().map(drop)) {
        Err(CallerError::Shed(shed)) => assert_eq!((shed.depth, shed.capacity), (4, 4)),
        other => panic!("a full gate is expected, and {other:?} came back"),
    }
    assert_eq!((flaky.calls.get(), counts(&parts.circuit).0), (0, 0));
    assert!(matches!(parts.dedup.check("key"), Ok(Checked::New(_))), "its key is free at once");
    drop(places);
    parts.assert_nothing_is_held();
}

#[test]
fn a_place_is_held_through_all_attempts() {
    let parts = Parts::new();
    let flaky = Flaky::new(2);
    let answer = parts.caller().call(|_| {
        let gate = parts.gate.inspect().unwrap();
        assert_eq!((gate.depth, gate.acquired), (1, 1));
        flaky.ask()
    });
    assert_eq!(answer.unwrap(), 3);
}

#[test]
fn a_gate_that_adapts_learns_of_the_last_attempt() {
    let parts = Parts::new();
    let limit_after = |class: Class| {
        let config = GateConfig::default().adapt(Adapt::Aimd).capacity(50).initial_limit(20);
        let gate = parts.tracker.gate("llm", &config).unwrap();
        let caller = parts.caller().gate(&gate);
        for _ in 0..40 {
            let call = caller.classify(|failed: &Failed| failed.0);
            let _ = call.call(|_| if class == Class::Success { Ok(()) } else { Err(Failed(class)) });
        }
        (gate.inspect().unwrap().limit, gate.inspect().unwrap().depth)
    };
    assert!(limit_after(Class::Overloaded).0 < 20);
    assert_eq!(limit_after(Class::Unknown), (20, 0));
    assert_eq!(limit_after(Class::Auth), limit_after(Class::Success));
}

#[test]
fn a_ticket_is_renewed_before_each_retry() {
    let parts = Parts::new();
    let lease = Duration::from_secs(10);
    let dedup = parts.tracker.dedup(&DedupConfig::default().lease(lease)).unwrap();
    let (caller, flaky) = (parts.caller().dedup(&dedup), Flaky::new(2));
    let answer = caller.call_once("key", |_| {
        parts.tracker.advance(lease * 3 / 4).unwrap();
        flaky.ask().map(|calls| calls.to_string())
    });
    assert_eq!(answer.unwrap(), "3");
    assert!(matches!(dedup.check("key"), Ok(Checked::Cached(value)) if value == b"3"));
}

#[test]
fn those_who_wait_for_the_same_call_hold_nothing() {
    let parts = Parts::new();
    let (caller, calls) = (parts.caller(), AtomicU32::new(0));
    thread::scope(|scope| {
        let callers = [(); 20].map(|()| {
            scope.spawn(|| {
                let answer = caller.call_once("key", |_| {
                    while parts.dedup.inspect().unwrap().waiting < 19 {
                        thread::yield_now();
                    }
                    assert_eq!(parts.held(), (1, 1, 1));
                    Ok::<_, Failed>(calls.fetch_add(1, Ordering::Relaxed).to_string())
                });
                assert_eq!(answer.unwrap(), "0");
            })
        });
        for caller in callers {
            caller.join().unwrap();
        }
    });
    assert_eq!(counts(&parts.circuit), (1, 1, 0, 0, 0));
    parts.assert_nothing_is_held();
}

#[test]
fn a_failure_leaves_its_key_to_the_next() {
    let parts = Parts::new();
    let caller = parts.caller();
    let calls = AtomicU32::new(0);
    thread::scope(|scope| {
        let answers = [(); 5].map(|()| {
            scope.spawn(|| {
                caller.classify(class).call_once("key", |_| match calls.fetch_add(1, Ordering::Relaxed) {
                    0..3 => Err(Failed(Class::InvalidRequest)),
                    _ => Ok(String::from("made it")),
                })
            })
        });
        let answers = answers.map(|answer| answer.join().unwrap());
        assert_eq!(answers.iter().filter(|answer| answer.is_err()).count(), 3);
        assert!(answers.iter().flatten().all(|text| text == "made it"));
    });
    assert_eq!(calls.into_inner(), 4);
    parts.assert_nothing_is_held();
}

#[test]
fn what_is_known_is_not_called_for() {
    let parts = Parts::new();
    let caller = parts.caller();
    for _ in 0..3 {
        assert_eq!(caller.call_once("key", |_| Ok::<_, Failed>(b"value".to_vec())).unwrap(), b"value");
        caller.call_once("done", |_| Ok::<_, Failed>(())).unwrap();
    }
    assert_eq!(counts(&parts.circuit).0, 2);
}

#[derive(Debug, PartialEq)]
struct Even(u8);

impl Remember for Even {
    fn encode(&self) -> std::borrow::Cow<'_, [u8]> {
        vec![self.0].into()
    }

    fn decode(bytes: Vec<u8>) -> Option<Self> {
        bytes.first().filter(|byte| *byte % 2 == 0).map(|byte| Even(*byte))
    }
}

#[test]
fn what_cannot_be_decoded_is_called_for_anew() {
    let parts = Parts::new();
    let caller = parts.caller();
    assert_eq!(caller.call_once("key", |_| Ok::<_, Failed>(Even(3))).unwrap(), Even(3));
    assert_eq!(caller.call_once("key", |_| Ok::<_, Failed>(Even(4))).unwrap(), Even(4));
    assert_eq!(parts.dedup.inspect().unwrap().cached, 0, "what was wrong is forgotten");
    assert_eq!(caller.call_once("key", |_| Ok::<_, Failed>(Even(6))).unwrap(), Even(6));
    assert_eq!(caller.call_once("key", |_| Ok::<_, Failed>(Even(8))).unwrap(), Even(6));
    assert_eq!((String::decode(vec![0xFF]), <()>::decode(vec![1])), (None, None));
    parts.assert_nothing_is_held();
}

#[test]
fn a_retry_goes_to_a_provider_that_has_not_failed() {
    let parts = Parts::new();
    let asked = RefCell::new(Vec::new());
    let ask = |provider: &[u8]| {
        asked.borrow_mut().push(String::from_utf8(provider.to_vec()).unwrap());
        if provider == b"c" {
            Ok(())
        } else {
            Err(OUTAGE)
        }
    };
    parts.routed().call(ask).unwrap();
    assert_eq!(asked.take(), ["a", "b", "c"]);
    let budgets = ["a", "b", "c"].map(|provider| parts.retry.inspect(provider).unwrap());
    assert_eq!(budgets.each_ref().map(|info| (info.calls, info.retries)), [(1, 1), (0, 1), (0, 0)]);
    assert!(parts.routed().permits(Permits::PerCall).call(ask).is_err());
    assert_eq!(asked.take(), ["a", "a", "a"]);
    assert_eq!(parts.circuits().each_ref().map(|circuit| counts(circuit).2), [2, 1, 0]);
    parts.assert_nothing_is_held();
}

#[test]
fn a_session_keeps_its_provider() {
    let parts = Parts::new();
    let caller = parts.routed();
    let provider_of = |session: &str| caller.session(session).call(|p| Ok::<_, Failed>(p.to_vec())).unwrap();
    let sessions: Vec<_> = (0..30).map(|number| number.to_string()).collect();
    let first: Vec<_> = sessions.iter().map(|session| provider_of(session)).collect();
    let again: Vec<_> = sessions.iter().map(|session| provider_of(session)).collect();
    assert_eq!(first, again);
    assert!([b"a", b"b", b"c"].iter().all(|provider| first.iter().any(|its| its == provider)));
}

fn go_wrong() -> Result<String, Failed> {
    panic!("the call went wrong")
}

#[test]
fn a_panic_leaves_nothing_behind() {
    for permits in BOTH {
        let parts = Parts::new();
        for caller in [parts.caller(), parts.routed()] {
            let caller = caller.permits(permits);
            let calls = Cell::new(0);
            let unwound = catch_unwind(AssertUnwindSafe(|| {
                caller.call_once("key", |_| {
                    calls.set(calls.get() + 1);
                    if calls.get() == 1 {
                        Err(OUTAGE)
                    } else {
                        go_wrong()
                    }
                })
            }));
            assert!(unwound.is_err());
            parts.assert_nothing_is_held();
        }
        assert_eq!(parts.circuits().iter().map(|circuit| counts(circuit).4).sum::<u64>(), 2);
    }
}

/// What a call says of a part that is none, with nothing called and nothing held.
#[track_caller]
fn assert_wrong_use(parts: &Parts, caller: &Caller, key: &[u8], error: &Error) {
    for permits in BOTH {
        let flaky = Flaky::new(0);
        match caller.clone().permits(permits).call_once(key, |_| flaky.ask().map(drop)) {
            Err(CallerError::Failed(found)) => assert_eq!(found, *error),
            other => panic!("an error is expected, and {other:?} came back"),
        }
        assert_eq!(flaky.calls.get(), 0);
        parts.assert_nothing_is_held();
    }
}

#[test]
fn parts_that_cannot_be_used_are_errors() {
    let parts = Parts::new();
    let (gone, gate) = (Retry::from_handle(0), Gate::from_handle(0));
    assert_wrong_use(&parts, &parts.caller().retry(&gone), b"key", &Error::Handle);
    assert_wrong_use(&parts, &parts.caller().gate(&gate), b"key", &Error::Handle);
    assert_wrong_use(&parts, &parts.caller().dedup(&trip::Dedup::from_handle(0)), b"key", &Error::Handle);
    assert_wrong_use(&parts, &Caller::along(&Route::from_handle(0)).gate(&parts.gate), b"key", &Error::Handle);
    assert_wrong_use(&parts, &parts.caller(), &vec![b'x'; 65537], &Error::Invalid);
    let empty = parts.tracker.route("acme", &RouteConfig::default()).unwrap();
    assert_wrong_use(&parts, &Caller::along(&empty).gate(&parts.gate), b"key", &Error::Invalid);
    let long = parts.routed();
    let answer = long.session(&[b'x'; 256]).call(|_| Ok::<_, Failed>(()));
    assert!(matches!(answer, Err(CallerError::Failed(Error::Invalid))));
    parts.assert_nothing_is_held();
    assert_eq!(counts(&parts.circuit).3, 2, "a permit that could not be used tells nothing");
}

#[test]
fn a_part_that_fails_is_passed_over_and_reported() {
    let reports = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&reports);
    let reporter = move |circuit: &Circuit, error: &Error| {
        sink.lock().unwrap().push((circuit.provider().to_vec(), error.clone()));
    };
    let tracker = Tracker::with_reporter(&config(), reporter).unwrap();
    let (circuit, route) =
        (tracker.circuit("acme", "llm").unwrap(), tracker.route("acme", &RouteConfig::default()).unwrap());
    route.add("first", 1).unwrap();
    let dedup = tracker.dedup(&DedupConfig::default().max_entries(1)).unwrap();
    let ticket = dedup.check("other").unwrap();
    for caller in [Caller::of(&circuit), Caller::along(&route)] {
        assert_eq!(caller.dedup(&dedup).call_once("key", |_| Ok::<_, Failed>(String::from("42"))).unwrap(), "42");
    }
    drop(ticket);
    let full = Error::Capacity;
    assert_eq!(*reports.lock().unwrap(), [(b"llm".to_vec(), full.clone()), (b"first".to_vec(), full)]);
    // A circuit that cannot answer lets the call through, as it does by itself.
    tracker.destroy().unwrap();
    assert_eq!(Caller::of(&circuit).call(|_| Ok::<_, Failed>(42)).unwrap(), 42);
    assert_eq!(reports.lock().unwrap().pop(), Some((b"llm".to_vec(), Error::Handle)));
}

#[test]
fn an_error_of_a_caller_reads_as_the_error_it_holds() {
    let inner = CallerError::Inner(std::io::Error::other(OUTAGE));
    assert_eq!(inner.to_string(), "failed: ServerError");
    let failed = CallerError::<Failed>::Failed(Error::Handle);
    assert_eq!(failed.to_string(), Error::Handle.to_string());
    assert!(std::error::Error::source(&failed).is_none());
    let gate = Gate::new("llm", &GateConfig::default().capacity(1)).unwrap();
    let _place = gate.acquire().unwrap();
    let parts = Parts::new();
    let shed = Caller::of(&parts.circuit).gate(&gate).call(|_| Ok::<_, Failed>(())).unwrap_err();
    assert!(shed.to_string().starts_with("1 calls are in progress"), "{shed}");
}

#[test]
fn fifty_threads_never_exceed_the_gate() {
    let parts = Parts::new();
    let (caller, inside) = (parts.caller(), AtomicU32::new(0));
    thread::scope(|scope| {
        for _ in 0..50 {
            scope.spawn(|| {
                for turn in 0..40 {
                    let answer = caller.call(|_| {
                        assert!(inside.fetch_add(1, Ordering::SeqCst) < 4);
                        thread::yield_now();
                        inside.fetch_sub(1, Ordering::SeqCst);
                        if turn % 4 == 0 {
                            Err(OUTAGE)
                        } else {
                            Ok(())
                        }
                    });
                    assert!(!matches!(answer, Err(CallerError::Failed(_))));
                }
            });
        }
    });
    parts.assert_nothing_is_held();
    let gate = parts.gate.inspect().unwrap();
    assert_eq!(gate.acquired + gate.shed, 50 * 40);
}

/// A provider on the loopback that is down and says so; and how often it was asked.
struct Down {
    address: SocketAddr,
    asked: Arc<AtomicU32>,
    server: thread::JoinHandle<()>,
}

impl Down {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, asked) = (listener.local_addr().unwrap(), Arc::new(AtomicU32::new(0)));
        let counter = Arc::clone(&asked);
        let server = thread::spawn(move || {
            for connection in listener.incoming() {
                let mut connection = connection.unwrap();
                let mut request = [0; 64];
                let read = connection.read(&mut request).unwrap();
                if &request[..read] == b"QUIT" {
                    return;
                }
                counter.fetch_add(1, Ordering::Relaxed);
                connection.write_all(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n").unwrap();
            }
        });
        Down { address, asked, server }
    }

    fn ask(&self) -> Result<(), u16> {
        let mut connection = TcpStream::connect(self.address).unwrap();
        connection.write_all(b"GET / HTTP/1.1\r\nHost: down\r\n\r\n").unwrap();
        let mut response = String::new();
        connection.read_to_string(&mut response).unwrap();
        match response.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap() {
            200..300 => Ok(()),
            status => Err(status),
        }
    }

    fn asked(self) -> u32 {
        TcpStream::connect(self.address).unwrap().write_all(b"QUIT").unwrap();
        self.server.join().unwrap();
        self.asked.load(Ordering::Relaxed)
    }
}

/// With everything failing, and a budget of a tenth: what arrives is at most 1.1 times the calls, and the burst.
#[test]
fn retries_cannot_multiply_an_outage() {
    const CALLS: u32 = 600;
    const BURST: u32 = 5;
    for permits in BOTH {
        let down = Down::new();
        let tracker = Tracker::new(&Config::default().failure_threshold(1 << 20).on_drop(OnDrop::Cancel)).unwrap();
        let config = RetryConfig::default().max_attempts(10).jitter(Jitter::None).base_delay(Duration::ZERO);
        let retry = tracker.retry(&config.budget_ratio(0.1).budget_burst(BURST)).unwrap();
        let caller = Caller::of(&tracker.circuit("acme", "down").unwrap()).retry(&retry).permits(permits);
        thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| {
                    for _ in 0..CALLS / 6 {
                        let call = caller.classify(|status: &u16| classify::http(*status, ""));
                        assert!(matches!(call.call(|_| down.ask()), Err(CallerError::Inner(503))));
                    }
                });
            }
        });
        let (asked, info) = (down.asked(), retry.inspect("down").unwrap());
        assert_eq!((asked, info.calls), (CALLS + u32::try_from(info.retries).unwrap(), CALLS.into()));
        assert!(asked <= CALLS + CALLS / 10 + BURST, "{asked} requests");
        assert!(asked >= CALLS + CALLS / 10, "{asked} requests: the budget is there to be used");
        assert!(info.refused > 0);
    }
}
