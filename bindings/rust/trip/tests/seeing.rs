//! Lists, explanations and metrics: nothing is missing from them, lanes included.

mod common;

use common::{circuit_of, config, open, rejection, tracker, warm};
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use trip::{Circuit, Error, Labels, Mode, State, Tracker};

/// The value of a series.
fn metric(tracker: &Tracker, labels: Labels, series: &str) -> Option<u64> {
    let text = tracker.metrics(labels, 0).unwrap();
    text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
}

fn permits(tracker: &Tracker) -> u64 {
    metric(tracker, Labels::Provider, r#"trip_permits_total{provider="llm"}"#).unwrap_or(0)
}

#[test]
fn each_circuit_is_listed_once_whatever_the_page() {
    let tracker = Tracker::new(&config()).unwrap();
    assert_eq!(tracker.circuits().count(), 0);
    let made: Vec<_> = (0..600_u32).map(|i| tracker.circuit(i.to_le_bytes(), [0xFF, 0]).unwrap()).collect();
    open(&made[7]);
    for page in [1, 2, 255, 256, 599, 600, 601, 10_000] {
        let listed: Vec<_> = tracker.circuits().in_pages_of(page).collect::<Result<_, _>>().unwrap();
        let keys: HashSet<_> = listed.iter().map(|(circuit, _)| circuit.tenant().to_vec()).collect();
        assert_eq!((listed.len(), keys.len()), (600, 600), "{page}");
        let opened: Vec<_> = listed.iter().filter(|(_, info)| info.state == State::Open).collect();
        assert_eq!(opened.len(), 1);
        assert_eq!((opened[0].0.handle(), opened[0].0.provider()), (made[7].handle(), &[0xFF, 0][..]));
    }
}

#[test]
fn a_listed_circuit_finds_itself_again() {
    let tracker = tracker();
    circuit_of(&tracker);
    let (circuit, _) = tracker.circuits().next().unwrap().unwrap();
    circuit.remove().unwrap();
    assert!(circuit.permit().is_ok_and(|permit| {
        permit.record_success();
        true
    }));
    drop(tracker);
    assert!(circuit.inspect().is_ok(), "it keeps its tracker alive");
}

#[test]
fn a_circuit_that_goes_is_passed_over() {
    let tracker = tracker();
    let made: Vec<_> = (0..10_u32).map(|i| tracker.circuit(i.to_le_bytes(), "llm").unwrap()).collect();
    for page in [1, 4, 100] {
        let mut listed = tracker.circuits().in_pages_of(page);
        let (first, _) = listed.next().unwrap().unwrap();
        let last = tracker.circuits().last().unwrap().unwrap().0;
        for circuit in &made {
            if ![first.handle(), last.handle()].contains(&circuit.handle()) {
                circuit.remove().unwrap();
            }
        }
        assert_eq!(listed.next().unwrap().unwrap().0.handle(), last.handle());
        assert!(listed.next().is_none());
        for circuit in &made {
            circuit.inspect().unwrap(); // which finds it again
        }
    }
}

#[test]
fn a_list_that_fails_ends() {
    let tracker = tracker();
    for i in 0..4_u32 {
        tracker.circuit(i.to_le_bytes(), "llm").unwrap();
    }
    let mut none = tracker.circuits().in_pages_of(0);
    assert_eq!(none.next().unwrap().unwrap_err(), Error::Invalid);
    assert!(none.next().is_none());
    let mut cut_short = tracker.circuits().in_pages_of(2);
    assert!(cut_short.next().unwrap().is_ok());
    tracker.destroy().unwrap();
    assert_eq!(cut_short.next().unwrap().unwrap_err(), Error::Handle);
    assert!(cut_short.next().is_none());
    let guest = Tracker::from_handle(0xDEAD_BEEF);
    assert_eq!(guest.circuits().next().unwrap().unwrap_err(), Error::Handle);
}

#[test]
fn lists_count_what_lanes_have_counted() {
    let tracker = tracker();
    let circuit = circuit_of(&tracker);
    warm(&circuit);
    let out = circuit.permit().unwrap();
    let (_, info) = tracker.circuits().next().unwrap().unwrap();
    assert_eq!((info.permits, info.successes), (4, 3));
    out.record_success();
}

#[test]
fn an_explanation_says_what_when_and_why() {
    let circuit = circuit_of(&tracker());
    warm(&circuit);
    open(&circuit);
    rejection(&circuit);
    circuit.set_mode(Mode::ForcedOpen, None, b"key \xFF rotation").unwrap();
    let text = circuit.explain().unwrap();
    for part in ["acme", "llm", "forced open", "key \\xff rotation", "4 granted; 3 succeeded, 1 failed"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn the_longest_explanation_is_whole() {
    let tracker = tracker();
    let circuit = tracker.circuit([0xFF; 255], [0; 255]).unwrap();
    circuit.set_mode(Mode::Observe, None, [b'"'; 255]).unwrap();
    let text = circuit.explain().unwrap();
    assert!(text.contains(&"\\xff".repeat(255)) && text.ends_with('.'), "{text}");
}

/// Eight threads that stay, each with counts of its own.
fn with_threads_that_have_counted(circuit: &Circuit, each: u64, look: impl FnOnce()) {
    thread::scope(|scope| {
        let (told, counted) = mpsc::channel();
        let threads = [(); 8].map(|()| {
            let told = told.clone();
            let (stay, leave) = mpsc::channel::<()>();
            scope.spawn(move || {
                (0..each).for_each(|_| drop(circuit.permit().unwrap().record_success()));
                told.send(()).unwrap();
                let _ = leave.recv();
            });
            stay
        });
        for _ in &threads {
            counted.recv().unwrap();
        }
        look();
    });
}

#[test]
fn nothing_that_lanes_have_counted_is_missing() {
    let tracker = tracker();
    let circuit = circuit_of(&tracker);
    let counted = || circuit.inspect().map(|info| (info.permits, info.successes));
    with_threads_that_have_counted(&circuit, 100, || {
        assert_eq!(permits(&tracker), 800);
        assert_eq!(permits(&tracker), 800);
        assert_eq!(counted(), Ok((800, 800)));
        warm(&circuit);
        assert!(circuit.explain().unwrap().contains("803 granted; 803 succeeded"));
        assert_eq!(counted(), Ok((803, 803)));
    });
    assert_eq!(counted(), Ok((803, 803)));
    assert_eq!(permits(&tracker), 803);
}

#[test]
fn nothing_that_lanes_have_counted_is_missing_in_a_snapshot() {
    let tracker = tracker();
    let circuit = circuit_of(&tracker);
    with_threads_that_have_counted(&circuit, 100, || {
        let restarted = Tracker::new(&config()).unwrap();
        restarted.restore(&tracker.snapshot().unwrap()).unwrap();
        assert_eq!(circuit_of(&restarted).inspect().unwrap().permits, 800);
    });
}

#[test]
fn totals_keep_what_a_removed_circuit_has_counted() {
    let tracker = tracker();
    let circuit = circuit_of(&tracker);
    assert_eq!(permits(&tracker), 0); // the first scrape: before it there is no total
    with_threads_that_have_counted(&circuit, 50, || {
        circuit.remove().unwrap();
        assert_eq!(permits(&tracker), 400);
    });
    assert_eq!(permits(&tracker), 400);
}

#[test]
fn counters_never_go_back_while_threads_count() {
    const EACH: u64 = 200_000;
    let tracker = tracker();
    let circuit = circuit_of(&tracker);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let scrape = scope.spawn(|| {
            let (mut before, mut scrapes) = (0, 0);
            while !is_over.load(Ordering::Acquire) {
                let now = permits(&tracker);
                assert!(now >= before && now <= 3 * EACH, "{before} {now}");
                (before, scrapes) = (now, scrapes + 1);
            }
            scrapes
        });
        let callers =
            [(); 3].map(|()| scope.spawn(|| (0..EACH).for_each(|_| drop(circuit.permit().unwrap().record_success()))));
        for caller in callers {
            caller.join().unwrap();
        }
        is_over.store(true, Ordering::Release);
        assert!(scrape.join().unwrap() > 0);
    });
    assert_eq!(permits(&tracker), 3 * EACH);
    let info = circuit.inspect().unwrap();
    assert_eq!((info.permits, info.successes), (3 * EACH, 3 * EACH));
}

#[test]
fn metrics_tell_tenants_apart_only_when_asked() {
    let tracker = tracker();
    for tenant in 0..20_u32 {
        warm(&tracker.circuit(tenant.to_string(), "llm").unwrap());
    }
    assert_eq!(permits(&tracker), 60);
    let by_tenant = r#"trip_permits_total{tenant="7",provider="llm"}"#;
    assert_eq!(metric(&tracker, Labels::Provider, by_tenant), None);
    assert_eq!(metric(&tracker, Labels::Tenant, by_tenant), Some(3));
    let bounded = Tracker::from_handle(tracker.handle()).metrics(Labels::Tenant, 5).unwrap();
    assert!(bounded.ends_with("# EOF\n"), "{bounded}");
}

#[test]
fn metrics_of_any_size_are_whole() {
    let tracker = tracker();
    for tenant in 0..300_u32 {
        tracker.circuit([b'x'; 200].iter().copied().chain(tenant.to_le_bytes()).collect::<Vec<_>>(), "llm").unwrap();
    }
    let text = tracker.metrics(Labels::Tenant, 0).unwrap();
    assert!(text.len() > 1 << 17 && text.ends_with("# EOF\n"), "{}", text.len());
}

#[test]
fn what_cannot_be_seen_is_refused() {
    let tracker = tracker();
    assert_eq!(tracker.metrics(Labels::Other(2), 0), Err(Error::Invalid));
    assert_eq!(tracker.metrics(Labels::Other(u32::MAX), u64::MAX), Err(Error::Invalid));
    tracker.metrics(Labels::Tenant, u64::MAX).unwrap();
    tracker.destroy().unwrap();
    assert_eq!(tracker.metrics(Labels::Provider, 0), Err(Error::Handle));
}
