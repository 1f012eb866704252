//! Retries: what a rule says of attempts, and of arguments that are wrong.

mod common;

use common::{circuit_of, tracker, wrong_handles};
use std::thread;
use std::time::Duration;
use trip::classify::{Class, Outcome};
use trip::{Attempt, Classes, Error, Jitter, NoRetry, Retry, RetryConfig};

const SECOND: Duration = Duration::from_secs(1);

/// Without jitter.
fn config() -> RetryConfig {
    RetryConfig::default().jitter(Jitter::None).base_delay(SECOND)
}

fn first() -> Attempt {
    Attempt { number: 1, began: Duration::ZERO, delay: Duration::ZERO }
}

#[test]
fn delays_double_up_to_the_cap_and_never_overflow() {
    let retry = Retry::new(&config()).unwrap();
    let delays = [0, 1, 2, 3, 7, 1000, u32::MAX].map(|attempt| retry.delay_for(attempt).unwrap());
    assert_eq!(delays, [1, 1, 2, 4, 60, 60, 60].map(|seconds| SECOND * seconds));
    let info = retry.inspect("llm").unwrap();
    assert_eq!((info.budget, info.calls, info.retries, info.refused), (10, 0, 0, 0));
}

#[test]
fn each_attempt_knows_the_one_before() {
    let tracker = tracker();
    let retry = tracker.retry(&config().max_attempts(3)).unwrap();
    tracker.advance(SECOND * 7).unwrap();
    let first = retry.begin("llm").unwrap();
    assert_eq!(first, Attempt { number: 1, began: SECOND * 7, delay: Duration::ZERO });
    let second = retry.next("llm", &first, Class::Timeout).unwrap();
    assert_eq!(second, Attempt { number: 2, began: SECOND * 7, delay: SECOND });
    let third = retry.next("llm", &second, Outcome::new(Class::Timeout).retry_after(SECOND * 9)).unwrap();
    assert_eq!(third, Attempt { number: 3, began: SECOND * 7, delay: SECOND * 9 });
    assert_eq!(retry.next("llm", &third, Class::Timeout), Err(NoRetry::Attempts));
    let info = retry.inspect("llm").unwrap();
    assert_eq!((info.calls, info.retries, info.budget), (1, 2, 8));
}

#[test]
fn why_there_is_no_retry_is_told() {
    let tracker = tracker();
    let retry = tracker.retry(&config().deadline(SECOND * 10).budget_burst(1).budget_ratio(0.0)).unwrap();
    assert_eq!(retry.next("llm", &first(), Class::Auth), Err(NoRetry::Class));
    assert_eq!(retry.next("llm", &first(), Class::Success), Err(NoRetry::Class));
    let late = Outcome::new(Class::RateLimited).retry_after(SECOND * 61);
    assert_eq!(retry.next("llm", &first(), late), Err(NoRetry::Late));
    assert!(retry.next("llm", &first(), Class::Overloaded).is_ok());
    assert_eq!(retry.next("llm", &first(), Class::Overloaded), Err(NoRetry::Budget));
    assert!(retry.next("other", &first(), Class::Overloaded).is_ok());
    tracker.advance(SECOND * 10).unwrap();
    assert_eq!(retry.next("third", &first(), Class::Overloaded), Err(NoRetry::Late));
    assert_eq!(retry.inspect("llm").unwrap().refused, 1);
    assert_eq!(NoRetry::Budget.to_string(), "too many of the calls to this provider are retries");
}

#[test]
fn an_attempt_that_is_none_is_taken_as_the_first_or_the_last() {
    let retry = Retry::new(&config()).unwrap();
    let zeroth = Attempt { number: 0, ..first() };
    assert_eq!(retry.next("llm", &zeroth, Class::Network).unwrap().number, 2);
    let last = Attempt { number: u32::MAX, began: Duration::MAX, delay: Duration::MAX };
    assert_eq!(retry.next("llm", &last, Class::Network), Err(NoRetry::Attempts));
}

/// `config` is refused, by this field.
fn assert_refused(field: &str, config: &RetryConfig) {
    match (Retry::new(config), tracker().retry(config)) {
        (Err(Error::Config(refused)), Err(Error::Config(the_same))) => {
            assert_eq!((refused.field, &refused), (Some(field), &the_same));
        }
        other => panic!("{field} cannot be so, and {other:?} came back"),
    }
}

#[test]
fn a_rule_is_refused_by_its_field() {
    assert_refused("max_attempts", &config().max_attempts(0));
    assert_refused("max_attempts", &config().max_attempts(1001));
    assert_refused("base_delay", &config().base_delay(Duration::MAX));
    assert_refused("max_delay", &config().max_delay(Duration::MAX));
    for multiplier in [0.5, -1.0, f64::NAN, f64::INFINITY] {
        assert_refused("multiplier", &config().multiplier(multiplier));
    }
    assert_refused("jitter", &config().jitter(Jitter::Other(4)));
    assert_refused("max_providers", &config().max_providers(0));
    assert_refused("max_retry_after", &config().max_retry_after(Duration::MAX));
    assert_refused("deadline", &config().deadline(Duration::MAX));
    assert_refused("budget_ratio", &config().budget_ratio(f64::NAN));
    assert_refused("budget_burst", &config().budget_burst(0));
    assert_refused("classes", &config().classes(Classes::of([Class::Timeout, Class::Other(99)])));
}

#[test]
fn classes_are_a_set() {
    let classes = Classes::of([Class::Timeout, Class::Unknown]).with(Class::Quota).without(Class::Timeout);
    let has = [Class::Timeout, Class::Unknown, Class::Quota, Class::Other(99)].map(|class| classes.has(class));
    assert_eq!(has, [false, true, true, false]);
    assert!(!Classes::of([Class::Other(64 + u32::from(Class::Timeout))]).has(Class::Timeout));
    assert_eq!(format!("{classes:?}"), "{Quota, Unknown}");
    assert_eq!(Classes::default(), Classes::NONE);
    let retry = Retry::new(&config().classes(classes)).unwrap();
    assert!(retry.next("llm", &first(), Class::Quota).is_ok());
    assert_eq!(retry.next("llm", &first(), Class::Timeout), Err(NoRetry::Class));
}

#[test]
fn wrong_arguments_are_refused() {
    let retry = Retry::new(&config()).unwrap();
    let long = [b'x'; 256];
    assert_eq!(retry.begin(long), Err(Error::Invalid));
    assert_eq!(retry.inspect(long), Err(Error::Invalid));
    assert_eq!(retry.next(long, &first(), Class::Network), Err(NoRetry::Failed(Error::Invalid)));
    assert_eq!(retry.next("llm", &first(), Class::Other(99)), Err(NoRetry::Failed(Error::Invalid)));
    assert!(retry.begin("").is_ok() && retry.begin(b"\0\xFF").is_ok());
}

fn assert_gone(retry: &Retry) {
    assert_eq!(retry.delay_for(1), Err(Error::Handle));
    assert_eq!(retry.begin("llm"), Err(Error::Handle));
    assert_eq!(retry.next("llm", &first(), Class::Network), Err(NoRetry::Failed(Error::Handle)));
    assert_eq!(retry.inspect("llm"), Err(Error::Handle));
    assert_eq!(retry.destroy(), Err(Error::Handle));
}

#[test]
fn what_is_no_rule_says_so() {
    let circuit = circuit_of(&tracker());
    for handle in wrong_handles(circuit.handle()) {
        assert_gone(&Retry::from_handle(handle));
    }
    let retry = Retry::new(&config()).unwrap();
    let clone = retry.clone();
    retry.destroy().unwrap();
    assert_gone(&clone);
    let tracker = tracker();
    let retry = tracker.retry(&config()).unwrap();
    tracker.destroy().unwrap();
    assert_eq!(retry.begin("llm"), Err(Error::Handle));
    assert_eq!(tracker.retry(&config()).unwrap_err(), Error::Handle);
}

#[test]
fn a_rule_lives_as_long_as_somebody_has_it_and_keeps_its_tracker() {
    let retry = tracker().retry(&config()).unwrap();
    let borrowed = Retry::from_handle(retry.handle());
    drop(Retry::from_handle(retry.handle()));
    assert!(retry.begin("llm").is_ok()); // its tracker is there
    let clone = retry.clone();
    drop(retry);
    assert!(borrowed.begin("llm").is_ok());
    drop(clone);
    assert_gone(&borrowed);
}

#[test]
fn threads_share_a_budget() {
    let retry = Retry::new(&config().budget_ratio(0.0).budget_burst(100)).unwrap();
    let granted: usize = thread::scope(|scope| {
        let threads = [(); 8]
            .map(|()| scope.spawn(|| (0..100).filter(|_| retry.next("llm", &first(), Class::Timeout).is_ok()).count()));
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    let info = retry.inspect("llm").unwrap();
    assert_eq!((granted, info.retries, info.refused, info.budget), (100, 100, 700, 0));
}
