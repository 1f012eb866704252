//! The attempts of one call, from its place at the gate to its last outcome. It waits for nothing itself: who blocks
//! and who awaits both ask it before and after each attempt, and dropping it gives back all that it holds.

use super::{Call, Caller, Classify, Permits, Refusal, Target};
use crate::classify::{Class, Outcome};
use crate::dedup::Ticket;
use crate::gate::Token;
use crate::permit::Permit;
use crate::rejection::PermitError;
use crate::retry::{Attempt, NoRetry};
use crate::selector::Effect;
use std::sync::Arc;
use std::time::Duration;

pub(super) struct Attempts<'a, C> {
    call: &'a Call<'a, C>,
    /// Renewed with each attempt, so that its lease need not last for all of them.
    ticket: Option<&'a Ticket>,
    token: Option<Token>,
    admitted: Option<Admitted>,
    /// Which it is, by the rule; `None` before the first one, and without a rule.
    attempt: Option<Attempt>,
    /// Providers of the route that have failed.
    avoid: u64,
    /// Somebody awaits: dropped meanwhile, the call was given up, and did not panic.
    #[cfg_attr(not(feature = "tokio"), allow(dead_code))]
    pub(super) is_waiting: bool,
}

/// Whom the present attempt calls.
struct Admitted {
    /// `None`: the library could not say, and the attempt is made unguarded.
    permit: Option<Permit>,
    provider: Arc<[u8]>,
    /// On a route: the bit of the provider.
    bit: u64,
}

impl<'a, C> Attempts<'a, C> {
    /// Takes a place of the gate.
    pub(super) fn enter(call: &'a Call<'a, C>, ticket: Option<&'a Ticket>) -> Result<Self, Refusal> {
        let token = call.caller.enter()?;
        Ok(Attempts { call, ticket, token, admitted: None, attempt: None, avoid: 0, is_waiting: false })
    }

    /// Before an attempt: whom to call.
    pub(super) fn begin(&mut self) -> Result<Arc<[u8]>, Refusal> {
        if let Some(admitted) = &self.admitted {
            return Ok(Arc::clone(&admitted.provider)); // by the permit of the call
        }
        let admitted = self.call.caller.admit(self.call.session, self.avoid)?;
        let provider = Arc::clone(&admitted.provider);
        self.admitted = Some(admitted);
        if let (Some(retry), None) = (&self.call.caller.retry, &self.attempt) {
            match retry.begin(&provider) {
                Ok(first) => self.attempt = Some(first),
                Err(error) => self.call.caller.pass_over(error).inspect_err(|_| self.give_up())?,
            }
        }
        Ok(provider)
    }

    /// After an attempt: how long to wait before the next one, if there is to be one.
    pub(super) fn end<T, E>(&mut self, result: &Result<T, E>) -> Option<Duration>
    where
        C: Classify<E>,
    {
        let outcome =
            result.as_ref().map_or_else(|error| self.call.classify.classify(error), |_| Class::Success.into());
        let next = if result.is_err() { self.next(&outcome) } else { None };
        if next.is_none() || self.call.caller.permits == Permits::PerAttempt {
            self.record(&outcome);
        }
        if next.is_none() {
            self.leave(outcome.class);
        } else if let Some(ticket) = self.ticket {
            let _ = ticket.renew(); // when its lease is over others call too, and this call goes on
        }
        self.attempt = next.or(self.attempt);
        next.map(|next| next.delay)
    }

    fn next(&mut self, outcome: &Outcome) -> Option<Attempt> {
        let (retry, attempt) = (self.call.caller.retry.as_ref()?, self.attempt.as_ref()?);
        let admitted = self.admitted.as_ref()?;
        self.avoid |= admitted.bit;
        match retry.next(&admitted.provider, attempt, outcome) {
            Ok(next) => Some(next),
            Err(NoRetry::Failed(error)) => {
                self.call.caller.report(&error);
                None
            }
            Err(_) => None,
        }
    }

    fn record(&mut self, outcome: &Outcome) {
        if let Some(permit) = self.admitted.take().and_then(|admitted| admitted.permit) {
            self.call.caller.note(match outcome.class {
                Class::Success => permit.record_success(),
                _ => permit.record(outcome),
            });
        }
    }

    fn leave(&mut self, class: Class) {
        if let Some(token) = self.token.take() {
            self.call.caller.note(token.release(effect(class)));
        }
    }

    /// The permit tells nothing of the provider.
    fn give_up(&mut self) {
        self.admitted.take().and_then(|admitted| admitted.permit).map(Permit::cancel);
    }
}

impl<C> Drop for Attempts<'_, C> {
    fn drop(&mut self) {
        if self.is_waiting {
            self.give_up();
        }
    }
}

impl Caller {
    fn admit(&self, session: &[u8], avoid: u64) -> Result<Admitted, Refusal> {
        match &self.target {
            Target::Circuit { circuit, provider } => {
                let permit = match circuit.permit() {
                    Ok(permit) => Some(permit),
                    Err(PermitError::Rejected(rejected)) => return Err(Refusal::Rejected(rejected)),
                    Err(PermitError::Failed(error)) => {
                        self.report(&error); // as `Circuit::call` does
                        None
                    }
                };
                Ok(Admitted { permit, provider: Arc::clone(provider), bit: 0 })
            }
            Target::Route(route) => {
                let (permit, index) = match route.permit(session, avoid) {
                    Ok(routed) => (Some(routed.permit), routed.index),
                    Err(PermitError::Rejected(rejected)) => return Err(Refusal::Rejected(rejected)),
                    // Whoever comes first is called then.
                    Err(PermitError::Failed(error)) => (self.pass_over(error).map(|()| None)?, 0),
                };
                match route.provider(index) {
                    Ok(provider) => Ok(Admitted { permit, provider, bit: 1_u64.checked_shl(index).unwrap_or(0) }),
                    Err(error) => {
                        permit.map(Permit::cancel); // there is nobody to be called
                        Err(Refusal::Failed(error))
                    }
                }
            }
        }
    }
}

/// What a gate makes of a class: what circuits do, unless configured otherwise.
fn effect(class: Class) -> Effect {
    match class {
        Class::ServerError
        | Class::RateLimited
        | Class::Overloaded
        | Class::Network
        | Class::Timeout
        | Class::Quota => Effect::Failure,
        Class::Cancelled | Class::Unknown | Class::Other(_) => Effect::Nothing,
        _ => Effect::Success,
    }
}
