//! Describes a server error: its code, message and origin, without the content of rows, because the description is
//! written to the log and to a file that everyone may read.

use crate::domain::text::cut;
use postgres::error::{DbError, SqlState};

/// The longest message kept, in characters. A trigger may raise any text, and the trigger's name must fit into the
/// line of the log as well.
const MESSAGE_MAX: usize = 110;
/// The longest name of a function with its arguments.
const FUNCTION_MAX: usize = 70;

/// An error of the statement: SQLSTATE, message, detail and hint. The driver's own text would be only "db error".
pub(super) fn describe(error: &DbError) -> String {
    // The detail of errors of these classes quotes the row or a value of it.
    let quotes = matches!(class(error), "22" | "23" | "44");
    let more = [error.detail().filter(|_| !quotes), error.hint()];
    let mut text = headline(error);
    for more in more.into_iter().flatten() {
        text = format!("{text} ({})", brief(more, MESSAGE_MAX));
    }
    text
}

/// An error of a row: SQLSTATE, message, and the trigger or constraint. The detail is omitted, because it may quote
/// the row whatever the SQLSTATE is.
pub(super) fn refusal(error: &DbError) -> String {
    let text = headline(error);
    match context(error).and_then(function) {
        Some(function) => format!("{text} ({})", brief(function, FUNCTION_MAX)),
        None => text,
    }
}

/// The context of the error; `None` if it came from the statement itself. With `log_parameter_max_length_on_error`, a
/// server adds the parameters to the context of every error.
pub(super) fn context(error: &DbError) -> Option<&str> {
    let context = error.where_()?.trim_end();
    let (before, last) = context.rsplit_once('\n').unwrap_or(("", context));
    let context = if last.contains("$1 = ") { before } else { context };
    Some(context).filter(|context| !context.is_empty())
}

/// The outermost function in a context: usually the trigger's. A statement between two functions may quote the row
/// and is not shown. The names of the languages are the same whatever the server's language.
fn function(context: &str) -> Option<&str> {
    context.lines().rfind(|line| line.contains("PL/") || line.starts_with("SQL function"))
}

/// SQLSTATE and message, with the constraint and the column if the message does not name them.
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

/// A message about a value that does not fit, without the value: the text from the first quotation mark to the last
/// is replaced.
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
