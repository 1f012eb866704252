//! recloser: a ring of the last results, read under an epoch.

use recloser::{Error, Recloser};
use stand::{repeat, Column, Peer};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

/// Opens when the last five calls have all failed. An error rate above 1 is never reached.
fn breaker(error_rate: f32, open: Duration) -> Recloser {
    Recloser::custom().error_rate(error_rate).closed_len(5).half_open_len(1).open_wait(open).build()
}

fn usual() -> Recloser {
    breaker(1.0, Duration::from_secs(30))
}

fn succeed(breaker: &Recloser) -> bool {
    breaker.call(|| Ok::<_, ()>(black_box(7))).is_ok_and(|got| got == 7)
}

fn fail(breaker: &Recloser) -> bool {
    matches!(breaker.call(|| Err::<(), _>(black_box(7))), Err(Error::Inner(7)))
}

fn refuse(breaker: &Recloser) -> bool {
    matches!(breaker.call(|| Ok::<_, ()>(7)), Err(Error::Rejected))
}

fn open_breaker() -> Recloser {
    let breaker = breaker(1.0, Duration::from_secs(24 * 3600));
    assert!((0..6).all(|_| fail(&breaker)) && refuse(&breaker), "a full ring of failures opens it");
    breaker
}

pub fn peer() -> Peer {
    let shared = Arc::new(usual());
    Peer::new(
        "recloser",
        crate::version("recloser"),
        "MIT",
        "error rate 1 over a ring of 5, 30 s. Every column by call(): it has no other form. failure: error rate 2. \
         refusal: open for a day. It has no look-up by name",
    )
    .column(Column::new("call", || {
        let breaker = usual();
        repeat(move || succeed(&breaker))
    }))
    .column(Column::new("failure", || {
        let breaker = breaker(2.0, Duration::from_secs(30));
        repeat(move || fail(&breaker))
    }))
    .column(Column::new("refusal", || {
        let breaker = open_breaker();
        repeat(move || refuse(&breaker))
    }))
    .column(Column::two_threads("pair_2t_one", move |_| {
        let breaker = Arc::clone(&shared);
        repeat(move || succeed(&breaker))
    }))
    .column(Column::two_threads("pair_2t_many", |_| {
        let breaker = usual();
        repeat(move || succeed(&breaker))
    }))
}
