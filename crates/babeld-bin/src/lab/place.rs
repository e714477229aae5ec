//! Where labs keep their files: sockets, configurations, logs, and who holds them.
//!
//! A lab is alive exactly while its lock is held, so a process id is never trusted by itself.

use anyhow::{Context, Result, bail};
use nix::fcntl::{Flock, FlockArg};
use nix::unistd::geteuid;
use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

const LOCK: &str = "lock";
/// Marks directories of `lab run`, which nobody needs once their process is gone.
const RUN_MARK: &str = "-run-";
/// Longest base that leaves room for a socket's path (108 octets in all).
const LONGEST_BASE: usize = 64;

/// How long taking the lock is tried.
const LOCK_LIMIT: Duration = Duration::from_millis(500);

/// A lab's directory, held by this process.
#[derive(Debug)]
pub(super) struct Place {
    directory: PathBuf,
    _lock: Flock<File>,
}

/// The directory of all labs of this user, closed to others.
///
/// Call it before entering a user namespace, where everybody is root.
pub(super) fn base() -> Result<PathBuf> {
    let own = |path: &Path| fs::metadata(path).is_ok_and(|found| found.uid() == geteuid().as_raw());
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let usable =
        |path: &PathBuf| path.is_absolute() && path.as_os_str().len() < LONGEST_BASE && own(path);
    let base = match runtime.filter(usable) {
        Some(runtime) => runtime.join("babel-lab"),
        None => PathBuf::from(format!("/tmp/babel-lab-{}", geteuid())),
    };
    make_directory(&base)?;
    Ok(base)
}

/// Removes what runs left whose process is gone.
pub(super) fn sweep(base: &Path) {
    for name in names(base).iter().filter(|name| name.contains(RUN_MARK)) {
        let directory = base.join(name);
        // One without a lock file is just being made.
        if directory.join(LOCK).exists() && !is_live(&directory) {
            let _ = fs::remove_dir_all(directory);
        }
    }
}

/// The directory of one run.
pub(super) fn of_run(base: &Path, scenario: &str) -> PathBuf {
    base.join(format!("{scenario}{RUN_MARK}{}", std::process::id()))
}

/// The labs there are, alive or not, in order of name; runs included.
pub(super) fn names(base: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(base) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

/// Whether somebody holds the lab in this directory.
pub(super) fn is_live(directory: &Path) -> bool {
    let Ok(file) = File::open(directory.join(LOCK)) else {
        return false;
    };
    Flock::lock(file, FlockArg::LockExclusiveNonblock).is_err()
}

impl Place {
    /// Takes a directory, empty but for the lock; an error if a live lab has it.
    pub(super) fn claim(directory: PathBuf) -> Result<Self> {
        make_directory(&directory)?;
        let path = directory.join(LOCK);
        // Others look whether it is held by trying it for an instant.
        let lock = netns::wait_for(LOCK_LIMIT, || {
            let file = match File::create(&path) {
                Ok(file) => file,
                Err(error) => return Some(Err(error)),
            };
            Flock::lock(file, FlockArg::LockExclusiveNonblock)
                .ok()
                .map(Ok)
        });
        let lock = match lock {
            Some(lock) => lock.with_context(|| format!("creating {}", path.display()))?,
            None => bail!("it is up already ({} is locked)", path.display()),
        };
        for name in names(&directory)
            .iter()
            .filter(|name| name.as_str() != LOCK)
        {
            let leftover = directory.join(name);
            fs::remove_file(&leftover)
                .with_context(|| format!("removing the leftover {}", leftover.display()))?;
        }
        Ok(Self {
            directory,
            _lock: lock,
        })
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Removes the directory with all in it.
    pub(super) fn remove(self) -> Result<()> {
        fs::remove_dir_all(&self.directory)
            .with_context(|| format!("removing {}", self.directory.display()))
    }
}

/// Makes sure that a directory is there, is ours and is closed to others.
fn make_directory(path: &Path) -> Result<()> {
    let _ = DirBuilder::new().mode(0o700).create(path);
    let found = fs::symlink_metadata(path)
        .with_context(|| format!("making the directory {}", path.display()))?;
    if !found.is_dir() || found.uid() != geteuid().as_raw() || found.mode() & 0o077 != 0 {
        bail!(
            "{} is not a directory of ours closed to others; remove it",
            path.display()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_live_while_held_and_taken_once() -> Result<()> {
        let base = tempfile::tempdir()?;
        let directory = base.path().join("lab");
        let place = Place::claim(directory.clone())?;
        assert!(is_live(&directory));
        let refusal = Place::claim(directory.clone())
            .err()
            .context("taken twice")?;
        assert!(format!("{refusal:#}").contains("up already"), "{refusal:#}");
        fs::write(directory.join("alice.log"), "x")?;
        drop(place);
        assert!(!is_live(&directory));
        let place = Place::claim(directory.clone())?;
        assert!(!directory.join("alice.log").exists(), "a leftover stayed");
        place.remove()?;
        assert!(!directory.exists());
        Ok(())
    }

    #[test]
    fn a_directory_open_to_others_is_refused() -> Result<()> {
        let base = tempfile::tempdir()?;
        let directory = base.path().join("lab");
        DirBuilder::new().mode(0o755).create(&directory)?;
        let refusal = Place::claim(directory).err().context("it was taken")?;
        assert!(
            format!("{refusal:#}").contains("closed to others"),
            "{refusal:#}"
        );
        Ok(())
    }

    #[test]
    fn sweeping_removes_dead_runs_only() -> Result<()> {
        let base = tempfile::tempdir()?;
        let live = Place::claim(base.path().join("diamond-run-1"))?;
        drop(Place::claim(base.path().join("diamond-run-2"))?);
        drop(Place::claim(base.path().join("diamond"))?);
        sweep(base.path());
        assert_eq!(names(base.path()), ["diamond", "diamond-run-1"]);
        live.remove()
    }
}
