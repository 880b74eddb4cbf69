//! Budgets as the API shows them.

use serde::Serialize;
use utoipa::ToSchema;

use crate::api::wire::{Money, Time};
use crate::budgets::{Balance, Holder, Node, Preview, Previewed, Terms};
use crate::leases::Account;

/// A budget, with what is spent, held and left in the window of now.
#[derive(Debug, Serialize, ToSchema)]
pub struct BudgetView {
    /// `bud_…`.
    pub id: String,
    /// Whose calls it covers: `organisation`, `project:NAME`, `agent:NAME`, `token:ID`, `run:ID`,
    /// `model:GLOB`; `agent:*` gives each agent an account of its own.
    pub scope: String,
    /// `total`, `day`, `week` or `month`.
    pub window: String,
    /// The time zone of its windows.
    pub zone: String,
    /// What may be spent in a window, by each account.
    pub limit: Money,
    /// Whether calls are shortened rather than refused.
    pub clamp: bool,
    /// When the window of now began; the beginning of 1970 for `total`.
    pub start: Time,
    /// When it begins anew; never for `total`.
    pub resets_at: Option<Time>,
    /// What was spent, by all accounts that the caller may see.
    pub posted: Money,
    /// What proxies hold of it and did not spend, as far as is known.
    pub leased: Money,
    /// What calls cost beyond what was held for them.
    pub overrun: Money,
    /// What operators took back of leases: by so much it may be overspent.
    pub reclaimed: Money,
    /// How many accounts were used in this window.
    pub accounts_total: usize,
    /// Those with the highest spend, 20 at most: see `/api/v1/budgets/{id}/accounts` for all.
    pub accounts: Vec<AccountView>,
    /// Whether there are too many accounts to add up.
    pub partial: bool,
    /// What is odd about it.
    pub warnings: Vec<String>,
    /// Counts its changes; also the `ETag`.
    pub version: i64,
}

/// The balance of a budget for one name.
#[derive(Debug, Serialize, ToSchema)]
pub struct AccountView {
    /// The scope with its real name.
    pub account: String,
    /// What it may spend in this window: the budget's limit, and what was allowed on top of it.
    pub limit: Money,
    /// What it spent.
    pub posted: Money,
    /// What proxies hold of it and did not spend, as far as is known.
    pub leased: Money,
    /// What nobody has spent or holds.
    pub left: Money,
    /// What calls cost beyond what was held for them.
    pub overrun: Money,
    /// What operators took back of leases.
    pub reclaimed: Money,
    /// The highest level of alerts that was told of, in percent; 0 below the first.
    pub alerted: i64,
}

/// A scope, its budgets, and what is below it.
#[derive(Debug, Serialize, ToSchema)]
pub struct NodeView {
    /// `organisation`, `project:web`, …
    pub scope: String,
    /// Its budgets.
    pub budgets: Vec<BudgetView>,
    /// What is part of it, by name.
    #[schema(no_recursion)]
    pub children: Vec<NodeView>,
}

/// All budgets.
#[derive(Debug, Serialize, ToSchema)]
pub struct TreeView {
    /// Where it begins.
    pub root: NodeView,
    /// Whether there are more budgets than a tree shows: see `/api/v1/budgets` for all.
    pub cut: bool,
}

/// What a new limit would do.
#[derive(Debug, Serialize, ToSchema)]
pub struct PreviewView {
    /// The budget's id.
    pub budget: String,
    /// Its limit now.
    pub limit_now: Money,
    /// The limit that is asked about.
    pub limit_new: Money,
    /// What can still be spent beyond the new limit, since proxies hold it.
    pub beyond: Money,
    /// From when the new limit binds for certain.
    pub binds_at: Time,
    /// The accounts in which it would be felt, the fullest first.
    pub accounts: Vec<PreviewedView>,
    /// Whether there are more accounts.
    pub partial: bool,
    /// All this in words.
    pub notice: String,
}

/// What a new limit would do to one account.
#[derive(Debug, Serialize, ToSchema)]
pub struct PreviewedView {
    /// The scope with its real name.
    pub account: String,
    /// What was spent.
    pub posted: Money,
    /// What proxies hold.
    pub leased: Money,
    /// Its limit then.
    pub limit_new: Money,
    /// What nobody would have spent or hold then.
    pub left_new: Money,
    /// What is spent already beyond the new limit.
    pub over: Money,
    /// What proxies hold and may still spend beyond the new limit.
    pub beyond: Money,
    /// From when the new limit binds for certain.
    pub binds_at: Time,
    /// Who holds something of it.
    pub holders: Vec<HolderView>,
}

/// A proxy that holds something.
#[derive(Debug, Serialize, ToSchema)]
pub struct HolderView {
    /// The proxy.
    pub proxy: String,
    /// Its lease: see `/api/v1/leases`.
    pub lease: String,
    /// What it holds.
    pub held: Money,
    /// What of it calls in flight may cost.
    pub in_flight: Money,
    /// Until when it may spend it without another word with the panel.
    pub expires_at: Time,
}

/// What a change did, or would do.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChangedView {
    /// Whether it was done; not for `dry_run`.
    pub applied: bool,
    /// The budget as it is now.
    pub budget: BudgetView,
    /// What the limit does to what is spent and held already.
    pub effect: PreviewView,
}

impl BudgetView {
    /// A budget with its balance.
    pub fn of(terms: &Terms, balance: &Balance, warnings: Vec<String>) -> Self {
        Self {
            id: terms.id.clone(),
            scope: terms.scope.to_string(),
            window: terms.window.name().to_owned(),
            zone: terms.zone_name().to_owned(),
            limit: terms.limit.into(),
            clamp: terms.clamp,
            start: Time(balance.start),
            resets_at: balance.resets_at.map(Time),
            posted: balance.posted.into(),
            leased: balance.leased.into(),
            overrun: balance.overrun.into(),
            reclaimed: balance.reclaimed.into(),
            accounts_total: balance.count,
            accounts: balance.accounts.iter().map(AccountView::of).collect(),
            partial: balance.partial,
            warnings,
            version: terms.version,
        }
    }
}

impl AccountView {
    /// An account.
    pub fn of(account: &Account) -> Self {
        Self {
            account: account.account.clone(),
            limit: account.limit.into(),
            posted: account.posted.into(),
            leased: account.leased.into(),
            left: account.left().into(),
            overrun: account.overrun.into(),
            reclaimed: account.reclaimed.into(),
            alerted: account.alerted,
        }
    }
}

impl NodeView {
    /// A part of the tree.
    pub fn of(node: Node) -> Self {
        let budgets = node.budgets.into_iter();
        Self {
            scope: node.scope,
            budgets: budgets.map(|(terms, sums, odd)| BudgetView::of(&terms, &sums, odd)).collect(),
            children: node.children.into_values().map(Self::of).collect(),
        }
    }
}

impl PreviewView {
    /// What a limit would do.
    pub fn of(preview: Preview, now_ms: i64) -> Self {
        let accounts = preview.accounts.iter();
        let binds_at = accounts.clone().map(|account| account.binds_at).max().unwrap_or(now_ms);
        let over = accounts.clone().filter(|account| account.over > 0).count();
        let holders: usize = accounts
            .clone()
            .filter(|account| account.beyond > 0)
            .map(|account| account.holders.len())
            .sum();
        let (now, new): (Money, Money) = (preview.terms.limit.into(), preview.limit.into());
        let beyond: Money = preview.beyond.into();
        let notice = if preview.beyond > 0 {
            format!(
                "{holders} leases hold {} beyond {}. Proxies that are connected give back what no call \
                 holds of it within seconds; one that is not may spend it still, until {} at the \
                 latest. Nothing more is granted meanwhile. To take it back from a proxy that is gone, \
                 reclaim its lease",
                beyond.text,
                new.text,
                Time(binds_at)
            )
        } else if over > 0 {
            format!(
                "{over} accounts have spent more than {} already: nothing more is granted",
                new.text
            )
        } else {
            format!("the limit goes from {} to {} at once", now.text, new.text)
        };
        Self {
            budget: preview.terms.id,
            limit_now: now,
            limit_new: new,
            beyond,
            binds_at: Time(binds_at),
            accounts: preview.accounts.into_iter().map(PreviewedView::of).collect(),
            partial: preview.partial,
            notice,
        }
    }
}

impl PreviewedView {
    fn of(of: Previewed) -> Self {
        Self {
            account: of.account.account,
            posted: of.account.posted.into(),
            leased: of.account.leased.into(),
            limit_new: of.limit.into(),
            left_new: of.left.into(),
            over: of.over.into(),
            beyond: of.beyond.into(),
            binds_at: Time(of.binds_at),
            holders: of.holders.into_iter().map(HolderView::of).collect(),
        }
    }
}

impl HolderView {
    fn of(of: Holder) -> Self {
        Self {
            proxy: of.proxy,
            lease: of.lease,
            held: of.held.into(),
            in_flight: of.in_flight.into(),
            expires_at: Time(of.expires_at),
        }
    }
}
