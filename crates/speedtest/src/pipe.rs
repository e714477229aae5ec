//! A connection that never blocks longer than it was told: plain, or inside TLS.
//!
//! One thread drives both directions. Reading and writing return `WouldBlock` instead of
//! waiting; [`Pipe::wait`] waits, always with an end. Whoever waits must have read until
//! `WouldBlock` first: octets that TLS has already taken in wake nobody.

use crate::budget::Budget;
use crate::why::Why;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// See the module.
#[derive(Debug)]
pub(crate) struct Pipe {
    socket: Metered,
    /// Octets that readers got.
    received: u64,
    #[cfg(feature = "tls")]
    tls: Option<Box<rustls::Connection>>,
}

/// The socket, each octet counted.
#[derive(Debug)]
struct Metered {
    socket: TcpStream,
    budget: Arc<Budget>,
}

impl Pipe {
    /// Makes `socket` non-blocking.
    pub(crate) fn plain(socket: TcpStream, budget: Arc<Budget>) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket: Metered { socket, budget },
            received: 0,
            #[cfg(feature = "tls")]
            tls: None,
        })
    }

    /// The handshake happens with the first octets; see [`Self::settle`].
    #[cfg(feature = "tls")]
    pub(crate) fn tls(
        socket: TcpStream,
        budget: Arc<Budget>,
        tls: rustls::Connection,
    ) -> io::Result<Self> {
        let mut pipe = Self::plain(socket, budget)?;
        pipe.tls = Some(Box::new(tls));
        Ok(pipe)
    }

    /// Octets that were read from it, inside TLS.
    pub(crate) const fn received(&self) -> u64 {
        self.received
    }

    pub(crate) fn socket(&self) -> &TcpStream {
        &self.socket.socket
    }

    /// Completes the handshake, if there is one.
    pub(crate) fn settle(&mut self, until: Instant) -> Result<(), Why> {
        #[cfg(feature = "tls")]
        loop {
            let Self { socket, tls, .. } = self;
            let Some(tls) = tls else { break };
            if !tls.is_handshaking() && !tls.wants_write() {
                break;
            }
            match tls.complete_io(socket) {
                Ok((0, 0)) | Err(_) if Instant::now() >= until => {
                    return Err("no answer in time".into());
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.wait(false, until)?;
                }
                Err(error) => return Err(Why::new(format!("TLS: {error}"))),
            }
        }
        let _ = until;
        Ok(())
    }

    /// Waits for something to read, or with `to_write` for room; at most until `until`.
    pub(crate) fn wait(&mut self, to_write: bool, until: Instant) -> io::Result<()> {
        let left = until.saturating_duration_since(Instant::now());
        // Rounded up: a wait of zero in a loop would spin.
        let milliseconds = u16::try_from(left.as_micros().div_ceil(1000)).unwrap_or(u16::MAX);
        let mut interest = PollFlags::POLLIN;
        if to_write || self.owes() {
            interest |= PollFlags::POLLOUT;
        }
        let mut fds = [PollFd::new(self.socket.socket.as_fd(), interest)];
        match poll(&mut fds, PollTimeout::from(milliseconds)) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Reads exactly `into`, or fails by `until`.
    pub(crate) fn read_all(&mut self, mut into: &mut [u8], until: Instant) -> io::Result<()> {
        while !into.is_empty() {
            match self.read(into) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => into = into.get_mut(count..).unwrap_or_default(),
                Err(error) => self.retry(error, false, until)?,
            }
        }
        Ok(())
    }

    /// Writes all of `octets` and flushes, or fails by `until`.
    pub(crate) fn write_all_by(&mut self, mut octets: &[u8], until: Instant) -> io::Result<()> {
        while !octets.is_empty() {
            match self.write(octets) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => octets = octets.get(count..).unwrap_or_default(),
                Err(error) => self.retry(error, true, until)?,
            }
        }
        while let Err(error) = self.flush() {
            self.retry(error, true, until)?;
        }
        Ok(())
    }

    /// Says goodbye as far as that goes without waiting.
    pub(crate) fn close(mut self) {
        #[cfg(feature = "tls")]
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
        }
        let _ = self.flush();
        let _ = self.socket().shutdown(std::net::Shutdown::Write);
    }

    /// After `WouldBlock`: waits. Other errors stand.
    pub(crate) fn retry(
        &mut self,
        error: io::Error,
        to_write: bool,
        until: Instant,
    ) -> io::Result<()> {
        match error.kind() {
            io::ErrorKind::Interrupted => Ok(()),
            io::ErrorKind::WouldBlock if Instant::now() >= until => {
                Err(io::ErrorKind::TimedOut.into())
            }
            io::ErrorKind::WouldBlock => self.wait(to_write, until),
            _ => Err(error),
        }
    }

    fn owes(&self) -> bool {
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            return tls.wants_write();
        }
        false
    }

    #[cfg(feature = "tls")]
    fn send_owed(tls: &mut rustls::Connection, socket: &mut Metered) -> io::Result<()> {
        while tls.wants_write() {
            if tls.write_tls(socket)? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        Ok(())
    }
}

impl Read for Pipe {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.take(into)?;
        self.received += count as u64;
        Ok(count)
    }
}

impl Pipe {
    fn take(&mut self, into: &mut [u8]) -> io::Result<usize> {
        #[cfg(feature = "tls")]
        if let Some(tls) = &mut self.tls {
            loop {
                match tls.reader().read(into) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    done => return done,
                }
                // What a handshake owes must go out before the other side says more.
                match Self::send_owed(tls, &mut self.socket) {
                    Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
                    _ => {}
                }
                if tls.read_tls(&mut self.socket)? == 0 {
                    return Ok(0);
                }
                tls.process_new_packets()
                    .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            }
        }
        self.socket.read(into)
    }
}

impl Write for Pipe {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        #[cfg(feature = "tls")]
        if let Some(tls) = &mut self.tls {
            Self::send_owed(tls, &mut self.socket)?;
            let taken = tls.writer().write(octets)?;
            return match Self::send_owed(tls, &mut self.socket) {
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
                _ if taken == 0 && !octets.is_empty() => Err(io::ErrorKind::WouldBlock.into()),
                _ => Ok(taken),
            };
        }
        self.socket.write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        #[cfg(feature = "tls")]
        if let Some(tls) = &mut self.tls {
            Self::send_owed(tls, &mut self.socket)?;
        }
        Ok(())
    }
}

impl Read for Metered {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = self.budget.allow(into.len())?;
        let count = self.socket.read(into.get_mut(..most).unwrap_or_default())?;
        self.budget.spend(count);
        Ok(count)
    }
}

impl Write for Metered {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let most = self.budget.allow(octets.len())?;
        let count = self.socket.write(octets.get(..most).unwrap_or_default())?;
        self.budget.spend(count);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The earlier of `until` and `patience` from now.
pub(crate) fn soon(patience: Duration, until: Instant) -> Instant {
    until.min(Instant::now() + patience)
}
