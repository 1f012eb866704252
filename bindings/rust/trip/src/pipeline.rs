//! Pipelines: named stages through which bytes pass. A stage is a closure; its error and its panic reach whoever runs
//! the pipeline, though C is between the two.

use crate::error::Error;
use crate::ffi;
use crate::part::{part, Part};
use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::sync::Arc;
use trip_sys as sys;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// What other languages are told of a failure that has no number of its own.
const FAILED: i32 = -1;

/// Named stages through which bytes pass.
///
/// Clones are the same pipeline. It is destroyed with the last of them; runs that are in it go on to their end.
///
/// ```
/// let pipeline = trip::Pipeline::new()?;
/// pipeline.add("shout", |input| Ok::<_, trip::StageError>(input.to_ascii_uppercase()))?;
/// pipeline.add("parse", |input| Ok::<_, std::str::Utf8Error>(std::str::from_utf8(input)?.trim().into()))?;
/// assert_eq!(pipeline.run(b"hello ").unwrap(), b"HELLO");
///
/// let error = pipeline.run(b"\xFF").unwrap_err();
/// assert!(error.to_string().starts_with("stage 1, \"parse\", failed: invalid utf-8"));
/// # Ok::<_, trip::Error>(())
/// ```
#[derive(Clone)]
pub struct Pipeline {
    part: Arc<Part>,
}

part!(Pipeline, "pipeline", ffi::pipeline_destroy);

/// Why a stage failed: an error of its own, a number for other languages, or both. Any error becomes one by `?`.
#[derive(Debug)]
pub struct StageError {
    code: i32,
    source: Option<Source>,
}

/// Which stage of a pipeline failed. Those behind it did not run.
#[derive(Debug)]
#[non_exhaustive]
pub struct StageFailure {
    /// How many ran before it.
    pub stage: u32,
    /// Its number for the failure.
    pub code: i32,
    name: Box<[u8]>,
    source: Option<Source>,
}

/// Why a pipeline has no output.
#[derive(Debug)]
pub enum RunError {
    /// A stage failed.
    Stage(StageFailure),
    /// The library failed: [`Error::Handle`], the pipeline is destroyed; [`Error::NoMemory`]; [`Error::Capacity`],
    /// 65535 outputs exist.
    Failed(Error),
}

/// What became of a stage that did not succeed.
enum Trouble {
    Error(Option<Source>),
    Panic(Box<dyn Any + Send>),
}

thread_local! {
    /// The runs that this thread is in, the innermost last, each with the last trouble of its stages. A stage that
    /// somebody else runs, in another language, has nobody to tell: or it tells the run around that one, which takes no
    /// notice unless a stage of its own fails because of it.
    static RUNS: RefCell<Vec<Option<Trouble>>> = const { RefCell::new(Vec::new()) };
}

impl Pipeline {
    /// A pipeline without stages yet.
    ///
    /// # Errors
    /// [`Error::Capacity`], [`Error::NoMemory`] and [`Error::System`] are the machine's.
    pub fn new() -> Result<Self, Error> {
        let handle = ffi::pipeline_create()?;
        Ok(Pipeline { part: Arc::new(Part::own(handle, ffi::pipeline_destroy, None)) })
    }

    /// Adds a stage, behind those that are there. Runs that are in the pipeline go on without it. It is dropped, on any
    /// thread, when the pipeline is destroyed and the last run has left. It may run this or another pipeline; but one
    /// that holds its own pipeline keeps it alive for ever.
    ///
    /// # Errors
    /// [`Error::Invalid`]: the name is longer than 255 bytes. [`Error::Capacity`]: the pipeline has 1024 stages.
    /// [`Error::Handle`]: it is destroyed. [`Error::NoMemory`].
    pub fn add<E: Into<StageError>>(
        &self,
        name: impl AsRef<[u8]>,
        stage: impl Fn(&[u8]) -> Result<Vec<u8>, E> + Send + Sync + 'static,
    ) -> Result<(), Error> {
        let stage = move |input: &[u8]| {
            let (code, trouble) = match catch_unwind(AssertUnwindSafe(|| stage(input).map_err(Into::into))) {
                Ok(Ok(output)) => return Ok(output),
                Ok(Err(StageError { code, source })) => (code, Trouble::Error(source)),
                Err(panic) => (FAILED, Trouble::Panic(panic)),
            };
            leave(trouble);
            Err(code)
        };
        ffi::pipeline_add(self.handle(), name.as_ref(), Box::new(stage))
    }

    /// How many stages it has.
    ///
    /// # Errors
    /// [`Error::Handle`]: the pipeline is destroyed.
    pub fn stage_count(&self) -> Result<u32, Error> {
        ffi::pipeline_count(self.handle())
    }

    /// Passes bytes through the stages, in order: the output of one is the input of the next. Without stages the output
    /// is the input. May be called by any number of threads, and by stages.
    ///
    /// # Errors
    /// [`RunError::Stage`]: a stage failed; its error is the source. [`RunError::Failed`]: the library did.
    ///
    /// # Panics
    /// When a stage does, with what that said.
    pub fn run(&self, input: impl AsRef<[u8]>) -> Result<Vec<u8>, RunError> {
        RUNS.with_borrow_mut(|runs| runs.push(None));
        let answer = ffi::pipeline_run(self.handle(), input.as_ref());
        let trouble = RUNS.with_borrow_mut(Vec::pop).flatten();
        let failure = match answer.map_err(RunError::Failed)? {
            Ok(output) => return Ok(output),
            Err(failure) => failure,
        };
        match trouble {
            Some(Trouble::Panic(panic)) => resume_unwind(panic),
            Some(Trouble::Error(source)) => Err(RunError::Stage(StageFailure::new(&failure, source))),
            None => Err(RunError::Stage(StageFailure::new(&failure, None))),
        }
    }
}

/// For the run that this thread is in. What was left there before is dropped when nobody borrows it: it may run a
/// pipeline.
fn leave(trouble: Trouble) {
    let before = RUNS.with_borrow_mut(|runs| runs.last_mut().and_then(|last| last.replace(trouble)));
    drop(before);
}

impl StageError {
    /// A failure that has an error, or a text.
    pub fn new(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        StageError { code: FAILED, source: Some(source.into()) }
    }

    /// A failure that has a number alone. 0, which says in C that nothing has failed, becomes -1.
    #[must_use]
    pub fn from_code(code: i32) -> Self {
        StageError { code: FAILED, source: None }.code(code)
    }

    /// With a number for other languages, -1 without. 0, which says in C that nothing has failed, leaves it.
    #[must_use]
    pub fn code(mut self, code: i32) -> Self {
        if code != 0 {
            self.code = code;
        }
        self
    }
}

impl<E: std::error::Error + Send + Sync + 'static> From<E> for StageError {
    fn from(error: E) -> Self {
        StageError::new(error)
    }
}

impl StageFailure {
    fn new(raw: &sys::trip_stage_failure, source: Option<Source>) -> Self {
        let length = usize::try_from(raw.name_len).unwrap_or(usize::MAX).min(raw.name.len());
        let name = raw.name[..length].iter().map(|byte| byte.to_ne_bytes()[0]).collect();
        StageFailure { stage: raw.stage, code: raw.code, name, source }
    }

    /// The name of the stage.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// The stage's own error, to be looked into or taken apart; `None` where it gave a number alone.
    #[must_use]
    pub fn into_source(self) -> Option<Box<dyn std::error::Error + Send + Sync>> {
        self.source
    }
}

impl fmt::Display for StageFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stage {}, \"{}\", failed", self.stage, self.name.escape_ascii())?;
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => write!(f, " with {}", self.code),
        }
    }
}

impl std::error::Error for StageFailure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl From<Error> for RunError {
    fn from(error: Error) -> Self {
        RunError::Failed(error)
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RunError::Stage(failure) => failure.fmt(f),
            RunError::Failed(error) => error.fmt(f),
        }
    }
}

/// Transparent: the message and the source are those of what it holds.
impl std::error::Error for RunError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            RunError::Stage(failure) => failure.source(),
            RunError::Failed(_) => None,
        }
    }
}
