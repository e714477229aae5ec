//! What the daemon says at one moment, by one conversation.

use crate::ctl::connection::Connection;
use crate::ctl::parse_json;
use crate::local::json::{Neighbour, Status};
use crate::local::quality::{DecisionDocument, StandingDocument, TestDocument};
use crate::local::usage::UsageDocument;
use anyhow::{Context, Result, bail};
use serde::de::DeserializeOwned;

/// All that a frame shows.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct View {
    pub(super) status: Status,
    pub(super) neighbours: Vec<Neighbour>,
    pub(super) usage: Vec<UsageDocument>,
    pub(super) quality: Vec<StandingDocument>,
    pub(super) tests: Vec<TestDocument>,
    pub(super) decisions: Vec<DecisionDocument>,
}

impl View {
    /// Asks for all of it.
    pub(super) fn gather(connection: &mut Connection) -> Result<Self> {
        let status: Vec<Status> = ask(connection, "status")?;
        Ok(Self {
            status: status.into_iter().next().context("no status was said")?,
            neighbours: ask(connection, "neighbours")?,
            usage: ask(connection, "usage")?,
            quality: ask(connection, "quality")?,
            tests: ask(connection, "tests")?,
            decisions: ask(connection, "decisions")?,
        })
    }
}

fn ask<T: DeserializeOwned>(connection: &mut Connection, topic: &str) -> Result<Vec<T>> {
    let mut all = Vec::new();
    let end = connection.ask(&format!("json {topic}"), |line| {
        all.push(parse_json(line)?);
        Ok(())
    })?;
    if end != "ok" {
        bail!(
            "{} at {} does not know `json {topic}`: it is another babeld, or too old",
            connection.version(),
            connection.place()
        );
    }
    Ok(all)
}
