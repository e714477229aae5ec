//! Runs one test, whatever the server speaks.

use crate::budget::Budget;
use crate::contract::{Message, Outcome, Phase, Request};
use crate::plan::Plan;
use crate::progress::Progress;
use crate::rate::Estimator;
use crate::socket::Dialer;
use crate::url::Protocol;
use crate::why::Why;
use std::sync::Arc;
use std::time::Instant;

/// What every protocol needs of a test.
pub(crate) struct Test<'a> {
    pub(crate) request: &'a Request,
    pub(crate) dialer: Dialer,
    pub(crate) plan: Plan,
    pub(crate) budget: Arc<Budget>,
    pub(crate) progress: Progress<'a>,
}

/// One direction, measured.
#[derive(Debug)]
pub(crate) struct Flow {
    pub(crate) rates: Estimator,
    pub(crate) from: Instant,
    pub(crate) to: Instant,
    pub(crate) early: bool,
}

/// Runs the test and tells `tell` of its progress and, last, of its end: exactly one
/// [`Message::Done`] or [`Message::Failed`].
///
/// Blocks at most about as long as the request's time limit.
pub fn run(request: &Request, tell: &mut dyn FnMut(Message)) {
    let budget = Arc::new(Budget::new(request.bytes_limit));
    let plan = Plan::new(request);
    let begun = plan.begun();
    let mut test = Test {
        request,
        dialer: Dialer::new(request),
        plan,
        budget: budget.clone(),
        progress: Progress::new(&mut *tell, budget.clone(), begun),
    };
    let result = match request.url.protocol() {
        Protocol::Babel | Protocol::Babels(_) => crate::ours::client::run(&mut test),
        Protocol::Ndt7 | Protocol::Ndt7Clear => crate::ndt7::client::run(&mut test),
        Protocol::Iperf3 => crate::iperf3::run(&mut test),
    };
    tell(match result {
        Ok(outcome) => Message::Done(Outcome {
            bytes: budget.spent(),
            elapsed_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            ..outcome
        }),
        Err(why) => Message::Failed {
            why: why.to_string(),
            bytes: budget.spent(),
        },
    });
}

impl Flow {
    /// Puts the two directions into an outcome.
    pub(crate) fn outcome(down: &Self, up: &Self) -> Result<Outcome, Why> {
        let measured = |flow: &Self, phase: Phase| {
            flow.rates
                .estimate()
                .ok_or_else(|| Why::from("too little flowed to measure a rate").during(phase))
        };
        let (download, upload) = (
            measured(down, Phase::Download)?,
            measured(up, Phase::Upload)?,
        );
        Ok(Outcome {
            download_bps: Some(download.bps),
            upload_bps: Some(upload.bps),
            confidence: download.confidence.min(upload.confidence),
            early_stop: down.early && up.early,
            ..Outcome::default()
        })
    }
}
