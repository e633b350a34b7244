//! The trail of what operators did.

use postback_core::{
    AccountId, Actor, ErrorKind, Result,
    ports::{Action, Deed, Page},
};

use crate::{Hub, limits::PAGE};

/// What is noted of an action that may have been done.
const UNHEARD: &str = "may have been done: the store's answer was lost";

/// What is noted of an action, beside who and when.
pub(crate) struct Note<'a> {
    pub(crate) deed: Deed,
    pub(crate) account: Option<&'a AccountId>,
    pub(crate) target: String,
    pub(crate) count: u64,
    pub(crate) reason: &'a str,
}

impl Hub {
    /// Lists what operators did, the latest first: at most 1,000 at once.
    ///
    /// # Errors
    /// The logbook's own.
    pub async fn actions(&self, limit: usize, after: Option<[u8; 16]>) -> Result<Page<Action>> {
        self.inner.logbook.actions(limit.clamp(1, PAGE), after).await
    }

    /// Notes an action where the store's answer to it was lost: it may be done, and then its repeat finds nothing to do.
    pub(crate) async fn note_unheard<T>(&self, done: &Result<T>, actor: &Actor, note: Note<'_>) {
        if done.as_ref().is_err_and(|error| error.kind() == ErrorKind::Unavailable) {
            let (deed, target) = (note.deed, &note.target);
            tracing::warn!(%actor, ?deed, account = ?note.account, target, "an action {UNHEARD}");
            let words = [note.reason, UNHEARD].into_iter().filter(|words| !words.is_empty());
            let reason = words.collect::<Vec<_>>().join("; ");
            self.note(actor, Note { reason: &reason, ..note }).await;
        }
    }

    /// Notes an action that was done. Where that fails, the log has it alone.
    pub(crate) async fn note(&self, actor: &Actor, note: Note<'_>) {
        let at = self.inner.clock.now();
        let Note { deed, account, target, count, reason } = note;
        let action = Action {
            id: self.inner.mint.uuid(at).into_bytes(),
            at,
            actor: actor.clone(),
            deed,
            account: account.cloned(),
            target,
            count,
            reason: reason.to_owned(),
        };
        if let Err(error) = self.inner.logbook.enter(action.clone()).await {
            tracing::error!(%error, ?action, "an operator's action could not be noted in the logbook");
        }
    }
}
