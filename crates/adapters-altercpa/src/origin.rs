//! Which lead is meant: the combinations of ids that the network takes.

use postback_core::{ClickId, Error, FlowCode, FlowId, OnAmbiguous, Repeat, Result, Source, quoted};

use crate::{action::Action, click, fields, form::Form};

/// Where a lead comes from, or by what it is found again: a click, a flow or a flow's code, each alone or with the
/// advertiser's own id of the lead (`exto`), or a lead by its id at the network (AC-2, AC-10).
///
/// A lead is changed by the same combination that created it (AC-3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    by: By,
    exto: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum By {
    Click(ClickId),
    Flow(FlowId),
    Code(FlowCode),
    Order(String),
}

impl Origin {
    /// A click.
    pub const fn click(id: ClickId) -> Self {
        Self { by: By::Click(id), exto: None }
    }

    /// A flow by its number.
    pub const fn flow(id: FlowId) -> Self {
        Self { by: By::Flow(id), exto: None }
    }

    /// A flow by its code.
    pub const fn code(code: FlowCode) -> Self {
        Self { by: By::Code(code), exto: None }
    }

    /// A lead by the id that its creation returned; for changes alone.
    pub fn order(id: impl Into<String>) -> Self {
        Self { by: By::Order(id.into()), exto: None }
    }

    /// The same, with the advertiser's own id of the lead: one pair never makes a second lead (AC-3). It must be
    /// another for each conversion: the network takes a second one under the same id for a repeat.
    #[must_use]
    pub fn exto(mut self, exto: impl Into<String>) -> Self {
        self.exto = Some(exto.into());
        self
    }

    pub(crate) fn own_id(&self) -> Option<&str> {
        self.exto.as_deref()
    }

    /// Writes the combination, or refuses one that the network does not take.
    pub(crate) fn write(&self, action: Action, form: &mut Form) -> Result<()> {
        self.check(action)?;
        form.add(self.by.parameter(), self.by.value());
        if let Some(exto) = &self.exto {
            form.add("exto", exto);
        }
        Ok(())
    }

    fn check(&self, action: Action) -> Result<()> {
        if let Some(exto) = &self.exto {
            fields::check_text("exto", exto, 128)?;
        }
        if let By::Click(id) = &self.by {
            click::check(id).map_err(|_| {
                let message = format!("`{}` is a macro that was not replaced", quoted(id.as_str()));
                Error::invalid("click_id", message)
            })?;
        }
        match (&self.by, action) {
            (By::Order(_), Action::Create) => {
                Err(Error::invalid("order", "names a lead that is there already; want a click or a flow"))
            }
            (By::Order(_), Action::Change) if self.exto.is_some() => {
                Err(Error::invalid("exto", "stands beside `order`; want one of them"))
            }
            (By::Order(id), Action::Change) if !fields::is_number(id) => {
                Err(Error::invalid("order", format!("`{}` is not a number", quoted(id))))
            }
            (By::Flow(_) | By::Code(_), Action::Change) if self.exto.is_none() => {
                Err(Error::invalid("exto", "is missing; a lead of a flow is found again by it alone")
                    .because("MISSING"))
            }
            _ => Ok(()),
        }
    }

    /// Whether a repeat makes a second lead. To change a lead twice to the same state changes nothing.
    pub(crate) fn repeat(&self, action: Action) -> Repeat {
        match (&self.exto, action) {
            (Some(exto), _) => Repeat::Keyed(exto.clone()),
            (None, Action::Change) => Repeat::Keyed(self.by.value().to_owned()),
            (None, Action::Create) => Repeat::Unkeyed(OnAmbiguous::Hold),
        }
    }
}

impl From<&Source> for Origin {
    fn from(source: &Source) -> Self {
        match source {
            Source::Click(id) => Self::click(id.clone()),
            Source::Flow(id) => Self::flow(id.clone()),
            Source::FlowCode(code) => Self::code(code.clone()),
        }
    }
}

impl By {
    const fn parameter(&self) -> &'static str {
        match self {
            Self::Click(_) => "click",
            Self::Flow(_) => "flow",
            Self::Code(_) => "code",
            Self::Order(_) => "order",
        }
    }

    fn value(&self) -> &str {
        match self {
            Self::Click(id) => id.as_str(),
            Self::Flow(id) => id.as_str(),
            Self::Code(code) => code.as_str(),
            Self::Order(id) => id,
        }
    }
}
