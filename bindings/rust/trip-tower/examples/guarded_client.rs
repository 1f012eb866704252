//! hyper's client behind a circuit for each tenant and host, and a provider on the loopback interface that streams an
//! answer and is then overloaded.
//!
//! ```text
//! cargo run -p trip-tower --features http --example guarded_client
//! ```

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::convert::Infallible;
use std::net::SocketAddr;
use tokio::net::TcpListener;
use tower::{BoxError, Service, ServiceBuilder, ServiceExt};
use trip::{CallError, Config, Error, Tracker};
use trip_tower::CircuitLayer;

type Question = Request<Full<Bytes>>;

/// Asks three times: an answer, an overload, and a refusal.
#[tokio::main(flavor = "current_thread")]
pub async fn main() -> Result<(), BoxError> {
    let tracker = Tracker::new(&Config::default().failure_threshold(1))?;
    let circuits = tracker.clone();
    let by_tenant_and_host = move |question: &Question| circuit_of(&circuits, question);
    let mut client = ServiceBuilder::new()
        .layer(CircuitLayer::by(by_tenant_and_host).http())
        .service(Client::builder(TokioExecutor::new()).build_http());

    let provider = serve().await?;
    let ask = |path: &str| {
        let question = Request::post(format!("http://{provider}{path}")).header("x-tenant", "acme");
        question.body(Full::from(r#"{"stream": true}"#))
    };

    let mut answer = client.ready().await?.call(ask("/v1/messages")?).await?.into_body();
    while let Some(frame) = answer.frame().await {
        if let Ok(token) = frame?.into_data() {
            print!("{}", String::from_utf8_lossy(&token));
        }
    }

    let answer = client.ready().await?.call(ask("/overloaded")?).await?;
    println!("{} asks to wait {:?} s", answer.status(), answer.headers()["retry-after"]);
    drop(answer);

    match client.ready().await?.call(ask("/v1/messages")?).await {
        Err(CallError::Rejected(rejected)) => {
            println!("{rejected}");
            assert!(rejected.retry_after.as_secs() > 3000);
        }
        other => return Err(format!("it should be open: {other:?}").into()),
    }
    let info = tracker.circuit("acme", provider.ip().to_string())?.inspect()?;
    assert_eq!((info.successes, info.failures_total, info.rejections), (1, 1, 1));
    Ok(())
}

fn circuit_of(tracker: &Tracker, question: &Question) -> Result<trip::Circuit, Error> {
    let tenant = question.headers().get("x-tenant").map_or(&b""[..], |tenant| tenant.as_bytes());
    tracker.circuit(tenant, question.uri().host().unwrap_or_default())
}

/// Serves until the program ends.
async fn serve() -> Result<SocketAddr, BoxError> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let connection = TokioIo::new(connection);
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(connection, service_fn(answer)));
        }
    });
    Ok(address)
}

async fn answer(question: Request<hyper::body::Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut headers = HeaderMap::new();
    let (status, body) = if question.uri().path() == "/overloaded" {
        headers.insert("retry-after", 3600.into());
        (529, r#"{"error": {"type": "overloaded_error"}}"#)
    } else {
        headers.insert("content-type", hyper::header::HeaderValue::from_static("text/event-stream"));
        (200, "data: {\"text\": \"42\"}\n\ndata: [DONE]\n\n")
    };
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or_default();
    *response.headers_mut() = headers;
    Ok(response)
}
