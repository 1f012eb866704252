//! Circuit breakers shared by every language in a process: the Rust binding of libtrip.
//!
//! Before a program calls a remote provider it asks that provider's circuit for a [`Permit`]; afterwards it records on
//! the permit how the call went. After enough failures in a row the circuit opens and refuses permits at once, so that
//! nobody waits for a provider that is down; later it lets a few probes through and closes again when they succeed.
//! Circuits are kept per (tenant, provider): one tenant's failures never stop another tenant's calls.
//!
//! ```
//! # fn ask_the_model() -> Result<String, std::io::Error> { Ok("42".into()) }
//! let tracker = trip::Tracker::new(&trip::Config::default().failure_threshold(3))?;
//! let circuit = tracker.circuit("acme", "llm")?;
//!
//! match circuit.call(|| ask_the_model()) {
//!     Ok(text) => println!("{text}"),
//!     Err(trip::CallError::Rejected(rejected)) => println!("retry in {:?}", rejected.retry_after),
//!     Err(trip::CallError::Inner(error)) => println!("the call failed: {error}"),
//! }
//! # Ok::<_, trip::Error>(())
//! ```
//!
//! The same by hand, for a call that is made in one place and judged in another:
//!
//! ```
//! # let tracker = trip::Tracker::new(&trip::Config::default())?;
//! # let circuit = tracker.circuit("acme", "llm")?;
//! match circuit.admit() {
//!     Err(rejected) => println!("retry in {:?}", rejected.retry_after),
//!     Ok(permit) => {
//!         // None: the library could not say, which it tells the tracker's reporter. The breaker is never the outage.
//!         permit.map(trip::Permit::record_success); // or record_failure, or cancel; dropped, it counts as a failure
//!     }
//! }
//! # assert_eq!(circuit.inspect()?.successes, 1);
//! # Ok::<_, trip::Error>(())
//! ```
//!
//! What kind of failure it was, [`classify`] tells, and [`Permit::record`] and [`Circuit::call_classified`] settle by
//! that: a caller's mistake does not count against the provider. A long response tells of its
//! [progress](Permit::progress).
//!
//! Who operates the program sees, explains and steers circuits while they run: [`Tracker::circuits`],
//! [`Circuit::explain`], [`Tracker::metrics`], [`Circuit::set_mode`], [`Tracker::configure`]. What happens is told by
//! [`Tracker::take_events`] and, with the feature `tokio`, to whoever awaits `Tracker::events`. A restarted process
//! goes on where the last one was: [`Tracker::snapshot`], [`Tracker::restore`].
//!
//! # Recovery that is awaited
//!
//! With the feature `tokio`, `Circuit::wait_for_permit` waits for a circuit that is open, without holding a thread, and
//! `Circuit::recovered` does so without taking a permit.
//!
//! # Around the permit
//!
//! Around the permit stand, each usable alone, [`Retry`], [`Dedup`], [`Gate`], [`Route`], [`Pipeline`] and
//! [`FunctionGuard`]; a [`Caller`] is made of them, and makes the one call that does it all. The crate `trip-tower` puts
//! circuits before services of tower, such as clients of hyper.
//!
//! # Features
//!
//! | feature | what it adds |
//! | --- | --- |
//! | `tokio` | `Tracker::events`, `Circuit::recovered` and `wait_for_permit`, `Dedup::wait_async`, `Caller::call_async` |
//! | `stream` | `Events` is a `Stream` |
//! | `bundled` | compiles the copy of the library that the packaged `trip-sys` carries, even where one is installed |
//!
//! [`Circuit::call_async`] and its kin need none of them, and run on any runtime.
//!
//! # Which library
//!
//! All languages of a process share the circuits of one `libtrip.so`, which `trip-sys` finds through pkg-config. Where
//! none is installed it compiles a copy of its own, and a C compiler is all it takes.
//!
//! # Versions
//!
//! The crate has the version of the library that it was made with, and runs with every later 1.x of it. Versions are
//! semantic: what is public stays, errors and structs that may grow are `#[non_exhaustive]`. It needs Rust 1.85, and a
//! later Rust is asked for by a minor version only. Those who use the feature `stream` see `futures-core` 0.3.
#![deny(missing_docs, unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod call;
mod caller;
mod circuit;
pub mod classify;
mod config;
mod dedup;
mod error;
mod event;
mod ffi;
mod fields;
mod gate;
mod guard;
mod hint;
mod key;
mod lane;
mod listing;
mod lock;
mod part;
mod permit;
mod pipeline;
#[cfg(feature = "tokio")]
mod recovery;
mod rejection;
mod remember;
mod retry;
mod route;
mod seat;
mod seeing;
mod selector;
mod snapshot;
mod steering;
mod strays;
#[cfg(feature = "tokio")]
mod stream;
mod tally;
mod time;
mod tracker;
#[cfg(feature = "tokio")]
mod watching;

pub use call::{CallError, Outcome};
pub use caller::{Call, Caller, CallerError, Classify, EveryErrorFails, Permits};
pub use circuit::{Circuit, CircuitInfo};
pub use config::Config;
pub use dedup::{Checked, Dedup, DedupConfig, DedupInfo, Ticket};
pub use error::{ConfigError, Error, SignatureError};
pub use event::{Event, EventBatch};
pub use gate::{AcquireError, Gate, GateConfig, GateInfo, Shed, Token};
pub use guard::{Function, FunctionGuard, GuardConfig, Value};
pub use hint::{parse_retry_hint, InvalidHint};
pub use listing::Circuits;
pub use permit::{Permit, PermitInfo, Settled};
pub use pipeline::{Pipeline, RunError, StageError, StageFailure};
pub use rejection::{PermitError, Rejected};
pub use remember::Remember;
pub use retry::{Attempt, Classes, NoRetry, Retry, RetryConfig, RetryInfo};
pub use route::{Route, RouteConfig, Routed};
pub use selector::{
    Adapt, Backoff, Cause, Clock, Effect, EventKind, Fallback, Feature, Jitter, Labels, Mode, OnDrop, Order, Reason,
    Rule, Scope, State,
};
pub use steering::Policy;
#[cfg(feature = "tokio")]
pub use stream::Events;
pub use tracker::Tracker;

/// The version of the installed library, such as `"1.0.0"`.
///
/// ```
/// assert!(trip::version().starts_with("1."));
/// ```
#[must_use]
pub fn version() -> &'static str {
    ffi::version()
}

/// The version of the ABI that the installed library has: major and minor.
#[must_use]
pub fn abi_version() -> (u16, u16) {
    let [major_high, major_low, minor_high, minor_low] = ffi::abi_version().to_be_bytes();
    (u16::from_be_bytes([major_high, major_low]), u16::from_be_bytes([minor_high, minor_low]))
}

/// Whether the installed library has a feature. One that was built without libffi lacks [`Feature::Guards`].
///
/// ```
/// if !trip::has_feature(trip::Feature::Guards) {
///     println!("this library has no guards around C functions");
/// }
/// ```
#[must_use]
pub fn has_feature(feature: Feature) -> bool {
    ffi::has_feature(feature.into())
}

/// All of it may be shared by threads and sent between them, and what a call passes on is small.
const _: () = {
    const fn is_shared<T: Send + Sync>() {}
    is_shared::<Tracker>();
    is_shared::<Circuit>();
    is_shared::<Permit>();
    is_shared::<PermitError>();
    is_shared::<CallError<Error>>();
    is_shared::<Circuits>();
    is_shared::<Event>();
    is_shared::<Retry>();
    is_shared::<Dedup>();
    is_shared::<Ticket>();
    is_shared::<Gate>();
    is_shared::<Token>();
    is_shared::<Route>();
    is_shared::<Pipeline>();
    is_shared::<FunctionGuard>();
    is_shared::<Caller>();
    is_shared::<CallerError<Error>>();
    #[cfg(feature = "tokio")]
    is_shared::<Events>();
    assert!(size_of::<Permit>() <= 32 && size_of::<Rejected>() <= 96 && size_of::<Circuit>() <= 64);
};
