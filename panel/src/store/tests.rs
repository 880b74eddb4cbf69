//! What holds on both engines.

use super::*;
use crate::testing::stores;

#[tokio::test]
async fn a_part_that_changes_is_counted_on_both_engines() {
    for store in stores().await {
        let mut tx = store.begin().await.unwrap();
        let before = raise(&mut tx, "budgets").await.unwrap();
        let after = raise(&mut tx, "budgets").await.unwrap();
        assert_eq!(after, before + 1, "{:?}", store.engine());
        drop(tx);
        // It was not committed.
        let mut tx = store.begin().await.unwrap();
        assert_eq!(raise(&mut tx, "budgets").await.unwrap(), before);
    }
}

#[tokio::test]
async fn a_store_can_be_opened_again_and_by_two_at_once() {
    for store in stores().await {
        let (one, other) = tokio::join!(Store::open(store.url()), Store::open(store.url()));
        one.unwrap().ping().await.unwrap();
        other.unwrap().ping().await.unwrap();
    }
}

#[test]
fn rows_are_cut_into_few_sizes_and_none_is_left_out() {
    for count in [0, 1, 7, 63, 64, 65, 500] {
        let rows: Vec<_> = (0..count).collect();
        let cut: Vec<_> = portions(&rows, 64).collect();
        assert!(cut.iter().all(|part| part.len().is_power_of_two() && part.len() <= 64));
        assert!(cut.len() <= count / 64 + 6, "{count}: {}", cut.len());
        assert_eq!(cut.concat(), rows);
    }
}

#[test]
fn places_are_numbered_through() {
    assert_eq!(places(2, 3), "($1,$2,$3),($4,$5,$6)");
}
