//! Bodies of one's own making: what a watched body passes on, and what becomes of the permit when it panics.

mod common;

use bytes::Bytes;
use common::{circuit_of, ends, permits_out, tracker, wait_of};
use http::{HeaderMap, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full, StreamBody};
use std::convert::Infallible;
use std::future::{ready, Future};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::pin::{pin, Pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tower::{service_fn, Layer, ServiceExt};
use trip::Circuit;
use trip_tower::{CircuitLayer, WatchedBody};

fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("it waits"),
    }
}

/// What a caller behind the circuit gets of an answer.
fn watched<B: Body>(circuit: &Circuit, answer: Response<B>) -> Response<WatchedBody<B>> {
    let layer = CircuitLayer::new(circuit.clone()).http();
    let mut answer = Some(answer);
    let service = layer.layer(service_fn(move |()| ready(Ok::<_, Infallible>(answer.take().unwrap()))));
    now(service.oneshot(())).unwrap()
}

/// Panics, once it is asked.
struct Panics;

impl Body for Panics {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        panic!("in the body");
    }
}

#[test]
fn a_panic_in_a_body_is_no_cancel() {
    let tracker = tracker();
    let circuit = circuit_of(&tracker);
    let body = watched(&circuit, Response::new(Panics)).into_body();
    assert!(catch_unwind(AssertUnwindSafe(|| now(body.collect()).is_ok())).is_err());
    assert_eq!(ends(&circuit), [0, 0, 1, 0]);
}

#[test]
fn a_body_says_of_itself_what_it_said_before() {
    let tracker = tracker();
    let circuit = circuit_of(&tracker);
    let answer = Response::builder().status(201).header("x-request-id", "7").body(Full::<Bytes>::from("42")).unwrap();
    let (parts, body) = watched(&circuit, answer).into_parts();
    assert_eq!((parts.status.as_u16(), &parts.headers["x-request-id"]), (201, &"7".parse().unwrap()));
    assert_eq!((body.size_hint().exact(), body.is_end_stream()), (Some(2), false));
    assert_eq!(body.get_ref().size_hint().exact(), Some(2));
    assert_eq!(now(body.collect()).unwrap().to_bytes(), "42");
}

#[test]
fn trailers_go_through_and_are_no_end() {
    let tracker = tracker();
    let circuit = circuit_of(&tracker);
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", 0.into());
    let frames = [Frame::data(Bytes::from("42")), Frame::trailers(trailers.clone())].map(Ok::<_, Infallible>);
    let mut body = watched(&circuit, Response::new(StreamBody::new(Frames(frames.into_iter())))).into_body();
    assert_eq!(now(body.frame()).unwrap().unwrap().into_data().unwrap(), "42");
    assert_eq!(now(body.frame()).unwrap().unwrap().into_trailers().unwrap(), trailers);
    assert_eq!(permits_out(&circuit), 1);
    for _ in 0..2 {
        assert!(now(body.frame()).is_none());
        assert_eq!(ends(&circuit), [1, 0, 0, 0]);
    }
}

/// Its provider is up, whatever becomes of a body that nobody needs.
#[test]
fn a_redirect_has_told_all_by_its_status() {
    let tracker = tracker();
    let circuit = circuit_of(&tracker);
    let moved = || Response::builder().status(302).header("location", "/elsewhere");
    drop(watched(&circuit, moved().body(Full::<Bytes>::from("moved")).unwrap()));
    assert_eq!(ends(&circuit), [1, 0, 0, 0]);
    let broken = [Ok(Frame::data(Bytes::from("mo"))), Err("reset")];
    let body = watched(&circuit, moved().body(StreamBody::new(Frames(broken.into_iter()))).unwrap()).into_body();
    assert!(now(body.collect()).is_err());
    assert_eq!(ends(&circuit), [2, 0, 0, 0]);
}

#[test]
fn the_headers_of_all_providers_say_how_long_to_stay_away() {
    for (name, value) in [("retry-after-ms", "90500"), ("x-ms-retry-after-ms", "90500"), ("retry-after", "90.5")] {
        let tracker = tracker();
        let circuit = circuit_of(&tracker);
        let overloaded = Response::builder().status(529).header(name, value);
        drop(watched(&circuit, overloaded.body(Full::<Bytes>::default()).unwrap()));
        assert_eq!(wait_of(&circuit), Duration::from_millis(90_500), "{name}");
    }
}

/// Frames that are all there.
struct Frames<I>(I);

impl<I: Iterator + Unpin> futures_core::Stream for Frames<I> {
    type Item = I::Item;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<I::Item>> {
        Poll::Ready(self.0.next())
    }
}
