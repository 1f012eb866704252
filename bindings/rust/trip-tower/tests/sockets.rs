//! HTTP over real sockets: hyper's client behind circuits, and a provider on the loopback interface that does what
//! providers do.

mod common;
#[path = "../examples/guarded_client.rs"]
mod guarded_client;
#[path = "common/provider.rs"]
mod provider;

use bytes::Bytes;
use common::{circuit_of, ends, permits_out, ripe, state, tracker, wait_of, OPEN_PERIOD};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::{Request, Response};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::TokioExecutor;
use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;
use tokio::runtime::Builder;
use tokio::task::yield_now;
use tower::timeout::TimeoutLayer;
use tower::util::MapResponse;
use tower::{Layer, Service, ServiceExt};
use trip::classify::{self, Class};
use trip::{CallError, Circuit, State, Tracker};
use trip_tower::{CircuitLayer, Guarded, Http, WatchedBody};

type Plain = Client<HttpConnector, Empty<Bytes>>;
type Answer = Response<WatchedBody<Incoming>>;

fn plain() -> Plain {
    Client::builder(TokioExecutor::new()).build_http()
}

/// A provider, and a client of it behind a circuit that one failure opens.
struct Scene {
    tracker: Tracker,
    circuit: Circuit,
    provider: SocketAddr,
    client: Guarded<Plain, Circuit, Http>,
}

impl Scene {
    async fn new() -> Self {
        let tracker = tracker();
        let circuit = circuit_of(&tracker);
        let client = CircuitLayer::new(circuit.clone()).http().layer(plain());
        Scene { tracker, circuit, provider: provider::serve().await, client }
    }

    fn request(&self, path: &str) -> Request<Empty<Bytes>> {
        Request::get(format!("http://{}{path}", self.provider)).body(Empty::new()).unwrap()
    }

    async fn get(&self, path: &str) -> Result<Answer, CallError<Error>> {
        self.client.clone().oneshot(self.request(path)).await
    }

    /// The answer, and its body read to its end.
    async fn read(&self, path: &str) -> Result<Bytes, hyper::Error> {
        self.get(path).await.unwrap().into_body().collect().await.map(http_body_util::Collected::to_bytes)
    }
}

fn run(test: impl Future<Output = ()>) {
    Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

#[test]
fn the_example_does_what_it_says() {
    guarded_client::main().unwrap();
}

#[test]
fn an_answer_that_is_read_is_a_success() {
    run(async {
        let scene = Scene::new().await;
        let answer = scene.get("/answer").await.unwrap();
        assert_eq!(permits_out(&scene.circuit), 1, "its body has not ended");
        assert!(answer.into_body().collect().await.unwrap().to_bytes().ends_with(b"}"));
        assert_eq!(ends(&scene.circuit), [1, 0, 0, 0]);
        let answer = scene.get("/nothing").await.unwrap();
        assert_eq!(ends(&scene.circuit), [2, 0, 0, 0], "there is no body to read");
        drop(answer);
        assert_eq!(ends(&scene.circuit), [2, 0, 0, 0]);
    });
}

#[test]
fn a_caller_who_reads_no_further_than_the_length_has_read_it_all() {
    run(async {
        let scene = Scene::new().await;
        let mut body = scene.get("/answer").await.unwrap().into_body();
        body.frame().await.unwrap().unwrap();
        assert_eq!(ends(&scene.circuit), [1, 0, 0, 0]);
        drop(body);
        assert_eq!(ends(&scene.circuit), [1, 0, 0, 0]);
    });
}

#[test]
fn a_529_opens_for_as_long_as_it_asks() {
    run(async {
        for (path, wait) in [("/overloaded", 90_000), ("/overloaded-ms", 90_500), ("/overloaded-badly", 30_000)] {
            let scene = Scene::new().await;
            let answer = scene.get(path).await.unwrap();
            assert_eq!(answer.status(), 529);
            drop(answer); // nobody reads the body of an error
            assert_eq!((state(&scene.circuit), ends(&scene.circuit)), (State::Open, [0, 1, 0, 0]));
            assert_eq!(wait_of(&scene.circuit), Duration::from_millis(wait));
            let Err(CallError::Rejected(rejected)) = scene.get("/answer").await else { panic!("it is open") };
            assert_eq!(rejected.retry_after, Duration::from_millis(wait));
            scene.tracker.advance(rejected.retry_after).unwrap();
            scene.read("/answer").await.unwrap();
            assert_eq!(state(&scene.circuit), State::Closed);
        }
    });
}

#[test]
fn the_body_of_an_error_says_which_it_is() {
    run(async {
        for path in ["/quota", "/quota-as-text"] {
            let scene = Scene::new().await;
            scene.read(path).await.unwrap();
            assert_eq!(wait_of(&scene.circuit), Duration::from_secs(600), "not the 30 seconds of a rate limit");
        }
        let scene = Scene::new().await;
        scene.read("/error-in-200").await.unwrap();
        assert_eq!(ends(&scene.circuit), [0, 1, 0, 0]);
        let scene = Scene::new().await;
        scene.read("/unauthorized").await.unwrap();
        assert_eq!(ends(&scene.circuit), [1, 0, 0, 0], "the provider is up");
        scene.read("/encoded").await.unwrap();
        assert_eq!(ends(&scene.circuit), [2, 0, 0, 0], "nobody can read it here");
    });
}

#[test]
fn a_stream_that_is_read_to_its_end_is_one_success() {
    run(async {
        let scene = Scene::new().await;
        assert_eq!(scene.read("/stream").await.unwrap(), provider::TOKEN.repeat(2));
        assert_eq!(ends(&scene.circuit), [1, 0, 0, 0]);
    });
}

#[test]
fn a_stream_that_is_cut_midway_is_one_failure() {
    run(async {
        for path in ["/cut", "/cut-within", "/short"] {
            let scene = Scene::new().await;
            scene.read(path).await.unwrap_err();
            assert_eq!((state(&scene.circuit), ends(&scene.circuit)), (State::Open, [0, 1, 0, 0]), "{path}");
        }
    });
}

#[test]
fn a_stream_that_is_dropped_early_is_one_cancel() {
    run(async {
        let scene = Scene::new().await;
        let mut body = scene.get("/endless").await.unwrap().into_body();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), provider::TOKEN);
        assert!(pin!(body.frame()).poll(&mut Context::from_waker(Waker::noop())).is_pending());
        drop(body);
        assert_eq!((state(&scene.circuit), ends(&scene.circuit)), (State::Closed, [0, 0, 0, 1]));
    });
}

#[test]
fn a_stream_whose_last_event_was_read_has_ended() {
    run(async {
        let scene = Scene::new().await;
        let mut body = scene.get("/done").await.unwrap().into_body();
        let mut read = Vec::new();
        while !read.ends_with(b"data: [DONE]\n\n") {
            read.extend(body.frame().await.unwrap().unwrap().into_data().unwrap());
        }
        drop(body);
        assert_eq!(ends(&scene.circuit), [1, 0, 0, 0]);
    });
}

/// A circuit that has been healthy for a while admits calls without asking the library.
#[test]
fn streams_of_a_healthy_circuit_end_as_the_first_ones_do() {
    run(async {
        let scene = Scene::new().await;
        for _ in 0..20 {
            scene.read("/stream").await.unwrap();
        }
        let mut dropped = scene.get("/endless").await.unwrap().into_body();
        dropped.frame().await.unwrap().unwrap();
        drop(dropped);
        assert_eq!((state(&scene.circuit), ends(&scene.circuit)), (State::Closed, [20, 0, 0, 1]));
        let other = scene.get("/answer").await.unwrap();
        scene.read("/cut").await.unwrap_err();
        assert_eq!(state(&scene.circuit), State::Open);
        drop(other); // which began before
        assert_eq!(ends(&scene.circuit), [20, 1, 0, 2]);
    });
}

#[test]
fn a_stream_that_ends_with_an_error_is_a_failure() {
    run(async {
        let scene = Scene::new().await;
        scene.read("/error-at-the-end").await.unwrap();
        assert_eq!((state(&scene.circuit), ends(&scene.circuit)), (State::Open, [0, 1, 0, 0]));
    });
}

#[test]
fn a_probe_whose_stream_has_begun_is_a_success_at_once() {
    run(async {
        let scene = Scene::new().await;
        ripe(&scene.tracker, &scene.circuit);
        let mut body = scene.get("/endless").await.unwrap().into_body();
        assert_eq!(state(&scene.circuit), State::HalfOpen, "headers are not yet an answer");
        body.frame().await.unwrap().unwrap();
        assert_eq!(state(&scene.circuit), State::Closed);
    });
}

#[test]
fn a_probe_whose_stream_begins_with_an_error_is_a_failure() {
    run(async {
        let scene = Scene::new().await;
        ripe(&scene.tracker, &scene.circuit);
        let mut body = scene.get("/error-at-once").await.unwrap().into_body();
        body.frame().await.unwrap().unwrap();
        assert_eq!(state(&scene.circuit), State::HalfOpen);
        drop(body); // as who has read an error does
        assert_eq!((state(&scene.circuit), ends(&scene.circuit)), (State::Open, [0, 2, 0, 0]));
    });
}

#[test]
fn a_probe_whose_answer_is_no_stream_is_a_success_at_its_end() {
    run(async {
        let scene = Scene::new().await;
        ripe(&scene.tracker, &scene.circuit);
        let mut body = scene.get("/answer-in-two").await.unwrap().into_body();
        body.frame().await.unwrap().unwrap();
        assert_eq!(state(&scene.circuit), State::HalfOpen, "it may be an error yet");
        body.collect().await.unwrap();
        assert_eq!(state(&scene.circuit), State::Closed);
    });
}

#[test]
fn a_probe_whose_body_is_dropped_is_free_at_once() {
    run(async {
        let scene = Scene::new().await;
        ripe(&scene.tracker, &scene.circuit);
        let answer = scene.get("/begun").await.unwrap();
        assert_eq!(permits_out(&scene.circuit), 1);
        drop(answer);
        assert_eq!((state(&scene.circuit), ends(&scene.circuit)), (State::HalfOpen, [0, 1, 0, 1]));
        scene.read("/answer").await.unwrap();
        assert_eq!(state(&scene.circuit), State::Closed);
    });
}

#[test]
fn a_probe_whose_future_is_dropped_is_free_at_once() {
    run(async {
        let scene = Scene::new().await;
        ripe(&scene.tracker, &scene.circuit);
        let mut client = scene.client.clone();
        let mut waiting = Box::pin(client.ready().await.unwrap().call(scene.request("/silence")));
        for _ in 0..100 {
            assert!(waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            yield_now().await;
        }
        assert!(matches!(scene.get("/answer").await, Err(CallError::Rejected(_))));
        drop(waiting);
        assert_eq!(permits_out(&scene.circuit), 0);
        scene.read("/answer").await.unwrap();
        assert_eq!(state(&scene.circuit), State::Closed);
    });
}

#[test]
fn who_is_not_there_is_a_failure() {
    run(async {
        let scene = Scene::new().await;
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let request = || Request::get(format!("http://{nobody}/")).body(Empty::new()).unwrap();
        assert!(matches!(scene.client.clone().oneshot(request()).await, Err(CallError::Inner(_))));
        assert_eq!(ends(&scene.circuit), [0, 1, 0, 0]);
        scene.circuit.reset().unwrap();

        let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let told = seen.clone();
        let http = Http::new().errors(move |error: &Error| {
            let outcome = classify::error(error);
            told.lock().unwrap().push(outcome.class);
            outcome
        });
        let client = CircuitLayer::new(scene.circuit.clone()).judged_by(http).layer(plain());
        client.oneshot(request()).await.unwrap_err();
        assert_eq!((*seen.lock().unwrap()).as_slice(), [Class::Network]);
        assert_eq!(ends(&scene.circuit), [0, 2, 0, 0]);
    });
}

#[test]
fn a_timeout_under_the_circuit_is_a_failure_and_one_above_it_a_cancel() {
    const SOON: TimeoutLayer = TimeoutLayer::new(Duration::from_millis(1));
    run(async {
        let scene = Scene::new().await;
        let layer = CircuitLayer::new(scene.circuit.clone()).http();
        assert!(SOON.layer(layer.layer(plain())).oneshot(scene.request("/silence")).await.is_err());
        assert_eq!(ends(&scene.circuit), [0, 0, 0, 1]);
        assert!(layer.layer(SOON.layer(plain())).oneshot(scene.request("/silence")).await.is_err());
        assert_eq!(ends(&scene.circuit), [0, 1, 0, 1]);
        assert_eq!(wait_of(&scene.circuit), OPEN_PERIOD);
    });
}

#[test]
fn a_client_of_reqwests_is_watched_as_well() {
    run(async {
        let scene = Scene::new().await;
        let plain = reqwest::Client::new();
        let of_http = MapResponse::new(plain.clone(), Response::<reqwest::Body>::from);
        let client = CircuitLayer::new(scene.circuit.clone()).http().layer(of_http);
        let get = |path: &str| {
            let request = plain.get(format!("http://{}{path}", scene.provider)).build().unwrap();
            client.clone().oneshot(request)
        };
        get("/stream").await.unwrap().into_body().collect().await.unwrap();
        assert_eq!(ends(&scene.circuit), [1, 0, 0, 0]);
        let mut body = get("/endless").await.unwrap().into_body();
        body.frame().await.unwrap().unwrap();
        drop(body);
        assert_eq!(ends(&scene.circuit), [1, 0, 0, 1]);
        get("/cut").await.unwrap().into_body().collect().await.unwrap_err();
        assert_eq!(ends(&scene.circuit), [1, 1, 0, 1]);
        scene.circuit.reset().unwrap();
        drop(get("/overloaded").await.unwrap());
        assert_eq!((wait_of(&scene.circuit), ends(&scene.circuit)), (Duration::from_secs(90), [1, 2, 0, 1]));
    });
}

#[test]
fn the_end_of_the_runtime_gives_permits_up() {
    let tracker = tracker();
    let circuit = circuit_of(&tracker);
    let client = CircuitLayer::new(circuit.clone()).http().layer(plain());
    run(async {
        let request = Request::get(format!("http://{}/silence", provider::serve().await)).body(Empty::new()).unwrap();
        tokio::spawn(client.oneshot(request));
        while permits_out(&circuit) == 0 {
            yield_now().await;
        }
    });
    assert_eq!(ends(&circuit), [0, 0, 0, 1]);
}
