//! Calls under a circuit: ask for a permit, make the call, record how it went.
//!
//! A library error never keeps a call from being made: it is told to the tracker's reporter, and the call goes through
//! unguarded.

use crate::circuit::Circuit;
use crate::classify;
use crate::permit::{Permit, Settled};
use crate::rejection::{PermitError, Rejected};
use std::fmt;
use std::future::{poll_fn, Future};
use std::pin::pin;

/// Why a guarded call has no result.
///
/// ```
/// # let tracker = trip::Tracker::new(&trip::Config::default())?;
/// # let circuit = tracker.circuit("acme", "llm")?;
/// circuit.trip()?;
/// let answer = circuit.call(|| Err::<(), _>(std::fmt::Error));
/// assert!(answer.unwrap_err().rejected().is_some());
/// # Ok::<_, trip::Error>(())
/// ```
#[derive(Clone, Debug)]
pub enum CallError<E> {
    /// The circuit refused: the call was not made.
    Rejected(Rejected),
    /// The call was made and failed.
    Inner(E),
}

/// What a call told about its provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The provider answered as it should, if only to say that the request was wrong.
    Success,
    /// The provider failed.
    Failure,
    /// Nothing: the provider was not reached, for a reason of our own.
    Cancel,
}

impl Circuit {
    /// Makes a call under a permit. `Ok` is recorded as a success, and every `Err` as a failure: where some errors are
    /// the caller's own fault, use [`call_classified`](Self::call_classified) or [`call_judged`](Self::call_judged). A
    /// panic drops the permit.
    ///
    /// ```
    /// # let tracker = trip::Tracker::new(&trip::Config::default())?;
    /// # let circuit = tracker.circuit("acme", "llm")?;
    /// # let ask = || Ok::<_, std::io::Error>("42");
    /// match circuit.call(ask) {
    ///     Ok(text) => assert_eq!(text, "42"),
    ///     Err(trip::CallError::Rejected(rejected)) => println!("retry in {:?}", rejected.retry_after),
    ///     Err(trip::CallError::Inner(error)) => println!("the call failed: {error}"),
    /// }
    /// # Ok::<_, trip::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`CallError::Rejected`]: the circuit refused. [`CallError::Inner`]: the call's own error.
    #[inline]
    pub fn call<T, E>(&self, call: impl FnOnce() -> Result<T, E>) -> Result<T, CallError<E>> {
        self.guarded(|permit, _| permit.record_failure(), call)
    }

    /// Makes a call under a permit, and records each error as `judge` says.
    ///
    /// ```
    /// # let tracker = trip::Tracker::new(&trip::Config::default())?;
    /// # let circuit = tracker.circuit("acme", "llm")?;
    /// # struct Refused(u16);
    /// # let ask = || Err::<(), _>(Refused(400));
    /// // A request that the provider finds fault with says nothing against the provider.
    /// let judge = |error: &Refused| if error.0 < 500 { trip::Outcome::Success } else { trip::Outcome::Failure };
    /// let answer = circuit.call_judged(judge, ask);
    /// # assert!(answer.is_err());
    /// assert_eq!(circuit.inspect()?.failures, 0);
    /// # Ok::<_, trip::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`call`](Self::call).
    #[inline]
    pub fn call_judged<T, E>(
        &self,
        judge: impl FnOnce(&E) -> Outcome,
        call: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, CallError<E>> {
        self.guarded(|permit, error| judge(error).settle(permit), call)
    }

    /// Makes a call under a permit, and records each error as `classify` says: as its class counts in the
    /// [`Config`](crate::Config). [`classify`](crate::classify) knows most of what providers say.
    ///
    /// ```
    /// # let tracker = trip::Tracker::new(&trip::Config::default())?;
    /// # let circuit = tracker.circuit("acme", "llm")?;
    /// # struct Refused(u16, &'static str);
    /// # let ask = || Err::<(), _>(Refused(401, ""));
    /// let answer = circuit.call_classified(|error: &Refused| trip::classify::http(error.0, error.1), ask);
    /// # assert!(answer.is_err());
    /// assert_eq!(circuit.inspect()?.failures, 0);
    /// # Ok::<_, trip::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`call`](Self::call).
    #[inline]
    pub fn call_classified<T, E, O: Into<classify::Outcome>>(
        &self,
        classify: impl FnOnce(&E) -> O,
        call: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, CallError<E>> {
        self.guarded(|permit, error| permit.record(classify(error)), call)
    }

    #[inline]
    fn guarded<T, E>(
        &self,
        settle_failed: impl FnOnce(Permit, &E) -> Settled,
        call: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, CallError<E>> {
        let permit = match self.permit() {
            Ok(permit) => permit,
            Err(PermitError::Rejected(rejected)) => return Err(CallError::Rejected(rejected)),
            Err(PermitError::Failed(error)) => {
                self.report(&error);
                return call().map_err(CallError::Inner);
            }
        };
        let result = call();
        self.settle(permit, &result, settle_failed);
        result.map_err(CallError::Inner)
    }

    /// [`call`](Self::call) for a future, on any runtime. The permit is asked for when the future is first polled. When
    /// the future is dropped before it is ready, its caller gave up: the permit is cancelled. A panic drops the permit.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub async fn call_async<T, E>(&self, call: impl Future<Output = Result<T, E>>) -> Result<T, CallError<E>> {
        self.guarded_async(|permit, _| permit.record_failure(), call).await
    }

    /// [`call_judged`](Self::call_judged) for a future, as [`call_async`](Self::call_async).
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub async fn call_async_judged<T, E>(
        &self,
        judge: impl FnOnce(&E) -> Outcome,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, CallError<E>> {
        self.guarded_async(|permit, error| judge(error).settle(permit), call).await
    }

    /// [`call_classified`](Self::call_classified) for a future, as [`call_async`](Self::call_async).
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub async fn call_async_classified<T, E, O: Into<classify::Outcome>>(
        &self,
        classify: impl FnOnce(&E) -> O,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, CallError<E>> {
        self.guarded_async(|permit, error| permit.record(classify(error)), call).await
    }

    async fn guarded_async<T, E>(
        &self,
        settle_failed: impl FnOnce(Permit, &E) -> Settled,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, CallError<E>> {
        let mut calling = Calling { permit: self.admit().map_err(CallError::Rejected)?, is_waiting: false };
        let result = noting_waits(call, &mut calling.is_waiting).await;
        if let Some(permit) = calling.permit.take() {
            self.settle(permit, &result, settle_failed);
        }
        result.map_err(CallError::Inner)
    }

    /// Asks for a permit as [`permit`](Self::permit) does, and passes over errors of the library, as every call through
    /// this crate does: `None` is a call without a permit, and the tracker's reporter has been told why.
    ///
    /// ```
    /// # let tracker = trip::Tracker::new(&trip::Config::default())?;
    /// # let circuit = tracker.circuit("acme", "llm")?;
    /// # fn ask_the_model() {}
    /// match circuit.admit() {
    ///     Err(rejected) => println!("retry in {:?}", rejected.retry_after),
    ///     Ok(permit) => {
    ///         ask_the_model();
    ///         permit.map(trip::Permit::record_success);
    ///     }
    /// }
    /// # assert_eq!(circuit.inspect()?.successes, 1);
    /// # Ok::<_, trip::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Rejected`]: the circuit says no; do not call.
    pub fn admit(&self) -> Result<Option<Permit>, Rejected> {
        match self.permit() {
            Ok(permit) => Ok(Some(permit)),
            Err(PermitError::Rejected(rejected)) => Err(rejected),
            Err(PermitError::Failed(error)) => {
                self.report(&error);
                Ok(None)
            }
        }
    }

    #[inline]
    fn settle<T, E>(&self, permit: Permit, result: &Result<T, E>, settle_failed: impl FnOnce(Permit, &E) -> Settled) {
        let settled = match result {
            Ok(_) => permit.record_success(),
            Err(error) => settle_failed(permit, error),
        };
        if let Settled::Failed(error) = settled {
            self.report(&error);
        }
    }
}

impl<E> CallError<E> {
    /// The refusal, where it is one.
    pub fn rejected(&self) -> Option<&Rejected> {
        match self {
            CallError::Rejected(rejected) => Some(rejected),
            CallError::Inner(_) => None,
        }
    }

    /// The same as an error of any kind, for code that keeps those: a [`Rejected`] is found again by
    /// [`downcast_ref`](std::error::Error#method.downcast_ref).
    ///
    /// ```
    /// # let tracker = trip::Tracker::new(&trip::Config::default())?;
    /// # let circuit = tracker.circuit("acme", "llm")?;
    /// circuit.trip()?;
    /// let error = circuit.call(|| Err::<(), _>(std::fmt::Error)).unwrap_err().into_boxed();
    /// assert!(error.downcast_ref::<trip::Rejected>().is_some());
    /// # Ok::<_, trip::Error>(())
    /// ```
    pub fn into_boxed(self) -> Box<dyn std::error::Error + Send + Sync>
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        match self {
            CallError::Rejected(rejected) => rejected.into(),
            CallError::Inner(error) => error.into(),
        }
    }
}

impl Outcome {
    #[inline]
    fn settle(self, permit: Permit) -> Settled {
        match self {
            Outcome::Success => permit.record_success(),
            Outcome::Failure => permit.record_failure(),
            Outcome::Cancel => permit.cancel(),
        }
    }
}

/// Awaits, and notes between two polls that it does: what is dropped meanwhile was given up, and has not panicked.
pub(crate) async fn noting_waits<F: Future>(future: F, is_waiting: &mut bool) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|context| {
        *is_waiting = false;
        let poll = future.as_mut().poll(context);
        *is_waiting = poll.is_pending();
        poll
    })
    .await
}

/// The permit of a call that takes more than one poll. Dropped between two of them it was given up by its caller, and
/// is cancelled; dropped within one the call panicked, and the permit goes as it goes in any panic.
struct Calling {
    permit: Option<Permit>,
    is_waiting: bool,
}

impl Drop for Calling {
    fn drop(&mut self) {
        if self.is_waiting {
            self.permit.take().map(Permit::cancel);
        }
    }
}

impl<E: fmt::Display> fmt::Display for CallError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallError::Rejected(rejected) => rejected.fmt(f),
            CallError::Inner(error) => error.fmt(f),
        }
    }
}

impl<E: std::error::Error> std::error::Error for CallError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            CallError::Rejected(_) => None,
            CallError::Inner(error) => error.source(),
        }
    }
}
