//! The open sets as chips with their roles, the four counts at λ, and what is still to come.

use eframe::egui::{self, Color32, RichText, Ui};

use crate::eval::metrics::Confusion;
use crate::panels::WindowCommand;
use crate::panels::tuning::{OPEN_SET_HINT, OPEN_SET_LAMBDA};
use crate::panels::{DEMO_WORLD, PanelCtx};
use crate::session::Command;
use crate::session::curves::Measured;
use crate::session::sets::{ImageSet, Role};
use crate::session::{LambdaOrigin, Session};
use crate::ui::theme::Palette;
use crate::ui::widgets::{empty_choice, empty_note, shortened};

/// The colour of a set: one for ID, one for each OOD set in turn.
pub(super) fn set_color(palette: &Palette, session: &Session, set: usize) -> Color32 {
    match session.sets().get(set).map(|set| set.role) {
        Some(Role::Id) => palette.id,
        Some(Role::Ood) => {
            let before = &session.sets()[..set];
            palette.series(before.iter().filter(|set| set.role == Role::Ood).count())
        }
        _ => palette.weak,
    }
}

/// Letters of a set's name that a chip has room for.
const CHIP: usize = 24;

/// Below this width and height a panel has no room for chips, in points.
const TINY: [f32; 2] = [340.0, 150.0];

/// A chip for each set: its name, role and count. A click changes the role.
pub(super) fn chips_ui(ui: &mut Ui, cx: &mut PanelCtx<'_>) {
    let palette = Palette::of_ui(ui);
    let room = ui.clip_rect().size();
    if room.x < TINY[0] && room.y < TINY[1] && cx.session.tuning.present.is_some() {
        return;
    }
    let counts = |at: usize| cx.session.entries().iter().filter(|e| e.set_at == at).count();
    let measured = cx.session.tuning.present.as_ref();
    ui.spacing_mut().item_spacing.x = 4.0;
    for (at, set) in cx.session.sets().iter().enumerate() {
        let count = match measured.and_then(|m| m.sets.iter().find(|other| other.set == at)) {
            Some(set) => set.sorted.len() + set.pending + set.failed,
            None => counts(at),
        };
        let color = set_color(&palette, cx.session, at);
        let name = format!("Set {}: {}, {count} images", set.title(), set.role.word());
        let title = shortened(set.title(), CHIP);
        let text = RichText::new(format!("{title}  {} {count}", set.role.word()));
        let menu = ui.menu_button(text.color(color).small(), |ui| {
            role_ui(ui, cx, set);
        });
        let response = menu.response.accessible_name(&name);
        response.on_hover_text("What these images are in truth; click to change it");
    }
}

/// What a set's images are in truth, to be chosen in a menu.
pub(crate) fn role_ui(ui: &mut Ui, cx: &mut PanelCtx<'_>, set: &ImageSet) {
    let palette = Palette::of_ui(ui);
    ui.label(RichText::new(format!("The images of {} are", set.title())).color(palette.weak));
    for (role, word) in Role::ALL {
        if ui.selectable_label(set.role == role, word).clicked() {
            cx.send(Command::SetRole(set.id(), role));
            ui.close();
        }
    }
}

/// What λ keeps and rejects.
pub(super) fn counts_ui(ui: &mut Ui, counts: Confusion) {
    let palette = Palette::of_ui(ui);
    let facts = [
        ("ID kept", counts.id_kept, palette.id, "In-distribution images that λ keeps"),
        ("ID lost", counts.id_lost, palette.fault, "In-distribution images that λ rejects"),
        ("OOD caught", counts.ood_caught, palette.id, "Out-of-distribution images that λ rejects"),
        ("OOD missed", counts.ood_missed, palette.fault, "Out-of-distribution images that λ keeps"),
    ];
    for (name, count, color, hint) in facts {
        ui.spacing_mut().item_spacing.x = 4.0;
        let text = format!("{name} {count}");
        let color = if count == 0 { palette.weak } else { color };
        // A count goes to the next line whole.
        ui.add(egui::Label::new(RichText::new(text).color(color)).extend()).on_hover_text(hint);
        ui.add_space(8.0);
    }
}

/// λ in force, and where it comes from if the model has none of its own.
pub(super) fn lambda_label_ui(ui: &mut Ui, session: &Session, lambda: f32) {
    let text = format!("λ {}", super::lambda_text(f64::from(lambda)));
    let text = RichText::new(text).strong().color(Palette::of_ui(ui).accent);
    ui.add(egui::Label::new(text).extend());
    if session.lambda_origin() == Some(LambdaOrigin::OpenSet) {
        weak_ui(ui, OPEN_SET_LAMBDA).on_hover_text(OPEN_SET_HINT);
    }
}

/// Says that numbers are not final, and why.
pub(super) fn partial_ui(ui: &mut Ui, session: &Session, measured: &Measured) {
    let palette = Palette::of_ui(ui);
    let failed: usize = measured.sets.iter().map(|set| set.failed).sum();
    if failed > 0 {
        let text = RichText::new(format!("{failed} without a score")).small().color(palette.weak);
        ui.label(text)
            .on_hover_text("Images that could not be opened or scored; they do not count");
    }
    if session.is_measured() {
        return;
    }
    let text = match measured.pending() {
        0 => "Updating".to_owned(),
        pending => {
            let all: usize = measured.sets.iter().map(|set| set.sorted.len()).sum();
            format!("Partial: {all} of {} images", all + pending)
        }
    };
    let text = RichText::new(text).small().color(palette.ood);
    ui.label(text).on_hover_text("Scores at the new settings are still coming in");
}

/// What stands in a panel while there is nothing to compare.
pub(super) fn nothing_ui(ui: &mut Ui, cx: &mut PanelCtx<'_>, title: &str) {
    let has = |role| cx.session.sets().iter().any(|set| set.role == role);
    let note = match (cx.session.entries().is_empty(), has(Role::Id), has(Role::Ood)) {
        (true, ..) => "Open a folder of in-distribution images and one of others to compare them.",
        (_, false, _) => "Say which set is in-distribution: click a set above and choose ID.",
        (_, _, false) => {
            "Open a set of out-of-distribution images, or click a set above and choose OOD."
        }
        _ => "The first scores are on their way.",
    };
    ui.horizontal_wrapped(|ui| chips_ui(ui, cx));
    if has(Role::Id) && has(Role::Ood) {
        return empty_note(ui, title, note);
    }
    if empty_choice(ui, title, note, &[DEMO_WORLD]).is_some() {
        cx.send(WindowCommand::OpenWorld);
    }
}

/// A note in small weak type.
pub(crate) fn weak_ui(ui: &mut Ui, text: &str) -> egui::Response {
    let palette = Palette::of_ui(ui);
    ui.label(RichText::new(text).small().color(palette.weak))
}
