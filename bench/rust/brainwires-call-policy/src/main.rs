//! The stand of brainwires-call-policy: a provider around a provider, with one map of models under one async lock.

use anyhow::Result;
use async_trait::async_trait;
use brainwires_call_policy::{CircuitBreakerConfig, CircuitBreakerProvider, ResilienceError};
use brainwires_core::message::{ChatResponse, Message, StreamChunk, Usage};
use brainwires_core::provider::{ChatOptions, Provider};
use brainwires_core::tool::Tool;
use futures::stream::{empty, BoxStream, StreamExt};
use stand::{block_on, requests, Column, Peer, Request, Requests};
use std::sync::Arc;
use std::time::Duration;

const LOCK: &str = include_str!("../Cargo.lock");

/// Answers at once, with nothing.
struct Instant {
    is_down: bool,
}

#[async_trait]
impl Provider for Instant {
    fn name(&self) -> &str {
        "instant"
    }

    async fn chat(&self, _: &[Message], _: Option<&[Tool]>, _: &ChatOptions) -> Result<ChatResponse> {
        if self.is_down {
            anyhow::bail!("down");
        }
        Ok(ChatResponse { message: Message::assistant(""), usage: Usage::new(0, 0), finish_reason: None })
    }

    fn stream_chat<'a>(
        &'a self,
        _: &'a [Message],
        _: Option<&'a [Tool]>,
        _: &'a ChatOptions,
    ) -> BoxStream<'a, Result<StreamChunk>> {
        empty().boxed()
    }
}

type Breaker = Arc<CircuitBreakerProvider<Instant>>;

fn breaker(failure_threshold: u32, cooldown: Duration, is_down: bool) -> Breaker {
    let config = CircuitBreakerConfig { failure_threshold, cooldown };
    Arc::new(CircuitBreakerProvider::new(Arc::new(Instant { is_down }), config))
}

fn usual() -> Breaker {
    breaker(5, Duration::from_secs(30), false)
}

/// It knows circuits by the model that is asked for.
fn options(request: Request) -> ChatOptions {
    let model = format!("{}/{}", request.tenant, request.provider);
    ChatOptions { model: Some(model), ..ChatOptions::default() }
}

fn is_success(outcome: &Result<ChatResponse>) -> bool {
    outcome.is_ok()
}

fn is_refusal(outcome: &Result<ChatResponse>) -> bool {
    let error = outcome.as_ref().err().and_then(|error| error.downcast_ref());
    matches!(error, Some(ResilienceError::CircuitOpen { .. }))
}

fn is_failure(outcome: &Result<ChatResponse>) -> bool {
    outcome.is_err() && !is_refusal(outcome)
}

fn calls(
    breaker: Breaker,
    mut requests: Requests<ChatOptions>,
    is_right: fn(&Result<ChatResponse>) -> bool,
) -> impl FnMut(u64) -> u64 + Send {
    move |calls| {
        block_on(async {
            let mut wrong = 0;
            for _ in 0..calls {
                let outcome = breaker.chat(&[], None, requests.next()).await;
                wrong += u64::from(!is_right(&outcome));
            }
            wrong
        })
    }
}

/// Calls of one model.
fn one(breaker: Breaker, number: u64, is_right: fn(&Result<ChatResponse>) -> bool) -> impl FnMut(u64) -> u64 + Send {
    let requests = Requests::in_turn(1, |_| options(stand::name(number)));
    calls(breaker, requests, is_right)
}

fn open_breaker() -> Breaker {
    let breaker = breaker(5, Duration::from_secs(24 * 3600), true);
    assert_eq!(one(Arc::clone(&breaker), 0, is_failure)(5), 0, "five failures pass");
    breaker
}

fn filled(circuits: u64) -> Breaker {
    let breaker = usual();
    for i in 0..circuits {
        assert!(is_success(&block_on(breaker.chat(&[], None, &options(stand::name(i))))), "a new model is admitted");
    }
    breaker
}

fn lookup(breaker: Breaker, keys: u64, seed: u64) -> impl FnMut(u64) -> u64 + Send {
    calls(breaker, requests(keys, seed, options), is_success)
}

fn peer() -> Peer {
    let (one_model, both_models) = (usual(), usual());
    Peer::new(
        "brainwires-call-policy",
        stand::locked_version(LOCK, "brainwires-call-policy"),
        "MIT OR Apache-2.0",
        "failure_threshold 5, cooldown 30 s: its defaults. Every column by chat(), which looks the model up, around a \
         provider that answers at once with nothing: it has no other form. pair_2t_many: two models of one breaker. \
         failure: threshold 4294967295. refusal: open for a day. It evicts nothing",
    )
    .column(Column::new("call", || one(usual(), 0, is_success)))
    .column(Column::new("failure", || one(breaker(u32::MAX, Duration::from_secs(30), true), 0, is_failure)))
    .column(Column::new("refusal", || one(open_breaker(), 0, is_refusal)))
    .column(Column::new("lookup_8", || lookup(filled(8), 8, 0)))
    .column(Column::new("lookup_1k", || lookup(filled(1000), 1000, 0)))
    .column(Column::new("lookup_100k", || lookup(filled(100_000), 100_000, 0)))
    .column(Column::new("lookup_1M", || lookup(filled(1_000_000), 1_000_000, 0)))
    .column(Column::two_threads("lookup_1k_2t", {
        let breaker = filled(1000);
        move |thread| lookup(Arc::clone(&breaker), 1000, thread as u64)
    }))
    .column(Column::two_threads("pair_2t_one", move |_| one(Arc::clone(&one_model), 0, is_success)))
    .column(Column::two_threads("pair_2t_many", move |thread| one(Arc::clone(&both_models), thread as u64, is_success)))
    .memory(|circuits| std::mem::forget(filled(circuits)))
}

fn main() {
    stand::serve(&[peer()]);
}
