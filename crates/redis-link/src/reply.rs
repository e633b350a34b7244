//! What Redis answers, read from the bytes that came so far.

use redis::{RedisError, RedisResult, Value, parse_redis_value};

/// How deep arrays may lie in each other.
const DEEPEST: usize = 8;

/// The first answer in `bytes`, and how many of them it takes; none where its end has not come.
///
/// # Errors
/// Where these are no answers: the connection is of no use any more.
pub(crate) fn read(bytes: &[u8]) -> RedisResult<Option<(Value, usize)>> {
    let mut left = Left { bytes, at: 0 };
    match left.value(DEEPEST) {
        Ok(value) => Ok(Some((value, left.at))),
        Err(Stop::Partial) => Ok(None),
        Err(Stop::Malformed) => Err(RedisError::from((redis::ErrorKind::Parse, "that is no answer"))),
    }
}

/// Why reading ends before its time.
enum Stop {
    Partial,
    Malformed,
}

struct Left<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Left<'a> {
    fn value(&mut self, depth: usize) -> Result<Value, Stop> {
        let begin = self.at;
        let (kind, text) = self.line()?.split_first().ok_or(Stop::Malformed)?;
        match kind {
            b'+' if text == b"OK" => Ok(Value::Okay),
            b'+' | b'-' => parse_redis_value(&self.bytes[begin..self.at]).map_err(|_| Stop::Malformed),
            b':' => Ok(Value::Int(number(text)?)),
            b'$' | b'*' if text == b"-1" => Ok(Value::Nil),
            b'$' => Ok(Value::BulkString(self.text(length(text)?)?.to_vec())),
            b'*' if depth > 0 => {
                (0..length(text)?).map(|_| self.value(depth - 1)).collect::<Result<_, _>>().map(Value::Array)
            }
            _ => Err(Stop::Malformed),
        }
    }

    /// The next line, without its end.
    fn line(&mut self) -> Result<&'a [u8], Stop> {
        let rest = &self.bytes[self.at..];
        let end = rest.iter().position(|byte| *byte == b'\n').ok_or(Stop::Partial)?;
        self.at += end + 1;
        rest[..end].strip_suffix(b"\r").ok_or(Stop::Malformed)
    }

    /// So many bytes and the end of their line.
    fn text(&mut self, length: usize) -> Result<&'a [u8], Stop> {
        let (text, rest) = self.bytes[self.at..].split_at_checked(length).ok_or(Stop::Partial)?;
        let end = rest.get(..2).ok_or(Stop::Partial)?;
        self.at += length + 2;
        if end == b"\r\n" { Ok(text) } else { Err(Stop::Malformed) }
    }
}

fn number(text: &[u8]) -> Result<i64, Stop> {
    str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or(Stop::Malformed)
}

fn length(text: &[u8]) -> Result<usize, Stop> {
    usize::try_from(number(text)?).map_err(|_| Stop::Malformed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Answers as Redis writes them.
    fn answer() -> impl Strategy<Value = Vec<u8>> {
        let flat = prop_oneof![
            Just(b"+OK\r\n".to_vec()),
            Just(b"$-1\r\n".to_vec()),
            Just(b"*-1\r\n".to_vec()),
            "\\+[A-Za-z ]{0,12}\r\n".prop_map(String::into_bytes),
            "-(ERR|READONLY|NOSCRIPT|MOVED 1 a:1)( [a-z]{1,9})?\r\n".prop_map(String::into_bytes),
            any::<i64>().prop_map(|number| format!(":{number}\r\n").into_bytes()),
            proptest::collection::vec(any::<u8>(), 0..40).prop_map(|text| [
                format!("${}\r\n", text.len()).as_bytes(),
                &text,
                b"\r\n"
            ]
            .concat()),
        ];
        flat.prop_recursive(3, 20, 5, |inner| {
            proptest::collection::vec(inner, 0..5)
                .prop_map(|all| [format!("*{}\r\n", all.len()).into_bytes(), all.concat()].concat())
        })
    }

    proptest! {
        #[test]
        fn an_answer_is_read_as_the_library_reads_it_and_not_before_its_end(
            bytes in answer(), next in answer(),
        ) {
            let both = [&bytes[..], &next].concat();
            let (value, length) = read(&both).unwrap().unwrap();
            prop_assert_eq!((value, length), (parse_redis_value(&bytes).unwrap(), bytes.len()));
            for end in 0..bytes.len() {
                prop_assert!(read(&bytes[..end]).unwrap().is_none(), "{}", end);
            }
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in "[+$*:\\-]?[0-9-]{0,3}\\PC{0,5}\r?\n?\\PC{0,9}") {
            let _ = read(bytes.as_bytes());
        }
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        let deep = "*1\r\n".repeat(DEEPEST + 1);
        for wrong in ["\r\n", "+OK\n", "?\r\n", "$x\r\n", "$-2\r\n", "$1\r\nab\r\n", ":\r\n", &deep] {
            assert!(read(wrong.as_bytes()).is_err(), "{wrong:?}");
        }
    }
}
