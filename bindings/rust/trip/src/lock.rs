//! A lock for short whiles that no fork leaves locked: in a child of this process the thread that held it is gone.

use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

/// 0, or the process of the thread that holds it: of another process it is free. All zeros are a free lock.
pub(crate) struct Lock(AtomicU32);

impl Lock {
    pub(crate) const fn new() -> Self {
        Lock(AtomicU32::new(0))
    }

    pub(crate) fn held<T>(&self, act: impl FnOnce() -> T) -> T {
        let own = process::id();
        while !self.is_taken_over(0, own) {
            let holder = self.0.load(Ordering::Relaxed);
            if holder != 0 && holder != own && self.is_taken_over(holder, own) {
                break;
            }
            thread::yield_now();
        }
        let result = act();
        self.0.store(0, Ordering::Release);
        result
    }

    /// Whether a thread of this process holds it.
    pub(crate) fn is_held(&self) -> bool {
        self.0.load(Ordering::Acquire) == process::id()
    }

    fn is_taken_over(&self, holder: u32, own: u32) -> bool {
        self.0.compare_exchange(holder, own, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thread_at_a_time_holds_it() {
        let (lock, mut count) = (Lock::new(), 0_u32);
        let place = AtomicU32::new(0);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..10_000 {
                        lock.held(|| place.store(place.load(Ordering::Relaxed) + 1, Ordering::Relaxed));
                    }
                });
            }
        });
        lock.held(|| count = place.load(Ordering::Relaxed));
        assert_eq!(count, 40_000);
    }

    #[test]
    fn what_another_process_holds_is_free() {
        let lock = Lock(AtomicU32::new(process::id() + 1));
        assert!(!lock.is_held());
        assert!(lock.held(|| lock.is_held()));
        assert!(!lock.is_held());
    }
}
