//! What holds of leases, on both engines.

mod concurrent;
mod model;
mod property;

use iron_policy::control::{Ask, Asks, Report, Reports, Standing};
use iron_policy::types::NanoUsd;
use sqlx::Row;

use super::*;
use crate::keys::Master;
use crate::store::{Store, id};
use crate::testing::stores;

/// A panel over this store.
fn over(store: Store) -> Panel {
    Panel::new(store, Master::new([7; 32]))
}

/// A new budget for the whole time; its id.
async fn budget(panel: &Panel, scope: &str, limit: i64) -> String {
    let budget = id("bud");
    sqlx::query(
        "INSERT INTO budget (id, scope, span, zone, limit_nano, created_at)
         VALUES ($1, $2, 'total', 'UTC', $3, 0)",
    )
    .bind(budget.clone())
    .bind(scope.to_owned())
    .bind(limit)
    .execute(panel.store.pool())
    .await
    .unwrap();
    budget
}

fn ask(budget: &str, account: &str, lease: Option<&str>, need: i64) -> Ask {
    Ask {
        budget: budget.to_owned(),
        account: account.to_owned(),
        start: 0,
        lease: lease.map(ToOwned::to_owned),
        need: NanoUsd(need),
        token: None,
    }
}

fn asks(asks: Vec<Ask>) -> Asks {
    Asks { request: id("req"), asks }
}

fn report_of(lease: &str, epoch: i64, sequence: i64, spent: i64) -> Report {
    Report {
        lease: lease.to_owned(),
        epoch,
        sequence,
        spent: NanoUsd(spent),
        pending: NanoUsd(0),
        overrun: NanoUsd(0),
        returned: NanoUsd(0),
        last: false,
    }
}

/// limit, posted, leased, overrun, reclaimed of the only account of a budget.
async fn sums(panel: &Panel, budget: &str) -> [i64; 5] {
    let row = sqlx::query(
        "SELECT limit_nano, posted, leased, overrun, reclaimed FROM account WHERE budget = $1",
    )
    .bind(budget.to_owned())
    .fetch_one(panel.store.pool())
    .await
    .unwrap();
    [0, 1, 2, 3, 4].map(|at| row.try_get(at).unwrap())
}

async fn kinds_of_events(panel: &Panel) -> Vec<String> {
    sqlx::query("SELECT kind FROM event ORDER BY sequence")
        .fetch_all(panel.store.pool())
        .await
        .unwrap()
        .iter()
        .map(|row| row.try_get(0).unwrap())
        .collect()
}

#[tokio::test]
async fn a_lease_is_granted_topped_up_reported_and_closed() {
    for store in stores().await {
        let panel = over(store);
        let budget = budget(&panel, "agent:*", 1_000_000_000).await;
        let first = asks(vec![ask(&budget, "agent:a", None, 5_000_000)]);
        let grants = grant(&panel, "p", &first).await.unwrap();
        let lease = grants.grants[0].clone();
        assert_eq!((lease.amount.0, lease.epoch), (500_000_000, 1));
        assert_eq!(lease.expires_in_ms, u64::try_from(TERM_MS).unwrap());
        // Sent twice, it is granted once.
        assert_eq!(grant(&panel, "p", &first).await.unwrap().grants[0].amount, lease.amount);
        assert_eq!(sums(&panel, &budget).await, [1_000_000_000, 0, 500_000_000, 0, 0]);
        // Topped up.
        let more = asks(vec![ask(&budget, "agent:a", Some(&lease.lease), 400_000_000)]);
        let grants = grant(&panel, "p", &more).await.unwrap();
        assert_eq!(grants.grants[0].lease, lease.lease);
        assert_eq!(grants.grants[0].amount.0, 900_000_000);
        // What does not fit is refused, with what there is.
        let more = asks(vec![ask(&budget, "agent:a", None, 100_000_001)]);
        let refused = grant(&panel, "q", &more).await.unwrap().refused;
        assert_eq!(refused[0].reason, "exhausted");
        assert_eq!((refused[0].left.0, refused[0].held.0), (100_000_000, 900_000_000));
        // Spent, in flight, and a part given back.
        let mut said = report_of(&lease.lease, 1, 1, 300_000_000);
        said.pending = NanoUsd(100_000_000);
        said.returned = NanoUsd(200_000_000);
        let answer = report(&panel, "p", &Reports { reports: vec![said.clone()] }).await.unwrap();
        assert_eq!(answer.kept[0].standing, Standing::Open);
        assert_eq!(sums(&panel, &budget).await, [1_000_000_000, 300_000_000, 400_000_000, 0, 0]);
        // The last one gives the rest back.
        let mut last = report_of(&lease.lease, 1, 3, 350_000_000);
        last.last = true;
        let both = Reports { reports: vec![last, said] };
        let answer = report(&panel, "p", &both).await.unwrap();
        assert_eq!(answer.kept[0].standing, Standing::Closed);
        assert_eq!((answer.kept[1].sequence, answer.kept[1].expires_in_ms), (3, 0));
        assert_eq!(sums(&panel, &budget).await, [1_000_000_000, 350_000_000, 0, 0, 0]);
        // The next is a new epoch.
        let again = asks(vec![ask(&budget, "agent:a", None, 1)]);
        assert_eq!(grant(&panel, "p", &again).await.unwrap().grants[0].epoch, 2);
    }
}

#[tokio::test]
async fn what_a_call_needs_of_several_budgets_is_granted_whole_or_not_at_all() {
    for store in stores().await {
        let panel = over(store);
        let wide = budget(&panel, "organisation", 1_000_000_000).await;
        let narrow = budget(&panel, "agent:a", 1_000).await;
        let both = |need| {
            asks(vec![ask(&wide, "organisation", None, need), ask(&narrow, "agent:a", None, need)])
        };
        let refused = grant(&panel, "p", &both(1_001)).await.unwrap();
        assert_eq!(refused.refused.len(), 1);
        assert_eq!(refused.refused[0].budget, narrow);
        assert!(refused.grants.is_empty());
        let left: i64 = sqlx::query("SELECT COUNT(*) FROM account")
            .fetch_one(panel.store.pool())
            .await
            .unwrap()
            .try_get(0)
            .unwrap();
        assert_eq!(left, 0, "a refusal leaves nothing behind");
        let grants = grant(&panel, "p", &both(1_000)).await.unwrap().grants;
        // In the order in which it was asked.
        assert_eq!([&grants[0].budget, &grants[1].budget], [&wide, &narrow]);
    }
}

#[tokio::test]
async fn what_cost_more_than_was_granted_is_posted_as_it_is_and_told() {
    for store in stores().await {
        let panel = over(store);
        let budget = budget(&panel, "agent:a", 1_000).await;
        let first = asks(vec![ask(&budget, "agent:a", None, 1_000)]);
        let lease = grant(&panel, "p", &first).await.unwrap().grants.remove(0);
        let said = report_of(&lease.lease, 1, 1, 1_700);
        report(&panel, "p", &Reports { reports: vec![said] }).await.unwrap();
        assert_eq!(sums(&panel, &budget).await, [1_000, 1_700, 0, 700, 0]);
        assert_eq!(
            kinds_of_events(&panel).await,
            ["lease", "budget_alert", "budget_overrun"],
            "95 percent are told once, and the overrun"
        );
        let refused = grant(&panel, "q", &asks(vec![ask(&budget, "agent:a", None, 1)])).await;
        assert_eq!(refused.unwrap().refused[0].left.0, 0);
    }
}

#[tokio::test]
async fn levels_are_told_once_each() {
    for store in stores().await {
        let panel = over(store);
        let budget = budget(&panel, "agent:a", 1_000).await;
        let first = asks(vec![ask(&budget, "agent:a", None, 1_000)]);
        let lease = grant(&panel, "p", &first).await.unwrap().grants.remove(0);
        for (sequence, spent) in [(1, 499), (2, 500), (3, 790), (4, 800), (5, 810), (6, 1_000)] {
            let said = report_of(&lease.lease, 1, sequence, spent);
            report(&panel, "p", &Reports { reports: vec![said] }).await.unwrap();
        }
        let told = kinds_of_events(&panel).await;
        assert_eq!(told.iter().filter(|kind| *kind == "budget_alert").count(), 3);
    }
}

#[tokio::test]
async fn requests_that_must_not_be_granted_are_refused_with_their_reason() {
    for store in stores().await {
        let panel = over(store);
        let own = budget(&panel, "agent:a", 1_000).await;
        for (token, revoked) in [("tok_good", None), ("tok_bad", Some(1_i64))] {
            sqlx::query(
                "INSERT INTO project (id, name, created_at) VALUES ('prj_1', 'one', 0)
                 ON CONFLICT DO NOTHING",
            )
            .execute(panel.store.pool())
            .await
            .unwrap();
            sqlx::query(
                "INSERT INTO agent (id, name, project, created_at) VALUES ('agt_1', 'a', 'prj_1', 0)
                 ON CONFLICT DO NOTHING",
            )
            .execute(panel.store.pool())
            .await
            .unwrap();
            sqlx::query(
                "INSERT INTO token (id, agent, hash, last4, models, upstreams, issued_by, issued_at,
                   expires_at, revoked_at)
                 VALUES ($1, 'agt_1', $2, '', '[]', '[]', '', 0, 0, $3)",
            )
            .bind(token)
            .bind(token.as_bytes().to_vec())
            .bind(revoked)
            .execute(panel.store.pool())
            .await
            .unwrap();
        }
        let with = |change: &dyn Fn(&mut Ask)| {
            let mut ask = ask(&own, "agent:a", None, 1);
            change(&mut ask);
            asks(vec![ask])
        };
        for (request, reason) in [
            (with(&|ask| ask.budget = "bud_none".to_owned()), "unknown_budget"),
            (with(&|ask| ask.account = "agent:b".to_owned()), "unknown_budget"),
            (with(&|ask| ask.start = 5), "window_over"),
            (with(&|ask| ask.token = Some("tok_bad".to_owned())), "token_revoked"),
            (with(&|ask| ask.token = Some("tok_none".to_owned())), "token_revoked"),
            (with(&|ask| ask.lease = Some("lse_none".to_owned())), "old_epoch"),
            (with(&|ask| ask.need = NanoUsd(1_001)), "exhausted"),
        ] {
            let answer = grant(&panel, "p", &request).await.unwrap();
            assert_eq!(answer.refused[0].reason, reason);
            assert!(answer.grants.is_empty());
        }
        let good = with(&|ask| ask.token = Some("tok_good".to_owned()));
        assert_eq!(grant(&panel, "p", &good).await.unwrap().grants.len(), 1);
        for wrong in [
            with(&|ask| ask.need = NanoUsd(-1)),
            with(&|ask| ask.need = NanoUsd(LARGEST + 1)),
            with(&|ask| ask.account = "x".repeat(301)),
            Asks { request: String::new(), ..good.clone() },
            Asks { asks: Vec::new(), ..good.clone() },
        ] {
            assert!(matches!(grant(&panel, "p", &wrong).await, Err(LeaseError::Invalid(_))));
        }
        let other = Asks { request: good.request, ..with(&|ask| ask.need = NanoUsd(2)) };
        assert!(matches!(grant(&panel, "p", &other).await, Err(LeaseError::Reused)));
    }
}

#[tokio::test]
async fn a_window_that_is_over_is_settled_but_not_spent() {
    for store in stores().await {
        let panel = over(store);
        let budget = budget(&panel, "agent:a", 1_000).await;
        sqlx::query("UPDATE budget SET span = 'day', zone = 'Europe/Paris'")
            .execute(panel.store.pool())
            .await
            .unwrap();
        let mut first = ask(&budget, "agent:a", None, 1_000);
        let paris = jiff::tz::TimeZone::get("Europe/Paris").unwrap();
        let day = iron_policy::budget::Window::Day;
        first.start = day.start(panel.clock.now_ms(), &paris);
        let yesterday = day.start(first.start - 1, &paris);
        let lease = grant(&panel, "p", &asks(vec![first])).await.unwrap().grants.remove(0);
        panel.clock.turn(86_400_000 + 600_000);
        let said = report_of(&lease.lease, 1, 1, 400);
        let kept = report(&panel, "p", &Reports { reports: vec![said] }).await.unwrap().kept;
        assert_eq!((kept[0].standing, kept[0].expires_in_ms), (Standing::Open, 0));
        assert_eq!(sums(&panel, &budget).await, [1_000, 400, 600, 0, 0]);
        let mut old = ask(&budget, "agent:a", Some(&lease.lease), 1);
        old.start = yesterday;
        let answer = grant(&panel, "p", &asks(vec![old])).await.unwrap();
        assert_eq!(answer.refused[0].reason, "window_over");
    }
}

#[tokio::test]
async fn what_a_report_says_is_bounded_and_only_an_open_lease_is_corrected() {
    for store in stores().await {
        let panel = over(store);
        let budget = budget(&panel, "agent:a", 1_000).await;
        let first = asks(vec![ask(&budget, "agent:a", None, 1_000)]);
        let lease = grant(&panel, "p", &first).await.unwrap().grants.remove(0);
        let say = async |said: Report| {
            let kept = report(&panel, "p", &Reports { reports: vec![said] }).await.unwrap().kept;
            kept[0].sequence
        };
        // Far beyond what was granted: nothing is taken of it, and it is written down.
        assert_eq!(say(report_of(&lease.lease, 1, 1, MOST_BEYOND + 1_001)).await, 0);
        let mut overrun = report_of(&lease.lease, 1, 1, 5);
        overrun.overrun = NanoUsd(MOST_BEYOND + 1_001);
        assert_eq!(say(overrun).await, 0);
        assert_eq!(sums(&panel, &budget).await, [1_000, 0, 1_000, 0, 0]);
        let refused =
            sqlx::query("SELECT COUNT(*) FROM audit WHERE action = 'lease_report.refused'")
                .fetch_one(panel.store.pool())
                .await
                .unwrap();
        assert_eq!(refused.try_get::<i64, _>(0).unwrap(), 2);
        // An estimate is corrected while the lease is open.
        assert_eq!(say(report_of(&lease.lease, 1, 1, 800)).await, 1);
        assert_eq!(say(report_of(&lease.lease, 1, 2, 600)).await, 2);
        assert_eq!(sums(&panel, &budget).await, [1_000, 600, 400, 0, 0]);
        // What has ended is settled: more may come of it, and never less.
        let mut last = report_of(&lease.lease, 1, 3, 700);
        last.last = true;
        assert_eq!(say(last).await, 3);
        assert_eq!(say(report_of(&lease.lease, 1, 4, 0)).await, 4);
        assert_eq!(sums(&panel, &budget).await, [1_000, 700, 0, 0, 0]);
        assert_eq!(say(report_of(&lease.lease, 1, 5, 750)).await, 5);
        assert_eq!(
            sums(&panel, &budget).await,
            [1_000, 750, 0, 50, 0],
            "it had given back 50 more"
        );
    }
}

#[tokio::test]
async fn reports_of_others_and_of_nothing_change_nothing() {
    for store in stores().await {
        let panel = over(store);
        let budget = budget(&panel, "agent:a", 1_000).await;
        let first = asks(vec![ask(&budget, "agent:a", None, 1_000)]);
        let lease = grant(&panel, "p", &first).await.unwrap().grants.remove(0);
        for (proxy, said) in [
            ("q", report_of(&lease.lease, 1, 1, 5)),
            ("p", report_of(&lease.lease, 2, 1, 5)),
            ("p", report_of("lse_none", 1, 1, 5)),
        ] {
            let kept = report(&panel, proxy, &Reports { reports: vec![said] }).await.unwrap().kept;
            assert_eq!(kept[0].standing, Standing::Unknown);
        }
        assert_eq!(sums(&panel, &budget).await, [1_000, 0, 1_000, 0, 0]);
        let wrong = report_of(&lease.lease, 1, 1, -1);
        let answer = report(&panel, "p", &Reports { reports: vec![wrong] }).await;
        assert!(matches!(answer, Err(LeaseError::Invalid(_))));
    }
}
