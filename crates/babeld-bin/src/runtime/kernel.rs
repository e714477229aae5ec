//! The FIB's door to the real kernel, and reading of what is to be announced.

use crate::fib::{Action, Kernel, KernelRoute, PROTO_BABEL, Refusal, Verb, Write};
use crate::xroutes::{Source, importable, key_of};
use babel_core::prefix::{Prefix, RouteKey};
use babel_netlink::{
    AddressInfo, Batch, DumpEnd, DumpItem, Error, Family, LinkInfo, Route, RouteFilter, RouteKind,
    RouteSocket,
};
use std::io;

/// The kernel, by route netlink.
#[derive(Debug)]
pub struct NetlinkKernel {
    socket: RouteSocket,
    batch: Batch,
}

impl NetlinkKernel {
    /// Opens the socket that asks and writes.
    pub fn open() -> Result<Self, Error> {
        Ok(Self {
            socket: RouteSocket::new()?,
            batch: Batch::new(),
        })
    }

    /// For pins, probe addresses and counters.
    pub(super) const fn socket(&mut self) -> &mut RouteSocket {
        &mut self.socket
    }

    /// What notifications of our own writes carry.
    pub fn port_id(&self) -> u32 {
        self.socket.port_id()
    }

    /// All devices and all addresses.
    pub fn devices(&mut self) -> Result<(Vec<LinkInfo>, Vec<AddressInfo>), Error> {
        Ok((self.socket.links()?, self.socket.addresses()?))
    }

    /// What may be announced of the routes of the given tables. `Changing` means: read again soon.
    pub fn imports(&mut self, tables: &[u32]) -> Result<(Vec<(RouteKey, Source)>, DumpEnd), Error> {
        let mut all = Vec::new();
        let mut whole = DumpEnd::Consistent;
        for table in tables {
            for family in Family::BOTH {
                let filter = RouteFilter::new(family).table(*table);
                let before = all.len();
                let end = self.socket.dump_routes(&filter, |item| match item {
                    DumpItem::Route(route) => all.extend(importable(&route)),
                    DumpItem::Restart => all.truncate(before),
                })?;
                if end == DumpEnd::Changing {
                    whole = end;
                }
            }
        }
        Ok((all, whole))
    }
}

impl Kernel for NetlinkKernel {
    fn write(&mut self, writes: &[Write]) -> io::Result<Vec<Refusal>> {
        for write in writes {
            let route = to_netlink(&write.route);
            match write.verb {
                Verb::Add => self.batch.add(&route),
                Verb::Replace => self.batch.replace(&route),
                Verb::Delete => self.batch.delete(&route),
            }
        }
        let results = self.socket.execute(&mut self.batch);
        let refused = |(index, result): (usize, Result<(), babel_netlink::Refusal>)| {
            let refusal = result.err()?;
            if let Some(message) = &refusal.message {
                tracing::debug!("the kernel says: {message}");
            }
            let errno = refusal.errno as i32;
            Some(Refusal { index, errno })
        };
        Ok(results
            .into_iter()
            .enumerate()
            .filter_map(refused)
            .collect())
    }

    fn own_routes(&mut self, table: u32) -> io::Result<Vec<KernelRoute>> {
        let mut own = Vec::new();
        for family in Family::BOTH {
            let filter = RouteFilter::new(family).table(table).protocol(PROTO_BABEL);
            let (routes, _) = self.socket.routes(&filter).map_err(io::Error::other)?;
            own.extend(routes.iter().filter_map(from_netlink));
        }
        Ok(own)
    }
}

/// A kernel route as the FIB sees it; `None` if Babel has no name for its prefix.
pub(super) fn from_netlink(route: &Route) -> Option<KernelRoute> {
    let action = match (route.kind, route.gateway, route.oif) {
        (RouteKind::Unicast, Some(next_hop), Some(ifindex)) if !route.multipath => Action::Via {
            ifindex,
            next_hop,
            pref_src: route.pref_src,
        },
        (RouteKind::Unreachable, ..) => Action::Unreachable,
        _ => Action::Other,
    };
    Some(KernelRoute {
        key: key_of(route)?,
        table: route.table,
        priority: route.effective_priority(),
        action,
    })
}

fn to_netlink(route: &KernelRoute) -> Route {
    let pair = |prefix: &Prefix| (prefix.address(), prefix.plen());
    let key: &RouteKey = &route.key;
    let mut out = Route::new(pair(key.dst()), route.table, PROTO_BABEL);
    out.source = key.is_source_specific().then(|| pair(key.src()));
    out.priority = Some(route.priority);
    match route.action {
        Action::Via {
            ifindex,
            next_hop,
            pref_src,
        } => {
            out = out.via(next_hop, ifindex);
            out.onlink = true;
            out.pref_src = pref_src;
        }
        Action::Unreachable => out.kind = RouteKind::Unreachable,
        // Deleted by its slot and our mark, whatever it does.
        Action::Other => {}
    }
    out
}
