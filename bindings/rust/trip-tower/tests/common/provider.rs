//! A provider on the loopback interface that answers as the path of a request says: whole, in pieces, cut off, or never.
//! It writes bytes to sockets, so that it can break what an HTTP server would not let it break.

use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub const TOKEN: &str = "data: {\"choices\": [{\"delta\": {\"content\": \"and so on\"}}]}\n\n";
const OVERLOADED: &str = "event: error\ndata: {\"error\": {\"type\": \"overloaded_error\"}}\n\n";
const STREAM: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
const JSON: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
const QUOTA: &str = r#"{"error": {"code": "insufficient_quota"}}"#;
const ANSWER: &str = r#"{"choices": [{"message": {"content": "42"}}]}"#;
const ERROR_INSTEAD: &str = r#"{"error": {"type": "overloaded_error"}}"#;

/// Serves until the runtime ends.
pub async fn serve() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            tokio::spawn(answer(connection));
        }
    });
    address
}

/// One request of each connection; then it is closed, whatever the client was promised.
async fn answer(mut connection: TcpStream) -> Option<()> {
    let request = head(&mut connection).await?;
    let path = request.split(' ').nth(1)?;
    let text = match path {
        "/answer" => whole("200 OK", "content-type: application/json\r\n", ANSWER),
        "/nothing" => "HTTP/1.1 204 No Content\r\n\r\n".into(),
        "/unauthorized" => whole("401 Unauthorized", "", "{}"),
        "/overloaded" => whole("529 Overloaded", "retry-after: 90\r\n", "{}"),
        "/overloaded-ms" => whole("529 Overloaded", "retry-after: 1\r\nRetry-After-Ms: 90500\r\n", "{}"),
        "/overloaded-badly" => whole("529 Overloaded", "retry-after: soon\r\n", "{}"),
        "/quota" => whole("429 Too Many Requests", "content-type: application/json\r\n", QUOTA),
        "/error-in-200" => whole("200 OK", "content-type: application/json; charset=utf-8\r\n", ERROR_INSTEAD),
        "/quota-as-text" => whole("429 Too Many Requests", "content-type: text/plain\r\n", QUOTA),
        "/answer-in-two" => format!("{JSON}{}{}{}", chunk(&ANSWER[..20]), chunk(&ANSWER[20..]), chunk("")),
        "/encoded" => whole("200 OK", "content-type: application/json\r\ncontent-encoding: br\r\n", ERROR_INSTEAD),
        "/short" => whole("200 OK", "", ANSWER).trim_end_matches('}').into(),
        "/stream" => format!("{STREAM}{}{}{}", chunk(TOKEN), chunk(TOKEN), chunk("")),
        "/done" => format!("{STREAM}{}{}{}", chunk(TOKEN), chunk("data: [DONE]\n\n"), chunk("")),
        "/cut" | "/endless" => format!("{STREAM}{}", chunk(TOKEN)),
        "/cut-within" => format!("{STREAM}{}", &chunk(TOKEN)[..20]),
        "/error-at-the-end" => format!("{STREAM}{}{}{}", chunk(TOKEN), chunk(OVERLOADED), chunk("")),
        "/error-at-once" => format!("{STREAM}{}", chunk(OVERLOADED)),
        "/begun" => STREAM.into(),
        _ => String::new(), // and never anything
    };
    connection.write_all(text.as_bytes()).await.ok()?;
    if matches!(path, "/endless" | "/begun" | "/error-at-once" | "/silence") {
        connection.read_to_end(&mut Vec::new()).await.ok()?; // until the client goes
    }
    Some(())
}

/// The request up to the empty line; those of these tests have no body.
async fn head(connection: &mut TcpStream) -> Option<String> {
    let mut text = String::new();
    while !text.ends_with("\r\n\r\n") {
        text.push(char::from(connection.read_u8().await.ok()?));
    }
    Some(text)
}

fn whole(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n{body}", body.len())
}

fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}
