//! `quality-file`: what was measured, kept between runs.
//!
//! Written beside itself and put in its place by renaming, so that it is whole at every instant;
//! at most once a minute. A symbolic link is neither followed nor written through, and only a
//! plain file is read or replaced. A directory that is full, read-only or missing costs a warning a
//! minute and nothing else.

use babel_core::time::Instant;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// At least this long between two writes, and between two warnings.
const GAP: Duration = Duration::from_secs(60);
/// After the first change there are often more.
const SETTLING: Duration = Duration::from_secs(1);
/// More is not ours: a ranker at its limits writes less.
const MAX_OCTETS: u64 = 16 << 20;

/// Where measurements are kept, and when they are written next.
#[derive(Debug)]
pub(super) struct QualityFile {
    path: PathBuf,
    due: Option<Instant>,
    written: Option<Instant>,
    complained: Option<Instant>,
}

impl QualityFile {
    pub(super) const fn new(path: PathBuf) -> Self {
        Self {
            path,
            due: None,
            written: None,
            complained: None,
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What a former life left; `None` if nothing, or nothing that can be read.
    pub(super) fn load(&mut self, now: Instant) -> Option<String> {
        match read(&self.path) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                self.complain(now, "read", &error);
                None
            }
        }
    }

    /// There is something new to be kept.
    pub(super) fn changed(&mut self, now: Instant) {
        let earliest = self.written.map_or(now, |written| written + GAP);
        let due = (now + SETTLING).max(earliest);
        self.due.get_or_insert(due);
    }

    /// When to write next.
    pub(super) const fn next(&self) -> Option<Instant> {
        self.due
    }

    /// Whether there is anything to write: now, or `at_last`.
    pub(super) fn is_due(&self, now: Instant, at_last: bool) -> bool {
        self.due.is_some_and(|due| at_last || due <= now)
    }

    /// Writes. Without success it is tried again in a minute.
    pub(super) fn save(&mut self, now: Instant, text: &str) {
        self.written = Some(now);
        self.due = None;
        if let Err(error) = replace(&self.path, text) {
            self.complain(now, "write", &error);
            self.due = Some(now + GAP);
        }
    }

    fn complain(&mut self, now: Instant, verb: &str, error: &io::Error) {
        if self.complained.is_none_or(|last| now.since(last) >= GAP) {
            self.complained = Some(now);
            tracing::warn!(
                "cannot {verb} quality-file {}: {error}; what was measured is not kept over a \
                 restart",
                self.path.display()
            );
        }
    }
}

fn read(path: &Path) -> io::Result<String> {
    let flags = nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(path)?;
    plain(&file.metadata()?)?;
    let mut text = String::new();
    file.take(MAX_OCTETS).read_to_string(&mut text)?;
    Ok(text)
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) => plain(&found)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let beside = PathBuf::from(name);
    let mut file = match create(&beside) {
        // Of a life that was cut short.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_file(&beside)?;
            create(&beside)?
        }
        other => other?,
    };
    let written = file
        .write_all(text.as_bytes())
        .and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // Half a file on a full disk helps nobody.
        let _ = fs::remove_file(&beside);
    }
    written
}

/// Nothing is followed: `create_new` refuses a symbolic link too.
fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o644).open(path)
}

fn plain(found: &fs::Metadata) -> io::Result<()> {
    if found.is_file() {
        return Ok(());
    }
    Err(io::Error::other("it is not a plain file"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn at(seconds: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(seconds)
    }

    fn place() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("quality");
        (directory, path)
    }

    #[test]
    fn it_is_written_whole_at_most_once_a_minute() {
        let (directory, path) = place();
        let mut file = QualityFile::new(path.clone());
        assert_eq!(file.load(at(0)), None);
        assert!(!file.is_due(at(0), true));
        file.changed(at(10));
        file.changed(at(10));
        assert_eq!(file.next(), Some(at(11)));
        assert!(!file.is_due(at(10), false) && file.is_due(at(10), true));
        file.save(at(11), "one\n");
        assert_eq!(file.next(), None);
        file.changed(at(12));
        assert_eq!(file.next(), Some(at(71)));
        file.save(at(71), "two\n");
        assert_eq!(QualityFile::new(path).load(at(0)).as_deref(), Some("two\n"));
        let left = fs::read_dir(directory.path()).expect("a directory").count();
        assert_eq!(left, 1);
    }

    #[test]
    fn what_a_cut_short_life_left_beside_it_is_no_obstacle() {
        let (_directory, path) = place();
        fs::write(path.with_extension("new"), "half").expect("written");
        replace(&path, "whole").expect("replaced");
        assert_eq!(read(&path).expect("read"), "whole");
    }

    #[test]
    fn links_and_other_things_are_neither_read_nor_replaced() {
        let (directory, path) = place();
        let target = directory.path().join("target");
        fs::write(&target, "precious").expect("written");
        symlink(&target, &path).expect("linked");
        assert!(read(&path).is_err());
        assert!(replace(&path, "mine").is_err());
        assert_eq!(fs::read_to_string(&target).expect("read"), "precious");
        assert!(read(directory.path()).is_err());
        assert!(read(Path::new("/dev/null")).is_err());
        assert!(replace(Path::new("/dev/null"), "mine").is_err());
    }

    #[test]
    fn what_cannot_be_written_is_tried_again_in_a_minute() {
        let mut file = QualityFile::new("/nonexistent/directory/quality".into());
        assert_eq!(file.load(at(0)), None);
        file.changed(at(0));
        file.save(at(1), "text");
        assert_eq!((file.next(), file.complained), (Some(at(61)), Some(at(1))));
        file.save(at(30), "text");
        assert_eq!(file.complained, Some(at(1)));
    }
}
