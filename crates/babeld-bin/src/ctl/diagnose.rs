//! `babelctl explain neighbour`: whether the link to a neighbour works, and if not, why.

use super::args::Socket;
use super::output::{Output, Style};
use super::{documents, parse_json, query_json};
use crate::local::json::{Neighbour, Status};
use anyhow::{Context, Result};
use std::io::Write;
use std::net::Ipv6Addr;

/// Asks the daemon at `socket` about one neighbour or about all.
pub(super) fn run<W: Write>(
    socket: &Socket,
    who: Option<Ipv6Addr>,
    as_json: bool,
    output: &mut Output<W>,
) -> Result<()> {
    let mut all: Vec<Neighbour> = documents(&query_json(socket, "json neighbours")?)?;
    all.retain(|one| who.is_none_or(|address| one.address == address));
    if as_json {
        let lines: Result<Vec<String>, _> = all.iter().map(serde_json::to_string).collect();
        return output.array(&lines.context("writing JSON")?);
    }
    let mut paragraphs = all.iter().peekable();
    while let Some(neighbour) = paragraphs.next() {
        one(neighbour, output)?;
        if paragraphs.peek().is_some() {
            output.text("\n")?;
        }
    }
    if all.is_empty() {
        let status = query_json(socket, "json status")?;
        let status: Status = parse_json(status.first().context("the daemon said nothing")?)?;
        output.text(&format!("{}\n", nobody(who, &status)))?;
    }
    Ok(())
}

fn one<W: Write>(neighbour: &Neighbour, output: &mut Output<W>) -> Result<()> {
    let name = format!("{}%{}", neighbour.address, neighbour.interface);
    let style = match (&neighbour.diagnosis, neighbour.cost) {
        (None, _) => Style::Good,
        (Some(_), u16::MAX) => Style::Bad,
        (Some(_), _) => Style::Middling,
    };
    output.styled(style, &name)?;
    output.text("\n")?;
    let well = format!(
        "It works both ways, at cost {}, and announces {} routes.",
        neighbour.cost, neighbour.routes
    );
    let text = neighbour.diagnosis.as_deref().unwrap_or(&well);
    super::explain::paragraph(text, 2, output)
}

/// Nothing that arrived made a neighbour.
fn nobody(who: Option<Ipv6Addr>, status: &Status) -> String {
    let mut text = match who {
        Some(address) => format!("{address} is not a neighbour: nothing acceptable came from it."),
        None => "There are no neighbours: nothing acceptable came from anybody.".into(),
    };
    if status.interfaces_up == 0 {
        text.push_str(" No interface is up: `babelctl show interfaces` says why.");
        return text;
    }
    match status.packets_unauthentic {
        0 => text.push_str(
            " Is a babeld running there, on this link? Does UDP port 6696 pass the firewall, \
             and ff02::1:6 the switch, access point or AllowedIPs of WireGuard?",
        ),
        count => text.push_str(&format!(
            " {count} packets were dropped since the start as not signed with our key: the log \
             names their senders."
        )),
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_neighbour_is_explained_by_what_is_known() {
        let mut status: Status = serde_json::from_str(
            r#"{"version":"babeld-1","host":"h","router_id":"02:00:00:00:00:00:00:01","seqno":1,
                "interfaces_up":1,"interfaces":1,"neighbours":0,"xroutes":0,"prices":false,
                "routes":{"selected":0,"feasible":0,"unfeasible":0,"retracted":0}}"#,
        )
        .expect("a status");
        let who = "fe80::9".parse().ok();
        assert!(nobody(who, &status).starts_with("fe80::9 is not a neighbour"));
        assert!(nobody(None, &status).contains("6696"));
        status.packets_unauthentic = 7;
        assert!(nobody(who, &status).contains("7 packets were dropped"));
        status.interfaces_up = 0;
        assert!(nobody(who, &status).contains("No interface is up"));
    }
}
