//! From the configuration's words about prices to the extension and the policy.

use super::quality::{self, Quality};
use crate::config::Settings;
use crate::links::Links;
use babel_core::types::LinkId;
use babel_price_tlv::{Price, PriceExtension, SubTlvType, Unit};
use qos_ranker::QosPolicy;

/// What prices are to be read, added up and written as.
pub(super) fn extension(settings: &Settings, links: &Links) -> PriceExtension {
    let mut extension = PriceExtension::new();
    extension.set_enabled(settings.prices_on());
    extension.set_unit(unit(settings));
    if let Some(kind) = settings.price_sub_tlv.and_then(SubTlvType::new) {
        extension.set_sub_tlv(kind);
    }
    extension.set_fee(Price::saturating(settings.price.unwrap_or(0)));
    for view in links.views() {
        extension.set_link_fee(view.link, link_fee(settings, &view.name));
    }
    extension
}

/// How routes are chosen by what they cost and by what was measured.
pub(super) fn policy(settings: &Settings, quality: Option<&Quality>) -> QosPolicy {
    let mut policy = QosPolicy::new();
    policy.set_unit(unit(settings));
    policy.set_require_price(settings.require_price.unwrap_or(false));
    for max in &settings.max_price {
        policy.set_max_price(max.prefix, max.limit.map(Price::saturating));
    }
    quality::instruct(&mut policy, settings, quality);
    policy
}

/// Adds the fee of one interface.
pub(super) fn set_link_fee(
    extension: &mut PriceExtension,
    settings: &Settings,
    link: LinkId,
    name: &str,
) {
    extension.set_link_fee(link, link_fee(settings, name));
}

fn link_fee(settings: &Settings, name: &str) -> Option<Price> {
    settings
        .interface_options(name)
        .price
        .map(Price::saturating)
}

fn unit(settings: &Settings) -> Unit {
    Unit(settings.price_unit.unwrap_or(0))
}
