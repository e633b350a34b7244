//! source
use postback_core::{AccountId, FlowCode, FlowId, UserId};
/// How a caller names the source of a conversion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceBy {
    /// The click, by its token: needs no record of the click.
    Token(String),
    /// The click, by the network's id; it must have been captured.
    Network {
        /// The account at the network.
        account: String,
        /// The network's click id.
        click_id: String,
    },
    /// The user, by the clicks attached to it.
    User {
        /// The caller's own id of the user.
        user: UserId,
        /// Only clicks of this account.
        account: Option<AccountId>,
        /// Which click takes the conversion.
        pick: Pick,
    },
    /// An AlterCPA flow by number.
    Flow {
        /// The account at the network.
        account: AccountId,
        /// The flow's number.
        id: FlowId,
    },
    /// An AlterCPA flow by code.
    FlowCode {
        /// The account at the network.
        account: AccountId,
        /// The flow's code.
        code: FlowCode,
    },
}
/// Which of a user's clicks takes a conversion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pick {
    /// The last one before the conversion.
    #[default]
    Last,
    /// The first one.
    First,
}
