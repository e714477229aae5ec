//! Statements by prefix: at most one for each, and the longest covering prefix wins.

use babel_core::prefix::Prefix;
use core::cmp::Reverse;

/// Something that is said of the destinations inside a prefix.
pub(crate) trait Scoped {
    /// For destinations inside this; `None` for all, of both families.
    fn prefix(&self) -> Option<Prefix>;
}

/// Statements, at most one for each prefix.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ByPrefix<S> {
    /// Longest prefix first, the one without a prefix last: the first that covers decides.
    statements: Vec<S>,
}

impl<S> Default for ByPrefix<S> {
    fn default() -> Self {
        Self {
            statements: Vec::new(),
        }
    }
}

impl<S: Scoped> ByPrefix<S> {
    /// Sets one; it replaces an earlier one for the same prefix.
    pub(crate) fn set(&mut self, statement: S) {
        let key = longest_first(statement.prefix());
        let found = self
            .statements
            .binary_search_by_key(&key, |known| longest_first(known.prefix()));
        match found {
            Ok(at) => self.statements.splice(at..=at, [statement]).for_each(drop),
            Err(at) => self.statements.insert(at, statement),
        }
    }

    /// Where the statement that decides for a destination stands.
    pub(crate) fn place(&self, destination: &Prefix) -> Option<usize> {
        let covers = |statement: &S| statement.prefix().is_none_or(|p| p.covers(destination));
        self.statements.iter().position(covers)
    }

    pub(crate) fn at(&self, place: usize) -> Option<&S> {
        self.statements.get(place)
    }

    /// All, longest prefix first.
    pub(crate) fn iter(&self) -> core::slice::Iter<'_, S> {
        self.statements.iter()
    }
}

/// Orders prefixes so that the first that covers a destination is the most specific.
pub(crate) fn longest_first(prefix: Option<Prefix>) -> (Reverse<Option<u8>>, Option<Prefix>) {
    (Reverse(prefix.map(|prefix| prefix.plen())), prefix)
}
