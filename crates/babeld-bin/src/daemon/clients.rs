//! All who ask things of the running node: control clients, monitors, Prometheus.

use crate::config::{LocalAddress, LocalSocket, Settings};
use crate::local::{Access, Address, Endpoint, Identity, Request, Server};
#[cfg(feature = "metrics")]
use crate::metrics;
use crate::runtime::Running;
use anyhow::bail;
use babel_core::types::RouterId;
#[cfg(feature = "metrics")]
use std::time::SystemTime;

/// Answered between two rounds of the main loop.
const BUDGET: usize = 16;

/// The listening sockets and what has come in on them.
#[derive(Debug)]
pub(super) struct Clients {
    local: Server,
    #[cfg(feature = "metrics")]
    metrics: Metrics,
}

/// Somebody wants something.
#[derive(Debug)]
pub(super) enum Wish {
    Request(Request),
    #[cfg(feature = "metrics")]
    Scrape(metrics::Scrape),
}

/// The metrics port, and what a scrape says besides the node's tables.
#[cfg(feature = "metrics")]
#[derive(Debug)]
struct Metrics {
    server: Option<metrics::Server>,
    identity: Identity,
    started: SystemTime,
}

impl Clients {
    /// Opens the sockets that the settings ask for.
    pub(super) fn bind(settings: &Settings, router_id: RouterId) -> anyhow::Result<Self> {
        let identity = Identity {
            althea: settings.althea_compat,
            ..Identity::new(router_id)
        };
        let endpoints: Vec<_> = settings.local_socket.iter().map(endpoint).collect();
        let local = Server::bind(&endpoints, identity.clone())?;
        #[cfg(feature = "metrics")]
        let metrics = Metrics::bind(settings, identity)?;
        #[cfg(not(feature = "metrics"))]
        if let Some(address) = settings.metrics_listen {
            bail!("metrics-port {address}: this babeld was built without metrics");
        }
        Ok(Self {
            local,
            #[cfg(feature = "metrics")]
            metrics,
        })
    }

    /// The next wish. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Wish {
        #[cfg(not(feature = "metrics"))]
        return Wish::Request(self.local.next_request().await);
        #[cfg(feature = "metrics")]
        tokio::select! {
            biased;
            request = self.local.next_request() => Wish::Request(request),
            scrape = self.metrics.next() => Wish::Scrape(scrape),
        }
    }

    /// Grants a wish, and some more of those that wait already.
    pub(super) fn grant(&mut self, wish: Wish, node: &mut Running) {
        match wish {
            #[cfg(feature = "metrics")]
            Wish::Scrape(scrape) => self.metrics.answer(scrape, node, &self.local),
            Wish::Request(request) => {
                self.handle(request, node);
                for _ in 1..BUDGET {
                    let Some(request) = self.local.try_next_request() else {
                        break;
                    };
                    self.handle(request, node);
                }
            }
        }
    }

    /// Gives the monitors what happened since the last call.
    pub(super) fn publish(&mut self, node: &mut Running) {
        for (change, interface) in node.take_interface_news() {
            self.local.publish_interface(change, &interface);
        }
        while let Some(notification) = node.engine_mut().poll_notification() {
            self.local.publish(&notification, node);
        }
        node.engine_mut().set_notify(self.local.has_monitors());
    }

    fn handle(&mut self, request: Request, node: &mut Running) {
        // A client that begins to monitor must not hear what its dump already says.
        self.publish(node);
        self.local.handle(request, node);
        node.engine_mut().set_notify(self.local.has_monitors());
    }
}

#[cfg(feature = "metrics")]
impl Metrics {
    fn bind(settings: &Settings, identity: Identity) -> anyhow::Result<Self> {
        let server = match settings
            .metrics_listen
            .map(|at| (at, metrics::Server::bind(at)))
        {
            None => None,
            Some((_, Ok(server))) => Some(server),
            Some((address, Err(error))) => bail!("metrics-port {address}: {error}"),
        };
        Ok(Self {
            server,
            identity,
            started: SystemTime::now(),
        })
    }

    async fn next(&mut self) -> metrics::Scrape {
        match &mut self.server {
            Some(server) => server.next_scrape().await,
            None => std::future::pending().await,
        }
    }

    fn answer(&self, scrape: metrics::Scrape, node: &Running, local: &Server) {
        if let Some(server) = &self.server {
            let sources = metrics::Sources {
                node,
                identity: &self.identity,
                local: (local.counters(), local.clients()),
                started: self.started,
            };
            server.answer(scrape, &sources);
        }
    }
}

fn endpoint(socket: &LocalSocket) -> Endpoint {
    Endpoint {
        address: match &socket.address {
            LocalAddress::Port(port) => Address::Port(*port),
            LocalAddress::Path(path) => Address::Path(path.clone()),
        },
        access: if socket.read_write {
            Access::ReadWrite
        } else {
            Access::ReadOnly
        },
    }
}
