//! A server that sends exactly the bytes that a test chooses, including invalid HTTP. It uses TCP on loopback directly,
//! because a real HTTP server would refuse to send a wrong length.
//!
//! The test provides a function from request to [`Reply`]; every connection serves one request after the
//! other until a reply closes it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A request of the client.
#[derive(Clone, Debug)]
pub struct Request {
    /// Path and query.
    pub target: String,
    /// Header lines, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The number of earlier requests for this target.
    pub earlier: usize,
}

impl Request {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// The first and last byte of the requested range.
    pub fn range(&self) -> Option<(usize, Option<usize>)> {
        let (first, last) = self.header("range")?.strip_prefix("bytes=")?.split_once('-')?;
        Some((first.parse().ok()?, last.parse().ok()))
    }
}

/// A response, as a list of steps.
#[derive(Clone, Debug, Default)]
pub struct Reply(Vec<Step>);

#[derive(Clone, Debug)]
enum Step {
    Send(Vec<u8>),
    Pause(Duration),
    Close,
    Reset,
}

impl Reply {
    /// Only these bytes.
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Reply(vec![Step::Send(bytes.into())])
    }

    /// A status line and headers, `Name: value` each, without a body.
    pub fn head(status: &str, headers: &[&str]) -> Self {
        let lines: String = headers.iter().map(|h| format!("{h}\r\n")).collect();
        Reply::raw(format!("HTTP/1.1 {status}\r\n{lines}\r\n"))
    }

    /// A complete response with the right `Content-Length`.
    pub fn status(status: &str, headers: &[&str], body: impl AsRef<[u8]>) -> Self {
        let length = format!("Content-Length: {}", body.as_ref().len());
        let headers: Vec<&str> = headers.iter().copied().chain([length.as_str()]).collect();
        Reply::head(status, &headers).then(body.as_ref())
    }

    /// 200 with the right `Content-Length`.
    pub fn ok(body: impl AsRef<[u8]>) -> Self {
        Reply::status("200 OK", &[], body)
    }

    /// 302 to another URL.
    pub fn redirect(location: &str) -> Self {
        Reply::status("302 Found", &[&format!("Location: {location}")], "")
    }

    /// 200 with chunked encoding, without `Content-Length`.
    pub fn chunked(chunks: &[&[u8]]) -> Self {
        let head = Reply::head("200 OK", &["Transfer-Encoding: chunked"]);
        let sent = chunks
            .iter()
            .fold(head, |reply, chunk| reply.then(format!("{:x}\r\n", chunk.len())).then(chunk).then("\r\n"));
        sent.then("0\r\n\r\n")
    }

    /// A file as a correct server sends it: with ranges, and whole if `If-Range` has another entity tag; with these
    /// additional headers.
    pub fn file(request: &Request, body: &[u8], tag: &str, headers: &[&str]) -> Self {
        let tag_line = format!("ETag: {tag}");
        let mut all = vec!["Accept-Ranges: bytes", &tag_line];
        all.extend(headers);
        let same = request.header("if-range").is_none_or(|asked| asked == tag);
        let Some((first, last)) = request.range().filter(|_| same) else {
            return Reply::status("200 OK", &all, body);
        };
        if first >= body.len() {
            return Reply::status(
                "416 Range Not Satisfiable",
                &[&format!("Content-Range: bytes */{}", body.len())],
                "",
            );
        }
        let end = last.map_or(body.len(), |last| body.len().min(last + 1));
        let range = format!("Content-Range: bytes {first}-{}/{}", end - 1, body.len());
        all.push(&range);
        Reply::status("206 Partial Content", &all, &body[first..end])
    }

    /// Truncates the body to `bytes` and removes later steps.
    #[must_use]
    pub fn cut(mut self, bytes: usize) -> Self {
        self.0.truncate(2);
        if let Some(Step::Send(body)) = self.0.get_mut(1) {
            body.truncate(bytes);
        }
        self
    }

    /// Then sends these bytes.
    #[must_use]
    pub fn then(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.0.push(Step::Send(bytes.as_ref().to_vec()));
        self
    }

    /// Then waits.
    #[must_use]
    pub fn pause(mut self, time: Duration) -> Self {
        self.0.push(Step::Pause(time));
        self
    }

    /// Then takes the steps of this reply.
    #[must_use]
    pub fn and(mut self, next: Reply) -> Self {
        self.0.extend(next.0);
        self
    }

    /// Then resets the connection, as when a process dies.
    #[must_use]
    pub fn reset(mut self) -> Self {
        self.0.push(Step::Reset);
        self
    }

    /// Then closes the connection.
    #[must_use]
    pub fn close(mut self) -> Self {
        self.0.push(Step::Close);
        self
    }
}

/// A running server; dropping this stops it.
#[derive(Debug)]
pub struct FaultServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Default, Debug)]
struct Shared {
    requests: Mutex<Vec<Request>>,
    replying: AtomicUsize,
    most_replying: AtomicUsize,
    bytes_sent: AtomicUsize,
}

impl FaultServer {
    /// Starts a server whose responses `reply` chooses.
    pub async fn start(reply: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> FaultServer {
        Self::start_at("127.0.0.1:0", reply).await
    }

    /// The same at this address, for example that of a stopped server.
    pub async fn start_at(
        address: impl tokio::net::ToSocketAddrs,
        reply: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> FaultServer {
        let listener = TcpListener::bind(address).await.expect("the address is free");
        let address = listener.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared::default());
        let (reply, state) = (Arc::new(reply), shared.clone());
        let task = tokio::spawn(async move {
            let mut open = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (reply, state) = (reply.clone(), state.clone());
                open.spawn(async move {
                    // Some tests make the client close early.
                    let _ = serve(stream, &*reply, &state).await;
                });
            }
        });
        FaultServer { address, shared, task }
    }

    /// Closes the listener and every connection, and returns the address.
    pub async fn stop(mut self) -> SocketAddr {
        self.task.abort();
        let _ = (&mut self.task).await;
        self.address
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of a path on this server.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The same with the host name `localhost`, which is another origin.
    pub fn other_url(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.address.port())
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().expect("no test panics under this lock").clone()
    }

    /// The targets of all requests so far.
    pub fn targets(&self) -> Vec<String> {
        self.requests().into_iter().map(|r| r.target).collect()
    }

    /// The largest number of replies in progress at one time.
    pub fn most_at_once(&self) -> usize {
        self.shared.most_replying.load(Ordering::SeqCst)
    }

    /// Bytes written to sockets so far.
    pub fn bytes_sent(&self) -> usize {
        self.shared.bytes_sent.load(Ordering::SeqCst)
    }

    /// Replies in progress.
    pub fn replying(&self) -> usize {
        self.shared.replying.load(Ordering::SeqCst)
    }
}

impl Drop for FaultServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    mut stream: TcpStream,
    reply: &(dyn Fn(&Request) -> Reply + Send + Sync),
    state: &Shared,
) -> std::io::Result<()> {
    while let Some(request) = read_request(&mut stream, state).await? {
        let now = state.replying.fetch_add(1, Ordering::SeqCst) + 1;
        state.most_replying.fetch_max(now, Ordering::SeqCst);
        let result = send(&mut stream, reply(&request), state).await;
        state.replying.fetch_sub(1, Ordering::SeqCst);
        if result? {
            break;
        }
    }
    Ok(())
}

/// Sends a reply; returns whether to close the connection afterwards.
async fn send(stream: &mut TcpStream, reply: Reply, state: &Shared) -> std::io::Result<bool> {
    for step in reply.0 {
        match step {
            Step::Send(bytes) => {
                for part in bytes.chunks(64 << 10) {
                    stream.write_all(part).await?;
                    state.bytes_sent.fetch_add(part.len(), Ordering::SeqCst);
                }
            }
            Step::Pause(time) => {
                // The pause ends if the client disconnects.
                let mut byte = [0];
                if let Ok(gone) = tokio::time::timeout(time, stream.peek(&mut byte)).await {
                    gone?;
                    return Ok(true);
                }
            }
            Step::Close => return Ok(true),
            Step::Reset => {
                stream.set_zero_linger()?;
                return Ok(true);
            }
        }
    }
    stream.flush().await?;
    Ok(false)
}

async fn read_request(stream: &mut TcpStream, state: &Shared) -> std::io::Result<Option<Request>> {
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).await? == 0 {
            return Ok(None);
        }
        text.push(byte[0]);
    }
    let text = String::from_utf8_lossy(&text);
    let mut lines = text.lines();
    let target = lines.next().and_then(|l| l.split(' ').nth(1)).unwrap_or_default().to_owned();
    let headers =
        lines.filter_map(|l| l.split_once(':')).map(|(n, v)| (n.to_ascii_lowercase(), v.trim().to_owned())).collect();
    let mut all = state.requests.lock().expect("no test panics under this lock");
    let earlier = all.iter().filter(|r| r.target == target).count();
    let request = Request { target, headers, earlier };
    all.push(request.clone());
    Ok(Some(request))
}
