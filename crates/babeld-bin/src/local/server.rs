//! The server as the main loop sees it: requests come out, answers and notifications go in.

use super::althea::Althea;
use super::client::{self, Client};
use super::command::Command;
use super::listen::{Access, Address, BindError, Endpoint, Listener};
use super::outbox::Piece;
use super::snapshot::{Form, Snapshot, Tables};
use super::{Identity, LinkNames, explain, json, line, quality, usage};
use crate::node::{InterfaceView, Node, Refused};
use babel_core::event::{Change, Notification};
use babel_price_tlv::RoutePrice;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Clients served at a time. More are accepted and closed at once.
pub(super) const MAX_CLIENTS: usize = 64;
/// Requests on their way to the main loop.
const REQUESTS: usize = 16;
/// What dumps in progress may hold in memory, all clients together. Beyond it the client that
/// has gone longest without reading is cut; a single dump may be larger.
const SNAPSHOT_BUDGET: usize = 128 << 20;

/// What has happened on the control sockets since start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LocalCounters {
    /// Clients served.
    pub accepted: u64,
    /// Clients turned away because there were too many.
    pub turned_away: u64,
    /// Clients cut because they did not read.
    pub cut_slow: u64,
    /// Clients cut because of an overlong line.
    pub cut_long_line: u64,
    /// Failures to accept.
    pub accept_errors: u64,
    /// Requests answered by the main loop.
    pub requests: u64,
}

/// A client's wish that needs the node.
#[derive(Debug)]
pub struct Request {
    pub(super) client: Rc<Client>,
    pub(super) command: Command,
    pub(super) done: oneshot::Sender<()>,
}

/// What the server and its clients' tasks share. One thread, hence no locks.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) identity: Identity,
    pub(super) requests: mpsc::Sender<Request>,
    clients: RefCell<Vec<Rc<Client>>>,
    counters: Cell<LocalCounters>,
}

/// All control sockets of a node.
#[derive(Debug)]
pub struct Server {
    shared: Rc<Shared>,
    requests: mpsc::Receiver<Request>,
    accepting: Vec<JoinHandle<()>>,
    addresses: Vec<Address>,
    names: LinkNames,
}

impl Server {
    /// Opens the sockets and begins to accept. None at all is fine: nothing ever comes then.
    pub fn bind(endpoints: &[Endpoint], identity: Identity) -> Result<Self, BindError> {
        let listeners = endpoints
            .iter()
            .map(Listener::bind)
            .collect::<Result<Vec<_>, _>>()?;
        let (shared, requests) = Shared::new(identity);
        let addresses = listeners.iter().map(|one| one.address.clone()).collect();
        let accepting = listeners
            .into_iter()
            .map(|one| tokio::task::spawn_local(one.run(shared.clone())))
            .collect();
        Ok(Self {
            shared,
            requests,
            accepting,
            addresses,
            names: LinkNames::default(),
        })
    }

    /// Where clients can connect: a port of 0 has become a real one.
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// The next request; pending for ever if there are no sockets. Cancel-safe.
    pub async fn next_request(&mut self) -> Request {
        match self.requests.recv().await {
            Some(request) => request,
            // Never: `shared` holds a sender. Waiting is harmless should that change.
            None => std::future::pending().await,
        }
    }

    /// A request that is there already, if any.
    pub fn try_next_request(&mut self) -> Option<Request> {
        self.requests.try_recv().ok()
    }

    /// Carries out `request` and queues the answer; never blocks.
    pub fn handle(&mut self, request: Request, node: &mut dyn Node) {
        self.shared.count(|counters| counters.requests += 1);
        let Request {
            client,
            command,
            done,
        } = request;
        match command {
            Command::Dump(tables) => self.dump(&client, node, tables, self.lines(node)),
            Command::Monitor(tables) => {
                self.dump(&client, node, tables, self.lines(node));
                client.monitor(tables);
            }
            Command::Reload { dry_run } => {
                let answer = node.reload(dry_run).map(|lines| {
                    for line in lines {
                        client.say(&(line + "\n"));
                    }
                });
                self.names = LinkNames::default();
                client.say(&self.answer_line(answer));
            }
            Command::Json(tables) => self.dump(&client, node, tables, Form::Json),
            Command::Status => {
                let text = json::to_line(&json::Status::of(&self.shared.identity, node));
                client.say(&(text + "ok\n"));
            }
            Command::Explain(key) => {
                let text = json::to_line(&explain::Document::of(node, &key));
                client.say(&(text + "ok\n"));
            }
            Command::Quality => client.say(&(quality::standings(node) + "ok\n")),
            Command::Tests => client.say(&(quality::tests(node) + "ok\n")),
            Command::Decisions => client.say(&(quality::decisions(node) + "ok\n")),
            Command::Usage => client.say(&(usage::usage(node) + "ok\n")),
            Command::Statement(statement) => {
                let answer = node.execute(&statement);
                // It may have made or removed interfaces.
                self.names = LinkNames::default();
                client.say(&self.answer_line(answer));
            }
        }
        // The client may have gone meanwhile.
        let _ = done.send(());
    }

    /// Tells all monitors. `node` is asked for interface names when a new one turns up.
    pub fn publish(&mut self, notification: &Notification<RoutePrice>, node: &dyn Node) {
        if !self.has_monitors() {
            return;
        }
        let link = match notification {
            Notification::Neighbour(_, view) => Some(view.link),
            Notification::Route(_, view) => Some(view.link),
            Notification::XRoute(..) => None,
            Notification::Overrun => {
                // A second `add` of what it knows would confuse a client more than starting anew.
                self.for_each_monitor(|_| true, Client::cut_slow);
                return;
            }
        };
        if link.is_some_and(|link| !self.names.knows(link)) {
            self.names = LinkNames::of(&node.interfaces());
        }
        let mut text = String::with_capacity(200);
        match notification {
            Notification::Neighbour(change, view) => {
                line::neighbour(&mut text, *change, view, self.names.get(view.link));
            }
            Notification::Route(change, view) => {
                let name = self.names.get(view.link);
                if self.shared.identity.althea {
                    let words = Althea::of_route(node, view).words(view);
                    line::route_with(&mut text, *change, view, name, &words);
                } else {
                    line::route(&mut text, *change, view, name);
                }
            }
            Notification::XRoute(change, view) => line::xroute(&mut text, *change, view),
            Notification::Overrun => {}
        }
        self.tell_monitors(&text, |tables| match notification {
            Notification::Neighbour(..) => tables.neighbours,
            Notification::Route(..) => tables.routes,
            Notification::XRoute(..) => tables.xroutes,
            Notification::Overrun => false,
        });
    }

    /// Tells all monitors that an interface was added, changed (up or down) or flushed.
    pub fn publish_interface(&mut self, change: Change, interface: &InterfaceView) {
        // Also when nobody listens: the next to listen must not see an old name.
        self.names = LinkNames::default();
        if self.has_monitors() {
            let mut text = String::with_capacity(100);
            line::interface(&mut text, change, interface);
            self.tell_monitors(&text, |tables| tables.interfaces);
        }
    }

    /// Whether anybody listens to notifications.
    pub fn has_monitors(&self) -> bool {
        let clients = self.shared.clients.borrow();
        clients.iter().any(|client| client.monitored().is_some())
    }

    /// Numbers since start.
    pub fn counters(&self) -> LocalCounters {
        self.shared.counters()
    }

    /// Clients connected now.
    pub fn clients(&self) -> usize {
        self.shared.clients.borrow().len()
    }

    /// How dumps for people and programs are written.
    fn lines(&self, node: &dyn Node) -> Form {
        if self.shared.identity.althea {
            Form::Althea(Althea::of(node))
        } else {
            Form::Lines
        }
    }

    /// The line that ends an answer. Althea's clients know none with a reason.
    fn answer_line(&self, answer: Result<(), Refused>) -> String {
        let line = answer_line(answer);
        match line.strip_prefix("no ") {
            Some(reason) if self.shared.identity.althea => format!("{reason}no\n"),
            _ => line,
        }
    }

    fn dump(&self, client: &Rc<Client>, node: &dyn Node, tables: Tables, form: Form) {
        let snapshot = Snapshot::take(node, tables, form);
        self.make_room(client, snapshot.weight());
        client.push(Piece::Snapshot(Box::new(snapshot)));
        client.say("ok\n");
    }

    /// Cuts the clients that have gone longest without reading their dumps until `weight` more
    /// octets fit the budget, or `asking` is the only one left.
    fn make_room(&self, asking: &Rc<Client>, weight: usize) {
        let clients = self.shared.clients.borrow();
        let others: Vec<(usize, Instant)> = clients
            .iter()
            .filter(|client| !Rc::ptr_eq(client, asking))
            .map(|client| (client.snapshot_weight(), client.last_progress()))
            .collect();
        let mut others_left = clients.iter().filter(|one| !Rc::ptr_eq(one, asking));
        let own = asking.snapshot_weight() + weight;
        for cut in to_cut(&others, own, SNAPSHOT_BUDGET) {
            if let (true, Some(client)) = (cut, others_left.next()) {
                client.cut_slow();
            }
        }
    }

    fn tell_monitors(&self, text: &str, wanted: impl Fn(&Tables) -> bool) {
        let shared_text: Rc<str> = text.into();
        self.for_each_monitor(wanted, |client| {
            client.push(Piece::Text(shared_text.clone()));
        });
    }

    fn for_each_monitor(&self, wanted: impl Fn(&Tables) -> bool, tell: impl Fn(&Client)) {
        for client in self.shared.clients.borrow().iter() {
            if client.monitored().as_ref().is_some_and(&wanted) {
                tell(client);
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        for task in &self.accepting {
            // Dropping the listener also removes a unix socket's file.
            task.abort();
        }
        for client in self.shared.clients.borrow().iter() {
            client.close();
        }
    }
}

impl Shared {
    pub(super) fn new(identity: Identity) -> (Rc<Self>, mpsc::Receiver<Request>) {
        let (sender, requests) = mpsc::channel(REQUESTS);
        let shared = Self {
            identity,
            requests: sender,
            clients: RefCell::default(),
            counters: Cell::default(),
        };
        (Rc::new(shared), requests)
    }

    pub(super) fn counters(&self) -> LocalCounters {
        self.counters.get()
    }

    /// Starts to serve a new client, or turns it away.
    pub(super) fn admit(self: Rc<Self>, stream: client::Stream, access: Access) {
        if self.clients.borrow().len() >= MAX_CLIENTS {
            self.count(|counters| counters.turned_away += 1);
            tracing::warn!("control socket: {MAX_CLIENTS} clients already; a new one was closed");
            return;
        }
        self.count(|counters| counters.accepted += 1);
        let client = Rc::new(Client::new(access));
        self.clients.borrow_mut().push(client.clone());
        tokio::task::spawn_local(async move {
            client::serve(&self, &client, stream).await;
            self.clients
                .borrow_mut()
                .retain(|one| !Rc::ptr_eq(one, &client));
        });
    }

    pub(super) fn count(&self, change: impl FnOnce(&mut LocalCounters)) {
        let mut counters = self.counters.get();
        change(&mut counters);
        self.counters.set(counters);
    }
}

/// Which of the `others`, each with its weight and when it last read, must go so that they and
/// `own` fit `budget`: those that have gone longest without reading.
fn to_cut(others: &[(usize, Instant)], own: usize, budget: usize) -> Vec<bool> {
    let mut held = own + others.iter().map(|(weight, _)| weight).sum::<usize>();
    let mut oldest_first: Vec<usize> = (0..others.len()).collect();
    oldest_first.sort_by_key(|index| others.get(*index).map(|(_, read)| *read));
    let mut cut = vec![false; others.len()];
    for index in oldest_first {
        if held <= budget {
            break;
        }
        if let (Some((weight @ 1.., _)), Some(cut)) = (others.get(index), cut.get_mut(index)) {
            held -= weight;
            *cut = true;
        }
    }
    cut
}

fn answer_line(answer: Result<(), Refused>) -> String {
    match answer {
        Ok(()) => "ok\n".into(),
        Err(Refused::Bad(reason)) => {
            tracing::debug!("control socket: bad statement: {reason}");
            "bad\n".into()
        }
        // One line whatever the message holds: a client reads up to a line it knows.
        Err(Refused::No(message)) if message.is_empty() => "no\n".into(),
        Err(Refused::No(message)) => format!("no {}\n", message.replace(['\n', '\r'], " ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn dumps_that_are_not_read_make_room_for_new_ones() {
        let read = |seconds| Instant::now() + Duration::from_secs(seconds);
        let others = [(40, read(3)), (0, read(0)), (40, read(1)), (40, read(2))];
        assert_eq!(to_cut(&others, 10, 200), [false; 4]);
        assert_eq!(to_cut(&others, 50, 130), [false, false, true, false]);
        assert_eq!(to_cut(&others, 100, 140), [false, false, true, true]);
        // A dump larger than the budget is served, alone.
        assert_eq!(to_cut(&others, 900, 200), [true, false, true, true]);
    }
}
