//! The one call, awaited: it waits without blocking, and wherever it is given up it leaves nothing behind.

mod common;

use common::parts::{class, Failed, Parts, BOTH, OUTAGE};
use std::cell::Cell;
use std::future::{pending, poll_fn, ready, Future};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::pin::{pin, Pin};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::task::{yield_now, JoinSet};
use trip::classify::Class;
use trip::{Caller, CallerError, Checked, Dedup, DedupConfig, Error, Permits};

const HOUR: Duration = Duration::from_secs(3600);

/// The shortest time that tokio sleeps.
const TICK: Duration = Duration::from_millis(1);

/// A runtime whose one thread is the caller's: nothing goes on there while a test does.
fn still_runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Waits for one poll.
async fn yield_once() {
    let mut is_first = true;
    poll_fn(|_| if std::mem::take(&mut is_first) { Poll::Pending } else { Poll::Ready(()) }).await;
}

/// Cancels and drops of all circuits.
fn given_up(parts: &Parts) -> (u64, u64) {
    let infos = parts.circuits().map(|circuit| circuit.inspect().unwrap());
    (infos.iter().map(|info| info.cancels).sum(), infos.iter().map(|info| info.drops).sum())
}

#[test]
fn an_awaited_call_does_what_a_call_does() {
    let parts = Parts::with(&common::config().failure_threshold(100), TICK);
    still_runtime().block_on(async {
        let (caller, attempts) = (parts.caller(), Cell::new(0));
        let answer = caller.call_once_async("key", |provider| {
            attempts.set(attempts.get() + 1);
            let attempt = attempts.get();
            async move {
                yield_now().await;
                if attempt < 3 {
                    Err(OUTAGE)
                } else {
                    Ok(String::from_utf8(provider.to_vec()).unwrap())
                }
            }
        });
        assert_eq!(answer.await.unwrap(), "a");
        let again = caller.call_once_async("key", |_| ready(Err::<String, _>(OUTAGE)));
        assert_eq!(again.await.unwrap(), "a");
    });
    let info = parts.circuit.inspect().unwrap();
    assert_eq!((info.permits, info.failures_total, info.successes), (3, 2, 1));
    parts.assert_nothing_is_held();
}

#[test]
fn refusals_are_those_of_a_call() {
    let parts = Parts::new();
    still_runtime().block_on(async {
        let judged = parts.caller();
        let answer = judged.classify(class).call_async(|_| ready(Err::<(), _>(Failed(Class::Auth)))).await;
        assert!(matches!(answer, Err(CallerError::Inner(Failed(Class::Auth)))));
        let long = parts.caller();
        let answer = long.call_once_async(&vec![b'x'; 65537], |_| ready(Ok::<_, Failed>(()))).await;
        assert!(matches!(answer, Err(CallerError::Failed(Error::Invalid))));
        parts.circuits().iter().for_each(|circuit| circuit.trip().unwrap());
        for caller in [parts.caller(), parts.routed()] {
            let answer = caller.call_once_async("key", |_| ready(Ok::<_, Failed>(()))).await;
            assert!(matches!(answer, Err(CallerError::Rejected(_))));
        }
        let places: Vec<_> = std::iter::from_fn(|| parts.gate.acquire().ok()).collect();
        let answer = parts.caller().call_async(|_| ready(Ok::<_, Failed>(()))).await;
        assert!(matches!(answer, Err(CallerError::Shed(_))));
        drop(places);
    });
    parts.assert_nothing_is_held();
}

/// All callers with each way to take permits.
fn callers(parts: &Parts) -> impl Iterator<Item = Caller> {
    let ways = BOTH.map(|permits| [parts.caller().permits(permits), parts.routed().permits(permits)]);
    ways.into_iter().flatten()
}

#[test]
fn given_up_while_it_waits_for_another_it_holds_nothing() {
    let parts = Parts::new();
    still_runtime().block_on(async {
        let Ok(Checked::New(ticket)) = parts.dedup.check("key") else { panic!("nobody else is here") };
        for caller in callers(&parts) {
            let mut call = Box::pin(caller.call_once_async("key", |_| ready(Ok::<_, Failed>(()))));
            assert!(poll(call.as_mut()).is_pending());
            assert_eq!(parts.held(), (0, 0, 1), "only the other one's ticket");
            drop(call);
            assert_eq!(parts.held(), (0, 0, 1));
        }
        drop(ticket);
        parts.assert_nothing_is_held();
    });
    assert_eq!(given_up(&parts), (0, 0));
}

#[test]
fn given_up_within_the_function_it_leaves_nothing() {
    let parts = Parts::new();
    still_runtime().block_on(async {
        for caller in callers(&parts) {
            let mut call = Box::pin(caller.call_once_async("key", |_| pending::<Result<(), Failed>>()));
            assert!(poll(call.as_mut()).is_pending());
            assert_eq!(parts.held(), (1, 1, 1));
            drop(call);
            parts.assert_nothing_is_held();
        }
    });
    assert_eq!(given_up(&parts), (4, 0));
    assert_eq!(parts.gate.inspect().unwrap().released, 4);
}

#[test]
fn given_up_before_a_retry_it_leaves_nothing() {
    let parts = Parts::with(&common::config().failure_threshold(100), HOUR);
    still_runtime().block_on(async {
        for caller in callers(&parts) {
            let mut call = Box::pin(caller.call_once_async("key", |_| ready(Err::<(), _>(OUTAGE))));
            assert!(poll(call.as_mut()).is_pending());
            let (permits, tokens, tickets) = parts.held();
            assert_eq!((tokens, tickets), (1, 1));
            drop(call);
            parts.assert_nothing_is_held();
            // Per call the permit goes on through the wait.
            assert_eq!(given_up(&parts).0 > 0, permits == 1);
        }
    });
    assert_eq!(given_up(&parts), (2, 0));
}

/// One call with a wait for another's ticket, functions that wait, and a retry; given up after each number of polls
/// until one of them is enough.
#[test]
fn given_up_anywhere_it_leaves_nothing() {
    for permits in BOTH {
        let parts = Parts::with(&common::config().failure_threshold(100), TICK);
        let routed = parts.routed().permits(permits);
        still_runtime().block_on(async {
            for polls in 1.. {
                let key = format!("key {polls}");
                let Ok(Checked::New(ticket)) = parts.dedup.check(&key) else { panic!("it is a new key") };
                let mut ticket = Some(ticket);
                let attempts = Cell::new(0);
                let mut call = Box::pin(routed.call_once_async(&key, |_| {
                    attempts.set(attempts.get() + 1);
                    let attempt = attempts.get();
                    async move {
                        yield_once().await;
                        yield_once().await;
                        if attempt == 1 {
                            Err(OUTAGE)
                        } else {
                            Ok(())
                        }
                    }
                }));
                let mut is_over = false;
                for turn in 0..polls {
                    is_over = poll(call.as_mut()).is_ready();
                    if is_over {
                        break;
                    }
                    if turn == 1 {
                        ticket.take().map(trip::Ticket::fail);
                    }
                    tokio::time::sleep(2 * TICK).await; // what it waits for comes
                }
                drop((call, ticket));
                parts.assert_nothing_is_held();
                if is_over {
                    return;
                }
            }
        });
        // With a permit out: at each wait of the functions; per call, before the retry too.
        let (cancels, drops) = given_up(&parts);
        assert!(cancels >= 4 + u64::from(permits == Permits::PerCall), "{cancels}");
        assert_eq!(drops, 0);
    }
}

fn go_wrong() -> Result<(), Failed> {
    panic!("the call went wrong")
}

#[test]
fn a_panic_in_the_function_drops_the_permit() {
    let parts = Parts::new();
    still_runtime().block_on(async {
        for caller in callers(&parts) {
            let mut call = Box::pin(caller.call_once_async("key", |_| async {
                yield_once().await;
                go_wrong()
            }));
            assert!(poll(call.as_mut()).is_pending());
            assert!(catch_unwind(AssertUnwindSafe(|| poll(call.as_mut()))).is_err());
            drop(call);
            parts.assert_nothing_is_held();
        }
    });
    assert_eq!(given_up(&parts), (0, 4));
}

#[test]
fn of_many_tasks_one_calls_and_all_get_the_value() {
    let parts = Arc::new(Parts::new());
    let (caller, calls) = (parts.caller(), Arc::new(AtomicU32::new(0)));
    runtime().block_on(async {
        let mut tasks = JoinSet::new();
        for _ in 0..50 {
            let (caller, calls, parts) = (caller.clone(), Arc::clone(&calls), Arc::clone(&parts));
            tasks.spawn(async move {
                let answer = caller.call_once_async("key", |_| {
                    let (calls, parts) = (Arc::clone(&calls), Arc::clone(&parts));
                    async move {
                        while parts.dedup.inspect().unwrap().joined < 49 {
                            yield_now().await;
                        }
                        assert_eq!(parts.held(), (1, 1, 1), "who waits holds nothing");
                        Ok::<_, Failed>(calls.fetch_add(1, Ordering::Relaxed).to_string())
                    }
                });
                answer.await.unwrap()
            });
        }
        assert!(tasks.join_all().await.iter().all(|answer| answer == "0"));
    });
    parts.assert_nothing_is_held();
}

#[test]
fn of_those_who_wait_the_next_one_calls_when_one_is_given_up() {
    let parts = Parts::new();
    let caller = parts.caller();
    runtime().block_on(async {
        let mut first = Box::pin(caller.call_once_async("key", |_| pending::<Result<String, Failed>>()));
        assert!(poll(first.as_mut()).is_pending());
        let mut tasks = JoinSet::new();
        for number in 0..10 {
            let caller = caller.clone();
            tasks.spawn(async move {
                caller.call_once_async("key", |_| ready(Ok::<_, Failed>(number.to_string()))).await.unwrap()
            });
        }
        while parts.dedup.inspect().unwrap().joined < 10 {
            yield_now().await;
        }
        drop(first);
        let answers = tasks.join_all().await;
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    });
    parts.assert_nothing_is_held();
}

#[test]
fn a_gate_is_never_exceeded_by_tasks() {
    let parts = Parts::new();
    let (caller, inside) = (parts.caller(), Arc::new(AtomicU32::new(0)));
    runtime().block_on(async {
        let mut tasks = JoinSet::new();
        for turn in 0..200_u32 {
            let (caller, inside) = (caller.clone(), Arc::clone(&inside));
            tasks.spawn(async move {
                let call = caller.call_async(|_| {
                    let inside = Arc::clone(&inside);
                    async move {
                        assert!(inside.fetch_add(1, Ordering::SeqCst) < 4);
                        let within = Within(inside);
                        yield_now().await;
                        drop(within);
                        if turn % 3 == 0 {
                            Err(OUTAGE)
                        } else {
                            Ok(())
                        }
                    }
                });
                // Some give up.
                let mut call = pin!(call);
                for _ in 0..turn % 4 {
                    if poll_fn(|context| Poll::Ready(call.as_mut().poll(context).is_ready())).await {
                        return;
                    }
                    yield_now().await;
                }
            });
        }
        tasks.join_all().await;
    });
    parts.assert_nothing_is_held();
}

struct Within(Arc<AtomicU32>);

impl Drop for Within {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[test]
fn the_permit_of_a_call_is_kept_through_its_attempts() {
    let parts = Parts::with(&common::config().failure_threshold(100), HOUR);
    still_runtime().block_on(async {
        let caller = parts.caller().permits(Permits::PerCall);
        let mut call = Box::pin(caller.call_async(|_| ready(Err::<(), _>(OUTAGE))));
        assert!(poll(call.as_mut()).is_pending());
        assert_eq!(parts.held(), (1, 1, 0));
        drop(call);
    });
    parts.assert_nothing_is_held();
}

#[test]
fn who_waits_learns_that_the_deduplicator_is_destroyed() {
    let dedup = Dedup::new(&DedupConfig::default()).unwrap();
    runtime().block_on(async {
        let ticket = dedup.check("key").unwrap();
        let mut waiters = JoinSet::new();
        for _ in 0..3 {
            let dedup = dedup.clone();
            waiters.spawn(async move { dedup.wait_async("key").await.map(drop) });
        }
        while dedup.inspect().unwrap().joined < 3 {
            yield_now().await;
        }
        dedup.destroy().unwrap();
        assert!(waiters.join_all().await.iter().all(|answer| *answer == Err(Error::Handle)));
        drop(ticket);
        assert_eq!(dedup.wait_async("key").await.map(drop), Err(Error::Handle));
        let other = Dedup::new(&DedupConfig::default()).unwrap();
        assert_eq!(other.wait_async(vec![b'x'; 65537]).await.map(drop), Err(Error::Invalid));
    });
}
