//! Every command that the documents show can be run: shell blocks parse, targets of make, names of cargo's and
//! options of the program exist. Nothing is run.

use super::documents::{documents, spans};
use super::{none, read};
use kick_monitor::process::cli;
use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};

/// Profiles that cargo has without being told.
const PROFILES: [&str; 4] = ["dev", "release", "test", "bench"];

#[test]
fn every_shell_block_parses() {
    let mut violations = Vec::new();
    for (path, text) in documents() {
        for (number, language, block) in blocks(&text).into_iter().filter(|(_, language, _)| *language == "sh") {
            if let Some(wrong) = refused_by_bash(&block) {
                violations.push(format!("{path}:{number}: {language}: {wrong}"));
            }
        }
    }
    none(&violations);
}

#[test]
fn every_command_exists() {
    let names = Names::read();
    let (mut violations, mut looked_at) = (Vec::new(), 0);
    for (path, text) in documents().into_iter().filter(|(path, _)| path != "CHANGELOG.md") {
        for (number, command) in commands(&path, &text) {
            for part in command.split([';', '|', '&']).map(str::trim) {
                looked_at += 1;
                violations.extend(names.wrong(part).map(|wrong| format!("{path}:{number}: `{part}`: {wrong}")));
            }
        }
    }
    assert!(looked_at > 100, "the commands are found: {looked_at}");
    none(&violations);
}

#[test]
fn the_readme_says_what_ci_runs() {
    let (readme, ci) = (read("README.md"), read(".ci/run"));
    let steps = ci.lines().filter_map(|line| line.strip_prefix("step ")).filter(|step| step.starts_with("make "));
    let missing: Vec<String> = steps.filter(|step| !readme.contains(&format!("`{step}`"))).map(str::to_owned).collect();
    assert!(missing.is_empty(), "README.md does not say that .ci/run calls {missing:?}");
}

/// What commands may name.
struct Names {
    targets: BTreeSet<String>,
    profiles: BTreeSet<String>,
    tests: BTreeSet<String>,
    packages: BTreeSet<String>,
    programs: BTreeSet<String>,
}

impl Names {
    fn read() -> Names {
        let (makefile, manifest) = (read("Makefile"), read("Cargo.toml"));
        let targets = makefile.lines().filter_map(|line| line.split_once(':')).map(|(target, _)| target);
        let is_target = |name: &&str| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        let members = ["Cargo.toml", "tests/bench/Cargo.toml", "tests/kick_sim/Cargo.toml", "tests/lab/Cargo.toml"];
        let quoted = |text: &str, before: &str| -> BTreeSet<String> {
            let found = text.split(before).skip(1).filter_map(|rest| rest.split('"').nth(1));
            found.map(str::to_owned).collect()
        };
        let packages: BTreeSet<String> =
            members.iter().flat_map(|path| quoted(&read(path), "[package]\nname =")).collect();
        let profiles = manifest.split("\n[profile.").skip(1).filter_map(|rest| rest.split([']', '.']).next());
        Names {
            targets: targets.filter(is_target).map(str::to_owned).collect(),
            profiles: profiles.chain(PROFILES).map(str::to_owned).collect(),
            tests: quoted(&manifest, "[[test]]\nname ="),
            programs: packages.iter().cloned().chain(["demo".to_owned()]).collect(),
            packages,
        }
    }

    /// What is wrong with a command, if anything. Commands of others are not looked at.
    fn wrong(&self, command: &str) -> Option<String> {
        let mut words: Vec<&str> = command.split_whitespace().collect();
        let settings = words.iter().take_while(|word| **word == "sudo" || word.contains('=') && !word.starts_with('-'));
        words.drain(..settings.count());
        // A synopsis, or an example with something left out.
        if words.iter().any(|word| word.contains(['[', '…', '<', '(']) || word.chars().all(|c| c == '.')) {
            return None;
        }
        match words.split_first()? {
            (&"make", rest) => self.wrong_target(rest),
            (&"cargo", rest) => self.wrong_name(rest),
            (&"kick-monitor", rest) if !rest.is_empty() => {
                let unquoted = rest.iter().map(|word| word.trim_matches(['\'', '"']).into());
                cli::parse(unquoted).err().map(|usage| usage.to_string().replace('\n', "; "))
            }
            _ => None,
        }
    }

    fn wrong_target(&self, words: &[&str]) -> Option<String> {
        let targets = words.iter().filter(|word| !word.contains('=') && !word.starts_with('-'));
        // STAGES="lsb lint" has a blank inside.
        let mut targets = targets.filter(|word| !word.ends_with('"'));
        let unknown = targets.find(|word| !self.targets.contains(**word))?;
        Some(format!("the Makefile has no target {unknown}"))
    }

    fn wrong_name(&self, words: &[&str]) -> Option<String> {
        let own: Vec<&str> = words.iter().copied().take_while(|word| *word != "--").collect();
        own.windows(2).find_map(|pair| {
            let (known, what) = match pair[0] {
                "--profile" => (&self.profiles, "profile"),
                "--test" => (&self.tests, "test"),
                "--bin" => (&self.programs, "program"),
                "-p" | "--package" => (&self.packages, "package"),
                _ => return None,
            };
            let name = pair[1];
            (name != "NAME" && !known.contains(name)).then(|| format!("there is no {what} {name}"))
        })
    }
}

/// The commands that a document shows: in shell blocks, behind the prompt of sessions, and between the lines.
/// In the manual pages bold words are commands, too.
fn commands(path: &str, text: &str) -> Vec<(usize, String)> {
    let mut commands: Vec<(usize, String)> =
        spans(text).iter().map(|(line, span)| (*line, (*span).to_owned())).collect();
    for (number, language, block) in blocks(text) {
        let joined = block.replace("\\\n", " ");
        let lines = joined.lines().filter_map(|line| match language {
            "sh" => Some(line.split(" #").next().unwrap_or_default()),
            "console" => line.strip_prefix("$ "),
            _ => None,
        });
        commands.extend(lines.map(|line| (number, line.to_owned())));
    }
    if path.starts_with("etc/man/") {
        let bold = (1..).zip(text.lines()).flat_map(|(number, line)| {
            line.split("**").skip(1).step_by(2).map(move |words| (number, words.replace('\\', "")))
        });
        commands.extend(bold.filter(|(_, words)| words.starts_with("kick-monitor ")));
    }
    commands
}

/// The fenced blocks: where each begins, its language and its text.
fn blocks(text: &str) -> Vec<(usize, &str, String)> {
    let (mut blocks, mut open) = (Vec::new(), None::<(usize, &str, String)>);
    for (number, line) in (1..).zip(text.lines()) {
        match (line.strip_prefix("```"), open.as_mut()) {
            (Some(language), None) => open = Some((number, language, String::new())),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some((_, _, block))) => {
                block.push_str(line);
                block.push('\n');
            }
            (None, None) => {}
        }
    }
    blocks
}

/// What bash says of a script that it only reads.
fn refused_by_bash(script: &str) -> Option<String> {
    let mut bash = Command::new("bash");
    bash.arg("-n").stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut child = bash.spawn().expect("there is a bash");
    child.stdin.take().expect("it is piped").write_all(script.as_bytes()).expect("bash reads");
    let output = child.wait_with_output().expect("bash ends");
    (!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).trim().to_owned())
}

#[test]
fn wrong_commands_are_told_from_right_ones() {
    let names = Names::read();
    for right in [
        "make run SECONDS=20",
        "make package-test STAGES=\"lsb lint\"",
        "sudo kick-monitor check",
        "kick-monitor status --json",
        "FUZZ_SEED=1 cargo test --locked --test tests fuzz::",
        "cargo run -p kick-sim -- --demo xqc",
        "git diff",
    ] {
        assert_eq!(names.wrong(right), None, "{right}");
    }
    for wrong in [
        "make everything",
        "kick-monitor stat",
        "kick-monitor check --json --fast",
        "cargo test --profile simulate",
        "cargo test --test test",
        "cargo test -p kick",
    ] {
        assert!(names.wrong(wrong).is_some(), "{wrong}");
    }
    assert!(refused_by_bash("if true; then").is_some() && refused_by_bash("echo \"$HOME\"").is_none());
}
