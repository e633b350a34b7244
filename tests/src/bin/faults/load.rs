//! The load: callers that repeat each request until it is acknowledged, and keep a journal of what was.

use std::{
    error::Error as _,
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{bail, ensure};
use postback_sandbox::{IssueClicks, Network, Sandbox};
use postback_tests::Caller;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status, transport::Endpoint};

use crate::{
    house::House,
    step::{NETWORKS, Step, journey},
    visitor::{Visitor, Watch},
};

/// How many callers report at once.
const CALLERS: usize = 18;
/// The longest rest of a caller between two steps, in milliseconds.
const REST_MS: u64 = 40;
/// How long a request is repeated before the trial is given up.
const PATIENCE: Duration = Duration::from_secs(60);

/// One step that the hub answered with OK.
#[derive(Clone, Debug)]
pub(crate) struct Acknowledged {
    pub(crate) network: Network,
    pub(crate) click: String,
    pub(crate) step: Step,
    pub(crate) delivery_id: String,
}

/// Callers and visitors at work.
pub(crate) struct Load {
    stop: CancellationToken,
    tasks: JoinSet<anyhow::Result<()>>,
    journal: Arc<Mutex<Vec<Acknowledged>>>,
    pub(crate) watch: Watch,
}

/// A caller of the hub, whether or not the hub is there now.
pub(crate) fn caller(house: &House) -> anyhow::Result<Caller> {
    let endpoint = Endpoint::from_shared(format!("http://{}", house.api))?;
    let channel =
        endpoint.connect_timeout(Duration::from_secs(1)).timeout(Duration::from_secs(5)).connect_lazy();
    Ok(Caller::over(channel, None))
}

impl Load {
    /// Sets callers and visitors to work.
    pub(crate) fn start(house: &House, random: &mut fastrand::Rng) -> anyhow::Result<Self> {
        let (stop, watch) = (CancellationToken::new(), Watch::default());
        let journal = Arc::<Mutex<Vec<Acknowledged>>>::default();
        let visitor = Visitor::of(house.edge, watch.clone());
        let mut tasks = JoinSet::new();
        for place in 0..CALLERS {
            let one = One {
                sandbox: house.sandbox.clone(),
                caller: caller(house)?,
                visitor: visitor.clone(),
                watch: watch.clone(),
                journal: journal.clone(),
                place: NETWORKS[place % NETWORKS.len()],
                random: random.fork(),
            };
            tasks.spawn(one.work(stop.clone()));
        }
        tasks.spawn(pass_by(visitor, stop.clone()));
        Ok(Self { stop, tasks, journal, watch })
    }

    /// Lets every caller finish what it began; returns the journal.
    pub(crate) async fn end(mut self) -> anyhow::Result<Vec<Acknowledged>> {
        self.stop.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            ended??;
        }
        Ok(std::mem::take(&mut self.journal.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    /// Fails as soon as a caller did.
    pub(crate) async fn check(&mut self) -> anyhow::Result<()> {
        match self.tasks.try_join_next() {
            None => Ok(()),
            Some(ended) => ended?,
        }
    }
}

/// Visitors who never become anything, a hundred a second.
async fn pass_by(visitor: Visitor, stop: CancellationToken) -> anyhow::Result<()> {
    let mut number = 0_u64;
    while !stop.is_cancelled() {
        visitor.visit("powerspace", "clickId", &format!("passer-by-{number}")).await;
        number += 1;
        sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

/// One caller.
struct One {
    sandbox: Sandbox,
    caller: Caller,
    visitor: Visitor,
    watch: Watch,
    journal: Arc<Mutex<Vec<Acknowledged>>>,
    place: (Network, &'static str, &'static str),
    random: fastrand::Rng,
}

impl One {
    async fn work(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        while !stop.is_cancelled() {
            let (network, ..) = self.place;
            let click = self.sandbox.issue(&IssueClicks::new(network))?.remove(0);
            let landed = self.land(&click).await?;
            for step in journey(network, &mut self.random) {
                self.tell(*step, &click, &landed).await?;
                sleep(Duration::from_millis(self.random.u64(..REST_MS))).await;
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
                    let acknowledged =
                        Acknowledged { network: self.place.0, click: click.to_owned(), step, delivery_id };
                    self.journal.lock().unwrap_or_else(PoisonError::into_inner).push(acknowledged);
                    return Ok(());
                }
                Err(status) => status,
            };
            ensure!(can_pass(status.code()), "{step:?} of click {click} was refused: {status:?}");
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

/// Whether a caller should try again.
fn can_pass(code: Code) -> bool {
    use Code::{Aborted, Cancelled, DeadlineExceeded, Internal, ResourceExhausted, Unavailable, Unknown};
    let passing = [Aborted, Cancelled, DeadlineExceeded, Internal, ResourceExhausted, Unavailable, Unknown];
    passing.contains(&code)
}

/// Whether the request never left this process: nobody listened, or the connection was closed before it was sent.
fn is_away(status: &Status) -> bool {
    let mut cause = status.source();
    while let Some(error) = cause {
        let refused = |error: &io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
        if error.downcast_ref().is_some_and(refused)
            || error.downcast_ref().is_some_and(hyper::Error::is_canceled)
        {
            return true;
        }
        cause = error.source();
    }
    false
}
