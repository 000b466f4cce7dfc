//! A push event is in the table at once, and what is no evidence is not. The API learns of nothing
//! here, so that whatever is found in the table came by push.

use super::stage::{PATIENCE, Stage, changes, wait_change};
use kick_sim::{Ids, SignedDuration, Timestamp};
use lab::Daemon;
use serde_json::Value;

const LIVE: &str = r"App\Events\StreamerIsLive";
const STOP: &str = r"App\Events\StopStreamBroadcast";

/// Streamers, and one more, who are watched and Offline, and an API that learns of nothing from now
/// on. The one writer keeps the order of the changes.
fn by_push_alone(usernames: &[&str]) -> (Stage, Daemon) {
    let all = [usernames, &["marker"]].concat();
    let stage = Stage::with(&all);
    stage.kick.set_api_lag(None);
    let daemon = stage.start(stage.builder().set("DB_POOL_SIZE", "1"));
    stage.wait_followed(&all);
    all.iter().for_each(|username| stage.wait_status(username, "Offline"));
    (stage, daemon)
}

/// Waits until whatever the events so far led to is in the table: one for the marker comes behind
/// them, is decided upon behind them, and is written behind them.
#[track_caller]
fn settle(stage: &Stage) {
    let status = match stage.kick.stop("marker") {
        Some(_) => "Offline",
        None => {
            stage.kick.go_live("marker");
            "Online"
        }
    };
    stage.wait_status("marker", status);
}

#[test]
fn who_goes_live_is_online_and_who_stops_is_offline() {
    let (stage, daemon) = by_push_alone(&["ana"]);
    stage.kick.go_live("ana");
    stage.wait_status("ana", "Online");
    stage.kick.stop("ana");
    stage.wait_status("ana", "Offline");
    wait_change(&daemon, "ana", 3);
    let said = changes(&daemon, "ana");
    let keys: Vec<[&str; 3]> = said.iter().map(|line| ["id", "status", "source"].map(|key| line.key(key))).collect();
    assert_eq!(keys, [["1", "Offline", "sweep"], ["1", "Online", "push"], ["1", "Offline", "push"]]);
    for line in said {
        let lag: f64 = line.key("lag_ms").parse().unwrap_or_else(|_| panic!("no lag_ms in {:?}", line.text));
        assert!(lag > 0.0, "{:?}", line.text);
    }
}

#[test]
fn an_event_that_comes_again_writes_nothing() {
    let (stage, _daemon) = by_push_alone(&["ana"]);
    let livestream = stage.kick.go_live("ana");
    stage.wait_status("ana", "Online");
    let online = stage.xmin("ana");
    stage.kick.push_live("ana", livestream, Timestamp::now());
    stage.kick.push_live("ana", livestream, Timestamp::now());
    settle(&stage);
    assert_eq!(stage.xmin("ana"), online);

    stage.kick.stop("ana");
    stage.wait_status("ana", "Offline");
    let offline = stage.xmin("ana");
    stage.kick.push_stop("ana", livestream);
    settle(&stage);
    stage.kick.push_live("ana", livestream, Timestamp::now());
    settle(&stage);
    stage.kick.push_stop("ana", livestream);
    settle(&stage);
    assert_eq!(stage.xmin("ana"), offline);
    assert_eq!(stage.written("ana"), ["Offline", "Online", "Offline"]);
}

#[test]
fn an_event_that_comes_on_two_channels_is_written_once() {
    let stage = Stage::with(&["ana"]);
    stage.kick.set_api_lag(None);
    let daemon = stage.start(stage.builder().set("CHANNEL_NAMES", "channel.{id},channel_{id}"));
    let other = stage.channel("ana").replace('.', "_");
    stage.wait_followed(&["ana"]);
    assert!(stage.kick.wait_subscribed(&other, PATIENCE), "nobody follows {other}");
    stage.wait_status("ana", "Offline");

    let event = |id: i64| format!(r#"{{"livestream":{{"id":{id},"channel_id":{}}}}}"#, stage.kick.ids("ana").channel);
    let first = stage.kick.go_live("ana");
    stage.kick.push_raw(&other, LIVE, &event(first));
    wait_change(&daemon, "ana", 2);
    stage.kick.stop("ana");
    stage.kick.push_raw(&other, STOP, &event(first));
    wait_change(&daemon, "ana", 3);
    // Either channel will do.
    stage.kick.push_raw(&other, LIVE, &event(first + 1000));
    wait_change(&daemon, "ana", 4);
    assert_eq!(stage.written("ana"), ["Offline", "Online", "Offline", "Online"]);
}

#[test]
fn a_late_stop_of_an_older_broadcast_changes_nothing() {
    let (stage, _daemon) = by_push_alone(&["ana"]);
    let older = stage.kick.go_live("ana");
    stage.kick.go_live("ana");
    stage.wait_status("ana", "Online");
    stage.kick.push_stop("ana", older);
    settle(&stage);
    assert_eq!(stage.written("ana"), ["Offline", "Online"]);
    stage.kick.stop("ana");
    stage.wait_status("ana", "Offline");
}

#[test]
fn hosts_raids_and_goals_change_nothing_whatever_they_contain() {
    let (stage, _daemon) = by_push_alone(&["ana"]);
    let (channel, id) = (stage.channel("ana"), stage.kick.ids("ana").channel);
    let data = |livestream: i64, is_live: bool| {
        let stream = format!(r#"{{"id":{livestream},"channel_id":{id},"is_live":{is_live}}}"#);
        format!(
            r#"{{"livestream":{stream},"is_live":{is_live},"channel":{{"id":{id},"current_livestream":{stream}}}}}"#
        )
    };
    let others = [
        r"App\Events\ChatMoveToSupportedChannelEvent",
        r"App\Events\StreamHostEvent",
        r"App\Events\StreamHostedEvent",
        r"App\Events\LivestreamUpdated",
        r"App\Events\StreamerIsLiveSoon",
        "GoalProgressUpdateEvent",
        "StreamerIsLiveToo",
        "StopStreamBroadcastSoon",
    ];
    others.iter().for_each(|event| stage.kick.push_raw(&channel, event, &data(130_000_500, true)));
    settle(&stage);
    assert_eq!(stage.written("ana"), ["Offline"]);
    let livestream = stage.kick.go_live("ana");
    stage.wait_status("ana", "Online");
    others.iter().for_each(|event| stage.kick.push_raw(&channel, event, &data(livestream, false)));
    settle(&stage);
    assert_eq!(stage.written("ana"), ["Offline", "Online"]);
}

#[test]
fn an_event_that_speaks_of_another_channel_changes_nobody() {
    let (stage, _daemon) = by_push_alone(&["ana", "ben"]);
    let (of_ana, id_of_ben) = (stage.channel("ana"), stage.kick.ids("ben").channel);
    stage.kick.push_raw(&of_ana, LIVE, &format!(r#"{{"livestream":{{"id":900000001,"channel_id":{id_of_ben}}}}}"#));
    settle(&stage);
    assert_eq!([stage.written("ana"), stage.written("ben")], [["Offline"], ["Offline"]]);
}

/// Ten frames as Kick sent them (docs/kick.md §3.3, §3.4), through everything into the table.
#[test]
fn the_recorded_frames_of_kick_are_understood() {
    const CHANNELS: [i64; 5] = [2_587_387, 668, 2_915_525, 67_262_278, 5_541_527];
    // When the first of them was sent: what is older than our last look at the API is no evidence.
    let then: Timestamp = "2025-09-14T16:11:00Z".parse().expect("a time");
    let stage = Stage::empty();
    stage.kick.set_clock_offset(SignedDuration::from_secs(then.as_second() - Timestamp::now().as_second()));
    let usernames = CHANNELS.map(|channel| format!("streamer-{channel}"));
    for (channel, username) in CHANNELS.iter().zip(&usernames) {
        stage.kick.add_with(username, Ids { user: channel + 1, channel: *channel, chatroom: channel + 2 });
        stage.insert(username, None);
    }
    // The start of this one's broadcast was not recorded, only its end.
    stage.kick.go_live_silently(&usernames[3]);
    stage.kick.set_api_lag(None);
    let names: Vec<&str> = usernames.iter().map(String::as_str).collect();
    let _daemon = stage.watch(&names);
    for username in &usernames {
        stage.wait_status(username, if *username == usernames[3] { "Online" } else { "Offline" });
    }

    for frame in include_str!("../frames/recorded.jsonl").lines() {
        let parsed: Value = serde_json::from_str(frame).expect("a frame is JSON");
        let text = |key: &str| parsed[key].as_str().unwrap_or_else(|| panic!("no {key} in {frame}")).to_owned();
        stage.kick.send_raw_frame(frame);
        let expected = if text("event") == LIVE { "Online" } else { "Offline" };
        stage.wait_status(&text("channel").replace("channel.", "streamer-"), expected);
    }
    let written = CHANNELS.map(|channel| stage.written(&format!("streamer-{channel}")).join(" "));
    let expected = [
        "Offline Online Offline",
        "Offline Online Offline Online Offline",
        "Offline Online",
        "Online Offline",
        "Offline Online",
    ];
    assert_eq!(written, expected);
}
