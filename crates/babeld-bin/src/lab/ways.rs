//! The ways that a node knows to one destination: shown, waited for, followed as they change.

use super::client::Route;
use super::network::Network;
use super::scenario::peer_on;
use super::story::{Seen, Stage, installed, price_of};
use anyhow::{Result, ensure};
use std::time::{Duration, Instant};

/// From the start of a node to a route, and from a reason to move at once to having moved.
const ROUTE_LIMIT: Duration = Duration::from_secs(20);

/// A node and a destination.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ways {
    pub(super) node: &'static str,
    /// As `dump` prints it.
    pub(super) prefix: &'static str,
}

impl Ways {
    /// The routes that lead there.
    pub(super) fn known(self, network: &Network) -> Result<Vec<Route>> {
        let mut routes = network.routes(self.node)?;
        routes.retain(|route| route.prefix == self.prefix && route.is_usable());
        Ok(routes)
    }

    /// The neighbour that traffic goes to.
    pub(super) fn used(self, network: &Network) -> Result<Option<String>> {
        let routes = self.known(network)?;
        let used = installed(&routes, self.prefix);
        Ok(used.map(|route| peer_on(&route.interface).to_owned()))
    }

    /// Waits until the node knows so many ways, and uses the one through `chosen` if one is named.
    pub(super) fn await_all(
        self,
        stage: &mut Stage,
        count: usize,
        chosen: Option<&str>,
    ) -> Result<()> {
        let what = format!("waiting for {} to know all ways", self.node);
        stage.wait(&what, ROUTE_LIMIT, |network| {
            network.check()?;
            let known = self.known(network)?.len();
            let used = self.used(network)?;
            let right = chosen.is_none_or(|chosen| used.as_deref() == Some(chosen));
            let via = used.as_deref().unwrap_or("nobody");
            Ok(if known == count && used.is_some() && right {
                Seen::There(())
            } else {
                Seen::NotYet(format!("{known} of {count}, via {via}"))
            })
        })
    }

    /// Waits until traffic goes through `chosen`; how long that took since `since`.
    pub(super) fn await_move(
        self,
        stage: &mut Stage,
        chosen: &str,
        since: Instant,
    ) -> Result<Duration> {
        let what = format!("waiting for {} to use {chosen}", self.node);
        stage.wait(&what, ROUTE_LIMIT, |network| {
            network.check()?;
            let used = self.used(network)?;
            Ok(match used.as_deref() {
                Some(via) if via == chosen => Seen::There(since.elapsed()),
                via => Seen::NotYet(format!("via {}", via.unwrap_or("nobody"))),
            })
        })
    }

    /// An error if traffic goes another way than through `chosen`.
    pub(super) fn expect(self, stage: &Stage, chosen: &str) -> Result<()> {
        let used = self.used(&stage.network)?;
        let via = used.as_deref().unwrap_or("nobody");
        let Self { node, prefix } = self;
        ensure!(
            via == chosen,
            "{node} reaches {prefix} via {via}, not via {chosen}"
        );
        Ok(())
    }

    /// A table of them.
    pub(super) fn show(self, stage: &Stage) -> Result<()> {
        let titles = ["to", "via", "price", "advertised metric", "metric here", ""];
        let mut rows = vec![titles.map(str::to_owned).to_vec()];
        for route in self.known(&stage.network)? {
            rows.push(vec![
                self.prefix.to_owned(),
                peer_on(&route.interface).to_owned(),
                price_of(&route),
                route.refmetric.to_string(),
                route.metric.to_string(),
                if route.installed { "in use" } else { "" }.to_owned(),
            ]);
        }
        stage.screen.table(&rows);
        Ok(())
    }
}
