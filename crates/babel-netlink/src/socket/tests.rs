//! How answers are read. Exchanges with the real kernel are in `tests/`.

use super::{DumpEnd, RouteSocket};
use crate::abi;
use crate::wire::{Encoder, stamp};

fn message(kind: u16, flags: u16, sequence: u32) -> Vec<u8> {
    let mut octets = Vec::new();
    Encoder::begin(&mut octets, kind, flags)
        .raw(&[0; 4])
        .finish();
    stamp(&mut octets, 0, sequence, 0);
    octets
}

/// Reads one datagram as an answer to request 5: objects seen, whether complete, how consistent.
fn read(datagram: &[u8]) -> (usize, bool, DumpEnd) {
    let mut socket = RouteSocket::new().unwrap();
    let (mut seen, mut end) = (0, DumpEnd::Consistent);
    let done = socket.read_answers(datagram, 5, &mut end, &mut |_| seen += 1);
    assert!(!matches!(done, Some(Err(_))));
    (seen, done.is_some(), end)
}

#[test]
fn a_dump_ends_with_done_and_not_before() {
    let mut datagram = message(abi::RTM_NEWROUTE, 0, 5);
    datagram.extend(message(abi::RTM_NEWROUTE, 0, 5));
    assert_eq!(read(&datagram), (2, false, DumpEnd::Consistent));
    datagram.extend(message(abi::NLMSG_DONE, 0, 5));
    assert_eq!(read(&datagram), (2, true, DumpEnd::Consistent));
}

#[test]
fn an_interrupted_dump_is_told_by_any_of_its_messages() {
    let mut datagram = message(abi::RTM_NEWROUTE, abi::NLM_F_DUMP_INTR, 5);
    datagram.extend(message(abi::NLMSG_DONE, 0, 5));
    assert_eq!(read(&datagram), (1, true, DumpEnd::Changing));
    let datagram = message(abi::NLMSG_DONE, abi::NLM_F_DUMP_INTR, 5);
    assert_eq!(read(&datagram), (0, true, DumpEnd::Changing));
}

#[test]
fn late_answers_to_an_earlier_request_are_dropped() {
    let mut datagram = message(abi::RTM_NEWROUTE, 0, 4);
    datagram.extend(message(abi::NLMSG_DONE, 0, 4));
    assert_eq!(read(&datagram), (0, false, DumpEnd::Consistent));
}

#[test]
fn sequence_numbers_in_a_row_never_wrap_and_are_never_zero() {
    let mut socket = RouteSocket::new().unwrap();
    assert_eq!(socket.next_sequences(1), 1);
    assert_eq!(socket.next_sequences(256), 2);
    socket.sequence = u32::MAX - 100;
    assert_eq!(socket.next_sequences(256), 1);
    assert_eq!(socket.sequence, 256);
}
