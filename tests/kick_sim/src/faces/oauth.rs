//! The token endpoint (docs/kick.md §4).

use super::App;
use crate::clock::Moment;
use crate::http::{Answer, Request};
use crate::world::{ExpiresIn, World};
use serde_json::json;

/// `POST /oauth/token` with client credentials. Not enveloped; no refresh token, no scope.
pub(super) fn token(world: &mut World, app: &App, request: &Request, now: Moment) -> Answer {
    let form = request.form();
    let field = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let is_form = request.header("content-type").is_some_and(|it| it.starts_with("application/x-www-form-urlencoded"));
    let (Some("client_credentials"), Some(id), Some(secret), true) =
        (field("grant_type"), field("client_id"), field("client_secret"), is_form)
    else {
        return Answer::json(400, &json!({"error": "Invalid request"}));
    };
    if id != app.client_id || secret != app.client_secret {
        let description = "Client authentication failed (e.g., unknown client, no client authentication included, \
                           or unsupported authentication method).";
        return Answer::json(401, &json!({"error": "invalid_client", "error_description": description}));
    }
    let mut answer = json!({"access_token": world.issue_token(now.steady), "token_type": "Bearer"});
    match world.expires_in {
        ExpiresIn::Seconds(seconds) => answer["expires_in"] = json!(seconds),
        ExpiresIn::Quoted(seconds) => answer["expires_in"] = json!(seconds.to_string()),
        ExpiresIn::Unsaid => {}
    }
    Answer::json(200, &answer)
}
