//! Fitting a model to an open set of class folders: start, watch, stop, go on, use.

use std::path::{Path, PathBuf};

use eframe::egui::{
    Button, ComboBox, DragValue, Grid, RichText, Role, ScrollArea, TextEdit, Ui, WidgetInfo, vec2,
};
use egui_plot::{Legend, Line, LineStyle, Plot, PlotPoints};

use super::tuning::{column, side_by_side, weak_ui};
use super::vocabulary_review::Review;
use super::{Panel, PanelCtx};
use crate::app::command::{Command, WindowCommand};
use crate::app::fitting::{FitJob, FitMode, FitState, Fitting};
use crate::app::session::autosave_path;
use crate::app::sets::Role as SetRole;
use crate::bundle::manifest::Recipe;
use crate::fit::train::EpochLog;
use crate::ui::theme::Palette;
use crate::ui::widgets::empty_note;

/// Epochs of the published training.
const EPOCHS: u32 = 100;

/// The panel.
pub struct Training {
    id: String,
    out: String,
    recipe: Recipe,
    epochs: u32,
    /// The proposed vocabulary, as the user has changed it.
    vocabulary: Option<String>,
    review: Review,
}

impl Default for Training {
    fn default() -> Self {
        Self {
            id: String::new(),
            out: String::new(),
            recipe: Recipe::Paper,
            epochs: EPOCHS,
            vocabulary: None,
            review: Review::default(),
        }
    }
}

impl Panel for Training {
    fn name(&self) -> &'static str {
        "training"
    }

    fn title(&self) -> &'static str {
        "Training"
    }

    fn ui(&mut self, ui: &mut Ui, cx: &mut PanelCtx<'_>) {
        if cx.model.fitting.program.is_none() {
            return empty_note(ui, "Training", "This window cannot start a training.");
        }
        side_by_side(ui, |ui| {
            let left = (ui.available_width() * 0.42).clamp(300.0, 460.0);
            column(ui, left, |ui| self.form_ui(ui, cx));
            ui.add_space(8.0);
            column(ui, ui.available_width(), |ui| match &mut self.vocabulary {
                // Until there is something to watch, the classes are looked over.
                Some(text) if cx.model.fitting.progress.projector.is_empty() => {
                    self.review.ui(ui, cx, text, &self.id);
                }
                _ => progress_ui(ui, &cx.model.fitting),
            });
        });
    }
}

impl Training {
    fn form_ui(&mut self, ui: &mut Ui, cx: &mut PanelCtx<'_>) {
        let fitting = &cx.model.fitting;
        let running = fitting.state == FitState::Running;
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
        ui.horizontal_wrapped(|ui| self.buttons_ui(ui, cx));
        state_ui(ui, fitting);
        if fitting.state == FitState::Proposed && self.vocabulary.is_none() {
            self.vocabulary.clone_from(&fitting.progress.vocabulary);
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
                let edit = TextEdit::singleline(&mut self.id).desired_width(210.0);
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
            let edit = TextEdit::singleline(&mut self.out).desired_width(290.0);
            ui.add(edit).accessible_name("Folder of the new model");
            ui.end_row();
            weak_ui(ui, "Recipe, epochs");
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
                let epochs = DragValue::new(&mut self.epochs).range(1..=10_000);
                ui.add(epochs).accessible_name("Epochs");
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
        let fitting = &cx.model.fitting;
        if fitting.state == FitState::Running {
            let hint = "What is trained so far stays; go on later";
            if ui.button("Stop training").on_hover_text(hint).clicked() {
                cx.commands.push(Command::StopFit);
            }
            return;
        }
        let ready = !self.id.trim().is_empty() && !self.out.trim().is_empty();
        let hint = "Tag the images and propose a tag for each class, to be looked over";
        let propose = ui.add_enabled(ready, Button::new("Propose vocabulary")).on_hover_text(hint);
        if propose.clicked() {
            self.vocabulary = None;
            cx.commands.push(Command::StartFit(self.job(), FitMode::Propose));
        }
        if ui.add_enabled(ready, Button::new("Start training")).clicked() {
            cx.commands.push(Command::StartFit(self.job(), FitMode::Train));
        }
        let stopped = matches!(fitting.state, FitState::Stopped | FitState::Failed(_));
        if let Some(job) = fitting.job.clone().filter(|_| stopped)
            && ui.button("Go on with it").on_hover_text("From the last epoch kept").clicked()
        {
            cx.commands.push(Command::StartFit(job, FitMode::Resume));
        }
        if fitting.state == FitState::Done && ui.button("Use the new model").clicked() {
            cx.commands.push(Command::Window(WindowCommand::UseFit));
        }
    }
}

/// The folders of the open in-distribution sets.
fn id_folders(cx: &PanelCtx<'_>) -> Vec<PathBuf> {
    let id = cx.model.sets().iter().filter(|set| set.role == SetRole::Id);
    id.filter_map(|set| set.folder.clone()).collect()
}

/// A folder that is not there yet, where the session is kept.
fn proposed_out(id: &Path) -> PathBuf {
    let name = id.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let folder = autosave_path().and_then(|path| Some(path.parent()?.join("models")));
    let folder = folder.unwrap_or_else(std::env::temp_dir);
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
            (None, _) => ("Tagging images".to_owned(), palette.text),
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
        FitState::Proposed => ("Look the vocabulary over, then start".to_owned(), palette.text),
        FitState::Stopped => ("Training stopped".to_owned(), palette.ood),
        FitState::Done => ("The new model is ready".to_owned(), palette.id),
        FitState::Failed(why) => (format!("The training failed: {why}"), palette.fault),
    };
    ui.label(RichText::new(text).color(color));
}

fn progress_ui(ui: &mut Ui, fitting: &Fitting) {
    let palette = Palette::of_ui(ui);
    let log = &fitting.progress.projector;
    let Some(last) = log.last() else {
        let note = "Loss and accuracy appear here after the first epoch. The images are tagged first, \
                    which takes longest the first time.";
        return empty_note(ui, "Train on your own classes", note);
    };
    let share = |value: f64| format!("{:.1} %", value * 100.0);
    let text = format!(
        "Loss {:.3} · accuracy {} · held out {} · ID score {:.3} · {:.1} s an epoch",
        last.loss,
        share(last.accuracy),
        share(last.validation_accuracy),
        last.validation_score,
        last.seconds
    );
    ui.label(RichText::new(&text).small().color(palette.text));
    let highest = log.iter().map(|line| line.loss).fold(1e-9, f64::max);
    let plot = Plot::new("training")
        .show_background(false)
        .grid_color(palette.line)
        .default_x_bounds(0.0, f64::from(last.epochs as u32))
        .default_y_bounds(-0.01, 1.03)
        .set_margin_fraction(vec2(0.0, 0.0))
        .allow_scroll(false)
        .x_axis_label(RichText::new("epoch").small().color(palette.weak))
        .legend(Legend::default());
    let shown = plot.show(ui, |plot| {
        let mut line = |name: &str, value: &dyn Fn(&EpochLog) -> f64, color, style| {
            let points: PlotPoints<'_> =
                log.iter().map(|line| [line.epoch as f64, value(line)]).collect();
            plot.line(Line::new(name, points).color(color).width(1.8).style(style));
        };
        let loss = format!("Loss, of {highest:.2}");
        line(&loss, &|line| line.loss / highest, palette.ood, LineStyle::Dashed { length: 7.0 });
        line("Accuracy", &|line| line.accuracy, palette.accent, LineStyle::Solid);
        let held_out = |line: &EpochLog| line.validation_accuracy;
        line("Held-out accuracy", &held_out, palette.id, LineStyle::Dotted { spacing: 5.0 });
    });
    let label = format!("Training, epoch {} of {}: {text}", last.epoch, last.epochs);
    shown.response.widget_info(|| WidgetInfo::labeled(Role::Canvas, true, &label));
}
