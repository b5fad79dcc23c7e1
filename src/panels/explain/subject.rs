//! What is explained, and the steps that every kind of network takes.

use super::figure::Figure;
use crate::decompose;
use crate::image::Transform;
use crate::pipeline::Analysis;
use crate::score::verdict::{Outcome, Rejection};
use crate::session::{Session, entry::Entry};
use crate::ui::widgets::formula_text;
use crate::worker::ModelInfo;

/// One step of a method.
pub(super) struct Step {
    /// A word or two.
    pub title: &'static str,
    /// What is computed, with the numbers of the image on show.
    pub tell: fn(&ExplainedImage<'_>) -> Told,
    /// Its picture.
    pub draw: fn(&Figure<'_>, &ExplainedImage<'_>),
    /// Why it did not happen to the image on show, if it did not: the end of a sentence.
    pub missing: fn(&ExplainedImage<'_>) -> Option<String>,
}

/// What is told of a step.
pub(super) struct Told {
    /// What is computed, on a line or two.
    pub formula: String,
    /// A few sentences.
    pub text: String,
}

impl Told {
    pub(super) fn new(formula: impl Into<String>, text: impl Into<String>) -> Self {
        Self { formula: formula.into(), text: text.into() }
    }
}

/// What the steps are told about.
pub(super) struct ExplainedImage<'a> {
    pub entry: &'a Entry,
    /// Settings, and all other images.
    pub session: &'a Session,
    /// The network.
    pub info: &'a ModelInfo,
}

/// For a step that every image is taken through.
pub(super) fn always(_: &ExplainedImage<'_>) -> Option<String> {
    None
}

/// A step from the map of what counts to the kept tokens.
pub(super) fn needs_something_known(subject: &ExplainedImage<'_>) -> Option<String> {
    let none = subject.rejected() == Some(Rejection::NoKnownTag);
    none.then(|| subject.reason())
}

/// A step that takes kept tokens.
pub(super) fn needs_kept_tokens(subject: &ExplainedImage<'_>) -> Option<String> {
    subject.rejected().map(|_| subject.reason())
}

impl<'a> ExplainedImage<'a> {
    pub(super) fn analysis(&self) -> Option<&'a Analysis> {
        self.entry.analysis.as_deref()
    }

    fn rejected(&self) -> Option<Rejection> {
        self.analysis()?.verdict.rejected
    }

    /// The verdict's own.
    pub(super) fn reason(&self) -> String {
        self.analysis().map_or_else(String::new, |analysis| analysis.verdict.reason.to_string())
    }

    /// The mask at τ, or `None` before there is one.
    pub(super) fn mask(&self) -> &'a [bool] {
        self.analysis().map_or(&[], |analysis| &analysis.decomposition.mask)
    }

    /// The union of the maps that count.
    pub(super) fn map(&self) -> &'a [f32] {
        self.analysis().map_or(&[], |analysis| &analysis.decomposition.map)
    }

    /// A label by its number.
    pub(super) fn label(&self, label: usize) -> String {
        self.info.vocabulary.tags.get(label).cloned().unwrap_or_default()
    }

    /// Labels in a sentence, the first few by name.
    pub(super) fn labels(&self, labels: &[usize]) -> String {
        const NAMED: usize = 4;
        let named = labels.iter().take(NAMED).map(|&label| format!("“{}”", self.label(label)));
        let named = named.collect::<Vec<_>>().join(", ");
        match labels.len().saturating_sub(NAMED) {
            0 => named,
            more => format!("{named} and {more} more"),
        }
    }

    /// The picture as the network takes it.
    pub(super) fn photo(&self) -> Told {
        let [width, height] = self.entry.size.unwrap_or_default();
        let side = self.info.manifest.image_side();
        let (resized, sees) = match self.info.manifest.transform {
            Transform::Ram => ("resize(photo)", "the whole of it, made a square"),
            Transform::Tagood => {
                ("crop(resize(photo))", "the whole of it but a narrow margin, made a square")
            }
            Transform::Clip | Transform::ClipBilinear => {
                ("crop(resize(photo))", "the square in its middle, as long as its shorter side")
            }
        };
        Told::new(
            format!("x = ({resized} − mean) / deviation,  {side} × {side} pixels"),
            format!(
                "The photo has {width} × {height} pixels. The network sees {sees}, in {side} × {side} \
                 pixels, each channel shifted and scaled to the values it was trained with."
            ),
        )
    }

    /// τ on the union of the maps; `places` are what the map has values of, `first` of them no places.
    pub(super) fn threshold(&self, places: &str, first: usize) -> Told {
        let tau = self.session.settings().tau;
        let mask = self.mask();
        let kept = mask.iter().skip(first).filter(|&&keep| keep).count();
        let all = mask.len().saturating_sub(first);
        Told::new(
            format!("m = r > τ,  τ = {tau:.2}"),
            format!(
                "{places} whose relevance exceeds τ belong to an object: {kept} of {all} do. A higher τ \
                 keeps less of the surroundings, and at last less of the object. Try [ and ]."
            ),
        )
    }

    /// The detector's score, λ and the decision.
    pub(super) fn score(&self) -> Told {
        let settings = self.session.settings();
        let detector = self.info.detectors.iter().find(|d| d.id == settings.detector);
        let name = detector.map_or("The detector", |detector| detector.name);
        let formula = detector.map_or_else(String::new, |d| formula_text(d.formula));
        let Some(analysis) = self.analysis() else { return Told::new(formula, "") };
        let verdict = &analysis.verdict;
        let decision = match verdict.outcome {
            Some(Outcome::Id) => ", so the image is in-distribution",
            Some(Outcome::Ood) => ", so the image is out-of-distribution",
            None => "",
        };
        let numbers = match (verdict.score, verdict.lambda) {
            (Some(score), Some(lambda)) => {
                format!("{name} gives {score:.3}, and λ is {lambda:.3}")
            }
            (Some(score), None) => format!("{name} gives {score:.3}, and there is no λ"),
            _ => "The image is not scored".into(),
        };
        Told::new(formula, format!("{numbers}{decision}: {}.", verdict.reason))
    }
}

/// Lowest and highest of a map as the network gives it, heads added up.
pub(super) fn range_of(attention: &[f32], positions: usize) -> (f32, f32) {
    let mut sums = vec![0.0f32; positions];
    for head in attention.chunks_exact(positions.max(1)) {
        sums.iter_mut().zip(head).for_each(|(sum, value)| *sum += value);
    }
    let low = sums.iter().copied().fold(f32::INFINITY, f32::min);
    (low, sums.iter().copied().fold(f32::NEG_INFINITY, f32::max))
}

/// The photo as it is.
pub(super) fn draw_photo(figure: &Figure<'_>, subject: &ExplainedImage<'_>) {
    let photo = figure.photo();
    figure.outline(figure.field(photo, subject));
}

/// The grid of patches upon it.
pub(super) fn draw_patches(figure: &Figure<'_>, subject: &ExplainedImage<'_>) {
    let field = figure.field(figure.photo(), subject);
    figure.grid_lines(field, subject.map().len());
}

/// What τ keeps in colours, the rest in the dark.
pub(super) fn draw_threshold(figure: &Figure<'_>, subject: &ExplainedImage<'_>) {
    use eframe::egui::Color32;
    let field = figure.field(figure.photo(), subject);
    let mask = subject.mask();
    figure.cells(field, subject.map(), |value, at| match mask.get(at + 1) {
        Some(true) => super::color(value).gamma_multiply(0.6),
        _ => Color32::from_black_alpha(150),
    });
}

/// What τ keeps, and nothing of the rest.
pub(super) fn draw_kept(figure: &Figure<'_>, subject: &ExplainedImage<'_>) {
    use eframe::egui::Color32;
    let photo = figure.photo();
    let field = figure.field(photo, subject);
    let (mask, ground) = (subject.mask(), figure.palette().ground);
    figure.cells(field, subject.map(), |_, at| match mask.get(at + 1) {
        Some(true) => Color32::TRANSPARENT,
        _ => ground,
    });
    figure.hide_margin(photo, field);
    figure.grid_lines(field, mask.len());
}

/// One label's map, stretched, by itself.
pub(super) fn draw_relevance(figure: &Figure<'_>, attention: &[f32], positions: usize) {
    let stretched = decompose::relevance(attention, positions);
    figure.cells(figure.square(), &stretched, |value, _| super::color(value));
}
