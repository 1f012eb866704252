//! Routes: who of several providers is called, and arguments that are wrong.

mod common;

use common::{circuit_of, config, tracker, wrong_handles};
use std::collections::HashSet;
use std::time::Duration;
use trip::{Error, Fallback, Order, PermitError, Reason, Rejected, Route, RouteConfig, Tracker};

fn route_of(tracker: &Tracker, config: &RouteConfig) -> Route {
    let route = tracker.route("acme", config).unwrap();
    for provider in ["a", "b", "c"] {
        route.add(provider, 1).unwrap();
    }
    route
}

fn index(route: &Route, session: &str, avoid: u64) -> u32 {
    let routed = route.permit(session, avoid).unwrap();
    routed.permit.record_success();
    routed.index
}

fn rejection(route: &Route) -> Rejected {
    match route.permit("", 0) {
        Err(PermitError::Rejected(rejected)) => rejected,
        other => panic!("a rejection is expected, and {other:?} came back"),
    }
}

#[test]
fn the_first_provider_that_admits_is_called() {
    let tracker = tracker();
    let route = route_of(&tracker, &RouteConfig::default());
    assert_eq!((index(&route, "", 0), index(&route, "", 1), index(&route, "", 0b011)), (0, 1, 2));
    assert_eq!(index(&route, "", u64::MAX), 0);
    route.circuit(0).unwrap().trip().unwrap();
    assert_eq!((index(&route, "", 0), index(&route, "", 0b010)), (1, 2));
    let routed = route.permit("", 0).unwrap();
    routed.permit.record_failure(); // of b
    assert_eq!(index(&route, "", 0), 2);
    assert_eq!(tracker.circuit("acme", "b").unwrap().inspect().unwrap().failures_total, 1);
}

#[test]
fn when_all_refuse_the_soonest_is_told() {
    let tracker = tracker();
    let route = route_of(&tracker, &RouteConfig::default());
    for provider in 0..3 {
        route.circuit(provider).unwrap().trip().unwrap();
        tracker.advance(Duration::from_secs(1)).unwrap();
    }
    let rejected = rejection(&route);
    assert_eq!((rejected.reason, rejected.retry_after), (Reason::Open, Duration::from_secs(27)));
    assert_eq!((rejected.tenant(), rejected.provider()), (&b"acme"[..], &b""[..]));
    let text = "no circuit of the route of tenant \"acme\" admits the call, the best is open; retry in 27s";
    assert_eq!(rejected.to_string(), text);
    assert_eq!(rejection(&Route::from_handle(route.handle())).tenant(), b"acme");
}

#[test]
fn one_call_may_go_through_when_all_refuse() {
    let tracker = tracker();
    let route = route_of(&tracker, &RouteConfig::default().fallback(Fallback::One));
    for provider in 0..3 {
        route.circuit(provider).unwrap().trip().unwrap();
    }
    let routed = route.permit("", 0).unwrap();
    assert_eq!(rejection(&route).reason, Reason::Open);
    routed.permit.record_failure();
    assert!(route.permit("", 0).is_ok());
}

#[test]
fn a_session_stays_and_sessions_spread() {
    let tracker = tracker();
    let route = route_of(&tracker, &RouteConfig::default().order(Order::Weighted));
    let sessions: Vec<_> = (0..50).map(|number| format!("user {number}")).collect();
    let first: Vec<_> = sessions.iter().map(|session| index(&route, session, 0)).collect();
    assert_eq!(first, sessions.iter().map(|session| index(&route, session, 0)).collect::<Vec<_>>());
    assert_eq!(first.iter().collect::<HashSet<_>>().len(), 3);
    let drawn: HashSet<_> = (0..200).map(|_| index(&route, "", 0)).collect();
    assert_eq!(drawn.len(), 3);
}

#[test]
fn circuits_and_providers_are_found_by_their_index() {
    let tracker = tracker();
    let route = route_of(&tracker, &RouteConfig::default());
    assert_eq!(route.circuit(2).unwrap().handle(), tracker.circuit("acme", "c").unwrap().handle());
    assert_eq!(&*route.provider(1).unwrap(), b"b");
    assert_eq!(&*route.clone().provider(1).unwrap(), b"b");
    for none in [3, 63, 64, u32::MAX] {
        assert_eq!(route.circuit(none).unwrap_err(), Error::Invalid);
        assert_eq!(route.provider(none), Err(Error::Invalid));
    }
    route.add("d", 1).unwrap();
    assert_eq!(&*route.provider(3).unwrap(), b"d");
    let circuit = route.circuit(3).unwrap();
    circuit.remove().unwrap();
    assert!(circuit.permit().is_ok(), "a circuit of a route finds itself again");
}

#[test]
fn a_provider_that_is_none_is_refused() {
    let route = route_of(&tracker(), &RouteConfig::default());
    assert_eq!(route.add("d", 0), Err(Error::Invalid));
    assert_eq!(route.add("d", 1_000_001), Err(Error::Invalid));
    assert_eq!(route.add("a", 1), Err(Error::Invalid));
    assert_eq!(route.add([b'x'; 256], 1), Err(Error::Invalid));
    for number in 3..64_u32 {
        route.add(number.to_le_bytes(), 1_000_000).unwrap();
    }
    assert_eq!(route.add("one more", 1), Err(Error::Capacity));
    assert_eq!(index(&route, "", u64::MAX >> 1), 63);
}

#[test]
fn a_route_is_refused_by_its_field() {
    let good = RouteConfig::default();
    let wrong = [("order", good.order(Order::Other(2))), ("fallback", good.fallback(Fallback::Other(2)))];
    for (field, config) in wrong {
        match tracker().route("acme", &config) {
            Err(Error::Config(refused)) => assert_eq!(refused.field, Some(field)),
            other => panic!("{field} cannot be so, and {other:?} came back"),
        }
    }
    assert_eq!(tracker().route([b'x'; 256], &good).unwrap_err(), Error::Invalid);
}

fn failure(answer: Result<trip::Routed, PermitError>) -> Error {
    match answer {
        Err(PermitError::Failed(error)) => error,
        other => panic!("an error is expected, and {other:?} came back"),
    }
}

#[test]
fn wrong_calls_are_refused() {
    let tracker = tracker();
    let empty = tracker.route("acme", &RouteConfig::default()).unwrap();
    assert_eq!(failure(empty.permit("", 0)), Error::Invalid);
    let route = route_of(&tracker, &RouteConfig::default());
    assert_eq!(failure(route.permit([b'x'; 256], 0)), Error::Invalid);
    assert!(route.permit([0xFF; 255], 0).is_ok());
}

fn assert_gone(route: &Route) {
    assert_eq!(failure(route.permit("", 0)), Error::Handle);
    assert_eq!(route.add("x", 1), Err(Error::Handle));
    assert_eq!(route.circuit(0).unwrap_err(), Error::Handle);
    assert_eq!(route.provider(0), Err(Error::Handle));
    assert_eq!(route.destroy(), Err(Error::Handle));
}

#[test]
fn what_is_no_route_says_so() {
    let tracker = tracker();
    for handle in wrong_handles(circuit_of(&tracker).handle()) {
        assert_gone(&Route::from_handle(handle));
    }
    let route = route_of(&tracker, &RouteConfig::default());
    let routed = route.permit("", 0).unwrap();
    route.clone().destroy().unwrap();
    assert_gone(&route);
    assert_eq!(routed.permit.record_success(), trip::Settled::Counted);
    let orphan = route_of(&tracker, &RouteConfig::default());
    tracker.destroy().unwrap();
    assert_eq!(failure(orphan.permit("", 0)), Error::Handle);
    assert_eq!(tracker.route("acme", &RouteConfig::default()).unwrap_err(), Error::Handle);
}

#[test]
fn a_route_keeps_its_tracker() {
    let route = route_of(&Tracker::new(&config()).unwrap(), &RouteConfig::default());
    assert_eq!(index(&route, "", 0), 0);
}
