//! A small proxy that tunnels (`CONNECT`, SOCKS 5) and forwards to one server, regardless of the host name. It does not
//! resolve names, so that tests need no network.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

/// A running proxy; dropping this stops it.
#[derive(Debug)]
pub struct ProxyServer {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

impl ProxyServer {
    /// Starts a proxy to this server.
    pub async fn start(server: SocketAddr) -> ProxyServer {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let log = seen.clone();
        let task = tokio::spawn(async move {
            let mut open = tokio::task::JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let log = log.clone();
                open.spawn(async move {
                    // Some tests make the client close early.
                    let _ = serve(client, server, &log).await;
                });
            }
        });
        ProxyServer { address, seen, task }
    }

    /// Its URL, with this scheme and user.
    pub fn url(&self, scheme: &str, user: &str) -> String {
        format!("{scheme}://{user}{}", self.address)
    }

    /// The first request of each connection, in one line.
    pub fn seen(&self) -> Vec<String> {
        self.seen.lock().expect("no test panics under this lock").clone()
    }
}

impl Drop for ProxyServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut client: TcpStream, server: SocketAddr, log: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut first = [0];
    client.peek(&mut first).await?;
    let (asked, head) = match first[0] {
        5 => (socks(&mut client).await?, Vec::new()),
        _ => {
            let head = read_head(&mut client).await?;
            let text = String::from_utf8_lossy(&head).into_owned();
            let line = text.lines().next().unwrap_or_default().to_owned();
            let told = text.lines().find(|l| l.to_ascii_lowercase().starts_with("proxy-authorization:"));
            let told = told.and_then(|l| l.split_once(' ')).map_or(String::new(), |(_, told)| format!(" {told}"));
            let connect = line.starts_with("CONNECT ");
            if connect {
                client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
            }
            (format!("{line}{told}"), if connect { Vec::new() } else { head })
        }
    };
    log.lock().expect("no test panics under this lock").push(asked);
    let mut upstream = TcpStream::connect(server).await?;
    upstream.write_all(&head).await?;
    copy_bidirectional(&mut client, &mut upstream).await?;
    Ok(())
}

async fn read_head(client: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
    }
    Ok(head)
}

/// RFC 1928 and 1929, with user names and passwords only.
async fn socks(client: &mut TcpStream) -> std::io::Result<String> {
    let _version = client.read_u8().await?;
    let methods = read_short(client).await?;
    let mut user = String::new();
    if methods.contains(&2) {
        client.write_all(&[5, 2]).await?;
        let _version = client.read_u8().await?;
        let (name, password) = (read_short(client).await?, read_short(client).await?);
        user = format!(" {}:{}", String::from_utf8_lossy(&name), String::from_utf8_lossy(&password));
        client.write_all(&[1, 0]).await?;
    } else {
        client.write_all(&[5, 0]).await?;
    }
    let mut request = [0; 4];
    client.read_exact(&mut request).await?;
    let host = match request[3] {
        3 => String::from_utf8_lossy(&read_short(client).await?).into_owned(),
        _ => std::net::Ipv4Addr::from(client.read_u32().await?).to_string(),
    };
    let port = client.read_u16().await?;
    client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
    Ok(format!("SOCKS {host}:{port}{user}"))
}

/// Reads one byte with the length, then the bytes.
async fn read_short(client: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::from(client.read_u8().await?)];
    client.read_exact(&mut bytes).await?;
    Ok(bytes)
}
