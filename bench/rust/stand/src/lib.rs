//! A stand: a program that times breakers of its language, one run per line of its input. `bench/README.md` has the
//! protocol. This crate owns the protocol, the clock and the names; it knows no peer.

mod names;
mod protocol;
mod timing;

pub use names::{name, requests, Request, Requests};
pub use protocol::{locked_version, serve};

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

/// Makes so many calls, and returns how many were not answered as they should be.
pub type Run = Box<dyn FnMut(u64) -> u64 + Send>;

/// What is timed: `prepare` makes the run of each thread, once.
pub struct Column {
    name: &'static str,
    threads: usize,
    prepare: Box<dyn Fn(usize) -> Run>,
}

/// Somebody who is measured.
pub struct Peer {
    name: &'static str,
    version: String,
    licence: &'static str,
    configuration: &'static str,
    columns: Vec<Column>,
    fill: Option<fn(u64)>,
}

impl Column {
    pub fn new<R: FnMut(u64) -> u64 + Send + 'static>(name: &'static str, prepare: impl Fn() -> R + 'static) -> Self {
        Self::threads(name, 1, move |_| prepare())
    }

    /// On two threads, which are told apart by their number.
    pub fn two_threads<R: FnMut(u64) -> u64 + Send + 'static>(
        name: &'static str,
        prepare: impl Fn(usize) -> R + 'static,
    ) -> Self {
        Self::threads(name, 2, prepare)
    }

    fn threads<R: FnMut(u64) -> u64 + Send + 'static>(
        name: &'static str,
        threads: usize,
        prepare: impl Fn(usize) -> R + 'static,
    ) -> Self {
        Column { name, threads, prepare: Box::new(move |thread| Box::new(prepare(thread))) }
    }
}

impl Peer {
    pub fn new(name: &'static str, version: String, licence: &'static str, configuration: &'static str) -> Self {
        Peer { name, version, licence, configuration, columns: Vec::new(), fill: None }
    }

    #[must_use]
    pub fn column(mut self, column: Column) -> Self {
        self.columns.push(column);
        self
    }

    /// Says how to make so many circuits that stay until the stand ends.
    #[must_use]
    pub fn memory(mut self, fill: fn(u64)) -> Self {
        self.fill = Some(fill);
        self
    }
}

/// A run of calls, each of which says whether it was answered as it should be.
pub fn repeat(mut call: impl FnMut() -> bool + Send) -> impl FnMut(u64) -> u64 + Send {
    move |calls| (0..calls).map(|_| u64::from(!call())).sum()
}

/// Waits for a future on this thread. Once for a whole run: waking a thread is no part of what is timed.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}
