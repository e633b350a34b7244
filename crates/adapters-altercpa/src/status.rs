//! Status words: how the network recognizes one, and how ours are sent so that it does.

use postback_core::{Error, Result, Status, quoted};
use serde::Deserialize;

use crate::{action::Action, fields::Fields, form::Form, table::Table};

/// The words by which the six statuses are sent (AC-18, AC-19).
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Words {
    /// For [`Status::New`]: `new`.
    pub new: String,
    /// For [`Status::Processing`]: `processing`, always sent with `stw` that names it.
    pub processing: String,
    /// For [`Status::Hold`]: `hold`.
    pub hold: String,
    /// For [`Status::Approved`]: `approve`.
    pub approved: String,
    /// For [`Status::Cancelled`]: `cancel`.
    pub cancelled: String,
    /// For [`Status::Trash`]: `trash`.
    pub trash: String,
}

impl Default for Words {
    fn default() -> Self {
        let [new, processing, hold, approved, cancelled, trash] =
            ["new", "processing", "hold", "approve", "cancel", "trash"].map(str::to_owned);
        Self { new, processing, hold, approved, cancelled, trash }
    }
}

impl Words {
    /// The word that is sent for a status.
    pub fn of<'a>(&'a self, status: &'a Status) -> &'a str {
        match status {
            Status::New => &self.new,
            Status::Processing => &self.processing,
            Status::Hold => &self.hold,
            Status::Approved => &self.approved,
            Status::Cancelled => &self.cancelled,
            Status::Trash => &self.trash,
            Status::Own(word) => word,
        }
    }

    pub(crate) fn check(&self) -> Result<()> {
        let all = [
            ("words.new", &self.new),
            ("words.processing", &self.processing),
            ("words.hold", &self.hold),
            ("words.approved", &self.approved),
            ("words.cancelled", &self.cancelled),
            ("words.trash", &self.trash),
        ];
        all.iter().try_for_each(|(field, word)| check_word(field, word))?;
        for (at, (field, word)) in all.iter().enumerate() {
            if let Some((first, _)) = all[..at].iter().find(|(_, other)| other.eq_ignore_ascii_case(word)) {
                return Err(Error::invalid(
                    *field,
                    format!("`{}` is the word of {first} already", quoted(word)),
                ));
            }
        }
        Ok(())
    }
}

/// The lists' parameters and what each means, in the order in which the network reads them (AC-5).
static LISTS: [(&str, Status); 6] = [
    ("sta", Status::Approved),
    ("stc", Status::Cancelled),
    ("stt", Status::Trash),
    ("sth", Status::Hold),
    ("stw", Status::Processing),
    ("stn", Status::New),
];

/// An account's own status words: `sta`, `stc`, `stt`, `sth`, `stw` and `stn`, in this order (AC-5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lists(pub [Vec<String>; 6]);

/// What the network makes of a status word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recognized {
    /// An own list holds the word.
    Listed(Status),
    /// The network is known to take the word so by itself.
    Automatic(Status),
    /// Nobody knows.
    Unknown,
}

impl Recognized {
    /// What the word means, where that is known.
    pub fn status(&self) -> Option<&Status> {
        match self {
            Self::Listed(status) | Self::Automatic(status) => Some(status),
            Self::Unknown => None,
        }
    }
}

/// What the network makes of `word`: the first of `sta`, `stc`, `stt`, `sth`, `stw`, `stn` that holds it decides
/// (AC-5), whatever its case, else the words that it recognizes by itself (AC-18), which are lower case.
pub fn recognize(word: &str, lists: &Lists) -> Recognized {
    let listed = lists.each().find(|(_, _, words)| words.iter().any(|own| own.eq_ignore_ascii_case(word)));
    match listed {
        Some((_, status, _)) => Recognized::Listed(status.clone()),
        None => automatic(word).map_or(Recognized::Unknown, Recognized::Automatic),
    }
}

fn automatic(word: &str) -> Option<Status> {
    Some(match word {
        "n" | "new" | "create" | "created" | "make" => Status::New,
        "a" | "accept" | "accepted" | "approve" | "approved" | "confirm" | "confirmed" => Status::Approved,
        "c" | "d" | "decline" | "declined" | "cancel" | "cancelled" | "canceled" => Status::Cancelled,
        "t" | "trash" | "error" | "wrong" | "reject" | "bad" => Status::Trash,
        "hold" => Status::Hold,
        _ => return None,
    })
}

impl Lists {
    fn each(&self) -> impl Iterator<Item = (&'static str, &'static Status, &Vec<String>)> {
        LISTS.iter().zip(&self.0).map(|((name, meaning), words)| (*name, meaning, words))
    }

    /// Refuses a word that cannot stand in a list, or stands in two.
    pub(crate) fn check(&self) -> Result<()> {
        let mut seen: Vec<(&str, &str)> = Vec::new();
        for (list, _, words) in self.each() {
            for word in words {
                check_word(list, word)?;
                if let Some((first, _)) = seen.iter().find(|(_, other)| other.eq_ignore_ascii_case(word)) {
                    return Err(Error::invalid(
                        list,
                        format!("`{}` is in `{first}` already; want it once", quoted(word)),
                    ));
                }
                seen.push((list, word));
            }
        }
        Ok(())
    }

    /// These lists, those of `fields` in their place, or `None` where `fields` has none.
    fn over(&self, fields: &mut Fields) -> Result<Option<Self>> {
        let mut lists = self.clone();
        let mut replaced = false;
        for ((name, _), words) in LISTS.iter().zip(&mut lists.0) {
            if let Some(own) = fields.take(name) {
                *words = own.split(',').map(|word| word.trim().to_owned()).collect();
                replaced = true;
            }
        }
        if replaced {
            lists.check().map_err(|error| {
                let field = format!("fields.{}", error.field().unwrap_or_default());
                error.at(field)
            })?;
        }
        Ok(replaced.then_some(lists))
    }

    /// These lists, changed as little as makes the network take `word` for `status`.
    fn teaching(self, word: &str, status: &Status) -> Self {
        if recognize(word, &self).status() == Some(status) {
            return self;
        }
        let mut lists = self.without(word);
        for ((_, meaning), words) in LISTS.iter().zip(&mut lists.0) {
            if meaning == status {
                words.push(word.to_owned());
            }
        }
        lists
    }

    /// These lists, none of which holds `word`.
    fn without(mut self, word: &str) -> Self {
        self.0.iter_mut().for_each(|words| words.retain(|own| !own.eq_ignore_ascii_case(word)));
        self
    }

    fn write(&self, form: &mut Form) {
        for (name, _, words) in self.each() {
            if !words.is_empty() {
                form.add(name, words.join(","));
            }
        }
    }
}

/// How a lead's state is told.
pub(crate) struct Telling<'a> {
    /// Whether the lead is there already.
    pub(crate) action: Action,
    /// The state, where one is told.
    pub(crate) status: Option<&'a Status>,
    /// The account's own words.
    pub(crate) lists: &'a Lists,
    /// The words of the six statuses.
    pub(crate) words: &'a Words,
    /// The account's status ids.
    pub(crate) status_ids: &'a Table,
}

impl Telling<'_> {
    /// Writes the status by word, by `accept` or by `stid`, and the cancel reason (AC-4, AC-5).
    pub(crate) fn write(
        &self,
        fields: &mut Fields,
        form: &mut Form,
        warnings: &mut Vec<String>,
    ) -> Result<()> {
        let replaced = self.lists.over(fields)?;
        let accept = fields.take("accept").filter(|flag| flag == "1");
        let stid = fields.take("stid");
        if [self.status.is_some(), accept.is_some(), stid.is_some()].iter().filter(|said| **said).count() > 1
        {
            let field = if accept.is_some() { "fields.accept" } else { "fields.stid" };
            return Err(Error::invalid(field, "says the status twice; want one of status, accept and stid"));
        }
        let meant = match self.status {
            Some(status) => {
                let lists = replaced.unwrap_or_else(|| self.lists.clone());
                if self.action == Action::Change && *status == Status::New {
                    self.write_new(lists, form)?;
                    Some(Status::New)
                } else {
                    self.write_word(status, lists, form, warnings)
                }
            }
            None if replaced.is_some() => {
                return Err(Error::invalid(
                    "status",
                    "is missing; the word lists among the fields say what a status means",
                )
                .because("MISSING"));
            }
            None => match &stid {
                Some(number) => self.status_ids.status(number),
                None => (self.action == Action::Create).then_some(Status::New),
            },
        };
        if let Some(accept) = &accept {
            form.add("accept", accept);
        }
        if let Some(stid) = stid {
            form.add("stid", stid);
        }
        let meant = if accept.is_some() { Some(Status::Approved) } else { meant };
        write_reason(fields, meant.as_ref(), form)
    }

    /// Writes that a lead is new again, by a word that the network recognizes by itself, else by number: with a word of
    /// `stn` it would create a lead instead of changing one.
    fn write_new(&self, lists: Lists, form: &mut Form) -> Result<()> {
        let word = &self.words.new;
        if automatic(word) == Some(Status::New) {
            form.add("status", word);
            lists.without(word).write(form);
        } else {
            let number = self.status_ids.number("stid", "new").map_err(|error| error.at("status"))?;
            form.add("stid", number.to_string());
        }
        Ok(())
    }

    /// Writes the word and the lists that make it understood, and returns what it means.
    fn write_word(
        &self,
        status: &Status,
        lists: Lists,
        form: &mut Form,
        warnings: &mut Vec<String>,
    ) -> Option<Status> {
        let word = self.words.of(status);
        form.add("status", word);
        if !matches!(status, Status::Own(_)) {
            lists.teaching(word, status).write(form);
            return Some(status.clone());
        }
        let recognized = recognize(word, &lists);
        match &recognized {
            Recognized::Unknown => warnings.push(format!(
                "status `{}` is in none of the account's lists, and AlterCPA is not known to recognize it",
                quoted(word)
            )),
            Recognized::Automatic(Status::Trash) if word == "reject" => {
                warnings.push("status `reject` is taken as trash, not as cancelled".to_owned());
            }
            _ => {}
        }
        lists.write(form);
        recognized.status().cloned()
    }
}

fn write_reason(fields: &mut Fields, meant: Option<&Status>, form: &mut Form) -> Result<()> {
    let Some(reason) = fields.take("reason") else { return Ok(()) };
    match meant {
        Some(status @ (Status::New | Status::Processing | Status::Hold | Status::Approved)) => {
            Err(Error::invalid(
                "fields.reason",
                format!("is for a cancelled or trashed lead; the status says {status}"),
            ))
        }
        _ => {
            form.add("reason", reason);
            Ok(())
        }
    }
}

fn check_word(field: &'static str, word: &str) -> Result<()> {
    if word.is_empty() {
        return Err(Error::invalid(field, "holds an empty word").because("MISSING"));
    }
    if word.len() > 64 || word.trim() != word || word.chars().any(|c| c.is_control() || c == ',') {
        return Err(Error::invalid(
            field,
            format!(
                "`{}` is not a word; want 1 to 64 bytes without comma or control characters",
                quoted(word)
            ),
        ));
    }
    Ok(())
}
