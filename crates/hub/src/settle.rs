//! What a request was settled on when it was first seen: the same id and the same click for every repeat.

use jiff::Timestamp;
use postback_core::{
    ClickRef, Conversion, ConversionId, Error, ErrorKind, Fingerprint, Goal, Kind, LaneId, Result,
    TransactionId,
    ports::{RequestKey, Reservation},
};
use uuid::Uuid;

use crate::{Hub, SourceBy, identity, source::Resolved};

/// What a conversion is settled on.
#[derive(Clone, Debug)]
pub(crate) struct Settled {
    pub(crate) resolved: Resolved,
    pub(crate) uuid: Uuid,
    /// When the request was first seen.
    pub(crate) at: Timestamp,
}

impl Settled {
    pub(crate) fn lane(&self, transaction: Option<&TransactionId>) -> LaneId {
        identity::lane(&self.resolved.account, &self.resolved.source, transaction, self.uuid)
    }

    pub(crate) fn id(&self, transaction: Option<&TransactionId>) -> ConversionId {
        ConversionId::new(self.uuid, self.lane(transaction).shard())
    }

    fn reservation(&self, id: ConversionId, fingerprint: Fingerprint) -> Reservation {
        Reservation { fingerprint, id: *id.as_bytes(), at: self.at, click: self.attributed() }
    }

    /// The click, where it was chosen for a user and may be another one the next time.
    fn attributed(&self) -> Option<ClickRef> {
        self.resolved.user.as_ref().and(self.resolved.click())
    }
}

/// A caller's own key of a conversion at its network. The network takes whatever comes under it for a repeat, so that it
/// is one conversion's alone.
pub(crate) struct OwnKey {
    field: String,
    key: RequestKey,
    holder: Reservation,
}

impl OwnKey {
    /// The key that stands in a field of a conversion. A repeat of the conversion holds it likewise: it has the same
    /// transaction id, or the same request id and so the same id, or else says the same.
    pub(crate) fn of(conversion: &Conversion, field: &str, said: Fingerprint) -> Self {
        let value = conversion.details.fields.get(field).map_or("", String::as_str);
        let source = LaneId::of(&conversion.account, &conversion.source, "").to_string();
        let fingerprint = match (conversion.key(), &conversion.request_id) {
            (Some(key), _) => Fingerprint::from_bytes(*key.as_bytes()),
            (None, Some(_)) => Fingerprint::from_bytes(*conversion.id.as_bytes()),
            (None, None) => said,
        };
        Self {
            field: format!("details.fields[{field}]"),
            key: RequestKey::of(&["own key", &source, value]),
            holder: Reservation {
                fingerprint,
                id: *conversion.id.as_bytes(),
                at: conversion.recorded_at,
                click: None,
            },
        }
    }
}

/// What becomes of a request of which nothing was settled before.
#[derive(Clone, Copy)]
pub(crate) enum Unsettled {
    /// It is settled on what is said now.
    Reserve,
    /// It stays unsettled: a report that is refused before it is settled leaves nothing.
    Leave,
}

impl Hub {
    /// The first word under `key`; `mine` where there was none.
    ///
    /// # Errors
    /// `AlreadyExists` at `request_id` where that word was another one.
    pub(crate) async fn first_word(
        &self,
        key: RequestKey,
        mine: Reservation,
        unsettled: Unsettled,
    ) -> Result<Reservation> {
        let fingerprint = mine.fingerprint;
        let kept = match unsettled {
            Unsettled::Reserve => self.inner.outbox.reserve(key, mine).await?,
            Unsettled::Leave => self.inner.outbox.reserved(key).await?.unwrap_or(mine),
        };
        if kept.fingerprint == fingerprint { Ok(kept) } else { Err(Error::conflict("request_id")) }
    }

    /// Takes a key for a conversion. Whoever took it first holds it, be it a report that is refused thereafter: whether
    /// that one is still on its way nobody knows.
    ///
    /// # Errors
    /// `AlreadyExists` at the field where it is another conversion's.
    pub(crate) async fn take_key(&self, OwnKey { field, key, holder }: OwnKey) -> Result<()> {
        let fingerprint = holder.fingerprint;
        let kept = self.inner.outbox.reserve(key, holder).await?;
        if kept.fingerprint == fingerprint {
            return Ok(());
        }
        let message = "is the key of another conversion of this source, or of a report that was refused; the network \
                       would take this one for a repeat of that; want another key";
        Err(Error::new(ErrorKind::AlreadyExists, "NETWORK_KEY_TAKEN", message).at(field))
    }

    /// Settles a request on the first word under `key`.
    ///
    /// # Errors
    /// As [`Hub::first_word`].
    pub(crate) async fn settle(
        &self,
        key: RequestKey,
        fingerprint: Fingerprint,
        mine: Settled,
        transaction: Option<&TransactionId>,
        unsettled: Unsettled,
    ) -> Result<Settled> {
        let reservation = mine.reservation(mine.id(transaction), fingerprint);
        let kept = self.first_word(key, reservation, unsettled).await?;
        let resolved = match kept.click {
            Some(click) => self.settled_on(click, mine.resolved).await,
            None => mine.resolved,
        };
        Ok(Settled { resolved, uuid: Uuid::from_bytes(kept.id), at: kept.at })
    }

    /// Settles which of a user's clicks a transaction belongs to: the first word on the transaction holds, be it
    /// the conversion or a change of it, whatever clicks come later.
    pub(crate) async fn settle_attribution(
        &self,
        by: &SourceBy,
        (kind, goal, transaction): (Kind, Option<&Goal>, &TransactionId),
        mine: Settled,
        unsettled: Unsettled,
    ) -> Result<Settled> {
        let SourceBy::User { user, account, .. } = by else { return Ok(mine) };
        let account = account.as_ref().map_or("", |account| account.as_str());
        let goal = goal.filter(|_| kind == Kind::Goal).map_or("", Goal::as_str);
        let parts = ["attribution", user.as_str(), account, kind.as_str(), goal, transaction.as_str()];
        let (key, fingerprint) = (RequestKey::of(&parts), Fingerprint::of(&parts));
        self.settle(key, fingerprint, mine, Some(transaction), unsettled).await
    }
}
