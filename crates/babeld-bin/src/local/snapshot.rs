//! The tables at one moment, turned into lines as fast as a client reads them.
//!
//! A dump of a hundred thousand routes is some twenty megabytes of text. Taking a copy of the
//! views costs the main loop less than making that text, and a slow client then delays nobody;
//! and what a monitor is told afterwards fits what the dump said.

use super::althea::Althea;
use super::{LinkNames, json, line};
use crate::node::{InterfaceView, Node};
use babel_core::event::Change;
use babel_core::view::{NeighbourView, RouteView, XRouteView};
use babel_price_tlv::RoutePrice;
use std::vec::IntoIter;

/// Which tables to show, in the order of a dump.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Tables {
    pub(super) interfaces: bool,
    pub(super) neighbours: bool,
    pub(super) xroutes: bool,
    pub(super) routes: bool,
    /// Of neighbours and routes, only those in use.
    only_used: bool,
}

impl Tables {
    const NONE: Self = Self {
        interfaces: false,
        neighbours: false,
        xroutes: false,
        routes: false,
        only_used: false,
    };
    pub(super) const ALL: Self = Self {
        interfaces: true,
        neighbours: true,
        xroutes: true,
        routes: true,
        only_used: false,
    };
    pub(super) const INTERFACES: Self = Self {
        interfaces: true,
        ..Self::NONE
    };
    pub(super) const NEIGHBOURS: Self = Self {
        neighbours: true,
        ..Self::NONE
    };
    pub(super) const XROUTES: Self = Self {
        xroutes: true,
        ..Self::NONE
    };
    pub(super) const ROUTES: Self = Self {
        routes: true,
        ..Self::NONE
    };

    /// The tables that the end of `dump-…` or `monitor-…` names, in British or American
    /// spelling, one or many.
    pub(super) fn named(word: &str) -> Option<Self> {
        match word.strip_suffix('s').unwrap_or(word) {
            "interface" => Some(Self::INTERFACES),
            "neighbour" | "neighbor" => Some(Self::NEIGHBOURS),
            "xroute" => Some(Self::XROUTES),
            "route" => Some(Self::ROUTES),
            _ => None,
        }
    }

    /// As [`Self::named`], with AREDN's words for neighbours that can be reached and routes that
    /// are installed.
    pub(super) fn to_dump(word: &str) -> Option<Self> {
        match word.strip_suffix('s').unwrap_or(word) {
            "routable-neighbour" | "routable-neighbor" => Some(Self::NEIGHBOURS.only_used()),
            "installed-route" => Some(Self::ROUTES.only_used()),
            _ => Self::named(word),
        }
    }

    /// What a client that monitors `self` and then `other` monitors.
    pub(super) const fn and(self, other: Self) -> Self {
        Self {
            interfaces: self.interfaces || other.interfaces,
            neighbours: self.neighbours || other.neighbours,
            xroutes: self.xroutes || other.xroutes,
            routes: self.routes || other.routes,
            only_used: false,
        }
    }

    const fn only_used(self) -> Self {
        Self {
            only_used: true,
            ..self
        }
    }
}

/// How to write a row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Form {
    /// `add` lines of the stock protocol.
    Lines,
    /// The same with Althea's words.
    Althea(Althea),
    /// One JSON document a line.
    Json,
}

/// Rows still to be written.
#[derive(Debug)]
pub(super) struct Snapshot {
    form: Form,
    /// Lines before the tables.
    head: Option<String>,
    names: LinkNames,
    interfaces: IntoIter<InterfaceView>,
    neighbours: IntoIter<NeighbourView>,
    xroutes: IntoIter<XRouteView>,
    routes: IntoIter<RouteView<RoutePrice>>,
    weight: usize,
}

impl Snapshot {
    /// Copies what is asked for.
    pub(super) fn take(node: &dyn Node, tables: Tables, form: Form) -> Self {
        let (engine, now) = (node.engine(), node.now());
        let interfaces = node.interfaces();
        let names = LinkNames::of(&interfaces);
        let keep = |wanted: bool| if wanted { usize::MAX } else { 0 };
        let head = match &form {
            Form::Althea(althea) if tables == Tables::ALL => Some(althea.head()),
            Form::Althea(_) | Form::Lines | Form::Json => None,
        };
        let snapshot = Self {
            form,
            head,
            names,
            interfaces: collect(interfaces.into_iter().take(keep(tables.interfaces))),
            neighbours: if tables.neighbours {
                let used = |view: &NeighbourView| !(tables.only_used && view.cost.is_infinite());
                collect(engine.neighbours(now).filter(used))
            } else {
                IntoIter::default()
            },
            xroutes: if tables.xroutes {
                collect(engine.xroutes())
            } else {
                IntoIter::default()
            },
            routes: if tables.routes {
                let used = |view: &RouteView<RoutePrice>| view.installed || !tables.only_used;
                collect(engine.routes(now).filter(used))
            } else {
                IntoIter::default()
            },
            weight: 0,
        };
        let weight = size_of_val(snapshot.interfaces.as_slice())
            + size_of_val(snapshot.neighbours.as_slice())
            + size_of_val(snapshot.xroutes.as_slice())
            + size_of_val(snapshot.routes.as_slice());
        Self { weight, ..snapshot }
    }

    /// Appends rows until `buffer` holds `enough` octets; false if there are no more.
    pub(super) fn write(&mut self, buffer: &mut String, enough: usize) -> bool {
        while buffer.len() < enough {
            if !self.write_row(buffer) {
                return false;
            }
        }
        true
    }

    /// Octets this holds until its last row is written.
    pub(super) const fn weight(&self) -> usize {
        self.weight
    }

    fn write_row(&mut self, out: &mut String) -> bool {
        if let Some(head) = self.head.take() {
            out.push_str(&head);
        } else if let Some(view) = self.interfaces.next() {
            match self.form {
                Form::Lines | Form::Althea(_) => line::interface(out, Change::Add, &view),
                Form::Json => json::push_line(out, &json::Interface::of(&view)),
            }
        } else if let Some(view) = self.neighbours.next() {
            let name = self.names.get(view.link);
            match self.form {
                Form::Lines | Form::Althea(_) => line::neighbour(out, Change::Add, &view, name),
                Form::Json => json::push_line(out, &json::Neighbour::of(&view, name)),
            }
        } else if let Some(view) = self.xroutes.next() {
            match self.form {
                Form::Lines | Form::Althea(_) => line::xroute(out, Change::Add, &view),
                Form::Json => json::push_line(out, &json::XRoute::of(&view)),
            }
        } else if let Some(view) = self.routes.next() {
            let name = self.names.get(view.link);
            match &self.form {
                Form::Lines => line::route(out, Change::Add, &view, name),
                Form::Althea(althea) => {
                    line::route_with(out, Change::Add, &view, name, &althea.words(&view));
                }
                Form::Json => json::push_line(out, &json::Route::of(&view, name)),
            }
        } else {
            return false;
        }
        true
    }
}

fn collect<T>(rows: impl Iterator<Item = T>) -> IntoIter<T> {
    rows.collect::<Vec<_>>().into_iter()
}
