//! The proposed vocabulary to look over: each class with sample images, its tag, and how often each tag
//! was seen in it.

use std::path::Path;

use eframe::egui::{
    self, Color32, ComboBox, CornerRadius, Rect, RichText, Role, ScrollArea, Sense, Ui, WidgetInfo,
    pos2, vec2,
};

use super::PanelCtx;
use super::tuning::weak_ui;
use crate::bundle::vocabulary::class_line;
use crate::fit::vocabulary::{ProposedClass, SeenTag};
use crate::ui::theme::Palette;

/// Sample images of a class.
const SAMPLES: usize = 5;
/// Side of a sample, in points.
const SIDE: f32 = 48.0;
/// Height of a class's row, in points.
const ROW: f32 = 74.0;

/// A class of a vocabulary's text.
#[derive(Clone, Debug, Default, PartialEq)]
struct Reviewed {
    /// The class.
    name: String,
    tags: Vec<String>,
    /// Its images, if it is one of the proposal's.
    images: Option<usize>,
    /// Tags to choose from, with the number of its images that have them.
    seen: Vec<SeenTag>,
    /// Why its first tag may not stand for it.
    doubt: Option<String>,
}

/// The classes and tags of a text, `CLASS<tab>TAG` a line, as people edit it: what cannot be read is left
/// out. Counts are the proposal's.
fn reviewed(text: &str, proposed: &[ProposedClass]) -> Vec<Reviewed> {
    let all: usize = proposed.iter().map(|class| class.images).sum();
    let mut classes: Vec<Reviewed> = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
        let Some((name, tag)) = line.split_once('\t') else { continue };
        let name = class_name(name);
        if let Some(class) = classes.iter_mut().find(|class| class.name == name) {
            class.tags.push(tag.to_owned());
            continue;
        }
        let counted = proposed.iter().find(|class| class.name == name);
        classes.push(Reviewed {
            name: name.to_owned(),
            tags: vec![tag.to_owned()],
            images: counted.map(|class| class.images),
            seen: counted.map(|class| class.tags.clone()).unwrap_or_default(),
            doubt: counted.and_then(|class| {
                let seen = class.tags.iter().find(|seen| seen.name == tag)?;
                class.doubt(seen, all - class.images)
            }),
        });
    }
    classes
}

/// A class as it is called: the text marks a name that would read as a comment.
fn class_name(text: &str) -> &str {
    let text = text.trim();
    text.strip_prefix('\\').filter(|name| name.starts_with('#')).unwrap_or(text)
}

/// The text with another tag for a class, in place of its first.
fn with_tag(text: &str, class: &str, tag: &str) -> String {
    let mut done = false;
    let mut changed = String::with_capacity(text.len() + tag.len());
    for line in text.split_inclusive('\n') {
        let is_of_class = !line.starts_with('#')
            && line.split_once('\t').is_some_and(|(name, _)| class_name(name) == class);
        if is_of_class && !done {
            changed += &class_line(class, tag);
            done = true;
        } else {
            changed += line;
        }
    }
    changed
}

/// The classes of a vocabulary below each other; a choice of another tag changes the text. `folder`
/// holds the class folders.
pub(super) fn review_ui(ui: &mut Ui, cx: &mut PanelCtx<'_>, text: &mut String, folder: &Path) {
    let proposed = cx.session.fitting.progress.vocabulary.as_deref().unwrap_or_default();
    let classes = reviewed(text, proposed);
    let images: usize = classes.iter().filter_map(|class| class.images).sum();
    let doubtful = classes.iter().filter(|class| class.doubt.is_some()).count();
    ui.horizontal(|ui| {
        weak_ui(ui, &format!("{} classes, {images} images: is each tag right?", classes.len()))
            .on_hover_text("The tag that finds the objects of each class; the text has the same");
        if doubtful > 0 {
            let text = format!("{doubtful} doubtful");
            ui.label(RichText::new(text).small().color(Palette::of_ui(ui).ood));
        }
    });
    let mut chosen = None;
    let area = ScrollArea::vertical().id_salt("review").auto_shrink(false);
    area.show_rows(ui, ROW, classes.len(), |ui, range| {
        for class in classes.get(range).unwrap_or_default() {
            if let Some(tag) = class_ui(ui, cx, class, folder) {
                chosen = Some((class.name.clone(), tag));
            }
        }
    });
    if let Some((class, tag)) = chosen {
        *text = with_tag(text, &class, &tag);
    }
}

/// One class; the tag that was chosen for it, if one was.
fn class_ui(ui: &mut Ui, cx: &mut PanelCtx<'_>, class: &Reviewed, folder: &Path) -> Option<String> {
    let palette = Palette::of_ui(ui);
    let mut chosen = None;
    let size = vec2(ui.available_width(), ROW);
    let layout = egui::Layout::top_down(egui::Align::Min);
    ui.allocate_ui_with_layout(size, layout, |ui| {
        ui.set_min_size(size);
        ui.spacing_mut().item_spacing = vec2(4.0, 2.0);
        ui.horizontal(|ui| {
            ui.label(RichText::new(&class.name).strong().color(palette.strong));
            if let Some(images) = class.images {
                weak_ui(ui, &format!("{images} images"));
            }
            chosen = tag_ui(ui, class);
            if let Some(doubt) = &class.doubt {
                let text = format!("doubtful: {doubt}");
                let text = RichText::new(text).small().color(palette.ood);
                let hint = "A tag stands for a class if most of its images have it and few others do. \
                            Choose another, or one of your own in the text.";
                ui.add(egui::Label::new(text).truncate()).on_hover_text(format!("{doubt}. {hint}"));
            }
        });
        samples_ui(ui, cx, class, folder);
    });
    chosen
}

fn samples_ui(ui: &mut Ui, cx: &mut PanelCtx<'_>, class: &Reviewed, folder: &Path) {
    let samples = cx.pictures.samples(&folder.join(&class.name), SAMPLES);
    let palette = Palette::of_ui(ui);
    let width = (SIDE + 4.0) * SAMPLES as f32;
    let (strip, response) = ui.allocate_exact_size(vec2(width, SIDE), Sense::hover());
    let label = format!("{} samples of {}", samples.len(), class.name);
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &label));
    for at in 0..SAMPLES {
        let left = strip.left() + (SIDE + 4.0) * at as f32;
        let frame = Rect::from_min_size(pos2(left, strip.top()), vec2(SIDE, SIDE));
        ui.painter().rect_filled(frame, 3.0, palette.raised);
        let Some((id, small)) = samples.get(at) else { continue };
        let texture = cx.pictures.thumbnail(ui.ctx(), *id, small);
        let [width, height] = texture.size_vec2().into();
        // The middle square, so that samples make an even row.
        let spare = vec2((1.0 - height / width).max(0.0), (1.0 - width / height).max(0.0));
        let uv = Rect::from_min_max((spare / 2.0).to_pos2(), pos2(1.0, 1.0) - spare / 2.0);
        let mut shape =
            egui::epaint::RectShape::filled(frame, CornerRadius::same(3), Color32::WHITE);
        let fill_texture_id = texture.id();
        shape.brush = Some(std::sync::Arc::new(egui::epaint::Brush { fill_texture_id, uv }));
        ui.painter().add(shape);
    }
}

/// The class's tag, and the others that were seen in it to choose from.
fn tag_ui(ui: &mut Ui, class: &Reviewed) -> Option<String> {
    let count = |tag: &str| class.seen.iter().find(|seen| seen.name == tag).map(|seen| seen.images);
    let text = |tag: &str| match count(tag) {
        Some(count) => format!("{tag} ({count})"),
        None => tag.to_owned(),
    };
    let present = class.tags.first().map(String::as_str).unwrap_or_default();
    let shown = class.tags.iter().map(|tag| text(tag)).collect::<Vec<_>>().join(", ");
    let mut chosen = None;
    ComboBox::from_id_salt(("tag", &class.name))
        .selected_text(shown)
        .width(150.0)
        .truncate()
        .show_ui(ui, |ui| {
            for SeenTag { name: tag, .. } in &class.seen {
                let row = ui.selectable_label(tag == present, text(tag));
                if row.clicked() && tag != present {
                    chosen = Some(tag.clone());
                }
            }
        })
        .response
        .on_hover_text("The tag, and in how many of the class's images it was seen")
        .accessible_name(format!("Tag of {}", class.name));
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::vocabulary;

    fn proposed() -> Vec<ProposedClass> {
        let seen =
            |(name, images): (&str, usize)| SeenTag { name: name.into(), images, elsewhere: 0 };
        let class = |name: &str, images, tags: &[(&str, usize)]| ProposedClass {
            name: name.into(),
            images,
            tags: tags.iter().copied().map(seen).collect(),
        };
        vec![
            class("apple", 40, &[("red apple", 38), ("fruit", 31)]),
            class("bus", 12, &[("bus", 12)]),
        ]
    }

    #[test]
    fn an_edited_text_is_read_with_the_counts_of_the_proposal() {
        let mut text = vocabulary::text(&proposed());
        text.push_str("bus\tcoach\n");
        let classes = reviewed(&text, &proposed());
        assert_eq!(classes.len(), 2);
        let apple = &classes[0];
        assert_eq!((apple.name.as_str(), apple.images), ("apple", Some(40)));
        assert_eq!(apple.seen, proposed()[0].tags);
        assert_eq!(classes[1].tags, ["bus", "coach"]);
        // What people leave of it is read, too.
        let bare = reviewed("cat\ttabby\nnonsense\n# a\tnote\ndog\tpug", &proposed());
        assert_eq!(bare.len(), 2);
        assert_eq!(bare[1].images, None);
        assert!(classes.iter().all(|class| class.doubt.is_none()));
        let doubtful = reviewed(
            "apple\tfruit",
            &[
                ProposedClass {
                    tags: vec![SeenTag { name: "fruit".into(), images: 31, elsewhere: 12 }],
                    ..proposed()[0].clone()
                },
                proposed()[1].clone(),
            ],
        );
        let told = doubtful[0].doubt.as_deref();
        assert_eq!(told, Some("also seen in 12 of 12 images of others"));
    }

    #[test]
    fn a_choice_changes_one_line() {
        let text = vocabulary::text(&proposed()) + "bus\tcoach\n";
        let changed = with_tag(&text, "bus", "car");
        assert_eq!(reviewed(&changed, &[])[1].tags, ["car", "coach"]);
        assert_eq!(changed.replace("bus\tcar", "bus\tbus"), text);
        assert_eq!(with_tag(&text, "cow", "calf"), text);
        let marked = class_line("#1 mug", "cup");
        assert_eq!(reviewed(&marked, &[])[0].name, "#1 mug");
        assert_eq!(with_tag(&marked, "#1 mug", "mug"), class_line("#1 mug", "mug"));
    }
}
