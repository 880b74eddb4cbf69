//! Three proxies on one budget under load, with a real panel on a PostgreSQL of its own. The panel is
//! killed and started again at random, PostgreSQL is killed under load, and one proxy is killed for
//! good: nothing is overspent, nothing is lost, and what the dead proxy keeps is within the bound.

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hyper::Method;
use iron_cli::remote::link::Link;
use iron_cli::remote::plane::Plane;
use iron_panel::Panel;
use iron_panel::api::access::Trusted;
use iron_panel::keys::Master;
use iron_panel::store::Store;
use iron_policy::control::{
    Acknowledged, Asks, Batch, Changes, Grants, Known, LeasedBudget, Reports, Taken,
};
use iron_policy::types::NanoUsd;
use iron_proxy::control_plane::{Answer, ControlError, ControlPlane, Spending};
use iron_proxy::lease::Terms;
use iron_proxy::report::Pace;
use iron_tests::World;
use serde_json::{Value, json};
use sqlx::Row;
use tokio::sync::watch;

/// What may be spent by all together, in nano-USD.
const LIMIT: i64 = 60_000_000;
/// How long the load goes on.
const LOAD: Duration = Duration::from_secs(6);
/// How long things may take to settle when all is well again.
const SETTLES: Duration = Duration::from_secs(20);

/// A PostgreSQL that is this story's alone, and that keeps what it says it keeps.
struct Cluster(PathBuf);

impl Cluster {
    fn tool(&self, command: &str) -> String {
        let tool = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/postgres.sh");
        let output =
            Command::new(tool).arg(command).arg(&self.0).env("FSYNC", "on").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.tool("kill");
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A life of the panel.
#[derive(Clone)]
struct Life {
    panel: Panel,
    dead: watch::Receiver<bool>,
}

/// Where the panel is, while it is there.
#[derive(Default)]
struct Town {
    url: String,
    life: Mutex<Option<(Life, watch::Sender<bool>)>>,
}

impl Town {
    async fn start(&self) -> Result<(), String> {
        let store = Store::open(&self.url).await.map_err(|error| error.to_string())?;
        let (kill, dead) = watch::channel(false);
        let panel = Panel::new(store, Master::new([7; 32]));
        *self.life.lock().unwrap() = Some((Life { panel, dead }, kill));
        Ok(())
    }

    /// Starts it until it is there: its database may not be.
    async fn start_at_last(&self) {
        let started = async { while self.start().await.is_err() {} };
        tokio::time::timeout(SETTLES, started).await.unwrap();
    }

    /// Everything that it was doing stops where it is.
    async fn kill(&self) {
        let Some((life, kill)) = self.life.lock().unwrap().take() else { return };
        kill.send_replace(true);
        let _ = tokio::time::timeout(Duration::from_secs(5), life.panel.store.close()).await;
    }

    fn life(&self) -> Option<Life> {
        self.life.lock().unwrap().as_ref().map(|(life, _)| life.clone())
    }
}

/// The way of one proxy to the panel.
struct Way {
    town: Arc<Town>,
    proxy: &'static str,
    /// The proxy is dead: nothing of it is heard any more.
    cut: AtomicBool,
}

impl std::fmt::Debug for Way {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Way").field("proxy", &self.proxy).finish_non_exhaustive()
    }
}

impl Way {
    fn reach(&self) -> Result<(Plane, watch::Receiver<bool>), ControlError> {
        let life = self.town.life().filter(|_| !self.cut.load(Ordering::SeqCst));
        let gone = || ControlError::Unreachable("connection refused".to_owned());
        let life = life.ok_or_else(gone)?;
        let link = Link::here(&life.panel, Trusted::proxy(self.proxy));
        Ok((Plane::over(link), life.dead))
    }
}

async fn unless_killed<T>(
    mut dead: watch::Receiver<bool>,
    answer: Answer<'_, T>,
) -> Result<T, ControlError> {
    tokio::select! {
        biased;
        _ = dead.wait_for(|dead| *dead) => {
            Err(ControlError::Unreachable("connection reset".to_owned()))
        }
        answer = answer => answer,
    }
}

impl ControlPlane for Way {
    fn changes<'a>(&'a self, known: &'a Known) -> Answer<'a, Changes> {
        Box::pin(async move {
            let (plane, dead) = self.reach()?;
            unless_killed(dead, plane.changes(known)).await
        })
    }

    fn leases<'a>(&'a self, asks: &'a Asks) -> Answer<'a, Grants> {
        Box::pin(async move {
            let (plane, dead) = self.reach()?;
            unless_killed(dead, plane.leases(asks)).await
        })
    }

    fn report<'a>(&'a self, reports: &'a Reports) -> Answer<'a, Acknowledged> {
        Box::pin(async move {
            let (plane, dead) = self.reach()?;
            unless_killed(dead, plane.report(reports)).await
        })
    }

    fn ingest<'a>(&'a self, batch: &'a Batch) -> Answer<'a, Taken> {
        Box::pin(async move {
            let (plane, dead) = self.reach()?;
            unless_killed(dead, plane.ingest(batch)).await
        })
    }
}

/// What the agents saw.
#[derive(Default)]
struct Seen {
    served: AtomicUsize,
    refused: AtomicUsize,
    stop: AtomicBool,
    /// The third proxy's agents stop earlier.
    dead: AtomicBool,
}

fn agents(world: &World, seen: &Arc<Seen>, mortal: bool) -> tokio::task::JoinSet<()> {
    let mut agents = tokio::task::JoinSet::new();
    for _ in 0..3 {
        let (client, seen) = (world.client(), Arc::clone(seen));
        agents.spawn(async move {
            let mut body = iron_tests::client::chat("How are you?");
            body["model"] = json!("gpt-4o");
            let over =
                || seen.stop.load(Ordering::SeqCst) || (mortal && seen.dead.load(Ordering::SeqCst));
            while !over() {
                let answer = client.post("/v1/chat/completions", &body).await;
                match answer.status.as_u16() {
                    200 => seen.served.fetch_add(1, Ordering::SeqCst),
                    402 => seen.refused.fetch_add(1, Ordering::SeqCst),
                    other => panic!("{other}: {}", answer.text()),
                };
                // As an agent that thinks.
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
    }
    agents
}

async fn operator(town: &Town, path: &str, body: &Value) -> Value {
    let link = Link::here(&town.life().unwrap().panel, Trusted::operator());
    let body = Some(body.to_string().into());
    let reply = link.ask(Method::POST, path, &[], body, SETTLES).await.unwrap();
    assert!(reply.status.is_success(), "{}", String::from_utf8_lossy(&reply.body));
    reply.json()
}

/// Three proxies with their providers, and the way of each to the panel.
struct Proxies {
    worlds: Vec<World>,
    ways: Vec<Arc<Way>>,
    spending: Vec<Spending>,
}

const NAMES: [&str; 3] = ["one", "two", "three"];

impl Proxies {
    async fn start(town: &Arc<Town>) -> Self {
        let budget = json!({"scope": "organisation", "window": "total", "limit": LIMIT});
        let budget = operator(town, "/api/v1/budgets", &budget).await;
        let budget = LeasedBudget {
            id: budget["id"].as_str().unwrap().to_owned(),
            scope: "organisation".to_owned(),
            window: "total".to_owned(),
            zone: "UTC".to_owned(),
            limit: NanoUsd(LIMIT),
            clamp: false,
        };
        let (mut worlds, mut ways, mut spending) = (Vec::new(), Vec::new(), Vec::new());
        for proxy in NAMES {
            operator(town, "/api/v1/proxies", &json!({"name": proxy})).await;
            let way = Arc::new(Way { town: Arc::clone(town), proxy, cut: AtomicBool::new(false) });
            // So that the panel knows among how many the budget is shared.
            let known = Known { seal_to: iron_tests::base64(&[9; 32]), ..Known::default() };
            way.changes(&known).await.unwrap();
            let (world, pace) = (World::plain().await, Pace::default());
            let plane: Arc<dyn ControlPlane> = Arc::<Way>::clone(&way);
            let begun = Spending::begin(&world.shared, plane, Terms::default(), pace).await;
            world.shared.leases.get().unwrap().set_budgets(std::slice::from_ref(&budget));
            worlds.push(world);
            ways.push(way);
            spending.push(begun.unwrap());
        }
        Self { worlds, ways, spending }
    }
}

/// Kills and starts again whatever there is, for as long as the load goes on. Returns how often the
/// panel was killed.
async fn havoc(town: &Town, cluster: &Cluster, proxies: &Proxies, seen: &Seen) -> usize {
    let (begun, mut kills, mut database_killed) = (Instant::now(), 0, false);
    let mut random = fastrand::Rng::with_seed(5);
    while begun.elapsed() < LOAD || kills < 4 {
        tokio::time::sleep(Duration::from_millis(random.u64(150..700))).await;
        if begun.elapsed() > LOAD / 3 && !database_killed {
            // The panel that lives goes on with the new one.
            database_killed = true;
            cluster.tool("kill");
            cluster.tool("start");
        }
        if begun.elapsed() > LOAD / 2 && !seen.dead.swap(true, Ordering::SeqCst) {
            proxies.ways[2].cut.store(true, Ordering::SeqCst);
        }
        town.kill().await;
        kills += 1;
        tokio::time::sleep(Duration::from_millis(random.u64(30..300))).await;
        town.start_at_last().await;
    }
    kills
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_panel_and_its_database_are_killed_and_a_proxy_dies_and_nothing_is_overspent_or_lost() {
    let folder = std::env::temp_dir().join(format!("iron-three-proxies-{}", std::process::id()));
    let cluster = Cluster(folder);
    let url = iron_panel::testing::new_database(&cluster.tool("start")).await;
    let town = Arc::new(Town { url, life: Mutex::default() });
    town.start_at_last().await;
    let proxies = Proxies::start(&town).await;
    let (seen, begun) = (Arc::new(Seen::default()), Instant::now());
    let worlds = proxies.worlds.iter().enumerate();
    let load: Vec<_> = worlds.map(|(place, world)| agents(world, &seen, place == 2)).collect();
    let kills = havoc(&town, &cluster, &proxies, &seen).await;
    seen.stop.store(true, Ordering::SeqCst);
    for mut agents in load {
        while let Some(agent) = agents.join_next().await {
            agent.unwrap();
        }
    }
    // The dead proxy's last words are lost with it; the others stop as they should.
    for spending in &proxies.spending[..2] {
        spending.close().await;
    }

    let mut posted = Vec::new();
    for world in &proxies.worlds {
        let (totals, bill) = (world.totals().await, world.provider.bill().total_nano_usd);
        assert_eq!(totals.pending, NanoUsd::ZERO);
        assert_eq!(totals.posted.0, bill, "each proxy charges what its provider bills");
        posted.push(bill);
    }
    let billed: i64 = posted.iter().sum();
    let panel = town.life().unwrap().panel;
    let row = sqlx::query("SELECT posted, leased FROM account").fetch_one(panel.store.pool());
    let row = row.await.unwrap();
    let (told, leased): (i64, i64) = (row.get(0), row.get(1));
    let leases = sqlx::query(
        "SELECT proxy, CAST(SUM(spent) AS BIGINT),
           CAST(SUM(CASE WHEN state = 'open' THEN granted - spent - returned ELSE 0 END) AS BIGINT)
         FROM lease GROUP BY proxy",
    );
    let leases = leases.fetch_all(panel.store.pool()).await.unwrap();
    let of = |name: &str, place: usize| -> i64 {
        leases.iter().find(|row| row.get::<String, _>(0) == name).map_or(0, |row| row.get(place))
    };
    // What the panel still holds for the dead proxy: spent and not reported any more, or stranded.
    let kept = of("three", 2);
    let unreported = posted[2] - of("three", 1);
    let stranded = kept - unreported;
    // The published bound: the share at the first grant, and the quarter that was left of the one
    // before. No call was open when the proxy died for longer than it took to end.
    let bound = LIMIT / (2 * 3) * 5 / 4;
    println!(
        "limit {}, billed {}, overspend {}; the panel has {} on record and holds {}: spent \
         unreported {}, stranded {} (bound {}); {} served, {} refused, panel killed {kills} \
         times, PostgreSQL once; {:?}",
        NanoUsd(LIMIT),
        NanoUsd(billed),
        NanoUsd((billed - LIMIT).max(0)),
        NanoUsd(told),
        NanoUsd(leased),
        NanoUsd(unreported),
        NanoUsd(stranded),
        NanoUsd(bound),
        seen.served.load(Ordering::SeqCst),
        seen.refused.load(Ordering::SeqCst),
        begun.elapsed(),
    );
    assert!(billed <= LIMIT, "overspent by {}", billed - LIMIT);
    assert!(told + leased <= LIMIT);
    assert!((0..=bound).contains(&stranded), "{stranded} are stranded");
    assert!(unreported >= 0, "the panel has more on record than was spent");
    assert_eq!(leased, kept, "those that stopped gave back what was left");
    assert_eq!(told + leased, billed + stranded, "nothing that was billed is lost");
    for (place, name) in NAMES[..2].iter().enumerate() {
        assert_eq!(of(name, 1), posted[place], "what {name} spent is on record");
        let calls = sqlx::query(
            "SELECT COUNT(*), CAST(COALESCE(SUM(posted), 0) AS BIGINT) FROM call WHERE proxy = $1",
        );
        let row = calls.bind(*name).fetch_one(panel.store.pool()).await.unwrap();
        let own = proxies.worlds[place].calls().await;
        assert_eq!(
            (row.get::<i64, _>(0), row.get::<i64, _>(1)),
            (own.len() as i64, posted[place]),
            "each call of {name} is on record once"
        );
    }
    // The load was one: there was something to lose.
    assert!(seen.served.load(Ordering::SeqCst) > 50 && kills > 3);
    panel.store.close().await;
}
