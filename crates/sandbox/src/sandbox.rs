//! The handle: everything that the control API can do, without HTTP.

use std::{
    fmt, io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use tokio::{net::TcpListener, sync::watch};

use crate::{
    Clock, Entry, Fault, IssueClicks, JournalPage, JournalQuery, Lead, Network, SandboxError, Seed, Stats,
    call::Call,
    fault_list::InForce,
    server,
    state::{State, Verdict},
};

/// The three networks. Clones are handles of the same networks.
#[derive(Clone)]
pub struct Sandbox(Arc<Inner>);

struct Inner {
    clock: Clock,
    state: Mutex<State>,
    calls: watch::Sender<u64>,
}

impl Sandbox {
    /// The networks of a seed, on the machine's clock.
    ///
    /// # Errors
    /// A seed whose clicks are of the wrong form, or stand twice.
    pub fn new(seed: Seed) -> Result<Self, SandboxError> {
        Self::with_clock(seed, Clock::system())
    }

    /// The networks of a seed, on another clock.
    ///
    /// # Errors
    /// As [`Sandbox::new`].
    pub fn with_clock(seed: Seed, clock: Clock) -> Result<Self, SandboxError> {
        let now = clock.shifted(SignedDuration::ZERO);
        let state = Mutex::new(State::new(&seed, now)?);
        Ok(Self(Arc::new(Inner { clock, state, calls: watch::Sender::new(0) })))
    }

    /// Serves the networks and the control API on `listener` until `shutdown` completes, then lets running
    /// answers end, for at most five seconds. Dropping the future cuts everything at once.
    ///
    /// # Errors
    /// A listener without an address.
    pub async fn serve(
        &self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send,
    ) -> io::Result<()> {
        server::serve(self.clone(), listener, shutdown).await
    }

    /// Issues clicks and returns their ids.
    ///
    /// # Errors
    /// A field of the order that is wrong, or no room; clicks before the wrong one are issued.
    pub fn issue(&self, order: &IssueClicks) -> Result<Vec<String>, SandboxError> {
        let mut state = self.state();
        let now = self.0.clock.shifted(state.shift);
        state.issue(order, now)
    }

    /// A part of the journal.
    pub fn journal(&self, query: &JournalQuery) -> JournalPage {
        self.state().journal.page(query)
    }

    /// Every call of one network that the journal holds, oldest first.
    pub fn received(&self, network: Network) -> Vec<Entry> {
        self.state().journal.all(network)
    }

    /// Empties the journal. The counters and the numbering go on.
    pub fn clear_journal(&self) {
        self.state().journal.clear();
    }

    /// The counters.
    pub fn stats(&self) -> Stats {
        self.state().stats
    }

    /// How many calls the networks have taken, to be waited on. A call is in the journal before it is seen here.
    pub fn calls(&self) -> watch::Receiver<u64> {
        self.0.calls.subscribe()
    }

    /// Lets a network misbehave from now on.
    ///
    /// # Errors
    /// More than 100 faults.
    pub fn inject(&self, fault: Fault) -> Result<(), SandboxError> {
        self.state().faults.add(fault)
    }

    /// Ends the faults of one network, or all, and returns how many they were.
    pub fn clear_faults(&self, network: Option<Network>) -> usize {
        self.state().faults.clear(network)
    }

    /// The time at the networks.
    pub fn now(&self) -> Timestamp {
        self.0.clock.shifted(self.shift())
    }

    /// How far the networks' clock is from its source.
    pub fn shift(&self) -> SignedDuration {
        self.state().shift
    }

    /// Sets the networks' clock this far from its source: 31 days ahead, and every click has expired.
    pub fn set_shift(&self, shift: SignedDuration) {
        self.state().shift = shift;
    }

    /// A lead at AlterCPA.
    pub fn lead(&self, id: u64) -> Option<Lead> {
        self.state().altercpa.lead(id).cloned()
    }

    pub(crate) fn faults_in_force(&self) -> Vec<InForce> {
        self.state().faults.list()
    }

    /// Counts a call as under way until what is returned is dropped.
    pub(crate) fn begin(&self, network: Network) -> UnderWay {
        self.state().stats.begin(network);
        UnderWay { sandbox: self.clone(), network }
    }

    pub(crate) fn take(&self, call: Call) -> Verdict {
        let mut state = self.state();
        let now = self.0.clock.shifted(state.shift);
        let verdict = state.take(call, now);
        drop(state);
        self.0.calls.send_modify(|calls| *calls = verdict.seq.max(*calls));
        verdict
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call that is under way.
pub(crate) struct UnderWay {
    sandbox: Sandbox,
    network: Network,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.sandbox.state().stats.end(self.network);
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox").finish_non_exhaustive()
    }
}
