//! Changes seeds by chance, as a fuzzer without instrumentation does, and runs a target on each. Two runs
//! from one number are the same run.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// What parsers stumble over.
const WORDS: [&[u8]; 24] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b":",
    b",",
    b"\n",
    b"null",
    b"true",
    b"-1",
    b"0",
    b"9223372036854775808",
    b"1e999",
    b"0001-01-01T00:00:00Z",
    b"\xff",
    b"\xef\xbb\xbf",
    b"'",
    b"$",
    b"=",
    b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
];
const ROUNDS: u64 = 3000;
/// The longest that a seed may grow.
const BYTES_MAX: usize = 16 * 1024;

/// Runs a target on every seed as it is, and then on many that were changed. `FUZZ_ROUNDS` says how many,
/// and `FUZZ_SEED` from which number on.
///
/// # Panics
///
/// When the target does, with the bytes and the number that make it.
#[track_caller]
pub(super) fn fuzz(name: &str, seeds: &[Vec<u8>], target: impl Fn(&[u8])) {
    assert!(!seeds.is_empty(), "{name} has no seeds");
    for seed in seeds {
        run(name, None, seed, &target);
    }
    let first = number("FUZZ_SEED").unwrap_or(1);
    for round in first..first + number("FUZZ_ROUNDS").unwrap_or(ROUNDS) {
        let mut chance = fastrand::Rng::with_seed(round);
        let mut bytes = seeds[chance.usize(..seeds.len())].clone();
        for _ in 0..chance.u32(1..8) {
            change(&mut bytes, &seeds[chance.usize(..seeds.len())], &mut chance);
        }
        bytes.truncate(BYTES_MAX);
        run(name, Some(round), &bytes, &target);
    }
}

fn run(name: &str, round: Option<u64>, bytes: &[u8], target: &impl Fn(&[u8])) {
    if catch_unwind(AssertUnwindSafe(|| target(bytes))).is_err() {
        let replay = round.map(|round| format!("; replay: FUZZ_SEED={round} FUZZ_ROUNDS=1")).unwrap_or_default();
        panic!("{name} fails on b\"{}\"{replay}", bytes.escape_ascii());
    }
}

fn change(bytes: &mut Vec<u8>, other: &[u8], chance: &mut fastrand::Rng) {
    let at = chance.usize(..=bytes.len());
    let until = (at + chance.usize(..40)).min(bytes.len());
    match chance.u32(..6) {
        0 => drop(bytes.drain(at..until)),
        1 => drop(bytes.splice(at..until, WORDS[chance.usize(..WORDS.len())].iter().copied())),
        2 => {
            let again = bytes[at..until].to_vec();
            bytes.splice(at..at, again);
        }
        3 => {
            let from = chance.usize(..=other.len());
            bytes.splice(at..until, other[from..(from + 40).min(other.len())].iter().copied());
        }
        4 => bytes.truncate(at),
        _ => bytes[at..until].iter_mut().take(3).for_each(|byte| *byte = chance.u8(..)),
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|value| value.parse().expect("a number"))
}
