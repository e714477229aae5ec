//! Acknowledgments as the kernel writes them, and as it never would.

use super::outcome;
use crate::abi;
use crate::wire::Message;
use nix::errno::Errno;
use proptest::prelude::*;

fn answer(kind: u16, flags: u16, payload: &[u8]) -> Message<'_> {
    Message {
        kind,
        flags,
        sequence: 1,
        port_id: 0,
        payload,
    }
}

/// An error code, the request's header, then what else.
fn refusal(code: i32, request_octets: u32, rest: &[u8]) -> Vec<u8> {
    let mut payload = code.to_ne_bytes().to_vec();
    payload.extend_from_slice(&request_octets.to_ne_bytes());
    payload.extend_from_slice(&[0; 12]);
    payload.extend_from_slice(rest);
    payload
}

fn text(text: &[u8]) -> Vec<u8> {
    let mut attribute = u16::try_from(text.len() + 4)
        .unwrap()
        .to_ne_bytes()
        .to_vec();
    attribute.extend_from_slice(&abi::NLMSGERR_ATTR_MSG.to_ne_bytes());
    attribute.extend_from_slice(text);
    attribute
}

#[test]
fn zero_is_success_and_negative_is_an_error_number() {
    assert_eq!(
        outcome(&answer(abi::NLMSG_ERROR, 0, &refusal(0, 16, &[]))),
        Ok(())
    );
    let refused = outcome(&answer(abi::NLMSG_ERROR, 0, &refusal(-17, 16, &[]))).unwrap_err();
    assert_eq!((refused.errno, refused.message), (Errno::EEXIST, None));
    assert_eq!(
        outcome(&answer(abi::NLMSG_DONE, 0, &[])),
        Ok(()),
        "the end of a dump"
    );
    assert!(outcome(&answer(abi::NLMSG_DONE, 0, &(-5_i32).to_ne_bytes())).is_err());
    assert_eq!(
        outcome(&answer(abi::NLMSG_ERROR, 0, &[0]))
            .unwrap_err()
            .errno,
        Errno::EBADMSG
    );
}

#[test]
fn the_kernels_words_are_found_behind_a_capped_and_a_whole_request() {
    let words = text(b"no such thing\0");
    let capped = refusal(-22, 100, &words);
    let flags = abi::NLM_F_CAPPED | abi::NLM_F_ACK_TLVS;
    let refused = outcome(&answer(abi::NLMSG_ERROR, flags, &capped)).unwrap_err();
    assert_eq!(refused.message.as_deref(), Some("no such thing"));
    assert_eq!(refused.to_string(), "Invalid argument (no such thing)");

    let mut whole = refusal(-22, 24, &[9; 8]);
    whole.extend_from_slice(&words);
    let refused = outcome(&answer(abi::NLMSG_ERROR, abi::NLM_F_ACK_TLVS, &whole)).unwrap_err();
    assert_eq!(refused.message.as_deref(), Some("no such thing"));
}

proptest! {
    #[test]
    fn random_acknowledgments_never_panic(
        kind in 2..5_u16,
        flags in any::<u16>(),
        payload in prop::collection::vec(any::<u8>(), 0..80),
    ) {
        let _ = outcome(&answer(kind, flags, &payload));
    }
}
