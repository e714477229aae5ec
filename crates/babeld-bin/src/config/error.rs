//! Where a statement stands, what is wrong with it, and the nearest right word.
//!
//! An error names origin, line, column, word and reason and shows the line with a caret under the
//! word. It never shows a `key` line: its value is a secret.

use std::fmt;
use std::sync::Arc;

/// Where text comes from.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Origin {
    /// A configuration file.
    File(Arc<str>),
    /// The argument of `-C`.
    CommandLine,
    /// The control socket.
    Socket,
}

impl Origin {
    /// The file of this name.
    pub fn file(name: impl AsRef<str>) -> Self {
        Self::File(Arc::from(name.as_ref()))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(name) => f.write_str(name),
            Self::CommandLine => f.write_str("-C"),
            Self::Socket => f.write_str("control socket"),
        }
    }
}

/// One line of text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Place {
    /// Whose line.
    pub origin: Origin,
    /// Which line, from 1; 0 stands for the whole file.
    pub line: u32,
}

impl Place {
    /// Line `line` of `origin`.
    pub const fn new(origin: Origin, line: u32) -> Self {
        Self { origin, line }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.origin, self.line) {
            (Origin::CommandLine, 0) => f.write_str("command line"),
            (origin, 0) => write!(f, "{origin}"),
            (origin, line) => write!(f, "{origin}:{line}"),
        }
    }
}

/// A statement that was not understood.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigError {
    /// Whose line, and which.
    pub place: Place,
    /// Which character of the line, from 1; 0 if the whole file is meant.
    pub column: u32,
    /// The offending word; empty where one is missing or secret.
    pub word: Box<str>,
    /// What is wrong, in one sentence that contains the word.
    pub reason: String,
    /// The way out.
    pub hint: Option<String>,
    /// The whole line; empty if it must not be shown.
    pub text: Box<str>,
}

impl ConfigError {
    /// A file that cannot be read at all.
    pub fn whole_file(origin: Origin, reason: impl Into<String>) -> Self {
        Self {
            place: Place::new(origin, 0),
            column: 0,
            word: Box::default(),
            reason: reason.into(),
            hint: None,
            text: Box::default(),
        }
    }

    /// The first line of the message, without the excerpt: for one-line replies.
    pub fn headline(&self) -> String {
        let mut line = self.place.to_string();
        if self.column != 0 {
            line.push_str(&format!(":{}", self.column));
        }
        line.push_str(": ");
        line.push_str(&self.reason);
        if let Some(hint) = &self.hint {
            line.push_str("; ");
            line.push_str(hint);
        }
        line
    }

    /// The line that stock babeld prints, for tools that look for it.
    ///
    /// Stock counts one line too many where the error is in a line's last word; we do not.
    pub fn stock_line(&self) -> String {
        match &self.place.origin {
            Origin::File(name) => format!(
                "Couldn't parse configuration from file {name} (error at line {}).",
                self.place.line
            ),
            Origin::CommandLine | Origin::Socket => {
                "Couldn't parse configuration from command line.".into()
            }
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.headline())?;
        if self.text.is_empty() || self.column == 0 {
            return Ok(());
        }
        let (shown, caret) = excerpt(&self.text, self.column, self.word.chars().count());
        write!(f, "\n{shown}\n{caret}")
    }
}

impl std::error::Error for ConfigError {}

/// Something accepted that has no effect, or not the one hoped for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Warning {
    /// Whose line, and which.
    pub place: Place,
    /// The word it is about: one warning for each is enough.
    pub word: String,
    /// What to know.
    pub text: String,
}

impl fmt::Display for Warning {
    /// One line, with stock's text first where stock has one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Warning: {} ({})", self.text, self.place)
    }
}

/// At most this much of a line is shown on either side of the word.
const EXCERPT: usize = 60;

/// The line around `column`, printable, and a line with a caret under the word.
fn excerpt(text: &str, column: u32, width: usize) -> (String, String) {
    let at = usize::try_from(column)
        .unwrap_or(usize::MAX)
        .saturating_sub(1);
    let start = at.saturating_sub(EXCERPT);
    let printable = |c: char| {
        if matches!(c, '\t' | '\r') {
            ' '
        } else if c.is_control() {
            '?'
        } else {
            c
        }
    };
    let shown: String = text
        .chars()
        .skip(start)
        .take(at - start + width.min(EXCERPT) + EXCERPT)
        .map(printable)
        .collect();
    let tildes = width.saturating_sub(1).min(EXCERPT);
    let caret = format!("{}^{}", " ".repeat(at - start), "~".repeat(tildes));
    (shown.trim_end().to_owned(), caret)
}

/// The word of `known` that `word` was probably meant to be: at most two letters off, and fewer
/// than half of them.
pub(crate) fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    const LONGEST: usize = 64;
    if word.len() > LONGEST {
        return None;
    }
    let lower = word.to_lowercase().replace('_', "-");
    known
        .iter()
        .map(|candidate| (distance(&lower, candidate), *candidate))
        .filter(|(distance, candidate)| *distance <= 2 && distance * 2 < candidate.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Letters to change, insert, delete or swap with the next to make one word of the other.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let change = last[j] + usize::from(x != y);
            let mut best = change.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_word_is_close_or_none() {
        let known = ["hello-interval", "rxcost", "type", "in", "if"];
        assert_eq!(nearest("hello-intervall", &known), Some("hello-interval"));
        assert_eq!(nearest("hello_interval", &known), Some("hello-interval"));
        assert_eq!(nearest("rxcots", &known), Some("rxcost"));
        assert_eq!(nearest("RXCOST", &known), Some("rxcost"));
        assert_eq!(nearest("elephant", &known), None);
        assert_eq!(nearest("zz", &known), None);
        assert_eq!(nearest(&"x".repeat(10_000), &known), None);
    }

    #[test]
    fn caret_stands_under_the_word() {
        let error = ConfigError {
            place: Place::new(Origin::file("/etc/babeld.conf"), 3),
            column: 16,
            word: "rxcots".into(),
            reason: "'rxcots' is not an interface option".into(),
            hint: Some("did you mean 'rxcost'?".into()),
            text: "interface\teth0 rxcots 5".into(),
        };
        assert_eq!(
            error.to_string(),
            "/etc/babeld.conf:3:16: 'rxcots' is not an interface option; did you mean 'rxcost'?\n\
             interface eth0 rxcots 5\n               ^~~~~~"
        );
    }

    #[test]
    fn long_and_hostile_lines_are_cut_and_made_printable() {
        let error = ConfigError {
            place: Place::new(Origin::CommandLine, 1),
            column: 500,
            word: "x".repeat(254).into(),
            reason: "bad".into(),
            hint: None,
            text: format!("{}{}\x1b[2J", "a".repeat(499), "x".repeat(254)).into(),
        };
        let text = error.to_string();
        assert!(text.len() < 400, "{}", text.len());
        assert!(!text.contains('\x1b'));
    }
}
