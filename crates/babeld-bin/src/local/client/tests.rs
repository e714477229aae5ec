use super::*;
use crate::local::Identity;
use babel_core::types::RouterId;
use tokio::io::DuplexStream;

fn shared() -> Rc<Shared> {
    let identity = Identity {
        version: "babeld-1".into(),
        host: "here".into(),
        router_id: RouterId([1; 8]),
        althea: false,
    };
    Shared::new(identity).0
}

fn client() -> Rc<Client> {
    Rc::new(Client::new(Access::ReadOnly))
}

/// Serves one end of a pipe that holds `octets`.
fn begin(shared: &Rc<Shared>, client: &Rc<Client>, octets: usize) -> (DuplexStream, LocalTask) {
    let (near, far) = tokio::io::duplex(octets);
    let (shared, client) = (shared.clone(), client.clone());
    let task = tokio::task::spawn_local(async move {
        let (input, output) = tokio::io::split(far);
        converse(&shared, &client, input, output).await;
    });
    (near, task)
}

type LocalTask = tokio::task::JoinHandle<()>;

/// With time that jumps to the next deadline when nothing else is left to do.
fn in_virtual_time(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    tokio::task::LocalSet::new().block_on(&runtime, test);
}

#[test]
fn who_takes_nothing_for_a_minute_is_cut() {
    in_virtual_time(async {
        let (shared, client) = (shared(), client());
        let began = Instant::now();
        let (_near, task) = begin(&shared, &client, 8);
        task.await.expect("no panic");
        assert_eq!(began.elapsed().as_secs(), STALL.as_secs());
        assert_eq!(shared.counters().cut_slow, 1);
    });
}

#[test]
fn who_reads_an_octet_now_and_then_is_served_to_the_end() {
    in_virtual_time(async {
        let (shared, client) = (shared(), client());
        let (mut near, task) = begin(&shared, &client, 8);
        near.write_all(b"quit\n").await.expect("written");
        let mut answer = Vec::new();
        while let Ok(octet) = near.read_u8().await {
            answer.push(octet);
            tokio::time::sleep(STALL / 2).await;
        }
        drop(near);
        task.await.expect("no panic");
        assert!(answer.ends_with(b"\nok\n"));
        assert_eq!(shared.counters().cut_slow, 0);
    });
}

#[test]
fn a_burst_is_held_for_a_reader_and_not_for_the_deaf() {
    in_virtual_time(async {
        let (shared, client) = (shared(), client());
        client.monitor(Tables::ALL);
        let line: Rc<str> = "x".repeat(1000).into();
        let tell = |octets: usize| {
            for _ in 0..octets / 1000 {
                client.push(Piece::Text(line.clone()));
            }
        };
        // All at once, before the client had any chance to read.
        tell(3 * MAX_IDLE_TEXT);
        assert!(client.monitored().is_some());
        // Later, when it has still read nothing.
        let (_near, task) = begin(&shared, &client, 8);
        tokio::time::sleep(PATIENCE * 2).await;
        tell(1000);
        assert!(client.monitored().is_none());
        task.await.expect("no panic");
        assert_eq!(shared.counters().cut_slow, 1);
    });
}

#[test]
fn nobody_is_owed_more_than_the_greatest_burst() {
    in_virtual_time(async {
        let client = client();
        client.monitor(Tables::ALL);
        let line: Rc<str> = "x".repeat(1000).into();
        let mut told = 0;
        while client.monitored().is_some() {
            client.push(Piece::Text(line.clone()));
            told += line.len();
            assert!(told <= MAX_TEXT);
        }
    });
}
