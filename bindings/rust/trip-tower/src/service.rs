//! The service behind its circuits: asks for a permit, makes the call, and has the answer judged. It classifies nothing.

use crate::calling::Calling;
use crate::choose::Choose;
use crate::judge::Judge;
use crate::layer::CircuitLayer;
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{ready, Context, Poll};
use tower_service::Service;
use trip::{CallError, Rejected};

/// A service behind circuits: what [`CircuitLayer`] makes.
///
/// It is ready when the service behind it is, and refuses in `call`: only a request says which circuit is meant, and a
/// service that is polled ready and then not called must hold no probe. A refused request leaves the service behind it
/// as ready as it was. When the future of a call is dropped its caller gave up, and the permit is cancelled at once.
/// That the service behind is [not ready for ever](Service::poll_ready) is recorded nowhere: there was no call.
///
/// ```
/// # use tower::{Layer, Service, ServiceExt};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let tracker = trip::Tracker::new(&trip::Config::default())?;
/// # let circuit = tracker.circuit("acme", "llm")?;
/// # let ask = |()| async { Ok::<_, std::fmt::Error>(42) };
/// let mut service = trip_tower::CircuitLayer::new(circuit.clone()).layer(tower::service_fn(ask));
/// circuit.trip()?;
/// let refused = service.ready().await?.call(()).await;
/// assert!(refused.is_err_and(|error| error.rejected().is_some()));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Guarded<S, W, J> {
    pub(crate) inner: S,
    pub(crate) layer: CircuitLayer<W, J>,
}

impl<S, W, J> Guarded<S, W, J> {
    /// The service behind the circuits.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The service behind the circuits, to be changed.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The service behind the circuits, without them.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, W, J, Request> Service<Request> for Guarded<S, W, J>
where
    S: Service<Request>,
    W: Choose<Request>,
    J: Judge<S::Response, S::Error>,
{
    type Response = J::Response;
    type Error = CallError<S::Error>;
    type Future = ResponseFuture<S::Future, J>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context).map_err(CallError::Inner)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        match begin(&self.layer, &request) {
            Ok(mut calling) => {
                let answer = calling.busy(|| self.inner.call(request));
                let calling = Some(calling);
                ResponseFuture { state: State::Calling { answer, calling, judge: self.layer.judge() } }
            }
            Err(rejected) => ResponseFuture { state: State::Refused { rejected } },
        }
    }
}

fn begin<Request, W: Choose<Request>, J>(layer: &CircuitLayer<W, J>, request: &Request) -> Result<Calling, Rejected> {
    match layer.choice().choose(request) {
        Ok(circuit) => Calling::begin(circuit),
        Err(error) => {
            layer.report(&error);
            Ok(Calling::unguarded())
        }
    }
}

pin_project! {
    /// The future of a call of [`Guarded`].
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F, J> {
        #[pin]
        state: State<F, J>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F, J> {
        Calling {
            // Before the answer, so that the permit is free when a connection begins to be closed.
            calling: Option<Calling>,
            #[pin]
            answer: F,
            judge: Arc<J>,
        },
        Refused {
            rejected: Rejected,
        },
    }
}

impl<F, J, Response, Error> Future for ResponseFuture<F, J>
where
    F: Future<Output = Result<Response, Error>>,
    J: Judge<Response, Error>,
{
    type Output = Result<J::Response, CallError<Error>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProjection::Calling { answer, calling, judge } => {
                let answer = match calling {
                    Some(calling) => ready!(calling.busy(|| answer.poll(context))),
                    None => ready!(answer.poll(context)), // polled again though it was ready: as the service likes
                };
                let calling = calling.take().unwrap_or_else(Calling::unguarded);
                Poll::Ready(judge.judge(answer, calling).map_err(CallError::Inner))
            }
            StateProjection::Refused { rejected } => Poll::Ready(Err(CallError::Rejected(rejected.clone()))),
        }
    }
}

impl<S: fmt::Debug, W: fmt::Debug, J: fmt::Debug> fmt::Debug for Guarded<S, W, J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guarded").field("inner", &self.inner).field("layer", &self.layer).finish()
    }
}

impl<F, J> fmt::Debug for ResponseFuture<F, J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
