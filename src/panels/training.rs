//! Fitting a model to an open set of class folders: start, watch, stop, go on, use.

use std::path::{Path, PathBuf};

use eframe::egui::{
    Button, ComboBox, DragValue, Grid, Label, ProgressBar, RichText, Role, ScrollArea, Spinner,
    TextEdit, Ui, WidgetInfo, vec2,
};
use egui_plot::{HPlacement, Line, LineStyle, PlotPoints};

use super::WindowCommand;
use super::tuning::{column, side_by_side, weak_ui};
use super::vocabulary_review::review_ui;
use super::{Home, Panel, PanelCtx, PanelInfo};
use crate::bundle::manifest::{Arch, Recipe};
use crate::fit::train::EpochLog;
use crate::fit::vocabulary;
use crate::fs;
use crate::session::Command;
use crate::session::fitting::Fitting;
use crate::session::sets::Role as SetRole;
use crate::ui::plotting;
use crate::ui::theme::Palette;
use crate::ui::widgets::empty_note;
use crate::worker::{FitJob, FitMode, FitProgress, FitState, epochs_cut_off};

/// Room for the menu of open sets, in points.
const OPEN_SETS: f32 = 78.0;
/// Epochs of the published training.
const EPOCHS: u32 = 100;

/// Below this width form and curves stand one below the other, in points.
const NARROW: f32 = 520.0;
/// Height of the curves there.
const CURVES: f32 = 180.0;

/// Fitting a model to an open set, from the vocabulary to the last epoch.
pub(super) struct Training {
    id: String,
    out: String,
    recipe: Recipe,
    epochs: u32,
    /// The proposed vocabulary, as the user has changed it.
    vocabulary: Option<String>,
    /// The epochs of a training to `out` that was cut off, when and where that was looked up.
    cut_off: (String, FitState, usize),
}

impl Default for Training {
    fn default() -> Self {
        Self {
            id: String::new(),
            out: String::new(),
            recipe: Recipe::Paper,
            epochs: EPOCHS,
            vocabulary: None,
            cut_off: (String::new(), FitState::Idle, 0),
        }
    }
}

/// Its name, place and key.
pub(super) const PANEL: PanelInfo = PanelInfo {
    name: "training",
    title: "Training",
    home: Home::Bottom,
    key: None,
    make: || Box::new(Training::default()),
};

impl Panel for Training {
    fn ui(&mut self, ui: &mut Ui, cx: &mut PanelCtx<'_>) {
        if cx.session.fitting.program.is_none() {
            return empty_note(ui, "Training", "This window cannot start a training.");
        }
        if ui.available_width() < NARROW {
            ScrollArea::vertical().id_salt("training").auto_shrink(false).show(ui, |ui| {
                self.form_ui(ui, cx);
                ui.add_space(6.0);
                let size = vec2(ui.available_width(), CURVES);
                ui.allocate_ui(size, |ui| progress_ui(ui, &cx.session.fitting));
            });
            return;
        }
        side_by_side(ui, |ui| {
            let left = (ui.available_width() * 0.42).clamp(300.0, 460.0);
            column(ui, left, |ui| self.form_ui(ui, cx));
            ui.add_space(8.0);
            column(ui, ui.available_width(), |ui| match &mut self.vocabulary {
                // Until there is something to watch, the classes are looked over.
                Some(text) if cx.session.fitting.progress.projector.is_empty() => {
                    review_ui(ui, cx, text, Path::new(&self.id));
                }
                _ => progress_ui(ui, &cx.session.fitting),
            });
        });
    }
}

impl Training {
    fn form_ui(&mut self, ui: &mut Ui, cx: &mut PanelCtx<'_>) {
        let fitting = &cx.session.fitting;
        let running = fitting.state == FitState::Running;
        if let Some(job) = fitting.job.as_ref().filter(|_| running && self.id.is_empty()) {
            (self.id, self.out) = (job.id.display().to_string(), job.out.display().to_string());
            (self.recipe, self.epochs) = (job.recipe, job.epochs);
        }
        if self.id.is_empty()
            && let Some(folder) = id_folders(cx).first()
        {
            self.id = folder.display().to_string();
        }
        if self.out.is_empty() && !self.id.is_empty() {
            self.out = proposed_out(Path::new(&self.id)).display().to_string();
        }
        ui.add_enabled_ui(!running, |ui| self.fields_ui(ui, cx));
        ui.add_space(4.0);
        if self.cut_off.0 != self.out || self.cut_off.1 != fitting.state {
            let epochs = epochs_cut_off(Path::new(&self.out));
            self.cut_off = (self.out.clone(), fitting.state.clone(), epochs);
        }
        if fits_names(cx) {
            ui.label(RichText::new(OF_NAMES).small().color(Palette::of_ui(ui).weak));
        }
        ui.horizontal_wrapped(|ui| self.buttons_ui(ui, cx));
        state_ui(ui, fitting);
        if !running && self.cut_off.2 > 0 {
            let note = format!(
                "A training to this folder was cut off after epoch {}. It goes on with the settings \
                 that it was begun with; other epochs, another recipe or vocabulary start anew. \
                 Images that were tagged stay tagged either way.",
                self.cut_off.2
            );
            let palette = Palette::of_ui(ui);
            ui.add(Label::new(RichText::new(note).small().color(palette.weak)).wrap());
        }
        if fitting.state == FitState::Proposed && self.vocabulary.is_none() {
            self.vocabulary = fitting.progress.vocabulary.as_deref().map(vocabulary::text);
        }
        self.vocabulary_ui(ui, running);
    }

    /// The proposed vocabulary, to be looked over before training.
    fn vocabulary_ui(&mut self, ui: &mut Ui, running: bool) {
        let Some(vocabulary) = &mut self.vocabulary else { return };
        let hint = "Which tag stands for each class; comments count how often each was seen there";
        weak_ui(ui, "Vocabulary: class, tab, tag").on_hover_text(hint);
        ScrollArea::vertical().id_salt("vocabulary").auto_shrink(false).show(ui, |ui| {
            let edit = TextEdit::multiline(vocabulary).code_editor().desired_width(f32::INFINITY);
            ui.add_enabled(!running, edit).accessible_name("Vocabulary");
        });
    }

    fn fields_ui(&mut self, ui: &mut Ui, cx: &PanelCtx<'_>) {
        Grid::new("fit").num_columns(2).spacing([10.0, 4.0]).show(ui, |ui| {
            weak_ui(ui, "Class folders");
            ui.horizontal(|ui| {
                let width = (ui.available_width() - OPEN_SETS - 8.0).max(60.0);
                let edit = TextEdit::singleline(&mut self.id).desired_width(width);
                let edit = edit.hint_text("A folder with a folder for each class");
                ui.add(edit).accessible_name("Folder of class folders");
                ui.menu_button("Open sets", |ui| {
                    for folder in id_folders(cx) {
                        if ui.button(folder.display().to_string()).clicked() {
                            (self.id, self.out) = (folder.display().to_string(), String::new());
                            self.vocabulary = None;
                            ui.close();
                        }
                    }
                });
            });
            ui.end_row();
            weak_ui(ui, "New model");
            let edit = TextEdit::singleline(&mut self.out).desired_width(ui.available_width());
            let edit = edit.hint_text("Where the new model is written");
            ui.add(edit).accessible_name("Folder of the new model");
            ui.end_row();
            let of_names = fits_names(cx);
            weak_ui(ui, if of_names { "Recipe" } else { "Recipe, epochs" });
            ui.horizontal(|ui| {
                let shown = ComboBox::from_id_salt("fit recipe")
                    .selected_text(self.recipe.to_string())
                    .width(90.0)
                    .show_ui(ui, |ui| {
                        for recipe in Recipe::ALL {
                            ui.selectable_value(&mut self.recipe, recipe, recipe.to_string());
                        }
                    });
                shown.response.accessible_name("Recipe of the training");
                if !of_names {
                    let epochs = DragValue::new(&mut self.epochs).range(1..=10_000);
                    ui.add(epochs).accessible_name("Epochs");
                }
            });
            ui.end_row();
        });
    }

    fn job(&self) -> FitJob {
        FitJob {
            id: PathBuf::from(&self.id),
            out: PathBuf::from(&self.out),
            recipe: self.recipe,
            epochs: self.epochs,
            vocabulary: self.vocabulary.clone(),
        }
    }

    fn buttons_ui(&mut self, ui: &mut Ui, cx: &mut PanelCtx<'_>) {
        let fitting = &cx.session.fitting;
        if fitting.state == FitState::Running {
            let hint = "What is trained so far stays; go on later";
            if ui.button("Stop training").on_hover_text(hint).clicked() {
                cx.send(Command::StopFit);
            }
            return;
        }
        let ready = !self.id.trim().is_empty() && !self.out.trim().is_empty();
        if fits_names(cx) {
            self.vocabulary = None;
        } else {
            let hint = "Tag the images and propose a tag for each class, to be looked over";
            let button = Button::new("Propose vocabulary");
            if ui.add_enabled(ready, button).on_hover_text(hint).clicked() {
                self.vocabulary = None;
                cx.send(Command::StartFit(self.job(), FitMode::Propose));
            }
        }
        // What was begun goes on as it was begun; the form may have changed since.
        let stopped = matches!(fitting.state, FitState::Stopped | FitState::Failed(_));
        let begun = fitting.job.clone().filter(|_| stopped);
        let here = begun.as_ref().is_some_and(|job| job.out == Path::new(&self.out));
        let is_cut_off = here || self.cut_off.2 > 0;
        if let Some(job) = begun.or_else(|| is_cut_off.then(|| self.job())) {
            let hint = format!("As it was begun: {} epochs, {} recipe", job.epochs, job.recipe);
            let resume = ui.add_enabled(ready, Button::new("Go on with it"));
            if resume.on_hover_text(hint).clicked() {
                cx.send(Command::StartFit(job, FitMode::Resume));
            }
        }
        let (text, mode) = match is_cut_off {
            true => ("Start anew", FitMode::Anew),
            false => ("Start training", FitMode::Train),
        };
        let start = ui.add_enabled(ready, Button::new(text));
        if start.on_hover_text("From the first epoch, with these settings").clicked() {
            cx.send(Command::StartFit(self.job(), mode));
        }
        if fitting.state == FitState::Done && ui.button("Use the new model").clicked() {
            cx.send(WindowCommand::UseFit);
        }
    }
}

/// What a fit does where the model is a CLIP.
const OF_NAMES: &str = "A CLIP learns nothing here: its names become those of the class folders, with \
                        class centers, statistics and λ of their images. To teach its no side, run \
                        tagood-lens fit --method clipn --pairs FOLDER.";

/// Whether the model in use is a CLIP.
fn fits_names(cx: &PanelCtx<'_>) -> bool {
    cx.session.info().is_some_and(|info| info.manifest.arch == Arch::Clip)
}

/// The folders of the open in-distribution sets.
fn id_folders(cx: &PanelCtx<'_>) -> Vec<PathBuf> {
    let id = cx.session.sets().iter().filter(|set| set.role == SetRole::Id);
    id.filter_map(|set| set.folder.clone()).collect()
}

/// A folder that is not there yet, where the session is kept.
fn proposed_out(id: &Path) -> PathBuf {
    let name = id.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let folder = fs::data_folder().unwrap_or_else(std::env::temp_dir).join("models");
    let free = |number: &u32| !folder.join(format!("{name}-{number}.bundle")).exists();
    let number = (1..1000).find(free).unwrap_or(1000);
    folder.join(format!("{name}-{number}.bundle"))
}

fn state_ui(ui: &mut Ui, fitting: &Fitting) {
    let palette = Palette::of_ui(ui);
    let progress = &fitting.progress;
    let (text, color) = match &fitting.state {
        FitState::Idle => return,
        FitState::Running => match (progress.projector.last(), progress.cross_entropy.last()) {
            (None, _) => (tagging(progress), palette.text),
            (Some(line), None) if line.epoch < line.epochs => {
                (format!("Epoch {} of {}", line.epoch, line.epochs), palette.text)
            }
            (_, Some(line)) if line.epoch < line.epochs => {
                let text = format!("Second projector, epoch {} of {}", line.epoch, line.epochs);
                (text, palette.text)
            }
            (_, Some(_)) => ("Fitting detectors and λ".to_owned(), palette.text),
            (_, None) => ("Second projector".to_owned(), palette.text),
        },
        FitState::Proposed => {
            ("Review the vocabulary, then start training".to_owned(), palette.text)
        }
        FitState::Stopped => ("Training stopped".to_owned(), palette.ood),
        FitState::Done => match &progress.quality {
            Some(quality) if quality.is_poor() => (quality.sentence(), palette.ood),
            Some(quality) => {
                (format!("The new model is ready. {}", quality.sentence()), palette.id)
            }
            None => ("The new model is ready".to_owned(), palette.id),
        },
        FitState::Failed(why) => (format!("The training failed: {why}"), palette.fault),
    };
    let both = [&progress.projector, &progress.cross_entropy];
    let lines = both.iter().filter_map(|log| log.last());
    let done: f32 = lines.map(|line| line.epoch as f32 / line.epochs.max(1) as f32).sum();
    let running = fitting.state == FitState::Running;
    ui.horizontal(|ui| {
        if running && done == 0.0 {
            ui.add(Spinner::new().size(12.0));
        }
        ui.add(Label::new(RichText::new(&text).color(color)).wrap());
    });
    if running && done > 0.0 {
        let bar = ProgressBar::new(done / both.len() as f32).desired_height(4.0);
        ui.add(bar.fill(palette.accent)).accessible_name("Progress of the training");
    }
}

/// The least number from `value` up whose fifths are short: 1, 2, 2.5 or 5 times a power of ten.
fn nice_above(value: f64) -> f64 {
    let power = 10f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 2.5, 5.0, 10.0].map(|step| step * power);
    steps.into_iter().find(|step| *step >= value).unwrap_or(value)
}

/// A loss as its axis names it, at a share of the axis's end.
fn loss_label(share: f64, highest: f64) -> String {
    match share {
        // Up to three digits, and none that is always zero.
        share if (-1e-9..=1.0001).contains(&share) => {
            let digits = (2 - highest.log10().floor() as i32).clamp(0, 6) as usize;
            let text = format!("{:.digits$}", (share * highest).abs());
            match text.contains('.') {
                true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
                false => text,
            }
        }
        _ => String::new(),
    }
}

fn tagging(progress: &FitProgress) -> String {
    match progress.tagged {
        Some([done, total]) if done < total => format!("Tagging images, {done} of {total}"),
        Some(_) => "Preparing the training".to_owned(),
        None => "Tagging images".to_owned(),
    }
}

fn progress_ui(ui: &mut Ui, fitting: &Fitting) {
    let palette = Palette::of_ui(ui);
    let log = &fitting.progress.projector;
    let Some(last) = log.last() else {
        if fitting.state == FitState::Done {
            return empty_note(ui, "Fitted", "Use the new model to judge by its classes.");
        }
        let note = "Loss and accuracy appear here after the first epoch. The images are tagged first, \
                    which takes longest the first time.";
        return empty_note(ui, "Train on your own classes", note);
    };
    let highest = nice_above(log.iter().map(|line| line.loss).fold(1e-9, f64::max));
    let share = |value: f64| format!("{:.1} %", value * 100.0);
    type Value<'a> = &'a dyn Fn(&EpochLog) -> f64;
    let series: [(&str, String, Value<'_>, _, _); 3] = [
        (
            "Loss",
            format!("{:.3}", last.loss),
            &|line| line.loss / highest,
            palette.ood,
            LineStyle::Dashed { length: 7.0 },
        ),
        ("Accuracy", share(last.accuracy), &|line| line.accuracy, palette.accent, LineStyle::Solid),
        (
            "Held out",
            share(last.validation_accuracy),
            &|line| line.validation_accuracy,
            palette.id,
            LineStyle::Dotted { spacing: 5.0 },
        ),
    ];
    ui.horizontal_wrapped(|ui| {
        for (name, value, _, color, style) in &series {
            plotting::key_ui(ui, &format!("{name} {value}"), *color, *style);
        }
        let text = format!("ID score {:.3}, {:.1} s an epoch", last.validation_score, last.seconds);
        let text = RichText::new(text).small().color(palette.weak);
        let hint = "Mean score of held-out images; time of the last epoch";
        ui.add(Label::new(text).extend()).on_hover_text(hint);
    });
    let (x, y) = (plotting::x_axis("epoch", &palette), plotting::y_axis("accuracy", &palette));
    let loss = plotting::y_axis("loss", &palette);
    let epochs = last.epochs as f64;
    let epoch_label = move |at: f64| match at {
        at if (0.0..=epochs).contains(&at) && at.fract() == 0.0 => format!("{at:.0}"),
        _ => String::new(),
    };
    let plot = plotting::plain_plot("training", &palette)
        .default_x_bounds(0.0, epochs * 1.02)
        .default_y_bounds(-0.02, 1.05)
        .custom_x_axes(vec![x.formatter(move |mark, _| epoch_label(mark.value))])
        .custom_y_axes(vec![
            y.formatter(|mark, _| plotting::share_label(mark.value)),
            loss.placement(HPlacement::Right)
                .formatter(move |mark, _| loss_label(mark.value, highest)),
        ])
        .y_grid_spacer(|input| plotting::fifths(&input));
    let shown = plot.show(ui, |plot| {
        for (name, _, value, color, style) in &series {
            let points: PlotPoints<'_> =
                log.iter().map(|line| [line.epoch as f64, value(line)]).collect();
            let line = Line::new(*name, points).color(*color).width(1.8).style(*style);
            plot.line(line.allow_band(false).allow_hover(false));
        }
    });
    let said: Vec<String> =
        series.iter().map(|(name, value, ..)| format!("{name} {value}")).collect();
    let label = format!("Training, epoch {} of {}: {}", last.epoch, last.epochs, said.join(", "));
    shown.response.widget_info(|| WidgetInfo::labeled(Role::Canvas, true, &label));
    let Some(at) = shown.response.hover_pos() else { return };
    let epoch = shown.transform.value_from_position(at).x;
    let far = |line: &&EpochLog| (line.epoch as f64 - epoch).abs();
    if let Some(line) = log.iter().min_by(|a, b| far(a).total_cmp(&far(b))) {
        let (accuracy, held_out) = (share(line.accuracy), share(line.validation_accuracy));
        let (epoch, loss) = (line.epoch, line.loss);
        let text =
            format!("Epoch {epoch}\nLoss {loss:.3}\nAccuracy {accuracy}\nHeld out {held_out}");
        shown.response.on_hover_text_at_pointer(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loss_has_an_axis_of_its_own() {
        for (value, end) in [(2.3, 2.5), (0.07, 0.1), (1.0, 1.0), (31.0, 50.0), (0.21, 0.25)] {
            assert!((nice_above(value) - end).abs() < 1e-12, "{value}: {}", nice_above(value));
        }
        let labels = |highest: f64| [0.0, 0.2, 0.4, 1.0].map(|share| loss_label(share, highest));
        assert_eq!(labels(2.5), ["0", "0.5", "1", "2.5"]);
        assert_eq!(labels(0.1), ["0", "0.02", "0.04", "0.1"]);
        assert_eq!(labels(50.0), ["0", "10", "20", "50"]);
        assert_eq!(loss_label(1.2, 2.5), "");
    }
}
