//! `babelctl top`: a live view of neighbours, measured against advertised, of tests and decisions.
//!
//! One conversation, a few questions a second at most, nothing but questions. The terminal is
//! given back as it was however this ends. What is no terminal gets one frame, as `--once` does.

mod frame;
mod gather;
mod screen;

use super::args::{Socket, UsageError};
use super::connection::Connection;
use super::output::Output;
use anyhow::Result;
use frame::{Sort, Surround};
use gather::View;
use lexopt::prelude::{Long, Short, Value};
use screen::{Key, Screen};
use std::ffi::OsString;
use std::io::Write;
use std::time::{Duration, Instant};

/// Between looks, unless it is said.
const REFRESH: Duration = Duration::from_secs(1);

/// How to look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Look {
    /// Between looks.
    pub refresh: Duration,
    /// One frame and no more.
    pub once: bool,
}

impl Look {
    /// Reads what follows `top`.
    pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, UsageError> {
        let mut parser = lexopt::Parser::from_args(arguments);
        let mut look = Self {
            refresh: REFRESH,
            once: false,
        };
        while let Some(argument) = parser.next()? {
            match argument {
                Long("once") => look.once = true,
                Short('n') | Long("interval") => {
                    let word = parser.value()?;
                    let word = word.to_string_lossy();
                    let seconds = word.parse().ok();
                    let seconds = seconds.filter(|s: &f64| (0.1..=3600.0).contains(s));
                    look.refresh = Duration::from_secs_f64(seconds.ok_or_else(|| {
                        UsageError::new(format!("top: `{word}` is not 0.1 to 3600 seconds"))
                    })?);
                }
                Value(word) => {
                    let word = word.to_string_lossy();
                    return Err(UsageError::new(format!("top: what is `{word}`?")));
                }
                other => return Err(other.unexpected().into()),
            }
        }
        Ok(look)
    }
}

/// Shows it until `q`, Ctrl-C or a signal; or once.
pub(super) fn run<W: Write>(socket: &Socket, look: Look, output: &mut Output<W>) -> Result<()> {
    let mut connection = Connection::open(socket)?;
    let view = View::gather(&mut connection)?;
    let screen = if look.once || output.width().is_none() {
        None
    } else {
        Screen::enter()?
    };
    let Some(mut screen) = screen else {
        let surround = Surround::new(look.refresh, Sort::Standing);
        let text = frame::frame(&view, &surround, output.colours(), output.width(), None)?;
        return output.text(&text);
    };
    Top {
        socket,
        connection: Some(connection),
        view,
        surround: Surround::new(look.refresh, Sort::Standing),
    }
    .follow(look, &mut screen)
}

/// A view that goes on.
struct Top<'a> {
    socket: &'a Socket,
    /// `None` while the daemon is away.
    connection: Option<Connection>,
    view: View,
    surround: Surround,
}

impl Top<'_> {
    fn follow(&mut self, look: Look, screen: &mut Screen) -> Result<()> {
        let mut next = Instant::now() + look.refresh;
        loop {
            let (width, height) = screen.size();
            let colours = screen.colours();
            let text = frame::frame(
                &self.view,
                &self.surround,
                colours,
                Some(width),
                Some(height),
            )?;
            screen.draw(&text)?;
            match screen.wait(next.saturating_duration_since(Instant::now()))? {
                Some(Key::Quit) => return Ok(()),
                Some(Key::Sort) => self.surround.sort = self.surround.sort.next(),
                Some(Key::Pause) => self.surround.paused = !self.surround.paused,
                Some(Key::Redraw) => {}
                None => {
                    next = Instant::now() + look.refresh;
                    if !self.surround.paused {
                        self.look_again();
                    }
                }
            }
        }
    }

    /// Asks again; the last answer stays in sight while nobody answers.
    fn look_again(&mut self) {
        let answer = match self.connection.take() {
            Some(connection) => Ok(connection),
            None => Connection::open(self.socket),
        };
        let answer = answer.and_then(|mut connection| {
            let view = View::gather(&mut connection)?;
            Ok((connection, view))
        });
        match answer {
            Ok((connection, view)) => {
                self.connection = Some(connection);
                self.view = view;
                self.surround.trouble = None;
            }
            Err(error) => self.surround.trouble = Some(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_has_an_interval_or_is_a_single_one() {
        let read = |line: &str| Look::parse(line.split_whitespace().map(OsString::from));
        let look = read("").expect("a look");
        assert_eq!((look.refresh, look.once), (REFRESH, false));
        let look = read("-n 0.5 --once").expect("a look");
        assert_eq!(
            (look.refresh, look.once),
            (Duration::from_millis(500), true)
        );
        for (line, fault) in [
            ("-n 0", "`0`"),
            ("-n soon", "`soon`"),
            ("-n nan", "`nan`"),
            ("now", "`now`"),
            ("--twice", "--twice"),
        ] {
            let error = read(line).expect_err(line).to_string();
            assert!(error.contains(fault), "{line}: {error}");
        }
    }
}
