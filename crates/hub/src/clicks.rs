//! clicks
use crate::Hub;
use jiff::Timestamp;
use postback_core::{Click, Result};
/// How a caller names a click.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClickBy {
    /// By its token.
    Token(String),
    /// By the network's id.
    Network {
        /// The account at the network.
        account: String,
        /// The network's click id.
        click_id: String,
    },
}
/// Who is to be forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EraseSubject {
    /// A click: its record, and customer, user and network fields of its conversions.
    Click(ClickBy),
    /// A user: the attribution, and the same fields of the conversions attributed by it.
    User(String),
}
/// What was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Erased {
    /// Whether a click or an attribution was there.
    pub found: bool,
    /// How many conversions were touched.
    pub conversions: usize,
}
impl Hub {
    /// A click.
    pub async fn click(&self, _by: ClickBy) -> Result<Click> {
        todo!()
    }
    /// Attach.
    pub async fn attach_user(&self, _user: &str, _by: ClickBy) -> Result<Timestamp> {
        todo!()
    }
    /// Find.
    pub async fn find_clicks(
        &self,
        _ip: &str,
        _campaign: &str,
        _since: Option<Timestamp>,
        _limit: usize,
    ) -> Result<Vec<Click>> {
        todo!()
    }
    /// Erase.
    pub async fn erase(&self, _subject: EraseSubject) -> Result<Erased> {
        todo!()
    }
}
