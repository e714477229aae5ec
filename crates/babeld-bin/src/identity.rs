//! Who this node is: router-id, seqno and the files that hold them and the process id.

use babel_core::auth::Entropy;
use babel_core::types::{RouterId, SeqNo};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// `ARPHRD_ETHER`
const ETHERNET: u16 = 1;
/// `ARPHRD_EUI64` and `ARPHRD_IEEE1394`: eight octets.
const EUI64: [u16; 2] = [27, 24];
/// `ARPHRD_INFINIBAND`: the last eight of twenty octets.
const INFINIBAND: u16 = 32;

/// The router-id that an interface's hardware address makes: a modified EUI-64. `None` unless the
/// address is worldwide unique: an individual one, and globally administered.
pub fn router_id_of_hardware(kind: u16, address: &[u8]) -> Option<RouterId> {
    let mut id = match *address {
        [a, b, c, d, e, f] if kind == ETHERNET => [a, b, c, 0xFF, 0xFE, d, e, f],
        [a, b, c, d, e, f, g, h] if EUI64.contains(&kind) => [a, b, c, d, e, f, g, h],
        [.., a, b, c, d, e, f, g, h] if kind == INFINIBAND => [a, b, c, d, e, f, g, h],
        _ => return None,
    };
    let [first, ..] = &mut id;
    let local_or_group = *first & 0x03 != 0;
    if local_or_group || address.iter().all(|octet| *octet == 0) {
        return None;
    }
    *first ^= 0x02;
    Some(RouterId(id)).filter(|id| id.is_valid())
}

/// A random router-id, marked as locally made: group and universal bits clear.
pub fn random_router_id() -> io::Result<RouterId> {
    loop {
        let mut id = [0; 8];
        getrandom::fill(&mut id).map_err(io::Error::other)?;
        let [first, ..] = &mut id;
        *first &= !0x03;
        let id = RouterId(id);
        if id.is_valid() {
            return Ok(id);
        }
    }
}

/// A random number.
pub fn random_u64() -> io::Result<u64> {
    getrandom::u64().map_err(io::Error::other)
}

/// What nobody else can know: for indices and nonces of MAC authentication.
pub fn entropy() -> io::Result<Entropy> {
    let mut octets = [0; 32];
    getrandom::fill(&mut octets).map_err(io::Error::other)?;
    Ok(Entropy::new(octets))
}

/// Reads the seqno a former life left and removes the file, so that a crash cannot make us use
/// it twice; the next one to use, or `None`. Trouble is logged, never fatal.
pub fn take_seqno(path: &Path) -> Option<SeqNo> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => {
            tracing::warn!("open({}): {error}", path.display());
            return None;
        }
    };
    if let Err(error) = fs::remove_file(path) {
        tracing::warn!("unlink({}): {error}", path.display());
    }
    let Ok(seqno) = text.trim().parse() else {
        tracing::warn!("Couldn't parse babel-state. ({})", path.display());
        return None;
    };
    Some(SeqNo(seqno).plus(1))
}

/// The seqno of a life whose predecessor left none: seconds of the wall clock. One that crashed
/// within nine hours of its start, and whose routes the neighbours still remember, had an older
/// one, so that they take ours at once; after longer it is as good as random, as in stock babeld.
pub fn seqno_by_clock() -> SeqNo {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
    let seconds = since_1970.map_or(0, |elapsed| elapsed.as_secs());
    SeqNo(u16::try_from(seconds & 0xFFFF).unwrap_or(0))
}

/// Leaves our seqno for the next life.
pub fn save_seqno(path: &Path, seqno: SeqNo) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o644)
        .open(path)?;
    writeln!(file, "{}", seqno.0)?;
    file.sync_all()
}

/// The pidfile, removed when dropped.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
}

impl PidFile {
    /// Writes our process id into a new file. An existing one, even a stale one, is an error and
    /// is left alone: another babeld may be running.
    pub fn create(path: &Path) -> io::Result<Self> {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o644)
            .open(path)?;
        let pid = Self {
            path: path.to_owned(),
        };
        write!(file, "{}", std::process::id())?;
        Ok(pid)
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!("unlink({}): {error}", self.path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_global_hardware_address_makes_a_modified_eui64() {
        let id = router_id_of_hardware(ETHERNET, &[0x00, 0x1b, 0x21, 0x0a, 0x0b, 0x0c]);
        let id = id.expect("a global address");
        assert_eq!(id.to_string(), "02:1b:21:ff:fe:0a:0b:0c");
        let infiniband: Vec<u8> = (0..20).map(|n| n * 4).collect();
        let id = router_id_of_hardware(INFINIBAND, &infiniband).expect("a global address");
        assert_eq!(id.to_string(), "32:34:38:3c:40:44:48:4c");
    }

    #[test]
    fn local_group_zero_and_strange_addresses_make_none() {
        let of = router_id_of_hardware;
        assert_eq!(of(ETHERNET, &[0x02, 1, 2, 3, 4, 5]), None);
        assert_eq!(of(ETHERNET, &[0x01, 1, 2, 3, 4, 5]), None);
        assert_eq!(of(ETHERNET, &[0; 6]), None);
        assert_eq!(of(772, &[0; 6]), None);
        assert_eq!(of(ETHERNET, &[1, 2]), None);
        assert_eq!(of(ETHERNET, &[]), None);
    }

    #[test]
    fn random_ids_are_valid_and_differ() {
        let one = random_router_id().expect("random");
        assert_eq!(one.0[0] & 3, 0);
        assert_ne!(one, random_router_id().expect("random"));
    }

    #[test]
    fn the_seqno_by_the_clock_only_grows() {
        let earlier = seqno_by_clock();
        assert!(seqno_by_clock().at_least(earlier));
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("after 1970");
        let expected = SeqNo(u16::try_from(now.as_secs() % 65536).expect("16 bits"));
        assert!(expected.at_least(earlier) && earlier.plus(2).newer_than(expected));
    }

    #[test]
    fn the_seqno_is_taken_once_and_counted_on() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("state");
        assert_eq!(take_seqno(&path), None);
        save_seqno(&path, SeqNo(65535)).expect("written");
        assert_eq!(fs::read_to_string(&path).expect("a file"), "65535\n");
        assert_eq!(take_seqno(&path), Some(SeqNo(0)));
        assert!(!path.exists());
        fs::write(&path, "rubbish").expect("written");
        assert_eq!(take_seqno(&path), None);
    }

    #[test]
    fn a_pidfile_is_exclusive_and_goes_with_its_owner() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("pid");
        let pidfile = PidFile::create(&path).expect("a new file");
        let text = fs::read_to_string(&path).expect("a file");
        assert_eq!(text, std::process::id().to_string());
        assert!(PidFile::create(&path).is_err());
        assert!(path.exists());
        drop(pidfile);
        assert!(!path.exists());
    }
}
