//! Colours, type and spacing: flat greys, one accent, and two colours for the verdicts.

use eframe::egui::style::{HandleShape, WidgetVisuals, Widgets};
use eframe::egui::{
    self, Color32, Context, CornerRadius, FontDefinitions, FontFamily, FontId, Margin, Shadow,
    Stroke, TextStyle, Theme, Visuals, vec2,
};

use crate::figures::palette;
use crate::score::verdict::Outcome;
use crate::session::Severity;

/// The colours that egui's own style has no place for.
#[derive(Clone, Copy, Debug)]
pub struct Palette {
    /// Behind panels.
    pub ground: Color32,
    /// Panels.
    pub panel: Color32,
    /// Cards and headers on panels.
    pub raised: Color32,
    /// Lines.
    pub line: Color32,
    /// Widgets at rest.
    pub widget: Color32,
    /// Widgets under the pointer.
    pub hovered: Color32,
    /// Plain text.
    pub text: Color32,
    /// Headings and values.
    pub strong: Color32,
    /// Labels and hints.
    pub weak: Color32,
    /// What is chosen or can be acted on.
    pub accent: Color32,
    /// Behind what is chosen.
    pub accent_soft: Color32,
    /// In-distribution.
    pub id: Color32,
    /// Out-of-distribution.
    pub ood: Color32,
    /// Faults.
    pub fault: Color32,
}

const fn grey(level: u32) -> Color32 {
    Color32::from_rgb((level >> 16) as u8, (level >> 8) as u8, level as u8)
}

const fn color([r, g, b]: palette::Rgb) -> Color32 {
    Color32::from_rgb(r, g, b)
}

const DARK: Palette = Palette {
    ground: grey(0x08_0A_0B),
    panel: grey(0x0D_10_11),
    raised: grey(0x15_19_1B),
    line: grey(0x24_2A_2D),
    widget: grey(0x1E_24_27),
    hovered: grey(0x2B_33_37),
    text: grey(0xB8_C3_C7),
    strong: grey(0xEC_F1_F2),
    weak: grey(0x95_A3_A8),
    accent: color(palette::DARK.accent),
    accent_soft: grey(0x16_2C_4D),
    id: color(palette::DARK.id),
    ood: color(palette::DARK.ood),
    fault: grey(0xF2_7C_7C),
};

const LIGHT: Palette = Palette {
    ground: grey(0xDF_E4_E6),
    panel: grey(0xFB_FC_FC),
    raised: grey(0xF1_F4_F5),
    line: grey(0xD5_DC_DF),
    widget: grey(0xE6_EB_ED),
    hovered: grey(0xD8_E0_E3),
    text: grey(0x35_40_45),
    strong: grey(0x10_17_1A),
    weak: grey(0x52_5F_65),
    accent: color(palette::LIGHT.accent),
    accent_soft: grey(0xD3_E3_FB),
    id: color(palette::LIGHT.id),
    ood: color(palette::LIGHT.ood),
    fault: grey(0xB1_28_28),
};

impl Palette {
    /// The colour of a notice.
    pub fn severity(&self, severity: Severity) -> Color32 {
        match severity {
            Severity::Info => self.weak,
            Severity::Warning => self.ood,
            Severity::Error => self.fault,
        }
    }

    /// The colours of a theme.
    pub fn of(theme: Theme) -> Self {
        match theme {
            Theme::Dark => DARK,
            Theme::Light => LIGHT,
        }
    }

    /// The colours in force.
    pub fn of_ui(ui: &egui::Ui) -> Self {
        if ui.visuals().dark_mode { DARK } else { LIGHT }
    }

    /// The colour of one of several curves or sets; they repeat after six, so that a line's style has
    /// to tell them apart as well.
    pub fn series(&self, at: usize) -> Color32 {
        let colors = if self.panel == DARK.panel { palette::DARK } else { palette::LIGHT };
        color(colors.value(palette::Color::Series(at)))
    }

    /// A verdict's colour; weak where there is none.
    pub fn outcome(&self, outcome: Option<Outcome>) -> Color32 {
        match outcome {
            Some(Outcome::Id) => self.id,
            Some(Outcome::Ood) => self.ood,
            None => self.weak,
        }
    }
}

/// Small corners, everywhere the same.
pub const RADIUS: CornerRadius = CornerRadius::same(4);

/// The default fonts; the mathematical signs that the proportional one lacks come from the other.
fn fonts() -> FontDefinitions {
    let mut fonts = FontDefinitions::default();
    let mono = fonts.families.get(&FontFamily::Monospace).cloned().unwrap_or_default();
    let proportional = fonts.families.entry(FontFamily::Proportional).or_default();
    proportional.extend(mono);
    fonts
}

/// Dresses both themes.
pub fn install(ctx: &Context) {
    ctx.set_fonts(fonts());
    for theme in [Theme::Dark, Theme::Light] {
        ctx.style_mut_of(theme, |style| {
            style.visuals = visuals(theme);
            let sizes = [
                (TextStyle::Heading, 16.0, FontFamily::Proportional),
                (TextStyle::Body, 13.0, FontFamily::Proportional),
                (TextStyle::Button, 13.0, FontFamily::Proportional),
                (TextStyle::Small, 11.0, FontFamily::Proportional),
                (TextStyle::Monospace, 12.0, FontFamily::Monospace),
            ];
            style.text_styles = sizes
                .into_iter()
                .map(|(style, size, family)| (style, FontId::new(size, family)))
                .collect();
            style.spacing.item_spacing = vec2(8.0, 5.0);
            style.spacing.button_padding = vec2(8.0, 3.0);
            style.spacing.interact_size = vec2(36.0, 22.0);
            style.spacing.menu_margin = Margin::same(6);
            style.spacing.window_margin = Margin::same(12);
            style.spacing.slider_rail_height = 4.0;
            style.spacing.scroll = egui::style::ScrollStyle::thin();
            style.spacing.tooltip_width = 360.0;
            style.animation_time = 0.08;
            style.interaction.selectable_labels = false;
        });
    }
}

fn visuals(theme: Theme) -> Visuals {
    let p = Palette::of(theme);
    let mut visuals = match theme {
        Theme::Dark => Visuals::dark(),
        Theme::Light => Visuals::light(),
    };
    let state = |fill: Color32, text: Color32, line: Color32| WidgetVisuals {
        bg_fill: fill,
        weak_bg_fill: fill,
        bg_stroke: Stroke::new(1.0, line),
        corner_radius: RADIUS,
        fg_stroke: Stroke::new(1.0, text),
        expansion: 0.0,
    };
    visuals.widgets = Widgets {
        noninteractive: state(p.panel, p.text, p.line),
        inactive: state(p.widget, p.text, Color32::TRANSPARENT),
        hovered: state(p.hovered, p.strong, Color32::TRANSPARENT),
        active: state(p.accent_soft, p.strong, p.accent),
        open: state(p.hovered, p.strong, Color32::TRANSPARENT),
    };
    visuals.selection.bg_fill = p.accent_soft;
    visuals.selection.stroke = Stroke::new(1.0, p.accent);
    visuals.hyperlink_color = p.accent;
    visuals.weak_text_color = Some(p.weak);
    visuals.panel_fill = p.panel;
    visuals.window_fill = p.raised;
    visuals.window_stroke = Stroke::new(1.0, p.line);
    visuals.window_corner_radius = CornerRadius::same(8);
    visuals.menu_corner_radius = CornerRadius::same(6);
    visuals.extreme_bg_color = p.ground;
    visuals.text_edit_bg_color = Some(p.widget);
    visuals.faint_bg_color = p.raised;
    visuals.code_bg_color = p.raised;
    visuals.error_fg_color = p.fault;
    visuals.warn_fg_color = p.ood;
    let shade = Color32::from_black_alpha(if theme == Theme::Dark { 120 } else { 40 });
    visuals.popup_shadow = Shadow { offset: [0, 4], blur: 16, spread: 0, color: shade };
    visuals.window_shadow = Shadow { offset: [0, 8], blur: 32, spread: 0, color: shade };
    visuals.slider_trailing_fill = true;
    visuals.handle_shape = HandleShape::Circle;
    visuals.indent_has_left_vline = false;
    visuals.striped = false;
    visuals
}

#[cfg(test)]
mod tests {
    use super::*;

    /// WCAG 2.2's relative luminance.
    fn luminance(color: Color32) -> f64 {
        let linear = |byte: u8| match f64::from(byte) / 255.0 {
            value if value <= 0.04045 => value / 12.92,
            value => ((value + 0.055) / 1.055).powf(2.4),
        };
        let [r, g, b] = [color.r(), color.g(), color.b()].map(linear);
        0.2126 * r + 0.7152 * g + 0.0722 * b
    }

    /// WCAG 2.2's contrast ratio, 1 to 21.
    fn contrast(a: Color32, b: Color32) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    /// Level AA asks 4.5 to 1 of text of these sizes.
    #[test]
    fn every_text_can_be_read_on_every_ground() {
        assert!((contrast(Color32::BLACK, Color32::WHITE) - 21.0).abs() < 1e-9);
        for (theme, p) in [("dark", DARK), ("light", LIGHT)] {
            let grounds = [
                ("ground", p.ground),
                ("panel", p.panel),
                ("raised", p.raised),
                ("widget", p.widget),
                ("hovered", p.hovered),
                ("accent_soft", p.accent_soft),
            ];
            let named = [
                ("text", p.text),
                ("strong", p.strong),
                ("weak", p.weak),
                ("accent", p.accent),
                ("id", p.id),
                ("ood", p.ood),
                ("fault", p.fault),
            ];
            let series = (0..palette::DARK.series.len()).map(|at| ("series", p.series(at)));
            for (text, color) in named.into_iter().chain(series) {
                for (ground, behind) in grounds {
                    let ratio = contrast(color, behind);
                    assert!(ratio >= 4.5, "{theme}: {text} on {ground} is {ratio:.2} to 1");
                }
            }
        }
    }

    /// What egui itself draws comes from the same colours.
    #[test]
    fn eguis_own_text_is_of_the_palette() {
        for theme in [Theme::Dark, Theme::Light] {
            let visuals = visuals(theme);
            let Widgets { noninteractive, inactive, hovered, active, open } = &visuals.widgets;
            for widget in [noninteractive, inactive, hovered, active, open] {
                let ratio = contrast(widget.fg_stroke.color, widget.bg_fill);
                assert!(ratio >= 4.5, "{theme:?}: {ratio:.2} to 1");
            }
            let weak = visuals.weak_text_color.unwrap();
            assert!(contrast(weak, visuals.text_edit_bg_color.unwrap()) >= 4.5);
            assert!(contrast(visuals.selection.stroke.color, visuals.selection.bg_fill) >= 4.5);
        }
    }
}
