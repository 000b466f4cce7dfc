//! The names of push events.

/// The longest name of an event, in characters (docs/kick.md §2.5).
const NAME_LEN_MAX: usize = 200;

/// Reads comma-separated names, spelled as Kick spells them. The error completes the sentence "`PUSH_LIVE_EVENTS`'
/// value …".
pub(super) fn parse(text: &str) -> Result<Vec<String>, String> {
    let mut names: Vec<String> = Vec::new();
    for name in text.split(',').map(str::trim) {
        if name.is_empty() {
            return Err("has an empty name; expected names separated by single commas".to_owned());
        }
        if name.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err("has a name with a space in it; expected names separated by commas".to_owned());
        }
        if name.chars().count() > NAME_LEN_MAX {
            return Err(format!("has a name that is too long; expected at most {NAME_LEN_MAX} characters"));
        }
        if names.iter().any(|before| before == name) {
            return Err("has the same name twice; expected each once".to_owned());
        }
        names.push(name.to_owned());
    }
    Ok(names)
}
