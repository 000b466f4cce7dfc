//! Inside the decision core each part owns its state and reaches into no other; what needs several parts is decided where
//! it can be seen that it does.

use super::floors::{home, paths};
use super::source::{self, Source, has_word};
use super::{holding, none};

/// The parts: their modules, and the types that own their state.
const PARTS: [(&str, &str); 7] = [
    ("asking", "Asking"),
    ("names", "Names"),
    ("push", "Push"),
    ("roster", "Roster"),
    ("shards", "Shards"),
    ("webhooks", "Webhooks"),
    ("writes", "Writes"),
];

/// Who may name several of them.
const ROUTES: [&str; 6] = [
    "src/monitor/mod.rs",
    "src/monitor/routes.rs",
    "src/monitor/routes/coverage.rs",
    "src/monitor/routes/roster.rs",
    "src/monitor/routes/sharing.rs",
    "src/monitor/routes/webhooks.rs",
];

/// What else may name one, and why.
const EXCEPTIONS: [(&str, &str, &str); 1] = [("io", "push", "which ways to push there are is a setting")];

/// Where one piece of evidence about one streamer is judged; nothing there knows of others, or of what is queued.
const OF_ONE_STREAMER: [&str; 6] = ["broadcasts", "delivered", "hearing", "streamer", "table", "weighing"];
const OF_MANY: [&str; 7] = ["Streamers", "streamers", "Book", "book", "BTreeMap", "HashMap", "VecDeque"];

/// More methods are more than a reader keeps apart.
const METHODS_MAX: usize = 60;

#[test]
fn a_part_of_the_core_reaches_into_no_other() {
    let mut violations = Vec::new();
    for source in core().filter(|source| !ROUTES.contains(&source.path.as_str())) {
        let Some(home) = home(&source.path) else { continue };
        let lines: Vec<&str> = source.program().lines().collect();
        // How far something is to be seen names the core, and uses nothing of it.
        let used = paths(source, &home)
            .into_iter()
            .filter(|(number, path)| path.len() > 1 || !lines[*number - 1].contains("pub(in crate::monitor)"));
        for (number, path) in used {
            violations.extend(wrong(&home[1], &path).map(|wrong| format!("{}:{number}: {wrong}", source.path)));
        }
        violations.extend(holding(source, &["Monitor"]).map(|at| format!("{at} belongs to mod.rs and routes.rs")));
    }
    none(&violations);
}

#[test]
fn nobody_else_touches_what_a_part_of_the_core_owns() {
    let mut violations = Vec::new();
    for (module, state) in PARTS {
        let source = core().find(|source| source.path == format!("src/monitor/{module}.rs")).expect("a part's file");
        let head = format!("struct {state} {{");
        let lines = (1..).zip(source.program().lines()).skip_while(|(_, line)| !line.ends_with(&head)).skip(1);
        let fields: Vec<(usize, &str)> = lines.take_while(|(_, line)| *line != "}").collect();
        assert!(!fields.is_empty(), "tests/house/rooms.rs: {} has no struct {state}", source.path);
        let shown = fields.iter().filter(|(_, line)| has_word(line, "pub"));
        violations.extend(shown.map(|(number, line)| format!("{}:{number}: {}", source.path, line.trim())));
    }
    none(&violations);
}

#[test]
fn what_is_about_one_streamer_knows_of_no_other() {
    let of_one = |home: Vec<String>| home.get(1).is_some_and(|module| OF_ONE_STREAMER.contains(&module.as_str()));
    let sources = core().filter(|source| home(&source.path).is_some_and(of_one));
    none(&sources.flat_map(|source| holding(source, &OF_MANY)).collect::<Vec<_>>());
}

#[test]
fn the_core_itself_has_few_methods() {
    let mut methods = 0;
    for source in core().filter(|source| ROUTES.contains(&source.path.as_str())) {
        for block in source.program().split("\nimpl Monitor {").skip(1) {
            let body = block.lines().take_while(|line| *line != "}");
            methods += body
                .filter(|line| line.starts_with("    ") && !line.starts_with("     ") && has_word(line, "fn"))
                .count();
        }
    }
    assert!((1..=METHODS_MAX).contains(&methods), "Monitor has {methods} methods, and may have {METHODS_MAX}");
}

#[test]
fn every_exception_among_the_parts_is_needed() {
    for (from, to, _) in EXCEPTIONS {
        let used = core().filter_map(|source| Some((source, home(&source.path)?))).any(|(source, home)| {
            home.get(1).is_some_and(|module| module == from)
                && paths(source, &home).iter().any(|(_, path)| path[1..] == [to])
        });
        assert!(used, "tests/house/rooms.rs: {from} no longer uses {to}; take the exception out");
    }
}

#[test]
fn each_way_into_another_part_is_found() {
    let wrong =
        |home: &str, path: &[&str]| wrong(home, &path.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
    for path in [&["monitor", "push"][..], &["monitor", "Push"], &["monitor"]] {
        assert!(wrong("asking", path).is_some(), "{path:?}");
    }
    for path in [&["monitor", "asking"][..], &["monitor", "book"], &["domain", "push"], &["domain"]] {
        assert!(wrong("asking", path).is_none(), "{path:?}");
    }
}

/// What is wrong with using `path` from the module `home` of the core, if anything.
fn wrong(home: &str, path: &[String]) -> Option<String> {
    if path.first()? != "monitor" {
        return None;
    }
    let Some(name) = path.get(1) else { return Some(format!("{home} names the whole core")) };
    let (part, _) = PARTS.iter().find(|(module, state)| name == module || name == state)?;
    let argued = EXCEPTIONS.iter().any(|(from, to, _)| *from == home && to == part);
    (home != *part && !argued).then(|| format!("{home} reaches into {part}; let mod.rs or routes.rs carry it there"))
}

/// The program of the core.
fn core() -> impl Iterator<Item = &'static Source> {
    source::program().filter(|source| source.path.starts_with("src/monitor/") && !source.is_test)
}
