//! The parameters of one call, as a network's server reads them: query first, then form; the last of a name wins.

/// Parameters in the order in which they came.
pub(crate) struct Params<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Params<'a> {
    pub(crate) fn new(pairs: impl IntoIterator<Item = &'a (String, String)>) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.trim(), value.as_str())).collect())
    }

    /// The value of `name`, where it was given and is not empty.
    pub(crate) fn given(&self, name: &str) -> Option<&'a str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// The value of `name`, where it was given, empty or not.
    pub(crate) fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().rev().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    /// Whether `name` is the flag `1`.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.get(name) == Some("1")
    }

    /// What a reviewer of the call should see: names that the document does not have, and names given twice.
    pub(crate) fn remarks(&self, documented: &[&[&str]]) -> Vec<String> {
        let mut remarks = Vec::new();
        for (at, (name, _)) in self.0.iter().enumerate() {
            if !documented.iter().any(|names| names.contains(name)) {
                remarks.push(format!("`{}` is not a parameter of this call: passed over", short(name)));
            } else if self.0[..at].iter().any(|(earlier, _)| earlier == name) {
                remarks.push(format!("`{name}` was given more than once: the last one counts"));
            }
        }
        remarks.truncate(MOST_REMARKS);
        remarks
    }
}

/// At most so many remarks are kept about one call's names.
const MOST_REMARKS: usize = 32;

/// The first characters of a text that may be long.
pub(crate) fn short(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
        of.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_last_value_of_a_name_wins_and_is_remarked_on() {
        let pairs = pairs(&[("qci", "a"), ("qci", "b"), ("utm", "x"), ("empty", "")]);
        let params = Params::new(&pairs);
        assert_eq!(params.get("qci"), Some("b"));
        assert_eq!(params.get("empty"), Some(""));
        assert_eq!(params.given("empty"), None);
        assert_eq!(
            params.remarks(&[&["qci", "empty"]]),
            [
                "`qci` was given more than once: the last one counts",
                "`utm` is not a parameter of this call: passed over"
            ]
        );
    }
}
