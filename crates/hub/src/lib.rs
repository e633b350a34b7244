//! The use cases over the ports: capture a click, record a conversion, change a status, resolve a delivery.
//!
//! Whoever brings a click or a conversion (the edge, gRPC, an import) goes through [`Hub`]. It knows networks
//! only through [`postback_core::Adapter`] and stores only through [`postback_core::ports`].

mod bot;
mod buffer;
mod bulk;
mod capture;
mod change;
mod clicks;
mod clock;
mod counts;
mod deliveries;
mod fingerprint;
mod history;
mod hub;
mod identity;
mod journal;
mod landing;
mod leaps;
mod limits;
mod meters;
mod network;
mod place;
mod promise;
mod record;
mod refused;
mod registry;
mod render;
mod settle;
mod sight;
mod source;
mod tail;
mod trail;
mod upkeep;
mod visit;
mod watch;

pub use bot::is_bot;
pub use bulk::{Decided, Selection};
pub use change::{ChangeReport, ChangeTarget, RecordedChange};
pub use clicks::{ClickBy, ClicksOf, EraseSubject, Erased};
pub use clock::SystemClock;
pub use counts::CampaignStanding;
pub use deliveries::AccountStanding;
pub use history::{AccountCounts, CampaignCounts, Period};
pub use hub::{Hub, Parts, Settings};
pub use landing::{Filling, LandingTemplate};
pub use place::{page_token, place_of};
pub use record::{RecordedConversion, Report};
pub use registry::{Campaign, Registry};
pub use render::Rendered;
pub use sight::{Sight, before};
pub use source::{Pick, SourceBy};
pub use visit::{Captured, Landing, Visit};
