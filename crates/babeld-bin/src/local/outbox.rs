//! What waits to be written to one client.
//!
//! Answers are few, because a client's next line is not read before the last answer has gone.
//! Notifications are bounded in octets. A dump is kept as a snapshot and turned into text a chunk
//! at a time, as the client reads.

use super::snapshot::Snapshot;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use tokio::sync::Notify;

/// Counted on top of each piece's own octets: the queue's entry and the allocation.
const PIECE_OVERHEAD: usize = 64;
/// Octets handed to the socket at a time.
pub(super) const CHUNK: usize = 32 << 10;

/// Something to write.
#[derive(Debug)]
pub(super) enum Piece {
    /// Lines, possibly shared with other clients.
    Text(Rc<str>),
    /// A dump in progress.
    Snapshot(Box<Snapshot>),
}

/// A queue of pieces, with a bell at each end.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    pieces: RefCell<VecDeque<Piece>>,
    text: Cell<usize>,
    closing: Cell<bool>,
    /// Rung when something is to be done by the writer.
    filled: Notify,
    /// Rung when everything has been written.
    emptied: Notify,
}

impl Outbox {
    /// Queues `piece`.
    pub(super) fn push(&self, piece: Piece) {
        if let Piece::Text(text) = &piece {
            self.text.set(self.text.get() + text.len() + PIECE_OVERHEAD);
        }
        self.pieces.borrow_mut().push_back(piece);
        self.filled.notify_one();
    }

    /// Octets of text that wait, dumps not counted.
    pub(super) const fn text(&self) -> usize {
        self.text.get()
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.pieces.borrow().is_empty()
    }

    /// No more will come: the writer ends when all is written.
    pub(super) fn close(&self) {
        self.closing.set(true);
        self.filled.notify_one();
    }

    /// Moves text into `buffer` until it holds about [`CHUNK`] octets.
    pub(super) fn fill(&self, buffer: &mut String) {
        let mut pieces = self.pieces.borrow_mut();
        while buffer.len() < CHUNK {
            match pieces.front_mut() {
                None => break,
                Some(Piece::Text(text)) => {
                    buffer.push_str(text);
                    let waiting = self.text.get();
                    self.text
                        .set(waiting.saturating_sub(text.len() + PIECE_OVERHEAD));
                    pieces.pop_front();
                }
                Some(Piece::Snapshot(snapshot)) => {
                    if !snapshot.write(buffer, CHUNK) {
                        pieces.pop_front();
                    }
                }
            }
        }
    }

    /// The writer has written all it took, and found no more.
    pub(super) fn all_written(&self) {
        self.emptied.notify_one();
    }

    /// Waits until there is something to do; false if nothing ever will be.
    pub(super) async fn filled(&self) -> bool {
        loop {
            if !self.is_empty() {
                return true;
            }
            if self.closing.get() {
                return false;
            }
            self.filled.notified().await;
        }
    }

    /// Waits until everything has been written.
    pub(super) async fn emptied(&self) {
        while !self.is_empty() {
            self.emptied.notified().await;
        }
    }

    /// Octets held by dumps in progress.
    pub(super) fn snapshot_weight(&self) -> usize {
        let pieces = self.pieces.borrow();
        let weights = pieces.iter().map(|piece| match piece {
            Piece::Snapshot(snapshot) => snapshot.weight(),
            Piece::Text(_) => 0,
        });
        weights.sum()
    }
}
