//! A disk in memory that is full on demand, and from which the power can be cut.

use std::{
    collections::BTreeSet,
    io,
    ops::{Bound, Range},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use redb::{BackendError, Database, StorageBackend};

const PAGE: usize = 4_096;

/// A disk with one file on it.
///
/// It fails as badly as a disk may: a write that fails wrote half, and what was to be synced by an fsync that fails is
/// taken for synced and never is, as Linux has it.
#[derive(Clone, Debug, Default)]
pub struct Disk(Arc<Mutex<Content>>);

#[derive(Debug, Default)]
struct Content {
    /// What is read.
    seen: Vec<u8>,
    /// What survives a power cut.
    durable: Vec<u8>,
    /// The pages that the next fsync makes durable.
    unsynced: BTreeSet<usize>,
    /// How many writes, resizes and fsyncs were asked for.
    asked: u64,
    /// Which of them fail.
    fails: Range<u64>,
    held: bool,
}

impl Disk {
    /// Opens the file; one at a time can have it open.
    ///
    /// # Errors
    /// Whatever the engine says.
    pub fn open(&self) -> Result<Database, redb::Error> {
        let handle = Handle { disk: self.clone(), holds: AtomicBool::default() };
        Ok(Database::builder().create_with_backend(handle)?)
    }

    /// Takes `changes` more writes, resizes and fsyncs, and then none.
    pub fn fill_after(&self, changes: u64) {
        let mut content = self.content();
        content.fails = content.asked + changes..u64::MAX;
    }

    /// Takes `changes` more writes, resizes and fsyncs, fails once, and takes all that follow.
    pub fn fail_once_after(&self, changes: u64) {
        let mut content = self.content();
        let place = content.asked + changes;
        content.fails = place..place + 1;
    }

    /// Takes everything again.
    pub fn make_room(&self) {
        self.content().fails = 0..0;
    }

    /// Forgets what was not synced, and takes nothing until there is room.
    pub fn cut_power(&self) {
        self.fill_after(0);
        let mut content = self.content();
        content.seen = content.durable.clone();
        content.unsynced.clear();
    }

    /// How many writes, resizes and fsyncs it was asked for.
    pub fn asked(&self) -> u64 {
        self.content().asked
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Content {
    fn change(&mut self) -> io::Result<()> {
        let fails = self.fails.contains(&self.asked);
        self.asked += 1;
        if fails { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn put(&mut self, at: usize, data: &[u8]) -> io::Result<()> {
        let end = at + data.len();
        self.seen.get_mut(at..end).ok_or(io::ErrorKind::UnexpectedEof)?.copy_from_slice(data);
        self.unsynced.extend(at / PAGE..end.div_ceil(PAGE));
        Ok(())
    }

    fn set_len(&mut self, length: usize) {
        self.unsynced.extend(self.seen.len() / PAGE..length.div_ceil(PAGE));
        self.seen.resize(length, 0);
    }

    fn sync(&mut self) {
        let Self { seen, durable, unsynced, .. } = self;
        durable.resize(seen.len(), 0);
        for page in std::mem::take(unsynced) {
            let bytes = (page * PAGE).min(seen.len())..((page + 1) * PAGE).min(seen.len());
            durable[bytes.clone()].copy_from_slice(&seen[bytes]);
        }
    }
}

/// The file, opened.
#[derive(Debug)]
struct Handle {
    disk: Disk,
    holds: AtomicBool,
}

impl StorageBackend for Handle {
    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.content().seen.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let (content, at) = (self.disk.content(), place(offset)?);
        out.copy_from_slice(content.seen.get(at..at + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut content = self.disk.content();
        content.change()?;
        content.set_len(place(len)?);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut content = self.disk.content();
        if let Err(error) = content.change() {
            content.unsynced.clear();
            return Err(error);
        }
        content.sync();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let (mut content, at) = (self.disk.content(), place(offset)?);
        if let Err(error) = content.change() {
            content.put(at, &data[..data.len() / 2])?;
            return Err(error);
        }
        content.put(at, data)
    }

    fn close(&self) -> io::Result<()> {
        if self.holds.swap(false, Ordering::AcqRel) {
            self.disk.content().held = false;
        }
        Ok(())
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        if (start, end) != (Bound::Unbounded, Bound::Unbounded) {
            return Err(BackendError::Unsupported);
        }
        let free = !std::mem::replace(&mut self.disk.content().held, true);
        if free {
            self.holds.store(true, Ordering::Release);
        }
        Ok(free)
    }
}

fn place(offset: u64) -> io::Result<usize> {
    usize::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput.into())
}
