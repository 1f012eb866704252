//! The same call for those who await: the waits for another's result, for the function and before a retry are where it
//! may be given up.

use super::{Attempts, Call, Caller, CallerError, Classify, Found};
use crate::call::noting_waits;
use crate::dedup::Ticket;
use crate::remember::Remember;
use std::future::Future;
use std::sync::Arc;

impl Caller {
    /// See [`Call::call_async`].
    ///
    /// # Errors
    /// See [`CallerError`].
    ///
    /// # Panics
    /// Outside of a tokio runtime with time enabled, when it has to wait before a retry.
    pub async fn call_async<T, E, F>(&self, call: impl FnMut(Arc<[u8]>) -> F) -> Result<T, CallerError<E>>
    where
        F: Future<Output = Result<T, E>>,
    {
        self.one_call().call_async(call).await
    }

    /// See [`Call::call_once_async`].
    ///
    /// # Errors
    /// See [`CallerError`].
    ///
    /// # Panics
    /// As [`call_async`](Self::call_async); and outside of a runtime with IO enabled, when it has to wait for another's
    /// result.
    pub async fn call_once_async<T: Remember, E, F>(
        &self,
        key: impl AsRef<[u8]>,
        call: impl FnMut(Arc<[u8]>) -> F,
    ) -> Result<T, CallerError<E>>
    where
        F: Future<Output = Result<T, E>>,
    {
        self.one_call().call_once_async(key, call).await
    }
}

impl<C> Call<'_, C> {
    /// [`call`](Self::call) for a function that gives a future, with the feature `tokio`. When the future of this is
    /// dropped before it is ready, its caller gave up: the permit is cancelled, and all else that it holds given back.
    /// A panic drops the permit.
    ///
    /// # Errors
    /// See [`CallerError`].
    ///
    /// # Panics
    /// Outside of a tokio runtime with time enabled, when it has to wait before a retry.
    pub async fn call_async<T, E, F>(&self, mut call: impl FnMut(Arc<[u8]>) -> F) -> Result<T, CallerError<E>>
    where
        C: Classify<E>,
        F: Future<Output = Result<T, E>>,
    {
        self.attempt_async(None, &mut call).await
    }

    /// [`call_once`](Self::call_once) for a function that gives a future, as [`call_async`](Self::call_async).
    ///
    /// # Errors
    /// See [`CallerError`].
    ///
    /// # Panics
    /// As [`call_async`](Self::call_async); and outside of a runtime with IO enabled, when it has to wait for another's
    /// result.
    pub async fn call_once_async<T: Remember, E, F>(
        &self,
        key: impl AsRef<[u8]>,
        mut call: impl FnMut(Arc<[u8]>) -> F,
    ) -> Result<T, CallerError<E>>
    where
        C: Classify<E>,
        F: Future<Output = Result<T, E>>,
    {
        let key = key.as_ref();
        let Some(dedup) = &self.caller.dedup else { return self.attempt_async(None, &mut call).await };
        match self.remembered(dedup, key, dedup.wait_async(key).await)? {
            Found::Value(value) => Ok(value),
            Found::Ticket(ticket) => {
                let result = self.attempt_async(ticket.as_ref(), &mut call).await;
                self.settle(ticket, &result);
                result
            }
        }
    }

    /// The attempts, each awaited.
    async fn attempt_async<T, E, F>(
        &self,
        ticket: Option<&Ticket>,
        call: &mut impl FnMut(Arc<[u8]>) -> F,
    ) -> Result<T, CallerError<E>>
    where
        C: Classify<E>,
        F: Future<Output = Result<T, E>>,
    {
        let mut attempts = Attempts::enter(self, ticket)?;
        let mut failed = None;
        loop {
            let provider = attempts.begin().map_err(|refusal| refusal.after(failed.take()))?;
            let result = noting_waits(call(provider), &mut attempts.is_waiting).await;
            match attempts.end(&result) {
                None => return result.map_err(CallerError::Inner),
                Some(delay) => {
                    failed = result.err();
                    noting_waits(tokio::time::sleep(delay), &mut attempts.is_waiting).await;
                }
            }
        }
    }
}
