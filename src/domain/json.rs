//! Decodes only the parts of a JSON text that are asked for: an unpaired surrogate, a number out of range or deep
//! nesting in any other field does no harm (R5).
//!
//! A text that is not JSON is refused as a whole. Two defects are repaired first, because they may be inside a string
//! that is not needed: bytes that are not UTF-8 become U+FFFD, and control characters become blanks.

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// A value that is not decoded yet. Its syntax has been checked.
#[derive(Clone, Copy, Debug)]
pub struct Json<'a>(&'a RawValue);

/// Turns bytes into text that can be parsed: control characters become blanks. Between values that means the same,
/// and inside a string it keeps the text readable.
pub fn mended(bytes: &[u8]) -> Cow<'_, str> {
    without_controls(String::from_utf8_lossy(bytes))
}

/// The same of bytes that are text already.
pub(crate) fn without_controls(text: Cow<'_, str>) -> Cow<'_, str> {
    match text.bytes().any(|byte| byte < b' ') {
        true => Cow::Owned(text.replace(|c: char| c < ' ', " ")),
        false => text,
    }
}

impl<'a> Json<'a> {
    /// Parses a text; `None` unless the whole text is one JSON value.
    pub fn read(text: &'a str) -> Option<Json<'a>> {
        serde_json::from_str(text).ok().map(Json)
    }

    /// A field of an object; the last one if the name occurs more than once.
    pub(crate) fn get(self, name: &str) -> Option<Json<'a>> {
        let [value] = self.fields([name])?;
        value
    }

    /// Several fields of an object, in one pass. `None` for any other value.
    pub(crate) fn fields<const N: usize>(self, names: [&str; N]) -> Option<[Option<Json<'a>>; N]> {
        serde_json::Deserializer::from_str(self.0.get()).deserialize_map(Fields(names)).ok()
    }

    /// A field inside nested objects, by the names on the way to it.
    pub(crate) fn at(self, path: &[&str]) -> Option<Json<'a>> {
        path.iter().try_fold(self, |value, name| value.get(name))
    }

    /// The elements of an array.
    pub(crate) fn items(self) -> Option<Vec<Json<'a>>> {
        serde_json::Deserializer::from_str(self.0.get()).deserialize_seq(Items).ok()
    }

    /// A string. An unpaired surrogate becomes U+FFFD.
    pub(crate) fn text(self) -> Option<String> {
        let mut value = serde_json::Deserializer::from_str(self.0.get());
        let Bytes(bytes) = Bytes::deserialize(&mut value).ok()?;
        let text = String::from_utf8(bytes.into_owned());
        Some(text.unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    }

    /// A whole number within the range of `i64`, written as a number and not as a string.
    pub(crate) fn integer(self) -> Option<i64> {
        self.0.get().parse().ok()
    }

    pub(crate) fn is_null(self) -> bool {
        self.0.get() == "null"
    }

    pub(crate) fn boolean(self) -> Option<bool> {
        self.0.get().parse().ok()
    }
}

impl<'a> From<&'a RawValue> for Json<'a> {
    fn from(value: &'a RawValue) -> Json<'a> {
        Json(value)
    }
}

/// Visits an object and keeps the values of the fields with these names.
struct Fields<'n, const N: usize>([&'n str; N]);

impl<'de, const N: usize> Visitor<'de> for Fields<'_, N> {
    type Value = [Option<Json<'de>>; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = [None; N];
        // Names are read as bytes: read as text, an unpaired surrogate in any of them would be an error.
        while let Some(Bytes(name)) = map.next_key()? {
            match self.0.iter().position(|wanted| *name == *wanted.as_bytes()) {
                Some(nth) => found[nth] = Some(Json(map.next_value()?)),
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(found)
    }
}

/// Visits an array and keeps its elements.
struct Items;

impl<'de> Visitor<'de> for Items {
    type Value = Vec<Json<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(Json(item));
        }
        Ok(items)
    }
}

/// A string, as bytes that need not be valid UTF-8.
struct Bytes<'a>(Cow<'a, [u8]>);

impl<'de> Deserialize<'de> for Bytes<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Whole;

        impl<'de> Visitor<'de> for Whole {
            type Value = Bytes<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<Bytes<'de>, E> {
                Ok(Bytes(Cow::Borrowed(bytes)))
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Bytes<'de>, E> {
                Ok(Bytes(Cow::Owned(bytes.to_vec())))
            }
        }

        deserializer.deserialize_bytes(Whole)
    }
}

#[cfg(test)]
mod tests {
    use super::{Json, mended};

    #[test]
    fn what_is_asked_for_is_found_beside_what_cannot_be_decoded() {
        let text = r#" {"a":"\ud83d","\udead":1e999,"b":{"c":[1,"x",true,null]},"b":{"c":[2]},"n":-7,"t":true} "#;
        let value = Json::read(text).expect("JSON");
        assert_eq!(value.get("a").and_then(Json::text).as_deref(), Some("\u{fffd}\u{fffd}\u{fffd}"));
        let items = value.at(&["b", "c"]).and_then(Json::items).expect("an array");
        assert_eq!(items.iter().map(|item| item.integer()).collect::<Vec<_>>(), [Some(2)], "the last one counts");
        assert_eq!(value.get("n").and_then(Json::integer), Some(-7));
        assert_eq!(value.get("t").and_then(Json::boolean), Some(true));
        assert!(value.get("missing").is_none() && value.at(&["n", "x"]).is_none());
        assert!(value.get("n").and_then(Json::text).is_none() && value.get("a").and_then(Json::integer).is_none());
    }

    #[test]
    fn half_a_value_or_two_are_none() {
        for text in ["", "{", r#"{"a":1"#, r#"{"a" 1}"#, "{} {}", "[1,]", "tru", "\u{1}"] {
            assert!(Json::read(text).is_none(), "{text}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_and_control_characters_are_mended() {
        assert_eq!(mended(b"{\"a\":\n\"x\xffy\tz\"}"), "{\"a\": \"x\u{fffd}y z\"}");
        assert!(matches!(mended(b"{}"), std::borrow::Cow::Borrowed("{}")));
    }
}
