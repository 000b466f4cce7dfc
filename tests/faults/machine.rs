//! What befalls the program itself and the machine it runs on: it is killed, descriptors, disk and clock
//! fail it, and all its connections are cut again and again.

use super::matrix::{Came, Cell, LONG, THREE, Watch, compare, compare_three, prove_push, wait_online};
use crate::e2e::limits::with_open_files;
use crate::e2e::machine::{Running, config, full_pipe};
use crate::e2e::scratch::{Scratch, with_config};
use crate::e2e::stage::Stage;
use jiff::{SignedDuration, Timestamp};
use kick_sim::{Kick, Offer, Transport};
use lab::{Daemon, Signal, wait_for};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

fn cell(fault: &'static str) -> Cell {
    let cell = Cell { edge: "machine", fault };
    cell.announce();
    cell
}

/// A place for this test alone.
fn place(stage: &Stage, name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{name}", stage.database.name()))
}

/// The program, following everybody, who are Offline.
fn watch(stage: &Stage, change: impl FnOnce(lab::Builder) -> lab::Builder) -> Daemon {
    let daemon = stage.start(change(stage.builder()));
    stage.wait_followed(&THREE);
    THREE.iter().for_each(|username| stage.wait_status(username, "Offline"));
    daemon
}

/// Lets it begin, be noticed and end, with changes at Kick meanwhile and behind it.
fn suffer(cell: Cell, stage: &Stage, daemon: &Daemon, [begin, notice, end]: [&dyn Fn(); 3]) {
    let watch = Watch::start(daemon);
    begin();
    stage.kick.go_live("ana");
    notice();
    let noticed = watch.elapsed();
    stage.kick.go_live("bob");
    end();
    let began_healing = watch.elapsed();
    ["ana", "bob"].iter().for_each(|username| wait_online(stage, username));
    let healed = watch.elapsed() - began_healing;
    prove_push(stage, daemon);
    watch.assert_idle(daemon, cell);
    cell.record(Came { noticed: Some(noticed), healed, ..compare_three(stage) });
}

#[test]
fn a_killed_program_knows_all_again_when_it_is_started() {
    let cell = cell("program killed");
    let stage = Stage::with(&THREE);
    let daemon = watch(&stage, |builder| builder);
    daemon.signal(Signal::KILL);
    daemon.wait_exit(LONG);
    stage.kick.go_live("ana");
    stage.kick.go_live("bob");
    daemon.start_again();
    let watch = Watch::start(&daemon);
    ["ana", "bob"].iter().for_each(|username| wait_online(&stage, username));
    let healed = watch.elapsed();
    prove_push(&stage, &daemon);
    watch.assert_idle(&daemon, cell);
    cell.record(Came { healed, ..compare_three(&stage) });
}

#[test]
fn a_program_that_may_open_nothing_more_heals_when_it_may() {
    let cell = cell("descriptors exhausted");
    let stage = Stage::with(&THREE);
    let daemon = watch(&stage, |builder| builder);
    let cut = || {
        stage.kick.close_push(1001, "");
        stage.database.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE application_name = 'kick-monitor' AND datname = current_database()",
        );
    };
    suffer(
        cell,
        &stage,
        &daemon,
        [
            &|| {
                daemon.limit_descriptors(3);
                cut();
            },
            &|| {
                for event in ["db_unavailable", "realtime_disconnected"] {
                    wait_for(event, LONG, || {
                        // A connection that was being made when the others were cut has come through.
                        cut();
                        daemon.events(event).into_iter().find(|line| line.text.contains("Too many open files"))
                    });
                }
            },
            &|| daemon.limit_descriptors(1024),
        ],
    );
}

#[test]
fn a_program_that_may_open_few_files_loses_nothing() {
    let cell = cell("100 open files for 60 connections");
    let names: Vec<String> = (0..60).map(|n| format!("s{n:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let stage = Stage::with(&names);
    let builder = stage.builder().program(with_open_files(&stage, 100)).set("SWEEP_SECS", "1");
    let daemon = stage.start(builder.set("PUSHER_CHANNELS_PER_CONNECTION", "1"));
    let watch = Watch::start(&daemon);
    daemon.wait_event("subscription_failed", LONG);
    let noticed = Some(watch.elapsed());
    names.iter().for_each(|name| stage.wait_status(name, "Offline"));
    let began = watch.elapsed();
    for name in &names {
        stage.kick.go_live(name);
    }
    names.iter().for_each(|name| wait_online(&stage, name));
    let healed = watch.elapsed() - began;
    let came: Came = names.iter().map(|name| compare(&stage.written(name), &["Offline", "Online"])).sum();
    cell.record(Came { noticed, healed, ..came });
}

#[test]
fn a_log_that_stalls_loses_no_change() {
    let cell = cell("standard error that is not read");
    let stage = Stage::with(&THREE);
    let scratch = Scratch::new();
    let path = scratch.config(config(&stage, &scratch, "LOG_LEVEL=debug\n"));
    let (_unread, stderr) = full_pipe();
    let mut running = Running::start(with_config("run", &path, &["--foreground"]).stderr(stderr));
    stage.wait_followed(&THREE);
    THREE.iter().for_each(|username| stage.wait_status(username, "Offline"));
    for username in THREE {
        stage.kick.go_live(username);
    }
    THREE.iter().for_each(|username| wait_online(&stage, username));
    running.signal(Signal::TERM);
    assert_eq!(running.wait_code(), Some(0));
    cell.record(compare_three(&stage));
}

#[test]
fn a_flood_of_messages_costs_its_connection_and_no_change() {
    let cell = Cell { edge: "centrifugo", fault: "flood of messages that cannot be read" };
    cell.announce();
    let stage = Stage::with(&THREE);
    stage.kick.offer(&[Offer::Centrifugo]);
    let daemon = watch(&stage, |builder| builder.set("REALTIME", "centrifugo"));
    let flood = || stage.kick.send_raw_frame(&"x\n".repeat(100_000));
    let noticed = || drop(daemon.wait_event("realtime_disconnected", LONG));
    suffer(cell, &stage, &daemon, [&flood, &noticed, &|| ()]);
}

/// A small file system of its own, gone with this value.
struct Disk(PathBuf);

impl Disk {
    /// Nothing where this process may not mount.
    fn mount(at: PathBuf) -> Option<Disk> {
        fs::create_dir_all(&at).expect("a directory can be made");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=128k", "lab"]).arg(&at).output();
        mount.is_ok_and(|mount| mount.status.success()).then_some(Disk(at))
    }

    /// Leaves not a byte.
    fn fill(&self) {
        let mut file = File::create(self.0.join("filler")).expect("a file can be made");
        let full = (0..1_000_000).any(|_| file.write_all(&[0; 64]).is_err());
        assert!(full, "there is no end of it");
    }

    fn empty(&self) {
        fs::remove_file(self.0.join("filler")).expect("the file can be removed");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
        let _ = fs::remove_dir(&self.0);
    }
}

fn has(file: &Path, text: &str) -> Option<()> {
    fs::read_to_string(file).is_ok_and(|content| content.contains(text)).then_some(())
}

#[test]
fn what_was_learned_on_a_full_disk_is_kept_when_there_is_room() {
    fill_up("disk of STATE_DIR full", "STATE_DIR", "state_file", "learned.json", "dee");
}

#[test]
fn a_snapshot_that_has_no_room_costs_no_status() {
    fill_up("disk of RUN_DIR full", "RUN_DIR", "status_file", "status.json", "Online");
}

/// The disk of the directory that `key` names is full for a while: it is said by `event`, `file` stays what
/// it was, and holds `added` when there is room again.
#[track_caller]
fn fill_up(fault: &'static str, key: &str, event: &str, file: &str, added: &str) {
    let cell = cell(fault);
    let stage = Stage::with(&THREE);
    let Some(disk) = Disk::mount(place(&stage, key)) else {
        eprintln!("not shown: nothing may be mounted here");
        return;
    };
    let file = disk.0.join(file);
    let daemon = watch(&stage, |builder| builder.set(key, disk.0.display().to_string()));
    wait_for("the first file", LONG, || has(&file, "cyd"));
    let fill = || {
        disk.fill();
        stage.kick.add("dee");
        stage.insert("dee", None);
    };
    let notice = || {
        let line = daemon.wait_event(event, LONG);
        assert!(line.text.contains("No space left on device"), "{}", line.text);
        // Another file of the directory may have been the one, and have made room for this one.
        let path = file.display().to_string();
        let refused = || daemon.events(event).iter().any(|line| line.key("file") == path).then_some(());
        wait_for("the file to be written or refused", LONG, || has(&file, added).or_else(refused));
        let kept = fs::read_to_string(&file).expect("the old one is still there");
        assert!(serde_json::from_str::<serde_json::Value>(&kept).is_ok(), "{kept}");
        stage.database.execute("DELETE FROM streamers WHERE username = 'dee'");
    };
    suffer(cell, &stage, &daemon, [&fill, &notice, &|| disk.empty()]);
    wait_for("what was learned meanwhile", LONG, || has(&file, added));
}

/// Debian's libfaketime.
fn faketime() -> PathBuf {
    let places = fs::read_dir("/usr/lib").expect("there is /usr/lib").flatten();
    let libraries = places.map(|place| place.path().join("faketime/libfaketimeMT.so.1"));
    libraries.into_iter().find(|library| library.exists()).expect("libfaketime (tests/needs.sh installs it)")
}

#[test]
fn a_clock_that_is_set_changes_no_status() {
    for (fault, offset) in [("clock set back an hour", "-3600"), ("clock set ahead an hour", "+3600")] {
        let cell = cell(fault);
        let stage = Stage::with(&THREE);
        let file = place(&stage, "clock");
        let set = |offset: &str| {
            let fresh = file.with_extension("new");
            fs::write(&fresh, offset).and_then(|()| fs::rename(&fresh, &file)).expect("a file can be written");
        };
        set("+0");
        let daemon = watch(&stage, |builder| {
            builder
                .environment("LD_PRELOAD", faketime().display().to_string())
                .environment("FAKETIME_TIMESTAMP_FILE", file.display().to_string())
                .environment("FAKETIME_NO_CACHE", "1")
                .environment("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        });
        let moved = || {
            wait_for("the program's clock to be another", LONG, || {
                let text = fs::read_to_string(daemon.directory().join("run/status.json")).ok()?;
                let snapshot: serde_json::Value = serde_json::from_str(&text).ok()?;
                let theirs: Timestamp = snapshot["written_at"].as_str()?.parse().ok()?;
                let apart = theirs.duration_since(Timestamp::now()).abs();
                (apart > SignedDuration::from_mins(50)).then_some(())
            });
            wait_online(&stage, "ana");
        };
        suffer(cell, &stage, &daemon, [&|| set(offset), &moved, &|| set("+0")]);
    }
}

/// However many connections there are, and however often they are cut, each change comes through once,
/// and the server is not stormed.
#[test]
fn connections_that_are_cut_again_and_again_come_back_in_good_order() {
    let usernames: Vec<String> = (0..20).map(|n| format!("s{n}")).collect();
    let usernames: Vec<&str> = usernames.iter().map(String::as_str).collect();
    for (edge, transport) in [("pusher", Transport::Pusher), ("centrifugo", Transport::Centrifugo)] {
        let cell = Cell { edge, fault: "20 connections cut 5 times" };
        cell.announce();
        let stage = Stage::with(&usernames);
        stage.kick.offer(&[Offer::Pusher, Offer::Centrifugo]);
        let daemon = stage.start(stage.builder().set("REALTIME", edge).set("PUSHER_CHANNELS_PER_CONNECTION", "1"));
        let all_follow =
            |kick: &Kick| kick.connections_on(transport) == 20 && kick.subscriptions_on(transport).len() == 20;
        assert!(stage.kick.wait_for(LONG, all_follow), "not everybody is followed");
        usernames.iter().for_each(|username| stage.wait_status(username, "Offline"));
        let watch = Watch::start(&daemon);
        let made = stage.kick.connections_made();
        for round in usernames.chunks(4) {
            stage.kick.close_push_on(transport, 1001, "");
            for username in round {
                stage.kick.go_live(username);
            }
            assert!(stage.kick.wait_for(LONG, all_follow), "not everybody is followed again");
        }
        let began_healing = watch.elapsed();
        usernames.iter().for_each(|username| wait_online(&stage, username));
        let healed = watch.elapsed() - began_healing;
        watch.assert_idle(&daemon, cell);
        let made = stage.kick.connections_made() - made;
        assert!(made <= 5 * 20 + 20, "{made} connections were made");
        let all = usernames.iter().map(|username| compare(&stage.written(username), &["Offline", "Online"]));
        cell.record(Came { healed, ..all.sum() });
    }
}
