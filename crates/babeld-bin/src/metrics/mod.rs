//! Prometheus metrics over HTTP: numbers, their exposition and the transport, each apart.
//!
//! [`numbers`] copies what the tables say at the moment of a scrape; nothing is kept up to date
//! between scrapes. [`exposition`] names it. `http` carries it: one path, one answer a connection.
//!
//! The main loop awaits [`Server::next_scrape`] and gives it to [`Server::answer`]; the text is
//! made and written by the connection's own task. It must run where `tokio::task::spawn_local`
//! works.

mod families;
mod http;
mod quality;

pub mod exposition;
pub mod numbers;

pub use numbers::{Numbers, Sources};

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;

/// Connections served at a time; more wait in the listening socket's queue.
const MAX_CONNECTIONS: usize = 8;
/// For a client to send its request, and again to take its answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// After a failed accept, before the next.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);

/// Somebody wants the numbers.
#[derive(Debug)]
pub struct Scrape(oneshot::Sender<Numbers>);

/// The endpoint of `metrics-port`.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    scrapes: mpsc::Receiver<Scrape>,
    accepting: JoinHandle<()>,
}

impl Server {
    /// Opens the port and begins to accept.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        let address = listener.local_addr()?;
        let (sender, scrapes) = mpsc::channel(MAX_CONNECTIONS);
        Ok(Self {
            address,
            scrapes,
            accepting: tokio::task::spawn_local(accept(listener, sender)),
        })
    }

    /// Where it listens: a port of 0 has become a real one.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next scrape. Cancel-safe.
    pub async fn next_scrape(&mut self) -> Scrape {
        match self.scrapes.recv().await {
            Some(scrape) => scrape,
            // Never: the accepting task holds a sender.
            None => std::future::pending().await,
        }
    }

    /// Answers a scrape; never blocks.
    pub fn answer(&self, scrape: Scrape, sources: &Sources<'_>) {
        // The client may have gone meanwhile.
        let _ = scrape.0.send(Numbers::of(sources));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Accepts for ever; an error is waited out, never the end.
async fn accept(listener: TcpListener, scrapes: mpsc::Sender<Scrape>) {
    let places = Rc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(()) = places
            .acquire()
            .await
            .map(tokio::sync::SemaphorePermit::forget)
        else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let (places, scrapes) = (places.clone(), scrapes.clone());
                tokio::task::spawn_local(async move {
                    http::serve(stream, PATIENCE, async || ask(&scrapes).await).await;
                    places.add_permits(1);
                });
            }
            Err(error) => {
                tracing::debug!("metrics: accept: {error}");
                tokio::time::sleep(ACCEPT_BACKOFF).await;
                places.add_permits(1);
            }
        }
    }
}

/// The text of a scrape; `None` if the daemon is on its way out.
async fn ask(scrapes: &mpsc::Sender<Scrape>) -> Option<String> {
    let (sender, numbers) = oneshot::channel();
    scrapes.send(Scrape(sender)).await.ok()?;
    let numbers = numbers.await.ok()?;
    match exposition::text(&numbers) {
        Ok(text) => Some(text),
        Err(error) => {
            tracing::error!("metrics: cannot write the text: {error}");
            None
        }
    }
}
