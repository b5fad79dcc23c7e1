//! λ by what it should keep, miss or cost.

use eframe::egui::{Color32, DragValue, TextStyle, Ui};
use serde::{Deserialize, Serialize};

use super::sets::weak_ui;
use crate::eval::separation::{Goal, Separation};
use crate::panels::PanelCtx;
use crate::session::Command;

/// The targets, as the user left them.
#[derive(Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Goals {
    /// Share of ID to keep, in per cent.
    keep_id: f64,
    /// Share of OOD to miss at most, in per cent.
    keep_ood: f64,
    /// What a missed OOD image costs, in lost ID images.
    cost: f64,
}

impl Default for Goals {
    fn default() -> Self {
        Self { keep_id: 95.0, keep_ood: 5.0, cost: 1.0 }
    }
}

impl Goals {
    /// A target and a button for each goal, none broken over two lines; λ follows at once.
    pub(super) fn ui(&mut self, ui: &mut Ui, cx: &mut PanelCtx<'_>, separation: &Separation) {
        let mut goal = None;
        let width = ui.available_width();
        let [keep, miss, cost] = [KEEP, MISS, COST].map(|words| width_of(ui, words));
        if width >= keep + miss + cost {
            ui.horizontal(|ui| {
                self.keep_ui(ui, &mut goal);
                self.miss_ui(ui, &mut goal);
                self.cost_ui(ui, &mut goal);
            });
        } else if width >= keep + miss {
            ui.horizontal(|ui| {
                self.keep_ui(ui, &mut goal);
                self.miss_ui(ui, &mut goal);
            });
            ui.horizontal(|ui| self.cost_ui(ui, &mut goal));
        } else {
            ui.horizontal(|ui| self.keep_ui(ui, &mut goal));
            ui.horizontal(|ui| self.miss_ui(ui, &mut goal));
            ui.horizontal(|ui| self.cost_ui(ui, &mut goal));
        }
        if let Some(Ok(point)) = goal.map(|goal| separation.lambda_for(goal)) {
            let finite = |scores: &[f64]| scores.iter().copied().find(|score| score.is_finite());
            let scores = separation.pooled.distinct_scores();
            // Where nothing is to be kept, λ lies just above the highest score; where images without
            // a score would have to be, at the lowest.
            let lambda = match point.lambda {
                f64::INFINITY => scores.last().map(|&highest| (highest as f32).next_up()),
                f64::NEG_INFINITY => finite(scores).map(|lowest| lowest as f32),
                lambda => Some(lambda as f32),
            };
            let Some(lambda) = lambda else { return };
            cx.send(Command::SetLambda(Some(lambda)));
        }
    }

    fn keep_ui(&mut self, ui: &mut Ui, goal: &mut Option<Goal>) {
        ui.spacing_mut().item_spacing.x = SPACE;
        weak_ui(ui, KEEP[0]);
        let target = ui.add(percent(&mut self.keep_id)).accessible_name("Share of ID to keep");
        let button = ui.small_button(KEEP[2]).on_hover_text("Set λ for this true positive rate");
        if button.clicked() || target.changed() {
            *goal = Some(Goal::KeepId(self.keep_id / 100.0));
        }
    }

    fn miss_ui(&mut self, ui: &mut Ui, goal: &mut Option<Goal>) {
        ui.spacing_mut().item_spacing.x = SPACE;
        weak_ui(ui, MISS[0]);
        let target = ui.add(percent(&mut self.keep_ood)).accessible_name("Share of OOD to miss");
        let button = ui.small_button(MISS[2]).on_hover_text("Set λ for this false positive rate");
        if button.clicked() || target.changed() {
            *goal = Some(Goal::KeepOod(self.keep_ood / 100.0));
        }
    }

    fn cost_ui(&mut self, ui: &mut Ui, goal: &mut Option<Goal>) {
        ui.spacing_mut().item_spacing.x = SPACE;
        weak_ui(ui, COST[0]);
        let cost = DragValue::new(&mut self.cost).range(0.001..=1000.0).speed(0.02).suffix(" ×");
        let target = ui.add(cost).accessible_name("Cost of a missed OOD image");
        let button = ui.small_button(COST[2]).on_hover_text("Set λ for the least cost");
        if button.clicked() || target.changed() {
            *goal = Some(Goal::CostOfMissed(self.cost));
        }
    }
}

/// The words of the goals: before the target, the longest target, and on the button.
const KEEP: [&str; 3] = ["λ that keeps", "100.0 %", "of ID"];
const MISS: [&str; 3] = ["or misses", "100.0 %", "of OOD"];
const COST: [&str; 3] = ["or a missed OOD costs", "100.00 ×", "a lost ID"];

/// The width of a goal with the space after it, in points.
fn width_of(ui: &Ui, [label, target, button]: [&str; 3]) -> f32 {
    let text = |text: &str, style: TextStyle| {
        let font = style.resolve(ui.style());
        ui.painter().layout_no_wrap(text.to_owned(), font, Color32::WHITE).size().x
    };
    let framed = |text: f32| text + 2.0 * ui.spacing().button_padding.x;
    let words = text(label, TextStyle::Small);
    let boxes = [target, button].map(|words| framed(text(words, TextStyle::Button)));
    words + boxes.iter().sum::<f32>() + 2.0 * SPACE + ui.spacing().item_spacing.x
}

/// Space between the parts of a goal, in points.
const SPACE: f32 = 4.0;

fn percent(value: &mut f64) -> DragValue<'_> {
    DragValue::new(value).range(0.0..=100.0).speed(0.1).suffix(" %")
}
