//! Many subscriptions: the limit, and what a request asks for at once.

use super::{DELETED_AT_ONCE, SUBSCRIPTIONS_MAX, Subscriptions};
use crate::domain::webhook::{Subscription, WebhookQuery};
use crate::domain::{Steady, UserId};
use std::time::Duration;

fn at(seconds: u64) -> Steady {
    Steady::after(Duration::from_secs(seconds))
}

/// Makes all that are to be made at this time, each with its user's number as the id.
fn make_all(subscriptions: &mut Subscriptions, now: Steady) -> usize {
    let mut count = 0;
    while let Some(WebhookQuery::Make(user)) = subscriptions.next(now) {
        subscriptions.makes(user);
        subscriptions.made(now, user, user.to_string());
        count += 1;
    }
    count
}

#[test]
fn no_more_are_made_than_kick_allows_and_the_rest_is_told() {
    let mut subscriptions = Subscriptions::default();
    let others: Vec<Subscription> =
        (0..3).map(|n| Subscription { id: format!("other{n}"), user: UserId(1_000_000 + n) }).collect();
    (1..=SUBSCRIPTIONS_MAX as i64 + 7).for_each(|user| subscriptions.want(UserId(user)));
    assert_eq!(subscriptions.next(at(0)), Some(WebhookQuery::List), "nothing is made before Kick's list is known");
    subscriptions.listed(at(0), &others, true);
    assert_eq!(make_all(&mut subscriptions, at(1)), SUBSCRIPTIONS_MAX - 3);
    assert_eq!(subscriptions.lacking().beyond.as_deref(), Some("10 beyond the limit of 10000"));
    assert!(!subscriptions.are_complete());
    assert!(subscriptions.due() > Some(at(1)), "it waits for the list");
    // Somebody leaves, and the next one has room.
    subscriptions.unwant(UserId(5));
    assert_eq!(subscriptions.next(at(2)), Some(WebhookQuery::Delete(vec!["5".to_owned()])));
    assert_eq!(subscriptions.deleted(&["5".to_owned()]), [UserId(5)]);
    assert_eq!(make_all(&mut subscriptions, at(2)), 1);
}

#[test]
fn many_are_deleted_with_few_requests() {
    let mut subscriptions = Subscriptions::default();
    subscriptions.listed(at(0), &[], true);
    (1..=120).for_each(|user| subscriptions.want(UserId(user)));
    assert_eq!(make_all(&mut subscriptions, at(1)), 120);
    (1..=120).for_each(|user| subscriptions.unwant(UserId(user)));
    let mut counts = Vec::new();
    while let Some(WebhookQuery::Delete(ids)) = subscriptions.next(at(2)) {
        counts.push(subscriptions.deleted(&ids).len());
    }
    assert_eq!(counts, [DELETED_AT_ONCE, DELETED_AT_ONCE, 20]);
}

#[test]
fn what_kick_showed_before_its_row_was_known_is_not_made_again() {
    let mut subscriptions = Subscriptions::default();
    subscriptions.listed(at(5), &[Subscription { id: "seven".to_owned(), user: UserId(7) }], false);
    subscriptions.want(UserId(7));
    subscriptions.want(UserId(8));
    assert_eq!(make_all(&mut subscriptions, at(6)), 1);
    assert_eq!((subscriptions.standing(UserId(7)), subscriptions.are_complete()), (Some(at(5)), true));
    subscriptions.unwant(UserId(7));
    assert_eq!(subscriptions.next(at(7)), None, "it was not made here");
    subscriptions.want(UserId(7));
    assert_eq!(subscriptions.next(at(7)), None, "it is there");
}

#[test]
fn a_subscription_is_left_alone_while_it_is_not_known_of_every_row_whom_it_is_about() {
    let mut subscriptions = Subscriptions::default();
    subscriptions.remember([(UserId(7), "seven".to_owned())].into());
    let list = [Subscription { id: "seven".to_owned(), user: UserId(7) }];
    assert_eq!(subscriptions.listed(at(0), &list, false), []);
    assert_eq!(subscriptions.next(at(1)), None, "its row may be compared later");
    subscriptions.want(UserId(7));
    subscriptions.listed(at(3600), &list, true);
    assert_eq!((subscriptions.next(at(3601)), subscriptions.count()), (None, 1));
}
