//! What the receiver of a transfer says of it.

use super::Cursor;
use crate::payload::Sum;
use crate::why::Why;

/// A report of the receiver.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Report {
    /// So many octets have come.
    Progress(u64),
    /// The same, and: it is enough.
    Stop(u64),
    /// All have come; this is their sum.
    Final(Sum),
}

impl Report {
    const SHORT: usize = 16;
    pub(crate) const FINAL: usize = 48;

    /// How many octets the report that begins so still needs.
    pub(crate) fn missing(begun: &[u8]) -> usize {
        let whole = match begun.first() {
            Some(3) => Self::FINAL,
            _ => Self::SHORT,
        };
        whole.saturating_sub(begun.len()).max(1)
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let (kind, octets) = match self {
            Self::Progress(octets) => (1, *octets),
            Self::Stop(octets) => (2, *octets),
            Self::Final(sum) => (3, sum.octets),
        };
        let mut out = vec![kind, 0, 0, 0, 0, 0, 0, 0];
        out.extend(octets.to_be_bytes());
        if let Self::Final(sum) = self {
            out.extend(sum.digest);
        }
        out
    }

    /// `Ok(None)`: more octets are needed.
    pub(crate) fn decode(from: &mut Vec<u8>) -> Result<Option<Self>, Why> {
        let mut cursor = Cursor(from);
        let (Some([kind, ..]), Some(octets)) = (cursor.take::<8>(), cursor.take::<8>()) else {
            return Ok(None);
        };
        let octets = u64::from_be_bytes(octets);
        let report = match kind {
            1 => Self::Progress(octets),
            2 => Self::Stop(octets),
            3 => match cursor.take() {
                Some(digest) => Self::Final(Sum { octets, digest }),
                None => return Ok(None),
            },
            _ => return Err("the other side sends reports that are none".into()),
        };
        let used = from.len() - cursor.0.len();
        from.drain(..used);
        Ok(Some(report))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_come_in_parts_and_one_after_the_other() {
        let sum = Sum {
            octets: 7,
            digest: [3; 32],
        };
        let all = [Report::Progress(5), Report::Stop(6), Report::Final(sum)];
        let octets: Vec<u8> = all.iter().flat_map(Report::encode).collect();
        let (mut seen, mut begun) = (Vec::new(), Vec::new());
        let mut rest = octets.as_slice();
        while !rest.is_empty() {
            // Never an octet of what follows.
            let (part, later) = rest.split_at(Report::missing(&begun).min(rest.len()));
            begun.extend(part);
            rest = later;
            seen.extend(Report::decode(&mut begun).expect("a report"));
        }
        assert_eq!(seen, all);
        assert!(Report::decode(&mut vec![9; 16]).is_err());
    }
}
