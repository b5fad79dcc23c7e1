//! How commands change the session.

use std::collections::BTreeSet;

use super::Session;
use super::command::{Command, ModelSource};
use super::compare::CompareMode;
use super::embedding::EmbedCommand;
use super::history::{Edit, History};
use super::report;
use super::request::Request;
use super::saved::SavedState;
use crate::pipeline::Settings;
use crate::worker::{self, ImageId, JobId};

/// On the grid of the step, so that going there and back comes out even.
fn nudged(tau: f32, by: f32) -> f32 {
    (((tau + by) * 100.0).round() / 100.0).clamp(0.0, 1.0)
}

impl Session {
    /// Changes the session as a command says; what is to be asked of others.
    pub fn apply(&mut self, command: Command) -> Vec<Request> {
        let slider = command.slider();
        let undoes = matches!(command, Command::Undo | Command::Redo | Command::Restore(_));
        let before = self.edit();
        self.execute(command);
        if !undoes && self.edit() != before {
            self.history.leave(before, slider, self.now);
        }
        self.flush()
    }

    /// Tells the user something that went wrong.
    pub fn notice(&mut self, sentence: String) {
        self.effects.notices.add(sentence);
    }

    /// Shows a job that the window does itself, in so many pieces.
    pub fn start_job(&mut self, label: String, total: usize) -> JobId {
        self.jobs.start(label, total)
    }

    pub(super) fn flush(&mut self) -> Vec<Request> {
        std::mem::take(&mut self.effects.requests)
    }

    fn execute(&mut self, command: Command) {
        let basis = &mut self.basis;
        match command {
            Command::OpenPaths(paths) => {
                let label = match paths.as_slice() {
                    [path] => path.display().to_string(),
                    paths => format!("{} items", paths.len()),
                };
                let job = self.jobs.start(label, 0);
                self.effects.ask(worker::Request::AddPaths { job, paths });
            }
            Command::OpenSources(sources) => {
                let job = self.jobs.start(format!("{} images", sources.len()), 0);
                self.effects.ask(worker::Request::AddSources { job, sources });
            }
            Command::OpenWorld(world) => {
                let Some(job) = self.jobs.start_world(world.total()) else { return };
                let open = basis.images.entries().iter().filter_map(|e| e.source.path().cloned());
                let open = open.collect();
                self.effects.ask(worker::Request::OpenWorld { job, world, open });
            }
            Command::LoadModel(ModelSource { name, open, device }) => {
                basis.model.loading = Some(name.clone());
                self.effects.ask(worker::Request::LoadModel { name, open, device });
            }
            Command::Remove(images) => self.remove(images),
            Command::RemoveSelected => self.remove(self.selected.clone()),
            Command::Select(images) => {
                self.focus = images.last().copied();
                self.selected = images;
            }
            Command::SetTau(tau) => self.set_tau(tau),
            Command::NudgeTau(by) => {
                let tau = nudged(basis.settings.tau, by);
                self.set_tau(tau);
            }
            Command::ShowBeside(beside) => {
                let shown = self.comparison.beside == beside;
                self.comparison.beside = if shown { CompareMode::Nothing } else { beside };
            }
            Command::SetTauBeside(tau) => self.comparison.tau = tau.clamp(0.0, 1.0),
            Command::NudgeTauBeside(by) => {
                self.comparison.tau = nudged(self.comparison.tau, by);
            }
            // A drag over a panel of no width comes to no number.
            Command::SetLambda(Some(lambda)) if lambda.is_nan() => {}
            Command::SetLambda(lambda) => {
                basis.settings.lambda = lambda;
                self.decide();
            }
            Command::SetDetector(detector) => {
                // A λ that was set by hand belongs to the scale of another detector.
                (basis.settings.detector, basis.settings.lambda) = (detector, None);
                self.analyse();
            }
            Command::SetRecipe(recipe) => {
                basis.settings = Settings::new(basis.settings.tau, recipe);
                self.analyse();
            }
            Command::SetRole(set, role) => {
                let mut roles = basis.images.roles().clone();
                roles.insert(set, role);
                basis.images.set_roles(roles);
            }
            Command::Pin => {
                let lambda = self.lambda();
                self.tuning.pin(&self.basis, lambda, &mut self.effects);
            }
            Command::Unpin => self.tuning.unpin(),
            Command::RestorePinned => {
                if let Some(pin) = self.tuning.kept_pin() {
                    self.adopt(pin.settings);
                }
            }
            Command::ToggleOverlay(detector) => {
                let overlaid = &mut self.tuning.overlaid;
                if !overlaid.remove(&detector) {
                    overlaid.insert(detector);
                }
            }
            Command::PauseSurveys(paused) => self.tuning.paused = paused,
            Command::EnableFitting(program) => self.fitting.program = Some(program),
            Command::StartFit(job, mode) => self.fitting.start(job, mode, &mut self.effects),
            Command::StopFit => self.fitting.stop(&mut self.effects),
            Command::ShowTags(mut tags) => {
                tags.sort_unstable();
                self.map.tags = tags;
            }
            Command::ToggleTag(tag) => match self.map.tags.binary_search(&tag) {
                Ok(at) => drop(self.map.tags.remove(at)),
                Err(at) => self.map.tags.insert(at, tag),
            },
            Command::SetMap(map) => self.map = map,
            Command::ToggleMap => self.map.visible = !self.map.visible,
            Command::Cancel(job) => self.effects.ask(worker::Request::Cancel(job)),
            Command::CancelAll => {
                self.tuning.paused |= self.tuning.is_surveying();
                let jobs = self.jobs.running().iter().map(|job| job.id);
                jobs.for_each(|job| self.effects.ask(worker::Request::Cancel(job)));
                self.embedding.apply(EmbedCommand::Stop, &self.basis, &mut self.effects);
            }
            Command::Embed(command) => {
                self.embedding.apply(command, &self.basis, &mut self.effects);
            }
            Command::WriteReport(folder) => self.write_report(folder),
            Command::Undo => {
                let edit = self.history.undo(self.edit());
                self.go_to(edit);
            }
            Command::Redo => {
                let edit = self.history.redo(self.edit());
                self.go_to(edit);
            }
            Command::Restore(saved) => self.restore(*saved),
        }
    }

    fn set_tau(&mut self, tau: f32) {
        let tau = tau.clamp(0.0, 1.0);
        if tau != self.basis.settings.tau {
            self.basis.settings.tau = tau;
            self.analyse();
        }
    }

    /// Forgets images; the focus moves to the one that takes their place.
    fn remove(&mut self, gone: Vec<ImageId>) {
        if gone.is_empty() {
            return;
        }
        let ids: BTreeSet<ImageId> = gone.iter().copied().collect();
        let images = &mut self.basis.images;
        let place = self.focus.and_then(|focus| images.place(focus)).unwrap_or(0);
        let before = images.entries().iter().take(place);
        let kept_before = before.filter(|entry| !ids.contains(&entry.id)).count();
        images.remove(&ids);
        self.selected.retain(|id| !ids.contains(id));
        self.at_hand.remove(&ids);
        if self.focus.is_some_and(|focus| ids.contains(&focus)) {
            let entries = self.basis.images.entries();
            let last = entries.len().saturating_sub(1);
            self.focus = entries.get(kept_before.min(last)).map(|entry| entry.id);
            self.selected = self.focus.into_iter().collect();
        }
        self.effects.ask(worker::Request::Remove(gone));
    }

    /// Has everything analysed at the present settings.
    pub(super) fn analyse(&mut self) {
        let generation = self.basis.images.next_generation();
        let (settings, focus) = (self.basis.settings.clone(), self.focus);
        self.effects.ask(worker::Request::Analysis { generation, settings, focus });
    }

    /// Decides every image anew by the λ in force, without asking the worker: scores stay.
    pub(super) fn decide(&mut self) {
        let lambda = self.lambda();
        self.basis.images.decide(lambda);
    }

    /// Takes over settings; only what they change is computed anew.
    fn adopt(&mut self, settings: Settings) {
        let present = &mut self.basis.settings;
        let same_scores = Settings { lambda: present.lambda, ..settings.clone() } == *present;
        *present = settings;
        match same_scores {
            true => self.decide(),
            false => self.analyse(),
        }
    }

    /// What undo would bring back.
    pub fn edit(&self) -> Edit {
        Edit {
            settings: self.settings().clone(),
            tags: self.map.tags.clone(),
            roles: self.images().roles().clone(),
        }
    }

    fn go_to(&mut self, edit: Option<Edit>) {
        let Some(Edit { settings, tags, roles }) = edit else { return };
        self.map.tags = tags;
        self.basis.images.set_roles(roles);
        self.adopt(settings);
    }

    /// Has the report of `evaluate` written: every detector on the open sets at the settings in
    /// force, with the intervals that the window shows. What is wrong becomes a notice.
    fn write_report(&mut self, folder: std::path::PathBuf) {
        let job = JobId::unique();
        let lambda = self.lambda().zip(self.lambda_origin());
        match report::task(&self.basis, lambda, job, folder) {
            Ok(task) => {
                let total = task.sets.iter().map(|set| set.images.len()).sum();
                self.jobs.add(job, format!("Report to {}", task.out.display()), total);
                self.effects.ask(worker::Request::Report(task));
            }
            Err(reason) => self.notice(format!("no report: {reason}")),
        }
    }

    /// Opens what was saved in place of what is open. The images themselves are opened by their
    /// paths.
    fn restore(&mut self, saved: SavedState) {
        self.history = History::default();
        self.remove(self.entries().iter().map(|entry| entry.id).collect());
        self.basis.settings = saved.settings();
        self.map = saved.map;
        self.comparison.beside = saved.beside;
        if let Some(tau) = saved.tau_beside {
            self.comparison.tau = tau.clamp(0.0, 1.0);
        }
        self.basis.images.set_roles(saved.roles);
        self.basis.images.set_roots(saved.folders);
        self.tuning.restore(saved.pinned.map(Into::into), saved.overlaid, saved.paused);
        self.embedding.config = saved.embedding.within_bounds();
        self.analyse();
        if !saved.images.is_empty() {
            self.execute(Command::OpenPaths(saved.images));
        }
    }
}
