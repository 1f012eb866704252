//! Pipelines: stages in order, what becomes of their errors and panics, and arguments that are wrong.

mod common;

use common::{circuit_of, tracker, wrong_handles};
use std::error::Error as _;
use std::io;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use trip::{Error, Pipeline, RunError, StageError, StageFailure};

#[allow(clippy::unnecessary_wraps)] // as all stages
fn upper(input: &[u8]) -> Result<Vec<u8>, StageError> {
    Ok(input.to_ascii_uppercase())
}

#[allow(clippy::unnecessary_wraps)] // as all stages
fn reverse(input: &[u8]) -> Result<Vec<u8>, StageError> {
    Ok(input.iter().rev().copied().collect())
}

fn failure(answer: Result<Vec<u8>, RunError>) -> StageFailure {
    match answer {
        Err(RunError::Stage(failure)) => failure,
        other => panic!("a stage is expected to fail, and {other:?} came back"),
    }
}

#[test]
fn the_output_of_a_stage_is_the_input_of_the_next() {
    let pipeline = Pipeline::new().unwrap();
    assert_eq!(pipeline.run("as it is").unwrap(), b"as it is");
    assert_eq!(pipeline.run("").unwrap(), b"");
    pipeline.add("upper", upper).unwrap();
    pipeline.add("reverse", reverse).unwrap();
    assert_eq!(pipeline.run("abc").unwrap(), b"CBA");
    assert_eq!(pipeline.run("").unwrap(), b"");
    let long: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    assert_eq!(pipeline.run(&long).unwrap().len(), long.len());
    assert_eq!(pipeline.stage_count(), Ok(2));
}

#[test]
fn a_stage_that_fails_ends_the_run_and_is_named() {
    let pipeline = Pipeline::new().unwrap();
    let ran = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&ran);
    pipeline.add("upper", upper).unwrap();
    pipeline.add(b"re\xFFad", |_| Err::<Vec<u8>, _>(io::Error::from_raw_os_error(104))).unwrap();
    pipeline
        .add("never", move |_| {
            counter.fetch_add(1, Ordering::Relaxed);
            Ok::<_, StageError>(Vec::new())
        })
        .unwrap();
    let failed = failure(pipeline.run("abc"));
    assert_eq!((failed.stage, failed.name(), failed.code), (1, &b"re\xFFad"[..], -1));
    assert!(failed.to_string().starts_with(r#"stage 1, "re\xffad", failed: "#), "{failed}");
    let source = failed.source().unwrap().downcast_ref::<io::Error>().unwrap();
    assert_eq!(source.raw_os_error(), Some(104));
    assert!(failed.into_source().unwrap().is::<io::Error>());
    assert_eq!(ran.load(Ordering::Relaxed), 0);
}

#[test]
fn a_failure_may_have_a_number() {
    let pipeline = Pipeline::new().unwrap();
    pipeline
        .add("", |input| match input {
            b"code" => Err::<Vec<u8>, _>(StageError::from_code(7)),
            b"both" => Err(StageError::new("no such word").code(i32::MIN)),
            _ => Err(StageError::from_code(0)),
        })
        .unwrap();
    let [code, both, zero] = ["code", "both", "zero"].map(|input| failure(pipeline.run(input)));
    assert_eq!((code.code, code.to_string()), (7, r#"stage 0, "", failed with 7"#.into()));
    assert!(code.source().is_none());
    assert_eq!((both.code, both.to_string()), (i32::MIN, r#"stage 0, "", failed: no such word"#.into()));
    assert_eq!((zero.code, zero.into_source().is_none()), (-1, true));
}

#[test]
fn a_panic_reaches_who_runs_the_pipeline() {
    let pipeline = Pipeline::new().unwrap();
    pipeline
        .add("sick", |input| match input {
            b"well" => Ok::<_, StageError>(b"well".to_vec()),
            _ => panic!("the stage went wrong"),
        })
        .unwrap();
    let unwound = catch_unwind(AssertUnwindSafe(|| pipeline.run("ill"))).unwrap_err();
    assert_eq!(unwound.downcast_ref::<&str>(), Some(&"the stage went wrong"));
    assert_eq!(pipeline.run("well").unwrap(), b"well");
}

#[test]
fn stages_may_run_pipelines() {
    let pipeline = Pipeline::new().unwrap();
    let itself = Pipeline::from_handle(pipeline.handle());
    pipeline
        .add("down", move |input: &[u8]| match input {
            [] => Err(StageError::new("the end")),
            b"!" => Ok(b"made it".to_vec()),
            [_, rest @ ..] => Ok(itself.run(rest)?),
        })
        .unwrap();
    assert_eq!(pipeline.run("abc!").unwrap(), b"made it");
    let text = pipeline.run("abc").unwrap_err().to_string();
    assert_eq!(text, r#"stage 0, "down", failed: "#.repeat(4) + "the end");
}

#[test]
fn a_failure_that_a_stage_made_good_is_nobodys() {
    let inner = Pipeline::new().unwrap();
    inner.add("inner", |_| Err::<Vec<u8>, _>(StageError::new("made good"))).unwrap();
    let outer = Pipeline::new().unwrap();
    outer.add("outer", move |_| Ok::<_, StageError>(failure(inner.run("")).to_string().into())).unwrap();
    assert_eq!(outer.run("").unwrap(), br#"stage 0, "inner", failed: made good"#);
    outer.add("last", |_| Err::<Vec<u8>, _>(StageError::from_code(3))).unwrap();
    assert!(failure(outer.run("")).into_source().is_none());
}

#[test]
fn threads_share_a_pipeline() {
    let pipeline = Pipeline::new().unwrap();
    pipeline
        .add("odd", |input: &[u8]| match input[0] % 2 {
            0 => Ok(vec![input[0] / 2]),
            _ => Err(StageError::new(input[0].to_string())),
        })
        .unwrap();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for number in (0..=255_u8).cycle().take(2000) {
                    match pipeline.run([number]) {
                        Ok(output) => assert_eq!(output, [number / 2]),
                        Err(error) => assert!(error.to_string().ends_with(&format!(": {number}")), "{error}"),
                    }
                }
            });
        }
    });
}

#[test]
fn stages_are_dropped_when_the_last_run_has_left() {
    let (held, inside, go_on) = (Arc::new(()), Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let pipeline = Pipeline::new().unwrap();
    let stage = (Arc::clone(&held), Arc::clone(&inside), Arc::clone(&go_on));
    pipeline
        .add("slow", move |_| {
            stage.1.wait();
            stage.2.wait();
            Ok::<_, StageError>(vec![u8::try_from(Arc::strong_count(&stage.0)).unwrap()])
        })
        .unwrap();
    thread::scope(|scope| {
        let run = scope.spawn(|| pipeline.run(""));
        inside.wait();
        pipeline.destroy().unwrap();
        assert_eq!(Arc::strong_count(&held), 2);
        go_on.wait();
        assert_eq!(run.join().unwrap().unwrap(), [2]);
    });
    assert_eq!(Arc::strong_count(&held), 1);
    assert!(matches!(pipeline.run(""), Err(RunError::Failed(Error::Handle))));
}

#[test]
fn a_stage_that_is_refused_is_dropped() {
    let held = Arc::new(());
    let stage = |held: Arc<()>| move |_: &[u8]| Ok::<_, StageError>(vec![0; Arc::strong_count(&held)]);
    let pipeline = Pipeline::new().unwrap();
    assert_eq!(pipeline.add([b'x'; 256], stage(Arc::clone(&held))), Err(Error::Invalid));
    for _ in 0..1024 {
        pipeline.add([b'x'; 255], upper).unwrap();
    }
    assert_eq!(pipeline.add("one more", stage(Arc::clone(&held))), Err(Error::Capacity));
    assert_eq!(pipeline.stage_count(), Ok(1024));
    assert_eq!(Arc::strong_count(&held), 1);
}

#[test]
fn another_language_may_run_the_stages() {
    let pipeline = Pipeline::new().unwrap();
    pipeline
        .add("sick", |input| match input {
            b"error" => Err::<Vec<u8>, _>(StageError::new("nobody hears of it").code(9)),
            _ => panic!("nobody hears of it"),
        })
        .unwrap();
    for (input, code) in [(&b"error"[..], 9), (b"panic", -1)] {
        let size = u32::try_from(size_of::<trip_sys::trip_stage_failure>()).unwrap();
        let mut failure = trip_sys::trip_stage_failure { struct_size: size, ..Default::default() };
        let mut output = 0;
        // SAFETY: any value is a legal handle, the rest is valid.
        let status = unsafe {
            trip_sys::trip_pipeline_run(
                pipeline.handle(),
                input.as_ptr().cast(),
                input.len(),
                &raw mut output,
                &raw mut failure,
            )
        };
        assert_eq!((status, failure.code), (trip_sys::TRIP_STAGE_FAILED, code));
    }
}

#[test]
fn what_is_no_pipeline_says_so() {
    for handle in wrong_handles(circuit_of(&tracker()).handle()) {
        let none = Pipeline::from_handle(handle);
        assert!(matches!(none.run(""), Err(RunError::Failed(Error::Handle))));
        assert_eq!(none.add("", upper), Err(Error::Handle));
        assert_eq!(none.stage_count(), Err(Error::Handle));
        assert_eq!(none.destroy(), Err(Error::Handle));
    }
    let pipeline = Pipeline::new().unwrap();
    let other = Pipeline::from_handle(pipeline.handle());
    drop(pipeline);
    assert_eq!(other.stage_count(), Err(Error::Handle));
}
