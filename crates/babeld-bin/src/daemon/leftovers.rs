//! Files that a crash left behind, removed when a service manager starts us anew.
//!
//! Without one a process id file or control socket that is there already ends the start, as in
//! stock babeld: somebody has to look. A service manager runs one daemon and nobody looks, so what
//! demonstrably belongs to no living daemon goes; anything in doubt stays, and ends the start.

use crate::config::{LocalAddress, Settings};
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::path::Path;

/// Removes what no living daemon holds of the files that `settings` name.
pub(super) fn remove(settings: &Settings) {
    if let Some(path) = &settings.pid_file
        && is_dead_pidfile(path)
    {
        discard(path);
    }
    if let Some(socket) = &settings.local_socket
        && let LocalAddress::Path(path) = &socket.address
        && is_dead_socket(path)
    {
        discard(path);
    }
}

fn discard(path: &Path) {
    match fs::remove_file(path) {
        Ok(()) => tracing::warn!("removed {}, left by a former babeld", path.display()),
        Err(error) => tracing::warn!("unlink({}): {error}", path.display()),
    }
}

/// Whether it is there, and its process is gone or another program.
fn is_dead_pidfile(path: &Path) -> bool {
    let Ok(text) = fs::read_to_string(path) else {
        return false;
    };
    let Ok(pid) = text.trim().parse::<u32>() else {
        return false;
    };
    let name = |process: &str| fs::read_to_string(format!("/proc/{process}/comm"));
    match name(&pid.to_string()) {
        // Two lives may have one number, after a boot or in a namespace of its own.
        Ok(theirs) => pid == std::process::id() || name("self").is_ok_and(|ours| ours != theirs),
        Err(error) => is_gone(&error),
    }
}

/// Of a process that is ending there may be a file and nothing in it.
fn is_gone(error: &io::Error) -> bool {
    const ESRCH: i32 = nix::libc::ESRCH;
    error.kind() == ErrorKind::NotFound || error.raw_os_error() == Some(ESRCH)
}

/// Whether it is a socket that nobody listens on.
fn is_dead_socket(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket())
        && UnixStream::connect(path)
            .is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::LocalSocket;
    use std::os::unix::net::UnixListener;
    use std::path::PathBuf;

    /// The settings that name these two, and whether the two are there afterwards.
    fn after(pid_file: &Path, socket: &Path) -> (bool, bool) {
        remove(&Settings {
            pid_file: Some(pid_file.to_owned()),
            local_socket: Some(LocalSocket {
                address: LocalAddress::Path(socket.to_owned()),
                read_write: true,
            }),
            ..Settings::default()
        });
        (pid_file.exists(), socket.exists())
    }

    fn place() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let directory = tempfile::tempdir().expect("a directory");
        let (pid, socket) = (directory.path().join("pid"), directory.path().join("sock"));
        (directory, pid, socket)
    }

    #[test]
    fn what_belongs_to_nobody_goes() {
        let (_directory, pid, socket) = place();
        // Above the greatest process id of any kernel.
        fs::write(&pid, "99999999").expect("written");
        drop(UnixListener::bind(&socket).expect("bound"));
        assert_eq!(after(&pid, &socket), (false, false));
        // And nothing at all is fine.
        assert_eq!(after(&pid, &socket), (false, false));
        // Process 1 is not called as we are.
        fs::write(&pid, "1\n").expect("written");
        assert!(!after(&pid, &socket).0);
    }

    #[test]
    fn what_may_belong_to_somebody_stays() {
        let (_directory, pid, socket) = place();
        fs::write(&pid, "rubbish").expect("written");
        let listener = UnixListener::bind(&socket).expect("bound");
        assert_eq!(after(&pid, &socket), (true, true));
        drop(listener);
        fs::remove_file(&socket).expect("removed");
        fs::write(&socket, "no socket").expect("written");
        assert_eq!(after(&pid, &socket), (true, true));
    }
}
