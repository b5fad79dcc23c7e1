//! How commands change the session.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::Session;
use super::basis::LoadingModel;
use super::command::{Command, ModelSource};
use super::compare::CompareMode;
use super::embedding::EmbedCommand;
use super::entry::Entry;
use super::history::{Edit, History, ImageChange, Step};
use super::images::Gone;
use super::notices::Severity;
use super::report;
use super::request::SessionRequest;
use super::saved::SavedState;
use super::saved_model::SavedModel;
use super::sets::{ClassNames, Role, SetId};
use crate::demo::{Set, World};

use crate::pipeline::Settings;
use crate::worker::{self, ImageId, JobId};

/// On the grid of the step, so that going there and back comes out even.
fn nudged(tau: f32, by: f32) -> f32 {
    (((tau + by) * 100.0).round() / 100.0).clamp(0.0, 1.0)
}

impl Session {
    /// Changes the session as a command says; what is to be asked of others.
    pub fn apply(&mut self, command: Command) -> Vec<SessionRequest> {
        let slider = command.slider();
        let undoes = matches!(command, Command::Undo | Command::Redo | Command::Restore(_));
        let before = self.edit();
        let images = self.execute(command);
        if !undoes && (self.edit() != before || !matches!(images, ImageChange::None)) {
            self.history.leave(Step { before, images }, slider, self.now);
        }
        self.flush()
    }

    /// Tells the user something.
    pub fn notice(&mut self, severity: Severity, sentence: String) {
        self.effects.notices.add(severity, sentence);
    }

    /// Shows a job that the window does itself, in so many pieces.
    pub fn start_job(&mut self, label: String, total: usize) -> JobId {
        self.jobs.start(label, total)
    }

    pub(super) fn flush(&mut self) -> Vec<SessionRequest> {
        std::mem::take(&mut self.effects.requests)
    }

    /// Does it; what that did to the open images.
    fn execute(&mut self, command: Command) -> ImageChange {
        match command {
            Command::OpenPaths(paths) => {
                // From another folder a relative path would be lost.
                let whole = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
                let paths: Vec<PathBuf> = paths.into_iter().map(whole).collect();
                let label = match paths.as_slice() {
                    [path] => path.display().to_string(),
                    paths => format!("{} items", paths.len()),
                };
                let job = self.jobs.start_opening(label, paths.clone());
                self.effects.ask(worker::Request::AddPaths { job, paths });
                return ImageChange::Opened(job);
            }
            Command::OpenSources(sources) => {
                let job = self.jobs.start(format!("{} images", sources.len()), 0);
                self.effects.ask(worker::Request::AddSources { job, sources });
                return ImageChange::Opened(job);
            }
            Command::OpenWorld(world) => {
                let Some(job) = self.jobs.start_world(world.total()) else {
                    return ImageChange::None;
                };
                let open = self.entries().iter().filter_map(|e| e.source.path().cloned());
                let open = open.collect();
                self.tell_roles(&world);
                self.effects.ask(worker::Request::OpenWorld { job, world, open });
                return ImageChange::Opened(job);
            }
            Command::Remove(images) => return self.remove(images.into_iter().collect()),
            Command::RemoveSelected => return self.remove(self.selected.iter().copied().collect()),
            Command::Undo => {
                if let Some(step) = self.history.pop_undo() {
                    let opposite = self.reverse(step);
                    self.history.push_redo(opposite);
                }
            }
            Command::Redo => {
                if let Some(step) = self.history.pop_redo() {
                    let opposite = self.reverse(step);
                    self.history.push_undo(opposite);
                }
            }
            Command::Restore(saved) => self.restore(*saved),
            command => self.change(command),
        }
        ImageChange::None
    }

    /// What changes no images.
    fn change(&mut self, command: Command) {
        let basis = &mut self.basis;
        match command {
            Command::LoadModel(source) => self.load_model(source),
            Command::UnloadModel => self.unload_model(),
            Command::Select(images) => self.select(images),
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
            Command::Know(edit) => self.edit_known(edit),
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
            Command::DismissNotice => self.effects.notices.dismiss(),
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
            // The others are dealt with where images change.
            Command::OpenPaths(_)
            | Command::OpenSources(_)
            | Command::OpenWorld(_)
            | Command::Remove(_)
            | Command::RemoveSelected
            | Command::Undo
            | Command::Redo
            | Command::Restore(_) => {}
        }
    }

    /// The sets of the demo world are known for what they are; what the user said of them stays.
    fn tell_roles(&mut self, world: &World) {
        let mut roles = self.images().roles().clone();
        for (set, folder) in Set::ALL.into_iter().zip(world.sets()) {
            let role = if set == Set::Id { Role::Id } else { Role::Ood };
            roles.entry(SetId::of_folder(&folder)).or_insert(role);
        }
        self.basis.images.set_roles(roles);
    }

    fn load_model(&mut self, source: ModelSource) {
        let ModelSource { name, arguments, named, content, open, device, is_told_names } = source;
        let model = &mut self.basis.model;
        if model.info.is_none() {
            // Until it is there, it is the one that the session waits for.
            let saved = || SavedModel { named: named.clone(), content: None };
            model.saved.get_or_insert_with(saved);
        }
        model.loading =
            Some(LoadingModel { name: name.clone(), arguments, named, content, is_told_names });
        self.effects.ask(worker::Request::LoadModel { name, open, device });
    }

    fn unload_model(&mut self) {
        let status = &mut self.basis.model;
        (status.info, status.loading, status.error, status.saved) = (None, None, None, None);
        self.basis.images.set_classes(ClassNames::default());
        self.at_hand.clear();
        self.comparison.forget();
        self.effects.ask(worker::Request::UnloadModel);
    }

    fn set_tau(&mut self, tau: f32) {
        let tau = tau.clamp(0.0, 1.0);
        if tau != self.basis.settings.tau {
            self.basis.settings.tau = tau;
            self.analyse();
        }
    }

    /// Takes images away; the focus moves to the one that takes their place.
    fn remove(&mut self, ids: BTreeSet<ImageId>) -> ImageChange {
        if ids.is_empty() {
            return ImageChange::None;
        }
        let images = &mut self.basis.images;
        let place = self.focus.and_then(|focus| images.place(focus)).unwrap_or(0);
        let before = images.entries().iter().take(place);
        let kept_before = before.filter(|entry| !ids.contains(&entry.id)).count();
        let gone = images.remove(&ids);
        self.selected.retain(|id| !ids.contains(id));
        self.at_hand.remove(&ids);
        if self.focus.is_some_and(|focus| ids.contains(&focus)) {
            let entries = self.basis.images.entries();
            let last = entries.len().saturating_sub(1);
            self.focus = entries.get(kept_before.min(last)).map(|entry| entry.id);
            self.selected = self.focus.into_iter().collect();
        }
        self.effects.ask(worker::Request::Remove(ids.into_iter().collect()));
        ImageChange::Removed(gone)
    }

    /// Puts images back that were taken away, and has them tagged again.
    fn put_back(&mut self, gone: Gone) -> ImageChange {
        let ids = gone.ids();
        let job = JobId::unique();
        let images = self.basis.images.put_back(gone, job);
        self.jobs.add(job, format!("{} images again", images.len()), images.len());
        self.effects.ask(worker::Request::Reopen { job, images });
        self.focus_first();
        ImageChange::Back(ids)
    }

    /// Shows the first image where none is on show.
    pub(super) fn focus_first(&mut self) {
        if self.focus.is_none() {
            self.focus = self.entries().first().map(|entry| entry.id);
            self.selected = self.focus.into_iter().collect();
        }
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
            known: self.names.chosen.clone(),
            roles: self.images().roles().clone(),
        }
    }

    /// Does the opposite of a step; the opposite of that.
    fn reverse(&mut self, step: Step) -> Step {
        let present = self.edit();
        let images = match step.images {
            ImageChange::None => ImageChange::None,
            ImageChange::Removed(gone) => self.put_back(gone),
            ImageChange::Back(ids) => self.remove(ids),
            ImageChange::Opened(job) => {
                self.effects.ask(worker::Request::Cancel(job));
                let of_job = |entry: &&Entry| entry.opened_by == Some(job);
                self.remove(self.entries().iter().filter(of_job).map(|entry| entry.id).collect())
            }
        };
        let Edit { mut settings, tags, known, roles } = step.before;
        if let Some(info) = self.info()
            && info.detectors.iter().all(|detector| detector.id != settings.detector)
        {
            // They were another model's.
            (settings.detector, settings.lambda) = (info.defaults.detector.clone(), None);
        }
        self.map.tags = tags;
        self.basis.images.set_roles(roles);
        self.adopt(settings);
        self.choose_known(known);
        Step { before: present, images }
    }

    /// Has the report of `evaluate` written: every detector on the open sets at the settings in
    /// force, with the intervals that the window shows. What is wrong becomes a notice.
    fn write_report(&mut self, folder: PathBuf) {
        let job = JobId::unique();
        let lambda = self.lambda().zip(self.lambda_origin());
        match report::task(&self.basis, lambda, job, folder) {
            Ok(task) => {
                let total = task.sets.iter().map(|set| set.images.len()).sum();
                self.jobs.add(job, format!("Report to {}", task.out.display()), total);
                self.effects.ask(worker::Request::Report(task));
            }
            Err(reason) => self.effects.fail(format!("no report: {reason}")),
        }
    }

    /// Opens what was saved in place of what is open. The images themselves are opened by their
    /// paths.
    fn restore(&mut self, saved: SavedState) {
        self.history = History::default();
        // What is gone with a session does not come back in another.
        drop(self.remove(self.entries().iter().map(|entry| entry.id).collect()));
        self.basis.settings = saved.settings();
        let roles = saved.roles_of_sets();
        if saved.model.is_some() {
            self.basis.model.saved = saved.model;
        }
        self.map = saved.map;
        let known = saved.known.into_iter().map(|(arch, known)| (arch, known.into()));
        self.choose_known(known.collect());
        self.comparison.beside = saved.beside;
        if let Some(tau) = saved.tau_beside {
            self.comparison.tau = tau.clamp(0.0, 1.0);
        }
        self.basis.images.set_roles(roles);
        self.basis.images.set_roots(saved.folders.into_iter().map(PathBuf::from).collect());
        self.tuning.restore(saved.pinned.map(Into::into), saved.overlaid, saved.paused);
        self.embedding.config = saved.embedding.within_bounds();
        self.analyse();
        if !saved.images.is_empty() {
            let images = saved.images.into_iter().map(PathBuf::from).collect();
            drop(self.execute(Command::OpenPaths(images)));
        }
    }
}
