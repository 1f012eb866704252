//! What is told of circuits to people and to Prometheus. The library is told first what threads have counted on lanes.

use crate::circuit::Circuit;
use crate::error::Error;
use crate::selector::Labels;
use crate::tracker::Tracker;
use crate::{ffi, tally};

impl Circuit {
    /// One paragraph for people: what the circuit does and why, who or what opened it, when, after which calls, and what
    /// comes next and when. Its wording may change.
    ///
    /// # Errors
    /// [`Error::Handle`]: the tracker is destroyed.
    pub fn explain(&self) -> Result<String, Error> {
        self.ask(|circuit| {
            tally::hand_in(circuit);
            ffi::circuit_explain(circuit)
        })
        .map(text)
    }
}

impl Tracker {
    /// The metrics of the tracker as text in the format `OpenMetrics`, for a scrape. Counters never go back, whatever is evicted.
    ///
    /// There are at most `max_series` label sets of a metric, beside those with overflow; 0: 1000. With
    /// [`Labels::Tenant`] the circuits beyond it are told in one series of their provider, labelled `overflow="true"`; so
    /// are providers beyond it, without their names. Who has a series keeps it.
    ///
    /// ```
    /// # let tracker = trip::Tracker::new(&trip::Config::default())?;
    /// # tracker.circuit("acme", "llm")?.permit().unwrap().record_success();
    /// let text = tracker.metrics(trip::Labels::Provider, 0)?;
    /// assert!(text.contains("trip_permits_total{provider=\"llm\"} 1\n"));
    /// # Ok::<_, trip::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Invalid`]: no such labels. [`Error::Handle`]: the tracker is destroyed. [`Error::NoMemory`].
    pub fn metrics(&self, labels: Labels, max_series: u64) -> Result<String, Error> {
        tally::hand_in_all();
        ffi::tracker_metrics(self.handle(), labels.into(), max_series).map(text)
    }
}

/// The library writes keys and reasons so that they can be read; should it not, that is no reason to show nothing.
fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}
