//! Where answers are shown: coloured and fitted on a terminal, plain and whole elsewhere.

use anyhow::Result;
use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};

/// How a piece of text stands out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Style {
    /// It does not.
    #[default]
    Plain,
    /// Titles.
    Bold,
    /// What matters less.
    Dim,
    /// In use, up.
    Good,
    /// Not in use for now.
    Middling,
    /// Refused, down.
    Bad,
}

impl Style {
    const fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Bold => "1",
            Self::Dim => "2",
            Self::Good => "32",
            Self::Middling => "33",
            Self::Bad => "31",
        }
    }
}

/// Text on its way out.
#[derive(Debug)]
pub struct Output<W: Write> {
    to: BufWriter<W>,
    colours: bool,
    width: Option<usize>,
}

impl Output<StdoutLock<'static>> {
    /// Standard output, as wide as the terminal says.
    pub fn stdout() -> Self {
        let stdout = io::stdout();
        let terminal = stdout.is_terminal();
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        let width = terminal
            .then(|| rustix::termios::tcgetwinsize(&stdout).ok())
            .flatten()
            .map(|size| usize::from(size.ws_col))
            .filter(|width| *width > 0);
        Self::new(stdout.lock(), terminal && !plain && !dumb, width)
    }
}

impl<W: Write> Output<W> {
    /// To `to`; lines are not fitted if there is no `width`.
    pub fn new(to: W, colours: bool, width: Option<usize>) -> Self {
        Self {
            to: BufWriter::new(to),
            colours,
            width,
        }
    }

    /// Columns of the terminal, if it is one.
    pub const fn width(&self) -> Option<usize> {
        self.width
    }

    /// Whether there are colours.
    pub const fn colours(&self) -> bool {
        self.colours
    }

    /// Writes `text` as it is.
    pub fn text(&mut self, text: &str) -> Result<()> {
        Ok(self.to.write_all(text.as_bytes())?)
    }

    /// Writes `text` in `style`.
    pub fn styled(&mut self, style: Style, text: &str) -> Result<()> {
        if !self.colours || style == Style::Plain || text.is_empty() {
            return self.text(text);
        }
        Ok(write!(self.to, "\x1b[{}m{text}\x1b[0m", style.code())?)
    }

    /// Writes documents, one a line, as one JSON array.
    pub fn array(&mut self, documents: &[String]) -> Result<()> {
        if documents.is_empty() {
            return self.text("[]\n");
        }
        let mut separator = "[";
        for document in documents {
            self.text(separator)?;
            self.text(document)?;
            separator = ",\n ";
        }
        self.text("]\n")
    }

    /// Hands everything on.
    pub fn flush(&mut self) -> Result<()> {
        Ok(self.to.flush()?)
    }
}

impl Output<Vec<u8>> {
    /// What was written to memory.
    pub fn into_text(self) -> String {
        let octets = self.to.into_inner().unwrap_or_default();
        String::from_utf8_lossy(&octets).into_owned()
    }
}
