//! The Rust client of the demo: reqwest on tokio, with or without libtrip.
//!
//!     trip-demo-client SCENARIO SIDE OPENAI_URL ANTHROPIC_URL
//!
//! It prints `ready`, reads the start of the replay (Unix time in nanoseconds) as one line, makes its calls when their
//! time has come, and prints a JSON line about each.

mod call;
mod outcome;
mod scenario;

use call::{Caller, Clock};
use scenario::Scenario;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use std::{env, fs, io, thread};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use trip::{Backoff, Config, Tracker};

const LANGUAGE: &str = "rust";

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [path, side, openai, anthropic] = arguments.as_slice() else {
        return Err("usage: trip-demo-client SCENARIO SIDE OPENAI_URL ANTHROPIC_URL".into());
    };
    let scenario: Scenario = serde_json::from_str(&fs::read_to_string(path)?)?;
    let tracker = Tracker::new(&policy(&scenario))?;
    let http = http(&scenario)?;

    println!("ready");
    let mut start = String::new();
    io::stdin().read_line(&mut start)?;
    let clock = Clock::starting_at_unix_ns(start.trim().parse()?);

    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let mut lanes = Vec::new();
    for lane in scenario.lanes.into_iter().filter(|lane| lane.language == LANGUAGE) {
        let base = if lane.provider == "openai" { openai } else { anthropic };
        let circuit = (side == "with").then(|| tracker.circuit(&lane.tenant, &lane.provider)).transpose()?;
        let url = format!("{base}{}", lane.path);
        let caller = Caller { side: side.clone(), lane, url, circuit, http: http.clone(), clock };
        let runtime = runtime.handle().clone();
        lanes.push(thread::spawn(move || make_calls(&Arc::new(caller), &runtime)));
    }
    for lane in lanes {
        for call in lane.join().expect("a lane ends without a panic") {
            runtime.block_on(call)?;
        }
    }
    Ok(())
}

/// The calls of one lane, each begun at its time, whatever became of the one before. The thread sleeps and the runtime
/// does not, because tokio's timers are up to a millisecond late, which callers would seem to wait.
fn make_calls(caller: &Arc<Caller>, runtime: &Handle) -> Vec<JoinHandle<()>> {
    let begin = |(place, at_us)| {
        caller.clock.sleep_until(at_us);
        let caller = Arc::clone(caller);
        runtime.spawn(async move { caller.make_one(place, at_us).await })
    };
    caller.lane.at_us.iter().copied().enumerate().map(begin).collect()
}

fn policy(scenario: &Scenario) -> Config {
    Config::default()
        .failure_threshold(scenario.circuit.failure_threshold)
        .initial_open(Duration::from_micros(scenario.circuit.initial_open_us))
        .max_open(Duration::from_micros(scenario.circuit.max_open_us))
        .backoff_multiplier(scenario.circuit.backoff_multiplier)
        .backoff(Backoff::Compound)
}

/// The stand-ins are on this machine, so no proxy is asked. What can hang at once is bounded by load and timeout.
fn http(scenario: &Scenario) -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .timeout(Duration::from_micros(scenario.timeout_us))
        .pool_max_idle_per_host(32)
        .no_proxy()
        .build()
}
