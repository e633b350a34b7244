//! The query that a visitor lands with.

use std::{borrow::Cow, iter};

use memchr::{memchr, memchr2};
use percent_encoding::percent_decode_str;

/// The raw query of a landing URL, read without changing it.
#[derive(Clone, Copy, Debug)]
pub struct LandingQuery<'a>(&'a str);

impl<'a> LandingQuery<'a> {
    /// The query, without its `?`.
    pub const fn new(raw: &'a str) -> Self {
        Self(raw)
    }

    /// Every parameter as a form has it: percent-decoded, `+` a space, what is not UTF-8 replaced.
    pub fn form(&self) -> impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)> + use<'a> {
        // Most queries have nothing to decode.
        let is_plain = !is_encoded(self.0);
        self.pairs().filter(|pair| !pair.is_empty()).map(move |pair| {
            if is_plain || !is_encoded(pair) {
                let (name, value) = parted(pair);
                (Cow::Borrowed(name), Cow::Borrowed(value))
            } else {
                form_urlencoded::parse(pair.as_bytes()).next().unwrap_or_default()
            }
        })
    }

    /// The value of the first parameter whose name `is`, percent-decoded and nothing else: click ids hold no
    /// space, so a `+` that a network forgot to encode stays a plus. `None` inside where it is not UTF-8.
    pub fn exact(&self, is: impl Fn(&str) -> bool) -> Option<Option<Cow<'a, str>>> {
        self.pairs().find_map(|pair| {
            let (name, value) = parted(pair);
            is(&decoded(name)?).then(|| decoded(value))
        })
    }

    /// The parameters as they came.
    fn pairs(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let mut rest = Some(self.0);
        iter::from_fn(move || {
            let text = rest?;
            let end = memchr(b'&', text.as_bytes());
            rest = end.map(|end| &text[end + 1..]);
            Some(&text[..end.unwrap_or(text.len())])
        })
    }

    /// Whether a value is a macro that a network did not replace: `{click_id}`, `%s`, `${...}`, `[CLICKID]`, `<...>`.
    pub fn is_macro(value: &str) -> bool {
        let wrapped = |open: &str, close: char| value.starts_with(open) && value.ends_with(close);
        value == "%s"
            || wrapped("{", '}')
            || wrapped("${", '}')
            || wrapped("[", ']')
            || wrapped("<", '>')
            || (value.len() > 2 && wrapped("%", '%'))
    }
}

/// A parameter's name and value; without an equals sign it is all name.
fn parted(pair: &str) -> (&str, &str) {
    match pair.bytes().position(|byte| byte == b'=') {
        Some(at) => (&pair[..at], &pair[at + 1..]),
        None => (pair, ""),
    }
}

/// A text without its percent-encoding; none where that is not UTF-8.
fn decoded(text: &str) -> Option<Cow<'_, str>> {
    match text.bytes().any(|byte| byte == b'%') {
        true => percent_decode_str(text).decode_utf8().ok(),
        false => Some(Cow::Borrowed(text)),
    }
}

/// Whether a form reads a text otherwise than it stands.
fn is_encoded(text: &str) -> bool {
    memchr2(b'%', b'+', text.as_bytes()).is_some()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_exact_value_is_percent_decoded_and_nothing_else() {
        let query = LandingQuery::new("a=1&id=x+y%2B%26%3D%25%2F%C3%A9&id=second");
        assert_eq!(query.exact(|name| name == "id").unwrap().unwrap(), "x+y+&=%/é");
        assert_eq!(query.exact(|name| name == "none"), None);
        assert_eq!(LandingQuery::new("id=%FF").exact(|name| name == "id"), Some(None));
        assert_eq!(LandingQuery::new("id").exact(|name| name == "id").unwrap().unwrap(), "");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_096))]

        #[test]
        fn a_form_is_what_the_standard_makes_of_it(query in "([a-c&=+é]|%[0-9a-fF]{0,2}){0,24}") {
            let ours: Vec<_> = LandingQuery::new(&query).form().collect();
            let theirs: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
            prop_assert_eq!(ours, theirs);
        }
    }

    #[test]
    fn an_unreplaced_macro_is_seen() {
        for value in ["{click_id}", "%s", "${CLICK}", "[CLICKID]", "<click>", "%CLICK%", "{}"] {
            assert!(LandingQuery::is_macro(value), "{value}");
        }
        for value in ["abc", "a{b}", "%", "100%", ""] {
            assert!(!LandingQuery::is_macro(value), "{value}");
        }
    }
}
