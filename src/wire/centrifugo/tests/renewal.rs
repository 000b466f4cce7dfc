//! Renewal of the token on the same connection.

use super::{acts, check, shown, stage};
use crate::domain::Steady;
use crate::domain::secret::Secret;
use crate::wire::{Session, SessionInput};
use expect_test::expect;
use std::time::Duration;

#[test]
fn three_lifetimes_of_a_token_pass_on_one_connection() {
    let mut stage = stage(&["channel.{id}"]);
    for line in ["open", "token t0", "greet"] {
        stage.play(Steady::default(), line);
    }
    let mut token = 0;
    // The server's pings, for a little more than three times 2700 s.
    for second in (25..=8300).step_by(25) {
        let now = Steady::after(Duration::from_secs(second));
        stage.play(now, "text {}");
        stage.pass_until(now);
        if stage.transcript.matches("want token").count() > token + 1 {
            token += 1;
            let later = now + Duration::from_secs(1);
            stage.play(later, &format!("token t{token}"));
            stage.play(later, &format!(r#"text {{"id":{},"refresh":{{"expires":true,"ttl":2700}}}}"#, token + 1));
        }
    }
    let told: Vec<&str> = stage.transcript.lines().map(str::trim).filter(|line| !line.ends_with("send {}")).collect();
    expect![[r#"
        0 want token
        0 send {"id":1,"connect":{"token":"t0","name":"js"}}
        0 say Connected(Centrifugo)
        2025 want token
        2026 send {"id":2,"refresh":{"token":"t1"}}
        4075 want token
        4076 send {"id":3,"refresh":{"token":"t2"}}
        6125 want token
        6126 send {"id":4,"refresh":{"token":"t3"}}
        8175 want token
        8176 send {"id":5,"refresh":{"token":"t4"}}"#]]
    .assert_eq(&told.join("\n"));
}

#[test]
fn a_token_is_renewed_at_three_quarters_and_well_before_its_end() {
    for (ttl, at) in
        [(2700, 2025.0), (40, 30.0), (20, 15.0), (12, 7.0), (10, 5.0), (8, 4.0), (4, 2.0), (1, 2.0), (0, 2.0)]
    {
        let mut stage = stage(&["channel.{id}"]);
        for line in ["open", "token t", &format!(r#"greet {{"expires":true,"ttl":{ttl},"ping":25}}"#)] {
            stage.play(Steady::default(), line);
        }
        let mut now = Steady::default();
        while !stage.transcript.ends_with("want token\n") || now == Steady::default() {
            now = stage.session.next_wake();
            stage.pass_until(now);
            stage.play(now, "alive");
        }
        assert_eq!(now.elapsed().as_secs_f64(), at, "ttl {ttl}");
    }
}

#[test]
fn a_token_that_does_not_end_is_not_renewed() {
    for result in [r#"{"ping":25}"#, r#"{"expires":false,"ttl":10}"#, r#"{"expires":true}"#] {
        let mut stage = stage(&["channel.{id}"]);
        for line in ["open", "token t", &format!("greet {result}")] {
            stage.play(Steady::default(), line);
        }
        assert_eq!(stage.session.next_wake(), Steady::after(Duration::from_secs(30)), "the silence, {result}");
        let hour = Steady::after(Duration::from_secs(3600));
        let said = acts(&mut stage.session, hour, SessionInput::Alive);
        assert_eq!(said, [], "{result}");
    }
}

#[test]
fn without_a_new_token_the_connection_ends_with_the_old_one() {
    check(
        r#"
        0 open
        0 token t
        0 greet {"expires":true,"ttl":20,"ping":25}
        30 tick
        "#,
        expect![[r#"
            0 open
                0 want token
            0 token t
                0 send {"id":1,"connect":{"token":"t","name":"js"}}
            0 greet {"expires":true,"ttl":20,"ping":25}
                0 say Connected(Centrifugo)
                15 want token
                20 end Lost None "the guest token expired"
            30 tick
        "#]],
    );
}

#[test]
fn a_renewal_without_a_reply_ends_with_the_old_token() {
    check(
        r#"
        0 open
        0 token t
        0 greet {"expires":true,"ttl":20,"ping":25}
        16 token t2
        17 text {"id":2}
        18 text {"id":9,"refresh":{"expires":true,"ttl":2700}}
        30 tick
        "#,
        expect![[r#"
            0 open
                0 want token
            0 token t
                0 send {"id":1,"connect":{"token":"t","name":"js"}}
            0 greet {"expires":true,"ttl":20,"ping":25}
                0 say Connected(Centrifugo)
                15 want token
            16 token t2
                16 send {"id":2,"refresh":{"token":"t2"}}
            17 text {"id":2}
            18 text {"id":9,"refresh":{"expires":true,"ttl":2700}}
                20 end Lost None "the guest token expired"
            30 tick
        "#]],
    );
}

#[test]
fn a_refused_renewal_is_an_ordinary_loss() {
    check(
        r#"
        0 open
        0 token t
        0 greet {"expires":true,"ttl":20,"ping":25}
        16 token t2
        17 error 2 109 token expired
        "#,
        expect![[r#"
            0 open
                0 want token
            0 token t
                0 send {"id":1,"connect":{"token":"t","name":"js"}}
            0 greet {"expires":true,"ttl":20,"ping":25}
                0 say Connected(Centrifugo)
                15 want token
            16 token t2
                16 send {"id":2,"refresh":{"token":"t2"}}
            17 error 2 109 token expired
                17 end Lost None "refresh refused: 109 token expired"
        "#]],
    );
}

#[test]
fn a_renewal_may_lift_the_limit() {
    check(
        r#"
        0 open
        0 token t
        0 greet {"expires":true,"ttl":20,"ping":25}
        16 token t2
        17 text {"id":2,"refresh":{}}
        40 text {}
        "#,
        expect![[r#"
            0 open
                0 want token
            0 token t
                0 send {"id":1,"connect":{"token":"t","name":"js"}}
            0 greet {"expires":true,"ttl":20,"ping":25}
                0 say Connected(Centrifugo)
                15 want token
            16 token t2
                16 send {"id":2,"refresh":{"token":"t2"}}
            17 text {"id":2,"refresh":{}}
            40 text {}
                40 send {}
        "#]],
    );
}

#[test]
fn what_is_printed_for_debugging_does_not_hold_the_token() {
    let mut stage = stage(&["channel.{id}"]);
    stage.play(Steady::default(), "open");
    stage.play(Steady::default(), "token hunter2");
    let token = Secret::new("hunter2");
    let input = SessionInput::Token(&token);
    assert!(!format!("{:?} {input:?}", stage.session).contains("hunter2"));
    let said: Vec<String> = acts(&mut stage.session, Steady::default(), input).iter().map(shown).collect();
    assert_eq!(said, Vec::<String>::new(), "one token is enough");
}
