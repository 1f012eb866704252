//! Descriptors: what waited for events, or for another's call, leaves none open and none watched. A test program of its
//! own with one test, so that no other opens any meanwhile.

mod common;

use common::{circuit_of, tracker};
use std::fs;
use std::future::ready;
use tokio::runtime::Builder;
use trip::{Caller, Checked, Dedup, DedupConfig, Tracker};

/// The descriptors of this process, each with what it is.
fn open_descriptors() -> Vec<String> {
    let entries = fs::read_dir("/proc/self/fd").unwrap().map(|entry| entry.unwrap().path());
    let mut open: Vec<_> = entries.filter_map(|path| Some(fs::read_link(path).ok()?.display().to_string())).collect();
    open.retain(|target| !target.starts_with("/proc/")); // the folder that is being read
    open.sort();
    open
}

/// How many descriptors the runtime watches: whatever copies it has of its epoll instance, each tells all of them.
fn watched() -> usize {
    let infos = fs::read_dir("/proc/self/fdinfo").unwrap().map(|entry| entry.unwrap().path());
    infos.filter_map(|path| fs::read_to_string(path).ok()).map(|info| info.matches("tfd:").count()).max().unwrap()
}

async fn wait_and_give_up(tracker: &Tracker) {
    let before = watched();
    let waiting = [(); 5].map(|()| {
        let mut events = tracker.events().unwrap();
        tokio::spawn(async move { events.next().await.map(drop) })
    });
    tokio::task::yield_now().await;
    assert_eq!(watched(), before + 5);
    for task in &waiting {
        task.abort();
    }
    for task in waiting {
        assert!(task.await.unwrap_err().is_cancelled());
    }
    assert_eq!(watched(), before);
}

/// As whole calls, and by themselves.
async fn wait_for_another_and_give_up(tracker: &Tracker, dedup: &Dedup) {
    let (before, open) = (watched(), open_descriptors());
    let Ok(Checked::New(ticket)) = dedup.check("key") else { panic!("nobody else is here") };
    let caller = Caller::of(&circuit_of(tracker)).dedup(dedup);
    let waiting = [(); 5].map(|()| {
        let (dedup, caller) = (dedup.clone(), caller.clone());
        [
            tokio::spawn(async move { dedup.wait_async("key").await.map(drop).is_ok() }),
            tokio::spawn(async move { caller.call_once_async("key", |_| ready(Ok::<_, ()>(()))).await.is_ok() }),
        ]
    });
    let (given_up, others) = waiting.split_at(3);
    while watched() < before + 10 {
        tokio::task::yield_now().await;
    }
    for task in given_up.iter().flatten() {
        task.abort();
    }
    while watched() > before + 4 {
        tokio::task::yield_now().await;
    }
    drop(ticket); // the others go on, one after the other
    while !others.iter().flatten().all(tokio::task::JoinHandle::is_finished) {
        tokio::task::yield_now().await;
    }
    assert_eq!((watched(), open_descriptors()), (before, open));
    assert_eq!(dedup.inspect().unwrap().in_progress, 0);
    dedup.forget("key").unwrap();
}

#[test]
fn who_has_waited_leaves_nothing_behind() {
    let before = open_descriptors();
    let runtime = Builder::new_current_thread().enable_io().build().unwrap();
    runtime.block_on(async {
        let tracker = tracker();
        for _ in 0..3 {
            wait_and_give_up(&tracker).await;
        }
        let dedup = tracker.dedup(&DedupConfig::default()).unwrap();
        for _ in 0..3 {
            wait_for_another_and_give_up(&tracker, &dedup).await;
        }
        let mut events = tracker.events().unwrap();
        circuit_of(&tracker).trip().unwrap();
        assert!(events.next().await.unwrap().is_some());
        tracker.destroy().unwrap();
        assert_eq!(events.next().await, Ok(None));
    });
    drop(runtime);
    assert_eq!(open_descriptors(), before);
}
