//! What an answer over HTTP says of the provider: by its status, its body as far as it was read, and what its headers
//! ask to wait. It sees headers; what comes after them is in `watched`.

use crate::calling::Calling;
use crate::judge::{EveryErrorFails, Judge};
use crate::transcript::Transcript;
use crate::watched::{Watch, WatchedBody};
use http::header::{HeaderMap, CONTENT_ENCODING, CONTENT_TYPE};
use http::Response;
use http_body::Body;
use std::fmt;
use std::time::{Duration, SystemTime};
use trip::classify::{Class, Outcome};

/// The headers that ask to wait, the more precise ones first. A reset of a rate limit is none: it comes with successes
/// too, and tells when all of the limit is back.
const HINTS: [&str; 3] = ["retry-after-ms", "x-ms-retry-after-ms", "retry-after"];

/// Records answers over HTTP as the library classifies them, when their bodies have ended.
///
/// | the answer | counts as |
/// | --- | --- |
/// | its body ends | what its status and the error in its body say, as by [`classify::http`](trip::classify::http) |
/// | its body breaks | [`Class::Network`]. With a status that is none from 200 to 299, that |
/// | its body is dropped early | nothing: the caller gave up, and the permit is cancelled. With another status, that |
/// | there is none | [`Class::ServerError`], or what [`errors`](Self::errors) says |
///
/// A redirect, and 304, are a success. `retry-after-ms`, `x-ms-retry-after-ms` and `Retry-After` keep a circuit open
/// that long. A stream (a success that is no JSON) tells of its progress, so that a probe whose answer has begun is a
/// success at once; an event stream that ends with an error is what that error is; and one whose last event was read,
/// such as `data: [DONE]`, has ended though its caller drops it.
///
/// A body must be read to its end or dropped: one that is kept unread keeps its permit.
///
/// ```
/// use http::{Request, Response};
/// use tower::{Service, ServiceBuilder, ServiceExt};
/// use trip_tower::CircuitLayer;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let send = |_: Request<String>| async {
/// #     let overloaded = Response::builder().status(529).header("retry-after", "90");
/// #     Ok::<_, std::convert::Infallible>(overloaded.body(String::new()).unwrap())
/// # };
/// let tracker = trip::Tracker::new(&trip::Config::default().failure_threshold(1))?;
/// let circuits = tracker.clone();
/// let by_host = move |request: &Request<String>| circuits.circuit("acme", request.uri().host().unwrap_or_default());
/// let mut client = ServiceBuilder::new().layer(CircuitLayer::by(by_host).http()).service_fn(send);
///
/// let request = Request::post("http://llm.example/v1/messages").body("{}".to_owned())?;
/// let answer = client.ready().await?.call(request).await?;
/// assert_eq!(answer.status(), 529); // which asks to wait for 90 seconds
/// drop(answer);
/// let refused = tracker.circuit("acme", "llm.example")?.peek();
/// # let Err(trip::PermitError::Rejected(rejected)) = refused else { panic!() };
/// assert!(rejected.retry_after.as_secs() > 80);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy)]
pub struct Http<F = EveryErrorFails> {
    errors: F,
}

/// What an error says, in place of an answer: of the provider, or of the caller's own machine.
pub trait JudgeError<E> {
    /// How the call went that ended with this error.
    fn judge_error(&self, error: &E) -> Outcome;
}

impl<E> JudgeError<E> for EveryErrorFails {
    fn judge_error(&self, _: &E) -> Outcome {
        Class::ServerError.into()
    }
}

/// A function that says it: see [`Http::errors`].
#[derive(Clone, Copy)]
pub struct ByError<F>(F);

impl<E, F: Fn(&E) -> O, O: Into<Outcome>> JudgeError<E> for ByError<F> {
    fn judge_error(&self, error: &E) -> Outcome {
        (self.0)(error).into()
    }
}

impl Http {
    /// One that takes every error without an answer for a failure.
    #[must_use]
    pub const fn new() -> Self {
        Http { errors: EveryErrorFails }
    }
}

impl Default for Http {
    fn default() -> Self {
        Http::new()
    }
}

impl<F> Http<F> {
    /// Records an error, that came without an answer, as `classify` says:
    /// [`classify::error`](trip::classify::error) knows those of the system.
    ///
    /// ```
    /// # let tracker = trip::Tracker::new(&trip::Config::default())?;
    /// # let circuit = tracker.circuit("acme", "llm")?;
    /// use hyper_util::client::legacy::Error;
    /// use trip_tower::{CircuitLayer, Http};
    ///
    /// let http = Http::new().errors(|error: &Error| trip::classify::error(error));
    /// let layer = CircuitLayer::new(circuit).judged_by(http);
    /// # let _ = layer;
    /// # Ok::<_, trip::Error>(())
    /// ```
    pub fn errors<E, O, G>(self, classify: G) -> Http<ByError<G>>
    where
        G: Fn(&E) -> O,
        O: Into<Outcome>,
    {
        Http { errors: ByError(classify) }
    }
}

impl<B: Body, E, F: JudgeError<E>> Judge<Response<B>, E> for Http<F> {
    type Response = Response<WatchedBody<B>>;

    fn judge(&self, answer: Result<Response<B>, E>, mut calling: Calling) -> Result<Self::Response, E> {
        match answer {
            Ok(response) => {
                let watch = watch(&response, calling);
                Ok(response.map(|body| WatchedBody::new(body, watch)))
            }
            Err(error) => {
                let outcome = calling.busy(|| self.errors.judge_error(&error));
                calling.record(outcome);
                Err(error)
            }
        }
    }
}

fn watch<B>(response: &Response<B>, calling: Calling) -> Watch {
    let headers = response.headers();
    let is = |ending: &str| media_type(headers).is_some_and(|name| name.to_ascii_lowercase().ends_with(ending));
    let is_error = !response.status().is_success();
    let transcript = if headers.contains_key(CONTENT_ENCODING) {
        Transcript::nothing()
    } else if is("/event-stream") {
        Transcript::end()
    } else if is_error || is("json") {
        Transcript::beginning()
    } else {
        Transcript::nothing()
    };
    let is_stream = !is_error && !is("json");
    Watch::new(calling, response.status(), hint(headers), is_stream, transcript)
}

/// Without its parameters.
fn media_type(headers: &HeaderMap) -> Option<&str> {
    headers.get(CONTENT_TYPE)?.to_str().ok()?.split(';').next().map(str::trim)
}

fn hint(headers: &HeaderMap) -> Option<Duration> {
    let now = SystemTime::now();
    HINTS.iter().find_map(|name| {
        let value = headers.get(*name)?;
        trip::parse_retry_hint(name, value.as_bytes(), now).ok().flatten()
    })
}

impl<F> fmt::Debug for Http<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").finish_non_exhaustive()
    }
}

impl<F> fmt::Debug for ByError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByError").finish_non_exhaustive()
    }
}
