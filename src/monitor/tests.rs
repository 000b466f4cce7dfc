//! Transcripts of the core: a script of inputs with their times, and all that came out. Each rule of
//! docs/rules.md is named by a test. `UPDATE_EXPECT=1 cargo test` rewrites the expectations; read the diff.

mod asking;
mod coverage;
mod delay;
mod edits;
mod evidence;
mod fresher;
mod half_deaf;
mod healing;
mod hold;
mod ids;
mod implausible;
mod links;
mod lost_holds;
mod namesakes;
mod overtaken;
mod parts;
mod poison;
mod push;
mod quick_turns;
mod refusals;
mod report;
mod restarts;
mod roster;
mod routine;
mod script;
mod shards;
mod shared_rows;
mod starts;
mod subscriptions;
mod sweep;
mod transports;
mod trials;
mod two_witnesses;
mod webhooks;
mod whose;
mod writes;

use expect_test::Expect;
use script::Story;

/// Plays a script and compares the transcript.
///
/// A line of a script is `SECONDS COMMAND`, or `.. COMMAND` for the same time as before; between two
/// lines the machine is woken whenever it asked to be. See `script.rs` for the commands.
#[track_caller]
fn check(script: &str, expect: &Expect) {
    let mut story = Story::new();
    story.play(script);
    expect.assert_eq(&story.transcript());
}

/// The same, beginning with one verified streamer on row 1: `xqc`, user 676, channel 668 confirmed by
/// Kick and subscribed at 0 s, Offline by table and API; nothing outstanding. The story goes on at 1 s.
#[track_caller]
fn check_watched(script: &str, expect: &Expect) {
    play_after(WATCHED, script, expect);
}

/// Plays a script after another one whose transcript is of no interest.
#[track_caller]
fn play_after(before: &str, script: &str, expect: &Expect) {
    let mut story = Story::new();
    story.play(before);
    story.forget_transcript();
    story.play(script);
    expect.assert_eq(&story.transcript());
}

const WATCHED: &str = "
    0 learned xqc/676/668
    .. roster 1:xqc:Offline
    .. link 0 started
    .. link 0 connected
    .. answer users_livestreams
    .. link 0 subscribed 668
    .. answer users_livestreams
";
