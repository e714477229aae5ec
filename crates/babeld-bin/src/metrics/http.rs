//! As much HTTP/1.1 as a scraper needs: `GET` and `HEAD`, one answer a connection, and limits.

use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

/// Octets of a request's head.
const MAX_REQUEST: usize = 8 << 10;
/// Header fields of a request.
const MAX_HEADERS: usize = 64;

/// What a request comes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Target {
    Metrics,
    Root,
    NotFound,
    BadMethod,
    BadRequest,
    TooLarge,
}

/// An answer, but for the text of the metrics.
struct Answer {
    status: &'static str,
    kind: &'static str,
    body: String,
}

/// Reads one request, writes one answer, and closes. `metrics` makes the text.
pub(super) async fn serve<S, F>(mut stream: S, patience: Duration, metrics: F)
where
    S: AsyncRead + AsyncWrite + Unpin,
    F: AsyncFnOnce() -> Option<String>,
{
    let Ok(Ok(Some((target, head_only)))) = timeout(patience, request(&mut stream)).await else {
        return;
    };
    let answer = match target {
        Target::Metrics => match metrics().await {
            Some(text) => Answer {
                status: "200 OK",
                kind: "text/plain; version=0.0.4; charset=utf-8",
                body: text,
            },
            None => plain("503 Service Unavailable", "no metrics now\n"),
        },
        Target::Root => plain("200 OK", "babeld: see /metrics\n"),
        Target::NotFound => plain("404 Not Found", "only /metrics is here\n"),
        Target::BadMethod => plain("405 Method Not Allowed", "only GET and HEAD\n"),
        Target::BadRequest => plain("400 Bad Request", "not understood\n"),
        Target::TooLarge => plain("431 Request Header Fields Too Large", "too long\n"),
    };
    // A client that goes, or that does not take its answer in time, is its own loss.
    let _ = timeout(patience, respond(&mut stream, answer, head_only)).await;
}

fn plain(status: &'static str, body: &str) -> Answer {
    Answer {
        status,
        kind: "text/plain; charset=utf-8",
        body: body.into(),
    }
}

/// Reads a request's head: what it is for, and whether it is a `HEAD`; `None` if the client went.
async fn request<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Option<(Target, bool)>> {
    let mut head = Vec::new();
    loop {
        let mut chunk = [0; 1024];
        let read = stream.read(&mut chunk).await?;
        if read == 0 {
            return Ok(None);
        }
        head.extend_from_slice(chunk.get(..read).unwrap_or_default());
        if head.len() > MAX_REQUEST {
            return Ok(Some((Target::TooLarge, false)));
        }
        if let Some(understood) = understand(&head) {
            return Ok(Some(understood));
        }
    }
}

/// `None` if `head` is not complete.
fn understand(head: &[u8]) -> Option<(Target, bool)> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(head) {
        Ok(httparse::Status::Partial) => return None,
        Ok(httparse::Status::Complete(_)) => {}
        Err(httparse::Error::TooManyHeaders) => return Some((Target::TooLarge, false)),
        Err(_) => return Some((Target::BadRequest, false)),
    }
    let path = request.path.unwrap_or_default();
    let path = path.split('?').next().unwrap_or_default();
    let target = match (request.method, path) {
        (Some("GET" | "HEAD"), "/metrics") => Target::Metrics,
        (Some("GET" | "HEAD"), "/") => Target::Root,
        (Some("GET" | "HEAD"), _) => Target::NotFound,
        _ => Target::BadMethod,
    };
    Some((target, request.method == Some("HEAD")))
}

async fn respond<S>(stream: &mut S, answer: Answer, head_only: bool) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Answer { status, kind, body } = answer;
    let length = body.len();
    let mut text = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\
         Allow: GET, HEAD\r\nConnection: close\r\n\r\n"
    );
    if !head_only {
        text.push_str(&body);
    }
    stream.write_all(text.as_bytes()).await?;
    stream.shutdown().await?;
    // So that what the client still sends does not reset the connection under the answer.
    let mut chunk = [0; 1024];
    while stream.read(&mut chunk).await? > 0 {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes back for `request`, when metrics are `metrics`.
    async fn exchange(request: &[u8], metrics: Option<&str>) -> String {
        let (mut client, server) = tokio::io::duplex(1 << 20);
        let serving = serve(server, Duration::from_secs(5), async || {
            metrics.map(str::to_owned)
        });
        let asking = async {
            client.write_all(request).await.expect("written");
            client.shutdown().await.expect("shut down");
            let mut answer = String::new();
            client.read_to_string(&mut answer).await.expect("an answer");
            answer
        };
        tokio::join!(serving, asking).1
    }

    #[tokio::test]
    async fn get_gives_the_text_and_head_only_its_length() {
        let answer = exchange(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", Some("m 1\n")).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("Content-Type: text/plain; version=0.0.4"));
        assert!(answer.contains("Content-Length: 4\r\n"));
        assert!(answer.ends_with("\r\n\r\nm 1\n"), "{answer}");
        let answer = exchange(b"HEAD /metrics HTTP/1.1\r\n\r\n", Some("m 1\n")).await;
        assert!(answer.contains("Content-Length: 4\r\n"));
        assert!(answer.ends_with("\r\n\r\n"), "{answer}");
    }

    #[tokio::test]
    async fn everything_else_is_answered_with_its_fault() {
        let long = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(9000));
        for (request, status) in [
            (&b"GET / HTTP/1.0\r\n\r\n"[..], "200 OK"),
            (b"GET /metrics?x=1 HTTP/1.1\r\n\r\n", "200 OK"),
            (b"GET /secret HTTP/1.1\r\n\r\n", "404 Not Found"),
            (b"POST /metrics HTTP/1.1\r\n\r\n", "405 Method Not Allowed"),
            (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", "400 Bad Request"),
            (long.as_bytes(), "431 Request Header Fields Too Large"),
        ] {
            let answer = exchange(request, Some("m 1\n")).await;
            let expected = format!("HTTP/1.1 {status}\r\n");
            assert!(answer.starts_with(&expected), "{status}: {answer}");
        }
        let answer = exchange(b"GET /metrics HTTP/1.1\r\n\r\n", None).await;
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_never_finishes_its_request_is_dropped() {
        let (mut client, server) = tokio::io::duplex(4096);
        let serving = serve(server, Duration::from_secs(5), async || None);
        let asking = async {
            client.write_all(b"GET /metr").await.expect("written");
            let mut answer = Vec::new();
            client.read_to_end(&mut answer).await.expect("the end");
            answer
        };
        assert_eq!(tokio::join!(serving, asking).1, b"");
    }
}
