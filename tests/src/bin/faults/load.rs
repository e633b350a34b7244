//! The load: callers that repeat each request until it is acknowledged, and keep a journal of what was.

use std::{
    error::Error as _,
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{bail, ensure};
use jiff::Timestamp;
use postback_sandbox::{IssueClicks, Network, Sandbox};
use postback_tests::Caller;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{
    Code, Status,
    transport::{Channel, Endpoint},
};
use tonic_types::StatusExt;

use crate::{
    house::House,
    passer::pass_by,
    step::{NETWORKS, Place, Step, journey},
    visitor::{Seen, Visitor, Watch},
};

/// Who reports.
#[derive(Clone, Debug)]
pub(crate) struct Crowd {
    /// On clicks of these networks.
    pub(crate) places: Vec<Place>,
    /// How many report at once.
    pub(crate) callers: usize,
    /// Each rests shorter than so long between two steps, in milliseconds.
    pub(crate) rest_ms: u64,
}

impl Default for Crowd {
    fn default() -> Self {
        Self { places: NETWORKS.to_vec(), callers: 18, rest_ms: 40 }
    }
}

/// How long a request is repeated before the trial is given up.
const PATIENCE: Duration = Duration::from_secs(60);

/// One step that the hub answered with OK.
#[derive(Clone, Debug)]
pub(crate) struct Acknowledged {
    pub(crate) network: Network,
    pub(crate) click: String,
    pub(crate) step: Step,
    pub(crate) delivery_id: String,
    /// When.
    pub(crate) at: Timestamp,
}

/// Callers and visitors at work.
pub(crate) struct Load {
    /// Sends everyone home, also where a trial breaks off.
    stop: DropGuard,
    tasks: JoinSet<anyhow::Result<()>>,
    journal: Arc<Mutex<Vec<Acknowledged>>>,
    watch: Watch,
}

/// A caller of the hub, whether or not the hub is there now.
pub(crate) fn caller(house: &House) -> anyhow::Result<Caller> {
    let endpoint = |api| Endpoint::from_shared(format!("http://{api}"));
    let endpoints = house.apis.iter().map(|api| {
        Ok(endpoint(api)?.connect_timeout(Duration::from_secs(1)).timeout(Duration::from_secs(5)))
    });
    let mut endpoints = endpoints.collect::<anyhow::Result<Vec<_>>>()?;
    let channel = match endpoints.len() {
        1 => endpoints.remove(0).connect_lazy(),
        _ => Channel::balance_list(endpoints.into_iter()),
    };
    Ok(Caller::over(channel, None))
}

impl Load {
    /// Sets callers and visitors to work.
    pub(crate) fn of(house: &House, crowd: &Crowd, random: &mut fastrand::Rng) -> anyhow::Result<Self> {
        let (stop, watch) = (CancellationToken::new(), Watch::default());
        let journal = Arc::<Mutex<Vec<Acknowledged>>>::default();
        let visitor = Visitor::of(house.edges.clone(), watch.clone());
        let mut tasks = JoinSet::new();
        for place in 0..crowd.callers {
            let one = One {
                sandbox: house.sandbox.clone(),
                caller: caller(house)?,
                visitor: visitor.clone(),
                watch: watch.clone(),
                journal: journal.clone(),
                place: crowd.places[place % crowd.places.len()],
                rest_ms: crowd.rest_ms,
                random: random.fork(),
                clock_shifts: house.clock.is_some(),
            };
            tasks.spawn(one.work(stop.clone()));
        }
        let passers = (house.edges.clone(), watch.clone(), stop.clone());
        tasks.spawn_blocking(move || {
            pass_by(&passers.0, &passers.1, &passers.2);
            Ok(())
        });
        Ok(Self { stop: stop.drop_guard(), tasks, journal, watch })
    }

    /// How many steps were acknowledged so far.
    pub(crate) fn told(&self) -> usize {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Lets every caller finish what it began; returns the journal, and what was seen.
    pub(crate) async fn end(mut self) -> anyhow::Result<(Vec<Acknowledged>, Seen)> {
        drop(self.stop);
        while let Some(ended) = self.tasks.join_next().await {
            ended??;
        }
        let journal = std::mem::take(&mut *self.journal.lock().unwrap_or_else(PoisonError::into_inner));
        Ok((journal, self.watch.seen()))
    }

    /// Fails as soon as a caller did.
    pub(crate) async fn check(&mut self) -> anyhow::Result<()> {
        match self.tasks.try_join_next() {
            None => Ok(()),
            Some(ended) => ended?,
        }
    }
}

/// One caller.
struct One {
    sandbox: Sandbox,
    caller: Caller,
    visitor: Visitor,
    watch: Watch,
    journal: Arc<Mutex<Vec<Acknowledged>>>,
    place: Place,
    rest_ms: u64,
    random: fastrand::Rng,
    /// Whether the hub's clock may be wrong.
    clock_shifts: bool,
}

impl One {
    async fn work(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        while !stop.is_cancelled() {
            let (network, ..) = self.place;
            let click = self.sandbox.issue(&IssueClicks::new(network))?.remove(0);
            let landed = self.land(&click).await?;
            for step in journey(network, &mut self.random) {
                self.tell(*step, &click, &landed).await?;
                sleep(Duration::from_millis(self.random.u64(..self.rest_ms))).await;
            }
        }
        Ok(())
    }

    async fn land(&self, click: &str) -> anyhow::Result<String> {
        let (_, campaign, parameter) = self.place;
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if let Some(token) = self.visitor.visit(campaign, parameter, click).await {
                return Ok(token);
            }
            sleep(Duration::from_millis(20)).await;
        }
        bail!("click {click} of {campaign} never got its redirect")
    }

    /// Reports a step with the same request id until it is acknowledged.
    async fn tell(&self, step: Step, click: &str, landed: &str) -> anyhow::Result<()> {
        let began = Instant::now();
        loop {
            let status = match step.report(&self.caller, click, landed).await {
                Ok(delivery_id) => {
                    let (network, click, at) = (self.place.0, click.to_owned(), Timestamp::now());
                    let acknowledged = Acknowledged { network, click, step, delivery_id, at };
                    self.journal.lock().unwrap_or_else(PoisonError::into_inner).push(acknowledged);
                    return Ok(());
                }
                Err(status) => status,
            };
            ensure!(
                can_pass(&status, self.clock_shifts),
                "{step:?} of click {click} was refused: {status:?}"
            );
            ensure!(began.elapsed() < PATIENCE, "{step:?} of click {click} is not taken: {status:?}");
            if !is_away(&status) {
                self.watch.note(|seen| {
                    seen.failures += 1;
                    seen.last = Some(format!("{step:?} failed: {status:?}"));
                });
            }
            sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Whether a caller should try again. A click's life that is over by a clock that is wrong is not over.
fn can_pass(status: &Status, clock_shifts: bool) -> bool {
    use Code::{Aborted, Cancelled, DeadlineExceeded, Internal, ResourceExhausted, Unavailable, Unknown};
    let passing = [Aborted, Cancelled, DeadlineExceeded, Internal, ResourceExhausted, Unavailable, Unknown];
    let over = || status.get_details_error_info().is_some_and(|info| info.reason == "CLICK_EXPIRED");
    passing.contains(&status.code()) || clock_shifts && over()
}

/// Whether no hub began with the request: nobody listened, the connection was closed before it was sent, or the hub
/// said, as it left, that it would not begin with it.
fn is_away(status: &Status) -> bool {
    let mut cause = status.source();
    while let Some(error) = cause {
        let refused = |error: &io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
        if error.downcast_ref().is_some_and(refused)
            || error.downcast_ref().is_some_and(h2::Error::is_go_away)
            || error.downcast_ref().is_some_and(hyper::Error::is_canceled)
        {
            return true;
        }
        cause = error.source();
    }
    false
}
