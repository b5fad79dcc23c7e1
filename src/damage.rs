//! Damaged files for tests: what disks, networks and editors make of a whole one.

use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestCaseResult, TestRunner};

/// So many minutes each test that damages files takes, if the variable names them.
const MINUTES: &str = "TAGOOD_FUZZ_MINUTES";
/// The longest that a reader may take to read or refuse a small file.
const PATIENCE: Duration = Duration::from_secs(10);
/// The most memory that the process may have had, in KiB.
const MAX_MEMORY_KIB: u64 = 2 << 20;

/// One thing that happens to a file.
#[derive(Clone, Debug)]
enum Blow {
    /// A byte becomes another.
    Byte(f64, u8),
    /// What follows is lost.
    Cut(f64),
    /// Bytes come in between.
    Insert(f64, Vec<u8>),
    /// A part stands twice.
    Double(f64, usize),
    /// Eight bytes become an extreme number.
    Number(f64, u64),
}

fn blow() -> impl Strategy<Value = Blow> {
    let extreme = prop::sample::select(vec![0, 1, 1 << 31, u64::MAX >> 1, 1 << 63, u64::MAX]);
    prop_oneof![
        4 => (0.0..1.0, any::<u8>()).prop_map(|(at, byte)| Blow::Byte(at, byte)),
        1 => (0.0..1.0).prop_map(Blow::Cut),
        1 => (0.0..1.0, vec(any::<u8>(), 1..9)).prop_map(|(at, bytes)| Blow::Insert(at, bytes)),
        1 => (0.0..1.0, 1usize..64).prop_map(|(at, length)| Blow::Double(at, length)),
        2 => (0.0..1.0, extreme).prop_map(|(at, number)| Blow::Number(at, number)),
    ]
}

impl Blow {
    fn strike(self, bytes: &mut Vec<u8>) {
        let place = |at: f64, length: usize| (at * length as f64) as usize;
        match self {
            Self::Byte(at, byte) => {
                let at = place(at, bytes.len());
                if let Some(old) = bytes.get_mut(at) {
                    *old = byte;
                }
            }
            Self::Cut(at) => bytes.truncate(place(at, bytes.len() + 1)),
            Self::Insert(at, new) => {
                let at = place(at, bytes.len() + 1);
                bytes.splice(at..at, new);
            }
            Self::Double(at, length) => {
                let from = place(at, bytes.len() + 1);
                let part = bytes[from..bytes.len().min(from + length)].to_vec();
                bytes.splice(from..from, part);
            }
            Self::Number(at, number) => {
                let from = place(at, bytes.len() + 1);
                let to = bytes.len().min(from + 8);
                bytes[from..to].copy_from_slice(&number.to_le_bytes()[..to - from]);
            }
        }
    }
}

/// A file after one to four blows; most are near its begin or its end, where its structure is.
pub(crate) fn damaged(whole: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    vec((blow(), 0u8..4), 1..5).prop_map(move |blows| {
        let mut bytes = whole.clone();
        for (blow, whereabouts) in blows {
            // Towards the begin, towards the end, or anywhere.
            let bend = |at: f64| match whereabouts {
                0 => at * at * at,
                1 => 1.0 - (1.0 - at).powi(3),
                _ => at,
            };
            let blow = match blow {
                Blow::Byte(at, byte) => Blow::Byte(bend(at), byte),
                Blow::Cut(at) => Blow::Cut(bend(at)),
                Blow::Insert(at, new) => Blow::Insert(bend(at), new),
                Blow::Double(at, length) => Blow::Double(bend(at), length),
                Blow::Number(at, number) => Blow::Number(bend(at), number),
            };
            blow.strike(&mut bytes);
        }
        bytes
    })
}

/// One of several files, by its name, after a few blows.
pub(crate) fn one_damaged(
    files: Vec<(String, Vec<u8>)>,
) -> impl Strategy<Value = (String, Vec<u8>)> {
    prop::sample::select(files)
        .prop_flat_map(|(name, whole)| damaged(whole).prop_map(move |bytes| (name.clone(), bytes)))
}

/// Holds a check against `count` inputs, the same ones each time; for as many minutes as
/// `TAGOOD_FUZZ_MINUTES` says, where it is set, against ever other ones. No input may take longer than
/// [`PATIENCE`]; a long run may not take more memory than [`MAX_MEMORY_KIB`] either.
pub(crate) fn fuzz<S: Strategy>(count: u32, inputs: S, check: impl Fn(S::Value) -> TestCaseResult) {
    let minutes: Option<f64> =
        std::env::var(MINUTES).ok().map(|minutes| minutes.parse().expect("a number of minutes"));
    let config = ProptestConfig {
        failure_persistence: None,
        rng_seed: minutes.map_or(RngSeed::Fixed(7), |_| RngSeed::Random),
        ..ProptestConfig::with_cases(count)
    };
    let (begun, mut held) = (Instant::now(), 0_u64);
    loop {
        // One runner counts its successes over all of its runs.
        let mut runner = TestRunner::new(config.clone());
        let outcome = runner.run(&inputs, |input| {
            let started = Instant::now();
            check(input)?;
            prop_assert!(started.elapsed() < PATIENCE, "it took {:?}", started.elapsed());
            Ok(())
        });
        outcome.unwrap_or_else(|fault| panic!("{fault}"));
        held += u64::from(count);
        let Some(minutes) = minutes else { return };
        if let Some(peak) = peak_memory_kib() {
            assert!(peak < MAX_MEMORY_KIB, "{peak} KiB of memory after {held} inputs");
        }
        if begun.elapsed().as_secs_f64() >= 60.0 * minutes {
            #[allow(clippy::print_stderr, reason = "whoever waits for minutes wants to know")]
            return eprintln!("{held} inputs in {:.0?}", begun.elapsed());
        }
    }
}

/// The most memory that this process has had; `None` where the system does not tell.
fn peak_memory_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    peak.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// Checks that an error is one sentence that ends in a name.
pub(crate) fn one_sentence(error: &impl std::fmt::Display, name: &str) -> TestCaseResult {
    let error = error.to_string();
    prop_assert!(error.ends_with(name) && error.lines().count() == 1, "{error:?}");
    Ok(())
}
