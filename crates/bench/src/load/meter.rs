//! The pace at which requests go out, and the account of their answers.

use std::{
    cell::{Cell, RefCell},
    pin::pin,
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use tokio::{
    sync::{Notify, Semaphore},
    task::{JoinSet, yield_now},
    time::{sleep, sleep_until},
};

use super::{Options, Report};
use crate::cpu;

/// What all who send share.
pub(super) struct Meter {
    options: Options,
    /// From when on answers count; with a rate, answers to what is due from then on.
    from: Cell<Option<Instant>>,
    /// Until when they count. Nothing is sent that is due later.
    until: Cell<Option<Instant>>,
    sent: Cell<u64>,
    /// With a rate: what is due and not taken up yet.
    due: Semaphore,
    began: Cell<Instant>,
    /// How long each answer that counts took, in nanoseconds.
    took: RefCell<Vec<u64>>,
    /// How often something was sent or answered.
    steps: Cell<u64>,
    /// How long nothing was to be done.
    idle: Cell<Duration>,
    /// How long nothing may come of anything.
    patience: Duration,
    /// All is answered.
    over: Notify,
    spent: RefCell<Option<Spent>>,
}

/// How long a server may leave everything unanswered.
const PATIENCE: Duration = Duration::from_secs(20);

/// How many answers a figure wants.
const LEAST: usize = 20;

/// What the window cost.
struct Spent {
    time: Duration,
    /// What the watched ones had used before and after it.
    watched: [Vec<Duration>; 2],
    /// While there was something to do.
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
            from: Cell::default(),
            until: Cell::default(),
            sent: Cell::new(0),
            due: Semaphore::new(0),
            began: Cell::new(Instant::now()),
            took: RefCell::default(),
            steps: Cell::new(0),
            idle: Cell::default(),
            patience: PATIENCE,
            over: Notify::new(),
            spent: RefCell::default(),
        })
    }

    /// The next request, once it is due; none where enough were sent.
    pub(super) async fn next(&self) -> Option<Turn> {
        if self.options.rate.is_some() {
            self.due.acquire().await.ok()?.forget();
        }
        let number = self.sent.get();
        let due = match self.options.rate {
            Some(rate) => self.began.get() + Duration::from_secs_f64(number as f64 / rate),
            None => Instant::now(),
        };
        if number >= self.options.count || self.until.get().is_some_and(|until| due >= until) {
            return None;
        }
        self.sent.set(number + 1);
        self.steps.update(|steps| steps + 1);
        Some(Turn { number: self.options.first + number, due })
    }

    /// A request was answered as it should be.
    pub(super) fn answered(&self, turn: &Turn) {
        let now = Instant::now();
        self.steps.update(|steps| steps + 1);
        let counts_by = if self.options.rate.is_some() { turn.due } else { now };
        let began = self.from.get().is_some_and(|from| from <= counts_by);
        if began && self.until.get().is_none_or(|until| counts_by < until) {
            let took = u64::try_from((now - turn.due).as_nanos()).unwrap_or(u64::MAX);
            self.took.borrow_mut().push(took);
        }
    }

    /// Lets all who send do so, from now on until the time is over or all is sent.
    pub(super) async fn run(
        self: &Rc<Self>,
        senders: Vec<impl Future<Output = anyhow::Result<()>> + 'static>,
    ) -> anyhow::Result<()> {
        let mut sending = JoinSet::new();
        self.began.set(Instant::now());
        for sender in senders {
            sending.spawn_local(sender);
        }
        if let Some(rate) = self.options.rate {
            let meter = Rc::clone(self);
            sending.spawn_local(async move {
                meter.keep_pace(rate).await;
                Ok(())
            });
        }
        let meter = Rc::clone(self);
        let window = tokio::task::spawn_local(async move {
            let measured = meter.window().await;
            if measured.is_err() {
                // Nothing more is sent for what cannot be measured.
                meter.until.set(Some(Instant::now()));
            }
            measured
        });
        let awake = tokio::task::spawn_local(Rc::clone(self).stay_awake());
        let mut silence = pin!(self.silence());
        loop {
            tokio::select! {
                sender = sending.join_next() => match sender {
                    Some(sender) => sender??,
                    None => break,
                },
                () = &mut silence => bail!("nothing was answered for {:?}", self.patience),
            }
        }
        awake.abort();
        self.over.notify_one();
        window.await?
    }

    /// Ends when nothing was sent or answered for as long as a server may be silent.
    async fn silence(&self) {
        let mut steps = None;
        while steps != Some(self.steps.get()) {
            steps = Some(self.steps.get());
            sleep(self.patience).await;
        }
    }

    /// Says what is due, the moment it is: a timer would be up to a millisecond late.
    async fn keep_pace(&self, rate: f64) {
        let (began, mut said) = (self.began.get(), 0);
        while self.until.get().is_none() {
            let due = (began.elapsed().as_secs_f64() * rate) as usize + 1;
            self.due.add_permits(due - said);
            said = due;
            yield_now().await;
        }
        // Nobody waits from now on: what was due before the end is still sent, and what was due later is not.
        self.due.add_permits(Semaphore::MAX_PERMITS / 2);
    }

    /// Keeps the load from sleeping: to wake it would be the server's work, and only because both share a machine.
    async fn stay_awake(self: Rc<Self>) {
        loop {
            let (before, steps) = (Instant::now(), self.steps.get());
            yield_now().await;
            if self.steps.get() == steps {
                self.idle.update(|idle| idle + before.elapsed());
            }
        }
    }

    /// Counts from the end of the warm-up on.
    async fn window(&self) -> anyhow::Result<()> {
        let from = Instant::now() + Duration::from_millis(self.options.warm_up);
        if self.options.warm_up > 0 {
            sleep_until(from.into()).await;
        }
        let (began, before, idle) = (Instant::now(), cpu::used_by(&self.options.watch)?, self.idle.get());
        self.from.set(Some(began));
        match self.options.measured {
            Some(millis) => {
                sleep_until((began + Duration::from_millis(millis)).into()).await;
                // A disk that hangs is waited for.
                while self.took.borrow().len() < LEAST {
                    sleep(Duration::from_millis(1)).await;
                }
            }
            None => self.over.notified().await,
        }
        let (until, after) = (Instant::now(), cpu::used_by(&self.options.watch)?);
        self.until.set(Some(until));
        let (watched, time) = ([before, after], until - began);
        *self.spent.borrow_mut() = Some(Spent { time, watched, own: time - (self.idle.get() - idle) });
        Ok(())
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
        let [before, after] = &spent.watched;
        Ok(Report {
            requests: requests as u64,
            sent: self.sent.get(),
            seconds: spent.time.as_secs_f64(),
            p50_us: at_most(0.5),
            p99_us: at_most(0.99),
            p999_us: at_most(0.999),
            cpu_us: cpu::us_each(before, after, requests as u64),
            own_us: spent.own.as_secs_f64() * 1e6 / requests as f64,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Kind;

    fn options(rate: Option<f64>) -> Options {
        Options {
            kind: Kind::Http,
            until_closed: false,
            to: ([127, 0, 0, 1], 9).into(),
            connections: 1,
            streams: 1,
            rate,
            warm_up: 0,
            measured: rate.map(|_| 500),
            count: if rate.is_some() { u64::MAX } else { 50 },
            seed: 0,
            first: 7,
            watch: Vec::new(),
        }
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        tokio::task::LocalSet::new().block_on(&runtime, future)
    }

    fn run(rate: Option<f64>) -> Report {
        let meter = Meter::new(&options(rate));
        let slow = {
            let meter = Rc::clone(&meter);
            async move {
                while let Some(turn) = meter.next().await {
                    sleep(Duration::from_millis(10)).await;
                    meter.answered(&turn);
                }
                Ok(())
            }
        };
        block_on(meter.run(vec![slow])).unwrap();
        meter.report().unwrap()
    }

    #[test]
    fn a_server_that_falls_behind_an_open_loop_is_late_for_what_was_due_meanwhile() {
        // 200 are due in a second, of which 100 at most are answered: the last ones were due long ago.
        let report = run(Some(200.0));
        assert!(report.requests >= 90, "what was due is answered late, and counts: {report:?}");
        assert!(report.p50_us > 200_000.0 && report.p99_us > 400_000.0, "{report:?}");
    }

    #[test]
    fn a_closed_loop_waits_for_each_answer_and_counts_all() {
        let report = run(None);
        assert_eq!((report.requests, report.sent), (50, 50));
        assert!(report.p50_us >= 10_000.0 && report.seconds >= 0.5, "{report:?}");
    }

    #[test]
    fn a_server_that_does_not_answer_any_more_is_waited_for_so_long_and_no_longer() {
        for rate in [None, Some(200.0)] {
            let mut meter = Meter::new(&options(rate));
            Rc::get_mut(&mut meter).unwrap().patience = Duration::from_millis(50);
            let silent = {
                let meter = Rc::clone(&meter);
                async move {
                    while meter.next().await.is_some() {
                        std::future::pending::<()>().await;
                    }
                    Ok(())
                }
            };
            let run = async { tokio::time::timeout(Duration::from_secs(20), meter.run(vec![silent])).await };
            let why = block_on(run).expect("it is waited for").unwrap_err();
            assert!(why.to_string().contains("nothing was answered"), "{why}");
        }
    }
}
