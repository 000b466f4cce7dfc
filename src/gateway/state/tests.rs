//! The file of learned ids on a real disk: what is written is read again, and no content makes the start fail.

use super::{FILE, Remembered, STREAMERS_MAX, StateError, load, save};
use crate::domain::ask::Learned;
use crate::domain::way::Offer;
use crate::domain::{ChannelId, Slug, UserId};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A temporary directory, removed when dropped.
pub(crate) struct Scratch(pub(crate) PathBuf);

impl Scratch {
    pub(crate) fn new() -> Scratch {
        let dir = std::env::temp_dir().join(format!("kick-monitor-state-{}", fastrand::u64(..)));
        fs::create_dir(&dir).expect("a new directory");
        Scratch(dir)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).expect("a file");
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).expect("a directory");
        let mut names: Vec<_> =
            entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // No test depends on the removal.
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn learned(name: &str, user: i64) -> Learned {
    let slug = Slug::from_username(name).expect("usable");
    Learned { name: slug.clone(), slug, user: Some(UserId(user)), channel: None }
}

fn save_all(dir: &Path, all: &[Learned]) -> std::io::Result<()> {
    save(dir, None, &all.iter().collect::<Vec<_>>())
}

#[test]
fn what_is_saved_is_loaded_in_its_order() {
    let scratch = Scratch::new();
    let full = Learned { channel: Some(ChannelId(668)), ..learned("sino_tf", 676) };
    let all = [full, learned("b", 2), Learned { user: None, ..learned("a", 1) }];
    save_all(&scratch.0, &all[..1]).expect("saved");
    save_all(&scratch.0, &all).expect("saved over the first");
    assert_eq!(load(&scratch.0).expect("loaded").streamers, all);
    assert_eq!(scratch.names(), ["learned.json"]);
    let text = fs::read_to_string(scratch.0.join("learned.json")).expect("text");
    assert!(text.starts_with(
        r#"{"version":1,"streamers":[{"name":"sino_tf","slug":"sino_tf","user":676,"channel":668},{"name":"b","#
    ));
}

#[test]
fn others_than_the_group_cannot_read_it_whatever_a_crash_left_behind() {
    let scratch = Scratch::new();
    scratch.write("learned.json.new", "half a fi");
    save_all(&scratch.0, &[learned("a", 1)]).expect("saved");
    let mode = fs::metadata(scratch.0.join("learned.json")).expect("the file").permissions().mode();
    assert_eq!(mode & 0o137, 0, "{mode:o}");
    assert_eq!(scratch.names(), ["learned.json"]);
}

#[test]
fn no_file_and_no_directory_are_nothing_learned() {
    let scratch = Scratch::new();
    assert_eq!(load(&scratch.0).expect("empty").streamers, []);
    let missing = scratch.0.join("a/b");
    assert_eq!(load(&missing).expect("empty").streamers, []);
    save_all(&missing, &[learned("a", 1)]).expect("the directory is made");
    assert_eq!(load(&missing).expect("loaded").streamers, [learned("a", 1)]);
}

#[test]
fn a_file_that_is_not_ours_is_set_aside() {
    for text in [
        "",
        "{",
        "null",
        r#"{"version":2,"streamers":{"new":"layout"}}"#,
        r#"{"version":1,"streamers":[{"name":"two words","slug":"a","user":1,"channel":null}]}"#,
        r#"{"version":1}"#,
        "\u{0}\u{0}\u{0}\u{0}",
    ] {
        let scratch = Scratch::new();
        scratch.write("learned.json", text);
        let error = load(&scratch.0).expect_err("not ours");
        assert!(matches!(error, StateError::SetAside(_)), "{text:?}: {error}");
        assert_eq!(scratch.names(), ["learned.json.broken"], "{text:?}");
        assert_eq!(load(&scratch.0).expect("empty").streamers, []);
    }
}

#[test]
fn a_disk_that_does_not_do_as_told_is_an_error_and_harms_no_file() {
    let scratch = Scratch::new();
    scratch.write("file", "");
    let below_a_file = scratch.0.join("file");
    assert!(matches!(load(&below_a_file), Err(StateError::Unreadable(_))));
    save_all(&below_a_file, &[learned("a", 1)]).expect_err("a file is no directory");

    save_all(&scratch.0, &[learned("a", 1)]).expect("saved");
    fs::create_dir_all(scratch.0.join("learned.json.new/in the way")).expect("a directory");
    save_all(&scratch.0, &[learned("b", 2)]).expect_err("the new file cannot be made");
    assert_eq!(load(&scratch.0).expect("the old one").streamers, [learned("a", 1)]);

    fs::remove_file(scratch.0.join("learned.json")).expect("removed");
    fs::create_dir(scratch.0.join("learned.json")).expect("a directory");
    assert!(matches!(load(&scratch.0), Err(StateError::Unreadable(_))));
}

#[test]
fn a_reader_sees_the_old_file_or_the_new_one_whole() {
    let scratch = Scratch::new();
    let many: Vec<_> = (1..500).map(|user| learned(&format!("name{user}"), user)).collect();
    let few = [learned("a", 1)];
    save_all(&scratch.0, &few).expect("saved");
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            for _ in 0..20 {
                save_all(&scratch.0, &many).expect("saved");
                save_all(&scratch.0, &few).expect("saved");
            }
        });
        while !writing.is_finished() {
            let seen = load(&scratch.0).expect("whole").streamers.len();
            assert!(seen == 1 || seen == many.len(), "{seen}");
        }
    });
}

#[test]
fn the_file_is_bounded_and_the_latest_stay() {
    let scratch = Scratch::new();
    let all: Vec<_> = (1..=STREAMERS_MAX as i64 + 3).map(|user| learned(&format!("n{user}"), user)).collect();
    save_all(&scratch.0, &all).expect("saved");
    let kept = load(&scratch.0).expect("loaded").streamers;
    assert!(kept == all[3..], "{} kept", kept.len());
}

#[test]
fn the_transport_that_worked_is_kept_and_never_costs_the_ids() {
    let scratch = Scratch::new();
    let offer = Offer::Centrifugo { url: "wss://realtime.kick.com/connection/websocket".to_owned() };
    save(&scratch.0, Some(&offer), &[&learned("a", 1)]).expect("saved");
    let kept = load(&scratch.0).expect("loaded");
    assert_eq!((kept.realtime, kept.streamers), (Some(offer), vec![learned("a", 1)]));
    for realtime in [r#""realtime":{"smoke":"signals"},"#, r#""realtime":null,"#, ""] {
        let text = format!(r#"{{"version":1,{realtime}"streamers":[]}}"#);
        std::fs::write(scratch.0.join(FILE), text).expect("written");
        assert_eq!(load(&scratch.0).expect("loaded"), Remembered::default(), "{realtime}");
    }
}
