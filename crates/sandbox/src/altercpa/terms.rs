//! Money: what a call says about commissions, and what they come to.

use rust_decimal::Decimal;
use serde::Serialize;

use super::{
    asked::Asked,
    seed::{Goal, Offer},
};

/// What calls said about a lead's money; each field is the parameter of the same name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Terms {
    /// Payment for affiliate and advertiser.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wm: Option<Decimal>,
    /// The advertiser's payment alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pay: Option<Decimal>,
    /// The network's commission as an amount.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pd: Option<Decimal>,
    /// The network's commission in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pp: Option<Decimal>,
    /// The currency, three letters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cc: Option<String>,
}

/// What an approved lead brings and costs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Commission {
    /// What the affiliate gets.
    pub affiliate: Decimal,
    /// What the advertiser pays.
    pub advertiser: Decimal,
    /// In this currency.
    pub currency: String,
}

impl Terms {
    pub(super) fn read(asked: &mut Asked<'_>) -> Self {
        let terms = Self {
            wm: asked.decimal("wm"),
            pay: asked.decimal("pay"),
            pd: asked.decimal("pd"),
            pp: asked.decimal("pp"),
            cc: asked.letters("cc", 3),
        };
        if (terms.wm.is_some() || terms.pay.is_some()) && terms.cc.is_none() {
            asked.remark("a payment without `cc`: the offer's currency is taken");
        }
        terms
    }

    /// These terms where they say something, else `earlier`.
    pub(super) fn over(&self, earlier: Self) -> Self {
        let new = self.clone();
        Self {
            wm: new.wm.or(earlier.wm),
            pay: new.pay.or(earlier.pay),
            pd: new.pd.or(earlier.pd),
            pp: new.pp.or(earlier.pp),
            cc: new.cc.or(earlier.cc),
        }
    }

    /// The amount that a call reports.
    pub(super) fn value(&self) -> Option<String> {
        self.pay.or(self.wm).map(|amount| amount.to_string())
    }
}

impl Commission {
    /// What a lead of this offer and goal comes to on these terms.
    ///
    /// A positive cut is taken from the affiliate, a negative one is added to the advertiser's payment.
    pub(super) fn of(offer: &Offer, goal: Option<&Goal>, terms: &Terms) -> Self {
        let (wm, pay) = goal.map_or((offer.wm, offer.pay), |goal| (goal.wm, goal.pay));
        let affiliate = terms.wm.unwrap_or(wm);
        let advertiser = terms.pay.or(terms.wm).unwrap_or(pay);
        let percent =
            terms.pp.and_then(|pp| affiliate.checked_mul(pp)).unwrap_or_default() / Decimal::ONE_HUNDRED;
        let cut = terms.pd.unwrap_or_default().saturating_add(percent);
        let (taken, added) =
            if cut.is_sign_negative() { (Decimal::ZERO, -cut) } else { (cut, Decimal::ZERO) };
        Self {
            affiliate: affiliate.saturating_sub(taken).normalize(),
            advertiser: advertiser.saturating_add(added).normalize(),
            currency: terms.cc.clone().unwrap_or_else(|| offer.currency.clone()),
        }
    }
}
