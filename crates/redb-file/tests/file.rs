//! A file whose disk fails: what was acknowledged stays, what fails is said, and no restart is needed.

// Helpers of tests fail as tests do.
#![allow(clippy::unwrap_used)]

use std::{
    sync::{Arc, mpsc},
    time::Duration,
};

use postback_core::{Error, ErrorKind, Result};
use postback_redb_file::{Failure, RedbFile, Schema, testing::Disk};
use redb::{Database, ReadableTable, Table, TableDefinition, TableError, WriteTransaction};
use tempfile::{TempDir, tempdir};

const BLOBS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("blobs");
/// So large that a few make the file grow.
static BLOB: [u8; 150_000] = [7; 150_000];

/// A store of blobs by number.
struct Blobs;

struct Tables<'t> {
    blobs: Table<'t, u64, &'static [u8]>,
    changed: bool,
}

impl Schema for Blobs {
    const NAME: &'static str = "blobs";
    const LAYOUT: u8 = 1;
    type Tables<'t> = Tables<'t>;

    fn open(transaction: &WriteTransaction) -> Result<Tables<'_>, TableError> {
        Ok(Tables { blobs: transaction.open_table(BLOBS)?, changed: false })
    }

    fn changed(tables: &Tables<'_>) -> bool {
        tables.changed
    }
}

/// Blobs as a later version keeps them.
struct Later;

impl Schema for Later {
    const NAME: &'static str = "blobs";
    const LAYOUT: u8 = 2;
    type Tables<'t> = Tables<'t>;

    fn open(transaction: &WriteTransaction) -> Result<Tables<'_>, TableError> {
        Blobs::open(transaction)
    }

    fn changed(tables: &Tables<'_>) -> bool {
        tables.changed
    }
}

type File = RedbFile<Blobs>;

/// Opened again at the next use, however often that fails.
fn open(disk: &Disk) -> File {
    open_waiting(disk, Duration::ZERO)
}

fn open_waiting(disk: &Disk, wait: Duration) -> File {
    let disk = disk.clone();
    RedbFile::over(move || disk.open(), wait).unwrap()
}

async fn put(file: &File, number: u64) -> Result<()> {
    let step = move |tables: &mut Tables<'_>| {
        tables.blobs.insert(number, &BLOB[..])?;
        tables.changed = true;
        Ok(())
    };
    file.make(step).await
}

async fn numbers(file: &File) -> Result<Vec<u64>> {
    let read = |transaction: &redb::ReadTransaction| {
        let mut numbers = Vec::new();
        for entry in transaction.open_table(BLOBS)?.iter()? {
            let (number, blob) = entry?;
            assert_eq!(blob.value(), BLOB);
            numbers.push(number.value());
        }
        Ok(numbers)
    };
    file.read(read).await
}

fn is_full(error: &Error) -> bool {
    (error.kind(), error.reason()) == (ErrorKind::ResourceExhausted, "STORE_FULL")
}

/// Lets the disk fail after `changes` changes, in the midst of some steps; whether any step failed.
async fn survives(fail: impl Fn(&Disk, u64), changes: u64) -> bool {
    let disk = Disk::default();
    let file = open(&disk);
    put(&file, 0).await.unwrap();
    let mut acknowledged = vec![0];
    fail(&disk, changes);
    let mut failed = false;
    for number in 1..6 {
        match put(&file, number).await {
            Ok(()) => acknowledged.push(number),
            Err(error) => {
                assert!(is_full(&error), "{error}");
                failed = true;
            }
        }
    }
    disk.make_room();
    put(&file, 6).await.unwrap();
    acknowledged.push(6);
    let there = |found: Vec<u64>| acknowledged.iter().all(|number| found.contains(number));
    assert!(there(numbers(&file).await.unwrap()), "lost at change {changes}");

    disk.cut_power();
    drop(file);
    disk.make_room();
    assert!(there(numbers(&open(&disk)).await.unwrap()), "lost at the power cut after change {changes}");
    failed
}

#[tokio::test]
async fn whatever_the_disk_has_no_room_for_nothing_acknowledged_is_lost() {
    let mut changes = 0;
    while survives(Disk::fill_after, changes).await {
        changes += 1;
    }
    assert!(changes > 20, "five steps are more than {changes} changes");
}

#[tokio::test]
async fn whatever_the_disk_fails_at_once_nothing_acknowledged_is_lost() {
    let mut changes = 0;
    while survives(Disk::fail_once_after, changes).await {
        changes += 1;
    }
    assert!(changes > 20, "five steps are more than {changes} changes");
}

#[tokio::test]
async fn nothing_is_acknowledged_while_the_disk_is_full() {
    let disk = Disk::default();
    let file = open(&disk);
    disk.fill_after(0);
    for number in 0..10 {
        assert!(is_full(&put(&file, number).await.unwrap_err()));
        assert_eq!(numbers(&file).await.unwrap_err().kind(), ErrorKind::Unavailable);
    }
    disk.make_room();
    assert_eq!(numbers(&file).await.unwrap(), []);
}

#[tokio::test]
async fn a_disk_that_fails_is_not_asked_again_before_its_time() {
    let disk = Disk::default();
    let file = open_waiting(&disk, Duration::from_secs(3_600));
    disk.fill_after(0);
    assert!(is_full(&put(&file, 0).await.unwrap_err()));
    let asked = disk.asked();
    for number in 1..100 {
        assert!(is_full(&put(&file, number).await.unwrap_err()));
        assert_eq!(numbers(&file).await.unwrap_err().kind(), ErrorKind::Unavailable);
    }
    assert_eq!(disk.asked(), asked);
}

#[tokio::test]
async fn a_file_that_is_open_again_is_read_while_its_writes_wait() {
    let disk = Disk::default();
    let file = open_waiting(&disk, Duration::from_secs(3_600));
    put(&file, 0).await.unwrap();
    disk.fail_once_after(0);
    assert!(is_full(&put(&file, 1).await.unwrap_err()));
    assert_eq!(numbers(&file).await.unwrap(), [0]);
    let asked = disk.asked();
    assert!(is_full(&put(&file, 2).await.unwrap_err()));
    assert_eq!(disk.asked(), asked);
}

#[tokio::test]
async fn a_read_under_way_ends_in_good_order_before_the_file_is_opened_again() {
    let disk = Disk::default();
    let file = Arc::new(open(&disk));
    put(&file, 0).await.unwrap();
    let (began, begun) = tokio::sync::oneshot::channel();
    let (go, until) = mpsc::channel::<()>();
    let reading = Arc::clone(&file);
    let reader = tokio::spawn(async move {
        let read = move |transaction: &redb::ReadTransaction| {
            let blobs = transaction.open_table(BLOBS)?;
            began.send(()).unwrap();
            let _ = until.recv();
            Ok(blobs.get(0)?.is_some_and(|blob| blob.value() == BLOB))
        };
        reading.read(read).await
    });
    begun.await.unwrap();
    disk.fail_once_after(0);
    let writing = Arc::clone(&file);
    let step = tokio::spawn(async move { put(&writing, 1).await });
    drop(go);
    assert!(is_full(&step.await.unwrap().unwrap_err()));
    let read = reader.await.unwrap();
    assert!(read.unwrap_or_else(|error| error.kind() == ErrorKind::Unavailable));
    put(&file, 2).await.unwrap();
    assert_eq!(numbers(&file).await.unwrap(), [0, 2]);
}

#[tokio::test]
async fn a_step_that_changes_nothing_asks_nothing_of_the_disk() {
    let disk = Disk::default();
    let file = open(&disk);
    let asked = disk.asked();
    file.make(|tables: &mut Tables<'_>| Ok(tables.blobs.first()?.is_none())).await.unwrap();
    assert_eq!(disk.asked(), asked);
}

/// What a step does; the first one holds the thread until all others are queued behind it.
enum Kind {
    Holds(mpsc::Receiver<()>),
    Puts,
    Refuses,
    Breaks,
}

async fn make(file: &File, number: u64, kind: Kind) -> Result<()> {
    let step = move |tables: &mut Tables<'_>| {
        match &kind {
            Kind::Refuses => return Err(Error::not_found("NOTHING", "it refuses").into()),
            // It runs again after another one broke, and then nobody holds it.
            Kind::Holds(until) => {
                let _ = until.recv();
            }
            Kind::Puts | Kind::Breaks => {}
        }
        tables.blobs.insert(number, &BLOB[..])?;
        tables.changed = true;
        match kind {
            Kind::Breaks => Err(Failure::Broken(Error::internal("it breaks"))),
            _ => Ok(()),
        }
    };
    file.make(step).await
}

#[tokio::test]
async fn a_step_that_panics_fails_and_the_next_ones_are_made() {
    let file = open(&Disk::default());
    put(&file, 1).await.unwrap();
    let panics = file.make(|tables: &mut Tables<'_>| -> Result<(), Failure> {
        tables.blobs.insert(2, &BLOB[..])?;
        panic!("a defect");
    });
    assert_eq!(panics.await.unwrap_err().kind(), ErrorKind::Unavailable);
    put(&file, 3).await.unwrap();
    assert_eq!(numbers(&file).await.unwrap(), [1, 3]);
}

#[tokio::test]
async fn a_step_that_breaks_leaves_nothing_and_harms_none_of_the_others() {
    let file = open(&Disk::default());
    let (go, hold) = mpsc::channel();
    let steps = [Kind::Holds(hold), Kind::Puts, Kind::Refuses, Kind::Breaks, Kind::Puts, Kind::Breaks];
    let mut made: Vec<_> =
        (0..).zip(steps).map(|(number, kind)| Box::pin(make(&file, number, kind))).collect();
    for step in &mut made {
        // One poll queues it.
        assert!(tokio::time::timeout(Duration::ZERO, step.as_mut()).await.is_err());
    }
    drop(go);
    let mut kinds = Vec::new();
    for step in made {
        kinds.push(step.await.err().map(|error| error.kind()));
    }
    let (refused, broken) = (Some(ErrorKind::NotFound), Some(ErrorKind::Internal));
    assert_eq!(kinds, [None, None, refused, broken, None, broken]);
    assert_eq!(numbers(&file).await.unwrap(), [0, 1, 4]);
}

fn refused<S: Schema>(dir: &TempDir) {
    let error = RedbFile::<S>::open(dir.path(), 1 << 20).err().unwrap();
    assert_eq!((error.kind(), error.reason()), (ErrorKind::FailedPrecondition, "STORE_FORMAT"), "{error}");
}

#[tokio::test]
async fn a_file_whose_records_lie_otherwise_is_refused_and_left_as_it_is() {
    let open = |dir: &TempDir| File::open(dir.path(), 1 << 20).unwrap();
    let (dir, unnamed, later) = (tempdir().unwrap(), tempdir().unwrap(), tempdir().unwrap());
    put(&open(&dir), 1).await.unwrap();
    let database = Database::create(unnamed.path().join("blobs.redb")).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(BLOBS).unwrap().insert(1, &BLOB[..]).unwrap();
    transaction.commit().unwrap();
    drop(database);
    for dir in [&dir, &unnamed] {
        refused::<Later>(dir);
        assert_eq!(numbers(&open(dir)).await.unwrap(), [1]);
        refused::<Later>(dir);
    }
    for _ in ["begun", "again"] {
        drop(RedbFile::<Later>::open(later.path(), 1 << 20).unwrap());
    }
    refused::<Blobs>(&later);
}
