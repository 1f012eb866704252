//! The express lane beneath the ordinary interface: calls that the library is not asked about are counted all the same,
//! each once, whatever becomes of their threads, and no lane outlives the health of its circuit.

mod common;

use common::{circuit_of, config, open, rejection, ripe, state, tracker, OPEN_PERIOD};
use std::cell::RefCell;
use std::mem;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use trip::classify::{Class, Outcome};
use trip::{Circuit, Error, Labels, Mode, OnDrop, Permit, PermitError, Policy, Reason, Settled, State, Tracker};
use trip_sys as sys;

/// More than a thread keeps lanes for.
const MANY: usize = 2500;

fn pairs(circuit: &Circuit, count: u64) {
    for _ in 0..count {
        assert_eq!(circuit.permit().unwrap().record_success(), Settled::Counted);
    }
}

/// Permits and successes as C sees them, and so every other language: what threads have not handed in is missing.
fn seen_by_others(circuit: &Circuit) -> (u64, u64) {
    let struct_size = u32::try_from(size_of::<sys::trip_circuit_info>()).unwrap();
    let mut info = sys::trip_circuit_info { struct_size, ..Default::default() };
    // SAFETY: the struct tells its size.
    assert_eq!(unsafe { sys::trip_circuit_inspect(circuit.handle(), &raw mut info) }, sys::TRIP_OK);
    (info.permits, info.successes)
}

fn counted(circuit: &Circuit) -> (u64, u64) {
    let info = circuit.inspect().unwrap();
    (info.permits, info.successes)
}

/// This thread admits and counts by the lane: others have not heard of it.
fn assert_on_the_lane(circuit: &Circuit) {
    let (before, others) = (counted(circuit), seen_by_others(circuit));
    pairs(circuit, 10);
    assert_eq!(counted(circuit), (before.0 + 10, before.1 + 10));
    assert_eq!(seen_by_others(circuit), others);
}

/// What came of a thread that has ended altogether, its destructors too: a scope alone does not wait for those.
fn ended<T: Send>(life: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| scope.spawn(life).join()).unwrap()
}

/// On its lane from the next call on.
fn warm(circuit: &Circuit) {
    pairs(circuit, 3);
    assert_on_the_lane(circuit);
}

fn lenient() -> Tracker {
    Tracker::new(&config().failure_threshold(1_000_000)).unwrap()
}

#[test]
fn a_healthy_circuit_is_used_by_its_lane() {
    let circuit = circuit_of(&tracker());
    warm(&circuit);
    assert_on_the_lane(&circuit.clone());
}

#[test]
fn a_circuit_that_is_looked_up_for_each_call_has_its_lane_too() {
    let tracker = tracker();
    warm(&circuit_of(&tracker));
    assert_on_the_lane(&circuit_of(&tracker));
}

#[test]
fn others_hear_of_every_thousand_calls() {
    let circuit = circuit_of(&tracker());
    pairs(&circuit, 5000);
    let (permits, successes) = seen_by_others(&circuit);
    assert!(permits == successes && (5000 - 1024..=5000).contains(&permits), "{permits} {successes}");
}

#[test]
fn a_thread_that_ends_hands_its_counts_in() {
    let circuit = circuit_of(&tracker());
    ended(|| warm(&circuit));
    assert_eq!(seen_by_others(&circuit), (13, 13));
    assert_eq!(counted(&circuit), (13, 13));
}

#[test]
fn a_guest_hands_its_counts_in_when_it_goes() {
    let owner = tracker();
    let circuit = circuit_of(&owner);
    let guest = Tracker::from_handle(owner.handle());
    warm(&circuit_of(&guest));
    assert_ne!(seen_by_others(&circuit), (13, 13));
    drop(guest);
    assert_eq!(seen_by_others(&circuit), (13, 13));
}

#[test]
fn two_threads_count_every_pair() {
    const EACH: u64 = 10_000_000;
    let circuit = circuit_of(&tracker());
    thread::scope(|scope| {
        for caller in [(); 2].map(|()| scope.spawn(|| pairs(&circuit, EACH))) {
            caller.join().unwrap();
        }
    });
    assert_eq!(counted(&circuit), (2 * EACH, 2 * EACH));
}

#[test]
fn a_permit_of_the_lane_is_out_until_it_is_settled() {
    let circuit = circuit_of(&tracker());
    warm(&circuit);
    let permits = [(); 3].map(|()| circuit.permit().unwrap());
    assert_eq!(counted(&circuit), (16, 13));
    assert_eq!(ended(|| counted(&circuit)), (16, 13));
    for permit in permits {
        permit.record_success();
    }
    assert_eq!(counted(&circuit), (16, 16));
}

#[test]
fn every_end_of_a_call_on_the_lane_is_counted_once() {
    let circuit = circuit_of(&lenient());
    for settle in [Permit::record_failure, Permit::cancel, Permit::abandon] {
        warm(&circuit);
        assert_eq!(settle(circuit.permit().unwrap()), Settled::Counted);
    }
    warm(&circuit);
    drop(circuit.permit().unwrap());
    let info = circuit.inspect().unwrap();
    assert_eq!((info.permits, info.successes), (4 * 13 + 4, 4 * 13));
    assert_eq!((info.failures_total, info.cancels, info.drops, info.failures), (1, 1, 2, 1));
}

#[test]
fn a_success_on_the_lane_forgets_failures_that_came_meanwhile() {
    let circuit = circuit_of(&lenient());
    warm(&circuit);
    let permit = circuit.permit().unwrap();
    circuit.permit().unwrap().record_failure();
    assert_eq!(circuit.inspect().unwrap().failures, 1);
    assert_eq!(permit.record_success(), Settled::Counted);
    assert_eq!(circuit.inspect().unwrap().failures, 0);
    assert_on_the_lane(&circuit);
}

#[test]
fn a_lane_admits_calls_while_failures_count() {
    let circuit = circuit_of(&lenient());
    warm(&circuit);
    circuit.permit().unwrap().record_failure();
    let others = seen_by_others(&circuit);
    let before = counted(&circuit);
    let permits = [(); 2].map(|()| circuit.permit().unwrap());
    assert_eq!(seen_by_others(&circuit), others);
    assert_eq!(counted(&circuit), (before.0 + 2, before.1));
    for permit in permits {
        assert_eq!(permit.record_failure(), Settled::Counted);
    }
    let info = circuit.inspect().unwrap();
    assert_eq!((info.failures, info.failures_total, info.permits), (3, 3, before.0 + 2));
    circuit.permit().unwrap().record_success();
    assert_eq!(circuit.inspect().unwrap().failures, 0);
    assert_on_the_lane(&circuit);
}

/// Hands permits of this thread's lane to another thread, which ends them in turn as it is told.
fn settled_elsewhere(circuit: &Circuit, before: impl Fn() + Send, ends: &[fn(Permit) -> Settled]) {
    let (sender, receiver) = mpsc::channel::<Permit>();
    thread::scope(|scope| {
        scope.spawn(move || {
            before();
            for (permit, end) in receiver.into_iter().zip(ends) {
                assert_eq!(end(permit), Settled::Counted);
            }
        });
        let permits: Vec<_> = ends.iter().map(|_| circuit.permit().unwrap()).collect();
        for permit in permits {
            sender.send(permit).unwrap();
        }
        drop(sender);
    });
}

#[test]
fn permits_of_the_lane_may_be_settled_on_other_threads() {
    let success: fn(Permit) -> Settled = Permit::record_success;
    for threads_own_pairs in [0, 3] {
        for admitting_thread_ends in [false, true] {
            let circuit = circuit_of(&lenient());
            let settle = || {
                warm(&circuit);
                let ends = [success, success, Permit::cancel, Permit::abandon, success, Permit::record_failure];
                settled_elsewhere(&circuit, || pairs(&circuit, threads_own_pairs), &ends);
            };
            if admitting_thread_ends {
                ended(settle);
            } else {
                settle();
            }
            let info = circuit.inspect().unwrap();
            let successes = 13 + threads_own_pairs + 3;
            assert_eq!((info.permits, info.successes), (successes + 3, successes));
            assert_eq!((info.failures_total, info.drops, info.cancels), (1, 1, 1));
        }
    }
}

#[test]
fn a_permit_of_the_lane_outlives_its_thread() {
    let circuit = circuit_of(&tracker());
    let admit = || {
        warm(&circuit);
        circuit.permit().unwrap()
    };
    let [success, failure] = [(); 2].map(|()| ended(admit));
    assert_eq!(counted(&circuit), (28, 26));
    assert_eq!(success.record_success(), Settled::Counted);
    assert_eq!(counted(&circuit), (28, 27));
    assert_eq!(failure.record_failure(), Settled::Counted);
    let info = circuit.inspect().unwrap();
    assert_eq!((info.permits, info.successes, info.failures_total, info.state), (28, 27, 1, State::Open));
}

#[test]
fn a_thread_may_settle_and_ask_while_it_ends() {
    struct Last(Circuit, Option<Permit>);
    impl Drop for Last {
        fn drop(&mut self) {
            self.1.take().map(Permit::record_success);
            pairs(&self.0, 5);
        }
    }
    thread_local! {
        static LAST: RefCell<Option<Last>> = const { RefCell::new(None) };
    }
    let circuit = circuit_of(&tracker());
    let live = || {
        // It was there before the thread's first lane, and so it is there when the lanes are gone.
        LAST.with_borrow_mut(|last| *last = Some(Last(circuit.clone(), None)));
        warm(&circuit);
        LAST.with_borrow_mut(|last| last.as_mut().unwrap().1 = Some(circuit.permit().unwrap()));
    };
    ended(live);
    assert_eq!(counted(&circuit), (19, 19));
    assert_eq!(seen_by_others(&circuit), (19, 19));
}

#[test]
fn more_circuits_than_lanes_are_counted_each_for_itself() {
    let tracker = lenient();
    let circuits: Vec<_> = (0..MANY).map(|i| tracker.circuit(i.to_string(), "llm").unwrap()).collect();
    let mut out = Vec::new();
    for _ in 0..3 {
        for (i, circuit) in circuits.iter().enumerate() {
            pairs(circuit, 4 + i as u64 % 3);
            out.push(circuit.permit().unwrap()); // a lane that makes room for another has calls out
        }
    }
    for (i, circuit) in circuits.iter().enumerate() {
        let successes = 3 * (4 + i as u64 % 3);
        assert_eq!(counted(circuit), (successes + 3, successes), "{i}");
    }
    for (i, permit) in out.into_iter().enumerate() {
        if i % 2 == 0 {
            permit.record_success();
        } else {
            permit.record_failure();
        }
    }
    for (i, circuit) in circuits.iter().enumerate() {
        let info = circuit.inspect().unwrap();
        assert_eq!(info.permits, 3 * (4 + i as u64 % 3) + 3, "{i}");
        assert_eq!(info.successes + info.failures_total, info.permits, "{i}");
    }
}

#[test]
fn a_forgotten_permit_stays_out() {
    let circuit = circuit_of(&tracker());
    warm(&circuit);
    mem::forget(circuit.permit().unwrap());
    pairs(&circuit, 10);
    assert_eq!(counted(&circuit), (24, 23));
    assert_eq!(state(&circuit), State::Closed);
}

#[test]
fn a_panic_drops_the_permit_of_the_lane() {
    let circuit = circuit_of(&tracker());
    warm(&circuit);
    let call = || circuit.call(|| -> Result<(), ()> { panic!("the call went wrong") });
    assert!(catch_unwind(AssertUnwindSafe(call)).is_err());
    let info = circuit.inspect().unwrap();
    assert_eq!((info.permits, info.successes, info.drops, info.state), (14, 13, 1, State::Open));
}

#[test]
fn a_drop_on_the_lane_counts_as_configured() {
    let circuit = circuit_of(&Tracker::new(&config().on_drop(OnDrop::Cancel)).unwrap());
    warm(&circuit);
    drop(circuit.permit().unwrap());
    let info = circuit.inspect().unwrap();
    assert_eq!((info.permits, info.drops, info.failures, info.state), (14, 1, 0, State::Closed));
    assert_on_the_lane(&circuit);
}

#[test]
fn a_lane_ends_when_its_circuit_opens_and_begins_anew_when_it_closes() {
    let tracker = tracker();
    let circuit = circuit_of(&tracker);
    for round in 0..3 {
        warm(&circuit);
        let late = circuit.permit().unwrap();
        open(&circuit);
        rejection(&circuit);
        assert_eq!(late.inspect(), Err(Error::Stale));
        assert_eq!(late.record_success(), Settled::Stale);
        tracker.advance(OPEN_PERIOD * 10).unwrap();
        pairs(&circuit, 1);
        let info = circuit.inspect().unwrap();
        assert_eq!((info.state, info.stale, info.opens), (State::Closed, round + 1, round + 1));
        assert_eq!((info.permits, info.successes), (16 * (round + 1), 15 * (round + 1)));
    }
}

#[test]
fn no_call_is_admitted_once_another_was_refused() {
    for _ in 0..200 {
        let circuit = circuit_of(&tracker());
        let (admitted, refused) = (AtomicU64::new(0), AtomicBool::new(false));
        thread::scope(|scope| {
            let call = || loop {
                let is_refused = refused.load(Ordering::Acquire);
                match circuit.permit() {
                    Ok(permit) => {
                        assert!(!is_refused, "admitted after a refusal");
                        permit.record_success();
                        admitted.fetch_add(1, Ordering::Relaxed);
                    }
                    Err(_) if is_refused => break,
                    Err(PermitError::Rejected(_)) => {}
                    Err(PermitError::Failed(error)) => panic!("{error}"),
                }
            };
            let callers = [(); 2].map(|()| scope.spawn(call));
            while admitted.load(Ordering::Relaxed) < 100 {
                thread::yield_now();
            }
            open(&circuit);
            rejection(&circuit);
            refused.store(true, Ordering::Release);
            for caller in callers {
                caller.join().unwrap();
            }
        });
        let info = circuit.inspect().unwrap();
        assert_eq!((info.permits, info.failures_total), (info.successes + 1, 1));
        assert_eq!(info.successes, admitted.into_inner());
    }
}

#[test]
fn a_lane_ends_with_the_life_of_its_circuit() {
    let tracker = Tracker::new(&config().max_circuits(1)).unwrap();
    let circuit = circuit_of(&tracker);
    warm(&circuit);
    let late = circuit.permit().unwrap();
    let other = tracker.circuit("other", "llm").unwrap();
    assert_eq!(late.record_success(), Settled::Stale);
    assert_eq!(counted(&other), (0, 0));
    pairs(&circuit, 1);
    assert_eq!(counted(&circuit), (1, 1));
    warm(&circuit);
    assert_eq!(counted(&circuit), (14, 14));
    assert_on_the_lane(&circuit.clone());
}

#[test]
fn a_lane_ends_with_its_tracker() {
    let tracker = tracker();
    let circuit = circuit_of(&tracker);
    warm(&circuit);
    let late = [(); 2].map(|()| circuit.permit().unwrap());
    tracker.destroy().unwrap();
    assert!(matches!(circuit.permit(), Err(PermitError::Failed(Error::Handle))));
    for permit in late {
        // Stale where a circuit of another tracker, such as another test's, has the place by now.
        assert!(matches!(permit.record_success(), Settled::Failed(Error::Handle) | Settled::Stale));
    }
}

#[test]
fn a_lane_ends_with_an_order_and_comes_back() {
    let circuit = circuit_of(&lenient());
    for mode in [Mode::ForcedOpen, Mode::ForcedClosed, Mode::Observe] {
        warm(&circuit);
        let late = circuit.permit().unwrap();
        let before = counted(&circuit);
        circuit.set_mode(mode, None, "").unwrap();
        match circuit.permit() {
            Ok(permit) => drop(permit.record_success()),
            Err(PermitError::Rejected(rejected)) => assert_eq!(rejected.reason, Reason::Forced),
            Err(PermitError::Failed(error)) => panic!("{error}"),
        }
        let granted = u64::from(mode != Mode::ForcedOpen);
        // Others have heard of the call that was granted by force, and of nothing that the lane has counted.
        assert_eq!(counted(&circuit), (before.0 + granted, before.1 + granted));
        circuit.set_mode(Mode::Auto, None, "").unwrap();
        assert_eq!(late.record_success(), Settled::Counted);
        assert_eq!(counted(&circuit), (before.0 + granted, before.1 + granted + 1));
    }
    warm(&circuit);
    let info = circuit.inspect().unwrap();
    assert_eq!((info.permits, info.successes, info.rejections, info.stale), (57, 57, 1, 0));
}

#[test]
fn a_lane_comes_and_goes_with_the_policy() {
    let tracker = lenient();
    let circuit = circuit_of(&tracker);
    warm(&circuit);
    let watchful = config().failure_threshold(1_000_000).count_window(100);
    tracker.configure(Policy::tenant("acme"), &watchful).unwrap();
    pairs(&circuit, 100);
    let before = counted(&circuit);
    assert_eq!(before, (113, 113));
    let others = seen_by_others(&circuit);
    pairs(&circuit, 100);
    assert_eq!(seen_by_others(&circuit), (others.0 + 100, others.1 + 100)); // there is no lane
    tracker.withdraw(Policy::tenant("acme")).unwrap();
    pairs(&circuit, 5000); // it is asked for again now and then
    assert_on_the_lane(&circuit);
    assert_eq!(counted(&circuit), (5223, 5223));
}

#[test]
fn what_is_told_of_a_call_that_the_lane_admitted_is_heard_by_a_new_policy() {
    let tracker = lenient();
    let circuit = circuit_of(&tracker);
    warm(&circuit);
    let permit = circuit.permit().unwrap();
    let second = Duration::from_secs(1);
    let impatient = config().count_window(1).count_minimum(1).count_slow_ratio(1.0).slow_call(second);
    tracker.configure(Policy::TRACKER, &impatient).unwrap();
    assert_eq!(permit.record(Outcome::new(Class::Success).duration(second * 2)), Settled::Counted);
    assert_eq!(state(&circuit), State::Open);
}

#[test]
fn a_handle_that_is_given_away_is_settled_once_though_it_came_from_the_lane() {
    let circuit = circuit_of(&tracker());
    warm(&circuit);
    let handle = circuit.permit().unwrap().into_handle();
    assert_eq!(counted(&circuit), (14, 13));
    assert_eq!(Permit::from_handle(handle).record_success(), Settled::Counted);
    assert_eq!(Permit::from_handle(handle).record_failure(), Settled::Failed(Error::Consumed));
    assert_eq!(counted(&circuit), (14, 14));
    assert_on_the_lane(&circuit);
}

#[test]
fn a_handle_that_is_given_away_late_is_stale() {
    let tracker = tracker();
    let circuit = circuit_of(&tracker);
    warm(&circuit);
    let late = circuit.permit().unwrap();
    ripe(&tracker, &circuit);
    let handle = late.into_handle();
    assert_eq!(Permit::from_handle(handle).record_failure(), Settled::Stale);
    let info = circuit.inspect().unwrap();
    assert_eq!((info.permits, info.failures_total, info.stale), (15, 2, 1));
    assert_eq!((info.probes_out, info.rejections, info.cancels), (0, 0, 0));
}

#[test]
fn a_permit_of_the_lane_has_no_lease() {
    let circuit = circuit_of(&tracker());
    warm(&circuit);
    let permit = circuit.permit().unwrap();
    assert!(!permit.inspect().unwrap().is_probe);
    assert_eq!(permit.renew(), Ok(()));
    permit.record_success();
    assert_eq!(counted(&circuit), (14, 14));
}

mod forked {
    use super::*;
    use std::ffi::c_int;

    extern "C" {
        fn fork() -> c_int;
        fn waitpid(process: c_int, status: *mut c_int, options: c_int) -> c_int;
        fn _exit(status: c_int) -> !;
    }

    /// Whether `check` holds in a child of this process.
    fn in_a_child(check: impl FnOnce() -> bool) -> bool {
        let mut status = 0;
        // SAFETY: the child does what any thread may do, and ends without unwinding into what it shares with us.
        unsafe {
            match fork() {
                0 => _exit(c_int::from(!catch_unwind(AssertUnwindSafe(check)).unwrap_or(false))),
                child => assert_eq!(waitpid(child, &raw mut status, 0), child),
            }
        }
        status == 0
    }

    #[test]
    fn a_child_goes_on_with_its_own_copy() {
        let tracker = tracker();
        let circuit = circuit_of(&tracker);
        let inherited = thread::scope(|scope| {
            let (sender, receiver) = mpsc::channel();
            let (is_done, done) = mpsc::channel::<()>();
            let circuit = &circuit;
            let other = scope.spawn(move || {
                warm(circuit);
                sender.send(circuit.permit().unwrap()).unwrap();
                let _ = done.recv(); // what it has counted is pending in the child too, where there is no such thread
            });
            warm(circuit);
            let permit = receiver.recv().unwrap();
            assert!(in_a_child(|| {
                // What threads of the parent have pending is handed in for them.
                let text = tracker.metrics(Labels::Provider, 0).unwrap();
                text.contains("trip_permits_total{provider=\"llm\"} 26\n")
            }));
            assert!(in_a_child(|| {
                let before = counted(circuit);
                pairs(circuit, 2000);
                let permit = circuit.permit().unwrap();
                let out = counted(circuit);
                permit.record_failure();
                let after = circuit.inspect().unwrap();
                before == (27, 26)
                    && out == (2028, 2026)
                    && (after.permits, after.failures_total, after.state) == (2028, 1, State::Open)
                    && circuit.permit().is_err()
            }));
            drop(is_done);
            other.join().unwrap(); // altogether: its destructors too
            permit
        });
        assert_on_the_lane(&circuit);
        inherited.record_success();
        assert_eq!(counted(&circuit), (37, 37));
    }
}
