//! Waiting for a circuit to admit calls again, without holding a thread. It asks the circuit and decides nothing; what
//! is dropped meanwhile holds nothing.

use crate::circuit::Circuit;
use crate::error::Error;
use crate::permit::Permit;
use crate::rejection::PermitError;
use std::time::Duration;
use tokio::time::sleep;

/// A circuit may admit calls before the time that its refusal told: by an operator's order, or because another's probe
/// has succeeded. Nobody is woken by that, for events are told to one who takes them; so it is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// What tokio's timers can tell apart.
const TICK: Duration = Duration::from_millis(1);

impl Circuit {
    /// Waits until the circuit would grant a permit, with the feature `tokio`. It takes none: another may be faster,
    /// and get the probe. Whoever wants to make a call then uses [`wait_for_permit`](Self::wait_for_permit).
    ///
    /// No thread is blocked. The circuit is looked at when its refusal says so, and every quarter of a second, so that
    /// an operator's order is noticed too.
    ///
    /// Cancel safe: a future that is dropped before it is ready leaves nothing behind.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), trip::Error> {
    /// # let config = trip::Config::default().initial_open(std::time::Duration::from_millis(1));
    /// # let tracker = trip::Tracker::new(&config)?;
    /// # let circuit = tracker.circuit("acme", "llm")?;
    /// circuit.trip()?;
    /// circuit.recovered().await?;
    /// assert!(circuit.peek().is_ok());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The library cannot say, as [`Error::Handle`] when the tracker is destroyed: make the call without a permit, and
    /// report the error.
    ///
    /// # Panics
    /// Outside of a tokio runtime with time enabled, when it has to wait.
    pub async fn recovered(&self) -> Result<(), Error> {
        loop {
            match self.peek() {
                Ok(()) => return Ok(()),
                Err(PermitError::Failed(error)) => return Err(error),
                Err(PermitError::Rejected(rejected)) => sleep(rejected.retry_after.clamp(TICK, LOOK_AGAIN)).await,
            }
        }
    }

    /// Waits until the circuit grants a permit, and takes it, as [`recovered`](Self::recovered) waits. Of those who
    /// wait for the same probe one gets it, and the others wait on.
    ///
    /// Cancel safe: a future that is dropped before it is ready has no permit.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), trip::Error> {
    /// # let config = trip::Config::default().initial_open(std::time::Duration::from_millis(1));
    /// # let tracker = trip::Tracker::new(&config)?;
    /// # let circuit = tracker.circuit("acme", "llm")?;
    /// circuit.trip()?;
    /// circuit.wait_for_permit().await?.record_success(); // the probe
    /// assert_eq!(circuit.inspect()?.state, trip::State::Closed);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`recovered`](Self::recovered).
    ///
    /// # Panics
    /// As [`recovered`](Self::recovered).
    pub async fn wait_for_permit(&self) -> Result<Permit, Error> {
        loop {
            self.recovered().await?;
            match self.permit() {
                Ok(permit) => return Ok(permit),
                Err(PermitError::Failed(error)) => return Err(error),
                Err(PermitError::Rejected(_)) => {} // another was faster
            }
        }
    }
}
