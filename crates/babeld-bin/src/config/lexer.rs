//! One line of configuration as words, each with its column.
//!
//! Blanks are space, tab and carriage return. `#` begins a comment, even in the middle of a word.
//! Only some values may be in quotes; that is for the caller to say ([`Line::string`]).

use super::error::{ConfigError, Place, Warning};

/// The longest word or quoted string, in octets, as in stock babeld.
const LONGEST_WORD: usize = 254;

/// A word and where it stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Word {
    /// What it says, without quotes and escapes.
    pub(super) text: String,
    /// Its first character, from 1.
    pub(super) column: u32,
}

/// A line being read.
#[derive(Debug)]
pub(super) struct Line<'a> {
    place: &'a Place,
    text: &'a str,
    /// Octets read so far; always at a character boundary.
    read: usize,
    /// The line holds a secret and must not be shown.
    secret: bool,
    warnings: Vec<Warning>,
}

impl<'a> Line<'a> {
    /// A line at `place`.
    pub(super) const fn new(text: &'a str, place: &'a Place) -> Self {
        Self {
            place,
            text,
            read: 0,
            secret: false,
            warnings: Vec::new(),
        }
    }

    /// Keeps the line's text out of messages from here on.
    pub(super) fn conceal(&mut self) {
        self.secret = true;
    }

    /// Says something about `word` without refusing it.
    pub(super) fn warn(&mut self, word: &str, text: impl Into<String>) {
        self.warnings.push(Warning {
            place: self.place.clone(),
            word: word.to_owned(),
            text: text.into(),
        });
    }

    /// The warnings so far.
    pub(super) fn into_warnings(self) -> Vec<Warning> {
        self.warnings
    }

    /// Whether only blanks or a comment are left.
    pub(super) fn at_end(&mut self) -> bool {
        self.skip_blanks();
        matches!(self.peek(), None | Some('#'))
    }

    /// The next word, which stands for `wanted` ("a number for 'rxcost'").
    pub(super) fn word(&mut self, wanted: &str) -> Result<Word, ConfigError> {
        if self.at_end() {
            return Err(self.missing(wanted));
        }
        if self.peek() == Some('\n') {
            let word = self.upcoming();
            return Err(self.error(&word, "a statement is one line, and this is a second"));
        }
        if self.peek() == Some('"') {
            let word = self.upcoming();
            let reason = format!("quotes are not allowed here: {wanted} is wanted");
            return Err(self.error(&word, reason));
        }
        let column = self.column();
        let word = Word {
            text: self.take_while(|c| !is_blank(c) && c != '#' && c != '\n'),
            column,
        };
        self.check(word)
    }

    /// The next word or quoted string.
    pub(super) fn string(&mut self, wanted: &str) -> Result<Word, ConfigError> {
        if self.at_end() || self.peek() != Some('"') {
            return self.word(wanted);
        }
        let column = self.column();
        let whole = self.upcoming();
        self.next();
        let mut text = String::new();
        loop {
            match self.next() {
                Some('"') => break,
                Some('\\') => match self.next() {
                    Some(escaped) => text.push(escaped),
                    None => return Err(self.error(&whole, "the quotes are not closed")),
                },
                Some('\n') | None => return Err(self.error(&whole, "the quotes are not closed")),
                Some(other) => text.push(other),
            }
        }
        self.check(Word { text, column })
    }

    /// Refuses anything but blanks and a comment.
    pub(super) fn end(&mut self, statement: &str) -> Result<(), ConfigError> {
        if self.at_end() {
            return Ok(());
        }
        let word = self.upcoming();
        let reason = format!(
            "'{}' is too much: '{statement}' takes nothing more",
            shown(&word.text)
        );
        Err(self.error(&word, reason))
    }

    /// An error at `word`.
    pub(super) fn error(&self, word: &Word, reason: impl Into<String>) -> ConfigError {
        ConfigError {
            place: self.place.clone(),
            column: word.column,
            word: if self.secret {
                Box::default()
            } else {
                word.text.as_str().into()
            },
            reason: reason.into(),
            hint: None,
            text: if self.secret {
                Box::default()
            } else {
                self.text.into()
            },
        }
    }

    /// An error at the end of the line, where `wanted` is missing.
    pub(super) fn missing(&self, wanted: &str) -> ConfigError {
        let before = self.text.get(..self.read).unwrap_or("");
        let word = Word {
            text: String::new(),
            column: count(before.trim_end_matches(is_blank)) + 1,
        };
        self.error(&word, format!("{wanted} is missing"))
    }

    /// What follows up to the next blank, for messages; does not advance.
    fn upcoming(&self) -> Word {
        let rest = self.text.get(self.read..).unwrap_or("");
        Word {
            text: rest.chars().take_while(|c| !is_blank(*c)).collect(),
            column: self.column(),
        }
    }

    fn check(&self, word: Word) -> Result<Word, ConfigError> {
        if word.text.len() > LONGEST_WORD {
            let reason = format!("a word may have at most {LONGEST_WORD} octets");
            return Err(self.error(&word, reason));
        }
        if word.text.contains(char::REPLACEMENT_CHARACTER) {
            return Err(self.error(&word, "this is not valid UTF-8"));
        }
        if word.text.contains('\0') {
            return Err(self.error(&word, "there is a NUL octet in this word"));
        }
        Ok(word)
    }

    fn column(&self) -> u32 {
        count(self.text.get(..self.read).unwrap_or("")) + 1
    }

    fn peek(&self) -> Option<char> {
        self.text
            .get(self.read..)
            .and_then(|rest| rest.chars().next())
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.read += c.len_utf8();
        Some(c)
    }

    fn skip_blanks(&mut self) {
        self.take_while(is_blank);
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> String {
        let mut taken = String::new();
        while let Some(c) = self.peek().filter(|c| wanted(*c)) {
            taken.push(c);
            self.read += c.len_utf8();
        }
        taken
    }
}

/// A word as messages show it: printable and not too long.
pub(super) fn shown(word: &str) -> String {
    const LONGEST: usize = 64;
    let mut text: String = word
        .chars()
        .take(LONGEST)
        .map(|c| if c.is_control() { '?' } else { c })
        .collect();
    if word.chars().count() > LONGEST {
        text.push('…');
    }
    text
}

const fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r')
}

fn count(text: &str) -> u32 {
    u32::try_from(text.chars().count()).unwrap_or(u32::MAX - 1)
}
