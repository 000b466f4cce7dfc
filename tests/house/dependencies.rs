//! The packages that the program is to be built on are its own dependencies, and no runtime for
//! asynchronous code comes in but the one that the PostgreSQL driver holds inside.

use super::{none, read};
use std::collections::{BTreeMap, BTreeSet};

/// What the program is to be built on.
const GIVEN: [&str; 11] = [
    "tungstenite",
    "native-tls",
    "ureq",
    "postgres",
    "r2d2",
    "r2d2_postgres",
    "crossbeam-channel",
    "serde",
    "dotenvy",
    "syslog",
    "daemonize",
];

/// The driver, its TLS and its pool: the only ones through which tokio may come in.
const POSTGRES_FAMILY: [&str; 6] =
    ["postgres", "tokio-postgres", "postgres-native-tls", "r2d2_postgres", "tokio-native-tls", "tokio-util"];

/// The packages of this repository.
const OURS: [&str; 4] = ["bench", "kick-monitor", "kick-sim", "lab"];

#[test]
fn the_given_packages_are_direct_dependencies() {
    let manifest = read("Cargo.toml");
    let section = manifest.split("\n[").find_map(|section| section.strip_prefix("dependencies]\n"));
    let direct: BTreeSet<&str> = section
        .expect("Cargo.toml has dependencies")
        .lines()
        .filter_map(|line| Some(line.split_once('=')?.0.trim().trim_end_matches(".workspace")))
        .collect();
    let missing = GIVEN.iter().filter(|name| !direct.contains(*name));
    none(&missing.map(|name| format!("Cargo.toml:1: {name} is no direct dependency")).collect::<Vec<_>>());
}

#[test]
fn tokio_comes_in_through_the_postgres_family_alone() {
    let packages = lock();
    let mut reaching: BTreeSet<&str> = BTreeSet::from(["tokio"]);
    loop {
        let more = packages.iter().filter(|(_, needs)| needs.iter().any(|need| reaching.contains(need)));
        let more: Vec<&str> = more.map(|(name, _)| *name).filter(|name| !reaching.contains(name)).collect();
        if more.is_empty() {
            break;
        }
        reaching.extend(more);
    }
    assert!(reaching.contains("tokio-postgres"), "Cargo.lock does not read as it did");
    let mut violations = Vec::new();
    for name in reaching.iter().filter(|name| **name != "tokio" && !OURS.contains(*name)) {
        if !POSTGRES_FAMILY.contains(name) {
            violations.push(format!("Cargo.lock:1: {name} brings tokio in"));
        }
    }
    for name in OURS {
        let own = packages.get(name).into_iter().flatten().filter(|need| need.starts_with("tokio"));
        violations.extend(own.map(|need| format!("Cargo.lock:1: {name} itself uses {need}")));
    }
    none(&violations);
}

/// The next version needs Rust 1.95 (through parking_lot 0.13).
#[test]
fn what_debian_13_cannot_build_stays_out() {
    let lock = read("Cargo.lock");
    assert!(lock.contains("name = \"scheduled-thread-pool\"\nversion = \"0.2.7\""), "Cargo.lock:1: must stay at 0.2.7");
    assert!(read("Cargo.toml").contains("rust-version = \"1.85\""), "Cargo.toml:1: Debian 13 has Rust 1.85");
}

/// Each package of the lock file with what it depends on. Two versions of one count as one.
fn lock() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let text: &'static str = read("Cargo.lock").leak();
    let mut packages: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for package in text.split("[[package]]").skip(1) {
        let name = package.split("name = \"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
        let needs =
            package.split("dependencies = [").nth(1).and_then(|rest| rest.split(']').next()).unwrap_or_default();
        let needs = needs.split('"').skip(1).step_by(2).filter_map(|need| need.split(' ').next());
        packages.entry(name).or_default().extend(needs);
    }
    packages
}
