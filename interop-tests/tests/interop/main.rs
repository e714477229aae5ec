//! Our daemon on a real kernel, beside stock babeld, BIRD and FRR. Needs root and the peers'
//! packages; `./run-tests` sees to both. Fails without.

mod auth;
mod diamond;
mod forwarding;
mod hostile;
mod kernel;
mod line;
mod links;
mod options;
mod pair;
mod prices;
mod rank;
mod specific;

use anyhow::Result;
use interop_tests::network::{Id, Network};
use interop_tests::peers::Kind;
use std::time::Duration;

/// For something that should happen at once: the time of a message, not of a timer.
const AT_ONCE: Duration = Duration::from_secs(3);

/// Waits until `node` leads all `prefixes` to `next`.
fn await_routes(
    network: &Network,
    node: Id,
    prefixes: &[impl AsRef<str>],
    next: Id,
    limit: Duration,
) -> Result<Duration> {
    let (from, to) = (network.name(node), network.name(next));
    let list: Vec<&str> = prefixes.iter().map(AsRef::as_ref).collect();
    let what = format!("{from} leads {} to {to}", list.join(", "));
    network.wait(&what, limit, |network| {
        for prefix in &list {
            if !network.leads(node, prefix, next)? {
                return Ok(false);
            }
        }
        Ok(true)
    })
}

/// Waits until `node` has no usable route to any of `prefixes`.
fn await_loss(
    network: &Network,
    node: Id,
    prefixes: &[impl AsRef<str>],
    limit: Duration,
) -> Result<Duration> {
    let list: Vec<&str> = prefixes.iter().map(AsRef::as_ref).collect();
    let what = format!("{} loses {}", network.name(node), list.join(", "));
    network.wait(&what, limit, |network| {
        for prefix in &list {
            if !network.lacks(node, prefix)? {
                return Ok(false);
            }
        }
        Ok(true)
    })
}

/// What a daemon that reads babeld's language is told when it faces FRR. Its timers come late: it
/// gives up neighbours that say hello more often than it does. And zebra loses a route whose next
/// hop is itself announced, as an address of ours on the link is by default.
fn facing(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Frr => &[
            "default hello-interval 4",
            "redistribute local ip 10.1.0.0/16 deny",
        ],
        Kind::Ours | Kind::Stock | Kind::Bird => &[],
    }
}

/// Two linked nodes, `us` with our daemon and `them` with another.
fn pair(test: &str, kind: Kind) -> Result<(Network, Id, Id)> {
    let mut network = Network::new(test)?;
    let (us, them) = (network.node("us")?, network.node("them")?);
    network.link(us, them)?;
    network.start(them, kind, &[])?;
    network.start(us, Kind::Ours, facing(kind))?;
    Ok((network, us, them))
}

/// Makes one test per daemon out of a function that takes its [`Kind`].
macro_rules! with_each {
    ($function:ident: $($name:ident => $kind:ident),+ $(,)?) => {
        $(#[test]
        fn $name() -> anyhow::Result<()> {
            $function(interop_tests::peers::Kind::$kind)
        })+
    };
}
pub(crate) use with_each;
