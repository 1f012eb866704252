//! tower's ConcurrencyLimit with LoadShed around it: layers around a service, whose calls are futures.

use stand::{block_on, Column, Peer};
use std::future::{pending, ready, Ready};
use std::hint::black_box;
use tower::limit::ConcurrencyLimit;
use tower::load_shed::error::Overloaded;
use tower::load_shed::LoadShed;
use tower::{service_fn, BoxError, Service, ServiceExt};

const CAPACITY: usize = 64;

type Answer = Result<u32, BoxError>;

trait Gate: Service<u32, Response = u32, Error = BoxError, Future: Send> + Clone + Send {}
impl<S> Gate for S where S: Service<u32, Response = u32, Error = BoxError, Future: Send> + Clone + Send {}

fn gate() -> impl Gate {
    let answer = |request: u32| -> Ready<Answer> { ready(Ok(black_box(request))) };
    LoadShed::new(ConcurrencyLimit::new(service_fn(answer), CAPACITY))
}

async fn call(gate: &mut impl Gate) -> Answer {
    gate.ready().await?.call(7).await
}

fn passes(mut gate: impl Gate) -> impl FnMut(u64) -> u64 + Send {
    move |calls| {
        block_on(async {
            let mut wrong = 0;
            for _ in 0..calls {
                wrong += u64::from(!matches!(call(&mut gate).await, Ok(7)));
            }
            wrong
        })
    }
}

/// As many calls are in progress, and do not end, as there are places.
fn sheds() -> impl FnMut(u64) -> u64 + Send {
    let endless = service_fn(|_: u32| pending::<Answer>());
    let mut gate = LoadShed::new(ConcurrencyLimit::new(endless, CAPACITY));
    let in_progress: Vec<_> =
        (0..CAPACITY).map(|_| block_on(gate.ready()).expect("load is shed by call").call(7)).collect();
    move |calls| {
        let _held = &in_progress;
        block_on(async {
            let mut wrong = 0;
            for _ in 0..calls {
                let answer = call(&mut gate).await;
                wrong += u64::from(!answer.is_err_and(|error| error.is::<Overloaded>()));
            }
            wrong
        })
    }
}

pub fn peer() -> Peer {
    let shared = gate();
    Peer::new(
        "tower",
        crate::version("tower"),
        "MIT",
        "ConcurrencyLimit of 64 in LoadShed, around a service that answers at once: ready() and call()",
    )
    .column(Column::new("gate", || passes(gate())))
    .column(Column::two_threads("gate_2t", move |_| passes(shared.clone())))
    .column(Column::new("gate_full", sheds))
}
