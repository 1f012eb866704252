//! Descriptors: what waited for events leaves none open and none watched. A test program of its own with one test, so that
//! no other opens any meanwhile.

mod common;

use common::{circuit_of, tracker};
use std::fs;
use tokio::runtime::Builder;
use trip::Tracker;

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

#[test]
fn who_has_waited_leaves_nothing_behind() {
    let before = open_descriptors();
    let runtime = Builder::new_current_thread().enable_io().build().unwrap();
    runtime.block_on(async {
        let tracker = tracker();
        for _ in 0..3 {
            wait_and_give_up(&tracker).await;
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
