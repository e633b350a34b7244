//! Values and contracts of postback: what a click, a conversion and a verdict are, and what an ad
//! network's adapter and a store must do.
//!
//! Nothing here touches the outside world: no socket, no environment, no log, no clock. Time, ids and
//! settings come in as arguments, so this crate cannot fail for outside reasons. The traits of
//! [`ports`] are where the outside is plugged in.

mod account;
mod adapter;
mod answer;
mod base_url;
mod click;
pub mod client;
mod conversion;
mod delivery;
mod error;
mod id;
mod key;
mod landing;
mod lane;
mod look_up;
mod money;
pub mod ports;
mod refusal;
pub mod schedule;
mod series;
mod token;
mod trace;

pub use account::{Account, Accounts};
pub use adapter::{Adapter, Call, NoClick, OnAmbiguous, Postback, Repeat, Verdict};
pub use answer::{by_status, redacted, retry_after};
pub use base_url::{BaseUrl, percent_encoded};
pub use click::{CLICK_LIFE, Click, ClickRef, Flags, IpNetwork, Utm, VisitorIp, is_life_over};
pub use conversion::{
    COMMENT, Change, Conversion, ConversionKey, Customer, Details, Fingerprint, Kind, Source, Status,
};
pub use delivery::{ANSWER_KEPT, Attempt, CODE_KEPT, Delivery, DeliveryState, Event, Outcome, Reason};
pub use error::{Error, ErrorKind, Result};
pub use id::{
    AccountId, Actor, CampaignId, ClickId, ConversionId, DeliveryId, FlowCode, FlowId, Goal, RequestId,
    TransactionId, UserId, quoted,
};
pub use key::{IpHash, Key, Keyring};
pub use landing::LandingQuery;
pub use lane::{LaneId, Shard};
pub use look_up::{Found, FoundClick, FoundFlow, FoundOffer, LookUp, LookUpSource};
pub use money::{Currency, Money};
pub use refusal::Refusal;
pub use series::{LatencyBin, Series, Tally};
pub use token::{AccountTag, ClickToken, TokenClaims};
pub use trace::TraceParent;
