//! Fresh network namespaces for tests. Needs root: without it the tests fail, and say why.

use nix::sched::{CloneFlags, unshare};
use std::fs::File;

/// Runs `test` in a thread with a network namespace of its own, which dies with the thread.
pub(crate) fn isolated(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::spawn(|| {
        enter_new();
        test();
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// Moves the calling thread to a new network namespace, and gives a handle to it.
pub(crate) fn enter_new() -> File {
    unshare(CloneFlags::CLONE_NEWNET)
        .expect("these tests make network namespaces: run them as root (CAP_SYS_ADMIN)");
    File::open("/proc/thread-self/ns/net").expect("/proc is not mounted")
}
