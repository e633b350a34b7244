//! Numbers that stand for words, and differ between installations: cancel reasons, status ids.

use std::{borrow::Cow, collections::BTreeMap};

use postback_core::{Error, Result, Status, quoted};

/// The cancel reasons that most installations share (AC-21).
pub(crate) const REASONS: &[(u32, &str)] = &[
    (1, "incorrect phone"),
    (2, "changed mind"),
    (3, "did not order"),
    (4, "needs certificate"),
    (5, "wrong geo"),
    (6, "errors or fakes"),
    (7, "duplicate"),
    (8, "ordered elsewhere"),
    (9, "expensive"),
    (10, "unhappy with delivery"),
    (11, "could not reach"),
    (12, "possible fraud"),
    (13, "other language"),
    (14, "product did not fit"),
    (15, "offer disabled"),
];

/// The status ids that most installations share (AC-20).
pub(crate) const STATUS_IDS: &[(u32, &str)] = &[
    (1, "new"),
    (2, "processing"),
    (3, "callback"),
    (4, "hold"),
    (5, "cancelled"),
    (6, "packing"),
    (7, "sending"),
    (8, "transfer"),
    (9, "arrived"),
    (10, "completed"),
    (11, "return"),
    (12, "deleted"),
];

/// Numbers and the words that they stand for at one installation.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    setting: &'static str,
    words: BTreeMap<u32, Cow<'static, str>>,
}

impl Table {
    /// The shared numbers, and over them the account's own.
    pub(crate) fn new(
        setting: &'static str,
        shared: &'static [(u32, &'static str)],
        own: &BTreeMap<String, String>,
    ) -> Result<Self> {
        let mut words: BTreeMap<u32, Cow<'static, str>> =
            shared.iter().map(|&(number, word)| (number, word.into())).collect();
        for (key, word) in own {
            let refuse = |what: String| Err(Error::invalid(format!("{setting}.{key}"), what));
            let Some(number) = key.parse().ok().filter(|&number| number > 0) else {
                return refuse(format!("`{}` is not a number above 0", quoted(key)));
            };
            if word.trim().is_empty() || word.bytes().all(|b| b.is_ascii_digit()) {
                return refuse(format!("`{}` is not words; want what the number stands for", quoted(word)));
            }
            words.insert(number, word.clone().into());
        }
        let table = Self { setting, words };
        table.check_unique()?;
        Ok(table)
    }

    /// The number that is meant, given by itself or by its words.
    pub(crate) fn number(&self, field: &'static str, said: &str) -> Result<u32> {
        let found = match said.parse::<u32>() {
            Ok(number) => self.words.contains_key(&number).then_some(number),
            Err(_) => self.named(said),
        };
        found.ok_or_else(|| {
            Error::invalid(
                format!("fields.{field}"),
                format!(
                    "`{}` is not known here; want one of {}, or name it in the account's `{}`",
                    quoted(said),
                    self.listed(),
                    self.setting
                ),
            )
        })
    }

    /// The status that a number stands for.
    pub(crate) fn status(&self, number: &str) -> Option<Status> {
        self.words.get(&number.parse().ok()?)?.to_ascii_lowercase().parse().ok()
    }

    fn named(&self, words: &str) -> Option<u32> {
        self.words.iter().find(|(_, known)| known.eq_ignore_ascii_case(words)).map(|(&number, _)| number)
    }

    fn listed(&self) -> String {
        self.words.keys().map(u32::to_string).collect::<Vec<_>>().join(", ")
    }

    fn check_unique(&self) -> Result<()> {
        for (&number, words) in &self.words {
            match self.named(words) {
                Some(first) if first != number => {
                    return Err(Error::invalid(
                        format!("{}.{number}", self.setting),
                        format!("`{}` is said of {first} already; want words of its own", quoted(words)),
                    ));
                }
                _ => {}
            }
        }
        Ok(())
    }
}
