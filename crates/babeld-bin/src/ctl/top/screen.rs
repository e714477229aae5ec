//! The terminal as `top` needs it: another screen, keys one by one, and everything back as it was
//! at the end, be that `q`, a signal or a panic.

use anyhow::{Context, Result, bail};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{self, LocalModes, OptionalActions, SpecialCodeIndex, Termios};
use std::io::{self, IsTerminal};
use std::time::Duration;

/// The other screen, without a cursor.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[2J";
/// Back again.
const LEAVE: &str = "\x1b[0m\x1b[?25h\x1b[?1049l";

/// What the user wants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Key {
    /// To leave.
    Quit,
    /// Another order.
    Sort,
    /// That it stands still, or goes on.
    Pause,
    /// The same again: the terminal has another size, or the key means nothing.
    Redraw,
}

impl Key {
    const fn of(octet: u8) -> Self {
        const CTRL_C: u8 = 3;
        match octet {
            b'q' | b'Q' | CTRL_C => Self::Quit,
            b's' | b'S' => Self::Sort,
            b'p' | b'P' | b' ' => Self::Pause,
            _ => Self::Redraw,
        }
    }
}

/// The terminal while `top` has it.
#[derive(Debug)]
pub(super) struct Screen {
    /// As it was; `None` if standard input is no terminal: then there are no keys.
    before: Option<Termios>,
    signals: SignalFd,
    colours: bool,
}

impl Screen {
    /// Takes the terminal; `None` if it cannot do what is needed.
    pub(super) fn enter() -> Result<Option<Self>> {
        if std::env::var_os("TERM").is_some_and(|value| value == "dumb") {
            return Ok(None);
        }
        let mut wanted = SigSet::empty();
        for signal in [
            Signal::SIGINT,
            Signal::SIGTERM,
            Signal::SIGHUP,
            Signal::SIGWINCH,
        ] {
            wanted.add(signal);
        }
        wanted.thread_block().context("cannot block signals")?;
        let signals = SignalFd::with_flags(&wanted, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
            .context("cannot listen for signals")?;
        let before = keys_one_by_one();
        // A release build ends at once in a panic: nothing is dropped then.
        let (for_panic, next) = (before.clone(), std::panic::take_hook());
        std::panic::set_hook(Box::new(move |information| {
            give_back(for_panic.as_ref());
            next(information);
        }));
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let screen = Self {
            before,
            signals,
            colours: !plain,
        };
        write(ENTER)?;
        Ok(Some(screen))
    }

    /// Whether to use colours.
    pub(super) const fn colours(&self) -> bool {
        self.colours
    }

    /// Columns and lines, now.
    pub(super) fn size(&self) -> (usize, usize) {
        let size = termios::tcgetwinsize(io::stdout());
        let size = size.ok().filter(|size| size.ws_col > 0 && size.ws_row > 0);
        size.map_or((80, 24), |size| (size.ws_col.into(), size.ws_row.into()))
    }

    /// Shows a frame in place of the last.
    pub(super) fn draw(&mut self, frame: &str) -> Result<()> {
        // No line is cleared before it is written: nothing flickers. The last line has no end, or
        // the screen would scroll.
        let body = frame.trim_end_matches('\n').replace('\n', "\x1b[K\r\n");
        write(&format!("\x1b[H{body}\x1b[K\x1b[J"))
    }

    /// The next key within `limit`; `None` if there is none.
    pub(super) fn wait(&mut self, limit: Duration) -> Result<Option<Key>> {
        let stdin = io::stdin();
        let mut sources = vec![PollFd::new(&self.signals, PollFlags::IN)];
        if self.before.is_some() {
            sources.push(PollFd::new(&stdin, PollFlags::IN));
        }
        let limit = Timespec::try_from(limit).unwrap_or(Timespec {
            tv_sec: 1,
            tv_nsec: 0,
        });
        match poll(&mut sources, Some(&limit)) {
            Ok(0) => return Ok(None),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).context("cannot wait for keys"),
        }
        let ready =
            |source: Option<&PollFd<'_>>| source.is_some_and(|one| !one.revents().is_empty());
        let (signal, key) = (ready(sources.first()), ready(sources.get(1)));
        drop(sources);
        if signal {
            return Ok(Some(self.signal()));
        }
        Ok(Some(if key { self.key(&stdin) } else { Key::Redraw }))
    }

    fn signal(&mut self) -> Key {
        match self.signals.read_signal() {
            Ok(Some(known)) if known.ssi_signo == Signal::SIGWINCH as u32 => Key::Redraw,
            Ok(None) => Key::Redraw,
            Ok(Some(_)) | Err(_) => Key::Quit,
        }
    }

    fn key(&self, stdin: &io::Stdin) -> Key {
        let mut octets = [0; 16];
        match rustix::io::read(stdin, &mut octets) {
            // The terminal is gone.
            Ok(0) | Err(_) => Key::Quit,
            // An escape sequence, such as an arrow key, is one key without a meaning.
            Ok(_) => octets.first().map_or(Key::Redraw, |octet| Key::of(*octet)),
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back(self.before.as_ref());
    }
}

/// Has keys come as they are pressed, unseen, Ctrl-C among them. Returns how it was before.
fn keys_one_by_one() -> Option<Termios> {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return None;
    }
    let before = termios::tcgetattr(&stdin).ok()?;
    let mut keys = before.clone();
    keys.local_modes
        .remove(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG);
    keys.special_codes[SpecialCodeIndex::VMIN] = 1;
    keys.special_codes[SpecialCodeIndex::VTIME] = 0;
    termios::tcsetattr(&stdin, OptionalActions::Now, &keys).ok()?;
    Some(before)
}

/// As it was. What cannot be given back is gone already.
fn give_back(before: Option<&Termios>) {
    if let Some(before) = before {
        let _ = termios::tcsetattr(io::stdin(), OptionalActions::Now, before);
    }
    let _ = write(LEAVE);
}

/// Past all buffers and locks: it must work in a panic, too.
fn write(text: &str) -> Result<()> {
    let mut left = text.as_bytes();
    while !left.is_empty() {
        match rustix::io::write(io::stdout(), left) {
            Ok(written) => left = left.get(written..).unwrap_or_default(),
            Err(rustix::io::Errno::INTR) => {}
            // Not as a closed pipe, which would be a quiet end.
            Err(error) => bail!("the terminal takes nothing more: {error}"),
        }
    }
    Ok(())
}
