//! Events: what has happened to circuits, taken as a list.

use crate::error::Error;
use crate::ffi;
use crate::key::Key;
use crate::selector::{Cause, EventKind, Mode, Scope, State};
use crate::tracker::Tracker;
use std::fmt;
use std::os::fd::OwnedFd;
use std::time::{Duration, SystemTime};
use trip_sys as sys;

/// So many are taken from the library at once.
const CHUNK: usize = 64;

/// Something that happened to a circuit, or to its tracker.
///
/// ```
/// # let tracker = trip::Tracker::new(&trip::Config::default())?;
/// # let circuit = tracker.circuit("acme", "llm")?;
/// circuit.set_mode(trip::Mode::ForcedOpen, None, "rotating the key")?;
/// let event = &tracker.take_events(10)?.events[0];
/// assert_eq!((event.kind, event.reason()), (trip::EventKind::Forced, &b"rotating the key"[..]));
/// # Ok::<_, trip::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// The tracker's events are numbered from 1, without gaps: lost ones have none.
    pub number: u64,
    /// When, by the tracker's clock.
    pub at: Duration,
    /// When, as a time of day.
    pub time: SystemTime,
    /// The handle of the circuit; `None`: it happened to the tracker.
    pub circuit: Option<u64>,
    /// The circuit's epoch after the event, as [`CircuitInfo::epoch`](crate::CircuitInfo::epoch).
    pub epoch: u64,
    /// Opened: how long it will be open. Forced: how long; zero: without end. A lock was waited for: how long.
    pub duration: Duration,
    /// The circuit's state after the event.
    pub state: State,
    /// Its mode after the event.
    pub mode: Mode,
    /// Why.
    pub cause: Cause,
    /// Configured: of what; else [`Scope::Circuit`], or [`Scope::Tracker`] without one.
    pub scope: Scope,
    /// As [`CircuitInfo::failures`](crate::CircuitInfo::failures), after the event.
    pub failures: u32,
    /// Of a gate: tokens out. [`reason`](Self::reason) is its name.
    pub depth: u32,
    /// Of a gate: how many may be, now.
    pub limit: u32,
    key: Key,
    reason: Box<[u8]>,
}

/// Events that were taken together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventBatch {
    /// The oldest first.
    pub events: Vec<Event>,
    /// How many the tracker has ever lost, because nobody took events in time. It tells of no loss twice: it only
    /// grows.
    pub lost: u64,
}

impl Tracker {
    /// Takes the events that have happened since they were taken last, the oldest first: at most so many, above 0.
    /// Waits for nothing. The tracker keeps 4096; when it has so many, what happens is lost and counted. No event is
    /// told twice, be it that several threads take them; those of one circuit that happen at once may come in another
    /// order.
    ///
    /// ```
    /// # let tracker = trip::Tracker::new(&trip::Config::default())?;
    /// tracker.circuit("acme", "llm")?.trip()?;
    /// let batch = tracker.take_events(100)?;
    /// assert_eq!(batch.events[0].kind, trip::EventKind::Opened);
    /// assert_eq!((batch.events[0].provider(), batch.lost), (&b"llm"[..], 0));
    /// # Ok::<_, trip::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Invalid`]: none are asked for. [`Error::Handle`]: the tracker is destroyed.
    pub fn take_events(&self, at_most: usize) -> Result<EventBatch, Error> {
        let mut raw = [sys::trip_event::default(); CHUNK];
        let mut text = vec![0; ffi::EVENT_TEXT * CHUNK.min(at_most)];
        let mut batch = EventBatch::default();
        loop {
            let wanted = CHUNK.min(at_most - batch.events.len());
            let (count, lost) = ffi::tracker_events(self.handle(), &mut raw[..wanted], &mut text)?;
            batch.lost = lost;
            batch.events.extend(raw[..count].iter().map(|event| Event::new(event, &text)));
            if count < wanted || batch.events.len() == at_most {
                return Ok(batch);
            }
        }
    }

    /// A descriptor that is readable while events wait, and for good once the tracker is destroyed, for poll, epoll and
    /// what is built on them. It is a copy and the caller's own: do not read it, take the events. With the feature
    /// `tokio`, `events` waits for them.
    ///
    /// # Errors
    /// [`Error::System`]: the system gave no descriptor. [`Error::Handle`]: the tracker is destroyed.
    pub fn event_fd(&self) -> Result<OwnedFd, Error> {
        ffi::tracker_event_fd(self.handle())
    }
}

impl Event {
    pub(crate) fn new(raw: &sys::trip_event, text: &[u8]) -> Self {
        let text = |offset: u32, length: u32| {
            let rest = usize::try_from(offset).ok().and_then(|offset| text.get(offset..));
            let length = usize::try_from(length).ok();
            rest.zip(length).and_then(|(rest, length)| rest.get(..length)).unwrap_or_default()
        };
        Event {
            kind: raw.kind.into(),
            number: raw.number,
            at: Duration::from_nanos(raw.at_ns),
            time: SystemTime::UNIX_EPOCH + Duration::from_nanos(raw.at_unix_ns),
            circuit: (raw.circuit != 0).then_some(raw.circuit),
            epoch: raw.epoch,
            duration: Duration::from_nanos(raw.duration_ns),
            state: raw.state.into(),
            mode: raw.mode.into(),
            cause: raw.cause.into(),
            scope: raw.scope.into(),
            failures: raw.failures,
            depth: raw.depth,
            limit: raw.limit,
            key: Key::new(text(raw.tenant_offset, raw.tenant_len), text(raw.provider_offset, raw.provider_len)),
            reason: text(raw.reason_offset, raw.reason_len).into(),
        }
    }

    /// Whose circuit it is, or policy; empty where there is none.
    #[must_use]
    pub fn tenant(&self) -> &[u8] {
        self.key.tenant()
    }

    /// Who is called; empty where there is none.
    #[must_use]
    pub fn provider(&self) -> &[u8] {
        self.key.provider()
    }

    /// What the operator gave as his reason, or the name of the gate.
    #[must_use]
    pub fn reason(&self) -> &[u8] {
        &self.reason
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("kind", &self.kind)
            .field("number", &self.number)
            .field("at", &self.at)
            .field("state", &self.state)
            .field("mode", &self.mode)
            .field("cause", &self.cause)
            .field("scope", &self.scope)
            .field("failures", &self.failures)
            .field("depth", &self.depth)
            .field("limit", &self.limit)
            .field("duration", &self.duration)
            .field("tenant", &format_args!("\"{}\"", self.tenant().escape_ascii()))
            .field("provider", &format_args!("\"{}\"", self.provider().escape_ascii()))
            .field("reason", &format_args!("\"{}\"", self.reason().escape_ascii()))
            .finish_non_exhaustive()
    }
}
