//! Reading whole route tables.

use crate::abi;
use crate::error::Error;
use crate::route::{Family, Route};
use crate::route_codec::decode;
use crate::socket::{DumpEnd, RouteSocket};
use crate::wire::Encoder;
use nix::errno::Errno;

/// Which routes to read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RouteFilter {
    /// Of this family.
    pub family: Family,
    /// Only in this table.
    pub table: Option<u32>,
    /// Only installed by this protocol.
    pub protocol: Option<u8>,
}

impl RouteFilter {
    /// All routes of a family.
    pub fn new(family: Family) -> Self {
        Self {
            family,
            table: None,
            protocol: None,
        }
    }

    /// Only in this table.
    #[must_use]
    pub fn table(mut self, table: u32) -> Self {
        self.table = Some(table);
        self
    }

    /// Only installed by this protocol.
    #[must_use]
    pub fn protocol(mut self, protocol: u8) -> Self {
        self.protocol = Some(protocol);
        self
    }

    /// Whether a route passes.
    pub fn matches(&self, route: &Route) -> bool {
        route.family() == self.family
            && self.table.is_none_or(|table| table == route.table)
            && self
                .protocol
                .is_none_or(|protocol| protocol == route.protocol)
    }

    /// The kernel refuses a strict dump of a table that no route was ever put into.
    fn is_unknown_table(&self, error: &Error) -> bool {
        self.table.is_some() && error.errno() == Some(Errno::ENOENT)
    }

    pub(crate) fn encode(&self, encoder: &mut Encoder<'_>) {
        let table = self.table.unwrap_or(0);
        let (family, protocol) = (self.family.to_kernel(), self.protocol.unwrap_or(0));
        encoder
            .raw(&[
                family,
                0,
                0,
                0,
                u8::try_from(table).unwrap_or(0),
                protocol,
                0,
                0,
            ])
            .raw(&0_u32.to_ne_bytes());
        if table > u32::from(u8::MAX) {
            encoder.u32(abi::RTA_TABLE, table);
        }
    }
}

/// What a dump yields.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DumpItem {
    /// A route.
    Route(Route),
    /// The table changed while it was read, and is read again: forget the routes so far.
    Restart,
}

impl RouteSocket {
    /// Reads routes one by one, so that a large table is nowhere held twice.
    ///
    /// A table that does not exist is empty. Cached exceptions are left out. IPv4 routes that
    /// went with their link went in silence: no notification tells of it, only this does.
    pub fn dump_routes(
        &mut self,
        filter: &RouteFilter,
        mut each: impl FnMut(DumpItem),
    ) -> Result<DumpEnd, Error> {
        let mut malformed = 0;
        let action = || "reading routes".to_owned();
        let fill = |encoder: &mut Encoder<'_>| filter.encode(encoder);
        let end = self.dump(
            abi::RTM_GETROUTE,
            action,
            fill,
            &mut |message| match message.map(|message| decode(message.payload)) {
                None => each(DumpItem::Restart),
                Some(Ok(Some(route))) if filter.matches(&route) && !route.cloned => {
                    each(DumpItem::Route(route));
                }
                Some(Ok(_)) => (),
                Some(Err(_)) => malformed += 1,
            },
        );
        (0..malformed).for_each(|_| self.count_malformed());
        match end {
            Err(error) if filter.is_unknown_table(&error) => Ok(DumpEnd::Consistent),
            end => end,
        }
    }

    /// Reads routes into a list, in the kernel's order.
    pub fn routes(&mut self, filter: &RouteFilter) -> Result<(Vec<Route>, DumpEnd), Error> {
        let mut routes = Vec::new();
        let end = self.dump_routes(filter, |item| match item {
            DumpItem::Route(route) => routes.push(route),
            DumpItem::Restart => routes.clear(),
        })?;
        Ok((routes, end))
    }
}
