//! Where the control socket listens: `[::1]:PORT` or a unix path, read-only or read-write.
//!
//! A unix socket file that exists already is not removed: as with stock babeld, that is an error
//! that names the file. Ours is removed when the listener goes.

use super::client;
use super::server::Shared;
use std::fmt;
use std::io;
use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;
use tokio::net::{TcpListener, UnixListener};

/// After a failed accept (no descriptors left), before the next.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);

/// What clients of a socket may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Look: `local-port`, `local-path`.
    ReadOnly,
    /// Look and configure: `local-port-readwrite`, `local-path-readwrite`.
    ReadWrite,
}

/// Where to listen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Address {
    /// On `[::1]`, this TCP port.
    Port(u16),
    /// On this unix stream socket.
    Path(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(port) => write!(f, "[::1]:{port}"),
            Self::Path(path) => write!(f, "{}", path.display()),
        }
    }
}

/// One listening socket.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Endpoint {
    /// Where.
    pub address: Address,
    /// For what.
    pub access: Access,
}

/// A control socket could not be opened.
#[derive(Debug)]
pub struct BindError {
    address: Address,
    source: io::Error,
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The first words are stock babeld's, which scripts look for.
        let reason = match self.source.raw_os_error() {
            Some(code) => nix::errno::Errno::from_raw(code).desc().to_owned(),
            None => self.source.to_string(),
        };
        write!(f, "local_server_socket: {reason} ({})", self.address)?;
        if let Address::Path(path) = &self.address
            && self.source.kind() == io::ErrorKind::AddrInUse
        {
            let path = path.display();
            write!(f, "; if no babeld is running, remove {path}")?;
        }
        Ok(())
    }
}

impl std::error::Error for BindError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// A bound socket, and the file to remove with it.
#[derive(Debug)]
pub(super) struct Listener {
    socket: Socket,
    /// Held for its end.
    _file: Option<SocketFile>,
    access: Access,
    /// The port that was really bound.
    pub(super) address: Address,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// Removes the socket's file when dropped.
#[derive(Debug)]
struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Somebody may have removed it already; nothing more can be done about other errors.
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Listener {
    pub(super) fn bind(endpoint: &Endpoint) -> Result<Self, BindError> {
        let bound = match &endpoint.address {
            Address::Port(port) => bind_tcp(*port),
            Address::Path(path) => bind_unix(path),
        };
        let (socket, address) = bound.map_err(|source| BindError {
            address: endpoint.address.clone(),
            source,
        })?;
        let file = match &address {
            Address::Path(path) => Some(SocketFile(path.clone())),
            Address::Port(_) => None,
        };
        Ok(Self {
            socket,
            _file: file,
            access: endpoint.access,
            address,
        })
    }

    /// Accepts for ever. An error is counted and waited out, never the end (a daemon must not
    /// stop because descriptors ran out for a moment).
    pub(super) async fn run(self, shared: Rc<Shared>) {
        loop {
            let accepted = match &self.socket {
                Socket::Tcp(listener) => listener
                    .accept()
                    .await
                    .map(|(stream, _)| client::Stream::Tcp(stream)),
                Socket::Unix(listener) => listener
                    .accept()
                    .await
                    .map(|(stream, _)| client::Stream::Unix(stream)),
            };
            match accepted {
                Ok(stream) => shared.clone().admit(stream, self.access),
                Err(error) => {
                    shared.count(|counters| counters.accept_errors += 1);
                    tracing::debug!("control socket {}: accept: {error}", self.address);
                    tokio::time::sleep(ACCEPT_BACKOFF).await;
                }
            }
        }
    }
}

fn bind_tcp(port: u16) -> io::Result<(Socket, Address)> {
    let address = SocketAddr::V6(SocketAddrV6::new(Ipv6Addr::LOCALHOST, port, 0, 0));
    let socket = socket2::Socket::new(socket2::Domain::IPV6, socket2::Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(64)?;
    let listener = TcpListener::from_std(socket.into())?;
    let port = listener.local_addr()?.port();
    Ok((Socket::Tcp(listener), Address::Port(port)))
}

fn bind_unix(path: &Path) -> io::Result<(Socket, Address)> {
    let listener = UnixListener::bind(path)?;
    Ok((Socket::Unix(listener), Address::Path(path.to_owned())))
}
