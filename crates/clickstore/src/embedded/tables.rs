//! The tables of the file, and every step that changes them inside a transaction.

use std::sync::Arc;

use jiff::Timestamp;
use postback_core::{
    AccountId, Click, ClickId, Result, UserId,
    ports::{Attribution, FindClicks},
};
use postback_redb_file::{Schema, Step};
use redb::{ReadTransaction, ReadableTable, Table, TableDefinition, TableError, WriteTransaction};

use crate::{attributions, finding, key, record};

type Definition<V> = TableDefinition<'static, &'static [u8], V>;

/// A click's name -> its record.
const CLICKS: Definition<&[u8]> = TableDefinition::new("clicks");
/// A user's id -> the list of clicks that brought it.
const USERS: Definition<&[u8]> = TableDefinition::new("users");
/// A place, a time of capture and a click's name: what is found by address and campaign.
const PLACES: Definition<()> = TableDefinition::new("places");
/// A time of end, a [`Kept`] and a key of its table: what is to be swept, in order.
const ENDS: Definition<()> = TableDefinition::new("ends");

/// The table in which something lies that ends.
#[derive(Clone, Copy)]
enum Kept {
    Click = 1,
    User = 2,
    Place = 3,
}

/// The tables open for writing in one transaction.
pub(super) struct Tables<'txn> {
    clicks: Table<'txn, &'static [u8], &'static [u8]>,
    users: Table<'txn, &'static [u8], &'static [u8]>,
    places: Table<'txn, &'static [u8], ()>,
    ends: Table<'txn, &'static [u8], ()>,
    changed: bool,
}

/// What lies in the file of clicks.
pub(super) struct Layout;

impl Schema for Layout {
    const NAME: &'static str = "clicks";
    const LAYOUT: u8 = 1;
    type Tables<'t> = Tables<'t>;

    fn open(transaction: &WriteTransaction) -> Result<Tables<'_>, TableError> {
        Ok(Tables {
            clicks: transaction.open_table(CLICKS)?,
            users: transaction.open_table(USERS)?,
            places: transaction.open_table(PLACES)?,
            ends: transaction.open_table(ENDS)?,
            changed: false,
        })
    }

    fn changed(tables: &Tables<'_>) -> bool {
        tables.changed
    }
}

/// The record of a click, whole with its user agent: a file has room for it.
fn record(click: &Click) -> Vec<u8> {
    record::encode(click, click.user_agent.as_deref().map(str::as_bytes))
}

/// The click of a record under the name of `account` and `id`.
///
/// # Errors
/// `Internal` for bytes that are no record.
pub(super) fn decode(account: &AccountId, id: &ClickId, record: &[u8]) -> Result<Click> {
    let (click, agent) = record::decode(account, id, record)?;
    let agent = agent.map(|agent| String::from_utf8(agent.to_vec()).map_err(|_| record::damaged()));
    Ok(Click { user_agent: agent.transpose()?, ..click })
}

/// The record of the click with this name.
pub(super) fn click(txn: &ReadTransaction, name: &[u8]) -> Step<Option<Vec<u8>>> {
    Ok(txn.open_table(CLICKS)?.get(name)?.map(|record| record.value().to_vec()))
}

/// The list of the clicks that brought `user`; empty where there is none.
pub(super) fn clicks_of(txn: &ReadTransaction, user: &UserId) -> Step<Vec<u8>> {
    let list = txn.open_table(USERS)?.get(user.as_str().as_bytes())?;
    Ok(list.map(|list| list.value().to_vec()).unwrap_or_default())
}

/// A click as it lies in the file.
pub(super) struct Stored {
    /// Its name.
    pub(super) name: Vec<u8>,
    /// Its record.
    pub(super) record: Vec<u8>,
}

/// The latest clicks of each place that is asked for, captured at `since` or after.
pub(super) fn find(txn: &ReadTransaction, find: &FindClicks, since: Timestamp) -> Step<Vec<Stored>> {
    let (places, clicks) = (txn.open_table(PLACES)?, txn.open_table(CLICKS)?);
    let mut found = Vec::new();
    for ip in &find.ip {
        let place = key::of_place(&find.campaign, ip);
        let first = [&place[..], &millis(since)].concat();
        let last = [&place[..], &[u8::MAX; 8]].concat();
        for entry in places.range(&first[..]..&last[..])?.rev().take(finding::limit(find)) {
            let name = entry?.0.value()[first.len()..].to_vec();
            if let Some(record) = clicks.get(&name[..])? {
                found.push(Stored { record: record.value().to_vec(), name });
            }
        }
    }
    Ok(found)
}

impl Tables<'_> {
    /// Nothing but a sign of life from the engine.
    pub(super) fn touch(&mut self) -> Step<()> {
        self.ends.first()?;
        Ok(())
    }

    /// Keeps `click` unless its like is there; returns the one that is kept.
    pub(super) fn capture(&mut self, click: &Arc<Click>, findable: bool, now: Timestamp) -> Step<Arc<Click>> {
        let kept = match self.stored(&click.click.account, &click.click.id)? {
            Some(old) if !old.click.is_expired(now) => Arc::new(old),
            _ if click.click.is_expired(now) => return Ok(Arc::clone(click)),
            old => {
                if let Some(old) = old {
                    self.remove_click(&old)?;
                }
                self.insert_click(click)?;
                Arc::clone(click)
            }
        };
        if let Some(ip) = finding::indexed(&kept, click, findable, now) {
            let row = place_row(&kept, &key::of_place(&kept.campaign, &ip.hash));
            if self.places.insert(&row[..], ())?.is_none() {
                self.ends.insert(&end_row(finding::end(&kept), Kept::Place, &row)[..], ())?;
                self.changed = true;
            }
        }
        Ok(kept)
    }

    /// Enters a click into the list of `user`.
    pub(super) fn attach(&mut self, user: &UserId, attribution: Attribution, now: Timestamp) -> Step<()> {
        let old = self.list_of(user)??;
        let old_end = attributions::end(&old);
        let Some(list) = attributions::attach(old, attribution, now) else { return Ok(()) };
        let name = user.as_str().as_bytes();
        self.ends.remove(&end_row(old_end, Kept::User, name)[..])?;
        self.ends.insert(&end_row(attributions::end(&list), Kept::User, name)[..], ())?;
        self.users.insert(name, &attributions::encode(&list)[..])?;
        self.changed = true;
        Ok(())
    }

    /// Removes a click from everywhere but users' lists; whether it lived. A damaged record is removed likewise.
    pub(super) fn erase_click(&mut self, account: &AccountId, id: &ClickId, now: Timestamp) -> Step<bool> {
        let name = key::of_click(account, id);
        let stored = self.clicks.get(&name[..])?.map(|record| decode(account, id, record.value()));
        match stored {
            Some(Ok(click)) => {
                self.remove_click(&click)?;
                Ok(!click.click.is_expired(now))
            }
            Some(Err(_)) => {
                self.clicks.remove(&name[..])?;
                self.changed = true;
                Ok(true)
            }
            None => Ok(false),
        }
    }

    /// Removes a user's list; whether any of it lived.
    pub(super) fn erase_user(&mut self, user: &UserId, now: Timestamp) -> Step<bool> {
        let list = self.list_of(user)?;
        let name = user.as_str().as_bytes();
        self.changed |= self.users.remove(name)?.is_some();
        let Ok(list) = list else { return Ok(true) };
        self.ends.remove(&end_row(attributions::end(&list), Kept::User, name)[..])?;
        Ok(!attributions::alive(list, now).is_empty())
    }

    /// Removes at most `most` things that have ended; how many it was.
    pub(super) fn sweep(&mut self, now: Timestamp, most: usize) -> Step<usize> {
        let mut ended = Vec::new();
        for row in self.ends.range::<&[u8]>(..&millis(now)[..])?.take(most) {
            ended.push(row?.0.value().to_vec());
        }
        for row in &ended {
            self.ends.remove(&row[..])?;
            let (kept, name) = (row[8], &row[9..]);
            if kept == Kept::Click as u8 {
                self.clicks.remove(name)?;
            } else if kept == Kept::User as u8 {
                self.users.remove(name)?;
            } else {
                self.places.remove(name)?;
            }
            self.changed = true;
        }
        Ok(ended.len())
    }

    fn stored(&self, account: &AccountId, id: &ClickId) -> Step<Option<Click>> {
        let record = self.clicks.get(&key::of_click(account, id)[..])?;
        Ok(record.map(|record| decode(account, id, record.value())).transpose()?)
    }

    /// The inner error: the list is damaged.
    fn list_of(&self, user: &UserId) -> Step<Result<Vec<Attribution>>> {
        let list = self.users.get(user.as_str().as_bytes())?;
        Ok(list.map_or(Ok(Vec::new()), |list| attributions::decode(list.value())))
    }

    fn insert_click(&mut self, click: &Click) -> Step<()> {
        let name = key::of_click(&click.click.account, &click.click.id);
        self.clicks.insert(&name[..], &record(click)[..])?;
        self.ends.insert(&end_row(click.click.expires_at(), Kept::Click, &name)[..], ())?;
        self.changed = true;
        Ok(())
    }

    fn remove_click(&mut self, click: &Click) -> Step<()> {
        let name = key::of_click(&click.click.account, &click.click.id);
        self.clicks.remove(&name[..])?;
        self.ends.remove(&end_row(click.click.expires_at(), Kept::Click, &name)[..])?;
        if let Some(ip) = &click.ip {
            let row = place_row(click, &key::of_place(&click.campaign, &ip.hash));
            self.places.remove(&row[..])?;
            self.ends.remove(&end_row(finding::end(click), Kept::Place, &row)[..])?;
        }
        self.changed = true;
        Ok(())
    }
}

/// A time as bytes that sort like it.
fn millis(time: Timestamp) -> [u8; 8] {
    u64::try_from(time.as_millisecond()).unwrap_or(0).to_be_bytes()
}

fn end_row(end: Timestamp, kept: Kept, name: &[u8]) -> Vec<u8> {
    [&millis(end)[..], &[kept as u8], name].concat()
}

fn place_row(click: &Click, place: &[u8]) -> Vec<u8> {
    [place, &millis(click.click.captured_at), &key::of_click(&click.click.account, &click.click.id)].concat()
}
