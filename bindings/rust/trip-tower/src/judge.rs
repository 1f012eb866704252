//! What the answer to a request says of the provider: by the library's rules, or by a function of the caller's.

use crate::calling::Calling;
use std::fmt;
use trip::classify::{Class, Outcome};

/// Learns how a request ended, and records it. [`EveryErrorFails`] and [`ByResult`] do so when the answer is there, and
/// `Http`, with the feature `http`, when its body has ended.
///
/// ```
/// use trip::classify::Class;
/// use trip_tower::{Calling, CircuitLayer, Judge};
///
/// /// An answer that is thought over: how it went is known when somebody has looked at it.
/// struct Draft(u32, Calling);
///
/// impl Draft {
///     fn look(self) -> u32 {
///         self.1.record(if self.0 == 42 { Class::Success } else { Class::ServerError });
///         self.0
///     }
/// }
///
/// struct Later;
///
/// impl<E> Judge<u32, E> for Later {
///     type Response = Draft;
///
///     fn judge(&self, answer: Result<u32, E>, calling: Calling) -> Result<Draft, E> {
///         match answer {
///             Ok(number) => Ok(Draft(number, calling)),
///             Err(error) => {
///                 calling.record(Class::Network);
///                 Err(error)
///             }
///         }
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use tower::{Service, ServiceBuilder, ServiceExt};
/// # let tracker = trip::Tracker::new(&trip::Config::default())?;
/// # let circuit = tracker.circuit("acme", "llm")?;
/// let layer = CircuitLayer::new(circuit.clone()).judged_by(Later);
/// let mut service = ServiceBuilder::new().layer(layer).service_fn(|()| async { Ok::<_, std::fmt::Error>(42) });
/// let draft = service.ready().await?.call(()).await?;
/// assert_eq!(circuit.inspect()?.successes, 0);
/// draft.look();
/// assert_eq!(circuit.inspect()?.successes, 1);
/// # Ok(())
/// # }
/// ```
pub trait Judge<Response, Error> {
    /// What the caller gets in place of the answer: the same, unless it has to be watched.
    type Response;

    /// Records the answer on `calling`, or keeps that with the answer until it is known how it ends.
    ///
    /// # Errors
    /// That of the answer.
    fn judge(&self, answer: Result<Response, Error>, calling: Calling) -> Result<Self::Response, Error>;
}

/// Every `Ok` is a success and every `Err` a failure, as by `Circuit::call`: what a layer does unless told otherwise.
#[derive(Clone, Copy, Debug, Default)]
pub struct EveryErrorFails;

impl<Response, Error> Judge<Response, Error> for EveryErrorFails {
    type Response = Response;

    fn judge(&self, answer: Result<Response, Error>, calling: Calling) -> Result<Response, Error> {
        calling.record(if answer.is_ok() { Class::Success } else { Class::ServerError });
        answer
    }
}

/// Asks a function what an answer says: see [`CircuitLayer::classify`](crate::CircuitLayer::classify).
#[derive(Clone, Copy)]
pub struct ByResult<F>(pub(crate) F);

impl<Response, Error, F, O> Judge<Response, Error> for ByResult<F>
where
    F: Fn(&Result<Response, Error>) -> O,
    O: Into<Outcome>,
{
    type Response = Response;

    fn judge(&self, answer: Result<Response, Error>, mut calling: Calling) -> Result<Response, Error> {
        let outcome = calling.busy(|| (self.0)(&answer).into());
        calling.record(outcome);
        answer
    }
}

impl<F> fmt::Debug for ByResult<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByResult").finish_non_exhaustive()
    }
}
