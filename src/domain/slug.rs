//! A streamer's slug, the name in Kick's addresses, read from the username column.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// First segments of kick.com paths that are pages of the site and not streamers.
const PAGES: [&str; 25] = [
    "about",
    "api",
    "auth",
    "browse",
    "categories",
    "category",
    "clips",
    "community-guidelines",
    "dashboard",
    "following",
    "help",
    "leaderboard",
    "login",
    "mobile",
    "popout",
    "privacy-policy",
    "search",
    "settings",
    "signup",
    "subscriptions",
    "support",
    "terms-of-service",
    "transactions",
    "video",
    "videos",
];

/// The longest slug that Kick's API accepts, in characters (docs/kick.md §5.1).
const LEN_MAX: usize = 25;

/// A streamer's name in Kick's form: lower case, at most 25 letters, digits, `_` and `-` (docs/kick.md §6.4). Such a
/// name never makes Kick refuse the whole request; Kick need not know it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Slug(Arc<str>);

/// Why a username cannot be a Kick name. `Display` gives a short text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnusableName {
    /// Empty after trimming.
    #[error("the username is empty")]
    Empty,
    /// More than 25 characters.
    #[error("the username is longer than 25 characters, which Kick does not allow")]
    TooLong,
    /// The address is that of a page of the site, not of a streamer.
    #[error("the address is that of a page of Kick, not of a streamer")]
    Page,
    /// A character that does not occur in Kick names.
    #[error("the username has characters that no Kick name has (letters, digits, _ and - are allowed)")]
    BadCharacter,
}

impl Slug {
    /// Parses the username column (`DB_USERNAME_COLUMN`). Upper case, surrounding blanks, a leading `@` and a
    /// complete `https://kick.com/NAME` address are accepted.
    pub fn from_username(username: &str) -> Result<Slug, UnusableName> {
        let lower = username.trim().to_lowercase();
        let mut name = lower.as_str();
        name = name.strip_prefix("https://").or_else(|| name.strip_prefix("http://")).unwrap_or(name);
        name = name.strip_prefix("www.").unwrap_or(name);
        if let Some(path) = ["kick.com/", "player.kick.com/"].into_iter().find_map(|host| name.strip_prefix(host)) {
            name = in_address(path)?;
        }
        name = name.strip_prefix('@').unwrap_or(name).trim();
        if name.is_empty() {
            return Err(UnusableName::Empty);
        }
        if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') {
            return Err(UnusableName::BadCharacter);
        }
        if name.len() > LEN_MAX {
            return Err(UnusableName::TooLong);
        }
        Ok(Slug(name.into()))
    }

    /// The same. If the username is the slug, its text is shared: a large roster has many.
    pub(crate) fn of(username: &Arc<str>) -> Result<Slug, UnusableName> {
        Slug::from_username(username).map(|slug| if slug.0 == *username { Slug(Arc::clone(username)) } else { slug })
    }

    /// The slug as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns true if both are spellings of the same Kick name: they differ only in `_` and `-`. Two streamers
    /// cannot have such names.
    pub fn is_spelling_of(&self, other: &Slug) -> bool {
        let letters = |slug: &Slug| slug.0.bytes().filter(|byte| !matches!(byte, b'_' | b'-')).collect::<Vec<_>>();
        self == other || letters(self) == letters(other)
    }

    /// The other spelling under which Kick may know the name: a username's `_` usually becomes `-` in the slug, but
    /// not always (docs/kick.md §6.4). `None` if there is no `_`.
    pub fn dashed(&self) -> Option<Slug> {
        self.0.contains('_').then(|| Slug(self.0.replace('_', "-").into()))
    }
}

/// The name in the path of a kick.com address: `NAME/…` or `popout/NAME/…`.
fn in_address(path: &str) -> Result<&str, UnusableName> {
    let path = path.split(['?', '#']).next().unwrap_or("");
    let mut segments = path.split('/').map(str::trim).filter(|segment| !segment.is_empty());
    let first = segments.next().ok_or(UnusableName::Empty)?;
    let name = if first == "popout" { segments.next().unwrap_or(first) } else { first };
    if PAGES.contains(&name) { Err(UnusableName::Page) } else { Ok(name) }
}

impl TryFrom<String> for Slug {
    type Error = UnusableName;

    fn try_from(text: String) -> Result<Slug, UnusableName> {
        Slug::from_username(&text)
    }
}

impl From<Slug> for String {
    fn from(slug: Slug) -> String {
        slug.0.as_ref().to_owned()
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::{Slug, UnusableName};

    #[test]
    fn usernames_are_read_as_people_write_them() {
        for text in ["xqc", " XQC ", "@xQc", "https://kick.com/xqc", "https://www.kick.com/XQC/", "kick.com/xqc?a=b#c"]
        {
            assert_eq!(Slug::from_username(text).map(String::from), Ok("xqc".to_owned()), "{text:?}");
        }
    }

    #[test]
    fn an_address_of_kick_is_read_for_whose_page_it_is() {
        for address in [
            "https://kick.com/popout/xqc/chat",
            "KICK.COM/Popout/XQC",
            "https://www.kick.com/popout/xqc/chat?x=/category/y#z",
            "https://kick.com//popout//xqc/",
            "https://kick.com/xqc/videos/0199-uuid",
            "https://kick.com/xqc/chatroom",
            "https://kick.com/@xqc",
            "https://player.kick.com/xqc?autoplay=true",
        ] {
            assert_eq!(Slug::from_username(address).map(String::from), Ok("xqc".to_owned()), "{address}");
        }
        for address in [
            "https://kick.com/category/irl",
            "https://kick.com/categories",
            "kick.com/popout",
            "kick.com/popout/?x",
            "kick.com/popout/category/irl",
            "https://kick.com/Video/0199-uuid",
            "https://kick.com/browse?x=y",
            "https://kick.com/search#xqc",
            "https://kick.com/dashboard/stream",
        ] {
            assert_eq!(Slug::from_username(address), Err(UnusableName::Page), "{address}");
        }
        for name in ["popout", "@category", "search"] {
            assert!(Slug::from_username(name).is_ok(), "a bare name is a name: {name}");
        }
    }

    #[test]
    fn one_name_has_several_spellings() {
        let slug = |text| Slug::from_username(text).expect("usable");
        for other in ["sino-tf", "SINO_TF", "sinotf", "sino__tf"] {
            assert!(slug("sino_tf").is_spelling_of(&slug(other)), "{other}");
        }
        assert!(!slug("sino_tf").is_spelling_of(&slug("sino_ft")));
    }

    #[test]
    fn names_that_kick_cannot_have_are_refused() {
        let long = "a".repeat(26);
        for (text, why) in [
            ("", UnusableName::Empty),
            (" @ ", UnusableName::Empty),
            ("https://kick.com/", UnusableName::Empty),
            (long.as_str(), UnusableName::TooLong),
            ("two words", UnusableName::BadCharacter),
            ("tab\u{7}", UnusableName::BadCharacter),
            ("naïve", UnusableName::BadCharacter),
            ("https://twitch.tv/xqc", UnusableName::BadCharacter),
        ] {
            assert_eq!(Slug::from_username(text), Err(why), "{text:?}");
        }
    }

    #[test]
    fn an_underscore_may_be_a_dash_at_kick() {
        let slug = Slug::from_username("sino_tf").expect("usable");
        assert_eq!(slug.dashed().map(String::from), Some("sino-tf".to_owned()));
        assert_eq!(slug.dashed().and_then(|s| s.dashed()), None);
    }
}
