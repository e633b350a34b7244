//! What `postback stats` tells, and how people read it.

use std::{collections::BTreeMap, fmt::Write};

use postback_proto::v1::{Account, Delivery, DeliveryState, Reason};
use serde::Serialize;

use super::{
    super::{story, time::shown, words::Word},
    MOST,
};
use crate::table::{Column, plain, table};

/// Where it stands that no account is known.
const NOBODY: &str = "(not known)";

/// Why a delivery is not sent that stands behind one in doubt.
const HELD: &str = "behind_in_doubt";

/// What is told.
#[derive(Serialize)]
pub(super) struct Told {
    pub(super) since: String,
    pub(super) until: String,
    /// Whether all deliveries of that time were looked at.
    pub(super) complete: bool,
    pub(super) accounts: Vec<Standing>,
    /// Reports refused of no known account, by reason.
    pub(super) refused: BTreeMap<String, i64>,
    pub(super) campaigns: Vec<Campaign>,
}

/// Where an account stands.
#[derive(Default, Serialize)]
pub(super) struct Standing {
    pub(super) account: String,
    network: String,
    paused: Option<String>,
    /// Why nothing is sent while it is paused.
    #[serde(skip)]
    pause: Option<Reason>,
    pub(super) clicks: i64,
    pub(super) lost: BTreeMap<String, i64>,
    /// Reports refused, by reason.
    pub(super) refused: BTreeMap<String, i64>,
    #[serde(flatten)]
    conversions: Counts,
    changes: Counts,
    undelivered: Vec<Undelivered>,
}

#[derive(Default, Serialize)]
struct Counts {
    conversions: u64,
    delivered: u64,
    pending: u64,
    waiting: u64,
    in_doubt: u64,
    dead: u64,
}

/// Deliveries that the network does not have, or may not have, for one reason.
#[derive(Serialize)]
struct Undelivered {
    state: String,
    reason: String,
    message: String,
    count: u64,
}

#[derive(Serialize)]
pub(super) struct Campaign {
    pub(super) campaign: String,
    pub(super) account: String,
    pub(super) clicks: i64,
    pub(super) lost: BTreeMap<String, i64>,
}

impl Standing {
    /// An account of which nothing is counted yet.
    pub(super) fn of(stats: Account) -> Self {
        let paused = stats.pause_time.as_ref().map(|since| {
            format!("since {}: {}", shown(Some(since)), story::reason(stats.pause_reason.as_ref()))
        });
        let pause = stats.pause_reason.filter(|_| paused.is_some());
        Self { account: stats.account, network: stats.network, paused, pause, ..Self::default() }
    }

    /// Counts a delivery by its state and reason; `doubt` holds it, where one does.
    pub(super) fn count(&mut self, delivery: &Delivery, doubt: Option<&str>) {
        let own = delivery.change.is_none();
        let counts = if own { &mut self.conversions } else { &mut self.changes };
        counts.conversions += 1;
        *match delivery.state() {
            DeliveryState::Delivered => &mut counts.delivered,
            DeliveryState::Waiting => &mut counts.waiting,
            DeliveryState::InDoubt => &mut counts.in_doubt,
            DeliveryState::Dead => &mut counts.dead,
            DeliveryState::Pending | DeliveryState::Unspecified => &mut counts.pending,
        } += 1;
        if delivery.state() == DeliveryState::Delivered {
            return;
        }
        // What is pending has no reason of its own: what it waits behind has, a pause, or its last attempt.
        let held =
            doubt.map(|doubt| Reason { code: HELD.to_owned(), message: format!("behind {doubt}, in doubt") });
        let pause = self.pause.as_ref().filter(|_| delivery.state() == DeliveryState::Pending);
        let tried = delivery.attempts.last().and_then(|attempt| attempt.reason.as_ref());
        let why = delivery.reason.as_ref().or(held.as_ref()).or(pause).or(tried).cloned().unwrap_or_default();
        let state = delivery.state().word();
        let known = self.undelivered.iter_mut().find(|it| it.state == state && it.reason == why.code);
        match known {
            Some(known) => known.count += 1,
            None => {
                let (reason, message) = (why.code, why.message);
                self.undelivered.push(Undelivered { state, reason, message, count: 1 });
            }
        }
    }

    fn row(&self) -> [String; 10] {
        let Counts { conversions, delivered, pending, in_doubt, dead, .. } = self.conversions;
        let lost = sum(&self.lost);
        let [conversions, delivered, pending, in_doubt, dead] =
            [conversions, delivered, pending, in_doubt, dead].map(|count| count.to_string());
        let (clicks, lost) = (self.clicks.to_string(), lost.to_string());
        let refused = sum(&self.refused).to_string();
        let (account, network) = (self.account.clone(), self.network.clone());
        [account, network, clicks, lost, conversions, delivered, pending, in_doubt, dead, refused]
    }
}

impl Undelivered {
    fn row(&self, standing: &Standing) -> [String; 6] {
        let account = &standing.account;
        let to_do = match self.state.as_str() {
            "dead" if self.reason == "expired" => "nothing: its click's life is over".to_owned(),
            "dead" if self.reason == "lead_never_came" => {
                "nothing: its conversion was never reported".to_owned()
            }
            "dead" if self.reason == "lead_not_delivered" => {
                "replay the conversion's own delivery; its changes follow".to_owned()
            }
            "dead" => format!("once mended, postback replay --account {account} --reason {}", self.reason),
            "in_doubt" => {
                format!("postback resolve --account {account} --reason {} --delivered|--resend", self.reason)
            }
            "pending" | "waiting" if standing.network.is_empty() => {
                format!("{account} is not in the config: bring it back into the config")
            }
            "waiting" => "comes with its conversion".to_owned(),
            _ if self.reason == HELD => {
                format!("decide what is in doubt: postback resolve --account {account} --delivered|--resend")
            }
            _ if standing.paused.is_some() => format!("mend the account, then postback resume {account}"),
            _ => "is sent by itself".to_owned(),
        };
        let reason = if self.reason.is_empty() { "not tried yet" } else { &self.reason };
        [
            account.clone(),
            self.state.clone(),
            reason.to_owned(),
            self.count.to_string(),
            to_do,
            self.message.clone(),
        ]
    }
}

impl Told {
    /// All of it in tables.
    pub(super) fn people(&self) -> String {
        let mut said = format!("{} to {}\n", self.since, self.until);
        let numbers =
            ["clicks", "lost", "conversions", "delivered", "pending", "in doubt", "dead", "refused"];
        let [clicks, lost, conversions, delivered, pending, in_doubt, dead, refused] =
            numbers.map(Column::Number);
        let columns = [
            Column::Text("account"),
            Column::Text("network"),
            clicks,
            lost,
            conversions,
            delivered,
            pending,
            in_doubt,
            dead,
            refused,
        ];
        let mut rows: Vec<_> = self.accounts.iter().map(Standing::row).collect();
        if !self.refused.is_empty() {
            let mut nobodys = [const { String::new() }; 10];
            (nobodys[0], nobodys[9]) = (NOBODY.to_owned(), sum(&self.refused).to_string());
            rows.push(nobodys);
        }
        let _ = writeln!(said, "{}\n{}", table(columns, rows), self.total());
        if !self.complete {
            let _ = writeln!(
                said,
                "only the latest {MOST} deliveries are counted; --account or --since asks for less"
            );
        }
        for standing in &self.accounts {
            if let Some(paused) = &standing.paused {
                let _ = writeln!(said, "{} is paused {}", standing.account, plain(paused));
            }
        }
        said += &self.undelivered();
        said += &self.refusals();
        said += &self.changes();
        said += &self.losses();
        said
    }

    /// Where all went that was reported, in one line.
    fn total(&self) -> String {
        let all = |count: fn(&Counts) -> u64| -> u64 {
            self.accounts.iter().map(|standing| count(&standing.conversions)).sum()
        };
        let refused = self.accounts.iter().map(|it| sum(&it.refused)).sum::<i64>() + sum(&self.refused);
        let reported = all(|it| it.conversions) + refused.unsigned_abs();
        format!(
            "{reported} reported = {} delivered + {} pending + {} in doubt + {} dead + {refused} refused",
            all(|it| it.delivered),
            all(|it| it.pending),
            all(|it| it.in_doubt),
            all(|it| it.dead),
        )
    }

    fn refusals(&self) -> String {
        let of = |account: &str, refused: &BTreeMap<String, i64>| {
            let account = account.to_owned();
            let row = move |(reason, count): (&String, &i64)| {
                [account.clone(), reason.clone(), count.to_string(), refusal(reason).to_owned()]
            };
            refused.iter().map(row).collect::<Vec<_>>()
        };
        let mut rows: Vec<_> = self.accounts.iter().flat_map(|it| of(&it.account, &it.refused)).collect();
        rows.extend(of(NOBODY, &self.refused));
        let columns = [
            Column::Text("account"),
            Column::Text("reason"),
            Column::Number("count"),
            Column::Text("what to do"),
        ];
        named("Reports refused, which became no conversion", columns, rows)
    }

    fn undelivered(&self) -> String {
        let rows = self.accounts.iter().flat_map(|it| it.undelivered.iter().map(|why| why.row(it)));
        let columns = [
            Column::Text("account"),
            Column::Text("state"),
            Column::Text("reason"),
            Column::Number("count"),
            Column::Text("what to do"),
            Column::Text("for example"),
        ];
        named("Not delivered, and why", columns, rows.collect())
    }

    fn changes(&self) -> String {
        let changed = self.accounts.iter().filter(|it| it.changes.conversions > 0);
        let rows = changed.map(|it| {
            let Counts { conversions, delivered, pending, waiting, in_doubt, dead } = it.changes;
            let counts = [conversions, delivered, pending, waiting, in_doubt, dead].map(|n| n.to_string());
            let [all, delivered, pending, waiting, in_doubt, dead] = counts;
            [it.account.clone(), all, delivered, pending, waiting, in_doubt, dead]
        });
        let numbers = ["changes", "delivered", "pending", "waiting", "in doubt", "dead"].map(Column::Number);
        let [all, delivered, pending, waiting, in_doubt, dead] = numbers;
        let columns = [Column::Text("account"), all, delivered, pending, waiting, in_doubt, dead];
        named("Later changes of conversions", columns, rows.collect())
    }

    fn losses(&self) -> String {
        let lost = self.campaigns.iter().flat_map(|it| {
            it.lost.iter().map(move |(reason, count)| {
                let (clicks, count) = (it.clicks.to_string(), count.to_string());
                let to_do = format!("paste the link anew: postback link {}", it.campaign);
                [it.campaign.clone(), it.account.clone(), clicks, reason.clone(), count, to_do]
            })
        });
        let columns = [
            Column::Text("campaign"),
            Column::Text("account"),
            Column::Number("clicks"),
            Column::Text("click id"),
            Column::Number("lost"),
            Column::Text("what to do if they are many"),
        ];
        named("Landings without a click id, which can bring no conversion", columns, lost.collect())
    }
}

fn sum(counts: &BTreeMap<String, i64>) -> i64 {
    counts.values().sum()
}

/// What to do about a report that was refused.
fn refusal(reason: &str) -> &'static str {
    match reason {
        "click_expired" => "nothing: it was reported after its click's 30 days",
        "unknown_click" => "report it by its click token, or look for it: postback clicks",
        "invalid_click_token" => "no token of this hub: compare what the landing page keeps",
        "unknown_user" => "no click brought that user: see the landings without a click id",
        "unknown_account" => "compare the account's name with the config",
        "invalid_value" => "the answer named the field: try postback send --validate-only",
        "content_differs" => "nothing: the first one under that id counts",
        _ => "the network takes no such conversion",
    }
}

/// A table under its name; nothing where it has no rows.
fn named<const N: usize>(name: &str, columns: [Column; N], rows: Vec<[String; N]>) -> String {
    if rows.is_empty() { String::new() } else { format!("\n{name}\n{}\n", table(columns, rows)) }
}
