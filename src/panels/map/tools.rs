//! Above the maps: how they are made, how far they are, what colours and drags mean.

use eframe::egui::{self, Align, Button, ComboBox, DragValue, Layout, ProgressBar, RichText, Ui};

use super::plot::{Plot, Tool};
use super::style::ColorBy;
use super::{MapPanel, PanelCtx};
use crate::session::Command;
use crate::session::embedding::{EmbedCommand, EmbedConfig, Embedding, LEAST, Phase};
use crate::ui::theme::Palette;
use crate::ui::widgets::toggle;
use crate::worker::FeatureDistance;

/// The controls.
pub(super) fn bar_ui(ui: &mut Ui, panel: &mut MapPanel, cx: &mut PanelCtx<'_>) {
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        run_ui(ui, panel, cx);
        ui.add_space(8.0);
        config_ui(ui, cx);
        ui.add_space(8.0);
        let palette = Palette::of_ui(ui);
        ui.label(RichText::new("Color").color(palette.weak));
        let name = ColorBy::ALL.iter().find(|(by, _)| *by == cx.view.color_by);
        ComboBox::from_id_salt("color")
            .selected_text(name.map_or("", |(_, name)| name))
            .width(76.0)
            .show_ui(ui, |ui| {
                for (by, name) in ColorBy::ALL {
                    ui.selectable_value(&mut cx.view.color_by, by, name);
                }
            })
            .response
            .accessible_name("Color by");
        ui.add_space(8.0);
        let hint = "Drag around points to select them, with Shift in addition; the right button moves \
                    the map, the wheel zooms";
        if toggle(ui, panel.tool == Tool::Lasso, "Lasso", hint).clicked() {
            panel.tool = Tool::Lasso;
        }
        if toggle(ui, panel.tool == Tool::Move, "Move", "Drag moves the map").clicked() {
            panel.tool = Tool::Move;
        }
        if ui.button("Fit").on_hover_text("Show all points (F while the pointer is over the maps)").clicked() {
            panel.plots.iter_mut().for_each(Plot::fit);
        }
        ui.add_space(8.0);
        let hint = "Make the map anew whenever τ, the recipe or the model changes the features";
        if toggle(ui, panel.follows, "Follow τ", hint).clicked() {
            panel.follows = !panel.follows;
        }
    });
}

fn run_ui(ui: &mut Ui, panel: &MapPanel, cx: &mut PanelCtx<'_>) {
    let phase = &cx.session.embedding.phase;
    let mut send = |command| cx.send(Command::Embed(command));
    let (text, hint) = match phase {
        Phase::Preparing { .. } | Phase::Moving => ("Pause", "Let the points rest (K)"),
        Phase::Paused => ("Resume", "Let the points move on (K)"),
        _ => ("Start", "Lay out the features of all open images (N)"),
    };
    let moving = *phase == Phase::Moving;
    let has = panel.census.embeddable >= LEAST;
    let fresh = matches!(phase, Phase::Empty | Phase::Stopped | Phase::Failed(_) | Phase::Done);
    let first = match fresh {
        true => EmbedCommand::Start,
        false => EmbedCommand::TogglePause,
    };
    let usable = if fresh { has } else { !matches!(phase, Phase::Preparing { .. }) };
    if *phase != Phase::Done
        && ui.add_enabled(usable, Button::new(text)).on_hover_text(hint).clicked()
    {
        send(first);
    }
    let busy = moving || matches!(phase, Phase::Paused | Phase::Preparing { .. });
    let hint = "End the run; the points stay where they are (Esc)";
    if busy && ui.button("Stop").on_hover_text(hint).clicked() {
        send(EmbedCommand::Stop);
    }
    let again = busy || *phase == Phase::Done;
    let hint = "Make the map anew, of all open images and with these settings (N)";
    if again && ui.add_enabled(has, Button::new("Restart")).on_hover_text(hint).clicked() {
        send(EmbedCommand::Start);
    }
}

fn config_ui(ui: &mut Ui, cx: &mut PanelCtx<'_>) {
    let palette = Palette::of_ui(ui);
    let mut config: EmbedConfig = cx.session.embedding.config.clone();
    let label = |ui: &mut Ui, text: &str, hint: &str| {
        ui.label(RichText::new(text).color(palette.weak)).on_hover_text(hint);
    };
    let hint = "How many neighbours count for a point, in effect; 5 to 50 is usual. Less is in force \
                where there are few points.";
    label(ui, "Perplexity", hint);
    let drag = DragValue::new(&mut config.perplexity).range(EmbedConfig::PERPLEXITY).speed(0.2);
    ui.add(drag.max_decimals(1)).on_hover_text(hint).accessible_name("Perplexity");
    let hint = "Steps in all; a quarter of the usual thousand forms the clusters";
    label(ui, "Iterations", hint);
    let drag = DragValue::new(&mut config.iterations).range(EmbedConfig::ITERATIONS).speed(5.0);
    ui.add(drag).on_hover_text(hint).accessible_name("Iterations");
    let hint = "Equal features, settings and seed give equal maps";
    label(ui, "Seed", hint);
    let drag = DragValue::new(&mut config.seed).speed(0.1);
    ui.add(drag).on_hover_text(hint).accessible_name("Seed");
    let word = |metric| match metric {
        FeatureDistance::Cosine => "Cosine",
        FeatureDistance::Euclidean => "Euclidean",
    };
    ComboBox::from_id_salt("metric")
        .selected_text(word(config.metric))
        .width(78.0)
        .show_ui(ui, |ui| {
            for metric in [FeatureDistance::Cosine, FeatureDistance::Euclidean] {
                ui.selectable_value(&mut config.metric, metric, word(metric));
            }
        })
        .response
        .on_hover_text(
            "Nearness of two features: their angle, as the detector compares them with \
                        centers, or their difference",
        )
        .accessible_name("Distance");
    if config != cx.session.embedding.config {
        cx.send(Command::Embed(EmbedCommand::Configure(config)));
    }
}

/// How far it is, and what is not as it might seem.
pub(super) fn state_ui(ui: &mut Ui, panel: &MapPanel, cx: &mut PanelCtx<'_>) {
    let palette = Palette::of_ui(ui);
    let embedding = &cx.session.embedding;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 6.0;
        if let Some(share) = share(embedding) {
            let bar = ProgressBar::new(share).desired_width(90.0).desired_height(6.0);
            ui.add(bar.fill(palette.accent)).accessible_name("Progress of the map");
        }
        let text = RichText::new(sentence(embedding)).small().color(palette.text);
        ui.add(egui::Label::new(text).truncate());
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| notes_ui(ui, panel, cx));
    });
}

fn share(embedding: &Embedding) -> Option<f32> {
    match embedding.phase {
        Phase::Preparing { done, total } => Some(0.1 * done as f32 / total.max(1) as f32),
        Phase::Moving | Phase::Paused => {
            let done = embedding.frame.as_ref()?.iteration as f32;
            Some(0.1 + 0.9 * done / embedding.iterations().max(1) as f32)
        }
        _ => None,
    }
}

fn sentence(embedding: &Embedding) -> String {
    let Some(frame) = &embedding.frame else { return String::new() };
    let word = match embedding.phase {
        Phase::Paused => "Paused",
        Phase::Stopped => "Stopped",
        Phase::Done => "Done",
        _ => "Moving",
    };
    let (iteration, all) = (frame.iteration, embedding.iterations());
    let mut text = format!("{word}: {iteration} of {all} iterations");
    if let Some([before, after]) = frame.kl {
        let [first, second] = match embedding.is_of_names() {
            true => ["of images", "of patches"],
            false => ["before", "after"],
        };
        text += &format!(", KL divergence {before:.3} {first}, {after:.3} {second}");
    }
    if frame.perplexity < embedding.perplexity() {
        text += &format!(", perplexity {:.1} for so few points", frame.perplexity);
    }
    text
}

fn notes_ui(ui: &mut Ui, panel: &MapPanel, cx: &mut PanelCtx<'_>) {
    let palette = Palette::of_ui(ui);
    let (session, embedding) = (cx.session, &cx.session.embedding);
    let Some((tau, _)) = embedding.settings().filter(|_| embedding.frame.is_some()) else { return };
    let small = |text: String, color| RichText::new(text).small().color(color);
    let without = panel.census.missing;
    if !session.is_embedding_current() && !panel.follows {
        let text = match tau == session.settings().tau {
            true => "The map is of earlier settings".to_owned(),
            false => format!("The map is of τ = {tau:.2}"),
        };
        let text = small(text, palette.ood);
        if ui.small_button("Update").clicked() {
            cx.send(Command::Embed(EmbedCommand::Start));
        }
        ui.label(text).on_hover_text("τ, the recipe, the names or the model have changed since");
    } else if embedding.is_reconfigured() {
        ui.label(small("Settings apply at the next start".into(), palette.weak));
    } else if without > 0 {
        let text = small(format!("{without} images without object tokens"), palette.weak);
        let hint = "No in-distribution tag counts for them, or no token lies above τ: they have no \
                    feature, and are not on the map";
        ui.label(text).on_hover_text(hint);
    }
    let placed = embedding.frame.as_ref().map_or(0, |frame| frame.placed);
    if placed > 0 {
        let text = small(format!("{placed} placed later"), palette.weak);
        ui.label(text)
            .on_hover_text("They lie by their nearest neighbours and move no other point");
    }
}
