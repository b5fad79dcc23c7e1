//! What CLIPN's two ways to hear its no side make of the open images, side by side.

use eframe::egui::{RichText, Role, Sense, Ui, WidgetInfo, vec2};

use super::counts::{Counts, SideCount};
use crate::panels::PanelCtx;
use crate::score::verdict::Outcome;
use crate::session::Command;
use crate::ui::theme::Palette;
use crate::ui::widgets::{card, outcome_shape};

/// The detector that competes to win.
pub(super) const CTW: &str = "clipn-ctw";
/// The detector that agrees to differ, as the paper decides.
pub(super) const ATD: &str = "clipn-atd-decision";

/// Both ways, with what is known of them.
const WAYS: [(&str, &str, &str); 2] = [
    (CTW, "CTW", "Competing to win: unknown where the no side denies the likeliest name"),
    (ATD, "ATD", "Agreeing to differ: unknown where \"none of these\" is likelier than every name"),
];

/// The two counts; nothing for a CLIP without a no side.
pub(super) fn ui(ui: &mut Ui, cx: &mut PanelCtx<'_>, counts: &Counts) {
    let Some(sides) = counts.sides else { return };
    card(ui, "Known or unknown", |ui| {
        let palette = Palette::of_ui(ui);
        ui.columns(2, |columns| {
            for ((ui, way), count) in columns.iter_mut().zip(WAYS).zip(sides) {
                way_ui(ui, cx, way, count);
            }
        });
        let names = counts.names.len();
        let (many, are) = if names == 1 { ("name", "is") } else { ("names", "are") };
        let text = format!(
            "With few names ATD tends to call everything unknown, and CTW everything known; {names} {many} \
             {are} in force."
        );
        ui.label(RichText::new(text).small().color(palette.weak));
    });
}

fn way_ui(
    ui: &mut Ui,
    cx: &mut PanelCtx<'_>,
    (detector, title, hint): (&str, &str, &str),
    count: SideCount,
) {
    let palette = Palette::of_ui(ui);
    let SideCount { known, unknown } = count;
    ui.horizontal(|ui| {
        let chosen = cx.session.settings().detector == detector;
        let button = eframe::egui::Button::selectable(chosen, title);
        let hint = format!("{hint}. Click to decide by it");
        let response = ui.add(button).on_hover_text(hint);
        if response.accessible_name(format!("Decide by {title}")).clicked() && !chosen {
            cx.send(Command::SetDetector(detector.to_owned()));
        }
        for (outcome, number) in [(Outcome::Id, known), (Outcome::Ood, unknown)] {
            let color = palette.outcome(Some(outcome));
            let (rect, _) = ui.allocate_exact_size(vec2(9.0, 18.0), Sense::hover());
            ui.painter().add(outcome_shape(rect.center(), 4.0, Some(outcome), color));
            ui.label(RichText::new(number.to_string()).strong().color(palette.strong));
        }
    });
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 6.0), Sense::hover());
    let text = format!("{title}: {known} known, {unknown} unknown");
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &text));
    let painter = ui.painter();
    painter.rect_filled(rect, 2.0, palette.widget);
    if known + unknown > 0 {
        let at = rect.left() + rect.width() * known as f32 / (known + unknown) as f32;
        let (left, right) = rect.split_left_right_at_x(at);
        for (part, color) in [(left, palette.id), (right, palette.ood)] {
            painter.rect_filled(part, 2.0, color);
        }
    }
    response.on_hover_text(text);
}
