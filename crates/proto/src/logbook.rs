//! Operators' actions, between the contract and the core.

use postback_core::{
    Error, Result,
    ports::{Action, Deed, Resolution},
};

use crate::{
    v1,
    value::{count, parsed, text, time_of, timestamp},
};

impl From<Deed> for v1::Deed {
    fn from(deed: Deed) -> Self {
        match deed {
            Deed::Replay => Self::Replay,
            Deed::Resolve(Resolution::Delivered) => Self::ResolveDelivered,
            Deed::Resolve(Resolution::Resend) => Self::ResolveResend,
            Deed::Pause => Self::Pause,
            Deed::Resume => Self::Resume,
            Deed::Erase => Self::Erase,
        }
    }
}

fn deed_from(deed: i32) -> Result<Deed> {
    match v1::Deed::try_from(deed) {
        Ok(v1::Deed::Replay) => Ok(Deed::Replay),
        Ok(v1::Deed::ResolveDelivered) => Ok(Deed::Resolve(Resolution::Delivered)),
        Ok(v1::Deed::ResolveResend) => Ok(Deed::Resolve(Resolution::Resend)),
        Ok(v1::Deed::Pause) => Ok(Deed::Pause),
        Ok(v1::Deed::Resume) => Ok(Deed::Resume),
        Ok(v1::Deed::Erase) => Ok(Deed::Erase),
        Ok(v1::Deed::Unspecified) | Err(_) => {
            Err(Error::invalid("deed", format!("`{deed}` is not what an operator does")))
        }
    }
}

impl From<&Action> for v1::Action {
    fn from(action: &Action) -> Self {
        Self {
            action_id: uuid::Uuid::from_bytes(action.id).to_string(),
            create_time: Some(timestamp(action.at)),
            actor: action.actor.to_string(),
            deed: v1::Deed::from(action.deed).into(),
            account: text(action.account.as_ref()),
            target: action.target.clone(),
            count: count(action.count),
            reason: action.reason.clone(),
        }
    }
}

impl TryFrom<v1::Action> for Action {
    type Error = Error;
    fn try_from(action: v1::Action) -> Result<Self> {
        let id = uuid::Uuid::try_parse(&action.action_id);
        Ok(Self {
            id: id.map_err(|_| Error::invalid("action_id", "is not a UUID"))?.into_bytes(),
            at: time_of("create_time", action.create_time.as_ref())?,
            actor: action.actor.parse()?,
            deed: deed_from(action.deed)?,
            account: parsed("account", &action.account)?,
            target: action.target,
            count: u64::try_from(action.count).unwrap_or_default(),
            reason: action.reason,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_survives_its_record() {
        let deeds = [Deed::Replay, Deed::Pause, Deed::Resume, Deed::Erase];
        let resolutions = [Resolution::Delivered, Resolution::Resend].map(Deed::Resolve);
        for deed in deeds.into_iter().chain(resolutions) {
            let action = Action {
                id: [7; 16],
                at: "2026-03-04T05:06:07Z".parse().unwrap(),
                actor: "night shift".parse().unwrap(),
                deed,
                account: Some("powerspace".parse().unwrap()),
                target: "all that are dead".into(),
                count: 36,
                reason: "a new contract".into(),
            };
            assert_eq!(Action::try_from(v1::Action::from(&action)).unwrap(), action);
        }
        assert!(Action::try_from(v1::Action::default()).is_err());
    }
}
