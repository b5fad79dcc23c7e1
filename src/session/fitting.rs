//! The model that is being fitted: how far it is. The work is a process of its own.

use std::ffi::OsString;

use super::request::{Effects, SessionRequest};
use crate::worker::{FitJob, FitMode, FitProgress, FitRequest, FitState, Program};

/// A fit, if there is one.
#[derive(Default)]
pub struct Fitting {
    /// How to start it; `None` where the window cannot.
    pub program: Option<Program>,
    /// What is or was fitted.
    pub job: Option<FitJob>,
    /// How far it is.
    pub state: FitState,
    /// What it has written.
    pub progress: FitProgress,
    run: u64,
}

impl Fitting {
    /// Starts a fit, or takes one up where it stopped.
    pub(super) fn start(&mut self, job: FitJob, mode: FitMode, effects: &mut Effects) {
        let Some(program) = self.program.clone() else { return };
        if self.state == FitState::Running {
            return;
        }
        if mode != FitMode::Resume {
            self.progress = FitProgress::default();
        }
        self.job = Some(job.clone());
        self.state = FitState::Running;
        self.run += 1;
        let run = self.run;
        effects.ask(SessionRequest::Fit(FitRequest::Start { run, program, job, mode }));
    }

    /// Stops the training; what it has kept stays.
    pub(super) fn stop(&mut self, effects: &mut Effects) {
        if self.state == FitState::Running {
            self.state = FitState::Stopped;
            effects.ask(SessionRequest::Fit(FitRequest::Stop));
        }
    }

    /// Fits go on from this model, named as on the command line.
    pub(super) fn start_from(&mut self, model: Vec<OsString>) {
        if let Some(program) = &mut self.program {
            program.model = model;
        }
    }

    /// Takes in how far a fit is, unless it was stopped or another was started.
    pub(super) fn take(
        &mut self,
        (run, state, progress): (u64, FitState, FitProgress),
        effects: &mut Effects,
    ) {
        if run != self.run || self.state != FitState::Running {
            return;
        }
        if let FitState::Failed(why) = &state {
            effects.fail(format!("the training failed: {why}"));
        }
        (self.state, self.progress) = (state, progress);
    }
}
