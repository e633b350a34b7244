//! What a person can do to deliveries and accounts: first a page that says what will happen, then the deed.

use askama::Template;
use axum::{
    Extension, Form,
    extract::{Path, Query, State},
    response::{IntoResponse, Redirect},
};
use postback_core::{
    AccountId, Actor, Delivery, DeliveryId, DeliveryState, Error, Result, ports::Resolution,
};
use postback_hub::{Decided, Selection};
use serde::Deserialize;

use crate::{
    desk::Desk,
    filter::{self, Filter},
    page::{self, Failed, Frame, Shown, Visitor},
    show, words,
};

/// A decision on deliveries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Decision {
    /// Puts dead letters back into their lanes.
    Replay,
    /// The network has what was in doubt.
    Delivered,
    /// The network does not have what was in doubt.
    Resend,
}

impl Decision {
    const fn verb(self) -> &'static str {
        match self {
            Self::Replay => "Replay",
            Self::Delivered => "Mark delivered",
            Self::Resend => "Send again",
        }
    }

    /// What the page is called that asks about one delivery.
    const fn title(self) -> &'static str {
        match self {
            Self::Replay => "Replay one delivery",
            Self::Delivered => "Mark one delivery as delivered",
            Self::Resend => "Send one delivery again",
        }
    }

    /// What will happen.
    const fn words(self) -> &'static str {
        match self {
            Self::Replay => {
                "It goes to the end of its click's lane and is sent again, with a fresh schedule. If the cause is not \
                 mended it dies again. Replaying a conversion's own delivery brings back its changes that died with it."
            }
            Self::Delivered => {
                "Nothing is sent. What waits behind it on the same click goes on. Do this only if the network's panel \
                 shows the conversion."
            }
            Self::Resend => {
                "It is sent once more. Do this only if the network's panel does not show the conversion: if the \
                 network did count it, it will count it twice."
            }
        }
    }

    const fn past(self) -> &'static str {
        match self {
            Self::Replay => "replayed",
            Self::Delivered => "marked delivered",
            Self::Resend => "to be sent again",
        }
    }

    /// Whether a delivery still stands so that it can be decided so.
    const fn fits(self, delivery: &Delivery) -> bool {
        match self {
            Self::Replay => matches!(delivery.state, DeliveryState::Dead(_)),
            Self::Delivered | Self::Resend => matches!(delivery.state, DeliveryState::InDoubt(_)),
        }
    }

    const fn resolution(self) -> Option<Resolution> {
        match self {
            Self::Replay => None,
            Self::Delivered => Some(Resolution::Delivered),
            Self::Resend => Some(Resolution::Resend),
        }
    }
}

/// A fact on a page that asks.
struct Fact {
    name: &'static str,
    value: String,
}

fn fact(name: &'static str, value: impl Into<String>) -> Fact {
    Fact { name, value: value.into() }
}

#[derive(Template)]
#[template(path = "confirm.html")]
struct Confirm {
    frame: Frame,
    words: String,
    facts: Vec<Fact>,
    /// The button's text; empty where there is nothing to do.
    verb: String,
    /// What the form says again: name, value.
    fields: Vec<(&'static str, String)>,
    /// Whether a reason is asked for.
    reasoned: bool,
    back: String,
}

/// Asks about one delivery.
pub(crate) async fn ask_one(
    State(desk): State<Desk>,
    Extension(visitor): Extension<Visitor>,
    Path((id, decision)): Path<(String, Decision)>,
) -> Shown {
    let delivery = desk.hub.delivery(id.parse()?).await?;
    let fits = decision.fits(&delivery);
    let words = match fits {
        true => decision.words().to_owned(),
        false => format!("There is nothing to decide: the delivery is {} by now.", words::state(&delivery)),
    };
    let mut facts = vec![
        fact("Delivery", delivery.id.to_string()),
        fact("Account", delivery.account.to_string()),
        fact("What", words::event(&delivery.event)),
        fact("State", words::state(&delivery)),
    ];
    facts.extend(words::reason(&delivery).map(|reason| fact("Why", show::long(&reason.to_string()))));
    let frame = Frame::new(decision.title(), "Deliveries", visitor, desk.now());
    let verb = if fits { decision.verb().to_owned() } else { String::new() };
    let back = words::link(&delivery);
    let fields = vec![("update_time", delivery.updated_at.to_string())];
    page::show(&Confirm { frame, words, facts, verb, fields, reasoned: false, back })
}

/// The delivery that a person was asked about.
#[derive(Deserialize)]
pub(crate) struct Seen {
    #[serde(default)]
    update_time: String,
}

/// Decides one delivery, as it stood when a person was asked about it.
pub(crate) async fn do_one(
    State(desk): State<Desk>,
    Extension(visitor): Extension<Visitor>,
    Path((id, decision)): Path<(String, Decision)>,
    Form(Seen { update_time }): Form<Seen>,
) -> Shown {
    let want = || Error::invalid("update_time", "is missing; open the page again").because("MISSING");
    let seen = Some(filter::moment("update_time", &update_time)?.ok_or_else(want)?);
    let (id, actor): (DeliveryId, Actor) = (id.parse()?, visitor.name.parse()?);
    let delivery = match decision.resolution() {
        None => desk.hub.replay(id, seen, &actor).await?,
        Some(resolution) => desk.hub.resolve(id, resolution, seen, &actor).await?,
    };
    let done = Done { done: decision.past().to_owned(), count: Some(1), ..Done::default() };
    let to = words::link(&delivery);
    let (path, place) = to.split_once('#').unwrap_or((&to, ""));
    Ok(Redirect::to(&format!("{path}?{}#{place}", done.query())).into_response())
}

/// Asks about all deliveries of a selection, and says how many there are.
pub(crate) async fn ask_all(
    State(desk): State<Desk>,
    Extension(visitor): Extension<Visitor>,
    decision: Option<Path<Decision>>,
    Query(filter): Query<Filter>,
) -> Shown {
    let decision = decision.map_or(Decision::Replay, |Path(decision)| decision);
    let actor: Actor = visitor.name.parse()?;
    let selection = selection(&filter)?;
    let Decided { count, previewed_at, .. } = decide(&desk, decision, &selection, true, &actor).await?;
    let words = match count {
        0 => "Nothing fits this selection.".to_owned(),
        1 => decision.words().to_owned(),
        _ => format!("This happens to each of them. {}", decision.words()),
    };
    let or = |text: &str, none: &'static str| if text.is_empty() { none.to_owned() } else { text.to_owned() };
    let facts = vec![
        fact("How many", show::count(&count)),
        fact("Account", or(&filter.account, "all")),
        fact("Reason", or(&filter.reason, "any")),
        fact("Created since", or(&filter.since, "ever")),
        fact("Created until", or(&filter.until, "now")),
    ];
    let title = format!("{} in bulk", decision.verb());
    let verb =
        if count == 0 { String::new() } else { format!("{} {}", decision.verb(), show::count(&count)) };
    let state = if decision == Decision::Replay { "dead" } else { "in_doubt" };
    let back = format!("/deliveries?{}", Filter { state: state.to_owned(), ..filter.clone() }.query());
    let frame = Frame::new(title, "Deliveries", visitor, desk.now());
    let fields = vec![
        ("account", filter.account),
        ("reason", filter.reason),
        ("since", filter.since),
        ("until", filter.until),
        ("preview_time", previewed_at.map(|at| at.to_string()).unwrap_or_default()),
    ];
    page::show(&Confirm { frame, words, facts, verb, fields, reasoned: false, back })
}

/// What a person was asked about.
#[derive(Deserialize)]
pub(crate) struct Asked {
    #[serde(flatten)]
    filter: Filter,
    #[serde(default)]
    preview_time: String,
}

/// Decides the deliveries of a selection that a person was asked about, as many as one call takes.
pub(crate) async fn do_all(
    State(desk): State<Desk>,
    Extension(visitor): Extension<Visitor>,
    decision: Option<Path<Decision>>,
    Form(Asked { filter, preview_time }): Form<Asked>,
) -> Shown {
    let decision = decision.map_or(Decision::Replay, |Path(decision)| decision);
    let actor: Actor = visitor.name.parse()?;
    let previewed_at = filter::moment("preview_time", &preview_time)?;
    let selection = Selection { previewed_at, ..selection(&filter)? };
    let Decided { count, refused, left, .. } = decide(&desk, decision, &selection, false, &actor).await?;
    let done = Done {
        done: decision.past().to_owned(),
        count: Some(count),
        refused: Some(refused),
        left: Some(left),
    };
    let state = if decision == Decision::Replay { "dead" } else { "in_doubt" };
    let list = Filter { state: state.to_owned(), ..filter }.query();
    Ok(Redirect::to(&format!("/deliveries?{list}&{}", done.query())).into_response())
}

async fn decide(
    desk: &Desk,
    decision: Decision,
    selection: &Selection,
    preview: bool,
    actor: &Actor,
) -> Result<Decided> {
    match decision.resolution() {
        None => desk.hub.replay_all(selection, preview, actor).await,
        Some(resolution) => desk.hub.resolve_all(selection, resolution, preview, actor).await,
    }
}

fn selection(filter: &Filter) -> Result<Selection> {
    let of = filter.deliveries()?;
    let reason = filter.reason().map(str::to_owned);
    Ok(Selection { account: of.account, reason, since: of.since, until: of.until, previewed_at: None })
}

/// What can be done to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Halt {
    /// Stops its deliveries.
    Pause,
    /// Lets them go on.
    Resume,
}

/// Asks about an account.
pub(crate) async fn ask_account(
    State(desk): State<Desk>,
    Extension(visitor): Extension<Visitor>,
    Path((id, halt)): Path<(AccountName, Halt)>,
) -> Shown {
    let id = id.parse()?;
    let standings = desk.hub.stats(Some(&id)).await?;
    let standing = page::found(standings.into_iter().next(), "account")?;
    let (verb, words) = match (halt, &standing.paused) {
        (Halt::Pause, None) => (
            "Pause",
            "Nothing more is sent for this account until a person resumes it. Conversions are still recorded.",
        ),
        (Halt::Resume, Some(_)) => (
            "Resume",
            "Deliveries go on where they stopped, the oldest of each click first. If the network still refuses the \
             account, it is paused again at the next attempt.",
        ),
        (Halt::Pause, Some(_)) => ("", "The account is paused already."),
        (Halt::Resume, None) => ("", "The account is at work already."),
    };
    let mut facts =
        vec![fact("Account", id.to_string()), fact("Pending", show::count(&standing.stats.pending))];
    facts.extend(standing.paused.map(|paused| fact("Paused for", show::long(&paused.reason.to_string()))));
    let title = if halt == Halt::Pause { "Pause an account" } else { "Resume an account" };
    let frame = Frame::new(title, "Overview", visitor, desk.now());
    let reasoned = halt == Halt::Pause && !verb.is_empty();
    let (words, verb, back) = (words.to_owned(), verb.to_owned(), format!("/accounts/{id}"));
    page::show(&Confirm { frame, words, facts, verb, fields: Vec::new(), reasoned, back })
}

/// An account's name, to be parsed.
pub(crate) type AccountName = String;

#[derive(Deserialize)]
pub(crate) struct Why {
    #[serde(default)]
    why: String,
}

/// Pauses or resumes an account.
pub(crate) async fn do_account(
    State(desk): State<Desk>,
    Extension(visitor): Extension<Visitor>,
    Path((id, halt)): Path<(AccountName, Halt)>,
    Form(Why { why }): Form<Why>,
) -> Shown {
    let (id, actor): (AccountId, Actor) = (id.parse()?, visitor.name.parse()?);
    let done = match halt {
        Halt::Pause => {
            let before = desk.hub.stats(Some(&id)).await?.into_iter().any(|it| it.paused.is_some());
            desk.hub.pause(&id, &why, &actor).await?;
            if before { "kept" } else { "paused" }
        }
        Halt::Resume => desk.hub.resume(&id, &actor).await.map(|_| "resumed")?,
    };
    Ok(Redirect::to(&format!("/accounts/{id}?done={done}")).into_response())
}

/// What an action came to, as the address of the page after it says.
#[derive(Debug, Default)]
struct Done {
    done: String,
    count: Option<u64>,
    refused: Option<u64>,
    left: Option<u64>,
}

impl Done {
    fn query(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("done", &self.done);
        for (name, count) in [("count", self.count), ("refused", self.refused), ("left", self.left)] {
            if let Some(count) = count {
                query.append_pair(name, &count.to_string());
            }
        }
        query.finish()
    }
}

/// What an action came to, in words; only words of ours, whatever the address says.
pub(crate) fn done(query: &str) -> Option<String> {
    let said = |name: &str| form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name);
    let count = |name: &str| said(name).and_then(|(_, value)| value.parse::<u64>().ok()).unwrap_or_default();
    let (_, done) = said("done")?;
    match done.as_ref() {
        "paused" => return Some("The account is paused.".to_owned()),
        "kept" => return Some("The account was paused before, and the first reason stays.".to_owned()),
        "resumed" => return Some("The account goes on.".to_owned()),
        _ => {}
    }
    let all = [Decision::Replay, Decision::Delivered, Decision::Resend];
    let past = all.into_iter().map(Decision::past).find(|past| *past == done)?;
    let mut words = match count("count") {
        1 => format!("One delivery is {past}."),
        many => format!("{} deliveries are {past}.", show::count(&many)),
    };
    let (refused, left) = (count("refused"), count("left"));
    if refused > 0 {
        words += &format!(" {} no longer stood so and are left as they are.", show::count(&refused));
    }
    if left > 0 {
        words += &format!(" {} more are left: do it again for them.", show::count(&left));
    }
    Some(words)
}

/// A form that was refused before its page saw it.
impl From<axum::extract::rejection::FormRejection> for Failed {
    fn from(rejection: axum::extract::rejection::FormRejection) -> Self {
        Failed::from(Error::invalid("form", rejection.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_is_told_in_words_of_ours_alone() {
        assert_eq!(done("done=paused").unwrap(), "The account is paused.");
        assert!(done("done=kept").unwrap().ends_with("the first reason stays."));
        assert_eq!(done("done=replayed&count=1").unwrap(), "One delivery is replayed.");
        assert_eq!(
            done("state=dead&done=marked+delivered&count=1000&refused=2&left=30").unwrap(),
            "1,000 deliveries are marked delivered. 2 no longer stood so and are left as they are. 30 more are left: \
             do it again for them."
        );
        assert_eq!(done("done=%3Cscript%3E&count=1"), None);
        assert_eq!(done("state=dead"), None);
    }
}
