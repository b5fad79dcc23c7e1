//! λ by what it should keep, miss or cost.

use eframe::egui::{DragValue, Ui};
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
    /// A target and a button for each goal, each on one line; λ follows at once.
    pub(super) fn ui(&mut self, ui: &mut Ui, cx: &mut PanelCtx<'_>, separation: &Separation) {
        let mut goal = None;
        match ui.available_width() {
            width if width >= 500.0 => drop(ui.horizontal(|ui| {
                self.keep_ui(ui, &mut goal);
                self.miss_ui(ui, &mut goal);
                self.cost_ui(ui, &mut goal);
            })),
            width => {
                ui.horizontal(|ui| {
                    self.keep_ui(ui, &mut goal);
                    if width >= 330.0 {
                        self.miss_ui(ui, &mut goal);
                    }
                });
                if width < 330.0 {
                    ui.horizontal(|ui| self.miss_ui(ui, &mut goal));
                }
                ui.horizontal(|ui| self.cost_ui(ui, &mut goal));
            }
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
        ui.spacing_mut().item_spacing.x = 4.0;
        weak_ui(ui, "λ that keeps");
        let target = ui.add(percent(&mut self.keep_id)).accessible_name("Share of ID to keep");
        let button = ui.small_button("of ID").on_hover_text("Set λ for this true positive rate");
        if button.clicked() || target.changed() {
            *goal = Some(Goal::KeepId(self.keep_id / 100.0));
        }
    }

    fn miss_ui(&mut self, ui: &mut Ui, goal: &mut Option<Goal>) {
        ui.spacing_mut().item_spacing.x = 4.0;
        weak_ui(ui, "or misses");
        let target = ui.add(percent(&mut self.keep_ood)).accessible_name("Share of OOD to miss");
        let button = ui.small_button("of OOD").on_hover_text("Set λ for this false positive rate");
        if button.clicked() || target.changed() {
            *goal = Some(Goal::KeepOod(self.keep_ood / 100.0));
        }
    }

    fn cost_ui(&mut self, ui: &mut Ui, goal: &mut Option<Goal>) {
        ui.spacing_mut().item_spacing.x = 4.0;
        weak_ui(ui, "or a missed OOD costs");
        let cost = DragValue::new(&mut self.cost).range(0.001..=1000.0).speed(0.02).suffix(" ×");
        let target = ui.add(cost).accessible_name("Cost of a missed OOD image");
        let button = ui.small_button("a lost ID").on_hover_text("Set λ for the least cost");
        if button.clicked() || target.changed() {
            *goal = Some(Goal::CostOfMissed(self.cost));
        }
    }
}

fn percent(value: &mut f64) -> DragValue<'_> {
    DragValue::new(value).range(0.0..=100.0).speed(0.1).suffix(" %")
}
