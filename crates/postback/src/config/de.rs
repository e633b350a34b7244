//! Reads a typed section out of the tree; an error knows the line or variable that it came from.

use std::fmt;

use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Expected, IntoDeserializer, MapAccess, SeqAccess, Unexpected,
    Visitor,
    value::{MapAccessDeserializer, SeqAccessDeserializer, StrDeserializer},
};

use super::{
    Problem,
    tree::{Node, Origin, Table, Value},
};

/// What is wrong, and where.
#[derive(Debug)]
pub(crate) struct Wrong {
    message: String,
    origin: Option<Origin>,
    path: Vec<String>,
}

impl Wrong {
    fn from(mut self, origin: &Origin) -> Self {
        self.origin.get_or_insert_with(|| origin.clone());
        self
    }

    fn under(mut self, key: &str) -> Self {
        self.path.insert(0, key.to_owned());
        self
    }
}

impl de::Error for Wrong {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self { message: message.to_string(), origin: None, path: Vec::new() }
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        de::Error::custom(format!("`{field}` is no setting here; want one of {}", expected.join(", ")))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        de::Error::custom(format!("`{variant}` is not one of {}", expected.join(", ")))
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let is = match unexpected {
            Unexpected::Signed(number) => format!("`{number}`"),
            Unexpected::Unsigned(number) => format!("`{number}`"),
            other => other.to_string(),
        };
        de::Error::custom(format!("is {is}; want {}", wanted(expected)))
    }

    /// The value is left out: it may be a secret that was written in the wrong place.
    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let is = match unexpected {
            Unexpected::Str(_) => "text",
            Unexpected::Signed(_) | Unexpected::Unsigned(_) | Unexpected::Float(_) => "a number",
            Unexpected::Bool(_) => "true or false",
            Unexpected::Seq => "a list",
            Unexpected::Map => "a table",
            _ => "something else",
        };
        de::Error::custom(format!("is {is}; want {}", wanted(expected)))
    }

    fn missing_field(field: &'static str) -> Self {
        Self { message: "is missing".into(), origin: None, path: vec![field.to_owned()] }
    }
}

/// What is wanted, in words that are not Rust's.
fn wanted(expected: &dyn Expected) -> String {
    match expected.to_string().as_str() {
        "u32" => format!("a whole number from 0 to {}", u32::MAX),
        "a nonzero u32" => format!("a whole number from 1 to {}", u32::MAX),
        "u64" | "usize" => "a whole number of 0 or more".to_owned(),
        "a nonzero usize" => "a whole number of 1 or more".to_owned(),
        "a string" => "text".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a sequence" => "a list".to_owned(),
        "a map" => "a table".to_owned(),
        table if table.starts_with("struct ") => "a table".to_owned(),
        other => other.to_owned(),
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Wrong {}

/// Reads a section. Each key that is wrong becomes a problem of its own; `None` where there was any.
pub(crate) fn read<T: DeserializeOwned>(
    mut node: Node,
    path: &str,
    problems: &mut Vec<Problem>,
) -> Option<T> {
    let origin = node.origin.clone();
    let mut dropped: Vec<String> = Vec::new();
    loop {
        let wrong = match T::deserialize(node.clone()) {
            Ok(read) => return dropped.is_empty().then_some(read),
            Err(wrong) => wrong,
        };
        let key = wrong.path.first().cloned().unwrap_or_default();
        if dropped.contains(&key) {
            return None;
        }
        let full =
            [path].into_iter().chain(wrong.path.iter().map(String::as_str)).filter(|step| !step.is_empty());
        let full = full.collect::<Vec<_>>().join(".");
        problems.push(Problem::at(wrong.origin.unwrap_or_else(|| origin.clone()), &full, wrong.message));
        node.table().and_then(|table| table.remove(&key))?;
        dropped.push(key);
    }
}

macro_rules! scalars {
    ($what:literal: $($method:ident $visit:ident $type:ty),*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
            let origin = self.origin.clone();
            match &self.value {
                Value::Loose(text) => match text.parse::<$type>() {
                    Ok(number) => visitor.$visit(number),
                    Err(_) => Err(de::Error::custom(format!("`{text}` is not {}", $what))),
                },
                _ => self.deserialize_any(visitor),
            }
            .map_err(|wrong: Wrong| wrong.from(&origin))
        }
    )*};
}

impl<'de> de::Deserializer<'de> for Node {
    type Error = Wrong;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        let origin = self.origin;
        match self.value {
            Value::Text(text) | Value::Loose(text) => visitor.visit_string(text),
            Value::Integer(integer) => visitor.visit_i64(integer),
            Value::Float(float) => visitor.visit_f64(float),
            Value::Boolean(boolean) => visitor.visit_bool(boolean),
            Value::Array(items) => visitor.visit_seq(Items(items.into_iter())),
            Value::Table(table) => visitor.visit_map(Keys { rest: table.into_iter(), value: None }),
        }
        .map_err(|wrong: Wrong| wrong.from(&origin))
    }

    scalars! {
        "a number":
        deserialize_u8 visit_u64 u64, deserialize_u16 visit_u64 u64, deserialize_u32 visit_u64 u64,
        deserialize_u64 visit_u64 u64, deserialize_i8 visit_i64 i64, deserialize_i16 visit_i64 i64,
        deserialize_i32 visit_i64 i64, deserialize_i64 visit_i64 i64, deserialize_f32 visit_f64 f64,
        deserialize_f64 visit_f64 f64
    }
    scalars! { "true or false": deserialize_bool visit_bool bool }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        let origin = self.origin.clone();
        visitor.visit_newtype_struct(self).map_err(|wrong: Wrong| wrong.from(&origin))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        let Value::Loose(text) = &self.value else { return self.deserialize_any(visitor) };
        let items = text.split([',', '\n']).map(str::trim).filter(|item| !item.is_empty());
        let node = |item: &str| Node { origin: self.origin.clone(), value: Value::Loose(item.to_owned()) };
        let items: Vec<Node> = items.map(node).collect();
        SeqAccessDeserializer::new(Items(items.into_iter())).deserialize_any(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        let origin = self.origin;
        match self.value {
            Value::Text(text) | Value::Loose(text) => {
                let variant: StrDeserializer<'_, Wrong> = text.as_str().into_deserializer();
                visitor.visit_enum(variant)
            }
            Value::Table(table) => {
                let keys = Keys { rest: table.into_iter(), value: None };
                visitor.visit_enum(MapAccessDeserializer::new(keys))
            }
            _ => Err(de::Error::custom("is not a word")),
        }
        .map_err(|wrong: Wrong| wrong.from(&origin))
    }

    serde::forward_to_deserialize_any! {
        i128 u128 char str string bytes byte_buf unit unit_struct tuple tuple_struct map struct identifier
        ignored_any
    }
}

struct Items(std::vec::IntoIter<Node>);

impl<'de> SeqAccess<'de> for Items {
    type Error = Wrong;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Wrong> {
        self.0.next().map(|node| seed.deserialize(node)).transpose()
    }
}

struct Keys {
    rest: <Table as IntoIterator>::IntoIter,
    value: Option<(String, Node)>,
}

impl<'de> MapAccess<'de> for Keys {
    type Error = Wrong;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Wrong> {
        let Some((key, (origin, node))) = self.rest.next() else { return Ok(None) };
        let name: StrDeserializer<'_, Wrong> = key.as_str().into_deserializer();
        let read = seed.deserialize(name).map_err(|wrong| wrong.from(&origin).under(&key))?;
        self.value = Some((key, node));
        Ok(Some(read))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Wrong> {
        let (key, node) = self.value.take().ok_or_else(|| de::Error::custom("a value without its key"))?;
        let origin = node.origin.clone();
        seed.deserialize(node).map_err(|wrong| wrong.from(&origin).under(&key))
    }
}
