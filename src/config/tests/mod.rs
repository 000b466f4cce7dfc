//! What the configuration promises (kick-monitor.env(5)): texts in, settings or exact messages out.

mod database_url;
mod dotenv;
mod edges;
mod errors;
mod example;
mod settings;

use super::{Config, FileKind, Problem, Sources, parse};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

/// The required keys: three lines.
const REQUIRED: &str = "KICK_CLIENT_ID=id\nKICK_CLIENT_SECRET=s3cret\nDATABASE_URL=postgres://u:p4ss@db/live\n";

/// A file of the required keys and, from line 4 on, `text`.
fn with_required(text: &str) -> Result<Config, Vec<Problem>> {
    from(format!("{REQUIRED}{text}").as_bytes(), &[])
}

/// The configuration of a file and an environment, where the files named may be those of `named_file`.
fn from(text: &[u8], environment: &[(&str, &str)]) -> Result<Config, Vec<Problem>> {
    let environment: BTreeMap<OsString, OsString> =
        environment.iter().map(|(key, value)| (key.into(), value.into())).collect();
    parse(Sources { file: "k.env", text, environment: &environment, read: &mut named_file, partial: false })
}

fn named_file(_: FileKind, path: &Path) -> Result<String, String> {
    let content = match path.to_str() {
        Some("/secret") => "from-file\n",
        Some("/secret.crlf") => "from-file\r\n",
        Some("/two-lines") => "s3cret\n\n",
        Some("/bom") => "\u{feff}s3cret\n",
        Some("/quotes") => "'s3cret'\n",
        Some("/blank") => "s3cret \n",
        Some("/nul") => "s3\0cret\n",
        Some("/empty") => "\n",
        Some("/url") => "postgres://file@db/live?sslmode=verify-ca&sslrootcert=/empty\n",
        Some("/ca") => include_str!("ca.pem"),
        _ => return Err("cannot be read: No such file or directory (os error 2)".to_owned()),
    };
    Ok(content.to_owned())
}

fn lines(result: Result<Config, Vec<Problem>>) -> String {
    match result {
        Ok(_) => "no problem\n".to_owned(),
        Err(problems) => problems.iter().map(|problem| format!("{problem}\n")).collect(),
    }
}
