//! The decision on the image on show, and everything that it rests on.

use eframe::egui::{
    self, Align, Align2, ComboBox, DragValue, FontId, Layout, Rect, RichText, Role, ScrollArea,
    Sense, Stroke, Ui, WidgetInfo, pos2, vec2,
};

use super::tuning::{OPEN_SET_HINT, OPEN_SET_LAMBDA};
use super::{Home, Panel, PanelCtx, PanelInfo};
use crate::bundle::manifest::{Arch, Recipe};
use crate::pipeline::{Analysis, Cosines};
use crate::score::verdict::Outcome;
use crate::session::Command;
use crate::session::{LambdaOrigin, Session, entry::Entry};
use crate::ui::theme::Palette;
use crate::ui::widgets::{
    bar, card, elided, empty_note, fact, formula_text, outcome_shape, outcome_word,
};
use crate::worker::ModelInfo;

/// How many of the nearest centers are listed.
const NEAREST: usize = 5;

/// Decision, score and reason of the image on show, and the settings behind them.
#[derive(Default)]
pub(super) struct VerdictPanel {
    scale: Option<ScoreRange>,
}

/// The ends of the score scale, kept while they still hold every score, so that it does not jump.
struct ScoreRange {
    detector: String,
    from: f32,
    to: f32,
}

/// Its name, place and key.
pub(super) const PANEL: PanelInfo = PanelInfo {
    name: "verdict",
    title: "Verdict",
    home: Home::RightUpper,
    key: None,
    make: || Box::new(VerdictPanel::default()),
};

impl Panel for VerdictPanel {
    fn ui(&mut self, ui: &mut Ui, cx: &mut PanelCtx<'_>) {
        let Some(info) = cx.session.info().cloned() else {
            return empty_note(ui, "Verdict", "There is no model yet.");
        };
        ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            let entry = cx.session.focused();
            match entry.and_then(|entry| entry.analysis.clone()) {
                Some(analysis) => {
                    card(ui, "", |ui| {
                        headline_ui(ui, &analysis);
                        self.scale_ui(ui, cx);
                    });
                    match &analysis.cosines {
                        Some(cosines) => names_ui(ui, cosines, &info),
                        None => nearest_ui(ui, &analysis, &info),
                    }
                }
                None => card(ui, "", |ui| {
                    let palette = Palette::of_ui(ui);
                    let text = match entry.and_then(|entry| entry.error.as_deref()) {
                        Some(error) => error,
                        None if entry.is_some() => "Waiting for the network…",
                        None => "Choose an image to see its verdict.",
                    };
                    ui.label(RichText::new(text).color(palette.weak));
                }),
            }
            method_ui(ui, cx, &info);
            if let Some((entry, analysis)) =
                entry.and_then(|entry| Some((entry, entry.analysis.clone()?)))
            {
                numbers_ui(ui, entry, &analysis, &info);
            }
        });
    }
}

fn headline_ui(ui: &mut Ui, analysis: &Analysis) {
    let palette = Palette::of_ui(ui);
    let outcome = analysis.verdict.outcome;
    let color = palette.outcome(outcome);
    let words = match outcome {
        Some(Outcome::Id) => "In-distribution",
        Some(Outcome::Ood) => "Out-of-distribution",
        None => "No verdict",
    };
    ui.horizontal(|ui| {
        let (rect, _) = ui.allocate_exact_size(vec2(18.0, 24.0), Sense::hover());
        ui.painter().add(outcome_shape(rect.center(), 6.5, outcome, color));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if let Some(score) = analysis.verdict.score {
                let text = RichText::new(format!("{score:.3}")).size(18.0).color(palette.strong);
                ui.label(text).on_hover_text("The score: higher is more in-distribution");
            } else if analysis.verdict.rejected.is_some() {
                ui.label(RichText::new("not scored").color(palette.weak));
            }
            // What room is left is for the words.
            let size = ui.available_size();
            let fits = |words: &&str| {
                let font = FontId::proportional(18.0);
                let galley = ui.painter().layout_no_wrap((*words).to_owned(), font, color);
                galley.size().x <= size.x
            };
            let words = [words, outcome_word(outcome)].into_iter().find(fits).unwrap_or_default();
            ui.allocate_ui_with_layout(size, Layout::left_to_right(Align::Center), |ui| {
                let text = RichText::new(words).size(18.0).strong().color(color);
                ui.add(egui::Label::new(text).extend());
            });
        });
    });
    let mut reason = analysis.verdict.reason.to_string();
    if let Some(first) = reason.get(..1).map(str::to_uppercase) {
        reason.replace_range(..1, &first);
    }
    ui.label(RichText::new(format!("{reason}.")).color(palette.text));
}

impl VerdictPanel {
    /// The score of every open image on one line, with λ, which can be dragged.
    fn scale_ui(&mut self, ui: &mut Ui, cx: &mut PanelCtx<'_>) {
        let palette = Palette::of_ui(ui);
        let lambda = cx.session.lambda();
        let focused = cx.session.focused();
        let (from, to) = self.range(cx.session, lambda);
        let (rect, response) =
            ui.allocate_exact_size(vec2(ui.available_width(), 54.0), Sense::click_and_drag());
        let score = focused.and_then(Entry::score);
        let label = match (score, lambda) {
            (Some(score), Some(lambda)) => format!("Score {score:.3}, threshold {lambda:.3}"),
            (Some(score), None) => format!("Score {score:.3}, no threshold"),
            _ => "No score".into(),
        };
        response.widget_info(|| WidgetInfo::labeled(Role::Meter, true, &label));
        let track = Rect::from_min_max(
            pos2(rect.left() + 4.0, rect.top() + 22.0),
            pos2(rect.right() - 4.0, rect.top() + 30.0),
        );
        let x_of = |score: f32| {
            let share = ((score - from) / (to - from)).clamp(0.0, 1.0);
            egui::lerp(track.x_range(), share)
        };
        let painter = ui.painter();
        match lambda.map(x_of) {
            Some(x) => {
                let (left, right) = track.split_left_right_at_x(x);
                painter.rect_filled(left, 2.0, palette.ood.gamma_multiply(0.28));
                painter.rect_filled(right, 2.0, palette.id.gamma_multiply(0.28));
            }
            None => drop(painter.rect_filled(track, 2.0, palette.widget)),
        }
        others_ui(ui, cx.session, track, x_of);
        if let Some(x) = lambda.map(x_of) {
            let line = Stroke::new(1.5, palette.strong);
            painter.vline(x, track.top() - 5.0..=track.bottom() + 5.0, line);
            let text = format!("λ {:.3}", lambda.unwrap_or_default());
            // `clamp` would not have a panel narrower than the text.
            let x = x.min(rect.right() - 24.0).max(rect.left() + 24.0);
            let at = pos2(x, track.bottom() + 6.0);
            painter.text(at, Align2::CENTER_TOP, text, FontId::proportional(11.0), palette.text);
        }
        if let (Some(score), Some(entry)) = (score, focused) {
            let color = palette.outcome(entry.outcome());
            let center = pos2(x_of(score), track.top() - 9.0);
            painter.add(outcome_shape(center, 5.0, entry.outcome(), color));
            painter.vline(center.x, track.y_range(), Stroke::new(2.0, color));
        }
        if response.dragged()
            && let Some(pointer) = response.interact_pointer_pos()
        {
            let share = (pointer.x - track.left()) / track.width();
            let lambda = from + share.clamp(0.0, 1.0) * (to - from);
            cx.send(Command::SetLambda(Some(lambda)));
        }
        response.on_hover_cursor(egui::CursorIcon::ResizeHorizontal).on_hover_text(
            "Each line is an open image, the mark is this one. Scores to the right of λ are \
             in-distribution. Drag to move λ.",
        );
    }

    fn range(&mut self, session: &Session, lambda: Option<f32>) -> (f32, f32) {
        let detector = &session.settings().detector;
        if self.scale.as_ref().is_some_and(|scale| scale.detector != *detector) {
            self.scale = None;
        }
        let scores = session.entries().iter().filter_map(Entry::score).chain(lambda);
        let (low, high) = scores.fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), score| {
            (low.min(score), high.max(score))
        });
        let (low, high) = if low.is_finite() { (low, high) } else { (0.0, 1.0) };
        // Wide enough for every score, and not several times too wide.
        let fits = |s: &&ScoreRange| {
            s.from <= low && s.to >= high && s.to - s.from < 4.0 * (high - low).max(1e-3)
        };
        if let Some(scale) = self.scale.as_ref().filter(fits) {
            return (scale.from, scale.to);
        }
        let margin = ((high - low) * 0.12).max(1e-3);
        let (from, to) = (low - margin, high + margin);
        self.scale = Some(ScoreRange { detector: detector.clone(), from, to });
        (from, to)
    }
}

/// The scores of the other images, one line a point of width, however many images there are.
fn others_ui(ui: &Ui, session: &Session, track: Rect, x_of: impl Fn(f32) -> f32) {
    let palette = Palette::of_ui(ui);
    let outcomes = [Some(Outcome::Id), Some(Outcome::Ood), None];
    let mut lines = vec![[false; 3]; track.width().max(0.0) as usize + 1];
    let others = session.entries().iter().filter(|entry| Some(entry.id) != session.focus);
    for (score, outcome) in others.filter_map(|e| Some((e.score()?, e.outcome()))) {
        let at = (x_of(score) - track.left()) as usize;
        let which = outcomes.iter().position(|other| *other == outcome).unwrap_or_default();
        if let Some(line) = lines.get_mut(at) {
            line[which] = true;
        }
    }
    for (at, line) in lines.into_iter().enumerate() {
        for (outcome, _) in outcomes.into_iter().zip(line).filter(|(_, is_there)| *is_there) {
            let color = palette.outcome(outcome).gamma_multiply(0.75);
            let (x, y) = (track.left() + at as f32 + 0.5, track.shrink(1.0).y_range());
            ui.painter().vline(x, y, Stroke::new(1.0, color));
        }
    }
}

fn nearest_ui(ui: &mut Ui, analysis: &Analysis, info: &ModelInfo) {
    if analysis.nearest.is_empty() {
        return;
    }
    card(ui, "Nearest known classes", |ui| {
        let palette = Palette::of_ui(ui);
        ui.spacing_mut().item_spacing.y = 3.0;
        for (place, nearest) in analysis.nearest.iter().take(NEAREST).enumerate() {
            let name = info.vocabulary.class_name(nearest.class);
            let (rect, response) =
                ui.allocate_exact_size(vec2(ui.available_width(), 18.0), Sense::hover());
            let text = format!("{name}, similarity {:.3}", nearest.similarity);
            response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &text));
            let (name_color, fill) = match place {
                0 => (palette.strong, palette.accent),
                _ => (palette.text, palette.weak),
            };
            let middle = rect.center().y;
            let split = rect.left() + rect.width() * 0.42;
            let font = FontId::proportional(12.5);
            let mut job = egui::text::LayoutJob::simple_singleline(name, font, name_color);
            job.wrap = egui::text::TextWrapping::truncate_at_width(split - rect.left() - 8.0);
            let galley = ui.painter().layout_job(job);
            let at = pos2(rect.left(), middle - galley.size().y / 2.0);
            ui.painter().galley(at, galley, name_color);
            let track = Rect::from_min_max(
                pos2(split, middle - 3.0),
                pos2(rect.right() - 46.0, middle + 3.0),
            );
            bar(ui, track, nearest.similarity, None, fill);
            let at = pos2(rect.right(), middle);
            let value = format!("{:.3}", nearest.similarity);
            let font = FontId::proportional(11.5);
            ui.painter().text(at, Align2::RIGHT_CENTER, value, font, palette.weak);
            response.on_hover_text("Cosine between this image's feature and the class's center");
        }
        if let Some(nearest) = analysis.nearest.first()
            && !analysis.patterns.is_empty()
        {
            patterns_ui(ui, &analysis.patterns, &info.vocabulary.class_name(nearest.class));
        }
    });
}

/// The names with the largest similarities, and what the no side says of them.
fn names_ui(ui: &mut Ui, cosines: &Cosines, info: &ModelInfo) {
    let (probabilities, denied) = (cosines.probabilities(), cosines.denied());
    let mut names: Vec<usize> = (0..cosines.image.len()).collect();
    names.sort_by(|&a, &b| cosines.image[b].total_cmp(&cosines.image[a]));
    card(ui, "Nearest names", |ui| {
        let palette = Palette::of_ui(ui);
        ui.spacing_mut().item_spacing.y = 3.0;
        for (place, &at) in names.iter().take(NEAREST).enumerate() {
            let (name, similarity) = (info.vocabulary.class_name(at), cosines.image[at]);
            let (rect, response) =
                ui.allocate_exact_size(vec2(ui.available_width(), 18.0), Sense::hover());
            let no = denied.as_ref().and_then(|denied| denied.get(at));
            let said =
                no.map_or(String::new(), |no| format!("; the no side says {no:.2} it is not"));
            let text = format!("{name} {similarity:.3}{said}");
            response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &text));
            let (name_color, fill) = match place {
                0 => (palette.strong, palette.accent),
                _ => (palette.text, palette.weak),
            };
            let middle = rect.center().y;
            let split = rect.left() + rect.width() * 0.4;
            let numbers = if no.is_some() { 92.0 } else { 46.0 };
            let title = elided(ui.painter(), &name, 12.5, name_color, split - rect.left() - 8.0);
            let at_left = pos2(rect.left(), middle - title.size().y / 2.0);
            ui.painter().galley(at_left, title, name_color);
            let track = Rect::from_min_max(
                pos2(split, middle - 3.0),
                pos2(rect.right() - numbers, middle + 3.0),
            );
            bar(ui, track, probabilities.get(at).copied().unwrap_or_default(), None, fill);
            let font = FontId::proportional(11.5);
            let number = |right: f32, text: String| {
                let at = pos2(right, middle);
                ui.painter().text(at, Align2::RIGHT_CENTER, text, font.clone(), palette.weak);
            };
            number(rect.right() + 46.0 - numbers, format!("{similarity:.3}"));
            if let Some(no) = no {
                number(rect.right(), format!("no {no:.2}"));
            }
            let share = probabilities.get(at).copied().unwrap_or_default();
            response.on_hover_text(format!(
                "{name}: similarity {similarity:.3}, the cosine between the image's feature and the \
                 name's; {share:.3} of the softmax over all names, which the bar shows{said}"
            ));
        }
    });
}

/// What each pattern of the feature adds to the similarity with the nearest center.
fn patterns_ui(ui: &mut Ui, patterns: &[f32], class: &str) {
    let palette = Palette::of_ui(ui);
    ui.add_space(4.0);
    let count = patterns.len();
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 30.0), Sense::hover());
    let values: Vec<String> = patterns.iter().map(|value| format!("{value:.3}")).collect();
    let text = format!("Patterns against {class}: {}", values.join(", "));
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &text));
    let width = rect.width() / count as f32;
    let font = FontId::proportional(11.0);
    for (number, (&value, text)) in patterns.iter().zip(values).enumerate() {
        let left = rect.left() + width * number as f32;
        let cell = Rect::from_min_size(pos2(left, rect.top()), vec2(width - 14.0, rect.height()));
        let (label, at) = (format!("p{}", number + 1), cell.left_top());
        let painter = ui.painter();
        painter.text(at, Align2::LEFT_TOP, label, font.clone(), palette.weak);
        painter.text(cell.right_top(), Align2::RIGHT_TOP, text, font.clone(), palette.text);
        let track = Rect::from_min_max(pos2(cell.left(), cell.bottom() - 10.0), cell.max);
        bar(ui, track.shrink2(vec2(0.0, 2.0)), value, None, palette.accent);
    }
    response.on_hover_text(format!(
        "The released code cuts the feature into {count} patterns and compares each with the center's \
         own. Each has the same share: the similarity to {class} is the mean of these cosines."
    ));
}

fn numbers_ui(ui: &mut Ui, entry: &Entry, analysis: &Analysis, info: &ModelInfo) {
    card(ui, "From image to score", |ui| {
        ui.spacing_mut().item_spacing.y = 2.0;
        let d = &analysis.decomposition;
        let share = 100.0 * d.kept() as f32 / d.mask.len().max(1) as f32;
        let kept = format!("{} of {} ({share:.0} %)", d.kept(), d.mask.len());
        fact(ui, "Object tokens kept", kept, "Image tokens whose relevance exceeds τ");
        let counting = d.tags.len().to_string();
        let (label, hint, best) = match info.manifest.arch {
            Arch::Ram => (
                "Known tags that count",
                "In-distribution tags above their thresholds",
                "The tag score",
            ),
            Arch::Clip => (
                "Names that count",
                "The likeliest name, and any other that has a fifth of the softmax or more",
                "The likeliest name's share of the softmax over all names",
            ),
        };
        fact(ui, label, counting, hint);
        fact(ui, "Best of them", format!("{:.3}", d.tag_score), best);
        let [decode, prepare, tagger] = entry.stage_ms;
        let [decompose, project, score] = analysis.stage_ms;
        let whole = decode + prepare + tagger;
        let live = decompose + project + score;
        let hint =
            format!("decode {decode:.1} ms, preprocess {prepare:.1} ms, network {tagger:.1} ms");
        fact(ui, "Seen once", format!("{whole:.0} ms"), &hint);
        let hint = format!(
            "decompose {decompose:.2} ms, project {project:.2} ms, score {score:.2} ms: this is what \
             runs while τ moves"
        );
        fact(ui, "At each τ", format!("{live:.1} ms"), &hint);
    });
}

/// What a recipe means for a CLIP.
fn clip_recipe(recipe: Recipe) -> (&'static str, &'static str) {
    match recipe {
        Recipe::Paper => (
            "Paper",
            "As CLIPN's paper decides: \"none of these\" competes with the names, and no threshold is \
             to be set",
        ),
        Recipe::Released => (
            "Released code",
            "As CLIPN's code scores: one minus the probability of \"none of these\", held against a \
             threshold λ",
        ),
    }
}

/// Recipe, detector and λ.
fn method_ui(ui: &mut Ui, cx: &mut PanelCtx<'_>, info: &ModelInfo) {
    card(ui, "Method", |ui| {
        let settings = &cx.session.settings();
        ui.horizontal(|ui| {
            for recipe in Recipe::ALL {
                let (name, hint) = match recipe {
                    _ if info.manifest.arch == Arch::Clip => clip_recipe(recipe),
                    Recipe::Paper => (
                        "Paper",
                        "As the paper says: attention of the last layer, no in-distribution tag means \
                         out-of-distribution, cosine to the nearest center",
                    ),
                    Recipe::Released => (
                        "Released code",
                        "As the released code does: attention of the first layer, the best tag where \
                         none passes, mean of the patterns' cosines times the tag score",
                    ),
                };
                let button = egui::Button::selectable(settings.recipe == recipe, name);
                if ui.add(button).on_hover_text(hint).clicked() && settings.recipe != recipe {
                    cx.send(Command::SetRecipe(recipe));
                }
            }
        });
        let present = info.detectors.iter().find(|d| d.id == settings.detector);
        ComboBox::from_id_salt("detector")
            .selected_text(present.map_or("No detector", |d| d.name))
            .width(ui.available_width() - 8.0)
            .truncate()
            .show_ui(ui, |ui| {
                for detector in &info.detectors {
                    let chosen = detector.id == settings.detector;
                    let row = ui.selectable_label(chosen, detector.name);
                    let hint = format!("{}\n{}", formula_text(detector.formula), detector.paper);
                    if row.on_hover_text(hint).clicked() && !chosen {
                        cx.send(Command::SetDetector(detector.id.to_owned()));
                    }
                }
            })
            .response
            .accessible_name("Detector");
        if let Some(detector) = present {
            let palette = Palette::of_ui(ui);
            let formula = RichText::new(formula_text(detector.formula)).monospace().size(10.5);
            ui.label(formula.color(palette.weak)).on_hover_text(detector.paper);
        }
        lambda_ui(ui, cx);
    });
}

fn lambda_ui(ui: &mut Ui, cx: &mut PanelCtx<'_>) {
    let palette = Palette::of_ui(ui);
    ui.horizontal(|ui| {
        ui.label(RichText::new("λ").size(15.0).color(palette.accent).strong())
            .on_hover_text("Scores at or above λ are in-distribution");
        let before = cx.session.lambda().unwrap_or(0.0);
        let mut lambda = before;
        let speed = (before.abs() * 0.002).max(0.001);
        let edit = DragValue::new(&mut lambda).speed(speed).max_decimals(4);
        ui.add(edit).accessible_name("Lambda value");
        if lambda != before {
            cx.send(Command::SetLambda(Some(lambda)));
        }
        let weak = |text: &str| RichText::new(text).small().color(palette.weak);
        match cx.session.lambda_origin() {
            Some(LambdaOrigin::Model) => drop(ui.label(weak("the model's own"))),
            Some(LambdaOrigin::OpenSet) => {
                ui.label(weak(OPEN_SET_LAMBDA)).on_hover_text(OPEN_SET_HINT);
            }
            None => drop(ui.label(weak("none set"))),
            Some(LambdaOrigin::User) => {
                let hint = "Back to the threshold that the model was fitted with";
                if ui.small_button("Reset").on_hover_text(hint).clicked() {
                    cx.send(Command::SetLambda(None));
                }
            }
        }
    });
}
