//! The layer: whose circuits, and what their calls teach them. It makes services and nothing else.

use crate::choose::ByRequest;
#[cfg(feature = "http")]
use crate::http::Http;
use crate::judge::{ByResult, EveryErrorFails};
use crate::service::Guarded;
use std::fmt;
use std::sync::Arc;
use tower_layer::Layer;
use trip::{Circuit, Error};

/// Puts circuits before a service. Clones, and the services made by them, share what they have: the same circuits, so
/// that it does not matter how often a service is cloned.
///
/// ```
/// use tower::{Service, ServiceBuilder, ServiceExt};
/// use trip_tower::CircuitLayer;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let ask = |question: &'static str| async move { Ok::<_, std::io::Error>(question.len()) };
/// let tracker = trip::Tracker::new(&trip::Config::default())?;
/// let layer = CircuitLayer::new(tracker.circuit("acme", "llm")?);
/// let mut service = ServiceBuilder::new().layer(layer).service_fn(ask);
///
/// match service.ready().await?.call("what is it?").await {
///     Ok(answer) => println!("{answer}"),
///     Err(trip::CallError::Rejected(rejected)) => println!("retry in {:?}", rejected.retry_after),
///     Err(trip::CallError::Inner(error)) => println!("the call failed: {error}"),
/// }
/// # Ok(())
/// # }
/// ```
pub struct CircuitLayer<W, J = EveryErrorFails> {
    choose: Arc<W>,
    judge: Arc<J>,
    on_error: Option<OnError>,
}

pub(crate) type OnError = Arc<dyn Fn(&Error) + Send + Sync>;

impl CircuitLayer<Circuit> {
    /// One circuit for all requests.
    pub fn new(circuit: Circuit) -> Self {
        CircuitLayer { choose: Arc::new(circuit), judge: Arc::new(EveryErrorFails), on_error: None }
    }
}

impl<F> CircuitLayer<ByRequest<F>> {
    /// The circuit that `choose` finds for each request, by its tenant and provider. It is asked in every call, and a
    /// tracker finds circuits quickly; it must not block.
    ///
    /// ```
    /// # use trip_tower::CircuitLayer;
    /// struct Question {
    ///     tenant: String,
    ///     provider: &'static str,
    /// }
    ///
    /// # let tracker = trip::Tracker::new(&trip::Config::default())?;
    /// let layer = CircuitLayer::by(move |question: &Question| tracker.circuit(&question.tenant, question.provider));
    /// # let _ = tower::ServiceBuilder::new().layer(layer).service_fn(|_: Question| async { Ok::<_, ()>(42) });
    /// # Ok::<_, trip::Error>(())
    /// ```
    pub fn by<Request>(choose: F) -> Self
    where
        F: Fn(&Request) -> Result<Circuit, Error>,
    {
        CircuitLayer { choose: Arc::new(ByRequest(choose)), judge: Arc::new(EveryErrorFails), on_error: None }
    }
}

impl<W, J> CircuitLayer<W, J> {
    /// Records each answer, be it `Ok` or `Err`, as `classify` says: as its class counts in the
    /// [`Config`](trip::Config). [`trip::classify`] knows most of what providers say. A panic in it counts as one in
    /// the service.
    ///
    /// ```
    /// # use trip_tower::CircuitLayer;
    /// use std::io;
    /// use trip::classify::{self, Class};
    ///
    /// # let tracker = trip::Tracker::new(&trip::Config::default())?;
    /// # let circuit = tracker.circuit("acme", "llm")?;
    /// let layer = CircuitLayer::new(circuit).classify(|answer: &Result<String, io::Error>| match answer {
    ///     Ok(text) if text.is_empty() => Class::ServerError.into(),
    ///     Ok(_) => Class::Success.into(),
    ///     Err(error) => classify::error(error),
    /// });
    /// # let _ = tower::ServiceBuilder::new().layer(layer).service_fn(|_: ()| async { Ok::<_, io::Error>(String::new()) });
    /// # Ok::<_, trip::Error>(())
    /// ```
    pub fn classify<Response, E, O, F>(self, classify: F) -> CircuitLayer<W, ByResult<F>>
    where
        F: Fn(&Result<Response, E>) -> O,
        O: Into<trip::classify::Outcome>,
    {
        self.judged_by(ByResult(classify))
    }

    /// For calls over HTTP, with the feature `http`: records answers by their status, their body and what they ask to
    /// wait, when the body has ended. See [`Http`].
    #[cfg(feature = "http")]
    pub fn http(self) -> CircuitLayer<W, Http> {
        self.judged_by(Http::new())
    }

    /// Learns from answers what `judge` learns from them.
    pub fn judged_by<K>(self, judge: K) -> CircuitLayer<W, K> {
        CircuitLayer { choose: self.choose, judge: Arc::new(judge), on_error: self.on_error }
    }

    /// Tells `report` when [`by`](CircuitLayer::by) has found no circuit, and a request is made without one: the breaker
    /// must never be the outage. What goes wrong later is told to the reporter of the circuit's tracker
    /// ([`Tracker::with_reporter`](trip::Tracker::with_reporter)).
    ///
    /// ```
    /// # use trip_tower::CircuitLayer;
    /// # let tracker = trip::Tracker::new(&trip::Config::default())?;
    /// let layer = CircuitLayer::by(move |tenant: &String| tracker.circuit(tenant, "llm"))
    ///     .on_error(|error| eprintln!("without a circuit: {error}"));
    /// # let _ = tower::ServiceBuilder::new().layer(layer).service_fn(|_: String| async { Ok::<_, ()>(42) });
    /// # Ok::<_, trip::Error>(())
    /// ```
    #[must_use]
    pub fn on_error(mut self, report: impl Fn(&Error) + Send + Sync + 'static) -> Self {
        self.on_error = Some(Arc::new(report));
        self
    }
}

impl<S, W, J> Layer<S> for CircuitLayer<W, J> {
    type Service = Guarded<S, W, J>;

    fn layer(&self, inner: S) -> Self::Service {
        Guarded { inner, layer: self.clone() }
    }
}

impl<W, J> CircuitLayer<W, J> {
    pub(crate) fn choice(&self) -> &W {
        &self.choose
    }

    pub(crate) fn judge(&self) -> Arc<J> {
        Arc::clone(&self.judge)
    }

    pub(crate) fn report(&self, error: &Error) {
        if let Some(report) = &self.on_error {
            report(error);
        }
    }
}

impl<W, J> Clone for CircuitLayer<W, J> {
    fn clone(&self) -> Self {
        CircuitLayer { choose: Arc::clone(&self.choose), judge: self.judge(), on_error: self.on_error.clone() }
    }
}

impl<W: fmt::Debug, J: fmt::Debug> fmt::Debug for CircuitLayer<W, J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CircuitLayer").field("choose", &self.choose).field("judge", &self.judge).finish_non_exhaustive()
    }
}
