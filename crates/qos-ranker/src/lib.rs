//! How a route is chosen: eligibility, band, rank, price, metric.
//!
//! [`QosPolicy`] judges the candidates that the engine shows it and can do no more than that:
//! whatever it prefers, only a finite and feasible route is ever used (RFC 8966 §3.6).
//!
//! With no price anywhere and no limit set, its order is exactly that of
//! [`babel_core::policy::BabelMetric`], which is stock babeld's.

#![warn(missing_docs)]

mod band;
mod by_prefix;
mod entry;
mod estimate;
mod goal;
mod history;
mod key;
mod limit;
mod measurement;
mod moment;
mod policy;
mod price_step;
mod ranker;
mod ranking;
mod ranks;
mod report;
mod ring;
mod schedule;
mod score;
mod standing;
mod state;

pub use band::Band;
pub use goal::{Goal, Goals, InvalidPrefer, Prefer};
pub use key::QosKey;
pub use limit::{MaxPrice, MaxPrices};
pub use measurement::{InvalidLoss, InvalidRate, Loss, Quality, Rate};
pub use policy::QosPolicy;
pub use price_step::{PriceScale, PriceStep};
pub use ranker::Ranker;
pub use ranks::Ranks;
pub use report::{Peer, Pinned, Report, Source};
pub use schedule::{Conclusion, PeerState, Plan, Refusal, Schedule, Start, TestCounts};
pub use score::{RankStep, Score};
pub use standing::{Standing, rank_among};
pub use state::{InvalidState, Restored};
