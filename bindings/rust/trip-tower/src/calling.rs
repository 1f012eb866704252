//! The permit of a request that is being answered: recorded once, and never lost. It decides nothing.

use trip::classify::Outcome;
use trip::{Circuit, Permit, Rejected, Settled};

/// A request that is being answered, with the permit it has. [`Judge`](crate::Judge) gets one with each answer, and
/// settles it at once or keeps it until the body of the answer has ended.
///
/// Dropped, it was given up by its caller, and the permit is cancelled; dropped by a panic in [`busy`](Self::busy), it
/// goes as permits go in a panic, by `Config::on_drop`. An error of the library is told to the reporter of the circuit's
/// tracker, and keeps no request from being made: all of this then does nothing.
#[derive(Debug)]
#[must_use = "dropped, it is cancelled"]
pub struct Calling {
    held: Option<(Circuit, Permit)>,
    is_busy: bool,
}

impl Calling {
    pub(crate) fn begin(circuit: Circuit) -> Result<Self, Rejected> {
        let permit = circuit.admit()?;
        Ok(Calling { held: permit.map(|permit| (circuit, permit)), is_busy: false })
    }

    /// Without a permit, for what no circuit could be asked for.
    pub(crate) fn unguarded() -> Self {
        Calling { held: None, is_busy: false }
    }

    /// The request ended so: what that counts as, the config says of its class.
    pub fn record(mut self, outcome: impl Into<Outcome>) {
        self.settle(|permit| permit.record(outcome));
    }

    /// The request was given up by its caller, and says nothing about the provider.
    pub fn cancel(self) {
        drop(self);
    }

    /// A long answer goes on, as [`Permit::progress`] says. That the circuit has moved on meanwhile is no reason to give
    /// up the request.
    pub fn progress(&self) {
        if let Some((_, permit)) = &self.held {
            let _ = permit.progress();
        }
    }

    /// Does something for this request that may panic, such as calling the function of somebody else.
    pub fn busy<T>(&mut self, work: impl FnOnce() -> T) -> T {
        self.is_busy = true;
        let done = work();
        self.is_busy = false;
        done
    }

    fn settle(&mut self, settle: impl FnOnce(Permit) -> Settled) {
        if let Some((circuit, permit)) = self.held.take() {
            if let Settled::Failed(error) = settle(permit) {
                circuit.report(&error);
            }
        }
    }
}

impl Drop for Calling {
    fn drop(&mut self) {
        if !self.is_busy {
            self.settle(Permit::cancel);
        }
    }
}
