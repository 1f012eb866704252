//! A body that is watched to its end, and the permit that is settled then. It passes everything on as it comes, and
//! keeps nobody from reading.

use crate::calling::Calling;
use crate::transcript::Transcript;
use http::StatusCode;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::fmt;
use std::pin::Pin;
use std::task::{ready, Context, Poll};
use std::time::Duration;
use trip::classify::{self, Class, Outcome};

pin_project! {
    /// The body of an answer, watched by [`Http`](crate::Http): it is what it was before, and records how it ends.
    ///
    /// Dropped early it was given up by its caller, and the permit is cancelled at once.
    pub struct WatchedBody<B> {
        // Before the body, so that the permit is free when a connection begins to be closed.
        watch: Option<Watch>,
        #[pin]
        body: B,
    }
}

/// The permit of an answer whose body has not ended.
pub(crate) struct Watch {
    calling: Option<Calling>,
    status: StatusCode,
    hint: Option<Duration>,
    is_stream: bool,
    has_begun: bool,
    transcript: Transcript,
}

impl<B: Body> WatchedBody<B> {
    pub(crate) fn new(body: B, watch: Watch) -> Self {
        if body.is_end_stream() {
            watch.end(false);
            return WatchedBody { watch: None, body };
        }
        WatchedBody { watch: Some(watch), body }
    }
}

impl<B> WatchedBody<B> {
    /// The body itself.
    pub fn get_ref(&self) -> &B {
        &self.body
    }
}

impl<B: Body> Body for WatchedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let mut this = self.project();
        let frame = match this.watch.as_mut().and_then(|watch| watch.calling.as_mut()) {
            Some(calling) => ready!(calling.busy(|| this.body.as_mut().poll_frame(context))),
            None => ready!(this.body.as_mut().poll_frame(context)),
        };
        if let (Some(watch), Some(Ok(frame))) = (this.watch.as_mut(), &frame) {
            watch.see(frame);
        }
        // Where its length is known, nobody need ask for more after the last byte.
        if !matches!(frame, Some(Ok(_))) || this.body.is_end_stream() {
            if let Some(watch) = this.watch.take() {
                watch.end(matches!(frame, Some(Err(_))));
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Watch {
    pub(crate) fn new(
        calling: Calling,
        status: StatusCode,
        hint: Option<Duration>,
        is_stream: bool,
        transcript: Transcript,
    ) -> Self {
        Watch { calling: Some(calling), status, hint, is_stream, has_begun: false, transcript }
    }

    fn see<D: bytes::Buf>(&mut self, frame: &Frame<D>) {
        let Some(piece) = frame.data_ref() else { return };
        self.transcript.add(piece);
        // A stream may begin with an error; which a probe must not have succeeded with.
        let goes_well = self.is_stream && (self.has_begun || self.outcome().class == Class::Success);
        if goes_well {
            self.has_begun = true;
            self.calling.as_ref().map(Calling::progress);
        }
    }

    /// A redirect is an answer as it should be: the provider is up.
    fn outcome(&self) -> Outcome {
        if self.status.is_redirection() || self.status.is_informational() {
            return Class::Success.into();
        }
        let told = classify::http(self.status.as_u16(), self.transcript.as_bytes());
        match self.hint {
            Some(wait) => told.retry_after(wait),
            None => told,
        }
    }

    /// What the provider has said weighs more than that its body was cut off then; a redirect says all by its status.
    fn end(mut self, is_broken: bool) {
        let outcome = self.outcome();
        let is_cut = is_broken && self.status.is_success() && outcome.class == Class::Success;
        self.record(if is_cut { Class::Network.into() } else { outcome });
    }

    fn record(&mut self, outcome: Outcome) {
        if let Some(calling) = self.calling.take() {
            calling.record(outcome);
        }
    }
}

/// Dropped early: what the provider has said by then counts. If that is a status from 200 to 299 and nothing bad after
/// it, nothing does.
impl Drop for Watch {
    fn drop(&mut self) {
        let Some(calling) = self.calling.take() else { return };
        let outcome = self.outcome();
        if !self.status.is_success() || outcome.class != Class::Success || self.transcript.has_last_event() {
            calling.record(outcome);
        }
    }
}

impl<B: fmt::Debug> fmt::Debug for WatchedBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WatchedBody").field("body", &self.body).finish_non_exhaustive()
    }
}
