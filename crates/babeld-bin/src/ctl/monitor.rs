//! `babelctl monitor`: the daemon's lines as they come, or as JSON.

use super::connection::Connection;
use super::output::Output;
use anyhow::{Result, bail};
use serde_json::{Map, Value};
use std::io::Write;

/// Shows the tables and then every change, until the daemon or the reader goes.
pub(super) fn run<W: Write>(
    connection: &mut Connection,
    json: bool,
    output: &mut Output<W>,
) -> Result<()> {
    let show = |line: &str, output: &mut Output<W>| -> Result<()> {
        if json {
            return output.text(&format!("{}\n", document(line)));
        }
        output.text(&format!("{line}\n"))
    };
    let end = connection.ask("monitor", |line| show(line, output))?;
    if end != "ok" {
        bail!("{} answers `{end}` to `monitor`", connection.place());
    }
    output.flush()?;
    while let Some(line) = connection.event()? {
        show(&line, output)?;
        output.flush()?;
    }
    bail!("babeld at {} ended the conversation", connection.place())
}

/// `EVENT KIND ID KEY VALUE…` as an object; numbers are numbers but for identifiers.
fn document(line: &str) -> Value {
    let mut words = line.split(' ');
    let mut object = Map::new();
    for key in ["event", "kind", "id"] {
        if let Some(word) = words.next() {
            object.insert(key.into(), word.into());
        }
    }
    while let (Some(key), Some(value)) = (words.next(), words.next()) {
        let (key, value) = match (key, value) {
            // An xroute or route has an `id` of its own already: this one is the originator's.
            ("id", value) => ("router_id", value.into()),
            ("up" | "installed", value) => (key, Value::Bool(matches!(value, "true" | "yes"))),
            ("reach" | "ureach", value) => (key, value.into()),
            (key, value) => match value.parse::<u64>() {
                Ok(number) => (key, number.into()),
                Err(_) => (key, value.into()),
            },
        };
        object.insert(key.into(), value);
    }
    Value::Object(object)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_becomes_an_object() {
        let line = "change route 1f prefix 10.0.0.0/8 from 0.0.0.0/0 installed yes \
                    id 02:00:00:00:00:00:00:01 metric 96 refmetric 0 price 7 via fe80::1 if eth0";
        assert_eq!(
            document(line).to_string(),
            "{\"event\":\"change\",\"from\":\"0.0.0.0/0\",\"id\":\"1f\",\"if\":\"eth0\",\
             \"installed\":true,\"kind\":\"route\",\"metric\":96,\"prefix\":\"10.0.0.0/8\",\
             \"price\":7,\"refmetric\":0,\"router_id\":\"02:00:00:00:00:00:00:01\",\
             \"via\":\"fe80::1\"}"
        );
    }
}
