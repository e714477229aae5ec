//! Sub-TLVs: what an extension reads and writes (RFC 8966 §4.4).

/// One sub-TLV.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SubTlv<'a> {
    /// Its type; 128 and above are mandatory and are never shown to an extension.
    pub kind: u8,
    /// Its body.
    pub body: &'a [u8],
}

/// The sub-TLVs of one Update that the base protocol does not know, well framed by construction.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SubTlvs<'a> {
    /// All sub-TLVs of the TLV, verified to be well framed.
    pub(super) octets: &'a [u8],
}

impl<'a> Iterator for SubTlvs<'a> {
    type Item = SubTlv<'a>;
    fn next(&mut self) -> Option<SubTlv<'a>> {
        todo!("wire")
    }
}

/// Appends sub-TLVs to the Update being written.
#[derive(Debug)]
pub struct SubTlvWriter<'a> {
    pub(super) out: &'a mut Vec<u8>,
}

impl<'a> SubTlvWriter<'a> {
    /// A writer onto any buffer.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out }
    }

    /// Appends a sub-TLV; a body over 255 octets is refused (nothing is written).
    pub fn push(&mut self, kind: u8, body: &[u8]) {
        let _ = (kind, body, &self.out);
        todo!("wire")
    }
}
