//! An error of the server's in words: its code, its message, where it comes from, and nothing of what the
//! rows hold, for these words stand in the log and in a file that everybody may read.

use crate::domain::text::cut;
use postgres::error::{DbError, SqlState};

/// The longest message of the server's, in characters; a trigger may say anything, and its name is to fit into
/// the line of the log, too.
const MESSAGE_MAX: usize = 110;
/// The longest name of a function with its arguments.
const FUNCTION_MAX: usize = 70;

/// An error that is the statement's: SQLSTATE, message, detail and hint; the driver alone would say "db error".
pub(super) fn describe(error: &DbError) -> String {
    // The detail of these quotes the row, or a value of it.
    let quotes = matches!(class(error), "22" | "23" | "44");
    let more = [error.detail().filter(|_| !quotes), error.hint()];
    let mut text = headline(error);
    for more in more.into_iter().flatten() {
        text = format!("{text} ({})", brief(more, MESSAGE_MAX));
    }
    text
}

/// An error that is a row's: SQLSTATE, message, the trigger or the constraint. A detail may quote the row,
/// whatever the SQLSTATE.
pub(super) fn refusal(error: &DbError) -> String {
    let text = headline(error);
    match context(error).and_then(function) {
        Some(function) => format!("{text} ({})", brief(function, FUNCTION_MAX)),
        None => text,
    }
}

/// What the error says of where it comes from; nothing when it comes from the statement itself. A server
/// that is told to (`log_parameter_max_length_on_error`) adds the parameters to every error.
pub(super) fn context(error: &DbError) -> Option<&str> {
    let context = error.where_()?.trim_end();
    let (before, last) = context.rsplit_once('\n').unwrap_or(("", context));
    let context = if last.contains("$1 = ") { before } else { context };
    Some(context).filter(|context| !context.is_empty())
}

/// The outermost function of a context: the trigger's, as a rule. A statement between two functions may
/// quote the row and is not told. The languages' names are the same in every language of the server's.
fn function(context: &str) -> Option<&str> {
    context.lines().rfind(|line| line.contains("PL/") || line.starts_with("SQL function"))
}

/// SQLSTATE and message, with the constraint and the column where the message does not name them.
fn headline(error: &DbError) -> String {
    let encoding = [SqlState::CHARACTER_NOT_IN_REPERTOIRE, SqlState::UNTRANSLATABLE_CHARACTER].contains(error.code());
    let message = brief(error.message(), MESSAGE_MAX);
    let message = if class(error) == "22" && !encoding { masked(&message) } else { message };
    let mut text = format!("{}: {message}", error.code().code());
    for (what, name) in [("constraint", error.constraint()), ("column", error.column()), ("table", error.table())] {
        if let Some(name) = name.filter(|name| !text.contains(&format!("\"{name}\""))) {
            text.push_str(&format!(", {what} \"{name}\""));
        }
    }
    text
}

/// A message about a value that does not fit, without the value: from the first quotation mark to the last.
fn masked(message: &str) -> String {
    match (message.find('"'), message.rfind('"')) {
        (Some(first), Some(last)) if first < last => format!("{}\"…\"{}", &message[..first], &message[last + 1..]),
        (Some(first), _) => format!("{}\"…", &message[..first]),
        _ => message.to_owned(),
    }
}

fn class(error: &DbError) -> &str {
    error.code().code().get(..2).unwrap_or_default()
}

fn brief(text: &str, most: usize) -> String {
    cut(text, most).unwrap_or_else(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{function, masked};

    #[test]
    fn a_value_is_not_told() {
        assert_eq!(
            masked("invalid input syntax for type integer: \"a \"b\"\""),
            "invalid input syntax for type integer: \"…\""
        );
        assert_eq!(
            masked("value \"12\" is out of range for type integer"),
            "value \"…\" is out of range for type integer"
        );
        assert_eq!(masked("value \"cut"), "value \"…");
        assert_eq!(masked("division by zero"), "division by zero");
    }

    #[test]
    fn the_outermost_function_is_named_and_no_statement() {
        let context = "PL/pgSQL function inner(text) line 1 at RAISE\nSQL statement \"SELECT inner('a@b.c')\"\n\
                       PL/pgSQL function outer() line 2 at PERFORM";
        assert_eq!(function(context), Some("PL/pgSQL function outer() line 2 at PERFORM"));
        assert_eq!(function("SQL function \"f\" statement 1"), Some("SQL function \"f\" statement 1"));
        assert_eq!(function("while updating tuple (0,1) in relation \"streamers\""), None);
    }
}
