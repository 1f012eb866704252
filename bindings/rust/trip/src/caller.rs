//! The one call that does it all: deduplicate, wait for a place, ask for a permit, call, record, and try again.
//!
//! This file is what a caller says and what it gets; `caller/attempts.rs` is what happens between the gate and the
//! function, whether somebody blocks or awaits.

mod attempts;
#[cfg(feature = "tokio")]
mod awaited;

use crate::circuit::Circuit;
use crate::classify::{Class, Outcome};
use crate::dedup::{Checked, Dedup, Ticket};
use crate::error::Error;
use crate::gate::{AcquireError, Gate, Shed, Token};
use crate::permit::Settled;
use crate::rejection::Rejected;
use crate::remember::Remember;
use crate::retry::Retry;
use crate::route::Route;
use attempts::Attempts;
use std::fmt;
use std::sync::Arc;
use std::thread;

/// A circuit, or a route, with the parts around it: who calls through this deduplicates, is bound, asks for a permit,
/// records, and tries again, in one.
///
/// The order, from the outside in:
///
/// 1. [`dedup`](Self::dedup): a value that is known ends it here, and so does one that another caller brings meanwhile.
///    Who waits for that holds nothing.
/// 2. [`gate`](Self::gate): a place is held until the call is over, the waits before its retries included, so that
///    retries never add load beyond the gate.
/// 3. [`retry`](Self::retry): as often as the rule says, and
/// 4. for each attempt a permit, of the circuit or of a provider of the route, the function, and its outcome recorded.
///    With [`Permits::PerCall`] the permit comes before the retries: one for all attempts, with the outcome of the
///    last.
///
/// A refused permit is no attempt: without any attempt so far the caller gets the refusal, after one that failed he
/// gets its error. Where permits are per attempt, providers of a route that have failed in this call are asked last.
///
/// A part that has an error of its own, such as being out of memory, is passed over: it is told to the tracker's
/// reporter, and the call goes on without that part; so is a circuit that has any, as by [`Circuit::call`]. Another
/// part that is destroyed, or a key that is too long, is [`CallerError::Failed`].
///
/// Whatever ends a call, a panic or a future that is dropped included, it leaves nothing held: the ticket is dropped,
/// the token released, the permit cancelled or, in a panic, dropped.
///
/// Clones share their parts.
///
/// ```
/// use trip::{Caller, DedupConfig, GateConfig, RetryConfig, RouteConfig};
///
/// # let tracker = trip::Tracker::new(&trip::Config::default())?;
/// let route = tracker.route("acme", &RouteConfig::default())?;
/// route.add("openai", 1)?;
/// route.add("anthropic", 1)?;
/// let caller = Caller::along(&route)
///     .dedup(&tracker.dedup(&DedupConfig::default())?)
///     .gate(&tracker.gate("llm", &GateConfig::default())?)
///     .retry(&tracker.retry(&RetryConfig::default().base_delay(std::time::Duration::from_millis(1)))?);
///
/// # struct Refused(u16);
/// # fn ask(provider: &[u8], _: &str) -> Result<String, Refused> {
/// #     if provider == b"openai" { Err(Refused(503)) } else { Ok("42".into()) }
/// # }
/// let answer = caller
///     .session("alice")
///     .classify(|error: &Refused| trip::classify::http(error.0, ""))
///     .call_once("what is it?", |provider| ask(provider, "what is it?"));
/// assert!(answer.is_ok_and(|text| text == "42"));
/// # Ok::<_, trip::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Caller {
    target: Target,
    permits: Permits,
    retry: Option<Retry>,
    dedup: Option<Dedup>,
    gate: Option<Gate>,
}

/// How many permits a call with several attempts takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Permits {
    /// One for each attempt: a circuit counts every failure, and a route can go to another provider.
    #[default]
    PerAttempt,
    /// One for all of them, which records the outcome of the last: a circuit counts what its callers see.
    PerCall,
}

/// Why a call has no result.
#[derive(Clone, Debug)]
pub enum CallerError<E> {
    /// The circuit refused, or all circuits of the route: the function was not called.
    Rejected(Rejected),
    /// The gate is full: the function was not called.
    Shed(Shed),
    /// A part cannot be used so, and the function was not called: [`Error::Handle`], it or its tracker is destroyed;
    /// [`Error::Invalid`], the key or the session is too long, or the route has no providers.
    Failed(Error),
    /// The function's own error, of the last attempt.
    Inner(E),
}

/// Who is called.
#[derive(Clone, Debug)]
enum Target {
    Circuit { circuit: Circuit, provider: Arc<[u8]> },
    Route(Route),
}

/// One call of a [`Caller`], with what is particular to it.
#[derive(Clone, Copy, Debug)]
#[must_use = "nothing is called yet"]
pub struct Call<'a, C> {
    caller: &'a Caller,
    session: &'a [u8],
    classify: C,
}

/// What is made of errors that nobody classifies.
#[derive(Clone, Copy, Debug)]
pub struct EveryErrorFails;

/// What an error of the function says of the provider. Closures do it: see [`Call::classify`].
pub trait Classify<E> {
    /// How the attempt went that ended with this error.
    fn classify(&self, error: &E) -> Outcome;
}

impl<E> Classify<E> for EveryErrorFails {
    fn classify(&self, _: &E) -> Outcome {
        Class::ServerError.into()
    }
}

impl<E, O: Into<Outcome>, F: Fn(&E) -> O> Classify<E> for F {
    fn classify(&self, error: &E) -> Outcome {
        self(error).into()
    }
}

impl Caller {
    /// Calls the provider of a circuit.
    #[must_use]
    pub fn of(circuit: &Circuit) -> Self {
        Caller::new(Target::Circuit { circuit: circuit.clone(), provider: circuit.provider().into() })
    }

    /// Calls one of the providers of a route.
    #[must_use]
    pub fn along(route: &Route) -> Self {
        Caller::new(Target::Route(route.clone()))
    }

    fn new(target: Target) -> Self {
        Caller { target, permits: Permits::default(), retry: None, dedup: None, gate: None }
    }

    /// Tries again by this rule. Without one there is one attempt.
    #[must_use]
    pub fn retry(mut self, retry: &Retry) -> Self {
        self.retry = Some(retry.clone());
        self
    }

    /// Makes a call once that many want at once, and remembers what it brought: those of
    /// [`call_once`](Self::call_once).
    #[must_use]
    pub fn dedup(mut self, dedup: &Dedup) -> Self {
        self.dedup = Some(dedup.clone());
        self
    }

    /// Bounds how many calls are in progress.
    #[must_use]
    pub fn gate(mut self, gate: &Gate) -> Self {
        self.gate = Some(gate.clone());
        self
    }

    /// How many permits a call takes: one per attempt, unless this says otherwise.
    #[must_use]
    pub fn permits(mut self, permits: Permits) -> Self {
        self.permits = permits;
        self
    }

    /// A call of a session: a route keeps those together. At most 255 bytes.
    pub fn session<'a>(&'a self, session: &'a (impl AsRef<[u8]> + ?Sized)) -> Call<'a, EveryErrorFails> {
        self.one_call().session(session)
    }

    /// A call whose errors are judged: see [`Call::classify`].
    pub fn classify<E, O: Into<Outcome>, C: Fn(&E) -> O>(&self, classify: C) -> Call<'_, C> {
        self.one_call().classify(classify)
    }

    /// See [`Call::call`].
    ///
    /// # Errors
    /// See [`CallerError`].
    pub fn call<T, E>(&self, call: impl FnMut(&[u8]) -> Result<T, E>) -> Result<T, CallerError<E>> {
        self.one_call().call(call)
    }

    /// See [`Call::call_once`].
    ///
    /// # Errors
    /// See [`CallerError`].
    pub fn call_once<T: Remember, E>(
        &self,
        key: impl AsRef<[u8]>,
        call: impl FnMut(&[u8]) -> Result<T, E>,
    ) -> Result<T, CallerError<E>> {
        self.one_call().call_once(key, call)
    }

    fn one_call(&self) -> Call<'_, EveryErrorFails> {
        Call { caller: self, session: b"", classify: EveryErrorFails }
    }

    /// A place of the gate; none where there is no gate, or it could not say.
    fn enter(&self) -> Result<Option<Token>, Refusal> {
        match self.gate.as_ref().map(Gate::acquire) {
            None => Ok(None),
            Some(Ok(token)) => Ok(Some(token)),
            Some(Err(AcquireError::Shed(shed))) => Err(Refusal::Shed(shed)),
            Some(Err(AcquireError::Failed(error))) => self.pass_over(error).map(|()| None),
        }
    }

    /// The call goes on without a part that has this error; unless the part cannot be used so.
    fn pass_over(&self, error: Error) -> Result<(), Refusal> {
        match error {
            Error::NoMemory | Error::Capacity | Error::System | Error::Unknown(_) => {
                self.report(&error);
                Ok(())
            }
            wrong_use => Err(Refusal::Failed(wrong_use)),
        }
    }

    fn note(&self, settled: Settled) {
        if let Settled::Failed(error) = settled {
            self.report(&error);
        }
    }

    /// Told to the reporter of the tracker, by the circuit that is called, or that of the route's first provider.
    fn report(&self, error: &Error) {
        match &self.target {
            Target::Circuit { circuit, .. } => circuit.report(error),
            Target::Route(route) => {
                if let Ok(circuit) = route.circuit(0) {
                    circuit.report(error);
                }
            }
        }
    }
}

impl<'a, C> Call<'a, C> {
    /// A call of a session: a route keeps those together. At most 255 bytes.
    pub fn session(self, session: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        Call { session: session.as_ref(), ..self }
    }

    /// A call whose errors are judged: what counts as a failure, and what is worth another attempt. Without this every
    /// error is a [`Class::ServerError`]. [`classify`](crate::classify) knows most of what providers say.
    pub fn classify<E, O: Into<Outcome>, D: Fn(&E) -> O>(self, classify: D) -> Call<'a, D> {
        Call { caller: self.caller, session: self.session, classify }
    }

    /// Calls the function, as the parts of the caller say, with the name of the provider that is called. Waits before a
    /// retry, and for another's result, by blocking the thread.
    ///
    /// # Errors
    /// See [`CallerError`].
    pub fn call<T, E>(&self, mut call: impl FnMut(&[u8]) -> Result<T, E>) -> Result<T, CallerError<E>>
    where
        C: Classify<E>,
    {
        self.attempt(None, &mut call)
    }

    /// [`call`](Self::call) for what need not be called twice. While another call of this key is in progress its result
    /// is waited for, and when it has one that is this call's; a result is remembered for the time to live of
    /// [`Caller::dedup`]. A caller without that just calls. Where the one who is calling fails, the next calls.
    ///
    /// # Errors
    /// See [`CallerError`]. The errors of others are nobody else's.
    pub fn call_once<T: Remember, E>(
        &self,
        key: impl AsRef<[u8]>,
        mut call: impl FnMut(&[u8]) -> Result<T, E>,
    ) -> Result<T, CallerError<E>>
    where
        C: Classify<E>,
    {
        let key = key.as_ref();
        let Some(dedup) = &self.caller.dedup else { return self.attempt(None, &mut call) };
        match self.remembered(dedup, key, dedup.wait(key, None))? {
            Found::Value(value) => Ok(value),
            Found::Ticket(ticket) => {
                let result = self.attempt(ticket.as_ref(), &mut call);
                self.settle(ticket, &result);
                result
            }
        }
    }

    /// The attempts, each waited for by blocking.
    fn attempt<T, E>(
        &self,
        ticket: Option<&Ticket>,
        call: &mut impl FnMut(&[u8]) -> Result<T, E>,
    ) -> Result<T, CallerError<E>>
    where
        C: Classify<E>,
    {
        let mut attempts = Attempts::enter(self, ticket)?;
        let mut failed = None;
        loop {
            let provider = attempts.begin().map_err(|refusal| refusal.after(failed.take()))?;
            let result = call(&provider);
            match attempts.end(&result) {
                None => return result.map_err(CallerError::Inner),
                Some(delay) => {
                    failed = result.err();
                    thread::sleep(delay);
                }
            }
        }
    }

    /// What is to be made of what the deduplicator says.
    fn remembered<T: Remember>(
        &self,
        dedup: &Dedup,
        key: &[u8],
        checked: Result<Checked, Error>,
    ) -> Result<Found<T>, Refusal> {
        match checked {
            Ok(Checked::New(ticket)) => return Ok(Found::Ticket(Some(ticket))),
            Ok(Checked::Cached(bytes)) => match T::decode(bytes) {
                Some(value) => return Ok(Found::Value(value)),
                None => dedup.forget(key).or_else(|error| self.caller.pass_over(error))?,
            },
            Ok(Checked::InProgress) => {} // it is waited for without end, so that this is never said
            Err(error) => self.caller.pass_over(error)?,
        }
        Ok(Found::Ticket(None))
    }

    fn settle<T: Remember, E>(&self, ticket: Option<Ticket>, result: &Result<T, CallerError<E>>) {
        if let Some(ticket) = ticket {
            self.caller.note(match result {
                Ok(value) => ticket.complete(value.encode()),
                Err(_) => ticket.fail(),
            });
        }
    }
}

/// What a deduplicator had.
enum Found<T> {
    Value(T),
    /// The call is to be made; without a ticket when the deduplicator is passed over.
    Ticket(Option<Ticket>),
}

/// Why the function is not called.
enum Refusal {
    Rejected(Rejected),
    Shed(Shed),
    Failed(Error),
}

impl Refusal {
    /// After an attempt that failed its error says more.
    fn after<E>(self, failed: Option<E>) -> CallerError<E> {
        failed.map_or_else(|| self.into(), CallerError::Inner)
    }
}

impl<E> From<Refusal> for CallerError<E> {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Rejected(rejected) => CallerError::Rejected(rejected),
            Refusal::Shed(shed) => CallerError::Shed(shed),
            Refusal::Failed(error) => CallerError::Failed(error),
        }
    }
}

impl<E: fmt::Display> fmt::Display for CallerError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallerError::Rejected(rejected) => rejected.fmt(f),
            CallerError::Shed(shed) => shed.fmt(f),
            CallerError::Failed(error) => error.fmt(f),
            CallerError::Inner(error) => error.fmt(f),
        }
    }
}

/// Transparent: the message and the source are those of what it holds.
impl<E: std::error::Error> std::error::Error for CallerError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            CallerError::Inner(error) => error.source(),
            _ => None,
        }
    }
}
