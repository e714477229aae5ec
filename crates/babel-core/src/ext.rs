//! The first plug-in point: an opaque attribute that rides on routes.
//!
//! The engine stores one [`Extension::Attr`] per route and hands it to the selection policy. It
//! never looks inside, and the attribute never enters metric, feasibility or the source table, so
//! no extension can make a loop (RFC 8966 §3.6).

use crate::types::{LinkId, NeighbourId};
use crate::wire::{SubTlvWriter, SubTlvs};
use core::fmt::Debug;

/// Where an advertised route comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// One of this node's own addresses: it is the destination.
    Local,
    /// A kernel route that this node redistributes.
    Redistributed,
    /// Learned from a neighbour.
    Learned,
}

/// Sub-TLVs on Update TLVs that stock peers ignore, and what they mean.
pub trait Extension {
    /// What a route carries. The default means "nothing said".
    type Attr: Copy + Eq + Default + Debug;

    /// Reads the attribute from the sub-TLVs of a finite Update. Must not fail: what it does not
    /// understand it ignores, and the Update stands. Source Prefix and padding are not shown.
    fn decode(&self, sub_tlvs: SubTlvs<'_>) -> Self::Attr;

    /// What a learned route costs us, given what was received and the sum of the opaque
    /// arguments of the `in` filters that matched (zero if none).
    fn learned(&self, received: Self::Attr, neighbour: NeighbourId, filter: u32) -> Self::Attr;

    /// What a route we originate carries; `filter` is the `redistribute` rule's argument.
    fn originated(&self, origin: Origin, filter: Option<u32>) -> Self::Attr;

    /// What we tell the neighbours on `link` about a route that we hold at `held`; `filter` is
    /// the sum of the `out` filters' arguments.
    fn advertised(&self, held: Self::Attr, origin: Origin, link: LinkId, filter: u32)
    -> Self::Attr;

    /// Writes the attribute. Writing nothing leaves the packet as stock babeld would send it.
    fn encode(&self, advertised: Self::Attr, out: &mut SubTlvWriter<'_>);

    /// Whether neighbours should be told at once that `sent` became `now`. The engine limits the
    /// rate to one such update per prefix in ten seconds and never loses the last value.
    fn worth_telling(&self, sent: Self::Attr, now: Self::Attr) -> bool;
}

/// No extension: stock Babel.
impl Extension for () {
    type Attr = ();
    fn decode(&self, _: SubTlvs<'_>) {}
    fn learned(&self, (): (), _: NeighbourId, _: u32) {}
    fn originated(&self, _: Origin, _: Option<u32>) {}
    fn advertised(&self, (): (), _: Origin, _: LinkId, _: u32) {}
    fn encode(&self, (): (), _: &mut SubTlvWriter<'_>) {}
    fn worth_telling(&self, (): (), (): ()) -> bool {
        false
    }
}
