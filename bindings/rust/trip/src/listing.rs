//! All circuits of a tracker, one after the other.

use crate::circuit::{self, Circuit, CircuitInfo};
use crate::error::Error;
use crate::ffi;
use crate::tracker::Tracker;
use std::sync::Arc;
use std::vec;

/// The circuits of a tracker, and what [`Circuit::inspect`] says of each. They are asked for page by page, as they are
/// wanted; circuits that come or go meanwhile may be there or not. After an error there is nothing more.
#[derive(Debug)]
#[must_use = "iterators do nothing unless they are used"]
pub struct Circuits {
    tracker: Tracker,
    page: vec::IntoIter<u64>,
    page_size: usize,
    /// The last circuit of the page; 0: none yet.
    after: u64,
    is_last: bool,
}

impl Tracker {
    /// The circuits of this tracker, each once.
    ///
    /// ```
    /// # let tracker = trip::Tracker::new(&trip::Config::default())?;
    /// # tracker.circuit("acme", "llm")?.trip()?;
    /// for listed in tracker.circuits() {
    ///     let (circuit, info) = listed?;
    ///     if info.state != trip::State::Closed {
    ///         println!("{}", circuit.explain()?);
    ///     }
    /// }
    /// # Ok::<_, trip::Error>(())
    /// ```
    pub fn circuits(&self) -> Circuits {
        Circuits { tracker: self.clone(), page: Vec::new().into_iter(), page_size: 256, after: 0, is_last: false }
    }
}

impl Circuits {
    /// Asks for so many circuits at a time; above 0. 256, unless this says otherwise.
    pub fn in_pages_of(mut self, circuits: usize) -> Self {
        self.page_size = circuits;
        self
    }

    fn turn_the_page(&mut self) -> Result<(), Error> {
        let mut page = vec![0; self.page_size];
        let count = ffi::tracker_circuits(self.tracker.handle(), self.after, &mut page)?;
        page.truncate(count);
        self.is_last = page.len() < self.page_size;
        self.after = page.last().copied().unwrap_or(self.after);
        self.page = page.into_iter();
        Ok(())
    }

    fn look_at(&self, handle: u64) -> Result<(Circuit, CircuitInfo), Error> {
        let key = ffi::circuit_key(handle)?;
        let info = circuit::inspect(handle)?;
        Ok((Circuit::new(Some(Arc::clone(self.tracker.keeper())), handle, key), info))
    }
}

impl Iterator for Circuits {
    type Item = Result<(Circuit, CircuitInfo), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            while let Some(handle) = self.page.next() {
                match self.look_at(handle) {
                    Err(Error::Handle) => {} // gone since its page was asked for
                    item => return Some(item),
                }
            }
            if self.is_last {
                return None;
            }
            if let Err(error) = self.turn_the_page() {
                self.is_last = true;
                return Some(Err(error));
            }
        }
    }
}

impl std::iter::FusedIterator for Circuits {}
