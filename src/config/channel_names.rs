//! The templates of push channels' names.

/// The longest name of a channel, in characters (docs/kick.md §2.5).
const NAME_LEN_MAX: usize = 164;
/// What stands for the channel id in a template.
const ID: &str = "{id}";
/// Digits of the longest channel id.
const ID_LEN_MAX: usize = 19;

/// Reads comma-separated templates, each with `{id}` once and of characters that Pusher allows
/// (docs/kick.md §2.5). The error completes the sentence "`CHANNEL_NAMES`' value …".
pub(super) fn parse(text: &str) -> Result<Vec<String>, String> {
    let mut names: Vec<String> = Vec::new();
    for name in text.split(',').map(str::trim) {
        let fixed = name.replacen(ID, "", 1);
        if name.is_empty() {
            return Err("has an empty name; expected names separated by single commas".to_owned());
        }
        if fixed.len() == name.len() || fixed.contains(ID) {
            return Err("has a name without {id}, or with more than one; expected it once in each".to_owned());
        }
        if !fixed.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-=@.;".contains(&b)) {
            return Err(
                "has a character that channel names cannot have; expected letters, digits and _ - = @ . ;".into()
            );
        }
        if fixed.len() + ID_LEN_MAX > NAME_LEN_MAX {
            return Err(format!("has a name that is too long; expected at most {NAME_LEN_MAX} characters with the id"));
        }
        if names.iter().any(|before| before == name) {
            return Err("has the same name twice; expected each once".to_owned());
        }
        names.push(name.to_owned());
    }
    Ok(names)
}
