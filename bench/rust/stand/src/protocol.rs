//! The protocol: introduces the peers, then answers line by line.

use crate::timing::time;
use crate::{Peer, Run};
use serde_json::{json, Value};
use std::collections::HashMap;
use std::io::{stdin, stdout, BufRead, Write};

/// The runs that have been prepared, by peer and column.
type Prepared = HashMap<(&'static str, &'static str), Vec<Run>>;

/// Serves until the input ends.
pub fn serve(peers: &[Peer]) {
    say(&json!({"language": "rust", "peers": peers.iter().map(introduction).collect::<Vec<_>>()}));
    let mut prepared = Prepared::new();
    for line in stdin().lock().lines() {
        let Ok(line) = line else { return };
        say(&answer(peers, &mut prepared, &line).unwrap_or_else(|error| json!({ "error": error })));
    }
}

/// The version of a package in the lock file of the stand that it is built into.
pub fn locked_version(lock: &str, package: &str) -> String {
    let entry = format!("name = \"{package}\"\nversion = \"");
    let (_, rest) = lock.split_once(&entry).unwrap_or_else(|| panic!("{package} is not in Cargo.lock"));
    rest.split('"').next().unwrap_or_default().into()
}

fn introduction(peer: &Peer) -> Value {
    let memory = peer.fill.map(|_| "memory");
    let columns: Vec<_> = peer.columns.iter().map(|column| column.name).chain(memory).collect();
    json!({
        "name": peer.name,
        "version": peer.version,
        "licence": peer.licence,
        "configuration": peer.configuration,
        "columns": columns,
    })
}

fn answer(peers: &[Peer], prepared: &mut Prepared, line: &str) -> Result<Value, String> {
    let words: Vec<_> = line.split_whitespace().collect();
    let [peer, column, calls] = words[..] else { return Err("a line is: peer column calls".into()) };
    let calls = calls.parse().ok().filter(|&calls| calls > 0).ok_or("calls are a number above 0")?;
    let peer = peers.iter().find(|known| known.name == peer).ok_or("no such peer")?;
    if let ("memory", Some(fill)) = (column, peer.fill) {
        let before = resident_bytes();
        fill(calls);
        return Ok(json!({ "bytes_per_circuit": (resident_bytes() - before) / calls as f64 }));
    }
    let column = peer.columns.iter().find(|known| known.name == column).ok_or("no such column")?;
    let runs = prepared
        .entry((peer.name, column.name))
        .or_insert_with(|| (0..column.threads).map(|thread| (column.prepare)(thread)).collect());
    let outcome = time(runs, calls);
    match outcome.wrong {
        0 => Ok(json!({ "ns_per_call": outcome.ns_per_call })),
        wrong => Err(format!("{wrong} calls were not answered as they should be")),
    }
}

fn resident_bytes() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc/self/status is readable");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it has a line VmRSS");
    let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse().expect("VmRSS is a number of kB");
    kilobytes * 1024.0
}

fn say(line: &Value) {
    let mut out = stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).expect("somebody listens");
}
