//! Circuit breakers as a tower layer: a circuit for each tenant and provider, which stops calls to a provider that is
//! down and lets them through again when it is back. The circuits are [`trip`]'s, shared with every language in the
//! process.
//!
//! ```
//! use tower::{Service, ServiceBuilder, ServiceExt};
//! use trip_tower::CircuitLayer;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let ask = |question: &'static str| async move { Ok::<_, std::io::Error>(question.len()) };
//! let tracker = trip::Tracker::new(&trip::Config::default())?;
//! let layer = CircuitLayer::new(tracker.circuit("acme", "openai")?);
//! let mut service = ServiceBuilder::new().layer(layer).service_fn(ask);
//!
//! match service.ready().await?.call("what is it?").await {
//!     Ok(answer) => println!("{answer}"),
//!     Err(trip::CallError::Rejected(rejected)) => println!("down, retry in {:?}", rejected.retry_after),
//!     Err(trip::CallError::Inner(error)) => println!("the call failed: {error}"),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What a call teaches its circuit
//!
//! Unless told otherwise every `Ok` is a success and every `Err` a failure. [`CircuitLayer::classify`] takes a function
//! that says more precisely what an answer is. With the feature `http`, `CircuitLayer::http` knows what statuses, error
//! bodies and `Retry-After` mean, and watches bodies to their end: a stream that is cut is a failure, one that its
//! caller drops is none.
//!
//! When the future of a call is dropped, by a timeout or because its task is cancelled, its caller gave up: the permit
//! is cancelled at once, and the place of a probe is free. A timeout that should count against the provider belongs
//! under the circuit, nearer to the service:
//!
//! ```
//! # use std::time::Duration;
//! # use trip_tower::CircuitLayer;
//! # fn stack(circuit: trip::Circuit) {
//! # let send = |_: ()| async { Ok::<_, std::io::Error>(()) };
//! let client = tower::ServiceBuilder::new()
//!     .layer(CircuitLayer::new(circuit))
//!     .timeout(Duration::from_secs(30)) // its error is a failure of the provider
//!     .service_fn(send);
//! # let _ = tower::ServiceExt::<()>::ready_oneshot(client);
//! # }
//! ```
//!
//! # Errors
//!
//! The error of a service is [`trip::CallError`]: the refusal, with when to come back, or the error of the service
//! behind. Tower's own layers that add an error box all of them; here the refusal is what a caller wants to see, and it
//! is found by `match`, without a downcast and without losing the type of the other. Layers that want boxed errors, such
//! as tower's `Buffer`, get them by [`into_boxed`](trip::CallError::into_boxed):
//!
//! ```
//! # use trip_tower::CircuitLayer;
//! # fn stack(circuit: trip::Circuit) {
//! # let send = |_: ()| async { Ok::<_, std::io::Error>(()) };
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let client = tower::ServiceBuilder::new()
//!     .buffer(100)
//!     .map_err(trip::CallError::into_boxed)
//!     .layer(CircuitLayer::new(circuit))
//!     .service_fn(send);
//! # let _ = tower::ServiceExt::<()>::ready_oneshot(client);
//! # });
//! # }
//! ```
//!
//! An error of the library itself lets the call through: the breaker must never be the outage.
//!
//! # Features
//!
//! | feature | what it adds |
//! | --- | --- |
//! | `http` | `CircuitLayer::http`, `Http` and `WatchedBody`, over the crates `http` and `http-body` |
//!
//! # Versions
//!
//! The crate needs Rust 1.85, a later Rust is asked for by a minor version only, and versions are semantic. Those of
//! `trip`, `tower-service`, `http` and `http-body` are part of its interface.
#![deny(missing_docs, unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod calling;
mod choose;
#[cfg(feature = "http")]
mod http;
mod judge;
mod layer;
mod service;
#[cfg(feature = "http")]
mod transcript;
#[cfg(feature = "http")]
mod watched;

pub use calling::Calling;
pub use choose::{ByRequest, Choose};
#[cfg(feature = "http")]
pub use http::{ByError, Http, JudgeError};
pub use judge::{ByResult, EveryErrorFails, Judge};
pub use layer::CircuitLayer;
pub use service::{Guarded, ResponseFuture};
#[cfg(feature = "http")]
pub use watched::WatchedBody;

/// What a request holds may be shared by threads and sent between them.
const _: () = {
    const fn is_shared<T: Send + Sync>() {}
    is_shared::<Calling>();
    is_shared::<CircuitLayer<trip::Circuit>>();
    is_shared::<Guarded<(), trip::Circuit, EveryErrorFails>>();
    is_shared::<ResponseFuture<(), EveryErrorFails>>();
    #[cfg(feature = "http")]
    is_shared::<CircuitLayer<trip::Circuit, Http>>();
    #[cfg(feature = "http")]
    is_shared::<WatchedBody<()>>();
};
