//! Which columns an SQL condition names, as far as its text tells: for the grants that `DB_FILTER` needs. Without a
//! database nobody can be sure, so a reader sees the result in a statement before it is run.

/// Words of SQL that are no columns, beside functions, types behind `::`, and names in front of a dot.
const WORDS: &str = " all and any array as asc asymmetric at between both by case cast collate current_catalog \
    current_date current_role current_schema current_time current_timestamp current_user day desc distinct else end \
    escape exists false filter for from group having hour ilike in interval is isnull leading like limit localtime \
    localtimestamp minute month not notnull null nulls offset on or order over overlaps placing precision row second \
    select session_user similar some symmetric then time to trailing true union unknown user using varying when where \
    with without within year zone ";

/// A part of the text that matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// A bare name, in lower case as SQL folds it.
    Bare(String),
    /// A name in double quotes.
    Quoted(String),
    /// A literal in single or dollar quotes.
    Literal,
    /// Anything else: a character, or `::`.
    Mark(&'static str),
}

/// The columns, each once, in the order in which they come. A subquery is passed over, with what it names.
pub(super) fn named(filter: &str) -> Vec<String> {
    let tokens = tokens(filter);
    let mut columns: Vec<String> = Vec::new();
    let (mut depth, mut subquery) = (0_u32, None);
    for (n, token) in tokens.iter().enumerate() {
        // The names in front of a dot belong to it.
        let is_qualified = |n: usize| n >= 2 && tokens[n - 1] == Token::Mark(".");
        let first = std::iter::successors(Some(n), |n| is_qualified(*n).then(|| n - 2)).last().unwrap_or(n);
        let (before, after) = (first.checked_sub(1).and_then(|n| tokens.get(n)), tokens.get(n + 1));
        match token {
            Token::Mark("(") => {
                depth += 1;
                if after == Some(&Token::Bare("select".to_owned())) {
                    subquery = subquery.or(Some(depth));
                }
            }
            Token::Mark(")") => {
                subquery = subquery.filter(|begun| *begun < depth);
                depth = depth.saturating_sub(1);
            }
            _ if subquery.is_some() => {}
            Token::Bare(name) | Token::Quoted(name) => {
                let is_word = matches!(token, Token::Bare(_)) && WORDS.contains(&format!(" {name} "));
                let is_other = matches!(after, Some(Token::Mark("(" | ".") | Token::Literal));
                let behind = |word: &str| matches!(before, Some(Token::Bare(before)) if before == word);
                let is_type = before == Some(&Token::Mark("::")) || behind("as") || behind("collate");
                if !is_word && !is_other && !is_type && !columns.contains(name) {
                    columns.push(name.clone());
                }
            }
            Token::Literal | Token::Mark(_) => {}
        }
    }
    columns
}

fn tokens(mut text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    while let Some(first) = text.chars().next() {
        let rest = &text[first.len_utf8()..];
        let letter = |c: char| c.is_alphabetic() || c == '_' || !c.is_ascii();
        text = match first {
            _ if text.starts_with("--") => text.find('\n').map_or("", |end| &text[end..]),
            _ if text.starts_with("/*") => rest.find("*/").map_or("", |end| &rest[end + 2..]),
            _ if text.starts_with("::") => {
                tokens.push(Token::Mark("::"));
                &text[2..]
            }
            '\'' => {
                let escapes = matches!(tokens.last(), Some(Token::Bare(name)) if name == "e");
                if escapes {
                    tokens.pop();
                }
                tokens.push(Token::Literal);
                quoted(rest, '\'', escapes).1
            }
            '"' => {
                let (name, rest) = quoted(rest, '"', false);
                tokens.push(Token::Quoted(name));
                rest
            }
            '$' if dollars(text).is_some() => {
                let (tag, body) = dollars(text).unwrap_or_default();
                tokens.push(Token::Literal);
                body.find(tag).map_or("", |end| &body[end + tag.len()..])
            }
            c if letter(c) => {
                let end = text.find(|c: char| !(letter(c) || c.is_ascii_digit() || c == '$')).unwrap_or(text.len());
                tokens.push(Token::Bare(text[..end].to_ascii_lowercase()));
                &text[end..]
            }
            c if c.is_ascii_digit() => {
                // With the letter of an exponent, which is no name.
                let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '.')).unwrap_or(text.len());
                &text[end..]
            }
            c => {
                let mark = match c {
                    '(' => Some("("),
                    ')' => Some(")"),
                    '.' => Some("."),
                    c if c.is_whitespace() => None,
                    _ => Some(""),
                };
                tokens.extend(mark.map(Token::Mark));
                rest
            }
        };
    }
    tokens
}

/// The text up to the closing quote, with doubled quotes taken as one, and what follows.
fn quoted(text: &str, quote: char, escapes: bool) -> (String, &str) {
    let mut content = String::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if escapes && c == '\\' {
            chars.next();
        } else if c != quote {
            content.push(c);
        } else if chars.next_if(|(_, next)| *next == quote).is_some() {
            content.push(quote);
        } else {
            return (content, &text[at + c.len_utf8()..]);
        }
    }
    (content, "")
}

/// The tag that begins a text in dollar quotes (`$$`, `$tag$`), and what follows.
fn dollars(text: &str) -> Option<(&str, &str)> {
    let end = text[1..].find(|c: char| !(c.is_alphanumeric() || c == '_'))? + 1;
    let is_tag = text[end..].starts_with('$') && !text[1..].starts_with(|c: char| c.is_ascii_digit());
    is_tag.then(|| text.split_at(end + 1))
}

#[cfg(test)]
mod tests {
    use super::named;

    #[test]
    fn columns_are_told_from_words_functions_types_and_literals() {
        for (filter, columns) in [
            ("enabled", "enabled"),
            ("enabled AND platform = 'kick'", "enabled platform"),
            ("Enabled AND NOT \"Black List\" -- and not secret", "enabled Black List"),
            ("lower(platform) = 'kick' /* or other */ OR kind IN ('a', 'b')", "platform kind"),
            ("streamers.enabled AND public.streamers.platform = 'it''s'", "enabled platform"),
            ("deleted_at IS NULL AND created > now() - interval '1 day'", "deleted_at created"),
            ("date_trunc('day', seen)::date = date '2026-01-01' AND kind::pg_catalog.text = $$a b$$", "seen kind"),
            ("CAST(kind AS state) = E'it\\'s kind2' AND n BETWEEN 1e3 AND 2.5", "kind n"),
            ("name COLLATE \"C\" = 'x' AND tags @> ARRAY['a'] AND (data->>'k') = 'v'", "name tags data"),
            ("EXISTS (SELECT 1 FROM plans AS p WHERE (p.id) = 7) AND plan_id = ANY ('{1,2}'::int[])", "plan_id"),
            ("extract(year FROM born) > 1990 AND \"say \"\"hi\"\"\"", "born say \"hi\""),
            ("über AND $tag$ x $y$ z $tag$ = a$1", "über a$1"),
            ("'never closed", ""),
            ("$", ""),
            ("", ""),
        ] {
            assert_eq!(named(filter).join(" "), columns, "{filter}");
        }
    }
}
