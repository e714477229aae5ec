//! What every node had and said, for the message of a test that failed.

use crate::network::{Id, Network};
use std::fmt::Write;

/// Lines of log shown per daemon.
const LOG_LINES: usize = 40;
/// Lines shown of a table.
const TABLE_LINES: usize = 60;

impl Network {
    /// Routes, control sockets and logs of all nodes.
    pub fn report(&self) -> String {
        let mut text = String::new();
        for index in 0..self.nodes.len() {
            self.report_node(&mut text, Id(index));
        }
        text
    }

    fn report_node(&self, text: &mut String, id: Id) {
        let name = self.name(id);
        let Ok(peer) = self.peer(id) else {
            let _ = writeln!(text, "=== {name}: no daemon");
            self.report_routes(text, id);
            return;
        };
        let _ = writeln!(text, "=== {name}: {}", peer.kind);
        self.report_routes(text, id);
        if peer.control.is_some() {
            match peer.ask("dump") {
                Ok(lines) => lines.iter().take(TABLE_LINES).for_each(|line| {
                    let _ = writeln!(text, "  socket: {line}");
                }),
                Err(error) => {
                    let _ = writeln!(text, "  socket: {error:#}");
                }
            }
        }
        for daemon in &peer.daemons {
            for line in daemon.log_tail(LOG_LINES).lines() {
                let _ = writeln!(text, "  {}: {line}", daemon.name());
            }
        }
    }

    fn report_routes(&self, text: &mut String, id: Id) {
        match self.kernel_routes(id) {
            Ok(routes) => routes.iter().take(TABLE_LINES).for_each(|route| {
                let _ = writeln!(text, "  kernel: {route}");
            }),
            Err(error) => {
                let _ = writeln!(text, "  kernel: {error:#}");
            }
        }
    }
}
