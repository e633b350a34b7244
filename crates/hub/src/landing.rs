//! The landing template
use postback_core::{CampaignId, ClickId, ClickToken, LandingQuery, Result};
/// What a template is filled with.
#[derive(Clone, Copy, Debug)]
pub struct Filling<'a> {
    /// The click's token.
    pub token: Option<&'a ClickToken>,
    /// The network's click id.
    pub click: Option<&'a ClickId>,
    /// The campaign.
    pub campaign: &'a CampaignId,
    /// The landing query.
    pub query: LandingQuery<'a>,
    /// Country.
    pub country: Option<&'a str>,
    /// Device.
    pub device: Option<&'a str>,
}
/// A landing URL with macros.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LandingTemplate {}
impl LandingTemplate {
    /// Parses a template.
    pub fn parse(_template: &str) -> Result<Self> {
        todo!()
    }
    /// Fills it.
    pub fn fill(&self, _with: &Filling<'_>) -> String {
        todo!()
    }
}
