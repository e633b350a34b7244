//! The pace at which requests go out, and the account of their answers.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use tokio::{
    sync::Semaphore,
    task::{JoinSet, yield_now},
    time::sleep_until,
};

use super::{Options, Report};
use crate::cpu;

/// What all who send share.
pub(super) struct Meter {
    options: Options,
    /// Until when requests go out.
    open: Cell<bool>,
    /// Whether answers count.
    counting: Cell<bool>,
    sent: Cell<u64>,
    /// With a rate: what is due and not taken up yet.
    due: Semaphore,
    began: Cell<Instant>,
    /// How long each answer that counts took, in nanoseconds.
    took: RefCell<Vec<u64>>,
    spent: RefCell<Option<Spent>>,
}

/// What the window cost.
struct Spent {
    time: Duration,
    watched: Vec<Duration>,
    own: Duration,
}

/// A request to be sent.
pub(super) struct Turn {
    /// Its number.
    pub(super) number: u64,
    /// From when its answer is waited for.
    pub(super) due: Instant,
}

impl Meter {
    pub(super) fn new(options: &Options) -> Rc<Self> {
        Rc::new(Self {
            options: options.clone(),
            open: Cell::new(true),
            counting: Cell::new(false),
            sent: Cell::new(0),
            due: Semaphore::new(0),
            began: Cell::new(Instant::now()),
            took: RefCell::default(),
            spent: RefCell::default(),
        })
    }

    /// The next request, once it is due; none where enough were sent.
    pub(super) async fn next(&self) -> Option<Turn> {
        if self.options.rate.is_some() {
            // It is closed when nothing is due any more.
            self.due.acquire().await.ok()?.forget();
        }
        let number = self.sent.get();
        if !self.open.get() || number >= self.options.count {
            return None;
        }
        self.sent.set(number + 1);
        let due = match self.options.rate {
            Some(rate) => self.began.get() + Duration::from_secs_f64(number as f64 / rate),
            None => Instant::now(),
        };
        Some(Turn { number: self.options.first + number, due })
    }

    /// A request was answered as it should be.
    pub(super) fn answered(&self, turn: &Turn) {
        if self.counting.get() {
            let took = u64::try_from(turn.due.elapsed().as_nanos()).unwrap_or(u64::MAX);
            self.took.borrow_mut().push(took);
        }
    }

    /// Lets all who send do so, from now on until the time is over or all is sent.
    pub(super) async fn run(self: &Rc<Self>, mut senders: JoinSet<anyhow::Result<()>>) -> anyhow::Result<()> {
        self.began.set(Instant::now());
        if let Some(rate) = self.options.rate {
            let meter = Rc::clone(self);
            senders.spawn_local(async move {
                meter.keep_pace(rate).await;
                Ok(())
            });
        }
        let window = tokio::task::spawn_local(Rc::clone(self).window());
        while let Some(sender) = senders.join_next().await {
            sender??;
        }
        if self.options.measured.is_none() {
            self.open.set(false);
        }
        window.await?
    }

    /// Says what is due, the moment it is: a timer would be up to a millisecond late.
    async fn keep_pace(&self, rate: f64) {
        let (began, mut said) = (self.began.get(), 0);
        while self.open.get() {
            let due = (began.elapsed().as_secs_f64() * rate) as usize + 1;
            self.due.add_permits(due - said);
            said = due;
            yield_now().await;
        }
        self.due.close();
    }

    /// Counts from the end of the warm-up on.
    async fn window(self: Rc<Self>) -> anyhow::Result<()> {
        let from = Instant::now() + Duration::from_millis(self.options.warm_up);
        sleep_until(from.into()).await;
        let (began, before) = (Instant::now(), self.cpu()?);
        self.counting.set(true);
        match self.options.measured {
            Some(millis) => sleep_until((began + Duration::from_millis(millis)).into()).await,
            None => {
                while self.open.get() {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
        }
        self.counting.set(false);
        let (time, after) = (began.elapsed(), self.cpu()?);
        self.open.set(false);
        let mut spent = after.iter().zip(before).map(|(after, before)| after.saturating_sub(before));
        let own = spent.next_back().unwrap_or_default();
        *self.spent.borrow_mut() = Some(Spent { time, watched: spent.collect(), own });
        Ok(())
    }

    /// What those who are watched have used so far, and last this process.
    fn cpu(&self) -> anyhow::Result<Vec<Duration>> {
        self.options.watch.iter().copied().chain([std::process::id()]).map(cpu::used).collect()
    }

    /// What came of it.
    pub(super) fn report(&self) -> anyhow::Result<Report> {
        let mut took = self.took.borrow_mut();
        took.sort_unstable();
        let requests = took.len();
        ensure!(requests > 0, "nothing was answered");
        let at_most = |share: f64| {
            let place = ((requests as f64 * share).ceil() as usize).clamp(1, requests);
            took[place - 1] as f64 / 1e3
        };
        let spent = self.spent.borrow();
        let spent = spent.as_ref().context("nothing was measured")?;
        let each = |time: &Duration| time.as_secs_f64() * 1e6 / requests as f64;
        Ok(Report {
            requests: requests as u64,
            sent: self.sent.get(),
            seconds: spent.time.as_secs_f64(),
            p50_us: at_most(0.5),
            p99_us: at_most(0.99),
            p999_us: at_most(0.999),
            cpu_us: spent.watched.iter().map(each).collect(),
            own_us: each(&spent.own),
        })
    }
}
