//! What the core learned reaches the disk, in time and at the end. A bad disk does not end the keeper.

use super::{Keeper, Memory, SPARE, recall, recall_recent, recall_webhooks};
use crate::clock::{Clock, Pulse};
use crate::domain::ask::Learned;
use crate::domain::row::Recent;
use crate::domain::time::Timestamp;
use crate::domain::{ChannelId, RowId, Steady};
use crate::gateway::kick::tests::server::{PATIENCE, spawn};
use crate::gateway::state::tests::{Scratch, learned};
use crate::gateway::state::{self, Keep, recent};
use crate::stop::Stop;
use crate::worker::Worker;
use crossbeam_channel::{Sender, unbounded};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// A keeper and its channel.
fn keeper(dir: &Path) -> (Keeper, Sender<Keep>) {
    let (sender, inbox) = unbounded();
    let clock = Clock::start();
    (Keeper { dir: dir.to_owned(), known: recall(dir), made: recall_webhooks(dir), learned: inbox, clock }, sender)
}

fn run(keeper: Keeper) -> anyhow::Result<()> {
    let pulse = Pulse::new(keeper.clock, Duration::from_secs(60));
    keeper.run(&pulse, &Stop::never())
}

#[test]
fn what_was_learned_is_on_the_disk_at_the_end() {
    let scratch = Scratch::new();
    for (name, user) in [("a", 1), ("b", 2), ("a", 3)] {
        let (keeper, sender) = keeper(&scratch.0);
        sender.send(Keep::Streamer(learned(name, user))).expect("the keeper listens");
        drop(sender);
        run(keeper).expect("it never fails");
    }
    assert_eq!(recall(&scratch.0).streamers, [learned("b", 2), learned("a", 3)]);
}

#[test]
fn what_was_learned_is_on_the_disk_before_the_end_and_not_at_once() {
    let scratch = Scratch::new();
    let (keeper, sender) = keeper(&scratch.0);
    let clock = keeper.clock;
    let running = spawn(move || run(keeper));
    for user in 1..=3 {
        sender.send(Keep::Streamer(learned("a", user))).expect("the keeper listens");
    }
    while scratch.names() != [state::FILE] {
        assert!(clock.steady() < Steady::after(PATIENCE), "nothing is written");
        Stop::never().wait(Duration::from_millis(25));
    }
    assert!(clock.steady() >= Steady::after(Duration::from_secs(5)), "written at once");
    assert_eq!(recall(&scratch.0).streamers, [learned("a", 3)]);
    drop(sender);
    running.join().expect("no panic").expect("it never fails");
}

#[test]
fn nothing_new_is_not_written() {
    let scratch = Scratch::new();
    state::save(&scratch.0, None, &[&learned("a", 1)]).expect("saved");
    let (keeper, sender) = keeper(&scratch.0);
    std::fs::remove_file(scratch.0.join(state::FILE)).expect("removed");
    sender.send(Keep::Streamer(learned("a", 1))).expect("the keeper listens");
    drop(sender);
    run(keeper).expect("it never fails");
    assert_eq!(scratch.names(), Vec::<String>::new());
}

#[test]
fn a_broken_file_is_nothing_known_and_is_replaced() {
    let scratch = Scratch::new();
    scratch.write(state::FILE, "broken");
    let (keeper, sender) = keeper(&scratch.0);
    assert_eq!(keeper.known.streamers, []);
    sender.send(Keep::Streamer(learned("a", 1))).expect("the keeper listens");
    drop(sender);
    run(keeper).expect("it never fails");
    assert_eq!(scratch.names(), ["learned.json", "learned.json.broken"]);
}

#[test]
fn a_disk_that_cannot_be_written_ends_nothing() {
    let scratch = Scratch::new();
    scratch.write("file", "");
    let (keeper, sender) = keeper(&scratch.0.join("file"));
    sender.send(Keep::Streamer(learned("a", 1))).expect("the keeper listens");
    drop(sender);
    run(keeper).expect("it never fails");
}

#[test]
fn the_memory_keeps_the_last_word_and_lets_the_oldest_go() {
    let mut memory = Memory::default();
    assert!(memory.learn(learned("a", 1)));
    assert!(!memory.learn(learned("a", 1)), "known");
    for user in 2..=state::STREAMERS_MAX as i64 {
        memory.learn(learned(&format!("n{user}"), user));
    }
    let changed = Learned { channel: Some(ChannelId(9)), ..learned("a", 1) };
    assert!(memory.learn(changed.clone()), "a channel id is news");
    assert!(memory.learn(learned("one-more", 1)));
    let kept = memory.oldest_first();
    assert_eq!((kept.len(), kept[0]), (state::STREAMERS_MAX, &learned("n3", 3)));
    assert_eq!(kept[state::STREAMERS_MAX - 2..], [&changed, &learned("one-more", 1)]);
    for user in 1..=2 * SPARE as i64 {
        memory.learn(learned(&format!("m{user}"), user));
    }
    assert!(memory.streamers.len() <= state::STREAMERS_MAX + SPARE, "it grows without end");
    assert_eq!(memory.oldest_first().len(), state::STREAMERS_MAX);
}

/// A wall time `ahead` seconds from now.
fn wall(clock: &Clock, ahead: u64) -> Timestamp {
    clock.now().wall + Duration::from_secs(ahead)
}

/// What a process that starts now reads from the files.
fn recalled(dir: &Path) -> Recent {
    recall_recent(dir, Clock::start().now().wall)
}

fn these(rows: &[&str]) -> Recent {
    Recent::Rows(rows.iter().map(|row| RowId::new(row)).collect())
}

#[test]
fn the_rows_that_changed_lately_are_on_the_disk_at_the_end() {
    let scratch = Scratch::new();
    let (keeper, sender) = keeper(&scratch.0);
    let until = wall(&keeper.clock, 90);
    for rows in [vec![], vec![RowId::new("1")], vec![RowId::new("2"), RowId::new("3")]] {
        sender.send(Keep::Recent(rows, until)).expect("the keeper listens");
    }
    sender.send(Keep::Recent(vec![RowId::new("4")], wall(&keeper.clock, 0))).expect("the keeper listens");
    drop(sender);
    run(keeper).expect("it never fails");
    assert_eq!(recalled(&scratch.0), these(&["1", "2", "3"]), "what is over is not kept");
}

#[test]
fn what_an_earlier_process_left_stays_until_the_roster_is_read() {
    let scratch = Scratch::new();
    let (keeper, sender) = keeper(&scratch.0);
    drop(sender);
    run(keeper).expect("it never fails");
    assert_eq!(recalled(&scratch.0), Recent::Any);
}

/// Whenever the process is killed, either the change is in the list, or the list says that it may lack rows.
#[test]
fn a_change_is_written_at_once_and_for_a_second_any_row_may_have_changed() {
    let scratch = Scratch::new();
    let (keeper, sender) = keeper(&scratch.0);
    let (clock, until) = (keeper.clock, wall(&keeper.clock, 90));
    let running = spawn(move || run(keeper));
    sender.send(Keep::Recent(vec![RowId::new("1")], until)).expect("the keeper listens");
    while scratch.names() != [recent::FILE] {
        assert!(clock.steady() < Steady::after(PATIENCE), "nothing is written");
        Stop::never().wait(Duration::from_millis(5));
    }
    let (first, written) = (recalled(&scratch.0), clock.steady());
    assert!(first == Recent::Any || written > Steady::after(Duration::from_secs(1)), "{first:?}");
    sender.send(Keep::Recent(vec![RowId::new("2")], until)).expect("the keeper listens");
    while recalled(&scratch.0) != these(&["1", "2"]) {
        assert!(clock.steady() < Steady::after(PATIENCE), "{:?}", recalled(&scratch.0));
        Stop::never().wait(Duration::from_millis(25));
    }
    drop(sender);
    running.join().expect("no panic").expect("it never fails");
}

#[test]
fn a_list_that_cannot_be_written_is_worth_nothing_any_more() {
    let scratch = Scratch::new();
    recent::save(&scratch.0, None, &BTreeMap::new()).expect("saved");
    // A directory with that name makes the write fail.
    std::fs::create_dir_all(scratch.0.join("recent.json.new/x")).expect("made");
    let (keeper, sender) = keeper(&scratch.0);
    sender.send(Keep::Recent(vec![RowId::new("1")], wall(&keeper.clock, 90))).expect("the keeper listens");
    drop(sender);
    run(keeper).expect("it never fails");
    assert_eq!(recalled(&scratch.0), Recent::Any);
}

#[test]
fn more_rows_than_are_kept_may_be_any() {
    let scratch = Scratch::new();
    let (keeper, sender) = keeper(&scratch.0);
    let rows = (0..recent::ROWS_MAX + 5_000).map(|n| RowId::new(&n.to_string())).collect();
    sender.send(Keep::Recent(rows, wall(&keeper.clock, 90))).expect("the keeper listens");
    drop(sender);
    run(keeper).expect("it never fails");
    assert_eq!(recalled(&scratch.0), Recent::Any);
}
