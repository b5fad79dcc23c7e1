//! The panels by which thresholds are chosen: ROC curves, histograms, detectors, τ sweep, comparison.
//! Each reads what `app::tuning` has computed.

pub(super) mod compare;
pub(super) mod detectors;
mod goals;
pub(super) mod histogram;
mod metric_table;
mod picture_list;
pub(super) mod roc;
mod roc_plot;
mod roc_rows;
mod sets;
pub(super) mod sweep;

use eframe::egui::{Align, Layout, Ui};

pub(super) use sets::{role_ui, weak_ui};

use crate::session::Session;
use crate::session::curves::Measured;

/// What stands beside a λ that is none of the model's.
pub(super) const OPEN_SET_LAMBDA: &str = "from the open ID set at 95 % TPR";
/// What that means.
pub(super) const OPEN_SET_HINT: &str = "The model was not fitted with a threshold for this detector. \
     This one keeps 95 % of the open in-distribution images, and moves when they do.";

/// Lays out from left to right over the whole height that is left.
pub(super) fn side_by_side(ui: &mut Ui, contents: impl FnOnce(&mut Ui)) {
    let size = ui.available_size();
    ui.allocate_ui_with_layout(size, Layout::left_to_right(Align::Min), contents);
}

/// A column of a width, as high as what it stands in.
pub(super) fn column(ui: &mut Ui, width: f32, contents: impl FnOnce(&mut Ui)) {
    let size = eframe::egui::vec2(width, ui.available_height());
    ui.allocate_ui_with_layout(size, Layout::top_down(Align::Min), |ui| {
        ui.set_max_width(width);
        contents(ui);
    });
}

/// A share as people read it.
fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// λ as a number of steps' worth of digits.
fn lambda_text(lambda: f64) -> String {
    match lambda {
        lambda if lambda == f64::INFINITY => "∞".into(),
        lambda if lambda == f64::NEG_INFINITY => "−∞".into(),
        lambda => format!("{lambda:.4}"),
    }
}

/// Bounds of the finite scores, a little wider than they are, with λ inside.
fn score_bounds(session: &Session, measured: &Measured) -> (f32, f32) {
    let lambda = session.lambda().filter(|lambda| lambda.is_finite());
    let scores = measured.finite_range();
    let (low, high) = scores.or(lambda.map(|lambda| (lambda, lambda))).unwrap_or((0.0, 1.0));
    let (low, high) = lambda.map_or((low, high), |lambda| (low.min(lambda), high.max(lambda)));
    let margin = (high * 0.03 - low * 0.03).max(1e-4);
    ((low - margin).max(f32::MIN), (high + margin).min(f32::MAX))
}
