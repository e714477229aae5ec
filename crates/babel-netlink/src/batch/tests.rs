//! What happens when answers are lost. The ordinary cases are in `tests/routes.rs`.

use super::Batch;
use crate::namespace::isolated;
use crate::route::{MAIN_TABLE, Route};
use crate::socket::RouteSocket;
use nix::errno::Errno;
use std::net::Ipv4Addr;

#[test]
fn lost_answers_count_as_failures_and_the_socket_recovers() {
    isolated(|| {
        let mut socket = RouteSocket::new().unwrap();
        socket.shrink_receive_buffer();
        let mut batch = Batch::new();
        for number in 0..200_u8 {
            let destination = Ipv4Addr::new(10, number, 0, 0).into();
            batch.delete(&Route::new((destination, 16), MAIN_TABLE, 42));
        }
        let results = socket.execute(&mut batch);
        assert_eq!(results.len(), 200);
        assert!(
            results.iter().all(Result::is_err),
            "a lost answer must not look like success"
        );
        assert!(results.iter().any(|result| {
            result
                .as_ref()
                .is_err_and(|refusal| refusal.errno == Errno::ENOBUFS)
        }));
        assert!(
            socket.links().is_ok(),
            "answers that come late are told from new ones"
        );
    });
}
