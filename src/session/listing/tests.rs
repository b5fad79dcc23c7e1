//! Orders, filters and counts of a small session.

use std::collections::BTreeSet;

use super::*;
use crate::session::Command;
use crate::session::tests::{list, scored};

fn names(session: &Session, order: &[ImageId]) -> Vec<String> {
    order.iter().map(|id| session.entry(*id).unwrap().name.clone()).collect()
}

fn sorted(session: &Session, key: SortKey, reversed: bool) -> Vec<ImageId> {
    Listing::of(session, &ListFilter::default(), Sorting { key, reversed }).order
}

#[test]
fn scores_sort_both_ways_and_images_without_one_come_last() {
    let (mut session, ids) = scored();
    let waiting = list(&mut session, "/w", &["id/5.png"])[0];
    let up = sorted(&session, SortKey::Score, false);
    let down = sorted(&session, SortKey::Score, true);
    assert_eq!(up[..3], [ids[7], ids[6], ids[5]]);
    assert_eq!(down[..3], [ids[0], ids[1], ids[2]]);
    assert_eq!((up.last(), down.last()), (Some(&waiting), Some(&waiting)));
    session.apply(Command::SetLambda(Some(0.62)));
    let near = sorted(&session, SortKey::Margin, false);
    assert_eq!(near[..3], [ids[3], ids[4], ids[2]]);
    assert_eq!(sorted(&session, SortKey::Margin, true)[0], ids[7]);
    assert_eq!(sorted(&session, SortKey::Opened, true)[0], waiting);
}

#[test]
fn the_most_wrong_are_those_far_on_the_wrong_side() {
    let (mut session, ids) = scored();
    session.apply(Command::SetLambda(Some(0.62)));
    let order = sorted(&session, SortKey::Wrong, false);
    // 0.65 of near is kept, 0.6 of id is lost; 0.1 of near is the surest.
    assert_eq!(order[..2], [ids[4], ids[3]]);
    assert_eq!(order[7], ids[7]);
    assert_eq!(sorted(&session, SortKey::Wrong, true)[0], ids[7]);
}

#[test]
fn names_sort_as_people_do() {
    let mut session = Session::default();
    list(&mut session, "/w", &["a/10.png", "a/2.png", "a/B.png", "a/a.png", "a/002.png"]);
    let up = names(&session, &sorted(&session, SortKey::Name, false));
    assert_eq!(up, ["002.png", "2.png", "10.png", "a.png", "B.png"]);
    let mut down = names(&session, &sorted(&session, SortKey::Name, true));
    down.reverse();
    assert_eq!(down, up);
}

#[test]
fn every_part_of_a_filter_counts_and_the_others_say_what_they_would_give() {
    let (mut session, ids) = scored();
    session.apply(Command::SetLambda(Some(0.62)));
    let list = |filter: &ListFilter| Listing::of(&session, filter, Sorting::default());
    let all = list(&ListFilter::default());
    assert_eq!((all.order.len(), all.kinds), (8, [8, 4, 4, 0, 0]));
    assert_eq!(all.scores, Some([0.1, 0.9]));
    let near = ListFilter { set: Some("near".into()), ..Default::default() };
    let listed = list(&near);
    assert_eq!(listed.order, ids[4..]);
    // Chips count what they would show; other sets what they would.
    assert_eq!(listed.kinds, [4, 1, 3, 0, 0]);
    assert_eq!(listed.sets, [("id".to_owned(), 4), ("near".to_owned(), 4)]);
    let kept = ListFilter { kind: Kind::Id, ..near.clone() };
    assert_eq!(list(&kept).order, [ids[4]]);
    assert_eq!(list(&kept).sets, [("id".to_owned(), 3), ("near".to_owned(), 1)]);
    let middle = ListFilter { score: Some([0.3, 0.65]), ..Default::default() };
    assert_eq!(list(&middle).order, [ids[3], ids[4], ids[5]]);
    let text = ListFilter { text: " 2.PNG".into(), ..Default::default() };
    assert_eq!(list(&text).order, [ids[1], ids[5]]);
    let only = BTreeSet::from([ids[0], ids[6]]);
    let only = ListFilter { only: Some(only), ..text.clone() };
    assert!(list(&only).order.is_empty() && !only.is_open());
    assert!(ListFilter { text: "  ".into(), ..Default::default() }.is_open());
    assert!(!text.is_open() && !middle.is_open());
}

#[test]
fn images_of_one_name_say_where_they_are_from() {
    let mut session = Session::default();
    let ids =
        list(&mut session, "/w", &["id/cat/1.png", "id/dog/1.png", "far/x/2.png", "far/x/3.png"]);
    let mut origins = Origins::default();
    origins.follow(&session);
    let of = |origins: &Origins| ids.iter().map(|&id| origins.of(id).map(str::to_owned)).collect();
    let told: Vec<Option<String>> = of(&origins);
    assert_eq!(told, [Some("id/cat".into()), Some("id/dog".into()), None, None]);
    session.apply(Command::Remove(vec![ids[1]]));
    list(&mut session, "/w", &["far/x/1.png"]);
    origins.follow(&session);
    let told: Vec<Option<String>> = of(&origins);
    assert_eq!(told[0].as_deref(), Some("id"));
    assert_eq!(told[2], None);
}

#[test]
fn a_range_ends_where_it_was_asked_to() {
    let ids: Vec<ImageId> = (0..5).map(|_| ImageId::unique()).collect();
    assert_eq!(range(&ids, ids[1], ids[3]).unwrap(), ids[1..=3]);
    assert_eq!(range(&ids, ids[3], ids[1]).unwrap(), [ids[3], ids[2], ids[1]]);
    assert_eq!(range(&ids, ids[0], ImageId::unique()), None);
}

#[test]
fn a_verdict_can_be_pasted_elsewhere() {
    let (mut session, ids) = scored();
    session.apply(Command::SetLambda(Some(0.62)));
    let text = verdict_text(session.entry(ids[0]).unwrap(), &session);
    assert!(text.contains("id/1.png: in-distribution (ID), score 0.9000, λ 0.6200"), "{text}");
    assert!(text.contains("detector tagood-cosine, τ 0.5"), "{text}");
    let text = verdict_text(session.entry(ids[7]).unwrap(), &session);
    assert!(text.contains("out-of-distribution (OOD)"), "{text}");
}
