//! The token: who may ask for what.

use super::{Altercpa, answer::Failure, asked::Asked, seed::number};

/// What a good token opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// A site's: everything of its offer.
    Offer(u64),
    /// The installation's: everything.
    Global,
}

impl Access {
    pub(super) fn covers(self, offer: u64) -> Result<(), Failure> {
        match self {
            Self::Offer(own) if own != offer => Err(Failure::auth("the token is of another offer's site")),
            _ => Ok(()),
        }
    }
}

impl Altercpa {
    /// Reads `token`.
    pub(super) fn access(&self, asked: &Asked<'_>) -> Result<Access, Failure> {
        let token = asked.given("token").ok_or_else(|| Failure::auth("the token is missing"))?;
        if token == self.seed.global_key.reveal() {
            return Ok(Access::Global);
        }
        let (id, key) = token.split_once('-').ok_or_else(|| Failure::auth("the token is no site's"))?;
        let id = number(id).ok_or_else(|| Failure::auth("the token has no site id"))?;
        for offer in &self.seed.offers {
            if let Some(site) = offer.sites.iter().find(|site| site.id == id) {
                return match site.keys.iter().any(|good| good.reveal() == key) {
                    true => Ok(Access::Offer(offer.id)),
                    false => Err(Failure::auth("the key is not the site's")),
                };
            }
        }
        Err(Failure::auth("the token's site is unknown"))
    }
}
