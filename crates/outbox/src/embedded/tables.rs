//! The tables of the embedded engine, and the one place where a delivery is written with all that follows.

use jiff::Timestamp;
use postback_core::{
    AccountId, Conversion, ConversionId, Delivery, DeliveryId, DeliveryState, Error, Event, LaneId,
    ports::{Paused, Reservation},
};
use postback_proto::v1;
use postback_redb_file::{Failure, Schema, Step};
use prost::Message;
use redb::{ReadableTable, Table, TableDefinition, TableError, WriteTransaction};

use super::records::{self, Folder, Kept, KeyEntry, Lane};
use crate::rules::{self, Class};

/// The bytes of an id, a lane or a key.
pub(super) type Id = [u8; 16];
type Records = TableDefinition<'static, Id, &'static [u8]>;
/// Records in the order of their time, in milliseconds.
type Times = TableDefinition<'static, (i64, Id), ()>;
/// Records of something with an id.
type Pairs = TableDefinition<'static, (Id, Id), ()>;

pub(super) const CONVERSIONS: Records = TableDefinition::new("conversions");
pub(super) const FOLDERS: Records = TableDefinition::new("folders");
pub(super) const DELIVERIES: Records = TableDefinition::new("deliveries");
pub(super) const LANES: Records = TableDefinition::new("lanes");
pub(super) const KEYS: Records = TableDefinition::new("keys");
pub(super) const RESERVATIONS: Records = TableDefinition::new("reservations");
pub(super) const PAUSES: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("pauses");
/// (account, retry, due, lane)
pub(super) const SCHEDULE: TableDefinition<'_, (&str, bool, i64, Id), ()> = TableDefinition::new("schedule");
/// (account, conversion)
pub(super) const BY_ACCOUNT: TableDefinition<'_, (&str, Id), ()> =
    TableDefinition::new("conversions_by_account");
/// (lane, conversion)
pub(super) const BY_LANE: Pairs = TableDefinition::new("conversions_by_lane");
/// (user's key, conversion)
pub(super) const BY_USER: Pairs = TableDefinition::new("conversions_by_user");
/// (account, state, delivery)
pub(super) const BY_STATE: TableDefinition<'_, (&str, &str, Id), ()> =
    TableDefinition::new("deliveries_by_state");
/// (account, what) to how many; a state's word, or [`RECORDED`].
pub(super) const COUNTS: TableDefinition<'_, (&str, &str), u64> = TableDefinition::new("counts");
/// When deliveries changed.
pub(super) const CHANGES: Times = TableDefinition::new("changes");
/// When waiting deliveries expire, and when dead ones can no longer be replayed.
pub(super) const WAITING: Times = TableDefinition::new("waiting");
/// When conversions were settled.
pub(super) const SETTLED: Times = TableDefinition::new("settled");
/// When reservations end.
pub(super) const RESERVED: Times = TableDefinition::new("reserved");
/// The number of the last lease.
pub(super) const NUMBERS: TableDefinition<'_, &str, u64> = TableDefinition::new("numbers");

/// What is counted beside the states.
pub(super) const RECORDED: &str = "conversions";

/// All tables, open for one transaction.
pub(super) struct Tables<'t> {
    pub(super) conversions: Table<'t, Id, &'static [u8]>,
    pub(super) folders: Table<'t, Id, &'static [u8]>,
    pub(super) deliveries: Table<'t, Id, &'static [u8]>,
    pub(super) lanes: Table<'t, Id, &'static [u8]>,
    pub(super) keys: Table<'t, Id, &'static [u8]>,
    pub(super) reservations: Table<'t, Id, &'static [u8]>,
    pub(super) pauses: Table<'t, &'static str, &'static [u8]>,
    pub(super) schedule: Table<'t, (&'static str, bool, i64, Id), ()>,
    pub(super) by_account: Table<'t, (&'static str, Id), ()>,
    pub(super) by_lane: Table<'t, (Id, Id), ()>,
    pub(super) by_user: Table<'t, (Id, Id), ()>,
    by_state: Table<'t, (&'static str, &'static str, Id), ()>,
    counts: Table<'t, (&'static str, &'static str), u64>,
    pub(super) changes: Table<'t, (i64, Id), ()>,
    pub(super) waiting: Table<'t, (i64, Id), ()>,
    pub(super) settled: Table<'t, (i64, Id), ()>,
    pub(super) reserved: Table<'t, (i64, Id), ()>,
    numbers: Table<'t, &'static str, u64>,
}

/// What lies in the outbox's file.
pub(super) struct Layout;

impl Schema for Layout {
    const NAME: &'static str = "outbox";
    const LAYOUT: u8 = 1;
    type Tables<'t> = Tables<'t>;

    fn open(transaction: &WriteTransaction) -> Result<Tables<'_>, TableError> {
        Ok(Tables {
            conversions: transaction.open_table(CONVERSIONS)?,
            folders: transaction.open_table(FOLDERS)?,
            deliveries: transaction.open_table(DELIVERIES)?,
            lanes: transaction.open_table(LANES)?,
            keys: transaction.open_table(KEYS)?,
            reservations: transaction.open_table(RESERVATIONS)?,
            pauses: transaction.open_table(PAUSES)?,
            schedule: transaction.open_table(SCHEDULE)?,
            by_account: transaction.open_table(BY_ACCOUNT)?,
            by_lane: transaction.open_table(BY_LANE)?,
            by_user: transaction.open_table(BY_USER)?,
            by_state: transaction.open_table(BY_STATE)?,
            counts: transaction.open_table(COUNTS)?,
            changes: transaction.open_table(CHANGES)?,
            waiting: transaction.open_table(WAITING)?,
            settled: transaction.open_table(SETTLED)?,
            reserved: transaction.open_table(RESERVED)?,
            numbers: transaction.open_table(NUMBERS)?,
        })
    }

    fn changed(_: &Tables<'_>) -> bool {
        true
    }
}

impl Tables<'_> {
    pub(super) fn conversion(&self, id: ConversionId) -> Step<Option<Conversion>> {
        self.conversions.get(id.as_bytes())?.map(|bytes| records::conversion(bytes.value())).transpose()
    }

    pub(super) fn put_conversion(&mut self, conversion: &Conversion) -> Step<()> {
        let record = v1::Conversion::from(conversion).encode_to_vec();
        self.conversions.insert(conversion.id.as_bytes(), record.as_slice())?;
        Ok(())
    }

    pub(super) fn folder(&self, id: ConversionId) -> Step<Option<Folder>> {
        self.folders.get(id.as_bytes())?.map(|bytes| records::read(bytes.value())).transpose()
    }

    pub(super) fn put_folder(&mut self, id: ConversionId, folder: &Folder) -> Step<()> {
        self.folders.insert(id.as_bytes(), folder.encode_to_vec().as_slice())?;
        Ok(())
    }

    pub(super) fn kept(&self, id: DeliveryId) -> Step<Option<Kept>> {
        self.deliveries.get(id.as_bytes())?.map(|bytes| records::read(bytes.value())).transpose()
    }

    pub(super) fn delivery(&self, id: DeliveryId) -> Step<Option<Delivery>> {
        self.kept(id)?.map(Kept::delivery).transpose()
    }

    /// A delivery that another record names.
    pub(super) fn named(&self, id: DeliveryId) -> Step<Delivery> {
        let lost = || Failure::Broken(Error::internal(format!("delivery {id} is named and not there")));
        self.delivery(id)?.ok_or_else(lost)
    }

    pub(super) fn lane(&self, id: LaneId) -> Step<Option<Lane>> {
        self.lanes.get(id.as_bytes())?.map(|bytes| records::read(bytes.value())).transpose()
    }

    /// Writes a lane; one without a line is removed.
    pub(super) fn put_lane(&mut self, id: LaneId, lane: &Lane) -> Step<()> {
        if lane.len() == 0 {
            self.lanes.remove(id.as_bytes())?;
        } else {
            self.lanes.insert(id.as_bytes(), lane.encode_to_vec().as_slice())?;
        }
        Ok(())
    }

    pub(super) fn key(&self, key: &Id) -> Step<Option<KeyEntry>> {
        self.keys.get(key)?.map(|bytes| records::read(bytes.value())).transpose()
    }

    pub(super) fn put_key(&mut self, key: &Id, entry: &KeyEntry) -> Step<()> {
        self.keys.insert(key, entry.encode_to_vec().as_slice())?;
        Ok(())
    }

    pub(super) fn paused(&self, account: &AccountId) -> Step<Option<Paused>> {
        let Some(record) = self.pauses.get(account.as_str())? else { return Ok(None) };
        let paused = Paused::try_from(records::read::<v1::PauseRecord>(record.value())?);
        paused.map(Some).map_err(records::unreadable)
    }

    pub(super) fn reservation(&self, key: &Id) -> Step<Option<Reservation>> {
        self.reservations.get(key)?.map(|record| records::reservation(record.value())).transpose()
    }

    /// Moves a lane in the schedule; `None` takes it out.
    pub(super) fn schedule(&mut self, id: LaneId, lane: &mut Lane, place: Option<(i64, Class)>) -> Step<()> {
        if let Some(due) = lane.due.take() {
            self.schedule.remove((lane.account.as_str(), lane.retry, due, *id.as_bytes()))?;
        }
        if let Some((due, class)) = place {
            (lane.due, lane.retry) = (Some(due), class == Class::Retry);
            self.schedule.insert((lane.account.as_str(), lane.retry, due, *id.as_bytes()), ())?;
        }
        Ok(())
    }

    /// The number of a new lease: greater than all before.
    pub(super) fn next_lease(&mut self) -> Step<u64> {
        let next = self.numbers.get("lease")?.map_or(0, |last| last.value()) + 1;
        self.numbers.insert("lease", next)?;
        Ok(next)
    }

    pub(super) fn count(&mut self, account: &AccountId, what: &str, by: i64) -> Step<()> {
        let key = (account.as_str(), what);
        let now = self.counts.get(key)?.map_or(0, |count| count.value());
        self.counts.insert(key, now.saturating_add_signed(by))?;
        Ok(())
    }

    /// Writes a delivery as it now is, with everything that its state decides: the counts and the lists, the
    /// feed of changes, and whether its conversion is settled. `before` is what was there.
    pub(super) fn put(
        &mut self,
        before: Option<&Delivery>,
        after: &mut Delivery,
        now: Timestamp,
    ) -> Step<()> {
        let (ended, released) = self.kept(after.id)?.map_or((0, false), |kept| (kept.ended, kept.released));
        self.put_ended(before, after, now, ended, released)
    }

    /// The same, where a lease ended.
    pub(super) fn put_ended(
        &mut self,
        before: Option<&Delivery>,
        after: &mut Delivery,
        now: Timestamp,
        lease: u64,
        released: bool,
    ) -> Step<()> {
        if let Some(before) = before {
            self.leave(before)?;
        }
        after.updated_at = now;
        let (id, account) = (*after.id.as_bytes(), after.account.as_str());
        let record = Kept::new(after, lease, released).encode_to_vec();
        self.deliveries.insert(&id, record.as_slice())?;
        self.by_state.insert((account, after.state.as_str(), id), ())?;
        self.changes.insert((rules::millis(now), id), ())?;
        let may_be_replayed = after.state.is_settled() && rules::needs_customer(after, now);
        if after.state == DeliveryState::Waiting || may_be_replayed {
            self.waiting.insert((rules::millis(after.expires_at), id), ())?;
        }
        self.count(&after.account, after.state.as_str(), 1)?;
        self.tell(before, after, now)
    }

    /// Writes a delivery of which nothing that is counted or listed changed.
    pub(super) fn put_quietly(&mut self, delivery: &Delivery) -> Step<()> {
        let kept = self.kept(delivery.id)?.unwrap_or_default();
        let record = Kept::new(delivery, kept.ended, kept.released).encode_to_vec();
        self.deliveries.insert(delivery.id.as_bytes(), record.as_slice())?;
        Ok(())
    }

    /// Takes a delivery out of every list that its state put it in.
    pub(super) fn leave(&mut self, delivery: &Delivery) -> Step<()> {
        let id = *delivery.id.as_bytes();
        self.by_state.remove((delivery.account.as_str(), delivery.state.as_str(), id))?;
        self.changes.remove((rules::millis(delivery.updated_at), id))?;
        self.waiting.remove((rules::millis(delivery.expires_at), id))?;
        self.count(&delivery.account, delivery.state.as_str(), -1)
    }

    /// Keeps a conversion's folder: what is told of it, and whether all of it is settled.
    fn tell(&mut self, before: Option<&Delivery>, after: &Delivery, now: Timestamp) -> Step<()> {
        let id = after.conversion;
        let mut folder = self.folder(id)?.unwrap_or_default();
        match (before, &after.event) {
            (Some(_), _) => {}
            (None, Event::Created) => folder.push_lead(after.id),
            (None, Event::Changed(_)) => folder.push(after.id),
        }
        let open = |delivery: &Delivery| u32::from(!delivery.state.is_settled());
        folder.open = (folder.open + open(after)).saturating_sub(before.map_or(0, open));
        if let Some(settled) = folder.settled.take() {
            self.settled.remove((settled, *id.as_bytes()))?;
        }
        if folder.open == 0 {
            let settled = rules::millis(now);
            folder.settled = Some(settled);
            self.settled.insert((settled, *id.as_bytes()), ())?;
        }
        self.put_folder(id, &folder)?;
        if folder.open == 0 { self.forget_customer(id, now) } else { Ok(()) }
    }

    /// Forgets a conversion's customer, unless something that was told of it still needs one.
    pub(super) fn forget_customer(&mut self, id: ConversionId, now: Timestamp) -> Step<()> {
        let Some(mut conversion) = self.conversion(id)? else { return Ok(()) };
        if conversion.details.customer.is_anonymous() {
            return Ok(());
        }
        for told in self.folder(id)?.unwrap_or_default().told() {
            match self.delivery(told) {
                Ok(Some(told)) if !rules::needs_customer(&told, now) => {}
                Ok(_) | Err(Failure::Broken(_)) => return Ok(()),
                Err(failure) => return Err(failure),
            }
        }
        conversion.details.customer.erase();
        self.put_conversion(&conversion)
    }
}
