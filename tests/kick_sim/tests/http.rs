//! The shapes and limits of the HTTP faces, against docs/kick.md §4 to §6.

use crate::client::{Http, token};
use kick_sim::{ExpiresIn, Face, Ids, Kick, Lie, SignedDuration, UnknownSlug};
use serde_json::{Value, json};
use std::time::Duration;

#[test]
fn a_token_is_given_for_the_right_secret_alone() {
    let kick = Kick::start();
    let mut http = Http::new(&kick);
    let form =
        |secret: &str| format!("grant_type=client_credentials&client_id={}&client_secret={secret}", kick.client_id());
    let right = form(kick.client_secret());

    let reply = http.post("/oauth/token", &right).expect("an answer").json();
    assert_eq!(reply["token_type"], "Bearer");
    assert_eq!(reply["expires_in"], 5_184_000);
    kick.set_expires_in(ExpiresIn::Quoted(7200));
    assert_eq!(http.post("/oauth/token", &right).expect("an answer").json()["expires_in"], "7200");
    kick.set_expires_in(ExpiresIn::Unsaid);
    assert_eq!(http.post("/oauth/token", &right).expect("an answer").json().get("expires_in"), None);

    let refused = http.post("/oauth/token", &form("wrong")).expect("an answer");
    assert_eq!((refused.status, &refused.json()["error"]), (401, &json!("invalid_client")));
    let invalid = http.post("/oauth/token", "grant_type=password").expect("an answer");
    assert_eq!((invalid.status, invalid.json()), (400, json!({"error": "Invalid request"})));
}

#[test]
fn the_api_wants_a_token_that_is_still_good() {
    let kick = Kick::start();
    let mut http = Http::new(&kick);
    let unauthorized = json!({"data": {}, "message": "Unauthorized"});
    let mut status = |token: &str| {
        let reply = http.get("/public/v1/channels?slug=xqc", token).expect("an answer");
        assert!(reply.status == 200 || reply.json() == unauthorized);
        reply.status
    };
    let first = token(&kick);
    let second = token(&kick);
    assert_eq!((status("invented"), status(&first), status(&second)), (401, 200, 200));
    kick.revoke_tokens();
    assert_eq!((status(&first), status(&second)), (401, 401));
    kick.set_expires_in(ExpiresIn::Seconds(0));
    assert_eq!(status(&token(&kick)), 401);
}

#[test]
fn channels_have_exactly_the_known_fields() {
    let kick = Kick::start();
    let ids = Ids { user: 676, channel: 668, chatroom: 667 };
    kick.add_with("xqc", ids);
    kick.custom_banner("xqc", true);
    let (mut http, token) = (Http::new(&kick), token(&kick));
    let mut ask = |target: &str| http.get(target, &token).expect("an answer").json();

    let offline = ask("/public/v1/channels?slug=xqc");
    assert_eq!(offline["message"], "OK");
    let channel = &offline["data"][0];
    assert_eq!(
        keys(channel),
        "active_subscribers_count banner_picture broadcaster_user_id canceled_subscribers_count category \
         channel_description slug stream stream_title"
    );
    assert_eq!(
        keys(&channel["stream"]),
        "custom_tags is_live is_mature key language start_time thumbnail url viewer_count"
    );
    assert_eq!((&channel["broadcaster_user_id"], &channel["slug"]), (&json!(676), &json!("xqc")));
    assert_eq!(channel["stream"]["start_time"], "0001-01-01T00:00:00Z");
    assert!(channel["banner_picture"].as_str().is_some_and(|url| url.contains("/images/channel/668/")));

    kick.go_live("xqc");
    let live = ask("/public/v1/channels?broadcaster_user_id=676");
    let start = live["data"][0]["stream"]["start_time"].as_str().expect("a time");
    assert!(start.len() == 20 && start.starts_with("20") && start.ends_with('Z'), "{start}");

    let item = ask("/public/v1/livestreams?broadcaster_user_id=676")["data"][0].clone();
    assert_eq!(
        keys(&item),
        "broadcaster_user_id category channel_id custom_tags has_mature_content language profile_picture slug \
         started_at stream_title thumbnail viewer_count"
    );
    assert_eq!((&item["channel_id"], &item["started_at"]), (&json!(668), &json!(start)));

    let item = ask("/public/v1/users/livestreams?user_id=676")["data"][0].clone();
    assert_eq!(
        keys(&item),
        "broadcaster_user category channel has_mature_content id language_code started_at tags thumbnail title \
         viewer_count"
    );
    assert!(item["id"].is_string());
    assert_eq!((&item["broadcaster_user"]["id"], &item["channel"]["slug"]), (&json!(676), &json!("xqc")));

    kick.stop("xqc");
    assert_eq!(ask("/public/v1/livestreams?broadcaster_user_id=676"), json!({"data": [], "message": "OK"}));
}

#[test]
fn the_api_keeps_its_limits() {
    let kick = Kick::start();
    let ids: Vec<Ids> = (0..60).map(|number| kick.add(&format!("s{number}"))).collect();
    for number in 0..60 {
        kick.go_live(&format!("s{number}"));
    }
    let (mut http, token) = (Http::new(&kick), token(&kick));
    let mut check = |path: &str, query: &str, status: u16, items: usize| {
        let reply = http.get(&format!("/public/v1/{path}?{query}"), &token).expect("an answer");
        let found = reply.json()["data"].as_array().map_or(0, Vec::len);
        assert_eq!((reply.status, found), (status, items), "{path}?{query}");
        if status == 400 {
            assert_eq!(reply.json()["message"], "Bad request");
        }
    };
    let slugs = |count: usize| (0..count).map(|number| format!("slug=s{number}&")).collect::<String>();
    let by_id =
        |name: &str, count: usize| ids[..count].iter().map(|ids| format!("{name}={}&", ids.user)).collect::<String>();

    check("channels", "", 200, 0);
    check("channels", &slugs(50), 200, 50);
    check("channels", &slugs(51), 400, 0);
    check("channels", &by_id("broadcaster_user_id", 50), 200, 50);
    check("channels", &by_id("broadcaster_user_id", 51), 400, 0);
    check("channels", &format!("slug=s1&{}", by_id("broadcaster_user_id", 1)), 400, 0);
    check("channels", "slug=s1,s2", 200, 0);
    check("channels", "broadcaster_user_id=1,2", 400, 0);
    check("channels", "slug=abcdefghijklmnopqrstuvwxyz", 400, 0);
    let fifty = by_id("broadcaster_user_id", 50);
    check("livestreams", &fifty, 200, 25);
    check("livestreams", &format!("{fifty}limit=50"), 200, 50);
    check("livestreams", &format!("{fifty}limit=100"), 200, 50);
    check("livestreams", &format!("{fifty}limit=101"), 400, 0);
    check("livestreams", &by_id("broadcaster_user_id", 51), 400, 0);
    check("users/livestreams", &by_id("user_id", 60), 200, 60);
    check("users/livestreams", &by_id("user_id", 1).repeat(101), 400, 0);
}

#[test]
fn unknown_slugs_are_omitted_or_refused() {
    let kick = Kick::start();
    kick.add("old-name");
    kick.rename("old-name", "new-name");
    let (mut http, token) = (Http::new(&kick), token(&kick));
    let mut ask = || http.get("/public/v1/channels?slug=old-name&slug=new-name", &token).expect("an answer");
    let reply = ask().json();
    assert_eq!(reply["data"].as_array().map(Vec::len), Some(1));
    assert_eq!(reply["data"][0]["slug"], "new-name");
    kick.set_unknown_slug(UnknownSlug::Refuse);
    assert_eq!(ask().status, 400);
    kick.set_unknown_slug(UnknownSlug::Omit);
    kick.remove("new-name");
    assert_eq!(ask().json(), json!({"data": [], "message": "OK"}));
}

#[test]
fn the_api_lags_lies_and_errs_in_large_batches() {
    let kick = Kick::start();
    let ids = kick.add("xqc");
    let (mut http, token) = (Http::new(&kick), token(&kick));
    let mut stream =
        || http.get("/public/v1/channels?slug=xqc", &token).expect("an answer").json()["data"][0]["stream"].clone();
    kick.set_api_lag(None);
    kick.go_live("xqc");
    assert_eq!(stream()["is_live"], false);
    kick.api_catches_up();
    assert_eq!(stream()["is_live"], true);
    kick.lie("xqc", Face::Channels, Lie::ZeroTime);
    let contradiction = stream();
    assert_eq!(contradiction["is_live"], true);
    assert_eq!(contradiction["start_time"], "0001-01-01T00:00:00Z");
    kick.lie("xqc", Face::API, Lie::Missing);
    assert_eq!(stream(), Value::Null);
    kick.tell_the_truth();

    kick.set_api_lag(Duration::ZERO);
    for number in 0..9 {
        kick.add(&format!("s{number}"));
        kick.go_live(&format!("s{number}"));
    }
    kick.set_wrong_above(9);
    let batch = |count: i64| {
        let query: String = (0..count).map(|number| format!("broadcaster_user_id={}&", ids.user + number)).collect();
        let reply = Http::new(&kick).get(&format!("/public/v1/channels?{query}"), &token).expect("an answer").json();
        let items = reply["data"].as_array().expect("a list").clone();
        items.iter().filter(|item| item["stream"]["is_live"] == true).count()
    };
    assert_eq!((batch(9), batch(10)), (9, 5));
}

#[test]
fn the_website_tells_the_channel_id() {
    let kick = Kick::start();
    let ids = kick.add("mustafa_go");
    let mut http = Http::new(&kick);
    let offline = http.get("/api/v2/channels/mustafa_go", "").expect("an answer").json();
    assert_eq!(
        keys(&offline),
        "banner_image can_host chatroom followers_count id is_affiliate is_banned livestream muted playback_url \
         recent_categories role slug subscriber_badges subscription_enabled user user_id verified vod_enabled"
    );
    assert_eq!(
        (&offline["id"], &offline["user_id"], &offline["chatroom"]["id"], &offline["livestream"]),
        (&json!(ids.channel), &json!(ids.user), &json!(ids.chatroom), &Value::Null)
    );
    let livestream = kick.go_live("mustafa_go");
    let live = http.get("/api/v2/channels/mustafa_go", "").expect("an answer").json();
    assert_eq!((&live["livestream"]["id"], &live["livestream"]["is_live"]), (&json!(livestream), &json!(true)));
    assert_eq!(live["livestream"]["created_at"].as_str().map(str::len), Some("2026-10-01 05:43:03".len()));
    let unknown = http.get("/api/v2/channels/nobody", "").expect("an answer");
    assert_eq!(unknown.status, 404);
    assert_eq!(unknown.json(), json!({"error": "Not Found", "message": "Channel not found.", "status": 404}));
}

#[test]
fn the_date_is_by_kicks_own_clock() {
    let kick = Kick::start();
    let mut http = Http::new(&kick);
    kick.set_clock_offset(SignedDuration::from_hours(24 * 365 * 30));
    let reply = http.get("/", "").expect("an answer");
    let date = reply.head.lines().find_map(|line| line.strip_prefix("Date: ")).expect("a date");
    assert!(date.ends_with(" GMT") && date.contains(" 205"), "{date}");
}

fn keys(object: &Value) -> String {
    let mut keys: Vec<&str> = object.as_object().expect("an object").keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys.join(" ")
}
